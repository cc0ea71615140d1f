//! Exponentials, logarithms and what is made of them.

use pullback_kernels::Map;

use super::{SAME, unary};
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Test};
use crate::ops;

ops! {
    /// Elementwise `e ** x`.
    EXP = "exp" ("a") {
        dtypes: Dtypes::Float,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| y.clone())]),
        batch: SAME,
        kernel: Kernel::Map(Map::Exp),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].exp()), samples: &[unary(-3., 3.)], ulps: 1.5 },
    }
}
