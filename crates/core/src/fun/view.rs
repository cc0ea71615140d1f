//! Elements seen otherwise: axes named as users name them, negative ones from the end.

use pullback_base::{Error, Result, Shape, shape};

use super::{broadcast_to, narrow, reshape, slice, swap_last, transpose};
use crate::array::Array;
use crate::ops::shape as row;
use crate::params::Params;

/// The same elements in another shape, of which one size may be -1: what is left.
///
/// # Errors
/// `Value` if the number of elements differs or cannot be known.
pub fn reshape_to(x: &Array, sizes: &[isize]) -> Result<Array> {
    let text = |sizes: &[isize]| {
        let list: Vec<String> = sizes.iter().map(isize::to_string).collect();
        format!("({})", list.join(", "))
    };
    let wrong = || {
        let n = x.size();
        Error::value(format!(
            "[reshape] expected a shape of {n} elements, got {} for {}",
            text(sizes),
            x.aval()
        ))
    };
    if sizes.iter().filter(|&&size| size == -1).count() > 1 {
        return Err(Error::value(format!("[reshape] expected at most one size of -1, got {}", text(sizes))));
    }
    if sizes.iter().any(|&size| size < -1) {
        return Err(Error::value(format!("[reshape] expected sizes from 0, or -1, got {}", text(sizes))));
    }
    let known =
        sizes.iter().filter(|&&size| size >= 0).try_fold(1usize, |acc, &size| acc.checked_mul(size as usize));
    let known = known.ok_or_else(wrong)?;
    let free = match sizes.contains(&-1) {
        true if known == 0 || !x.size().is_multiple_of(known) => return Err(wrong()),
        true => x.size() / known,
        false => 0,
    };
    reshape(x, sizes.iter().map(|&size| if size < 0 { free } else { size as usize }).collect())
}

/// Axes in another order; reversed if no order is given.
///
/// # Errors
/// `Value` if it is no order of all axes.
pub fn permute(x: &Array, axes: Option<&[isize]>) -> Result<Array> {
    let Some(list) = axes else {
        return transpose(x, &(0..x.ndim()).rev().collect::<Vec<_>>());
    };
    if list.len() != x.ndim() {
        let text = format!("[transpose] expected {} axes, got {} for {}", x.ndim(), list.len(), x.aval());
        return Err(Error::value(text));
    }
    shape::axes("transpose", Some(list), x.ndim())?;
    transpose(
        x,
        &list.iter().map(|&axis| shape::axis("transpose", axis, x.ndim())).collect::<Result<Vec<_>>>()?,
    )
}

/// Two axes exchanged.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn swapaxes(x: &Array, first: isize, second: isize) -> Result<Array> {
    let at = |axis| shape::axis("swapaxes", axis, x.ndim());
    let mut axes: Vec<usize> = (0..x.ndim()).collect();
    axes.swap(at(first)?, at(second)?);
    transpose(x, &axes)
}

/// An axis moved to another place.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn moveaxis(x: &Array, from: isize, to: isize) -> Result<Array> {
    let at = |axis| shape::axis("moveaxis", axis, x.ndim());
    super::move_axis(x, at(from)?, at(to)?)
}

/// Axes of size 1 taken out: those named, or all of them.
///
/// # Errors
/// `Value` for axes that do not exist or have another size.
pub fn squeeze(x: &Array, axes: Option<&[isize]>) -> Result<Array> {
    let gone = match axes {
        None => (0..x.ndim()).filter(|&axis| x.shape()[axis] == 1).collect(),
        Some(list) => shape::axes("squeeze", Some(list), x.ndim())?,
    };
    if let Some(axis) = gone.iter().find(|&&axis| x.shape()[axis] != 1) {
        let text = format!("[squeeze] expected axes of size 1, got axis {axis} of {}", x.aval());
        return Err(Error::value(text));
    }
    reshape(x, (0..x.ndim()).filter(|axis| !gone.contains(axis)).map(|axis| x.shape()[axis]).collect())
}

