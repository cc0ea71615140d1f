//! What stands between brackets: `x[1, ::-2, ..., None, rows]`, read and written.
//!
//! Integers and slices are views. Integer arrays follow NumPy: they broadcast together, and their axes stand where
//! they stood if they were neighbours, else in front. They become one gather or scatter over positions in the
//! leading axes as one, so nothing is transposed.

use pullback_base::{Dtype, Error, Result, Scalar, Shape, shape};

use super::take::{combined, positions, written};
use super::{
    add, broadcast_to, concatenate, index, logical_and, multiply, narrow, place, reshape, slice, where_,
};
use crate::array::Array;
use crate::op::OpDef;
use crate::ops::scatter as row;

/// One thing between the brackets.
#[derive(Clone, Debug)]
pub enum Index {
    /// An integer: the axis vanishes.
    At(isize),
    /// `start:stop:step`
    Slice {
        /// Where it starts.
        start: Option<isize>,
        /// Before what it stops.
        stop: Option<isize>,
        /// By how much it goes; not 0.
        step: isize,
    },
    /// `...`: as many whole axes as there are left.
    Ellipsis,
    /// `None`: a new axis of size 1.
    NewAxis,
    /// Positions; booleans are a mask over as many axes as they have.
    Array(Array),
}

/// How an update meets what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum How {
    Set,
    Add,
    Multiply,
    Maximum,
    Minimum,
}

/// What is read of one axis of the array.
#[derive(Clone, Debug)]
enum Part {
    At(usize),
    Range { start: usize, step: isize, count: usize },
    Array(Array),
}

/// What a list of indices means for an array of a shape.
struct Plan {
    /// For every axis of the array.
    parts: Vec<Part>,
    /// Axes of the result that are new, by their place among those that are not; see `with_new`.
    new: Vec<usize>,
}

impl Plan {
    fn of(shape: &Shape, list: &[Index]) -> Result<Plan> {
        let taken = list.iter().filter(|i| !matches!(i, Index::Ellipsis | Index::NewAxis)).count();
        if taken > shape.ndim() {
            let text =
                format!("[index] expected at most {} indices for shape {shape}, got {taken}", shape.ndim());
            return Err(Error::index(text));
        }
        if list.iter().filter(|i| matches!(i, Index::Ellipsis)).count() > 1 {
            return Err(Error::index("[index] expected at most one ellipsis, got several"));
        }
        let mut plan = Plan { parts: Vec::new(), new: Vec::new() };
        for item in list {
            let axis = plan.parts.len();
            let size = shape.get(axis).copied().unwrap_or(0);
            match item {
                Index::Ellipsis => plan.whole(shape, shape.ndim() - taken),
                Index::NewAxis => plan.new.push(axis),
                Index::At(at) => plan.parts.push(Part::At(one(*at, axis, size)?)),
                Index::Slice { start, stop, step } => plan.parts.push(range(*start, *stop, *step, size)?),
                Index::Array(at) if at.dtype() == Dtype::Bool => {
                    return Err(Error::value(
                        "[index] expected integer positions, got a mask, whose number of elements is known only once it is \
                         evaluated; use where, or positions",
                    ));
                }
                Index::Array(at) => {
                    if size == 0 && at.size() > 0 {
                        return Err(Error::index(format!(
                            "[index] expected an axis with elements, got shape {shape}"
                        )));
                    }
                    plan.parts.push(Part::Array(positions("index", at)?));
                }
            }
        }
        let left = shape.ndim() - plan.parts.len();
        plan.whole(shape, left);
        Ok(plan)
    }

    fn whole(&mut self, shape: &Shape, axes: usize) {
        for _ in 0..axes {
            let count = shape[self.parts.len()];
            self.parts.push(Part::Range { start: 0, step: 1, count });
        }
    }

