//! Arithmetic.

use pullback_kernels::Map;

use super::{SAME, binary, unary};
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
}
