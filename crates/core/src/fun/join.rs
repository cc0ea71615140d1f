//! Arrays put together, cut up, and repeated.

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Result, Scalar, Shape, shape};

use super::{broadcast_to, cast, narrow, place, reshape};
use crate::array::Array;
use crate::ops::shape as row;
use crate::params::Params;

/// Arrays one after the other along an axis, in their common type.
///
/// # Errors
/// `Value` for no arrays, an axis that does not exist, or shapes that differ on another.
pub fn concatenate(arrays: &[&Array], axis: isize) -> Result<Array> {
    let Some(first) = arrays.first() else {
        return Err(Error::value("[concatenate] expected at least one array, got none"));
    };
    let axis = shape::axis("concatenate", axis, first.ndim())?;
    let dtype = arrays.iter().map(|x| x.dtype()).reduce(promote).unwrap_or(first.dtype());
    let parts: Vec<Array> = arrays.iter().map(|x| cast(x, dtype)).collect::<Result<_>>()?;
    if let [only] = &parts[..] {
        return Ok(only.clone());
    }
    Array::apply(&row::CONCATENATE, Params::Axis(axis), &parts.iter().collect::<Vec<_>>())
}

/// Arrays of one shape side by side along a new axis.
///
/// # Errors
/// `Value` for no arrays, an axis that the result does not have, or shapes that differ.
pub fn stack(arrays: &[&Array], axis: isize) -> Result<Array> {
    let Some(first) = arrays.first() else {
        return Err(Error::value("[stack] expected at least one array, got none"));
    };
    let axis = shape::axis("stack", axis, first.ndim() + 1)?;
    if let Some(other) = arrays.iter().find(|x| x.shape() != first.shape()) {
        let text = format!("[stack] expected arrays of one shape, got {} and {}", first.aval(), other.aval());
        return Err(Error::value(text));
    }
    let parts: Vec<Array> =
        arrays.iter().map(|x| reshape(x, x.shape().with(axis, 1))).collect::<Result<_>>()?;
    concatenate(&parts.iter().collect::<Vec<_>>(), axis as isize)
}

/// Into how many parts an empty axis may be cut.
const PARTS: usize = 1 << 16;

/// How `split` cuts.
#[derive(Clone, Copy, Debug)]
pub enum Cuts<'a> {
    /// Into so many equal parts.
    Parts(usize),
    /// Before these positions.
    At(&'a [isize]),
}

/// An array cut along an axis.
///
/// # Errors
/// `Value` for an axis that does not exist or is no multiple of the parts.
pub fn split(x: &Array, cuts: Cuts, axis: isize) -> Result<Vec<Array>> {
    let axis = shape::axis("split", axis, x.ndim())?;
    let n = x.shape()[axis];
    let ends: Vec<usize> = match cuts {
        Cuts::Parts(parts) if parts == 0 || !n.is_multiple_of(parts) => {
            let text = format!("[split] expected a divisor of axis {axis} of size {n}, got {parts} parts");
            return Err(Error::value(text));
        }
        // Nothing can be cut into any number of parts; each of them is an array.
        Cuts::Parts(parts) if parts > n.max(PARTS) => {
            return Err(Error::memory(format!(
                "[split] expected at most {PARTS} parts of nothing, got {parts}"
            )));
        }
        Cuts::Parts(parts) => (1..=parts).map(|part| part * (n / parts)).collect(),
        Cuts::At(list) => {
            let place =
                |&at: &isize| (if at < 0 { at + n as isize } else { at }).clamp(0, n as isize) as usize;
            list.iter().map(place).chain([n]).collect()
        }
    };
    let mut from = 0;
    let part = |end: usize| {
        let part = narrow(x, axis, from.min(n), end.saturating_sub(from));
        from = end;
        part
    };
    ends.into_iter().map(part).collect()
}

/// Every element (or slice along an axis) several times in a row; without an axis, of the flattened array.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn repeat(x: &Array, times: usize, axis: Option<isize>) -> Result<Array> {
    let Some(axis) = axis else {
        return repeat(&reshape(x, Shape::from([x.size()]))?, times, Some(0));
    };
    let axis = shape::axis("repeat", axis, x.ndim())?;
    let size = x.shape()[axis].saturating_mul(times);
    let shape = x.shape().without(axis).with(axis, size).checked("repeat")?;
    let apart = reshape(x, x.shape().with(axis + 1, 1))?;
    let wide = broadcast_to(&apart, &x.shape().with(axis + 1, times).checked("repeat")?)?;
    reshape(&wide, shape)
}

/// The whole array several times along each axis; counts are aligned at the last axis.
///
/// # Errors
/// `Memory` for a result that cannot be counted.
pub fn tile(x: &Array, counts: &[usize]) -> Result<Array> {
    let r = x.ndim().max(counts.len());
    let lined = |sizes: &[usize]| [&vec![1; r - sizes.len()][..], sizes].concat();
    let (sizes, counts) = (lined(x.shape()), lined(counts));
    let pairs = || sizes.iter().zip(&counts);
    let shape =
        pairs().map(|(size, &count)| size.saturating_mul(count)).collect::<Shape>().checked("tile")?;
    let apart = reshape(x, sizes.iter().flat_map(|&size| [1, size]).collect())?;
    let wide = pairs().flat_map(|(&size, &count)| [count, size]).collect::<Shape>().checked("tile")?;
    reshape(&broadcast_to(&apart, &wide)?, shape)
}

