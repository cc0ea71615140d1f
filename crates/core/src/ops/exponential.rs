//! Exponentials, logarithms, roots and powers.
//!
//! Bounds on ulps are those that the kernels' own tests measure, rounded up.

use std::f64::consts::{LN_2, LN_10};

use pullback_base::Dtype;
use pullback_kernels::Map;

use super::{SAME, binary, binary_of, sure, unary};
use crate::array::Array;
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Test};
use crate::ops;

ops! {
    /// Elementwise `e ** x`.
    EXP = "exp" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| y.clone())]),
        batch: SAME,
        kernel: Kernel::Map(Map::Exp),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].exp()), samples: &[unary(-3.0, 3.0)], ulps: 1.5 },
    }
    /// Elementwise `2 ** x`.
    EXP2 = "exp2" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| LN_2 * y)]),
        batch: SAME,
        kernel: Kernel::Map(Map::Exp2),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].exp2()), samples: &[unary(-3.0, 3.0)], ulps: 1.5 },
    }
    /// Elementwise `e ** x - 1`, exact near 0.
    EXPM1 = "expm1" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| y + 1.)]),
        batch: SAME,
        kernel: Kernel::Map(Map::Expm1),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].exp_m1()), samples: &[unary(-2.0, 2.0)], ulps: 2. },
    }
    /// Elementwise natural logarithm.
    LOG = "log" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| 1. / &x[0])]),
        batch: SAME,
        kernel: Kernel::Map(Map::Log),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].ln()), samples: &[unary(0.2, 3.0)], ulps: 2. },
    }
    /// Elementwise logarithm to base 2.
    LOG2 = "log2" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| 1. / (LN_2 * &x[0]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Log2),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].log2()), samples: &[unary(0.2, 3.0)], ulps: 2.5 },
    }
    /// Elementwise logarithm to base 10.
    LOG10 = "log10" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| 1. / (LN_10 * &x[0]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Log10),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].log10()), samples: &[unary(0.2, 3.0)], ulps: 2.5 },
    }
    /// Elementwise `log(1 + x)`, exact near 0.
    LOG1P = "log1p" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| 1. / (1. + &x[0]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Log1p),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].ln_1p()), samples: &[unary(-0.7, 3.0)], ulps: 2.5 },
    }
    /// Elementwise square root.
    SQRT = "sqrt" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| 0.5 / y)]),
        batch: SAME,
        kernel: Kernel::Map(Map::Sqrt),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].sqrt()), samples: &[unary(0.2, 3.0)], ulps: 0.5 },
    }
    /// Elementwise `1 / sqrt(x)`.
    RSQRT = "rsqrt" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, y| -0.5 * (y / &x[0]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Rsqrt),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| 1. / x[0].sqrt()), samples: &[unary(0.2, 3.0)], ulps: 1.5 },
    }
    /// Elementwise logistic function `1 / (1 + e ** -x)`.
    SIGMOID = "sigmoid" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| y * (1. - y))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Sigmoid),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| 1. / (1. + (-x[0]).exp())), samples: &[unary(-3.0, 3.0)], ulps: 2.5 },
    }
    /// Elementwise `a ** b`, with broadcasting. Integers wrap.
    POWER = "power" ("a", "b") {
        dtypes: Dtypes::Number,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| {
                // Where the exponent is 0 the derivative is 0, and 0 ** -1 must not be asked for.
                let less = sure(fun::where_(&sure(fun::equal(&x[1], &x[1].weak(0.))), &x[1].weak(1.), &(&x[1] - 1.)));
                &x[1] * sure(fun::power(&x[0], &less))
            }), Some(|x, y| {
                let base = sure(fun::where_(&sure(fun::equal(&x[0], &x[0].weak(0.))), &x[0].weak(1.), &x[0]));
                y * sure(fun::log(&base))
            })]),
        batch: SAME,
        kernel: Kernel::Map(Map::Pow),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0].powf(x[1])), samples: &[binary(0.5, 2.), binary_of(&[Dtype::I32, Dtype::I32], 1., 5.)], ulps: 4. },
    }
    /// Elementwise `log(e ** a + e ** b)`, with broadcasting, without overflow.
    LOGADDEXP = "logaddexp" ("a", "b") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| share(&x[0], &x[1])), Some(|x, _| share(&x[1], &x[0]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Logaddexp),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0].max(x[1]) + (-(x[0] - x[1]).abs()).exp().ln_1p()), samples: &[binary(-2.0, 2.0)], ulps: 4. },
    }
}

/// The part of `x` in `e ** x + e ** y`; equal infinities have a half each.
fn share(x: &Array, y: &Array) -> Array {
    let apart = x - y;
    let apart = sure(fun::where_(&sure(fun::isnan(&apart)), &x.weak(0.), &apart));
    sure(fun::sigmoid(&apart))
}
