//! Rows for complex numbers: pairs of `f32`, on the baseline set only.

use super::{Kernel, Map1, Map2, Map3, base};
use crate::isa::Target;
use crate::map::Op;

type C = [f32; 2];

macro_rules! rows {
    (
        one { $($op1:ident = |$x1:ident| $body1:expr;)* }
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
                        type Out = C;
                        #[inline(always)]
                        fn at<I: Target>($x1: C) -> C { $body1 }
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

rows! {
    one {
        Neg = |x| [-x[0], -x[1]];
        Square = |x| times(x, x);
        Abs = |x| [x[0].hypot(x[1]), 0.];
        Recip = |x| over([1., 0.], x);
    }
    two {
        Add: C = |x, y| [x[0] + y[0], x[1] + y[1]];
        Sub: C = |x, y| [x[0] - y[0], x[1] - y[1]];
        Mul: C = |x, y| times(x, y);
        Div: C = |x, y| over(x, y);
        Eq: u8 = |x, y| u8::from(x[0] == y[0] && x[1] == y[1]);
        Ne: u8 = |x, y| u8::from(x[0] != y[0] || x[1] != y[1]);
    }
}
