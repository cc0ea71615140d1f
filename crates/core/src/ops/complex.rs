//! Parts of complex numbers. The real part is a cast; these two make the rest.
//!
//! Cotangents pair as `Re(g * y)`, without a conjugate, so the transpose of a map that turns `i` into `-i` has a sign.

use pullback_base::Dtype;
use pullback_kernels::Map;

use super::{C64, SAME, binary_of, unary_of};
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Test};
use crate::ops;

ops! {
    /// Real and imaginary parts exchanged.
    SWAP = "swap" ("a") {
        dtypes: Dtypes::Complex,
        infer: Infer::Same,
        diff: Diff::Linear(&[Some(|_, _, g| Ok(-&fun::swap_parts(g)?))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Swap),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| x[0].1.chunks(2).flat_map(|z| [z[1], z[0]]).collect()),
            samples: &[unary_of(C64, -2., 2.)],
            ulps: 0.,
        },
    }
    /// The real parts of two numbers, as parts of one.
    JOIN = "join" ("a", "b") {
        dtypes: Dtypes::Complex,
        infer: Infer::Same,
        diff: Diff::Linear(&[
            Some(|_, _, g| fun::cast(&fun::real(g)?, Dtype::C64)),
            Some(|_, _, g| fun::cast(&-&fun::imag(g)?, Dtype::C64)),
        ]),
        batch: SAME,
        kernel: Kernel::Map(Map::Join),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| {
                x[0].1.chunks(2).zip(x[1].1.chunks(2)).flat_map(|(a, b)| [a[0], b[0]]).collect()
            }),
            samples: &[binary_of(&[Dtype::C64, Dtype::C64], -2., 2.)],
            ulps: 0.,
        },
    }
}