/// New axes of size 1, at these places of the result.
///
/// # Errors
/// `Value` for places that the result does not have.
pub fn expand_dims(x: &Array, axes: &[isize]) -> Result<Array> {
    let new = shape::axes("expand_dims", Some(axes), x.ndim() + axes.len())?;
    let mut sizes = x.shape().clone();
    new.into_iter().for_each(|axis| sizes = sizes.with(axis, 1));
    reshape(x, sizes)
}

/// Axes from `start` to `end`, both included, as one.
///
/// # Errors
/// `Value` for axes that do not exist or lie the other way round.
pub fn flatten(x: &Array, start: isize, end: isize) -> Result<Array> {
    if x.ndim() == 0 {
        return reshape(x, Shape::from([1]));
    }
    let (first, last) = (shape::axis("flatten", start, x.ndim())?, shape::axis("flatten", end, x.ndim())?);
    if first > last {
        let text = format!("[flatten] expected the first axis not behind the last, got {start} and {end}");
        return Err(Error::value(text));
    }
    let sizes = x.shape();
    let merged: usize = sizes[first..=last].iter().product();
    reshape(x, Shape::from([&sizes[..first], &[merged], &sizes[last + 1..]].concat()))
}

/// An axis cut into several; one size may be -1.
///
/// # Errors
/// `Value` for an axis that does not exist, or sizes that do not make it up.
pub fn unflatten(x: &Array, axis: isize, sizes: &[isize]) -> Result<Array> {
    let axis = shape::axis("unflatten", axis, x.ndim())?;
    let plain = |sizes: &[usize]| sizes.iter().map(|&size| size as isize).collect::<Vec<_>>();
    let n = x.shape()[axis];
    // Sizes that cannot be counted stay too large for any array.
    let known = sizes.iter().filter(|&&size| size >= 0).fold(1_isize, |all, &size| all.saturating_mul(size));
    let filled: Vec<isize> = match known {
        0 => sizes.to_vec(),
        _ => sizes.iter().map(|&size| if size == -1 { n as isize / known } else { size }).collect(),
    };
    reshape_to(x, &[&plain(&x.shape()[..axis])[..], &filled, &plain(&x.shape()[axis + 1..])].concat())
}

/// The order of elements reversed along axes; along all without a choice.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn flip(x: &Array, axes: Option<&[isize]>) -> Result<Array> {
    let turned = shape::axes("flip", axes, x.ndim())?;
    let turn = |axis: &usize| turned.contains(axis) && x.shape()[*axis] > 0;
    let start: Vec<usize> =
        (0..x.ndim()).map(|axis| if turn(&axis) { x.shape()[axis] - 1 } else { 0 }).collect();
    let step: Vec<isize> = (0..x.ndim()).map(|axis| if turn(&axis) { -1 } else { 1 }).collect();
    slice(x, &start, &step, x.shape())
}

/// All arrays in the shape that they broadcast to.
///
/// # Errors
/// `Value` if there is none.
pub fn broadcast_arrays(arrays: &[&Array]) -> Result<Vec<Array>> {
    let shapes: Vec<&[usize]> = arrays.iter().map(|x| &x.shape()[..]).collect();
    let to = shape::broadcast("broadcast_arrays", &shapes)?;
    arrays.iter().map(|x| broadcast_to(x, &to)).collect()
}

/// The `offset`-th diagonal of two axes, as the last axis of the result.
///
/// # Errors
/// `Value` for axes that do not exist or are the same.
pub fn diagonal(x: &Array, offset: isize, axis1: isize, axis2: isize) -> Result<Array> {
    let at = |axis| shape::axis("diagonal", axis, x.ndim());
    let (first, second) = (at(axis1)?, at(axis2)?);
    if first == second {
        return Err(Error::value(format!("[diagonal] expected two different axes, got axis {axis1} twice")));
    }
    let order: Vec<usize> =
        (0..x.ndim()).filter(|&axis| axis != first && axis != second).chain([first, second]).collect();
    let moved = transpose(x, &order)?;
    let r = x.ndim();
    let (n, m) = (moved.shape()[r - 2], moved.shape()[r - 1]);
    let (row, column) = if offset < 0 { (offset.unsigned_abs(), 0) } else { (0, offset as usize) };
    let count = n.saturating_sub(row).min(m.saturating_sub(column));
    let flat = reshape(&moved, Shape::from([&moved.shape()[..r - 2], &[n * m]].concat()))?;
    let (mut start, mut step) = (vec![0; r - 1], vec![1; r - 1]);
    if count > 0 {
        start[r - 2] = row * m + column;
    }
    step[r - 2] = m as isize + 1;
    slice(&flat, &start, &step, &Shape::from([&moved.shape()[..r - 2], &[count]].concat()))
}

