//! Windows laid side by side, a block of them at a time, and multiplied with the kernels.
//!
//! All windows side by side would be as many times the input as kernels have elements; a block of them fits into the
//! second-level cache, where the product finds it.

use std::ops::Range;

use pullback_base::{Error, Layout, Result, Scalar};
use pullback_kernels::array::{place, window};
use smallvec::SmallVec;

use super::{Memory, Part, ordered};
use crate::matmul::{Multiply, Product, Side, Sizes, multiplier};
use crate::memory::CpuBuffer;
use crate::threads;

/// Elements of a block.
const BLOCK: usize = 1 << 16;
/// Products after which a row of a block goes on in the next.
const DEPTH: usize = 1 << 10;
/// Rows of a block, where examples are rows.
const ROWS: usize = 192;
/// Tasks that keep threads busy. What is summed in parts depends on sizes alone, so that sums do not depend on threads.
const TASKS: usize = 16;

/// How the windows of one group lie in a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// A row for each window, `[n · t.., k.. · c]`.
    Rows,
    /// A column for each window, `[c · k.., t.. · n]`: where neighbours in memory are of different examples, as in the
    /// derivative by the weight.
    Columns,
}

/// One part, ready to be multiplied.
struct Plan<'a> {
    part: &'a Part,
    memory: Memory,
    lie: Lie,
    table: window::Table,
    /// Kernels: `row` is from product to product, `col` from kernel to kernel, `batch` from group to group.
    kernels: Side,
    /// Products of each result, and those in one step of depth.
    depth: usize,
    step: usize,
    /// Steps of depth in one task.
    deep: usize,
    /// Windows of each task, and number of windows.
    rows: usize,
    windows: usize,
    multiply: Box<dyn Multiply>,
}
// SAFETY: operands are only read, and tasks write results of their own.
unsafe impl Sync for Plan<'_> {}

/// # Safety
/// As `conv::run`.
///
/// # Errors
/// As `conv::run`.
pub(super) unsafe fn run(part: &Part, memory: Memory) -> Result<()> {
    let lie = if part.x[0] == 1 && part.x[2] != 1 && part.n > 1 { Lie::Columns } else { Lie::Rows };
    // SAFETY: the caller's promise.
    let (kernels, _held) = unsafe { kernels(part, &memory, lie)? };
    let depth = part.kernel() * part.c;
    let rows = part.n * part.windows();
    let sizes = Sizes { b: 1, m: rows, k: depth, n: part.o };
    let Some(multiply) = multiplier(memory.dtype, memory.isa, sizes) else {
        return Err(Error::internal(format!("[Conv] nothing multiplies {}", memory.dtype)));
    };
    let (step, rows) = match lie {
        Lie::Rows => {
            let places = (DEPTH / part.c.max(1)).clamp(1, part.kernel().max(1));
            let step = (places * part.c).max(1);
            (step, (BLOCK / step).clamp(16, 512))
        }
        Lie::Columns => {
            let windows = (ROWS / part.n).max(1);
            (((BLOCK / (windows * part.n)).clamp(16, DEPTH)), windows)
        }
    };
    let windows = if lie == Lie::Rows { part.n * part.windows() } else { part.windows() };
    let steps = depth.div_ceil(step).max(1);
    let tasks = part.g * windows.div_ceil(rows);
    let cuts = TASKS.checked_div(tasks).unwrap_or(1).min(depth / (2 * DEPTH)).clamp(1, steps);
    let deep = steps.div_ceil(cuts);
    let table = table(part, lie);
    let plan = Plan { part, memory, lie, table, kernels, depth, step, deep, rows, windows, multiply };
    // SAFETY: the caller's promise.
    unsafe { plan.run(steps.div_ceil(deep)) }
}

fn table(part: &Part, lie: Lie) -> window::Table {
    let axes = part.axes.iter().map(|axis| {
        let (windows, kernel) = ((axis.count, axis.stride), (axis.kernel, axis.dilation));
        let [major, minor] = if lie == Lie::Rows { [windows, kernel] } else { [kernel, windows] };
        window::Axis {
            sizes: [major.0, minor.0],
            steps: [major.1 as isize, minor.1 as isize],
            low: axis.low,
            size: axis.size,
            stride: axis.x,
        }
    });
    let [n, _, c] = part.x;
    match lie {
        Lie::Rows => window::Table { batch: n, axes: axes.collect(), run: (part.c, c) },
        Lie::Columns => window::Table { batch: c, axes: axes.collect(), run: (part.n, n) },
    }
}

