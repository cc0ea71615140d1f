//! How the elements of an array lie in a block: shape, element strides, offset.
//!
//! View operations are functions from layout to layout. Where one cannot say its result so (a reshape
//! across a stride), it answers `None` and the elements are copied.

use smallvec::SmallVec;

use crate::Shape;

/// Element `i` is at `offset + sum(i[axis] * strides[axis])`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Layout {
    pub shape: Shape,
    pub strides: SmallVec<[isize; 4]>,
    pub offset: usize,
}

impl Layout {
    /// Row-major, from the start of the block.
    pub fn contiguous(shape: &Shape) -> Layout {
        Layout { shape: shape.clone(), strides: shape.strides(), offset: 0 }
    }

    /// Whether it is row-major; the offset may be anything. Strides of axes of size 1 do not matter.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if size != 1 && stride != expected {
                return self.shape.size() == 0;
            }
            expected *= size as isize;
        }
        true
    }

    /// Axis `i` of the result is axis `axes[i]`.
    pub fn transpose(&self, axes: &[usize]) -> Layout {
        Layout {
            shape: axes.iter().map(|&axis| self.shape[axis]).collect(),
            strides: axes.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        }
    }

    /// Axes of size 1 repeated, and new ones put in front, to make `shape`.
    pub fn broadcast(&self, shape: &Shape) -> Layout {
        let skip = shape.ndim() - self.shape.ndim();
        let stride = |axis: usize| {
            if axis < skip || (self.shape[axis - skip] == 1 && shape[axis] != 1) {
                0
            } else {
                self.strides[axis - skip]
            }
        };
        Layout { shape: shape.clone(), strides: (0..shape.ndim()).map(stride).collect(), offset: self.offset }
    }

    /// `shape[axis]` elements of each axis, from `start[axis]`, `step[axis]` apart; steps may be negative.
    pub fn slice(&self, start: &[usize], step: &[isize], shape: &Shape) -> Layout {
        let at = |axis: usize| start[axis] as isize * self.strides[axis];
        let offset = self.offset as isize
            + if shape.size() == 0 { 0 } else { (0..self.shape.ndim()).map(at).sum::<isize>() };
        let strides = self.strides.iter().zip(step).map(|(stride, step)| stride * step).collect();
        Layout { shape: shape.clone(), strides, offset: offset as usize }
    }

    /// The same elements, in row-major order, in another shape; `None` if that takes a copy.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if self.shape.size() == 0 {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape) });
        }
        let (sizes, strides) = self.collapsed();
        let mut result: SmallVec<[isize; 4]> = SmallVec::from_elem(0, shape.ndim());
        // Each run of old axes that is one arithmetic progression must be cut into whole new axes.
        let (mut run, mut left) = (sizes.len(), 1usize);
        let mut stride = 0;
        for axis in (0..shape.ndim()).rev() {
            if shape[axis] == 1 {
                continue;
            }
            if left == 1 {
                run = run.checked_sub(1)?;
                (left, stride) = (sizes[run], strides[run]);
            }
            if left % shape[axis] != 0 {
                return None;
            }
            result[axis] = stride;
            stride *= shape[axis] as isize;
            left /= shape[axis];
        }
        Some(Layout { shape: shape.clone(), strides: result, offset: self.offset })
    }

    /// Sizes and strides with neighbouring axes merged where one continues the other; none of size 1.
    pub fn collapsed(&self) -> (SmallVec<[usize; 4]>, SmallVec<[isize; 4]>) {
        let mut sizes: SmallVec<[usize; 4]> = SmallVec::new();
        let mut strides: SmallVec<[isize; 4]> = SmallVec::new();
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            if size == 1 {
                continue;
            }
            match (sizes.last_mut(), strides.last_mut()) {
                (Some(last), Some(outer)) if *outer == stride * size as isize => {
                    *last *= size;
                    *outer = stride;
                }
                _ => {
                    sizes.push(size);
                    strides.push(stride);
                }
            }
        }
        (sizes, strides)
    }
}