/// The sum of a diagonal; as `sum_over`, of narrow integers in 32 bits.
///
/// # Errors
/// As `diagonal`.
pub fn trace(x: &Array, offset: isize, axis1: isize, axis2: isize) -> Result<Array> {
    let diagonal = diagonal(x, offset, axis1, axis2)?;
    super::sum_over(&diagonal, Some(&[-1]), false)
}

/// Matrices transposed: the last two axes exchanged.
///
/// # Errors
/// `Value` for an array with fewer than two axes.
pub fn matrix_transpose(x: &Array) -> Result<Array> {
    if x.ndim() < 2 {
        let text = format!("[matrix_transpose] expected an array with two axes or more, got {}", x.aval());
        return Err(Error::value(text));
    }
    swap_last(x)
}

/// The slices along an axis, each without it: what `stack` puts together.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn unstack(x: &Array, axis: isize) -> Result<Vec<Array>> {
    let axis = shape::axis("unstack", axis, x.ndim())?;
    (0..x.shape()[axis]).map(|at| reshape(&narrow(x, axis, at, 1)?, x.shape().without(axis))).collect()
}

/// The array with as many axes, by new ones of size 1: in front, but the third comes last.
///
/// # Errors
/// None.
pub fn atleast(x: &Array, axes: usize) -> Result<Array> {
    let mut sizes = x.shape().to_vec();
    while sizes.len() < axes {
        let place = if sizes.len() == 2 { 2 } else { 0 };
        sizes.insert(place, 1);
    }
    reshape(x, Shape::from(sizes))
}

/// How `meshgrid` numbers axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// The first two arrays are columns and rows.
    Cartesian,
    /// Each array has the axis of its number.
    Matrix,
}

/// Coordinates of all points of a grid, from those along each axis; one size per axis, where the arrays shall
/// broadcast (`sparse`).
///
/// # Errors
/// `Value` for an array with more than one axis.
pub fn meshgrid(arrays: &[&Array], sparse: bool, indexing: Indexing) -> Result<Vec<Array>> {
    let count = arrays.len();
    let lined = |(i, x): (usize, &&Array)| {
        if x.ndim() > 1 {
            return Err(Error::value(format!("[meshgrid] expected arrays with one axis, got {}", x.aval())));
        }
        let axis = if indexing == Indexing::Cartesian && count > 1 && i < 2 { 1 - i } else { i };
        reshape(x, (0..count).map(|at| if at == axis { x.size() } else { 1 }).collect())
    };
    let lined = arrays.iter().enumerate().map(lined).collect::<Result<Vec<_>>>()?;
    if sparse || lined.is_empty() { Ok(lined) } else { broadcast_arrays(&lined.iter().collect::<Vec<_>>()) }
}

/// Elements of the flattened array from `offset` on, seen with any strides, in elements; without strides, one after the
/// other. An element may be seen more than once.
///
/// # Errors
/// `Value` for strides that are not one for each size, or lead outside of the array.
pub fn as_strided(x: &Array, shape: &Shape, strides: Option<&[isize]>, offset: usize) -> Result<Array> {
    let shape = shape.clone().checked("as_strided")?;
    let strides = strides.map_or_else(|| shape.strides().to_vec(), <[isize]>::to_vec);
    if strides.len() != shape.ndim() {
        let (got, want) = (strides.len(), shape.ndim());
        return Err(Error::value(format!("[as_strided] expected {want} strides for {shape}, got {got}")));
    }
    Array::apply(&row::AS_STRIDED, Params::Strided { shape, strides, offset }, &[x])
}