    fn has_arrays(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Array(_)))
    }

    /// The shape that positions broadcast to.
    fn spot(&self) -> Result<Shape> {
        let arrays = self.parts.iter().filter_map(|part| match part {
            Part::Array(at) => Some(&at.shape()[..]),
            _ => None,
        });
        shape::broadcast("index", &arrays.collect::<Vec<_>>())
    }

    /// The first axis that is read by position, if no range and no new axis stands between it and the others that
    /// are. Integers are positions where arrays are.
    fn neighbours(&self) -> Option<usize> {
        let fixed = |axis: &usize| !matches!(self.parts[*axis], Part::Range { .. });
        let first = (0..self.parts.len()).find(fixed)?;
        let last = (0..self.parts.len()).rfind(fixed)?;
        let parted = self.new.iter().any(|&new| new > first && new <= last);
        ((first..=last).all(|axis| fixed(&axis)) && !parted).then_some(first)
    }

    /// The axis of the array before whose remaining ones the axes of the positions come: that of the first position
    /// if all are neighbours, else the first.
    fn front(&self) -> usize {
        self.neighbours().unwrap_or(0)
    }

    /// Sizes of the result without its new axes, and before which of them the array's axis `axis` comes, for all.
    fn result(&self) -> Result<(Shape, Vec<usize>)> {
        let (spot, front) = (if self.has_arrays() { self.spot()? } else { Shape::default() }, self.front());
        let (mut sizes, mut places) = (Vec::new(), Vec::new());
        for (axis, part) in self.parts.iter().enumerate() {
            if axis == front {
                sizes.extend_from_slice(&spot);
            }
            places.push(sizes.len());
            if let Part::Range { count, .. } = part {
                sizes.push(*count);
            }
        }
        if self.parts.len() == front {
            sizes.extend_from_slice(&spot);
        }
        places.push(sizes.len());
        Ok((Shape::from(sizes), places))
    }

    /// The shape of the result.
    fn with_new(&self) -> Result<Shape> {
        let (mut sizes, places) = self.result()?;
        let spot = if self.has_arrays() { self.spot()?.ndim() } else { 0 };
        for &axis in self.new.iter().rev() {
            // What is new right before positions comes before all of their axes.
            let before = if self.neighbours() == Some(axis) { spot } else { 0 };
            sizes = sizes.with(places[axis] - before, 1);
        }
        Ok(sizes)
    }
}

/// The position that `at` names.
fn one(at: isize, axis: usize, size: usize) -> Result<usize> {
    let place = if at < 0 { at + size as isize } else { at };
    if place >= 0 && (place as usize) < size {
        return Ok(place as usize);
    }
    Err(Error::index(format!("[index] expected a position in axis {axis} of size {size}, got {at}")))
}

/// A slice by Python's rule.
fn range(start: Option<isize>, stop: Option<isize>, step: isize, size: usize) -> Result<Part> {
    if step == 0 {
        return Err(Error::value("[index] expected a slice whose step is not 0, got 0"));
    }
    let n = size as isize;
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let place = |at: isize| (if at < 0 { at.saturating_add(n) } else { at }).clamp(low, high);
    let from = start.map_or(if step > 0 { low } else { high }, place);
    let to = stop.map_or(if step > 0 { high } else { low }, place);
    let count = if step > 0 {
        (to - from).max(0).unsigned_abs().div_ceil(step.unsigned_abs())
    } else {
        (from - to).max(0).unsigned_abs().div_ceil(step.unsigned_abs())
    };
    Ok(Part::Range {
        start: if count == 0 { 0 } else { from as usize },
        step: if count < 2 { 1 } else { step },
        count,
    })
}

