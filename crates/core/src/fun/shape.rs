//! Elements moved.

use pullback_base::{Result, Shape};

use crate::array::Array;
use crate::ops::shape as row;
use crate::params::Params;

/// The same elements in another shape; the array itself if it has that shape.
///
/// # Errors
/// `Value` if the number of elements differs.
pub fn reshape(x: &Array, shape: Shape) -> Result<Array> {
    if *x.shape() == shape {
        return Ok(x.clone());
    }
    Array::apply(&row::RESHAPE, Params::Shape(shape), &[x])
}

/// Axis `i` of the result is axis `axes[i]` of `x`.
///
/// # Errors
/// None for a permutation of the axes.
pub fn transpose(x: &Array, axes: &[usize]) -> Result<Array> {
    if axes.iter().enumerate().all(|(at, &axis)| at == axis) {
        return Ok(x.clone());
    }
    Array::apply(&row::TRANSPOSE, Params::Axes(axes.to_vec()), &[x])
}

/// The last two axes exchanged.
///
/// # Errors
/// None for an array with two axes.
pub fn swap_last(x: &Array) -> Result<Array> {
    let mut axes: Vec<usize> = (0..x.ndim()).collect();
    axes.swap(x.ndim() - 2, x.ndim() - 1);
    transpose(x, &axes)
}

/// Axis `from` moved to place `to`.
///
/// # Errors
/// None for axes that exist.
pub fn move_axis(x: &Array, from: usize, to: usize) -> Result<Array> {
    let mut axes: Vec<usize> = (0..x.ndim()).filter(|&axis| axis != from).collect();
    axes.insert(to, from);
    transpose(x, &axes)
}

/// Axes of size 1 repeated, and new ones put in front, to make `shape`.
///
/// # Errors
/// `Value` if the shape of `x` does not broadcast to it.
pub fn broadcast_to(x: &Array, shape: &Shape) -> Result<Array> {
    if x.shape() == shape {
        return Ok(x.clone());
    }
    Array::apply(&row::BROADCAST, Params::Shape(shape.clone().checked("broadcast_to")?), &[x])
}

/// `shape[axis]` elements of each axis from `start[axis]`, `step[axis]` apart.
///
/// # Errors
/// None for elements that exist.
pub fn slice(x: &Array, start: &[usize], step: &[isize], shape: &Shape) -> Result<Array> {
    if x.shape() == shape && step.iter().all(|&step| step == 1) {
        return Ok(x.clone());
    }
    let params = Params::Slice { start: start.to_vec(), step: step.to_vec(), shape: shape.clone() };
    Array::apply(&row::SLICE, params, &[x])
}

/// `size` elements of one axis from `start` on.
///
/// # Errors
/// None for elements that exist.
pub fn narrow(x: &Array, axis: usize, start: usize, size: usize) -> Result<Array> {
    let mut from = vec![0; x.ndim()];
    from[axis] = start;
    slice(x, &from, &vec![1; x.ndim()], &x.shape().without(axis).with(axis, size))
}

/// An array of `shape` filled with the scalar `fill`, and with the elements of `x` from `start`, `step` apart.
///
/// # Errors
/// None where the elements find their place.
pub fn place(x: &Array, fill: &Array, start: &[usize], step: &[isize], shape: &Shape) -> Result<Array> {
    let params = Params::Place { start: start.to_vec(), step: step.to_vec(), shape: shape.clone() };
    Array::apply(&row::PLACE, params, &[x, fill])
}

/// Sizes before, at and after an axis.
pub fn around(shape: &Shape, axis: usize) -> Shape {
    let product = |sizes: &[usize]| sizes.iter().product::<usize>();
    Shape::from([product(&shape[..axis]), shape[axis], product(&shape[axis + 1..])])
}
