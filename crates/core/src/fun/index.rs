//! Positions: made valid, moved, and used.

use pullback_base::{Aval, Dtype, Error, Layout, Result, Scalar, Shape};

use super::{add, broadcast_to, less, less_equal, logical_and, multiply, negative, reshape, where_};
use crate::array::Array;
use crate::op::OpDef;
use crate::ops::{index as row, make, scatter as rows};
use crate::params::Params;

/// A position.
pub fn int(value: usize) -> Array {
    Array::scalar(Scalar::Int(value as i64), Dtype::I32)
}

/// 0, 1, 2, …
///
/// # Errors
/// None.
pub fn iota(n: usize, dtype: Dtype) -> Result<Array> {
    Array::apply(&make::IOTA, Params::Count(n, dtype), &[])
}

/// The position of every element of `shape` along `axis`, in a shape that broadcasts to it.
///
/// # Errors
/// None for an axis that exists.
pub fn iota_along(shape: &Shape, axis: usize) -> Result<Array> {
    let ones: Shape = (0..shape.ndim()).map(|at| if at == axis { shape[axis] } else { 1 }).collect();
    reshape(&iota(shape[axis], Dtype::I32)?, ones)
}

/// Valid positions along `axis`, as positions in all elements of `shape` in order. Where `shape` has 1 the positions
/// may have more.
///
/// # Errors
/// `Memory` if there are more elements than `int32` can count.
pub fn linear(shape: &Shape, index: &Array, axis: usize) -> Result<Array> {
    if shape.size() > i32::MAX as usize {
        return Err(Error::memory(format!("[take] expected fewer than 2 ** 31 elements, got shape {shape}")));
    }
    let mut strides: Vec<usize> = shape.strides().iter().map(|&stride| stride as usize).collect();
    let mut at = multiply(index, &int(strides[axis]))?;
    strides[axis] = 0;
    for (other, stride) in strides.into_iter().enumerate() {
        if stride > 0 && shape[other] > 1 {
            at = add(&at, &multiply(&iota_along(shape, other)?, &int(stride))?)?;
        }
    }
    Ok(at)
}

/// The positions of a layout in its block.
///
/// # Errors
/// `Memory` if `int32` cannot count as far.
pub fn positions(layout: &Layout) -> Result<Array> {
    let mut at = int(layout.offset);
    let reach =
        |(&size, &stride): (&usize, &isize)| size.saturating_sub(1).saturating_mul(stride.unsigned_abs());
    let far = layout.shape.iter().zip(&layout.strides).map(reach).fold(layout.offset, usize::saturating_add);
    if far > i32::MAX as usize {
        return Err(Error::memory(format!("[take] expected positions below 2 ** 31, got {far}")));
    }
    for (axis, &stride) in layout.strides.iter().enumerate() {
        let stride = Array::scalar(Scalar::Int(stride as i64), Dtype::I32);
        at = add(&at, &multiply(&iota_along(&layout.shape, axis)?, &stride)?)?;
    }
    broadcast_to(&at, &layout.shape)
}

/// Elements of `x` at valid positions along an axis: `index` has as many axes as `x`, equal but for `axis`.
///
/// # Errors
/// As `linear`.
pub fn gather_along(x: &Array, index: &Array, axis: usize) -> Result<Array> {
    let at = linear(x.shape(), index, axis)?;
    take(&reshape(x, Shape::from([x.size()]))?, &at)
}

/// Zeros of `shape` with elements added at valid positions along an axis: what transposes `gather_along`.
///
/// # Errors
/// As `linear`.
pub fn collect_along(shape: &Shape, index: &Array, updates: &Array, axis: usize) -> Result<Array> {
    let zeros = Array::full(Scalar::Float(0.), &Aval::new([shape.size()], updates.dtype()));
    let at = linear(shape, index, axis)?;
    reshape(&scatter(&rows::SCATTER_ADD, &zeros, &at, updates)?, shape.clone())
}

/// Rows of `x` by position.
///
/// # Errors
/// `Value` for a scalar, or positions that are not `int32`; `Memory` for more rows than these count.
pub fn take(x: &Array, index: &Array) -> Result<Array> {
    if let Some(&rows) = x.shape().first()
        && rows > i32::MAX as usize
    {
        let fix = "use slices, or integers one by one";
        return Err(Error::memory(format!("[take] expected fewer than 2 ** 31 rows, got {rows}: {fix}")));
    }
    Array::apply(&row::TAKE, Params::None, &[x, index])
}

/// Rows of `x` written by position, the way `op` (a scatter) combines.
///
/// # Errors
/// `Value` where updates do not fit.
pub fn scatter(op: &'static OpDef, x: &Array, index: &Array, updates: &Array) -> Result<Array> {
    Array::apply(op, Params::None, &[x, index, updates])
}

/// Positions as `take` reads them: negative ones count from the end of `n`, then the nearest that exists.
///
/// # Errors
/// None.
pub fn within(index: &Array, n: usize) -> Result<Array> {
    let wrapped = wrap(index, n)?;
    let low = where_(&less(&wrapped, &int(0))?, &int(0), &wrapped)?;
    let last = int(n.saturating_sub(1));
    where_(&less(&last, &low)?, &last, &low)
}

fn wrap(index: &Array, n: usize) -> Result<Array> {
    where_(&less(index, &int(0))?, &add(index, &int(n))?, index)
}

/// Whether there are such positions in `n`, negative ones counted from the end.
///
/// # Errors
/// None.
pub fn exists(index: &Array, n: usize) -> Result<Array> {
    let low = less_equal(&negative(&int(n))?, index)?;
    logical_and(&low, &less(index, &int(n))?)
}

/// Valid positions `[size, ..]` in tables of `n` rows, as positions in all tables as one.
///
/// # Errors
/// None.
pub fn offset(index: &Array, size: usize, n: usize) -> Result<Array> {
    let shape: Shape = (0..index.ndim()).map(|axis| if axis == 0 { size } else { 1 }).collect();
    let starts = iota(size, Dtype::I32)? * int(n);
    add(index, &reshape(&starts, shape)?)
}

/// As `offset`, for any positions: what is out of range in its own table is out of range in all.
///
/// # Errors
/// None.
pub fn offset_or_drop(index: &Array, size: usize, n: usize) -> Result<Array> {
    let wrapped = wrap(index, n)?;
    let moved = offset(&wrapped, size, n)?;
    let nowhere = int(size * n);
    let moved = where_(&less(&wrapped, &int(0))?, &nowhere, &moved)?;
    where_(&less(&wrapped, &int(n))?, &moved, &nowhere)
}

/// Rows of `x` by position, and zeros where a scatter would have left the position out.
///
/// # Errors
/// None for `int32` positions.
pub fn take_valid(x: &Array, index: &Array) -> Result<Array> {
    let n = x.shape()[0];
    if n == 0 {
        let shape = [&index.shape()[..], &x.shape()[1..]].concat();
        return Ok(Array::full(Scalar::Float(0.), &x.aval().reshaped(shape)));
    }
    let wrapped = wrap(index, n)?;
    let rows = take(x, index)?;
    let ones: Shape = (0..rows.ndim()).map(|axis| index.shape().get(axis).copied().unwrap_or(1)).collect();
    let mask = |valid: Array| broadcast_to(&reshape(&valid, ones.clone())?, rows.shape());
    let zeros = Array::full(Scalar::Float(0.), &Aval::new([], rows.dtype()));
    let rows = where_(&mask(less(&wrapped, &int(0))?)?, &zeros, &rows)?;
    where_(&mask(less(&wrapped, &int(n))?)?, &rows, &zeros)
}