/// `x[list]`
///
/// # Errors
/// `Index` for positions that do not exist or too many of them, `Value` for a mask or positions that do not
/// broadcast, `Type` for positions that are no integers. Arrays are not looked into: of their positions negative
/// ones count from the end, and what is out of range takes the nearest.
pub fn get(x: &Array, list: &[Index]) -> Result<Array> {
    let plan = Plan::of(x.shape(), list)?;
    // Integers and slices are a view of the array; where positions are arrays, integers keep an axis of size 1.
    let (mut start, mut step, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for (part, &size) in plan.parts.iter().zip(&x.shape()[..]) {
        let (from, by, count) = match part {
            Part::At(at) => (*at, 1, 1),
            Part::Range { start, step, count } => (*start, *step, *count),
            Part::Array(_) => (0, 1, size),
        };
        start.push(from);
        step.push(by);
        sizes.push(count);
    }
    let view = slice(x, &start, &step, &Shape::from(sizes))?;
    if !plan.has_arrays() {
        return reshape(&view, plan.with_new()?);
    }
    let parts = plan.parts.iter().zip(&view.shape()[..]).map(|(part, &count)| match part {
        Part::At(_) => Part::At(0),
        Part::Range { .. } => Part::Range { start: 0, step: 1, count },
        Part::Array(at) => Part::Array(at.clone()),
    });
    let inner = Plan { parts: parts.collect(), new: plan.new.clone() };
    let (table, at) = inner.addresses(&view, false)?;
    reshape(&index::take(&table, &at)?, plan.with_new()?)
}

impl Plan {
    /// The array as rows, and positions of the rows that the result is made of. Rows are what lies behind the last
    /// axis that is not read whole and in order. With `drop`, what is out of range gets a position that no row has.
    fn addresses(&self, x: &Array, drop: bool) -> Result<(Array, Array)> {
        let whole = |(axis, part): (usize, &Part)| matches!(part, Part::Range { start: 0, step: 1, count } if *count == x.shape()[axis]);
        let last = (0..self.parts.len())
            .rev()
            .find(|&axis| !whole((axis, &self.parts[axis])))
            .map_or(0, |axis| axis + 1);
        let rows: usize = x.shape()[..last].iter().product();
        let table = reshape(x, Shape::from([&[rows], &x.shape()[last..]].concat()))?;
        let (sizes, places) = self.result()?;
        let lead = places[last];
        let strides = Shape::from(x.shape()[..last].to_vec()).strides();
        let (mut at, mut valid) = (index::int(0), None::<Array>);
        for (axis, part) in self.parts[..last].iter().enumerate() {
            let n = x.shape()[axis];
            let along = match part {
                Part::At(place) => index::int(*place),
                Part::Range { start, step, count } => {
                    let ones: Shape = (0..lead).map(|i| if i == places[axis] { *count } else { 1 }).collect();
                    let step = Array::scalar(Scalar::Int(*step as i64), Dtype::I32);
                    let run = reshape(&index::iota(*count, Dtype::I32)?, ones)?;
                    add(&multiply(&run, &step)?, &index::int(*start))?
                }
                Part::Array(positions) => {
                    let lined = self.lined(positions, &places, lead)?;
                    if drop {
                        let exists = index::exists(&lined, n)?;
                        valid = Some(valid.map_or_else(|| Ok(exists.clone()), |v| logical_and(&v, &exists))?);
                    }
                    // A single axis in front needs no care: the row itself reads positions that way.
                    if last == 1 { lined } else { index::within(&lined, n)? }
                }
            };
            let along = if strides[axis] == 1 {
                along
            } else {
                multiply(&along, &index::int(strides[axis] as usize))?
            };
            at = if axis == 0 { along } else { add(&at, &along)? };
        }
        if let Some(valid) = valid.filter(|_| last > 1) {
            at = where_(&valid, &at, &index::int(rows))?;
        }
        if rows > i32::MAX as usize {
            return Err(Error::memory(format!(
                "[index] expected fewer than 2 ** 31 rows, got shape {}",
                x.shape()
            )));
        }
        Ok((table, broadcast_to(&at, &Shape::from(sizes[..lead].to_vec()))?))
    }

    /// Positions with axes of size 1 for the rest of the result's.
    fn lined(&self, at: &Array, places: &[usize], lead: usize) -> Result<Array> {
        let (spot, front) = (self.spot()?.ndim(), self.front());
        // The axes of the positions end where the axis at whose place they stand would begin.
        let end = places[front];
        let first = end - spot;
        let skip = spot - at.ndim();
        let size = |i: usize| if i >= first + skip && i < end { at.shape()[i - first - skip] } else { 1 };
        reshape(at, (0..lead).map(size).collect())
    }
}

/// `x` with `x[list]` set to, or combined with, `value`, which broadcasts. Of equal positions the last is set; others
/// combine. Positions of arrays that are out of range are left out.
///
/// # Errors
/// As `get`; `Value` for a value that does not broadcast, `Type` for one that the array's type does not hold.
pub fn update(x: &Array, list: &[Index], how: How, value: &Array) -> Result<Array> {
    let value = match how {
        How::Set => written("index", x, value)?,
        _ => combined("index", x, value)?,
    };
    if let [Index::Array(mask)] = list
        && mask.dtype() == Dtype::Bool
    {
        return update_mask(x, mask, how, &value);
    }
    let plan = Plan::of(x.shape(), list)?;
    let full = plan.with_new()?;
    let extra = value.ndim().saturating_sub(full.ndim());
    if value.shape()[..extra].iter().any(|&n| n != 1) {
        return Err(Error::value(format!(
            "[index] expected a value that broadcasts to {full}, got {}",
            value.aval()
        )));
    }
    let value = reshape(&value, Shape::from(&value.shape()[extra..]))?;
    let value = reshape(&broadcast_to(&value, &full)?, plan.result()?.0)?;
    if !plan.has_arrays() {
        return update_view(x, &plan, how, &value);
    }
    let (table, at) = plan.addresses(x, true)?;
    let op: &'static OpDef = match how {
        How::Set => &row::SCATTER_SET,
        How::Add => &row::SCATTER_ADD,
        How::Multiply => &row::SCATTER_PROD,
        How::Maximum => &row::SCATTER_MAX,
        How::Minimum => &row::SCATTER_MIN,
    };
    let value = reshape(&value, Shape::from([at.shape(), &table.shape()[1..]].concat()))?;
    reshape(&index::scatter(op, &table, &at, &value)?, x.shape().clone())
}

