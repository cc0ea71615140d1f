//! Rows for complex numbers: pairs of `f32`, on the baseline set only.

use super::{Kernel, Map1, Map2, Map3, base};
use crate::isa::Target;
use crate::map::Op;
use crate::math::complex::{self as math, by, by2};

type C = [f32; 2];

macro_rules! rows {
    (
        one { $($op1:ident: $out1:ty = |$x1:ident| $body1:expr;)* }
        two { $($op2:ident: $out:ty = |$x2:ident, $y2:ident| $body2:expr;)* }
    ) => {
        /// The kernel for `op` on complex numbers. Only vectors: scalars are spread first.
        pub fn c64(op: Op, form: u8) -> Option<Kernel> {
            if form != 0 {
                return None;
            }
            Some(match op {
                $(Op::$op1 => {
                    struct Row;
                    impl Map1 for Row {
                        type In = C;
                        type Out = $out1;
                        #[inline(always)]
                        fn at<I: Target>($x1: C) -> $out1 { $body1 }
                    }
                    base::map1::<Row>
                })*
                $(Op::$op2 => {
                    struct Row;
                    impl Map2 for Row {
                        type In = C;
                        type Out = $out;
                        #[inline(always)]
                        fn at<I: Target>($x2: C, $y2: C) -> $out { $body2 }
                    }
                    base::map2::<Row, 0>
                })*
                Op::Select => {
                    struct Row;
                    impl Map3 for Row {
                        type First = u8;
                        type In = C;
                        type Out = C;
                        #[inline(always)]
                        fn at<I: Target>(x: u8, y: C, z: C) -> C { if x != 0 { y } else { z } }
                    }
                    base::map3::<Row, 0>
                }
                _ => return None,
            })
        }
    };
}

#[inline(always)]
pub(crate) fn times(x: C, y: C) -> C {
    [x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]]
}

/// By Smith's method: no overflow where the quotient has none.
#[inline(always)]
fn over(x: C, y: C) -> C {
    if y[0].abs() >= y[1].abs() {
        let ratio = y[1] / y[0];
        let below = y[0] + y[1] * ratio;
        // 0 / 0: the ratio is NaN, and so is the answer.
        [(x[0] + x[1] * ratio) / below, (x[1] - x[0] * ratio) / below]
    } else {
        let ratio = y[0] / y[1];
        let below = y[0] * ratio + y[1];
        [(x[0] * ratio + x[1]) / below, (x[1] * ratio - x[0]) / below]
    }
}

/// Ordered by real parts, and where these are equal by the others, as in NumPy.
#[inline(always)]
fn less(x: C, y: C) -> bool {
    x[0] < y[0] || x[0] == y[0] && x[1] < y[1]
}

#[inline(always)]
fn is_nan(x: C) -> bool {
    x[0].is_nan() || x[1].is_nan()
}

/// The larger one, or the first that is NaN.
#[inline(always)]
pub(crate) fn largest(x: C, y: C) -> C {
    if is_nan(x) || !is_nan(y) && !less(x, y) { x } else { y }
}

/// The smaller one, or the first that is NaN.
#[inline(always)]
pub(crate) fn smallest(x: C, y: C) -> C {
    if is_nan(x) || !is_nan(y) && !less(y, x) { x } else { y }
}

rows! {
    one {
        Neg: C = |x| [-x[0], -x[1]];
        Square: C = |x| times(x, x);
        Abs: C = |x| [x[0].hypot(x[1]), 0.];
        Recip: C = |x| over([1., 0.], x);
        Round: C = |x| [x[0].round_ties_even(), x[1].round_ties_even()];
        Swap: C = |x| [x[1], x[0]];
        Exp: C = |x| by(math::exp, x);
        Exp2: C = |x| by(math::exp2, x);
        Expm1: C = |x| by(math::expm1, x);
        Log: C = |x| by(math::log, x);
        Log2: C = |x| by(math::log2, x);
        Log10: C = |x| by(math::log10, x);
        Log1p: C = |x| by(math::log1p, x);
        Sqrt: C = |x| by(math::sqrt, x);
        Rsqrt: C = |x| by(math::rsqrt, x);
        Sigmoid: C = |x| by(math::sigmoid, x);
        Sin: C = |x| by(math::sin, x);
        Cos: C = |x| by(math::cos, x);
        Tan: C = |x| by(math::tan, x);
        Asin: C = |x| by(math::asin, x);
        Acos: C = |x| by(math::acos, x);
        Atan: C = |x| by(math::atan, x);
        Sinh: C = |x| by(math::sinh, x);
        Cosh: C = |x| by(math::cosh, x);
        Tanh: C = |x| by(math::tanh, x);
        Asinh: C = |x| by(math::asinh, x);
        Acosh: C = |x| by(math::acosh, x);
        Atanh: C = |x| by(math::atanh, x);
        IsNan: u8 = |x| u8::from(is_nan(x));
        IsInf: u8 = |x| u8::from(x[0].is_infinite() || x[1].is_infinite());
        IsFinite: u8 = |x| u8::from(x[0].is_finite() && x[1].is_finite());
    }
    two {
        Add: C = |x, y| [x[0] + y[0], x[1] + y[1]];
        Sub: C = |x, y| [x[0] - y[0], x[1] - y[1]];
        Mul: C = |x, y| times(x, y);
        Div: C = |x, y| over(x, y);
        Pow: C = |x, y| by2(math::pow, x, y);
        Logaddexp: C = |x, y| by2(math::logaddexp, x, y);
        Join: C = |x, y| [x[0], y[0]];
        Max: C = |x, y| largest(x, y);
        Min: C = |x, y| smallest(x, y);
        Lt: u8 = |x, y| u8::from(less(x, y));
        Le: u8 = |x, y| u8::from(x[0] < y[0] || x[0] == y[0] && x[1] <= y[1]);
        Gt: u8 = |x, y| u8::from(less(y, x));
        Ge: u8 = |x, y| u8::from(x[0] > y[0] || x[0] == y[0] && x[1] >= y[1]);
        Eq: u8 = |x, y| u8::from(x[0] == y[0] && x[1] == y[1]);
        Ne: u8 = |x, y| u8::from(x[0] != y[0] || x[1] != y[1]);
    }
}
