//! The common type of two element types, as MLX 0.32 has it.

use crate::{Dtype, Kind, Scalar};

/// The type of the result of an operation on `a` and `b`.
///
/// Within a family the wider one wins; a signed integer of twice the width holds an unsigned one; with a
/// float the integer's width does not matter; `float16` and `bfloat16` meet in `float32`.
pub fn promote(a: Dtype, b: Dtype) -> Dtype {
    let (low, high) = if a.kind() <= b.kind() { (a, b) } else { (b, a) };
    match (low.kind(), high.kind()) {
        (Kind::Bool, _) => high,
        (Kind::Unsigned, Kind::Signed) if high.size() > low.size() => high,
        (Kind::Unsigned, Kind::Signed) => match low {
            Dtype::U8 => Dtype::I16,
            Dtype::U16 => Dtype::I32,
            Dtype::U32 => Dtype::I64,
            // No integer holds both: MLX answers float32.
            _ => Dtype::F32,
        },
        (Kind::Float, Kind::Float) if low != high && low.size() == 2 && high.size() == 2 => Dtype::F32,
        (x, y) if x == y => a.max(b),
        _ => high,
    }
}

/// The type in which a bare number meets an array: it takes the array's type unless it is of a higher family.
pub fn promote_weak(array: Dtype, scalar: Scalar) -> Dtype {
    match (scalar.kind(), array.kind()) {
        (Kind::Bool, _) => array,
        (Kind::Signed | Kind::Unsigned, Kind::Bool) => Dtype::I32,
        (Kind::Signed | Kind::Unsigned, _) => array,
        (Kind::Float, Kind::Float | Kind::Complex) => array,
        (Kind::Float, _) => Dtype::F32,
        (Kind::Complex, _) => Dtype::C64,
    }
}

/// The type that a bare number has on its own.
pub fn scalar_dtype(scalar: Scalar) -> Dtype {
    match scalar {
        Scalar::Bool(_) => Dtype::Bool,
        Scalar::Int(x) if i32::try_from(x).is_ok() => Dtype::I32,
        Scalar::Int(_) => Dtype::I64,
        Scalar::Uint(_) => Dtype::U64,
        Scalar::Float(_) => Dtype::F32,
        Scalar::Complex(..) => Dtype::C64,
    }
}

/// The inexact type in which a function such as `exp` computes on `dtype`.
pub fn inexact(dtype: Dtype) -> Dtype {
    if dtype.is_inexact() { dtype } else { Dtype::F32 }
}