/// Elements moved along an axis by `by` places; what leaves at the end enters at the start. Without an axis, in
/// the flattened array.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn roll(x: &Array, by: isize, axis: Option<isize>) -> Result<Array> {
    let Some(axis) = axis else {
        return reshape(&roll(&reshape(x, Shape::from([x.size()]))?, by, Some(0))?, x.shape().clone());
    };
    let axis = shape::axis("roll", axis, x.ndim())?;
    let n = x.shape()[axis];
    let by = if n == 0 { 0 } else { by.rem_euclid(n as isize) as usize };
    if by == 0 {
        return Ok(x.clone());
    }
    concatenate(&[&narrow(x, axis, n - by, by)?, &narrow(x, axis, 0, n - by)?], axis as isize)
}

/// How `pad` fills.
#[derive(Clone, Debug)]
pub enum Fill {
    /// With one element, a scalar array.
    Constant(Array),
    /// With the nearest element.
    Edge,
    /// As in mirrors at both ends, which do not repeat the ends.
    Reflect,
    /// As in mirrors beyond both ends, which repeat the ends.
    Symmetric,
}

/// More elements before and after those along each axis.
///
/// # Errors
/// `Value` for widths that are not one pair per axis, a fill that is no scalar, or an edge of nothing.
pub fn pad(x: &Array, widths: &[(usize, usize)], fill: &Fill) -> Result<Array> {
    if widths.len() != x.ndim() {
        let text = format!("[pad] expected widths for {} axes, got {}", x.ndim(), widths.len());
        return Err(Error::value(text));
    }
    let sizes = x.shape().iter().zip(widths);
    let padded = |(size, (before, after)): (&usize, &(usize, usize))| {
        size.saturating_add(*before).saturating_add(*after)
    };
    let shape = sizes.map(padded).collect::<Shape>().checked("pad")?;
    if shape == *x.shape() {
        return Ok(x.clone());
    }
    match fill {
        Fill::Constant(value) if value.ndim() > 0 => {
            Err(Error::value(format!("[pad] expected a scalar to fill with, got {}", value.aval())))
        }
        Fill::Constant(value) => {
            let start: Vec<usize> = widths.iter().map(|pair| pair.0).collect();
            place(x, &cast(value, x.dtype())?, &start, &vec![1; x.ndim()], &shape)
        }
        Fill::Edge => widths.iter().enumerate().try_fold(x.clone(), |x, (axis, &pair)| edge(&x, axis, pair)),
        Fill::Reflect | Fill::Symmetric => {
            let repeats = matches!(fill, Fill::Symmetric);
            let along = |x: Array, (axis, &pair)| mirrored(&x, axis, pair, repeats);
            widths.iter().enumerate().try_fold(x.clone(), along)
        }
    }
}

/// Positions go to and fro between the ends: with the period of both ways, the far half of it counts backwards.
fn mirrored(x: &Array, axis: usize, (before, after): (usize, usize), repeats: bool) -> Result<Array> {
    let n = x.shape()[axis];
    if n == 0 && before + after > 0 {
        return Err(Error::value(format!("[pad] expected elements to mirror, got {}", x.aval())));
    }
    if before + after == 0 {
        return Ok(x.clone());
    }
    let last = if repeats { 2 * n - 1 } else { 2 * (n - 1) };
    let period = if repeats { 2 * n } else { last.max(1) };
    let number = |n: usize| Array::scalar(Scalar::Int(n as i64), Dtype::I32);
    let place = super::subtract(&super::index::iota(before + n + after, Dtype::I32)?, &number(before))?;
    let place = super::remainder(&place, &number(period))?;
    let place = super::minimum(&place, &super::subtract(&number(last), &place)?)?;
    super::take(x, &place, Some(axis as isize))
}

fn edge(x: &Array, axis: usize, (before, after): (usize, usize)) -> Result<Array> {
    let n = x.shape()[axis];
    if n == 0 && before + after > 0 {
        return Err(Error::value(format!("[pad] expected an edge to repeat, got {}", x.aval())));
    }
    let side = |at: usize, count: usize| {
        broadcast_to(&narrow(x, axis, at, 1)?, &x.shape().without(axis).with(axis, count))
    };
    let parts = [side(0, before)?, x.clone(), side(n.saturating_sub(1), after)?];
    let full: Vec<&Array> = parts.iter().filter(|part| part.shape()[axis] > 0).collect();
    if full.is_empty() { Ok(x.clone()) } else { concatenate(&full, axis as isize) }
}

/// A scalar of this type, for `Fill::Constant`.
pub fn fill(value: Scalar, x: &Array) -> Fill {
    Fill::Constant(Array::scalar(value, x.dtype()))
}
