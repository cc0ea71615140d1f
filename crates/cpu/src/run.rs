//! Running a tiled program: variants planned on demand, work cut into units, reductions joined in a fixed order.

use std::sync::OnceLock;

use pullback_base::{Error, Result};
use pullback_kernels::Isa;
use pullback_kernels::tile::layout;
use smallvec::SmallVec;

use crate::code::{Code, TILE_BYTES};
use crate::fuse::fuse;
use crate::ir::{Inst, Tiled};
use crate::memory::CpuBuffer;
use crate::plan::{Variant, plan};
use crate::threads;
use crate::walk::{shape, walk};

/// Strides of a list of axes, in elements.
pub(crate) type Strides = SmallVec<[isize; 4]>;

/// An input of a run.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Its first element.
    pub ptr: *const u8,
    /// Elements from row to row, for each axis that rows are made of.
    pub rows: Strides,
    /// Elements from column to column.
    pub col: isize,
}

/// The points of a run: rows of columns. Rows may be made of several axes, the last one the fastest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Points<'a> {
    pub outer: &'a [usize],
    pub cols: usize,
}

impl Points<'_> {
    pub(crate) fn rows(&self) -> usize {
        self.outer.iter().product()
    }
}

/// A tiled program ready to run.
pub(crate) struct Group {
    program: Tiled,
    isa: Isa,
    variants: [OnceLock<std::result::Result<Code, String>>; 4],
}

/// One run, as the threads see it.
pub(crate) struct Job<'a> {
    pub code: &'a Code,
    pub narrow: bool,
    pub outer: &'a [usize],
    pub rows: usize,
    pub cols: usize,
    /// Rows of a unit, where narrow.
    pub group: usize,
    /// Units of a row, where not.
    pub panels: usize,
    /// True where the next tile is asked for ahead.
    pub fetch: bool,
    pub inputs: &'a [Input],
    pub outputs: &'a [*mut u8],
}

// SAFETY: the pointers lead to memory that is only read, or written by one unit each.
unsafe impl Sync for Job<'_> {}

/// A pointer that threads share; each uses a part of its own.
struct Shared(*mut u64);
// SAFETY: see above.
unsafe impl Sync for Shared {}

/// Bytes in all arrays from which on a tile is asked for ahead; below, the processor's own prefetch does better.
const FETCH_BYTES: usize = 16 << 20;
/// Picoseconds per element from which on there is computation to hide memory behind.
const FETCH_COST: usize = 250;
/// Units joined before anything else, so that results do not depend on the number of threads.
const BLOCK: usize = 64;

impl Group {
    /// A program for an instruction set that this processor has.
    pub(crate) fn new(program: &Tiled, isa: Isa) -> Group {
        Group { program: fuse(program, isa), isa, variants: Default::default() }
    }

    /// The program with its superinstructions.
    #[cfg(test)]
    pub(crate) fn program(&self) -> &Tiled {
        &self.program
    }

    /// Rough picoseconds per point.
    pub(crate) fn cost(&self) -> usize {
        let cost = |inst: &Inst| if let Inst::Map { op, .. } = inst { op.cost() } else { 40 };
        self.program.insts.iter().map(cost).sum()
    }

    fn code(&self, variant: Variant) -> Result<&Code> {
        let slot = &self.variants[usize::from(variant.narrow) + 2 * usize::from(variant.in_place)];
        let code = slot.get_or_init(|| plan(&self.program, self.isa, variant)).as_ref();
        code.map_err(|text| Error::internal(text.clone()))
    }

    /// Runs over all points, on the calling thread alone if `alone`.
    ///
    /// # Safety
    /// Pointers lead to as many aligned elements as the program reads and writes. An output overlaps no other
    /// output, and no input unless it starts where that input starts, both are `Full` with elements of one size,
    /// the program does not reduce, and stores no input as it is.
    ///
    /// # Errors
    /// `Internal` if the program uses an operation on a type that has no kernel for it, `Memory` if scratch is
    /// refused.
    pub(crate) unsafe fn run(
        &self,
        points: Points,
        inputs: &[Input],
        outputs: &[*mut u8],
        alone: bool,
    ) -> Result<()> {
        let (rows, cols) = (points.rows(), points.cols);
        let narrow = rows > 1 && cols <= TILE_BYTES / 16;
        let in_place = outputs.iter().any(|output| inputs.iter().any(|input| input.ptr == *output));
        let code = self.code(Variant { narrow, in_place })?;
        let (units, group, panels) = shape(code, narrow, rows, cols);
        let bytes = rows * cols * 4 * (inputs.len() + outputs.len());
        let fetch = bytes > FETCH_BYTES && code.cost >= FETCH_COST && panels > 1;
        let job =
            Job { code, narrow, outer: points.outer, rows, cols, group, panels, fetch, inputs, outputs };
        let work = if alone { 0 } else { rows * cols * code.cost.max(40) };
        if code.totals.is_empty() && code.columns.is_empty() {
            threads::ranges(threads::parts(work, units), units, |units| {
                // SAFETY: parts are disjoint; the rest is the caller's promise.
                unsafe { walk(&job, units, &mut [], &[]) }
            });
            Ok(())
        } else {
            // SAFETY: the caller's promise.
            unsafe { reduce(&job, units, work) }
        }
    }
}

/// Partial rows of `Outer` reductions: one row for each block and reduction.
struct Partials {
    memory: Vec<CpuBuffer>,
    /// Bytes from block to block, and bytes of them in use.
    widths: Vec<(usize, usize)>,
}

