//! What every function means on single elements.

use pullback_base::{Dtype, Kind, Scalar};
use pullback_kernels::{Fold, Map};

fn is_nan(x: Scalar) -> bool {
    matches!(x, Scalar::Float(x) if x.is_nan())
}

/// A whole number, exactly.
fn whole(x: Scalar) -> i128 {
    match x {
        Scalar::Uint(x) => x.into(),
        other => other.int().into(),
    }
}

/// A whole number of a type, wrapped.
fn wrap(x: i128, dtype: Dtype) -> Scalar {
    if dtype == Dtype::Bool {
        return Scalar::Bool(x & 1 != 0);
    }
    let mask = if dtype.size() == 8 { u64::MAX } else { (1 << (8 * dtype.size())) - 1 };
    Scalar::from_bits(x as u64 & mask, dtype)
}

/// As NumPy converts. Floats beyond a 32- or 64-bit type saturate.
pub fn cast(x: Scalar, from: Dtype, to: Dtype) -> Scalar {
    if to == Dtype::Bool {
        return Scalar::Bool(x.truth());
    }
    if to.is_integer() && matches!(x, Scalar::Float(_) | Scalar::Complex(..)) {
        let x = x.real();
        return match to {
            Dtype::I32 => Scalar::Int(i64::from(x as i32)),
            Dtype::I64 => Scalar::Int(x as i64),
            Dtype::U64 => wrap(x as i128, to),
            Dtype::U32 => wrap((x as i64).into(), to),
            _ => wrap((x as i32).into(), to),
        };
    }
    if to.is_integer() {
        return wrap(whole(x), to);
    }
    // Through single where our conversions go through single.
    let half = matches!(to, Dtype::F16 | Dtype::Bf16);
    let x = if half && from != Dtype::C64 { Scalar::Float(f64::from(x.real() as f32)) } else { x };
    Scalar::from_bits(x.bits(to), to)
}

/// What a fold starts from.
pub fn neutral(fold: Fold, dtype: Dtype) -> Scalar {
    let float = dtype.kind() == Kind::Float;
    let bits = 8 * dtype.size() as u32;
    match fold {
        Fold::Sum if float => Scalar::Float(0.),
        Fold::Prod if float => Scalar::Float(1.),
        Fold::Sum => wrap(0, dtype),
        Fold::Prod => wrap(1, dtype),
        Fold::Max if float => Scalar::Float(f64::NEG_INFINITY),
        Fold::Min if float => Scalar::Float(f64::INFINITY),
        Fold::Max | Fold::Min if dtype == Dtype::Bool => Scalar::Bool(fold == Fold::Min),
        Fold::Max if dtype.kind() == Kind::Signed => wrap(-(1i128 << (bits - 1)), dtype),
        Fold::Max => wrap(0, dtype),
        Fold::Min if dtype.kind() == Kind::Signed => wrap((1i128 << (bits - 1)) - 1, dtype),
        Fold::Min => wrap((1i128 << bits) - 1, dtype),
    }
}

/// One step of a fold; floats are not rounded on the way.
pub fn join(fold: Fold, dtype: Dtype, a: Scalar, b: Scalar) -> Scalar {
    if dtype.kind() != Kind::Float {
        let (x, y) = (whole(a), whole(b));
        return match fold {
            Fold::Sum if dtype == Dtype::Bool => wrap(x | y, dtype),
            Fold::Sum => wrap(x + y, dtype),
            Fold::Prod => wrap(x.wrapping_mul(y), dtype),
            Fold::Max => wrap(x.max(y), dtype),
            Fold::Min => wrap(x.min(y), dtype),
        };
    }
    let (x, y) = (a.real(), b.real());
    Scalar::Float(match fold {
        Fold::Sum => x + y,
        Fold::Prod => x * y,
        _ if is_nan(a) => x,
        _ if is_nan(b) => y,
        Fold::Max => x.max(y),
        Fold::Min => x.min(y),
    })
}

/// A function of elements of type `dtype`, whose result has type `to`.
pub fn apply(map: Map, dtype: Dtype, to: Dtype, args: &[Scalar]) -> Scalar {
    if map == Map::Select {
        return if args[0].truth() { args[1] } else { args[2] };
    }
    if dtype.kind() != Kind::Float {
        return wrap(on_whole(map, dtype, args), to);
    }
    let args: Vec<f64> = args.iter().map(|x| x.real()).collect();
    let value = Scalar::Float(on_float(map, args[0], *args.get(1).unwrap_or(&0.)));
    if to == Dtype::Bool { Scalar::Bool(value.real() != 0.) } else { Scalar::from_bits(value.bits(to), to) }
}

