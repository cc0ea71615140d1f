//! Parts of an array whose place is known only when it is computed.

use pullback_base::{Dtype, Error, Result, Shape, shape};

use super::index::{int, iota, iota_along, scatter};
use super::take::positions;
use super::{add, broadcast_to, maximum, minimum, multiply, narrow, reshape, take, written};
use crate::array::{Array, mismatch};
use crate::ops::scatter as row;

/// Where a part of `size` starts along each of `axes`: moved, if need be, to where it lies within `x`.
fn starts(op: &str, x: &Array, start: &Array, axes: &[isize], size: &[usize]) -> Result<Vec<(usize, Array)>> {
    if start.ndim() > 1 || start.size() != axes.len() {
        let text = format!("[{op}] expected one start for each of {} axes, got {}", axes.len(), start.aval());
        return Err(Error::value(text));
    }
    if size.len() != x.ndim() || size.iter().zip(x.shape().iter()).any(|(part, whole)| part > whole) {
        let part = Shape::from(size.to_vec());
        return Err(Error::value(format!("[{op}] expected a part of {}, got one of shape {part}", x.aval())));
    }
    shape::axes(op, Some(axes), x.ndim())?;
    let at = reshape(&positions(op, start)?, Shape::from([axes.len()]))?;
    let first = |(i, &axis): (usize, &isize)| {
        let axis = shape::axis(op, axis, x.ndim())?;
        let here = maximum(&reshape(&narrow(&at, 0, i, 1)?, Shape::from([]))?, &int(0))?;
        Ok((axis, minimum(&here, &int(x.shape()[axis] - size[axis]))?))
    };
    axes.iter().enumerate().map(first).collect()
}

/// A part of `x` of this size, from a start along each of `axes`, and from 0 along the others. A part that would not
/// lie within `x` is moved.
///
/// # Errors
/// `Value` for axes that do not exist, other than one start for each, or a part larger than `x`; `Type` for starts
/// that are no integers.
pub fn slice_at(x: &Array, start: &Array, axes: &[isize], size: &[usize]) -> Result<Array> {
    let starts = starts("slice", x, start, axes, size)?;
    let fixed = (0..x.ndim()).filter(|axis| starts.iter().all(|(moving, _)| moving != axis));
    let y = fixed.into_iter().try_fold(x.clone(), |y, axis| narrow(&y, axis, 0, size[axis]))?;
    starts.into_iter().try_fold(y, |y, (axis, first)| {
        take(&y, &add(&iota(size[axis], Dtype::I32)?, &first)?, Some(axis as isize))
    })
}

/// `x` with a part replaced, from a start along each of `axes`. A part that would not lie within `x` is moved.
///
/// # Errors
/// As `slice_at`; `Type` where the type of `x` cannot hold the kind of the part.
pub fn slice_update(x: &Array, part: &Array, start: &Array, axes: &[isize]) -> Result<Array> {
    if part.ndim() != x.ndim() {
        return Err(mismatch("slice_update", "a part with the axes of the array", &[x.aval(), part.aval()]));
    }
    let starts = starts("slice_update", x, start, axes, part.shape())?;
    let mut at = int(0);
    for (axis, &stride) in x.shape().strides().iter().enumerate() {
        let mut here = iota_along(part.shape(), axis)?;
        if let Some((_, first)) = starts.iter().find(|(moving, _)| *moving == axis) {
            here = add(&here, first)?;
        }
        at = add(&at, &multiply(&here, &int(stride as usize))?)?;
    }
    if x.size() > i32::MAX as usize {
        let text = format!("[slice_update] expected fewer than 2 ** 31 elements, got shape {}", x.shape());
        return Err(Error::memory(text));
    }
    let (at, part) = (broadcast_to(&at, part.shape())?, written("slice_update", x, part)?);
    let flat = |x: &Array| reshape(x, Shape::from([x.size()]));
    reshape(&scatter(&row::SCATTER_SET, &flat(x)?, &flat(&at)?, &flat(&part)?)?, x.shape().clone())
}
