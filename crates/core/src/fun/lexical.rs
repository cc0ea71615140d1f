//! The order of complex numbers: by real parts, and where these are equal by imaginary parts, as NumPy and MLX have it.

use pullback_base::{Dtype, Result};

use super::{
    argmax, argsort, cast, complex, equal, imag, isnan, logical_or, max, min, real, take_along_axis, where_,
};
use crate::array::Array;

/// The largest or smallest element over axes; with a NaN where there is one.
pub(super) fn extreme(largest: bool, x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    let over = if largest { max } else { min };
    let (first, second) = candidates(largest, x, axes)?;
    let (first, second) = (over(&first, axes, keepdims)?, over(&second, axes, keepdims)?);
    complex(&first, &second)
}

/// Real parts, and the imaginary parts of those elements whose real part is the extreme one; of others what cannot win.
fn candidates(largest: bool, x: &Array, axes: Option<&[isize]>) -> Result<(Array, Array)> {
    let (over, least) = if largest { (max as Over, f64::NEG_INFINITY) } else { (min as Over, f64::INFINITY) };
    let (re, im) = (real(x)?, imag(x)?);
    // A NaN in either part is one of the number.
    let re = where_(&isnan(x)?, &re.weak(f64::NAN), &re)?;
    let best = equal(&re, &over(&re, axes, true)?)?;
    let im = where_(&best, &im, &im.weak(least))?;
    Ok((re, im))
}

type Over = fn(&Array, Option<&[isize]>, bool) -> Result<Array>;

/// The position of the first largest or smallest element along an axis, or of the first NaN.
pub(super) fn position(largest: bool, x: &Array, axis: Option<isize>, keepdims: bool) -> Result<Array> {
    let list = axis.map(|axis| [axis]);
    let axes = list.as_ref().map(|list| &list[..]);
    let top = extreme(largest, x, axes, true)?;
    argmax(&cast(&logical_or(&equal(x, &top)?, &isnan(x)?)?, Dtype::U8)?, axis, keepdims)
}

/// Positions that would sort the elements along an axis: by imaginary parts first, and then, without disturbing that
/// order, by real ones. A NaN in either part is last, and those are equal.
pub(super) fn positions(x: &Array, axis: isize) -> Result<Array> {
    let (re, im, nan) = (real(x)?, imag(x)?, isnan(x)?);
    let (re, im) = (where_(&nan, &re.weak(f64::NAN), &re)?, where_(&nan, &im.weak(0.), &im)?);
    let second = argsort(&im, Some(axis))?;
    let first = argsort(&take_along_axis(&re, &second, Some(axis))?, Some(axis))?;
    take_along_axis(&second, &first, Some(axis))
}
