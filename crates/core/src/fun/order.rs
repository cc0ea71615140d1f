//! Sorting and running results, along axes as users name them.

use pullback_base::{Dtype, Error, Result, Shape, shape};

use super::{cast, narrow, reshape};
use crate::array::Array;
use crate::op::OpDef;
use crate::ops::{order as row, scan};
use crate::params::Params;

/// The array and the axis; without an axis, the flattened array and its only one.
fn lined(op: &str, x: &Array, axis: Option<isize>) -> Result<(Array, usize)> {
    match axis {
        Some(axis) => Ok((x.clone(), shape::axis(op, axis, x.ndim())?)),
        None => Ok((reshape(x, Shape::from([x.size()]))?, 0)),
    }
}

/// Elements along an axis in ascending order; of the flattened array without one.
///
/// # Errors
/// `Value` for an axis that does not exist, `Type` for complex numbers.
pub fn sort(x: &Array, axis: Option<isize>) -> Result<Array> {
    let (x, axis) = lined("sort", x, axis)?;
    Array::apply(&row::SORT, Params::Axis(axis), &[&x])
}

/// Positions that would sort the elements along an axis; of the flattened array without one.
///
/// # Errors
/// As `sort`.
pub fn argsort(x: &Array, axis: Option<isize>) -> Result<Array> {
    let (x, axis) = lined("argsort", x, axis)?;
    Array::apply(&row::ARGSORT, Params::Axis(axis), &[&x])
}

/// The `k` largest elements along an axis, in ascending order; of the flattened array without one.
///
/// # Errors
/// As `sort`; `Value` for more elements than there are.
pub fn topk(x: &Array, k: usize, axis: Option<isize>) -> Result<Array> {
    let (x, axis) = lined("topk", x, axis)?;
    let n = x.shape()[axis];
    if k > n {
        return Err(Error::value(format!("[topk] expected k up to {n}, got {k}")));
    }
    narrow(&sort(&x, Some(axis as isize))?, axis, n - k, k)
}

/// Scans keep the type of their elements, but count booleans: sums as `int32`.
fn running(
    op: &'static OpDef,
    x: &Array,
    axis: Option<isize>,
    reverse: bool,
    inclusive: bool,
) -> Result<Array> {
    let (x, axis) = lined(op.name, x, axis)?;
    let wide = if x.dtype() == Dtype::Bool { cast(&x, Dtype::I32)? } else { x.clone() };
    let y = super::scan::cumulate(op, &wide, axis, reverse, inclusive)?;
    if op.name == "cumsum" { Ok(y) } else { cast(&y, x.dtype()) }
}

/// Running sum along an axis; of the flattened array without one.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn cumsum(x: &Array, axis: Option<isize>, reverse: bool, inclusive: bool) -> Result<Array> {
    running(&scan::CUMSUM, x, axis, reverse, inclusive)
}

/// Running product along an axis; of the flattened array without one.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn cumprod(x: &Array, axis: Option<isize>, reverse: bool, inclusive: bool) -> Result<Array> {
    running(&scan::CUMPROD, x, axis, reverse, inclusive)
}

/// Running maximum along an axis; of the flattened array without one.
///
/// # Errors
/// `Value` for an axis that does not exist, `Type` for complex numbers.
pub fn cummax(x: &Array, axis: Option<isize>, reverse: bool, inclusive: bool) -> Result<Array> {
    running(&scan::CUMMAX, x, axis, reverse, inclusive)
}

/// Running minimum along an axis; of the flattened array without one.
///
/// # Errors
/// `Value` for an axis that does not exist, `Type` for complex numbers.
pub fn cummin(x: &Array, axis: Option<isize>, reverse: bool, inclusive: bool) -> Result<Array> {
    running(&scan::CUMMIN, x, axis, reverse, inclusive)
}
