//! The space of a group step, with axes merged where every input continues from one to the next.
//!
//! Fewer axes mean fewer divisions per element, and fewer kernels: a kernel knows how many axes there are, not
//! how long.

use pullback_base::{Error, Layout, Result, Shape};
use pullback_compile::GroupStep;
use pullback_compile::program::Class;

/// An input as a kernel walks it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    pub offset: u32,
    /// Per kept axis.
    pub kept: Vec<u32>,
    /// Per reduced axis.
    pub reduced: Vec<u32>,
}

/// Merged axes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Space {
    /// Sizes of the axes that stay.
    pub kept: Vec<u32>,
    /// Sizes of the axes that are reduced over.
    pub reduced: Vec<u32>,
    /// Number of points that stay.
    pub points: u64,
    /// Number of elements of each reduction.
    pub depth: u64,
    pub inputs: Vec<Walk>,
    /// Strides of an output that has an element for every point.
    pub full: Walk,
    /// Whether the last axis of the space is reduced: neighbours in memory are then of one reduction.
    pub inner: bool,
}

impl Space {
    /// Of a step whose inputs have these layouts.
    pub fn of(step: &GroupStep, layouts: &[&Layout]) -> Result<Space> {
        let reducing = step.program.reduces();
        let row_major = step.space.strides();
        // Stride of every input, then of a full output, along an axis.
        let strides = |axis: usize| -> Vec<isize> {
            let input = |(class, layout): (&Class, &&Layout)| match class {
                Class::Full if reducing => row_major[axis],
                Class::Strided => layout.strides[axis],
                Class::Full | Class::Scalar => 0,
            };
            let mut all: Vec<isize> = step.program.inputs.iter().zip(layouts).map(input).collect();
            all.push(if reducing { row_major[axis] } else { 0 });
            all
        };
        let reduced = |axis: usize| step.reduced.get(axis).copied().unwrap_or(false);
        let (mut kept, mut folded): (Axes, Axes) = Default::default();
        let mut inner = false;
        for (axis, &size) in step.space.iter().enumerate() {
            if size != 1 {
                inner = reduced(axis);
                if reduced(axis) { &mut folded } else { &mut kept }.push(size, strides(axis));
            }
        }
        let walk = |input: usize, offset: usize| -> Result<Walk> {
            let along =
                |axes: &Axes| axes.0.iter().map(|(_, strides)| strides[input] as i32 as u32).collect();
            Ok(Walk { offset: index(offset)?, kept: along(&kept), reduced: along(&folded) })
        };
        let inputs =
            layouts.iter().enumerate().map(|(k, layout)| walk(k, layout.offset)).collect::<Result<_>>()?;
        let full = walk(layouts.len(), 0)?;
        let sizes = |axes: &Axes| axes.0.iter().map(|(size, _)| index(*size)).collect::<Result<Vec<u32>>>();
        let count = |which: bool| -> u64 {
            let sizes = step.space.iter().enumerate().filter(|&(axis, _)| reduced(axis) == which);
            if sizes.clone().any(|(_, &n)| n == 0) {
                0
            } else {
                sizes.fold(1, |all, (_, &n)| all.saturating_mul(n as u64))
            }
        };
        let (points, depth) = (count(false), count(true));
        Ok(Space { kept: sizes(&kept)?, reduced: sizes(&folded)?, points, depth, inputs, full, inner })
    }
}

/// Sizes and strides of axes, outermost first.
#[derive(Default)]
struct Axes(Vec<(usize, Vec<isize>)>);

impl Axes {
    fn push(&mut self, size: usize, strides: Vec<isize>) {
        if let Some((outer, before)) = self.0.last_mut()
            && before.iter().zip(&strides).all(|(&before, &stride)| before == stride * size as isize)
        {
            *outer *= size;
            *before = strides;
            return;
        }
        self.0.push((size, strides));
    }
}

/// A number of elements as kernels count them. Limits of buffers keep real arrays far below.
pub(crate) fn index(n: usize) -> Result<u32> {
    u32::try_from(n).ok().filter(|&n| n < 1 << 31).ok_or_else(|| {
        Error::memory(format!(
            "[gpu] expected fewer than 2^31 elements, got {n}; split the array or use the CPU"
        ))
    })
}

/// Sizes and strides of one layout, merged: for kernels that walk one array.
pub(crate) fn collapsed(layout: &Layout) -> Result<(Vec<u32>, Vec<u32>)> {
    let (sizes, strides) = layout.collapsed();
    let sizes = sizes.iter().map(|&n| index(n)).collect::<Result<_>>()?;
    Ok((sizes, strides.iter().map(|&stride| stride as i32 as u32).collect()))
}

/// Number of elements of a canonical shape.
pub(crate) fn count(shape: &Shape) -> Result<u32> {
    index(shape.size())
}
