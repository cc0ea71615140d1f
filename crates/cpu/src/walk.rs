//! One thread's walk over tiles.

use std::cell::RefCell;
use std::ops::Range;

use std::alloc::handle_alloc_error;

use pullback_base::Buffer;
use pullback_kernels::tile::layout::Spread;
use smallvec::SmallVec;

use crate::code::{Code, From, Home, Operand, Place, Step, TILE_STRIDE};
use crate::ir::Layout;
use crate::memory::{ALIGN, CpuBuffer};
use crate::run::{Input, Job};

/// A place whose pointer changes from tile to tile, with its strides in bytes.
struct Moving {
    place: Place,
    base: *mut u8,
    row: isize,
    col: isize,
    /// The input that knows the strides of rows made of several axes, and the size of its elements.
    composite: Option<(u8, u8)>,
}

/// What a thread keeps between runs, so that a small run allocates nothing.
#[derive(Default)]
struct Scratch {
    memory: Option<CpuBuffer>,
    pointers: Vec<*mut u8>,
    moving: Vec<Moving>,
    constants: Vec<u64>,
    cells: Vec<u64>,
    /// The position of the current row along each axis that rows are made of.
    index: SmallVec<[usize; 4]>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The shape of a tile, and its first column.
struct Tile {
    row: usize,
    rows: usize,
    col: usize,
    cols: usize,
}

/// Walks over the given units: panels of rows, rows, or groups of short rows.
///
/// # Safety
/// The promises of `Group::run`; no other walk writes what these units write. `totals` has a cell for each `All`
/// reduction, `partials` a row of whole columns for each `Outer` one.
pub(crate) unsafe fn walk(job: &Job, units: Range<usize>, totals: &mut [u64], partials: &[*mut u8]) {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.prepare(job, partials);
        // SAFETY: `prepare` has set every place; the rest is the caller's promise.
        unsafe { scratch.units(job, units, totals) }
    });
}

impl Scratch {
    /// Sets the pointer of each place.
    fn prepare(&mut self, job: &Job, partials: &[*mut u8]) {
        let code = job.code;
        let buffer_bytes = |size: usize| (job.cols.max(code.tile) * size).next_multiple_of(64) + 192;
        let bytes =
            code.registers * TILE_STRIDE + code.buffers.iter().map(|&size| buffer_bytes(size)).sum::<usize>();
        if self.memory.as_ref().is_none_or(|memory| memory.bytes() < bytes) {
            let bytes = bytes.max(16 * TILE_STRIDE);
            // A few pages: without them there is no going on, as for any list of the program.
            let layout = std::alloc::Layout::from_size_align(bytes, ALIGN).expect("a few pages");
            self.memory = Some(CpuBuffer::new(bytes).unwrap_or_else(|_| handle_alloc_error(layout)));
        }
        let memory = self.memory.as_ref().expect("made above").ptr();
        self.cells.resize(code.inner_cells, 0);
        // Constants are pointed to, so their list must not grow while it is filled.
        self.constants.clear();
        self.constants.reserve(code.homes.len());
        self.pointers.clear();
        self.moving.clear();
        let cols = job.cols as isize;
        for (place, home) in code.homes.iter().enumerate() {
            let stride = |layout: Layout, size: u8, input: Option<&Input>| {
                let size = size as isize;
                let row = input.and_then(|input| input.rows.last()).map_or(0, |row| row * size);
                match layout {
                    Layout::Full => (cols * size, size),
                    Layout::Row => (0, size),
                    Layout::Col => (size, 0),
                    Layout::Scalar => (0, 0),
                    Layout::Pitched => (row, size),
                    Layout::Strided => (row, input.map_or(0, |input| input.col * size)),
                }
            };
            let mut composite = None;
            let (base, (row, col)) = match *home {
                Home::Register { index } => (memory.wrapping_add(index as usize * TILE_STRIDE), (0, 0)),
                Home::Const { bits } => {
                    self.constants.push(bits);
                    (std::ptr::from_mut(self.constants.last_mut().expect("just pushed")).cast(), (0, 0))
                }
                Home::Buffer { index, size } => {
                    let before: usize =
                        code.buffers[..index as usize].iter().map(|&size| buffer_bytes(size)).sum();
                    (memory.wrapping_add(code.registers * TILE_STRIDE + before), (0, size as isize))
                }
                Home::Input { input, layout, size } => {
                    if job.outer.len() > 1 && matches!(layout, Layout::Pitched | Layout::Strided) {
                        composite = Some((input, size));
                    }
                    let input = &job.inputs[input as usize];
                    (input.ptr.cast_mut(), stride(layout, size, Some(input)))
                }
                Home::Output { output, layout, size } => {
                    (job.outputs[output as usize], stride(layout, size, None))
                }
                Home::Partial { index, size } => (partials[index as usize], (0, size as isize)),
            };
            self.pointers.push(base);
            if row != 0 || col != 0 || composite.is_some() {
                self.moving.push(Moving { place: place as Place, base, row, col, composite });
            }
        }
    }

