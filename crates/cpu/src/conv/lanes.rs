//! Groups side by side: one channel each, or a few, are too little for a product of matrices.

use std::ops::Range;

use pullback_base::{Dtype, Result, Shape};
use pullback_kernels::Isa;
use pullback_kernels::array::product::Ring;
use pullback_kernels::array::window;

use super::{Memory, Part, ordered};
use crate::memory::CpuBuffer;
use crate::threads;

/// The least number of groups that fills vectors.
const GROUPS: usize = 8;
/// The most channels of a group, on either side.
const CHANNELS: usize = 4;
/// Groups that one task sums.
const WIDTH: usize = 2 * window::LANES;
/// Picoseconds per product.
const COST: usize = 60;

/// Whether this is the way for a part.
pub(super) fn serve(part: &Part, dtype: Dtype) -> bool {
    !matches!(dtype, Dtype::C64 | Dtype::Bool)
        && part.g >= GROUPS
        && part.o <= CHANNELS
        && (part.x[1] == 1 || part.c <= CHANNELS)
        && part.c * part.kernel() > 0
}

/// # Safety
/// As `conv::run`.
///
/// # Errors
/// `Memory` without room for operands in order of groups.
pub(super) unsafe fn run(part: &Part, mut memory: Memory) -> Result<()> {
    let (mut part, size) = (part.clone(), memory.dtype.size());
    let mut held: Vec<CpuBuffer> = Vec::new();
    // SAFETY: the caller's promise.
    let mut lined = |ptr: *const u8, axes: &[(usize, isize)]| unsafe {
        let (sizes, strides): (Vec<usize>, Vec<isize>) = axes.iter().copied().unzip();
        let block = ordered(ptr, &sizes, &strides, size)?;
        let ptr = block.ptr().cast_const();
        held.push(block);
        Ok::<_, pullback_base::Error>((ptr, Shape::new(&sizes).strides()))
    };
    if part.x[1] != 1 {
        let mut axes = vec![(part.n, part.x[0])];
        axes.extend(part.axes.iter().map(|axis| (axis.size, axis.x)));
        axes.extend([(part.c, part.x[2]), (part.g, part.x[1])]);
        let (ptr, own) = lined(memory.x, &axes)?;
        memory.x = ptr;
        part.x = [own[0], 1, own[axes.len() - 2]];
        part.axes.iter_mut().zip(&own[1..]).for_each(|(axis, &stride)| axis.x = stride);
    }
    if part.w[0] != 1 {
        let mut axes = vec![(part.o, part.w[1])];
        axes.extend(part.axes.iter().map(|axis| (axis.kernel, axis.w)));
        axes.extend([(part.c, part.w[2]), (part.g, part.w[0])]);
        let (ptr, own) = lined(memory.w, &axes)?;
        memory.w = ptr;
        part.w = [1, own[0], own[axes.len() - 2]];
        part.axes.iter_mut().zip(&own[1..]).for_each(|(axis, &stride)| axis.w = stride);
    }
    let (part, memory) = (&part, &memory);
    let (rows, wide) = (part.n * part.windows(), part.g.div_ceil(WIDTH));
    let each = part.kernel() * part.c * part.o * WIDTH.min(part.g) * COST;
    let parts = threads::parts((rows * wide).saturating_mul(each), rows * wide);
    threads::ranges(parts, rows * wide, |tasks| {
        // SAFETY: the caller's promise; tasks write elements of their own.
        unsafe { summed(part, memory, tasks, wide) };
    });
    Ok(())
}

/// # Safety
/// As `Lines::run`.
unsafe fn summed(part: &Part, memory: &Memory, tasks: Range<usize>, wide: usize) {
    macro_rules! by_type {
        ($($dtype:ident $t:ty),*) => {
            match memory.dtype {
                $(Dtype::$dtype => {
                    let (x, w, out) = (memory.x.cast(), memory.w.cast(), memory.out.cast());
                    // SAFETY: the caller's promise.
                    unsafe { Lines::<$t> { part, isa: memory.isa, x, w, out }.run(tasks, wide) }
                })*
                other => unreachable!("{other} goes the other way"),
            }
        };
    }
    by_type! { F32 f32, F64 f64, U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16, I32 i32, I64 i64 }
}

/// A part and its memory, as elements.
struct Lines<'a, T> {
    part: &'a Part,
    isa: Isa,
    x: *const T,
    w: *const T,
    out: *mut T,
}

impl<T: Ring> Lines<'_, T> {
    /// # Safety
    /// As `conv::run`; nobody else writes what these tasks write.
    unsafe fn run(&self, tasks: Range<usize>, wide: usize) {
        let part = self.part;
        let windows = part.windows();
        let mut pairs = Vec::new();
        // Where windows lie within the input, they meet the same elements from where they begin.
        let mut inner: Option<Vec<(isize, isize)>> = None;
        for task in tasks {
            let (row, from) = (task / wide, task % wide * WIDTH);
            let (example, window) = (row / windows, row % windows);
            let (start, inside) = self.start(example, window);
            let list = if inside {
                inner.get_or_insert_with(|| {
                    let mut list = Vec::new();
                    self.pairs(None, &mut list);
                    list
                })
            } else {
                self.pairs(Some(window), &mut pairs);
                &mut pairs
            };
            let at = part.place(example, window) + (from * part.o) as isize;
            let count = WIDTH.min(part.g - from);
            for o in 0..part.o {
                let x = self.x.wrapping_offset(start + from as isize);
                let w = self.w.wrapping_offset(o as isize * part.w[1] + from as isize);
                let out = self.out.wrapping_offset(at + o as isize);
                // SAFETY: the caller's promise.
                unsafe { window::lanes(self.isa, (out, part.o as isize), (x, w), list, count) };
            }
        }
    }

    /// Where a window begins in memory, and whether all of it lies within the input.
    fn start(&self, example: usize, mut window: usize) -> (isize, bool) {
        let (mut at, mut inside) = (example as isize * self.part.x[0], true);
        for axis in self.part.axes.iter().rev() {
            let first = (window % axis.count * axis.stride) as isize - axis.low;
            window /= axis.count;
            let last = first + ((axis.kernel - 1) * axis.dilation) as isize;
            inside &= first >= 0 && last < axis.size as isize;
            at += first * axis.x;
        }
        (at, inside)
    }

    /// Offsets of elements that meet: from where the window begins, and in the kernel. Of a window at the border, those
    /// that exist.
    fn pairs(&self, window: Option<usize>, to: &mut Vec<(isize, isize)>) {
        let part = self.part;
        to.clear();
        'kernel: for kernel in 0..part.kernel() {
            let (mut left, mut at) = (kernel, window.unwrap_or(0));
            let (mut x, mut w) = (0, 0);
            for axis in part.axes.iter().rev() {
                let k = left % axis.kernel;
                left /= axis.kernel;
                let step = (k * axis.dilation) as isize;
                if window.is_some() {
                    let place = (at % axis.count * axis.stride) as isize + step - axis.low;
                    at /= axis.count;
                    if place < 0 || place >= axis.size as isize {
                        continue 'kernel;
                    }
                }
                x += step * axis.x;
                w += k as isize * axis.w;
            }
            to.extend((0..part.c as isize).map(|c| (x + c * part.x[2], w + c * part.w[2])));
        }
    }
}
