//! Complex numbers by their parts.
//!
//! Arithmetic makes the parts wherever the real part is finite, so derivatives are those of the arithmetic. Beside an
//! infinite one it would make NaN: there the parts are read from the bits, as constants.

use pullback_base::{Dtype, Result, Scalar};

use super::{
    add, bitcast, bitwise_xor, cast, divide, equal, greater, isfinite, isinf, logical_and, logical_or,
    maximum, multiply, right_shift, sqrt, square, subtract, unary, where_,
};
use crate::array::Array;
use crate::custom::fence::stop_gradient;
use crate::ops::arith::ABS;

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

/// `|x|`; of complex numbers in `float32`, with slope 0 at 0. Parts are divided by the larger one, so their squares
/// neither overflow nor vanish.
///
/// # Errors
/// None.
pub fn abs(x: &Array) -> Result<Array> {
    if x.dtype() != Dtype::C64 {
        return unary(&ABS, x);
    }
    let (re, im) = (unary(&ABS, &real(x)?)?, unary(&ABS, &imag(x)?)?);
    let scale = stop_gradient(&maximum(&re, &im)?)?;
    let usual = logical_and(&isfinite(&scale)?, &greater(&scale, &scale.weak(0.))?)?;
    let scale = where_(&usual, &scale, &scale.weak(1.))?;
    let squares = add(&square(&divide(&re, &scale)?)?, &square(&divide(&im, &scale)?)?)?;
    // The root has an infinite slope at 0, and 0 times that is NaN.
    let zero = equal(&squares, &squares.weak(0.))?;
    let root = where_(&zero, &squares.weak(0.), &sqrt(&where_(&zero, &squares.weak(1.), &squares)?)?)?;
    // Infinite beside NaN, too.
    let infinite = logical_or(&isinf(&re)?, &isinf(&im)?)?;
    where_(&infinite, &re.weak(f64::INFINITY), &multiply(&root, &scale)?)
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
