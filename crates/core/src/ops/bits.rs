//! Integers as strings of bits.

use pullback_base::Dtype;
use pullback_kernels::Map;

use super::{I32, SAME, binary_of, unary_of};
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Test};
use crate::ops;

ops! {
    /// Elementwise and of bits, with broadcasting.
    BITWISE_AND = "bitwise_and" ("a", "b") {
        dtypes: Dtypes::Integral,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::And),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| (x[0] as i64 & x[1] as i64) as f64), samples: &[binary_of(&[Dtype::I32, Dtype::I32], -99., 99.), binary_of(&[Dtype::Bool, Dtype::Bool], 0., 1.)], ulps: 0. },
    }
    /// Elementwise or of bits, with broadcasting.
    BITWISE_OR = "bitwise_or" ("a", "b") {
        dtypes: Dtypes::Integral,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Or),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| (x[0] as i64 | x[1] as i64) as f64), samples: &[binary_of(&[Dtype::I32, Dtype::I32], -99., 99.), binary_of(&[Dtype::Bool, Dtype::Bool], 0., 1.)], ulps: 0. },
    }
    /// Elementwise exclusive or of bits, with broadcasting.
    BITWISE_XOR = "bitwise_xor" ("a", "b") {
        dtypes: Dtypes::Integral,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Xor),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| (x[0] as i64 ^ x[1] as i64) as f64), samples: &[binary_of(&[Dtype::I32, Dtype::I32], -99., 99.), binary_of(&[Dtype::Bool, Dtype::Bool], 0., 1.)], ulps: 0. },
    }
    /// Elementwise exchange of zeros and ones; of booleans, `not`.
    BITWISE_INVERT = "bitwise_invert" ("a") {
        dtypes: Dtypes::Integral,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Not),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| -1. - x[0]), samples: &[unary_of(I32, -99., 99.)], ulps: 0. },
    }
    /// Elementwise bits moved to the left, with broadcasting; what leaves the word is lost.
    LEFT_SHIFT = "left_shift" ("a", "b") {
        dtypes: Dtypes::Integer,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Shl),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| ((x[0] as i64) << x[1] as i64) as f64), samples: &[binary_of(&[Dtype::I32, Dtype::I32], 0., 9.)], ulps: 0. },
    }
    /// Elementwise bits moved to the right, with broadcasting; signed integers keep their sign.
    RIGHT_SHIFT = "right_shift" ("a", "b") {
        dtypes: Dtypes::Integer,
        infer: Infer::Same,
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Map(Map::Shr),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| (x[0] as i64 >> x[1] as i64) as f64), samples: &[binary_of(&[Dtype::I32, Dtype::I32], 0., 9.)], ulps: 0. },
    }
}
