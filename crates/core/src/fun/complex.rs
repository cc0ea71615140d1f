//! Complex numbers by their parts.

use pullback_base::{Dtype, Result};

use super::{
    add, binary, cast, divide, equal, greater, isfinite, isinf, logical_and, logical_or, maximum, multiply,
    square, unary, where_,
};
use crate::array::Array;
use crate::custom::fence::stop_gradient;
use crate::ops::arith::{ABS, SIGN};
use crate::ops::complex::{JOIN, SWAP};

/// Real and imaginary parts exchanged.
///
/// # Errors
/// None.
pub fn swap_parts(x: &Array) -> Result<Array> {
    unary(&SWAP, x)
}

/// Complex numbers of real and imaginary parts, in `complex64`.
///
/// # Errors
/// `Value` for shapes that do not broadcast.
pub fn complex(real: &Array, imag: &Array) -> Result<Array> {
    binary(&JOIN, &cast(real, Dtype::C64)?, &cast(imag, Dtype::C64)?)
}

/// The complex conjugate; of real numbers, these.
///
/// # Errors
/// None.
pub fn conjugate(x: &Array) -> Result<Array> {
    if x.dtype() != Dtype::C64 {
        return Ok(x.clone());
    }
    binary(&JOIN, x, &-&swap_parts(x)?)
}

/// The sign of numbers: -1, 0 or 1; of complex ones, `x / |x|`, and 0 of 0.
///
/// # Errors
/// None.
pub fn sign(x: &Array) -> Result<Array> {
    if x.dtype() != Dtype::C64 {
        return unary(&SIGN, x);
    }
    let size = abs(x)?;
    let size = where_(&equal(&size, &size.weak(0.))?, &size.weak(1.), &size)?;
    divide(x, &size)
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
    let root = super::norm::root(&squares)?;
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
    real(&swap_parts(x)?)
}
