//! Functions of elements that networks are made of.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use pullback_base::promote::inexact;
use pullback_base::{Error, Result};

use super::{cast, erf, less_equal, maximum, minimum, multiply, sigmoid, tanh, where_};
use crate::array::Array;

/// Elements no less than `low` and no more than `high`, where given.
///
/// # Errors
/// `Value` if neither is given, or shapes do not broadcast.
pub fn clip(x: &Array, low: Option<&Array>, high: Option<&Array>) -> Result<Array> {
    if low.is_none() && high.is_none() {
        return Err(Error::value("[clip] expected a lower or an upper bound, got neither"));
    }
    let raised = low.map_or_else(|| Ok(x.clone()), |low| maximum(x, low))?;
    high.map_or_else(|| Ok(raised.clone()), |high| minimum(&raised, high))
}

/// `x` where it is positive, else 0. Its derivative at 0 is 0.
///
/// # Errors
/// `Type` for complex numbers.
pub fn relu(x: &Array) -> Result<Array> {
    where_(&less_equal(x, &x.weak(0.))?, &x.weak(0.), x)
}

/// `x (1 + erf(x / sqrt 2)) / 2`
///
/// # Errors
/// `Type` for complex numbers.
pub fn gelu(x: &Array) -> Result<Array> {
    let x = cast(x, inexact(x.dtype()))?;
    let part = multiply(&(1. + erf(&(FRAC_1_SQRT_2 * &x))?), &x.weak(0.5))?;
    multiply(&x, &part)
}

/// `gelu` by a hyperbolic tangent: `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x ** 3))) / 2`.
///
/// # Errors
/// `Type` for complex numbers.
pub fn gelu_approx(x: &Array) -> Result<Array> {
    let x = cast(x, inexact(x.dtype()))?;
    let inner = (2. / PI).sqrt() * (&x + 0.044715 * (&x * &x * &x));
    multiply(&(0.5 * &x), &(1. + tanh(&inner)?))
}

/// `x sigmoid(x)`
///
/// # Errors
/// `Type` for complex numbers.
pub fn silu(x: &Array) -> Result<Array> {
    multiply(x, &sigmoid(x)?)
}

/// Degrees to radians.
///
/// # Errors
/// None for numbers.
pub fn radians(x: &Array) -> Result<Array> {
    let x = cast(x, inexact(x.dtype()))?;
    multiply(&x, &x.weak(PI / 180.))
}

/// Radians to degrees.
///
/// # Errors
/// None for numbers.
pub fn degrees(x: &Array) -> Result<Array> {
    let x = cast(x, inexact(x.dtype()))?;
    multiply(&x, &x.weak(180. / PI))
}
