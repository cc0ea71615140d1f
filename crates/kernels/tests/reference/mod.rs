//! What every operation means, one element at a time, in double or in whole numbers.
#![allow(dead_code, unused_imports)]

mod distance;
pub use distance::{close, ulps};

use pullback_kernels::Op;

/// An element type of the tests.
pub trait Number: Copy + PartialOrd {
    const FLOAT: bool;
    fn wide(self) -> f64;
    fn whole(self) -> i128;
    fn from_bool(value: bool) -> Self;
    /// Wraps a whole number to this type.
    fn wrap(value: i128) -> i128;
    const BITS: u32;
    fn read(words: &[u64], i: usize) -> Self;
}

macro_rules! numbers {
    ($($t:ident $float:literal $bits:literal $one:expr, $zero:expr;)*) => {$(
        impl Number for $t {
            const FLOAT: bool = $float;
            const BITS: u32 = $bits;
            fn wide(self) -> f64 { self as f64 }
            fn whole(self) -> i128 { self as i128 }
            fn from_bool(value: bool) -> Self { if value { $one } else { $zero } }
            fn wrap(value: i128) -> i128 { value as $t as i128 }
            fn read(words: &[u64], i: usize) -> Self {
                // SAFETY: the words hold elements of this type.
                unsafe { *words.as_ptr().cast::<$t>().add(i) }
            }
        }
    )*};
}
numbers! { f32 true 32 1., 0.; f64 true 64 1., 0.; i32 false 32 1, 0; u32 false 32 1, 0; i64 false 64 1, 0; u64 false 64 1, 0; u8 false 8 1, 0; }

/// The operation on elements; whole numbers wrap.
pub fn apply<T: Number>(op: Op, args: [T; 4]) -> f64 {
    if T::BITS == 8 {
        return f64::from(truth(op, args.map(|x| x.whole() != 0)));
    }
    if T::FLOAT { float(op, args.map(T::wide)) } else { T::wrap_out(whole::<T>(op, args.map(T::whole))) }
}

trait WrapOut: Number {
    fn wrap_out(value: i128) -> f64 {
        Self::wrap(value) as f64
    }
}
impl<T: Number> WrapOut for T {}

fn python_rem(x: f64, y: f64) -> f64 {
    let r = x % y;
    if r == 0. {
        0f64.copysign(y)
    } else if (r < 0.) != (y < 0.) {
        r + y
    } else {
        r
    }
}

/// In double; exact enough for single. For double the C library is the reference of itself and of ours.
pub fn float(op: Op, [x, y, z, w]: [f64; 4]) -> f64 {
    match op.arity() {
        1 => one(op, x),
        2 => two(op, x, y),
        _ => more(op, [x, y, z, w]),
    }
}

fn is(b: bool) -> f64 {
    f64::from(u8::from(b))
}

#[rustfmt::skip]
fn one(op: Op, x: f64) -> f64 {
    use Op::*;
    match op {
        Neg => -x,
        Abs => x.abs(),
        Sign => if x > 0. { 1. } else if x < 0. { -1. } else { x },
        Square => x * x,
        Cube => x * x * x,
        Floor => x.floor(),
        Ceil => x.ceil(),
        Trunc => x.trunc(),
        Round => x.round_ties_even(),
        Recip => 1. / x,
        Sqrt => x.sqrt(),
        Rsqrt => 1. / x.sqrt(),
        Exp => libm::exp(x),
        ExpNeg => libm::exp(-x),
        ExpNegSquare => libm::exp(-(x * x)),
        Exp2 => libm::exp2(x),
        Expm1 => libm::expm1(x),
        Log => libm::log(x),
        Log2 => libm::log2(x),
        Log10 => libm::log10(x),
        Log1p => libm::log1p(x),
        Sin => x.sin(),
        Cos => x.cos(),
        Tan => x.tan(),
        Asin => x.asin(),
        Acos => x.acos(),
        Atan => x.atan(),
        Sinh => x.sinh(),
        Cosh => x.cosh(),
        Tanh => libm::tanh(x),
        Asinh => libm::asinh(x),
        // `libm` 0.2 gives numbers below -1.
        Acosh => if x < 1. { f64::NAN } else { libm::acosh(x) },
        Atanh => libm::atanh(x),
        Sigmoid => if x < 0. { libm::exp(x) / (1. + libm::exp(x)) } else { 1. / (1. + libm::exp(-x)) },
        Erf => libm::erf(x),
        Erfinv => erfinv(x),
        IsNan => is(x.is_nan()),
        IsInf => is(x.is_infinite()),
        IsFinite => is(x.is_finite()),
        other => unreachable!("{other:?} of one float"),
    }
}

