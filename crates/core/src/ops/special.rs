//! The error function, and rounding.

use std::f64::consts::PI;

use pullback_kernels::Map;

use super::{SAME, sure, unary};
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test};
use crate::ops;

ops! {
    /// Elementwise error function.
    ERF = "erf" ("a") {
        dtypes: Dtypes::Float,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| (2. / PI.sqrt()) * sure(fun::exp(&-(&x[0] * &x[0]))))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Erf),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| erf(x[0])), samples: &[unary(-2.0, 2.0)], ulps: 3. },
    }
    /// Elementwise inverse of the error function.
    ERFINV = "erfinv" ("a") {
        dtypes: Dtypes::Float,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| (PI.sqrt() / 2.) * sure(fun::exp(&(y * y))))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Erfinv),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| erfinv(x[0])), samples: &[unary(-0.9, 0.9)], ulps: 8. },
    }
    /// Elementwise largest integer that is not above.
    FLOOR = "floor" ("a") {
        dtypes: Dtypes::Float,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Floor),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].floor()), samples: ROUNDED, ulps: 0. },
    }
    /// Elementwise nearest integer on the way to 0.
    TRUNC = "trunc" ("a") {
        dtypes: Dtypes::Float,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Trunc),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].trunc()), samples: ROUNDED, ulps: 0. },
    }
    /// Elementwise smallest integer that is not below.
    CEIL = "ceil" ("a") {
        dtypes: Dtypes::Float,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Ceil),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].ceil()), samples: ROUNDED, ulps: 0. },
    }
    /// Elementwise nearest integer; halves go to the even one.
    ROUND = "round" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Round),
        api: Api::Composed,
        test: Test { reference: Reference::Each(|x| x[0].round_ties_even()), samples: ROUNDED, ulps: 0. },
    }
}

/// Intervals without the steps of all three, where a difference quotient is none.
const ROUNDED: &[Sample] = &[unary(1.6, 1.9), unary(-1.4, -1.1)];

/// The error function by its series, and by a continued fraction where that converges faster.
fn erf(x: f64) -> f64 {
    if x.abs() < 3. {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * 2. / PI.sqrt();
    }
    let mut tail = 0.;
    for n in (1..100).rev() {
        tail = f64::from(n) / 2. / (x.abs() + tail);
    }
    (1. - (-x * x).exp() / PI.sqrt() / (x.abs() + tail)).copysign(x)
}

/// The zero of `erf(y) - x` by Newton's method, from the middle: `erf` is concave above it, convex below.
fn erfinv(x: f64) -> f64 {
    (0..60).fold(0., |y, _| y - (erf(y) - x) * PI.sqrt() / 2. * f64::exp(y * y))
}
