//! Arrays from nothing: counts and random words.

use pullback_base::{Aval, Dtype, Shape};
use pullback_kernels::Whole;

use crate::array::mismatch;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// 0, 1, 2, …
    IOTA = "iota" () {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, _| match params {
            Params::Count(n, dtype) => Ok(Aval::new([*n], *dtype)),
            other => unreachable!("a count has count params, found {other:?}"),
        }),
        diff: Diff::Zero,
        batch: Batch::Missing("it has no operands, so nothing in it is batched"),
        kernel: Kernel::Whole(|_, _, out| WholeCall {
            whole: Whole::Iota,
            shapes: vec![],
            shape: out.shape.clone(),
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, _, out| (0..out.size()).map(|i| i as f64).collect()),
            samples: &[Sample {
                shapes: &[],
                dtypes: &[],
                params: || Params::Count(5, Dtype::F32),
                domain: (0., 0.),
            }],
            ulps: 0.,
        },
    }
    /// Random words: `keys uint32 [.., 2] -> uint32 [.., words]`, by threefry2x32 (Salmon et al., "Parallel
    /// random numbers: as easy as 1, 2, 3", 2011) in the layout of MLX.
    RANDOM_BITS = "random_bits" ("key") {
        dtypes: Dtypes::Integral,
        infer: Infer::One(|params, x| match params {
            Params::Count(words, _) if x[0].dtype == Dtype::U32 && x[0].shape.last() == Some(&2) => {
                let lead = &x[0].shape[..x[0].shape.ndim() - 1];
                Ok(Aval::new([lead, &[*words]].concat(), Dtype::U32))
            }
            _ => Err(mismatch("random.bits", "a uint32 key of shape [.., 2]", x)),
        }),
        diff: Diff::Zero,
        batch: super::SAME,
        kernel: Kernel::Whole(|params, x, out| {
            let Params::Count(words, _) = params else {
                unreachable!("a count has count params, found {params:?}")
            };
            let keys = x[0].size() / 2;
            debug_assert_eq!(out.size(), keys * words);
            WholeCall {
                whole: Whole::RandomBits { words: *words },
                shapes: vec![Shape::from([keys, 2])],
                shape: Shape::from([keys, *words]),
            }
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Elsewhere("known words of MLX, in the tests of the kernel and of random"),
            samples: &[Sample {
                shapes: &[&[3, 2]],
                dtypes: &[Dtype::U32],
                params: || Params::Count(5, Dtype::U32),
                domain: (0., 1000.),
            }],
            ulps: 0.,
        },
    }
}
