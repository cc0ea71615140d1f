//! Arithmetic.

use pullback_base::Dtype;
use pullback_kernels::Map;

use super::{I32, SAME, binary, binary_of, sure, unary, unary_of};
use crate::array::Array;
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Test};
use crate::ops;

ops! {
    /// Elementwise `-x`.
    NEGATIVE = "negative" ("a") {
        dtypes: Dtypes::Number,
        infer: Infer::Same,
        diff: Diff::Linear(&[Some(|_, _, g| Ok(-g))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Neg),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| -x[0]), samples: &[unary(-2., 2.)], ulps: 0. },
    }
    /// Elementwise sum, with broadcasting.
    ADD = "add" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Same,
        diff: Diff::Linear(&[Some(|_, _, g| Ok(g.clone())), Some(|_, _, g| Ok(g.clone()))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Add),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0] + x[1]), samples: &[binary(-2., 2.)], ulps: 0.5 },
    }
    /// Elementwise difference, with broadcasting.
    SUBTRACT = "subtract" ("a", "b") {
        dtypes: Dtypes::Number,
        infer: Infer::Same,
        diff: Diff::Linear(&[Some(|_, _, g| Ok(g.clone())), Some(|_, _, g| Ok(-g))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Sub),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0] - x[1]), samples: &[binary(-2., 2.)], ulps: 0.5 },
    }
    /// Elementwise product, with broadcasting.
    MULTIPLY = "multiply" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Same,
        diff: Diff::Bilinear(|_, y, _, g| Ok(g * y), |_, x, _, g| Ok(g * x)),
        batch: SAME,
        kernel: Kernel::Map(Map::Mul),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0] * x[1]), samples: &[binary(-2., 2.)], ulps: 0.5 },
    }
    /// Elementwise quotient, with broadcasting. Integers and booleans are divided as `float32`.
    DIVIDE = "divide" ("a", "b") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[
            Some(|x, _| 1. / &x[1]),
            // d(x/y)/dy = -(x/y)/y, which reuses the quotient.
            Some(|x, y| -(y / &x[1])),
        ]),
        batch: SAME,
        kernel: Kernel::Map(Map::Div),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0] / x[1]), samples: &[binary(0.5, 2.)], ulps: 0.5 },
    }
    /// Elementwise `|x|`; of complex numbers in `float32`. Its derivative at 0 is 0.
    ABS = "abs" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| sure(fun::sign(&x[0])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Abs),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].abs()), samples: &[unary(0.2, 2.), unary(-2., -0.2), unary_of(I32, -9., 9.)], ulps: 0. },
    }
    /// Elementwise sign: -1, 0 or 1.
    SIGN = "sign" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Sign),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| if x[0] > 0. { 1. } else if x[0] < 0. { -1. } else { x[0] }), samples: &[unary(0.2, 2.), unary(-2., -0.2), unary_of(I32, -2., 2.)], ulps: 0. },
    }
    /// Elementwise `x * x`.
    SQUARE = "square" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| 2. * &x[0])]),
        batch: SAME,
        kernel: Kernel::Map(Map::Square),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0] * x[0]), samples: &[unary(-2.0, 2.0)], ulps: 0.5 },
    }
    /// Elementwise `1 / x`.
    RECIPROCAL = "reciprocal" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| -(y * y))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Recip),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| 1. / x[0]), samples: &[unary(0.5, 2.), unary(-2., -0.5)], ulps: 0.5 },
    }
    /// Elementwise remainder of the division rounded down, with broadcasting: it has the sign of the divisor.
    REMAINDER = "remainder" ("a", "b") {
        dtypes: Dtypes::RealNumber,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| x[0].full_like(1.)), Some(|x, _| -sure(fun::floor_divide(&x[0], &x[1])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Rem),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0] - (x[0] / x[1]).floor() * x[1]), samples: &[
                binary(1.1, 1.9),
                binary_of(&[Dtype::I32, Dtype::I32], 1., 9.),
            ], ulps: 4. },
    }
    /// Elementwise quotient rounded down, with broadcasting.
    FLOOR_DIVIDE = "floor_divide" ("a", "b") {
        dtypes: Dtypes::RealNumber,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::FloorDiv),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| (x[0] / x[1]).floor()), samples: &[binary(1.1, 1.9), binary_of(&[Dtype::I32, Dtype::I32], 1., 9.)], ulps: 0. },
    }
    /// Elementwise larger one, with broadcasting; NaN if either is. Equal operands share the derivative.
    MAXIMUM = "maximum" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| wins(&x[0], &x[1])), Some(|x, _| wins(&x[1], &x[0]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Max),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0].max(x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -9., 9.)], ulps: 0. },
    }
    /// Elementwise smaller one, with broadcasting; NaN if either is. Equal operands share the derivative.
    MINIMUM = "minimum" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| wins(&x[1], &x[0])), Some(|x, _| wins(&x[0], &x[1]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Min),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0].min(x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -9., 9.)], ulps: 0. },
    }
}

/// 1 where `x > y`, 1/2 where they are equal, else 0.
fn wins(x: &Array, y: &Array) -> Array {
    let half = sure(fun::where_(&sure(fun::equal(x, y)), &x.weak(0.5), &x.weak(0.)));
    sure(fun::where_(&sure(fun::greater(x, y)), &x.weak(1.), &half))
}