impl Partials {
    fn new(job: &Job, blocks: usize) -> Result<Partials> {
        // Where rows are short, a tile of several is added up as one: the rows in it are joined at the end.
        let cols = if job.narrow { job.group * job.cols } else { job.cols };
        let width = |size: usize| ((cols * size).next_multiple_of(64), cols * size);
        let widths: Vec<_> = job.code.columns.iter().map(|tail| width(tail.size)).collect();
        let memory =
            widths.iter().map(|(width, _)| CpuBuffer::new(width * blocks.max(1))).collect::<Result<_>>()?;
        Ok(Partials { memory, widths })
    }

    fn rows(&self, block: usize) -> SmallVec<[*mut u8; 4]> {
        let row =
            |(memory, (width, _)): (&CpuBuffer, &(usize, usize))| memory.ptr().wrapping_add(block * width);
        self.memory.iter().zip(&self.widths).map(row).collect()
    }

    /// Sets the rows of a block to what joining starts from.
    fn start(&self, job: &Job, block: usize) {
        for ((tail, row), (_, bytes)) in job.code.columns.iter().zip(self.rows(block)).zip(&self.widths) {
            // SAFETY: a row of its own, as long as the columns; `start` is an element, low bytes first.
            unsafe {
                let row = std::slice::from_raw_parts_mut(row, *bytes);
                layout::spread(tail.size)(
                    row,
                    (&raw const tail.reducer.start).cast(),
                    1,
                    bytes / tail.size,
                    0,
                    0,
                );
            }
        }
    }

    /// Joins all blocks, and the rows of a tile, into the first row, and writes it out.
    ///
    /// # Safety
    /// Nobody else uses the partials; outputs hold an element per column.
    unsafe fn finish(&self, job: &Job, blocks: usize) {
        // A tree over the blocks: the error of a sum grows with the logarithm of their number.
        let mut step = 1;
        while step < blocks {
            for index in (0..blocks - step).step_by(2 * step) {
                let (into, from) = (self.rows(index), self.rows(index + step));
                for (k, tail) in job.code.columns.iter().enumerate() {
                    let bytes = self.widths[k].1;
                    // SAFETY: two different rows of the partials.
                    unsafe {
                        let into = std::slice::from_raw_parts_mut(into[k], bytes);
                        (tail.reducer.accumulate)(into, std::slice::from_raw_parts(from[k], bytes));
                    }
                }
            }
            step *= 2;
        }
        for ((tail, row), (_, bytes)) in job.code.columns.iter().zip(self.rows(0)).zip(&self.widths) {
            let line = job.cols * tail.size;
            // SAFETY: the output holds one element per column, the row of partials whole lines of so many.
            unsafe {
                let into = std::slice::from_raw_parts_mut(job.outputs[tail.output as usize], line);
                let lines = std::slice::from_raw_parts(row, *bytes);
                into.copy_from_slice(&lines[..line]);
                for more in lines[line..].chunks_exact(line) {
                    (tail.reducer.accumulate)(into, more);
                }
            }
        }
    }
}

/// A run with reductions over everything or over the rows: blocks of fixed size, joined in order.
///
/// # Safety
/// As `Group::run`.
unsafe fn reduce(job: &Job, units: usize, work: usize) -> Result<()> {
    let code = job.code;
    // With partial rows a block must be long enough to pay for its own, and hold whole rows.
    let block =
        if code.columns.is_empty() { BLOCK } else { units.div_ceil(32 * job.panels).max(BLOCK) * job.panels };
    let blocks = units.div_ceil(block);
    let totals = code.totals.len();
    let empty: SmallVec<[u64; 4]> = code.totals.iter().map(|tail| tail.reducer.empty).collect();
    let mut cells: SmallVec<[u64; 16]> = (0..totals * blocks).map(|k| empty[k % totals]).collect();
    let shared = Shared(cells.as_mut_ptr());
    let partials = Partials::new(job, blocks)?;
    if blocks == 1 && totals == 0 && job.panels > 1 {
        partials.start(job, 0);
        let rows = partials.rows(0);
        let rows = Lines(&rows);
        threads::ranges(threads::parts(work, job.panels), job.panels, |panels| {
            for row in 0..job.rows {
                let units = row * job.panels + panels.start..row * job.panels + panels.end;
                // SAFETY: each part has columns of its own.
                unsafe { walk(job, units, &mut [], rows.get()) }
            }
        });
    } else {
        let shared = &shared;
        let partials = &partials;
        threads::ranges(threads::parts(work, blocks), blocks, |range| {
            for index in range {
                partials.start(job, index);
                // SAFETY: the cells and the partial rows of this block are this part's alone.
                unsafe {
                    let cells = std::slice::from_raw_parts_mut(shared.0.add(index * totals), totals);
                    walk(job, index * block..units.min((index + 1) * block), cells, &partials.rows(index));
                }
            }
        });
    }
    for (k, tail) in code.totals.iter().enumerate() {
        let total =
            (1..blocks).fold(cells[k], |sum, index| (tail.reducer.join)(sum, cells[index * totals + k]));
        let value = (tail.reducer.finish)(total).to_le_bytes();
        // SAFETY: the output holds one element.
        unsafe {
            std::ptr::copy_nonoverlapping(value.as_ptr(), job.outputs[tail.output as usize], tail.size)
        };
    }
    // SAFETY: all parts are done.
    unsafe { partials.finish(job, blocks) };
    Ok(())
}

/// Partial rows that threads share, each with columns of its own.
struct Lines<'a>(&'a [*mut u8]);
// SAFETY: see above.
unsafe impl Sync for Lines<'_> {}

impl Lines<'_> {
    fn get(&self) -> &[*mut u8] {
        self.0
    }
}