#[rustfmt::skip]
fn on_whole(map: Map, dtype: Dtype, args: &[Scalar]) -> i128 {
    let (x, y) = (whole(args[0]), args.get(1).map_or(0, |&y| whole(y)));
    let bits = 8 * dtype.size() as i128;
    let floor = |x: i128, y: i128| x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0);
    let truth = dtype == Dtype::Bool;
    match map {
        Map::Not if truth => 1 - x,
        Map::Add if truth => x | y,
        Map::Neg => -x,
        Map::Abs => x.abs(),
        Map::Sign => x.signum(),
        Map::Square => x.wrapping_mul(x),
        Map::Not => !x,
        Map::Add => x + y,
        Map::Sub => x - y,
        Map::Mul => x.wrapping_mul(y),
        Map::FloorDiv => if y == 0 { 0 } else { floor(x, y) },
        Map::Rem => if y == 0 { 0 } else { x - y * floor(x, y) },
        Map::Pow if y < 0 => if x.abs() == 1 { if y % 2 == 0 { 1 } else { x } } else { 0 },
        Map::Pow => (0..y).fold(1i128, |p, _| whole(wrap(p * x, dtype))),
        Map::Max => x.max(y),
        Map::Min => x.min(y),
        Map::And => x & y,
        Map::Or => x | y,
        Map::Xor => x ^ y,
        Map::Shl => if (0..bits).contains(&y) { x << y } else { 0 },
        Map::Shr => if (0..bits).contains(&y) { x >> y } else if x < 0 { -1 } else { 0 },
        Map::Lt => i128::from(x < y),
        Map::Le => i128::from(x <= y),
        Map::Gt => i128::from(x > y),
        Map::Ge => i128::from(x >= y),
        Map::Eq => i128::from(x == y),
        Map::Ne => i128::from(x != y),
        other => unreachable!("{other:?} of whole numbers"),
    }
}

#[rustfmt::skip]
fn on_float(map: Map, x: f64, y: f64) -> f64 {
    let truth = |b: bool| f64::from(u8::from(b));
    match map {
        Map::Neg => -x,
        Map::Abs => x.abs(),
        Map::Sign => if x > 0. { 1. } else if x < 0. { -1. } else { x },
        Map::Square => x * x,
        Map::Floor => x.floor(),
        Map::Ceil => x.ceil(),
        Map::Trunc => x.trunc(),
        Map::Round => x.round_ties_even(),
        Map::Recip => 1. / x,
        Map::Sqrt => x.sqrt(),
        Map::Exp => x.exp(),
        Map::Log => x.ln(),
        Map::Sin => x.sin(),
        Map::Cos => x.cos(),
        Map::Tanh => x.tanh(),
        Map::Sigmoid => 1. / (1. + (-x).exp()),
        Map::IsNan => truth(x.is_nan()),
        Map::Add => x + y,
        Map::Sub => x - y,
        Map::Mul => x * y,
        Map::Div => x / y,
        Map::Max => if x.is_nan() { x } else if y.is_nan() { y } else { x.max(y) },
        Map::Min => if x.is_nan() { x } else if y.is_nan() { y } else { x.min(y) },
        Map::Lt => truth(x < y),
        Map::Le => truth(x <= y),
        Map::Gt => truth(x > y),
        Map::Ge => truth(x >= y),
        Map::Eq => truth(x == y),
        Map::Ne => truth(x != y),
        other => unreachable!("{other:?}: the kernels' own tests check it"),
    }
}

/// Whether a result is what it should be, up to rounding where the largest result is `scale`.
pub fn close(got: Scalar, want: Scalar, dtype: Dtype, scale: f64) -> bool {
    let near = |got: f64, want: f64| {
        let tolerance = scale
            * match dtype {
                Dtype::F16 => 4e-3,
                Dtype::Bf16 => 3e-2,
                _ => 1e-4,
            };
        got == want || (got - want).abs() <= tolerance || (got.is_nan() && want.is_nan())
    };
    if dtype.is_inexact() {
        near(got.real(), want.real()) && near(got.imag(), want.imag())
    } else {
        got == want
    }
}