    /// Points every moving place to a tile's first element.
    fn place(&mut self, job: &Job, row: usize, col: usize) {
        if job.outer.len() > 1 {
            locate(job.outer, row, &mut self.index);
        }
        for moving in &self.moving {
            let row = match moving.composite {
                None => row as isize * moving.row,
                Some((input, size)) => reach(&job.inputs[input as usize], &self.index) * size as isize,
            };
            let offset = row + col as isize * moving.col;
            self.pointers[moving.place as usize] = moving.base.wrapping_offset(offset);
        }
    }

    /// Asks for one share of the next tile of each array, so that memory works while the steps of this tile
    /// compute. All at once would fill the miss queue and stall: each step asks for its share.
    fn fetch(&self, n: usize, share: usize, shares: usize) {
        for moving in self.moving.iter().filter(|moving| (1..=8).contains(&moving.col)) {
            let next = self.pointers[moving.place as usize].wrapping_add(n * moving.col as usize);
            let lines = (n * moving.col as usize).div_ceil(64);
            for line in lines * share / shares..lines * (share + 1) / shares {
                prefetch(next.wrapping_add(line * 64));
            }
        }
    }

    /// # Safety
    /// As `walk`.
    unsafe fn units(&mut self, job: &Job, units: Range<usize>, totals: &mut [u64]) {
        let code = job.code;
        let one = Tile { row: 0, rows: 1, col: 0, cols: 1 };
        // SAFETY: as the whole.
        unsafe { self.steps(job, &code.once, &one, 1, totals) };
        let width = code.tile.min(job.rows * job.cols);
        if width > 0 {
            let full = Tile { row: 0, rows: 1, col: 0, cols: width };
            // SAFETY: as the whole.
            unsafe { self.steps(job, &code.fills, &full, width, totals) };
        }
        for unit in units {
            let (row, rows, cols) = if job.narrow {
                let row = unit * job.group;
                (row, job.group.min(job.rows - row), 0..job.cols)
            } else {
                let (row, panel) = (unit / job.panels, unit % job.panels);
                let start = panel * code.tile;
                (row, 1, start..if job.panels == 1 { job.cols } else { job.cols.min(start + code.tile) })
            };
            for phase in &code.phases {
                self.place(job, row, cols.start);
                let group = Tile { row, rows, col: cols.start, cols: 1 };
                // SAFETY: as the whole.
                unsafe { self.steps(job, &phase.before, &group, rows, totals) };
                if phase.body.is_empty() {
                    continue;
                }
                let mut col = cols.start;
                loop {
                    let width = code.tile.min(cols.end - col);
                    let width = if job.narrow { job.cols } else { width };
                    let tile = Tile { row, rows, col, cols: width };
                    if col != cols.start {
                        self.place(job, row, col);
                    }
                    // SAFETY: as the whole.
                    unsafe { self.steps(job, &phase.body, &tile, rows * width, totals) };
                    col += width;
                    if col >= cols.end {
                        break;
                    }
                }
            }
        }
    }

