//! Sorting and running results, along axes as users name them.

use pullback_base::promote::{inexact, promote};
use pullback_base::{Dtype, Error, Result, Shape, shape};

use super::index::{int, within};
use super::{
    add, broadcast_to, cast, isnan, less, less_equal, lexical, logaddexp, logical_and, logical_not,
    logical_or, narrow, reshape, take_along_axis, where_,
};
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

/// Elements along an axis in ascending order, complex numbers by the real part and then by the other one; of the
/// flattened array without an axis.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn sort(x: &Array, axis: Option<isize>) -> Result<Array> {
    let (x, axis) = lined("sort", x, axis)?;
    if x.dtype() == Dtype::C64 {
        let axis = axis as isize;
        return take_along_axis(&x, &lexical::positions(&x, axis)?, Some(axis));
    }
    Array::apply(&row::SORT, Params::Axis(axis), &[&x])
}

/// Positions that would sort the elements along an axis; of the flattened array without one.
///
/// # Errors
/// As `sort`.
pub fn argsort(x: &Array, axis: Option<isize>) -> Result<Array> {
    let (x, axis) = lined("argsort", x, axis)?;
    if x.dtype() == Dtype::C64 {
        return lexical::positions(&x, axis as isize);
    }
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

/// The elements along an axis with the one that belongs at `kth` at its place, none larger before it and none smaller
/// behind it; of the flattened array without an axis. `kth` may count from the end.
///
/// # Errors
/// As `sort`; `Value` for a place that does not exist.
pub fn partition(x: &Array, kth: isize, axis: Option<isize>) -> Result<Array> {
    let (x, axis) = parted("partition", x, kth, axis)?;
    sort(&x, Some(axis as isize))
}

/// Positions that would order the elements as `partition` does.
///
/// # Errors
/// As `partition`.
pub fn argpartition(x: &Array, kth: isize, axis: Option<isize>) -> Result<Array> {
    let (x, axis) = parted("argpartition", x, kth, axis)?;
    argsort(&x, Some(axis as isize))
}

/// A full order is one of those that `partition` may return, and a place within it is only checked.
fn parted(op: &str, x: &Array, kth: isize, axis: Option<isize>) -> Result<(Array, usize)> {
    let (x, axis) = lined(op, x, axis)?;
    let n = x.shape()[axis] as isize;
    if kth < -n || kth >= n {
        let text = format!("[{op}] expected a place on axis {axis} of {}, got {kth}", x.aval());
        return Err(Error::value(text));
    }
    Ok((x, axis))
}

/// Where a value is put among equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before them.
    Left,
    /// Behind them.
    Right,
}

/// Where values would have to be inserted into an ascending sequence to keep it so, in `int32`. NaN is the largest.
///
/// # Errors
/// `Value` for a sequence that has not one axis.
pub fn searchsorted(sequence: &Array, values: &Array, side: Side) -> Result<Array> {
    if sequence.ndim() != 1 {
        let text = format!("[searchsorted] expected a sequence with one axis, got {}", sequence.aval());
        return Err(Error::value(text));
    }
    let dtype = promote(sequence.dtype(), values.dtype());
    let n = sequence.size();
    let (sequence, values) = (cast(sequence, dtype)?, cast(values, dtype)?);
    let mut at = broadcast_to(&int(0), values.shape())?;
    if n == 0 {
        return Ok(at);
    }
    // From the largest power of two down: `at` elements are known to lie before the value.
    for step in (0..=n.ilog2()).rev().map(|bit| 1usize << bit) {
        let next = add(&at, &int(step))?;
        let element = super::index::take(&sequence, &within(&add(&at, &int(step - 1))?, n)?)?;
        let before = match side {
            Side::Left => precedes(&element, &values)?,
            Side::Right => logical_not(&precedes(&values, &element)?)?,
        };
        at = where_(&logical_and(&less_equal(&next, &int(n))?, &before)?, &next, &at)?;
    }
    Ok(at)
}

/// `x < y` in the order of `sort`, in which NaN comes last. Complex numbers may compare though one of their parts is NaN.
fn precedes(x: &Array, y: &Array) -> Result<Array> {
    logical_and(&logical_not(&isnan(x)?)?, &logical_or(&less(x, y)?, &isnan(y)?)?)
}

/// Running `log(sum(exp(x)))` along an axis, without overflow; of the flattened array without one. The imaginary part of
/// complex results is one of those that a logarithm has, which are apart by 2 pi.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn logcumsumexp(x: &Array, axis: Option<isize>, reverse: bool, inclusive: bool) -> Result<Array> {
    let (x, axis) = lined("logcumsumexp", x, axis)?;
    let mut y = cast(&x, inexact(x.dtype()))?;
    let nothing = f64::NEG_INFINITY;
    let (n, mut by) = (y.shape()[axis], 1);
    // Each step doubles how far back an element has looked.
    while by < n {
        y = logaddexp(&y, &super::scan::shift(&y, axis, by, reverse, nothing)?)?;
        by *= 2;
    }
    if inclusive { Ok(y) } else { super::scan::delay(&y, axis, reverse, nothing) }
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
    // Before the first of booleans stands what is least or greatest of them, as of bytes without a sign.
    let counted = if op.name == "cumsum" { Dtype::I32 } else { Dtype::U8 };
    let wide = if x.dtype() == Dtype::Bool { cast(&x, counted)? } else { x.clone() };
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

/// Running maximum along an axis; of the flattened array without one. Complex numbers are ordered as by `sort`.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn cummax(x: &Array, axis: Option<isize>, reverse: bool, inclusive: bool) -> Result<Array> {
    running(&scan::CUMMAX, x, axis, reverse, inclusive)
}

/// Running minimum along an axis; of the flattened array without one. Complex numbers are ordered as by `sort`.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn cummin(x: &Array, axis: Option<isize>, reverse: bool, inclusive: bool) -> Result<Array> {
    running(&scan::CUMMIN, x, axis, reverse, inclusive)
}