#[rustfmt::skip]
fn two(op: Op, x: f64, y: f64) -> f64 {
    use Op::*;
    let max = |a: f64, b: f64| if a > b || a.is_nan() { a } else { b };
    let min = |a: f64, b: f64| if a < b || a.is_nan() { a } else { b };
    match op {
        Add => x + y,
        Sub => x - y,
        Mul => x * y,
        Div => x / y,
        Rem => python_rem(x, y),
        FloorDiv => {
            let (r, q) = (python_rem(x, y), (x / y).floor());
            if y == 0. || !r.is_finite() || !q.is_finite() { q } else { ((x - r) / y).round() }
        }
        Max => max(x, y),
        Min => min(x, y),
        Pow => libm::pow(x, y),
        Atan2 => x.atan2(y),
        Logaddexp if x == y => x + std::f64::consts::LN_2,
        Logaddexp => max(x, y) + libm::log1p(libm::exp(-(x - y).abs())),
        Lt => is(x < y),
        Le => is(x <= y),
        Gt => is(x > y),
        Ge => is(x >= y),
        Eq => is(x == y),
        Ne => is(x != y),
        ExpSub => libm::exp(x - y),
        ScaleTanh => libm::tanh(x * y),
        ScaleErf => libm::erf(x * y),
        other => unreachable!("{other:?} of two floats"),
    }
}

#[rustfmt::skip]
fn more(op: Op, [x, y, z, w]: [f64; 4]) -> f64 {
    use Op::*;
    match op {
        Select => if x != 0. { y } else { z },
        MulAdd => x * y + z,
        MulSub => x * y - z,
        NegMulAdd => z - x * y,
        AddMul => (x + y) * z,
        SubMul => (x - y) * z,
        MulMul => x * y * z,
        AddAdd => x + y + z,
        MulMulAdd => x * y * z + w,
        AddMulMul => (x + y) * (z * w),
        MulAddMul => (x * y + z) * w,
        MulAddSub => x * y + z - w,
        SubMulMul => (x - y) * z * w,
        SelectLt => if x < y { z } else { w },
        SelectLe => if x <= y { z } else { w },
        SelectEq => if x == y { z } else { w },
        other => unreachable!("{other:?} of several floats"),
    }
}

/// By Newton's method on erf or erfc.
pub fn erfinv(x: f64) -> f64 {
    if x.abs() >= 1. || x.is_nan() {
        return if x.abs() == 1. { f64::INFINITY.copysign(x) } else { f64::NAN };
    }
    let a = x.abs();
    let mut y = if a < 0.7 { a * 0.9 } else { (-(1. - a).ln()).sqrt() };
    for _ in 0..30 {
        let miss = if a < 0.5 { libm::erf(y) - a } else { (1. - a) - libm::erfc(y) };
        y -= miss / (std::f64::consts::FRAC_2_SQRT_PI * (-y * y).exp());
    }
    y.copysign(x)
}

/// Of truth values.
fn truth(op: Op, [x, y, z, _]: [bool; 4]) -> u8 {
    use Op::*;
    u8::from(match op {
        Not => !x,
        Abs | Sign | Square => x,
        And | Mul | Min => x & y,
        Or | Add | Max => x | y,
        Xor | Ne => x != y,
        Eq => x == y,
        Lt => !x & y,
        Le => !x | y,
        Gt => x & !y,
        Ge => x | !y,
        Select => {
            if x {
                y
            } else {
                z
            }
        }
        other => unreachable!("{other:?} is not for truth values"),
    })
}

/// x to the y; what is left of a fraction for negative y.
fn power<T: Number>(x: i128, y: i128) -> i128 {
    if y < 0 {
        return match x {
            1 => 1,
            -1 => 1 - 2 * (y & 1),
            _ => 0,
        };
    }
    let (mut result, mut base, mut left) = (1i128, x, y);
    while left > 0 {
        if left & 1 == 1 {
            result = T::wrap(result.wrapping_mul(base));
        }
        base = T::wrap(base.wrapping_mul(base));
        left >>= 1;
    }
    result
}

/// In 128-bit whole numbers; the caller wraps.
#[rustfmt::skip]
fn whole<T: Number>(op: Op, [x, y, z, w]: [i128; 4]) -> i128 {
    use Op::*;
    let bits = i128::from(T::BITS);
    let floor = |x: i128, y: i128| x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0);
    match op {
        Neg => -x,
        Abs => x.abs(),
        Sign => x.signum(),
        Square => x.wrapping_mul(x),
        Cube => T::wrap(x.wrapping_mul(x)).wrapping_mul(x),
        Not => !x,
        Pow => power::<T>(x, y),
        Add => x + y,
        Sub => x - y,
        Mul => x.wrapping_mul(y),
        FloorDiv => if y == 0 { 0 } else { floor(x, y) },
        Rem => if y == 0 { 0 } else { x - y * floor(x, y) },
        Max => x.max(y),
        Min => x.min(y),
        And => x & y,
        Or => x | y,
        Xor => x ^ y,
        Shl => if (0..bits).contains(&y) { x << y } else { 0 },
        Shr => if (0..bits).contains(&y) { x >> y } else if x < 0 { -1 } else { 0 },
        Lt => i128::from(x < y),
        Le => i128::from(x <= y),
        Gt => i128::from(x > y),
        Ge => i128::from(x >= y),
        Eq => i128::from(x == y),
        Ne => i128::from(x != y),
        Select => if x != 0 { y } else { z },
        MulAdd => x.wrapping_mul(y).wrapping_add(z),
        SelectLt => if x < y { z } else { w },
        other => unreachable!("{other:?} is not for whole numbers"),
    }
}
