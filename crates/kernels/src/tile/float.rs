//! Rows for `f32` and `f64`. Written once: the two types differ only in the mathematics module.
//!
//! Binary forms: 0 = two tiles, 2 = scalar on the right, 1 = scalar on the left. Costly rows have form 0
//! only: filling a tile with the scalar is cheap beside them.

macro_rules! float_table {
    ($(#[$doc:meta])* $name:ident, $t:ident, $math:ident) => {
        crate::tile::table! {
            $(#[$doc])*
            fn $name;
            one($t) {
                Neg: $t = |x| -x;
                Abs: $t = |x| x.abs();
                Sign: $t = |x| if x > 0. { 1. } else if x < 0. { -1. } else { x };
                Square: $t = |x| x * x;
                Cube: $t = |x| x * x * x;
                Floor: $t = |x| $math::floor(x);
                Ceil: $t = |x| -$math::floor(-x);
                Trunc: $t = |x| $math::floor(x.abs()).copysign(x);
                Round: $t = |x| $math::round(x);
                Recip: $t = |x| 1. / x;
                Sqrt: $t = |x| x.sqrt();
                Rsqrt: $t = |x| 1. / x.sqrt();
                Exp: $t = |x| $math::exp::<I>(x);
                ExpNeg: $t = |x| $math::exp::<I>(-x);
                ExpNegSquare: $t = |x| $math::exp::<I>(-(x * x));
                Exp2: $t = |x| $math::exp2::<I>(x);
                Expm1: $t = |x| $math::expm1::<I>(x);
                Log: $t = |x| $math::log::<I>(x);
                Log2: $t = |x| $math::log2::<I>(x);
                Log10: $t = |x| $math::log10::<I>(x);
                Log1p: $t = |x| $math::log1p::<I>(x);
                Sin: $t = |x| $math::sin::<I>(x), rare $math::far(x), $math::sin_far(x);
                Cos: $t = |x| $math::cos::<I>(x), rare $math::far(x), $math::cos_far(x);
                Tan: $t = |x| $math::tan::<I>(x), rare $math::far(x), $math::tan_far(x);
                Asin: $t = |x| $math::asin::<I>(x);
                Acos: $t = |x| $math::acos::<I>(x);
                Atan: $t = |x| $math::atan::<I>(x);
                Sinh: $t = |x| $math::sinh::<I>(x);
                Cosh: $t = |x| $math::cosh::<I>(x);
                Tanh: $t = |x| $math::tanh::<I>(x);
                Asinh: $t = |x| $math::asinh::<I>(x);
                Acosh: $t = |x| $math::acosh::<I>(x);
                Atanh: $t = |x| $math::atanh::<I>(x);
                Sigmoid: $t = |x| $math::sigmoid::<I>(x);
                Erf: $t = |x| $math::erf::<I>(x);
                Erfinv: $t = |x| $math::erfinv::<I>(x);
                IsNan: u8 = |x| u8::from(x.is_nan());
                IsInf: u8 = |x| u8::from(x.abs() == $t::INFINITY);
                IsFinite: u8 = |x| u8::from(x.abs() < $t::INFINITY);
            }
            two($t) {
                Add [0, 2]: $t = |x, y| x + y;
                Sub [0, 1, 2]: $t = |x, y| x - y;
                Mul [0, 2]: $t = |x, y| x * y;
                Div [0, 1, 2]: $t = |x, y| x / y;
                // The sign of the divisor, as in Python.
                Rem [0]: $t = |x, y| $math::rem::<I>(x, y);
                FloorDiv [0]: $t = |x, y| $math::floor_div::<I>(x, y);
                // NaN if either operand is, as in NumPy; `f32::max` would drop it.
                Max [0, 2]: $t = |x, y| if (x > y) | x.is_nan() { x } else { y };
                Min [0, 2]: $t = |x, y| if (x < y) | x.is_nan() { x } else { y };
                Pow [0]: $t = |x, y| $math::pow::<I>(x, y);
                Atan2 [0]: $t = |x, y| $math::atan2::<I>(x, y);
                Logaddexp [0]: $t = |x, y| $math::logaddexp::<I>(x, y);
                Lt [0, 2]: u8 = |x, y| u8::from(x < y);
                Le [0, 2]: u8 = |x, y| u8::from(x <= y);
                Gt [0, 2]: u8 = |x, y| u8::from(x > y);
                Ge [0, 2]: u8 = |x, y| u8::from(x >= y);
                Eq [0, 2]: u8 = |x, y| u8::from(x == y);
                Ne [0, 2]: u8 = |x, y| u8::from(x != y);
                ExpSub [0, 2]: $t = |x, y| $math::exp::<I>(x - y);
                ScaleTanh [0, 2]: $t = |x, y| $math::tanh::<I>(x * y);
                ScaleErf [0, 2]: $t = |x, y| $math::erf::<I>(x * y);
            }
            three($t) {
                Select [0, 2, 4]: u8 = |x, y, z| if x != 0 { y } else { z };
                MulAdd [0, 2, 4, 6]: $t = |x, y, z| $math::fma::<I>(x, y, z);
                MulSub [0, 2, 4, 6]: $t = |x, y, z| $math::fma::<I>(x, y, -z);
                NegMulAdd [0, 2, 4, 6]: $t = |x, y, z| $math::fma::<I>(-x, y, z);
                AddMul [0, 2, 4, 6]: $t = |x, y, z| (x + y) * z;
                SubMul [0, 2, 4, 6]: $t = |x, y, z| (x - y) * z;
                MulMul [0, 2, 4]: $t = |x, y, z| x * y * z;
                AddAdd [0, 2, 4]: $t = |x, y, z| x + y + z;
            }
            four($t) {
                MulMulAdd [0, 2, 4, 12]= |x, y, z, w| $math::fma::<I>(x * y, z, w);
                AddMulMul [0, 2, 10] = |x, y, z, w| (x + y) * (z * w);
                MulAddMul [0, 2, 6, 8, 10, 14] = |x, y, z, w| $math::fma::<I>(x, y, z) * w;
                MulAddSub [0, 2, 6, 8] = |x, y, z, w| $math::fma::<I>(x, y, z) - w;
                SubMulMul [0, 2, 6, 10] = |x, y, z, w| (x - y) * z * w;
                SelectLt [0, 2, 6, 10, 14] = |x, y, z, w| if x < y { z } else { w };
                SelectLe [0, 2, 6, 10, 14] = |x, y, z, w| if x <= y { z } else { w };
                SelectEq [0, 2, 6, 10, 14] = |x, y, z, w| if x == y { z } else { w };
            }
        }
    };
}

use crate::math::{double, single};

float_table!(
    /// Kernels on `f32`.
    single,
    f32,
    single
);
float_table!(
    /// Kernels on `f64`.
    double,
    f64,
    double
);
