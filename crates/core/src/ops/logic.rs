//! Comparisons, logic, and choice.

use pullback_base::{Aval, Dtype, Result};
use pullback_kernels::Map;

use super::{SAME, binary, binary_of, unary, unary_of};
use crate::array::mismatch;
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test};
use crate::ops;
use crate::params::Params;

ops! {
    /// Elementwise `a < b`, with broadcasting.
    LESS = "less" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Lt),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0] < x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -2., 2.)], ulps: 0. },
    }
    /// Elementwise `a <= b`, with broadcasting.
    LESS_EQUAL = "less_equal" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Le),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0] <= x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -2., 2.)], ulps: 0. },
    }
    /// Elementwise `a > b`, with broadcasting.
    GREATER = "greater" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Gt),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0] > x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -2., 2.)], ulps: 0. },
    }
    /// Elementwise `a >= b`, with broadcasting.
    GREATER_EQUAL = "greater_equal" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Ge),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0] >= x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -2., 2.)], ulps: 0. },
    }
    /// Elementwise `a == b`, with broadcasting.
    EQUAL = "equal" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Eq),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0] == x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -2., 2.)], ulps: 0. },
    }
    /// Elementwise `a != b`, with broadcasting.
    NOT_EQUAL = "not_equal" ("a", "b") {
        dtypes: Dtypes::Any,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Ne),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0] != x[1])), samples: &[binary(-2., 2.), binary_of(&[Dtype::I32, Dtype::I32], -2., 2.)], ulps: 0. },
    }
    /// Elementwise `a and b`, with broadcasting. Numbers are compared with 0.
    LOGICAL_AND = "logical_and" ("a", "b") {
        dtypes: Dtypes::Bool,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::And),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0] * x[1]), samples: &[binary_of(&[Dtype::Bool, Dtype::Bool], 0., 1.)], ulps: 0. },
    }
    /// Elementwise `a or b`, with broadcasting. Numbers are compared with 0.
    LOGICAL_OR = "logical_or" ("a", "b") {
        dtypes: Dtypes::Bool,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Or),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0].max(x[1])), samples: &[binary_of(&[Dtype::Bool, Dtype::Bool], 0., 1.)], ulps: 0. },
    }
    /// Elementwise `not a`. Numbers are compared with 0.
    LOGICAL_NOT = "logical_not" ("a") {
        dtypes: Dtypes::Bool,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Not),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| 1. - x[0]), samples: &[unary_of(&[Dtype::Bool], 0., 1.)], ulps: 0. },
    }
    /// Whether elements are not a number.
    ISNAN = "isnan" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::IsNan),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0].is_nan())), samples: &[unary(-2.0, 2.0)], ulps: 0. },
    }
    /// Whether elements are infinite.
    ISINF = "isinf" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::IsInf),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0].is_infinite())), samples: &[unary(-2.0, 2.0)], ulps: 0. },
    }
    /// Whether elements are neither infinite nor not a number.
    ISFINITE = "isfinite" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::IsFinite),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| f64::from(x[0].is_finite())), samples: &[unary(-2.0, 2.0)], ulps: 0. },
    }
    /// Elementwise `x` where the condition holds, else `y`.
    WHERE = "where" ("condition", "x", "y") {
        dtypes: Dtypes::Any,
        infer: Infer::One(choose),
        diff: Diff::Linear(&[
            None,
            Some(|_, x, g| fun::where_(&x[0], g, &g.zeros_like())),
            Some(|_, x, g| fun::where_(&x[0], &g.zeros_like(), g)),
        ]),
        batch: SAME,
        kernel: Kernel::Map(Map::Select),
        api: Api::Composed,
        test: Test {
            reference: Reference::Each(|x| if x[0] != 0. { x[1] } else { x[2] }),
            samples: &[Sample {
                shapes: &[&[2, 3], &[2, 3], &[2, 3]],
                dtypes: &[Dtype::Bool, Dtype::F32, Dtype::F32],
                params: || Params::None,
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
}

fn choose(_: &Params, x: &[&Aval]) -> Result<Aval> {
    let fits = x[0].dtype == Dtype::Bool && x[0].shape == x[1].shape && x[1] == x[2];
    if fits {
        Ok(x[1].clone())
    } else {
        Err(mismatch("where", "a bool and two arrays of one shape and type", x))
    }
}
