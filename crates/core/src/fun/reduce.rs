//! Reductions.

use pullback_base::{Dtype, Result, Shape};

use super::{cast, reshape};
use crate::array::Array;
use crate::ops::reduce as row;
use crate::params::Params;

/// Sum over axes, which vanish. Booleans are counted as `int32`.
///
/// # Errors
/// None for axes that exist.
pub fn sum(x: &Array, axes: &[usize]) -> Result<Array> {
    let x = if x.dtype() == Dtype::Bool { cast(x, Dtype::I32)? } else { x.clone() };
    if axes.is_empty() {
        return Ok(x);
    }
    Array::apply(&row::SUM, Params::Axes(axes.to_vec()), &[&x])
}

/// Sum of all elements.
///
/// # Errors
/// None.
pub fn sum_all(x: &Array) -> Result<Array> {
    sum(x, &(0..x.ndim()).collect::<Vec<_>>())
}

/// Summed to a shape that broadcasts to the shape of `x`: what undoes a broadcast.
///
/// # Errors
/// None for such a shape.
pub fn sum_to(x: &Array, shape: &Shape) -> Result<Array> {
    let skip = x.ndim() - shape.ndim();
    let repeated = |&axis: &usize| axis < skip || (shape[axis - skip] == 1 && x.shape()[axis] != 1);
    let axes: Vec<usize> = (0..x.ndim()).filter(repeated).collect();
    reshape(&sum(x, &axes)?, shape.clone())
}
