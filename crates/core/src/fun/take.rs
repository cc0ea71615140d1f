//! Elements picked and written by position along an axis.

use pullback_base::{Dtype, Error, Kind, Result, Scalar, Shape, shape};

use super::{broadcast_to, cast, index, maximum, minimum, reshape};
use crate::array::{Array, mismatch};
use crate::ops::scatter as row;

/// Positions in the type that the rows take.
///
/// # Errors
/// `Type` for what is no integer.
pub(super) fn positions(op: &str, at: &Array) -> Result<Array> {
    if !at.dtype().is_integer() {
        let text = format!("[{op}] expected integer positions, got {}", at.aval());
        return Err(Error::type_(text));
    }
    // What 32 bits do not hold is out of range all the same.
    let (low, high) = (Scalar::Int(i32::MIN.into()), Scalar::Int(i32::MAX.into()));
    let bound = |scalar| Array::scalar(scalar, at.dtype());
    match at.dtype() {
        Dtype::I64 => cast(&minimum(&maximum(at, &bound(low))?, &bound(high))?, Dtype::I32),
        Dtype::U32 | Dtype::U64 => cast(&minimum(at, &bound(high))?, Dtype::I32),
        _ => cast(at, Dtype::I32),
    }
}

/// Slices of `x` by position along an axis; elements of the flattened array without one. Negative positions count
/// from the end; what is still out of range takes the nearest. The axes of `at` replace the axis.
///
/// # Errors
/// `Value` for an axis that does not exist, `Type` for positions that are no integers.
pub fn take(x: &Array, at: &Array, axis: Option<isize>) -> Result<Array> {
    let at = positions("take", at)?;
    let Some(axis) = axis else {
        return index::take(&reshape(x, Shape::from([x.size()]))?, &at);
    };
    let axis = shape::axis("take", axis, x.ndim())?;
    if axis == 0 {
        return index::take(x, &at);
    }
    let (lead, n, rest) = (&x.shape()[..axis], x.shape()[axis], &x.shape()[axis + 1..]);
    let outer: usize = lead.iter().product();
    if n == 0 && at.size() > 0 && outer > 0 {
        return Err(Error::index(format!("[take] expected an axis with elements, got {}", x.aval())));
    }
    let table = reshape(x, Shape::from([&[outer * n], rest].concat()))?;
    let wide = broadcast_to(&index::within(&at, n)?, &at.shape().with(0, outer))?;
    let rows = index::take(&table, &index::offset(&wide, outer, n)?)?;
    reshape(&rows, Shape::from([lead, at.shape(), rest].concat()))
}

/// The shape that array and positions have together: broadcast, but along the axis.
fn together(op: &str, x: &Array, at: &Array, axis: usize) -> Result<Shape> {
    if x.ndim() != at.ndim() {
        return Err(mismatch(op, "positions with as many axes as the array", &[x.aval(), at.aval()]));
    }
    let rest = shape::broadcast(op, &[&x.shape().without(axis), &at.shape().without(axis)])?;
    Ok(rest.with(axis, at.shape()[axis]))
}

/// The element at each position along an axis; other axes broadcast. Without an axis, of the flattened array.
///
/// # Errors
/// `Value` for an axis that does not exist or shapes that do not fit, `Type` for positions that are no integers.
pub fn take_along_axis(x: &Array, at: &Array, axis: Option<isize>) -> Result<Array> {
    let at = positions("take_along_axis", at)?;
    let Some(axis) = axis else {
        return index::take(&reshape(x, Shape::from([x.size()]))?, &reshape(&at, Shape::from([at.size()]))?);
    };
    let axis = shape::axis("take_along_axis", axis, x.ndim())?;
    let to = together("take_along_axis", x, &at, axis)?;
    let at = broadcast_to(&index::within(&at, x.shape()[axis])?, &to)?;
    broadcast_to(&index::gather_along(x, &at, axis)?, &to)
}

/// `x` with the element at each position along an axis replaced; positions and updates broadcast. Of equal
/// positions the last wins. Without an axis, in the flattened array.
///
/// # Errors
/// As `take_along_axis`.
pub fn put_along_axis(x: &Array, at: &Array, updates: &Array, axis: Option<isize>) -> Result<Array> {
    write_along("put_along_axis", &row::SCATTER_SET, x, at, &written("put_along_axis", x, updates)?, axis)
}

/// `x` with updates added to the element at each position along an axis; as `put_along_axis`.
///
/// # Errors
/// As `take_along_axis`.
pub fn scatter_add_axis(x: &Array, at: &Array, updates: &Array, axis: Option<isize>) -> Result<Array> {
    write_along(
        "scatter_add_axis",
        &row::SCATTER_ADD,
        x,
        at,
        &combined("scatter_add_axis", x, updates)?,
        axis,
    )
}

/// `updates` are of the type of `x`.
fn write_along(
    op: &str,
    row: &'static crate::op::OpDef,
    x: &Array,
    at: &Array,
    updates: &Array,
    axis: Option<isize>,
) -> Result<Array> {
    let at = positions(op, at)?;
    let Some(axis) = axis else {
        let flat = |x: &Array| reshape(x, Shape::from([x.size()]));
        let updates = broadcast_to(updates, at.shape())?;
        let y = write_along(op, row, &flat(x)?, &flat(&at)?, &flat(&updates)?, Some(0))?;
        return reshape(&y, x.shape().clone());
    };
    let axis = shape::axis(op, axis, x.ndim())?;
    let to = together(op, x, &at, axis)?;
    if to.without(axis) != x.shape().without(axis) {
        return Err(mismatch(op, "positions that broadcast to the array", &[x.aval(), at.aval()]));
    }
    let at = broadcast_to(&index::within(&at, x.shape()[axis])?, &to)?;
    let updates = broadcast_to(updates, &to)?;
    let linear = index::linear(x.shape(), &at, axis)?;
    let flat = reshape(x, Shape::from([x.size()]))?;
    reshape(&index::scatter(row, &flat, &linear, &updates)?, x.shape().clone())
}

/// What is written into an array, in the array's type: as with NumPy, floats are truncated to integers, and nothing
/// loses its imaginary part.
///
/// # Errors
/// `Type` if the array's type cannot hold the kind of the updates.
pub fn written(op: &str, x: &Array, updates: &Array) -> Result<Array> {
    into(op, x, updates, updates.dtype() == Dtype::C64 && !matches!(x.dtype(), Dtype::C64 | Dtype::Bool))
}

/// What is combined with elements of an array, in the array's type: a fraction of a float would be lost in integers.
///
/// # Errors
/// As `written`.
pub fn combined(op: &str, x: &Array, updates: &Array) -> Result<Array> {
    into(op, x, updates, x.dtype().kind().max(Kind::Signed) < updates.dtype().kind())
}

fn into(op: &str, x: &Array, updates: &Array, lossy: bool) -> Result<Array> {
    if lossy {
        let text = format!("[{op}] expected updates that {} can hold, got {}", x.dtype(), updates.dtype());
        return Err(Error::type_(text));
    }
    cast(updates, x.dtype())
}