/// Kernels as matrices, in memory of their own where they are none.
///
/// # Safety
/// As `conv::run`.
unsafe fn kernels(part: &Part, memory: &Memory, lie: Lie) -> Result<(Side, Option<CpuBuffer>)> {
    let mut axes: SmallVec<[(usize, isize); 4]> =
        part.axes.iter().map(|axis| (axis.kernel, axis.w)).collect();
    axes.insert(if lie == Lie::Rows { axes.len() } else { 0 }, (part.c, part.w[2]));
    let depth = Layout {
        shape: axes.iter().map(|axis| axis.0).collect(),
        strides: axes.iter().map(|axis| axis.1).collect(),
        offset: 0,
    };
    let (_, strides) = depth.collapsed();
    if strides.len() <= 1 {
        let row = strides.first().copied().unwrap_or(1);
        return Ok((Side { ptr: memory.w, batch: part.w[0], row, col: part.w[1] }, None));
    }
    let sizes = [&[part.g], &depth.shape[..], &[part.o]].concat();
    let strides = [&[part.w[0]], &depth.strides[..], &[part.w[1]]].concat();
    // SAFETY: the caller's promise.
    let block = unsafe { ordered(memory.w, &sizes, &strides, memory.dtype.size())? };
    let row = part.o as isize;
    let batch = depth.shape.size() as isize * row;
    Ok((Side { ptr: block.ptr(), batch, row, col: 1 }, Some(block)))
}

