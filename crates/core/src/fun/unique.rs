//! Distinct elements, into a result whose size is given.

use pullback_base::{Aval, Dtype, Error, Result, Scalar, Shape};

use super::index::{int, iota, scatter};
use super::{
    argsort, broadcast_to, cast, concatenate, cumsum, full_like_bool, less, minimum, narrow, not_equal,
    reshape, subtract, sum_all, where_, written, zeros,
};
use crate::array::Array;
use crate::ops::scatter as rows;

/// Distinct elements and what is known of them.
#[derive(Clone, Debug)]
pub struct Unique {
    /// In the order of `sort`.
    pub values: Array,
    /// Where each occurs first in the flattened array.
    pub index: Array,
    /// For each element of the array, which of the values it is.
    pub inverse: Array,
    /// How often each occurs.
    pub counts: Array,
}

/// Elements in order, where they were, and which of them differ from the one before.
struct Ordered {
    elements: Array,
    order: Array,
    new: Array,
}

impl Ordered {
    fn of(x: &Array) -> Result<Ordered> {
        let n = x.size();
        let x = reshape(x, Shape::from([n]))?;
        let order = cast(&argsort(&x, None)?, Dtype::I32)?;
        let elements = super::index::take(&x, &order)?;
        let first = full_like_bool(&narrow(&elements, 0, 0, n.min(1))?, true);
        let after = n.saturating_sub(1);
        let rest = not_equal(&narrow(&elements, 0, n - after, after)?, &narrow(&elements, 0, 0, after)?)?;
        Ok(Ordered { elements, order, new: concatenate(&[&first, &rest], 0)? })
    }
}

/// How many distinct elements there are, in `int32`. NaN is different from everything, NaN included.
///
/// # Errors
/// None.
pub fn count_distinct(x: &Array) -> Result<Array> {
    if x.size() == 0 {
        return Ok(int(0));
    }
    sum_all(&cast(&Ordered::of(x)?.new, Dtype::I32)?)
}

/// The smallest `size` distinct elements. Where there are fewer, what follows them is `fill`, or the smallest of them,
/// and occurs nowhere; where there are more, elements that are left out count as the last one in `inverse`.
///
/// # Errors
/// `Memory` for a size that cannot be counted.
pub fn unique(x: &Array, size: usize, fill: Option<&Array>) -> Result<Unique> {
    let sizes = Shape::from([size]).checked("unique")?;
    let fill = fill.map(|fill| broadcast_to(&written("unique", x, fill)?, &sizes)).transpose()?;
    if x.size() == 0 {
        let nothing = |dtype| zeros(&sizes, dtype);
        return Ok(Unique {
            values: fill.map_or_else(|| nothing(x.dtype()), Ok)?,
            index: nothing(Dtype::I32)?,
            inverse: zeros(x.shape(), Dtype::I32)?,
            counts: nothing(Dtype::I32)?,
        });
    }
    let Ordered { elements, order, new } = Ordered::of(x)?;
    let rank = subtract(&cumsum(&cast(&new, Dtype::I32)?, Some(0), false, true)?, &int(1))?;
    // What is not the first of its kind is put nowhere.
    let at = where_(&new, &rank, &int(size))?;
    let first = |x: &Array| broadcast_to(&narrow(x, 0, 0, 1)?, &sizes);
    let put = |to: Array, x: &Array| scatter(&rows::SCATTER_SET, &to, &at, x);
    let last = minimum(&rank, &int(size.saturating_sub(1)))?;
    let inverse = scatter(&rows::SCATTER_SET, &last.zeros_like(), &order, &last)?;
    let ones = Array::full(Scalar::Int(1), rank.aval());
    Ok(Unique {
        values: put(fill.map_or_else(|| first(&elements), Ok)?, &elements)?,
        index: put(first(&order)?, &order)?,
        inverse: reshape(&inverse, x.shape().clone())?,
        counts: scatter(&rows::SCATTER_ADD, &zeros(&sizes, Dtype::I32)?, &rank, &ones)?,
    })
}

/// The positions in the flattened array of the first `size` elements that are not zero, in `int32`; what follows them is
/// the number of elements.
///
/// # Errors
/// `Memory` for a size that cannot be counted.
pub fn flat_nonzero(x: &Array, size: usize) -> Result<Array> {
    let n = x.size();
    let to =
        Array::full(Scalar::Int(n as i64), &Aval::new(Shape::from([size]).checked("nonzero")?, Dtype::I32));
    let there = cast(&reshape(x, Shape::from([n]))?, Dtype::Bool)?;
    let rank = subtract(&cumsum(&cast(&there, Dtype::I32)?, Some(0), false, true)?, &int(1))?;
    let at = where_(&there, &rank, &int(size))?;
    scatter(&rows::SCATTER_SET, &to, &at, &iota(n, Dtype::I32)?)
}

/// Sums of `weights`, or numbers of elements, by what `x` says: `size` of them. What is negative or too large is left out.
///
/// # Errors
/// `Type` for what is no integer, `Value` for weights of another shape.
pub fn bincount(x: &Array, weights: Option<&Array>, size: usize) -> Result<Array> {
    let at = super::take::positions("bincount", x)?;
    if let Some(wrong) = weights.filter(|weights| weights.shape() != x.shape()) {
        let text = format!("[bincount] expected weights of shape {}, got {}", x.shape(), wrong.aval());
        return Err(Error::value(text));
    }
    let flat = |x: &Array| reshape(x, Shape::from([x.size()]));
    let at = flat(&where_(&less(&at, &int(0))?, &int(size), &at)?)?;
    let updates = match weights {
        Some(weights) if weights.dtype() != Dtype::Bool => flat(weights)?,
        Some(weights) => cast(&flat(weights)?, Dtype::I32)?,
        None => Array::full(Scalar::Int(1), at.aval()),
    };
    let sizes = Shape::from([size]).checked("bincount")?;
    scatter(&rows::SCATTER_ADD, &zeros(&sizes, updates.dtype())?, &at, &updates)
}