/// What was there and what comes, as one.
fn combine(how: How, old: &Array, new: &Array) -> Result<Array> {
    match how {
        How::Set => Ok(new.clone()),
        How::Add => add(old, new),
        How::Multiply => multiply(old, new),
        How::Maximum => super::maximum(old, new),
        How::Minimum => super::minimum(old, new),
    }
}

/// A mask over the leading axes chooses between the array and what it becomes.
fn update_mask(x: &Array, mask: &Array, how: How, value: &Array) -> Result<Array> {
    let r = mask.ndim();
    if r > x.ndim() || mask.shape()[..] != x.shape()[..r] {
        let text =
            format!("[index] expected a mask of the leading axes of {}, got {}", x.aval(), mask.aval());
        return Err(Error::index(text));
    }
    if value.ndim() > x.ndim() - r && value.size() != 1 {
        let text = format!("[index] expected a value for every place of a mask, got {}", value.aval());
        return Err(Error::value(text));
    }
    let value = if value.size() == 1 { reshape(value, Shape::default())? } else { value.clone() };
    let lined = reshape(mask, (0..x.ndim()).map(|i| if i < r { x.shape()[i] } else { 1 }).collect())?;
    where_(&lined, &combine(how, x, &broadcast_to(&value, x.shape())?)?, x)
}

fn update_view(x: &Array, plan: &Plan, how: How, value: &Array) -> Result<Array> {
    let (mut start, mut step, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for part in &plan.parts {
        let (from, by, count) = match part {
            Part::At(at) => (*at, 1, 1),
            Part::Range { start, step, count } => (*start, *step, *count),
            Part::Array(_) => unreachable!("positions that are arrays are scattered"),
        };
        start.push(from);
        step.push(by);
        sizes.push(count);
    }
    let sizes = Shape::from(sizes);
    let value = reshape(value, sizes.clone())?;
    if sizes.size() == 0 {
        return Ok(x.clone());
    }
    let value = combine(how, &slice(x, &start, &step, &sizes)?, &value)?;
    let cut: Vec<usize> =
        (0..x.ndim()).filter(|&axis| sizes[axis] != x.shape()[axis] || step[axis] != 1).collect();
    match cut[..] {
        [] => Ok(value),
        // A run along one axis: what is before it, itself, and what is behind it.
        [axis] if step[axis] == 1 => {
            let end = start[axis] + sizes[axis];
            let parts =
                [narrow(x, axis, 0, start[axis])?, value, narrow(x, axis, end, x.shape()[axis] - end)?];
            let full: Vec<&Array> = parts.iter().filter(|part| part.shape()[axis] > 0).collect();
            concatenate(&full, axis as isize)
        }
        _ => {
            let here = super::full_like_bool(&value, true);
            let hit = place(&here, &super::bool_scalar(false), &start, &step, x.shape())?;
            where_(&hit, &place(&value, &value.weak(0.), &start, &step, x.shape())?, x)
        }
    }
}
