//! Running results, and recurrences made of rows.

use pullback_base::{Result, Shape};

use super::{add, multiply, narrow, place};
use crate::array::Array;
use crate::op::OpDef;
use crate::params::Params;

/// The row `op` along an axis.
///
/// # Errors
/// `Type` for elements that the row does not take.
pub fn cumulate(op: &'static OpDef, x: &Array, axis: usize, reverse: bool, inclusive: bool) -> Result<Array> {
    Array::apply(op, Params::Scan { axis, reverse, inclusive }, &[x])
}

/// Every element replaced by the one before it along an axis, the first by `fill`; with `reverse` by the one
/// after it.
///
/// # Errors
/// None for an axis that exists.
pub fn delay(x: &Array, axis: usize, reverse: bool, fill: f64) -> Result<Array> {
    shift(x, axis, 1, reverse, fill)
}

/// Every element replaced by the one `by` places before it, as `delay` does with one place.
///
/// # Errors
/// None for an axis that exists.
pub(super) fn shift(x: &Array, axis: usize, by: usize, reverse: bool, fill: f64) -> Result<Array> {
    let n = x.shape()[axis];
    let by = by.min(n);
    let rest = narrow(x, axis, if reverse { by } else { 0 }, n - by)?;
    let mut start = vec![0; x.ndim()];
    start[axis] = if reverse { 0 } else { by };
    place(&rest, &x.weak(fill), &start, &vec![1; x.ndim()], &Shape::new(x.shape()))
}

/// `h[i] = a[i] h[i-1] + b[i]` along an axis, from `h[-1] = 0`; with `reverse`, from the end. In as many steps
/// as `n` has binary digits, each of which doubles how far back an element has looked.
///
/// # Errors
/// None for arrays of one shape.
pub fn recurrence(a: &Array, b: &Array, axis: usize, reverse: bool) -> Result<Array> {
    let (mut a, mut h) = (a.clone(), b.clone());
    let n = b.shape()[axis];
    let mut by = 1;
    while by < n {
        h = add(&h, &multiply(&a, &shift(&h, axis, by, reverse, 0.)?)?)?;
        a = multiply(&a, &shift(&a, axis, by, reverse, 0.)?)?;
        by *= 2;
    }
    Ok(h)
}
