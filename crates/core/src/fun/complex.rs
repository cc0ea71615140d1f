//! Complex numbers by their parts.
//!
//! Arithmetic makes the parts wherever the real part is finite, so derivatives are those of the arithmetic. Beside an
//! infinite one it would make NaN: there the parts are read from the bits, as constants.

use pullback_base::{Dtype, Result, Scalar};

use super::{add, bitcast, bitwise_xor, cast, isfinite, multiply, right_shift, subtract, where_};
use crate::array::Array;

fn word(value: u64) -> Array {
    Array::scalar(Scalar::Uint(value), Dtype::U64)
}

/// The complex conjugate; of real numbers, these.
///
/// # Errors
/// None.
pub fn conjugate(x: &Array) -> Result<Array> {
    if x.dtype() != Dtype::C64 {
        return Ok(x.clone());
    }
    let part = real(x)?;
    let whole = cast(&part, Dtype::C64)?;
    let made = add(&whole, &subtract(&whole, x)?)?;
    // The imaginary part is in the upper half of the word.
    let read = bitcast(&bitwise_xor(&bitcast(x, Dtype::U64)?, &word(1 << 63))?, Dtype::C64)?;
    where_(&isfinite(&part)?, &made, &read)
}

/// The real part, in `float32`; of real numbers, these.
///
/// # Errors
/// None.
pub fn real(x: &Array) -> Result<Array> {
    if x.dtype() == Dtype::C64 { cast(x, Dtype::F32) } else { Ok(x.clone()) }
}

/// The imaginary part, in `float32`; of real numbers, zeros of their type.
///
/// # Errors
/// None.
pub fn imag(x: &Array) -> Result<Array> {
    if x.dtype() != Dtype::C64 {
        return Ok(x.zeros_like());
    }
    let turned = multiply(x, &Array::scalar(Scalar::Complex(0., -1.), Dtype::C64))?;
    let upper = right_shift(&bitcast(x, Dtype::U64)?, &word(32))?;
    let read = bitcast(&cast(&upper, Dtype::U32)?, Dtype::F32)?;
    where_(&isfinite(&real(x)?)?, &real(&turned)?, &read)
}
