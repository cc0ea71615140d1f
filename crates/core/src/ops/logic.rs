//! Comparisons, logic, and choice.

use pullback_base::{Aval, Dtype, Result};
use pullback_kernels::Map;

use super::{SAME, binary};
use crate::array::mismatch;
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test};
use crate::ops;
use crate::params::Params;

ops! {
    /// Elementwise `a < b`, with broadcasting.
    LESS = "less" ("a", "b") {
        dtypes: Dtypes::Real,
        infer: Infer::Truth,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Lt),
        api: Api::Binary,
        test: Test {
            reference: Reference::Each(|x| f64::from(x[0] < x[1])),
            samples: &[binary(-2., 2.)],
            ulps: 0.,
        },
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