impl Plan<'_> {
    /// # Safety
    /// As `conv::run`.
    unsafe fn run(&self, cuts: usize) -> Result<()> {
        let (part, size) = (self.part, self.memory.dtype.size());
        let blocks = self.windows.div_ceil(self.rows);
        let results = self.windows * if self.lie == Lie::Columns { part.n } else { 1 } * part.o;
        let sums = if cuts > 1 { Some(CpuBuffer::new(cuts * part.g * results * size)?) } else { None };
        let tasks = part.g * blocks * cuts;
        let cost = (part.g * results * self.depth.max(1)).saturating_mul(self.multiply.cost());
        let parts = threads::parts(cost, tasks);
        let wide = self.rows * if self.lie == Lie::Columns { part.n } else { 1 };
        let scratch = (0..parts)
            .map(|_| Ok((CpuBuffer::new(wide * self.step * size)?, CpuBuffer::new(wide * part.o * size)?)))
            .collect::<Result<Vec<_>>>()?;
        threads::each(parts, |number| {
            let (block, result) = &scratch[number];
            for task in tasks * number / parts..tasks * (number + 1) / parts {
                let (group, rest) = (task / (blocks * cuts), task % (blocks * cuts));
                let (at, cut) = (rest / cuts, rest % cuts);
                let windows = at * self.rows..self.windows.min((at + 1) * self.rows);
                let to = match &sums {
                    Some(sums) => {
                        let each = results / self.windows;
                        let from = (cut * part.g + group) * results + windows.start * each;
                        sums.ptr().wrapping_add(from * size)
                    }
                    None => result.ptr(),
                };
                // SAFETY: the caller's promise; scratch is of this thread, and sums are of this task.
                unsafe {
                    self.multiply(group, windows.clone(), cut, block.ptr(), to);
                    if sums.is_none() {
                        self.deliver(group, windows, to);
                    }
                }
            }
        });
        if let Some(sums) = &sums {
            for group in 0..part.g {
                let total = sums.ptr().wrapping_add(group * results * size);
                let far = part.g * results * size;
                for cut in 1..cuts {
                    // SAFETY: blocks of as many elements, all written.
                    unsafe { self.add(total, total.wrapping_add(cut * far), results) };
                }
                // SAFETY: the caller's promise; all results of the group are there.
                unsafe { self.deliver(group, 0..self.windows, total) };
            }
        }
        Ok(())
    }

    /// Products of some windows with the kernels of a group, over one cut of the depth, into `to`.
    ///
    /// # Safety
    /// As `conv::run`; `block` and `to` have room and are nobody else's.
    unsafe fn multiply(&self, group: usize, windows: Range<usize>, cut: usize, block: *mut u8, to: *mut u8) {
        let (part, size) = (self.part, self.memory.dtype.size());
        let many = windows.len() * if self.lie == Lie::Columns { part.n } else { 1 };
        let x = self.memory.x.wrapping_offset(group as isize * part.x[1] * size as isize);
        let (first, last) =
            (cut * self.deep * self.step, ((cut + 1) * self.deep * self.step).min(self.depth));
        if first >= last {
            // SAFETY: the caller's promise; nothing is all zeros in every type.
            return unsafe { to.write_bytes(0, many * part.o * size) };
        }
        for from in (first..last).step_by(self.step) {
            let depth = self.step.min(last - from);
            let (rows, places, row, col) = match self.lie {
                Lie::Rows => (windows.clone(), from / part.c..(from + depth) / part.c, depth as isize, 1),
                Lie::Columns => (from..from + depth, windows.clone(), 1, many as isize),
            };
            // SAFETY: the caller's promise; the block has room for so many rows and columns.
            unsafe {
                let count = many * depth;
                match size {
                    1 => pack::<u8>(block, count, x, &self.table, rows, places),
                    2 => pack::<u16>(block, count, x, &self.table, rows, places),
                    4 => pack::<u32>(block, count, x, &self.table, rows, places),
                    _ => pack::<u64>(block, count, x, &self.table, rows, places),
                }
                let at = group as isize * self.kernels.batch + from as isize * self.kernels.row;
                self.multiply.multiply(Product {
                    sizes: Sizes { b: 1, m: many, k: depth, n: part.o },
                    out: to,
                    a: Side { ptr: block, batch: 0, row, col },
                    b: Side { ptr: self.kernels.ptr.wrapping_offset(at * size as isize), ..self.kernels },
                    add: from > first,
                    threads: 1,
                });
            }
        }
    }

    /// Brings results to their places.
    ///
    /// # Safety
    /// As `conv::run`; `from` is `[windows, n, o]` or `[windows, o]`.
    unsafe fn deliver(&self, group: usize, windows: Range<usize>, from: *const u8) {
        let (part, size) = (self.part, self.memory.dtype.size());
        let (o, each) = (part.o, part.windows());
        let step = part.out;
        for (row, window) in windows.enumerate() {
            let (at, examples) = match self.lie {
                Lie::Rows => (part.place(window / each, window % each), 1),
                Lie::Columns => (part.place(0, window), part.n),
            };
            let to = self.memory.out.wrapping_offset((at + (group * o) as isize) * size as isize);
            let from = from.wrapping_add(row * examples * o * size);
            // SAFETY: the caller's promise.
            unsafe {
                if examples == 1 {
                    std::ptr::copy_nonoverlapping(from, to, o * size);
                } else {
                    place::copy(to, &[step, 1], from, &[o as isize, 1], &[examples, o], size);
                }
            }
        }
    }

    /// `to += from`, as a product with one.
    ///
    /// # Safety
    /// Both are so many elements.
    unsafe fn add(&self, to: *mut u8, from: *const u8, count: usize) {
        let one = Scalar::Int(1).bits(self.memory.dtype).to_le();
        // SAFETY: the caller's promise; a matrix of one column times one element.
        unsafe {
            self.multiply.multiply(Product {
                sizes: Sizes { b: 1, m: count, k: 1, n: 1 },
                out: to,
                a: Side { ptr: from, batch: 0, row: 1, col: 1 },
                b: Side { ptr: (&raw const one).cast(), batch: 0, row: 1, col: 1 },
                add: true,
                threads: 1,
            });
        }
    }
}

/// # Safety
/// As `window::pack`; `block` is `count` elements of nobody else.
unsafe fn pack<T: Copy + Default>(
    block: *mut u8,
    count: usize,
    x: *const u8,
    table: &window::Table,
    rows: Range<usize>,
    places: Range<usize>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        window::pack(std::slice::from_raw_parts_mut(block.cast::<T>(), count), x.cast(), table, rows, places)
    }
}