    /// # Safety
    /// Every place holds `n` elements of the size its operands say, or one.
    #[inline(always)]
    unsafe fn bytes(&self, operand: Operand, n: usize) -> &[u8] {
        let length = n * operand.scale as usize + operand.fixed as usize;
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.pointers[operand.place as usize], length) }
    }

    /// # Safety
    /// As `bytes`, and the place is no operand of the same step: the register allocator's promise.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    unsafe fn bytes_mut(&self, operand: Operand, n: usize) -> &mut [u8] {
        let length = n * operand.scale as usize + operand.fixed as usize;
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointers[operand.place as usize], length) }
    }

    unsafe fn steps(&mut self, job: &Job, steps: &[Step], tile: &Tile, n: usize, totals: &mut [u64]) {
        for (index, step) in steps.iter().enumerate() {
            if job.fetch && n == job.code.tile {
                self.fetch(n, index, steps.len());
            }
            // SAFETY: the plan gives each step places of its types, and a destination that is no operand.
            unsafe {
                match *step {
                    Step::Map { kernel, dst, args: [a, b, c, d] } => {
                        kernel(
                            self.bytes_mut(dst, n),
                            self.bytes(a, n),
                            self.bytes(b, n),
                            self.bytes(c, n),
                            self.bytes(d, n),
                        );
                    }
                    Step::Spread { spread, dst, src, from } => {
                        let (src, to) = (self.pointers[src as usize], self.bytes_mut(dst, n));
                        let (rows, cols) = (tile.rows, n / tile.rows);
                        match from {
                            From::One => spread(to, src, rows, cols, 0, 0),
                            From::PerRow => spread(to, src, rows, cols, 1, 0),
                            From::PerCol => spread(to, src, rows, cols, 0, 1),
                            From::Input(input) => {
                                let input = &job.inputs[input as usize];
                                if job.outer.len() > 1 && rows > 1 {
                                    gather(job, spread, to, input, tile, cols);
                                } else {
                                    let row = input.rows.last().copied().unwrap_or(0);
                                    spread(to, src, rows, cols, row, input.col);
                                }
                            }
                        }
                    }
                    Step::Copy { dst, src } => self.bytes_mut(dst, n).copy_from_slice(self.bytes(src, n)),
                    Step::FoldInner { reducer, cell, src, dst } => {
                        let (cell, size) = (cell as usize, src.scale as usize);
                        let out = self.pointers[dst as usize];
                        for r in 0..tile.rows {
                            let row = r * tile.cols * size..(r + 1) * tile.cols * size;
                            let mut value = if tile.col == 0 { reducer.empty } else { self.cells[cell] };
                            (reducer.fold)(&mut value, &self.bytes(src, n)[row]);
                            self.cells[cell] = value;
                            if tile.col + tile.cols >= job.cols {
                                let value = (reducer.finish)(value).to_le_bytes();
                                std::ptr::copy_nonoverlapping(value.as_ptr(), out.add(r * size), size);
                            }
                        }
                    }
                    Step::FoldOuter { reducer, src, dst } => {
                        // One row of the tile, or all of them side by side: `Partials` has room for either.
                        let tile = self.bytes(src, n);
                        let sums = std::slice::from_raw_parts_mut(self.pointers[dst as usize], tile.len());
                        (reducer.accumulate)(sums, tile);
                    }
                    Step::FoldAll { reducer, cell, src } => {
                        (reducer.fold)(&mut totals[cell as usize], self.bytes(src, n))
                    }
                }
            }
        }
    }
}

/// Position `row` along each axis that rows are made of.
fn locate(outer: &[usize], mut row: usize, index: &mut SmallVec<[usize; 4]>) {
    index.resize(outer.len(), 0);
    for (at, &size) in index.iter_mut().zip(outer).rev() {
        *at = row % size;
        row /= size;
    }
}

/// Where a row of an input starts, in elements.
fn reach(input: &Input, index: &[usize]) -> isize {
    index.iter().zip(&input.rows).map(|(&at, &stride)| at as isize * stride).sum()
}

/// Spreads short rows made of several axes, run by run of those that have one stride.
///
/// # Safety
/// As `Spread`, for all rows of the tile.
unsafe fn gather(job: &Job, spread: Spread, dst: &mut [u8], input: &Input, tile: &Tile, cols: usize) {
    let line = dst.len() / tile.rows;
    let size = (line / cols) as isize;
    let (last, stride) = (job.outer[job.outer.len() - 1], input.rows[job.outer.len() - 1]);
    let mut index = SmallVec::new();
    let mut done = 0;
    while done < tile.rows {
        locate(job.outer, tile.row + done, &mut index);
        let run = (last - index[index.len() - 1]).min(tile.rows - done);
        let src = input.ptr.wrapping_offset(reach(input, &index) * size);
        // SAFETY: the caller's promise.
        unsafe { spread(&mut dst[done * line..(done + run) * line], src, run, cols, stride, input.col) };
        done += run;
    }
}

/// How many units a job has, and how they are shaped: rows per group, panels per row.
pub(crate) fn shape(code: &Code, narrow: bool, rows: usize, cols: usize) -> (usize, usize, usize) {
    if narrow {
        let group = (code.tile / cols.max(1)).max(1);
        (rows.div_ceil(group), group, 1)
    } else {
        let panels = if code.whole_rows { 1 } else { cols.div_ceil(code.tile) };
        (rows * panels, 1, panels)
    }
}

/// A hint; any address will do.
#[inline(always)]
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
