//! What is no finite number: told apart, and replaced.

use pullback_base::{Kind, Result};

use super::{complex, equal, full_like_bool, imag, isnan, real, where_};
use crate::array::Array;

/// Whether elements are infinite and positive; integers never are, and of complex numbers only the one on the real axis.
///
/// # Errors
/// None.
pub fn isposinf(x: &Array) -> Result<Array> {
    is(x, f64::INFINITY)
}

/// Whether elements are infinite and negative; integers never are, and of complex numbers only the one on the real axis.
///
/// # Errors
/// None.
pub fn isneginf(x: &Array) -> Result<Array> {
    is(x, f64::NEG_INFINITY)
}

fn is(x: &Array, infinity: f64) -> Result<Array> {
    match x.dtype().kind() {
        Kind::Float | Kind::Complex => equal(x, &x.weak(infinity)),
        _ => Ok(full_like_bool(x, false)),
    }
}

/// NaN replaced by `nan`, and infinities by `high` and `low`; without these, by the largest and the smallest finite
/// number. Complex numbers part by part.
///
/// # Errors
/// None.
pub fn nan_to_num(x: &Array, nan: f64, high: Option<f64>, low: Option<f64>) -> Result<Array> {
    match x.dtype().kind() {
        Kind::Complex => {
            let part = |x: Array| nan_to_num(&x, nan, high, low);
            complex(&part(real(x)?)?, &part(imag(x)?)?)
        }
        Kind::Float => {
            let top = x.dtype().float_range().map_or(f64::MAX, |range| range.max);
            let y = where_(&isnan(x)?, &x.weak(nan), x)?;
            let y = where_(&isposinf(x)?, &x.weak(high.unwrap_or(top)), &y)?;
            where_(&isneginf(x)?, &x.weak(low.unwrap_or(-top)), &y)
        }
        _ => Ok(x.clone()),
    }
}
