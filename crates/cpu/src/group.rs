//! One run of a group program over an N-dimensional space.

use pullback_base::{Layout as Strided, Result, Shape};
use pullback_compile::GroupStep;
use pullback_compile::program::Class;
use pullback_kernels::Isa;
use pullback_kernels::tile::{fold, layout};
use smallvec::SmallVec;

use crate::gather::gathered;
use crate::ir::{Axis, Layout};
use crate::memory::CpuBuffer;
use crate::programs::{Form, Known};
use crate::run::{Group, Input, Points, Strides};
use crate::space::{Axes, Cut};
use crate::threads;
use crate::translate::Part;

/// What a step reads: where its elements start, and how they lie over the space.
pub(crate) struct Read<'a> {
    pub ptr: *const u8,
    pub layout: &'a Strided,
}

type Pointers = SmallVec<[*mut u8; 8]>;
type Sources = SmallVec<[*const u8; 8]>;

/// Runs a step.
///
/// # Safety
/// Inputs lead to all elements that their layouts reach, outputs to as many as the program writes. An output
/// overlaps nothing, but it may start where an input does that is `Full` and of its size, if the program does
/// not reduce and stores no input as it is.
///
/// # Errors
/// `Internal` for what `lacks_group` refuses, `Memory` if there is no room for partial results.
pub(crate) unsafe fn run(
    known: &Known,
    isa: Isa,
    step: &GroupStep,
    reads: &[Read],
    outputs: &[*mut u8],
) -> Result<()> {
    let run = Run { known, isa, step, reads };
    let points = step.space.size();
    if known.facts.reduces.is_empty() {
        if points == 0 {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        return unsafe { run.all_points(points, outputs) };
    }
    let used = |k: usize| known.facts.used[k].0;
    let axes = run.axes(&step.space, &step.reduced, used);
    if !axes.reduces() {
        let axes = run.axes(&step.space, &step.reduced, |_| true);
        // SAFETY: the caller's promise.
        return if points == 0 { Ok(()) } else { unsafe { run.points(Part::Points, axes, outputs) } };
    }
    // SAFETY: the caller's promise.
    unsafe { run.reduction(axes, points, outputs) }
}

struct Run<'a> {
    known: &'a Known,
    isa: Isa,
    step: &'a GroupStep,
    reads: &'a [Read<'a>],
}

impl Run<'_> {
    fn axes(&self, space: &Shape, reduced: &[bool], used: impl Fn(usize) -> bool) -> Axes {
        let strides =
            |(k, read): (usize, &Read)| used(k).then(|| &read.layout.strides[..]).map(Strides::from_slice);
        let strides: SmallVec<[Option<Strides>; 8]> = self.reads.iter().enumerate().map(strides).collect();
        Axes::new(space, reduced, strides.iter().map(|strides| strides.as_deref()))
    }

    fn sources(&self) -> Sources {
        self.reads.iter().map(|read| read.ptr).collect()
    }

    /// A program without reductions: at once if its inputs are plain, else by its axes.
    ///
    /// # Safety
    /// As `run`.
    unsafe fn all_points(&self, points: usize, outputs: &[*mut u8]) -> Result<()> {
        let classes = &self.known.program.inputs;
        if classes.contains(&Class::Strided) {
            let axes = self.axes(&self.step.space, &[], |_| true);
            // SAFETY: the caller's promise.
            return unsafe { self.points(Part::Points, axes, outputs) };
        }
        let layouts = classes.iter().map(|&class| match class {
            Class::Scalar if points > 1 => Layout::Scalar,
            _ => Layout::Full,
        });
        let form = Form { part: Part::Points, axis: None, layouts: layouts.collect() };
        let input = |read: &Read| Input { ptr: read.ptr, rows: Strides::new(), col: 1 };
        let inputs: SmallVec<[Input; 8]> = self.reads.iter().map(input).collect();
        let group = self.known.group(form, self.isa);
        // SAFETY: the caller's promise.
        unsafe { group.run(Points { outer: &[], cols: points }, &inputs, outputs, false) }
    }

    /// The program, or what it stores of every point, over these axes.
    ///
    /// # Safety
    /// As `run`.
    unsafe fn points(&self, part: Part, axes: Axes, outputs: &[*mut u8]) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { launch(self.known, self.isa, part, &axes.cut_points(), &self.sources(), outputs, &[]) }
    }

    /// A program that reduces over at least one axis.
    ///
    /// # Safety
    /// As `run`.
    unsafe fn reduction(&self, axes: Axes, points: usize, outputs: &[*mut u8]) -> Result<()> {
        let (facts, program) = (&self.known.facts, &self.known.program);
        let kept: Shape = kept(&self.step.space, &self.step.reduced).collect();
        let size = kept.size();
        if size == 0 {
            return Ok(());
        }
        // Each reduction goes to the output that is just that, or to a block of its own.
        let mut blocks: SmallVec<[CpuBuffer; 4]> = SmallVec::new();
        let mut results = Pointers::new();
        for (k, &reduce) in facts.reduces.iter().enumerate() {
            results.push(match facts.direct[k] {
                Some(output) => outputs[output as usize],
                None => {
                    blocks.push(CpuBuffer::new(size * program.types[reduce].size())?);
                    blocks[blocks.len() - 1].ptr()
                }
            });
        }
        if points == 0 {
            self.fill_neutral(size, &results);
        } else {
            // SAFETY: results have room for the kept axes; the rest is the caller's promise.
            unsafe { self.folds(axes, outputs, &results)? };
        }
        if !facts.epilogue {
            return Ok(());
        }
        // SAFETY: the caller's promise; results have been written.
        unsafe { self.epilogue(&kept, outputs, &results) }
    }

    /// Reductions over nothing.
    fn fill_neutral(&self, size: usize, results: &[*mut u8]) {
        for (k, &reduce) in self.known.facts.reduces.iter().enumerate() {
            let dtype = self.known.program.types[reduce];
            let folds = self.known.facts.fold(&self.known.program, k);
            let start = fold::reducer(folds, dtype, self.isa).map_or(0, |reducer| reducer.start);
            // SAFETY: the result has room for `size` elements; `start` is one, low bytes first.
            unsafe {
                let result = std::slice::from_raw_parts_mut(results[k], size * dtype.size());
                layout::spread(dtype.size())(result, (&raw const start).cast(), 1, size, 0, 0);
            }
        }
    }

    /// All reductions, and what is stored of every point.
    ///
    /// # Safety
    /// As `run`; results have room for an element of each kept point.
    unsafe fn folds(&self, axes: Axes, outputs: &[*mut u8], results: &[*mut u8]) -> Result<()> {
        let (known, isa, sources) = (self.known, self.isa, self.sources());
        let all: Pointers = outputs.iter().chain(results).copied().collect();
        if known.facts.full {
            if let Some(cut) = axes.clone().cut_in_order() {
                // SAFETY: the caller's promise.
                return unsafe { launch(known, isa, Part::Both, &cut, &sources, &all, &[]) };
            }
            let points = Axes { reduced: SmallVec::from_elem(false, axes.sizes.len()), ..axes.clone() };
            // SAFETY: the caller's promise.
            unsafe { self.points(Part::Full, points, outputs)? };
        }
        let cut = axes.cut_fold();
        let folded = cut.axes.reduced.iter().filter(|&&reduced| reduced).count();
        let sizes = self.sizes();
        if cut.axis != Some(Axis::Inner) || folded == 1 {
            // Results of one turn: a column each, or one for all.
            let each = if cut.axis == Some(Axis::Outer) { cut.cols() } else { 1 };
            let steps: SmallVec<[usize; 8]> =
                outputs.iter().map(|_| 0).chain(sizes.iter().map(|size| size * each)).collect();
            // SAFETY: the caller's promise.
            return unsafe { launch(known, isa, Part::Fold, &cut, &sources, &all, &steps) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.twice(cut, &sources, outputs, results) }
    }

    /// Bytes of an element of each reduction.
    fn sizes(&self) -> SmallVec<[usize; 4]> {
        let types = &self.known.program.types;
        self.known.facts.reduces.iter().map(|&reduce| types[reduce].size()).collect()
    }

    /// Reductions along the last axis, then along the others that do not continue it.
    ///
    /// # Safety
    /// As `folds`.
    unsafe fn twice(
        &self,
        cut: Cut,
        sources: &[*const u8],
        outputs: &[*mut u8],
        results: &[*mut u8],
    ) -> Result<()> {
        let rows: usize = cut.outer().iter().product();
        let blocks: Vec<CpuBuffer> =
            self.sizes().iter().map(|size| CpuBuffer::new(rows * size)).collect::<Result<_>>()?;
        let partial = |block: &CpuBuffer| block.ptr();
        let all: Pointers = outputs.iter().copied().chain(blocks.iter().map(partial)).collect();
        // SAFETY: partial results have an element for each row.
        unsafe { launch(self.known, self.isa, Part::Fold, &cut, sources, &all, &[])? };
        let count = cut.axes.sizes.len() - 1;
        let sizes = &cut.axes.sizes[..count];
        let strides = Shape::new(sizes).strides();
        let axes = Axes::new(sizes, &cut.axes.reduced[..count], blocks.iter().map(|_| Some(&strides[..])));
        let cut =
            axes.cut_in_order().expect("kept axes lead and what is left of the others follows, in order");
        let sources: Sources = blocks.iter().map(|block| block.ptr().cast_const()).collect();
        // SAFETY: partial results were written above; results are the caller's promise.
        unsafe { launch(self.known, self.isa, Part::Again, &cut, &sources, results, &[]) }
    }

    /// What is made of the reductions, over the kept axes.
    ///
    /// # Safety
    /// As `run`; results have been written.
    unsafe fn epilogue(&self, shape: &Shape, outputs: &[*mut u8], results: &[*mut u8]) -> Result<()> {
        let facts = &self.known.facts;
        let own = shape.strides();
        let strides: SmallVec<[Option<Strides>; 8]> = (0..self.reads.len())
            .map(|k| {
                let all = &self.reads[k].layout.strides;
                let kept = (0..all.len()).filter(|&axis| !self.step.reduced[axis]).map(|axis| all[axis]);
                facts.used[k].1.then(|| kept.collect())
            })
            .collect();
        let strides = strides.iter().map(|strides| strides.as_deref());
        let axes = Axes::new(shape, &[], strides.chain(results.iter().map(|_| Some(&own[..]))));
        let mut sources = self.sources();
        sources.extend(results.iter().map(|result| result.cast_const()));
        // SAFETY: the caller's promise.
        unsafe { launch(self.known, self.isa, Part::Epilogue, &axes.cut_points(), &sources, outputs, &[]) }
    }
}

/// Sizes of the axes that are not reduced.
fn kept<'a>(space: &'a Shape, reduced: &'a [bool]) -> impl Iterator<Item = usize> + 'a {
    space.iter().zip(reduced).filter(|(_, reduced)| !**reduced).map(|(&size, _)| size)
}

/// Pointers that threads share; each turn writes elsewhere.
struct Shared<'a>(&'a [*const u8], &'a [*mut u8]);
// SAFETY: see above.
unsafe impl Sync for Shared<'_> {}

/// Runs a part of a program over a cut, once for each turn of its leading axes, `steps` bytes further in each output.
///
/// # Safety
/// As `Group::run`, for each turn.
unsafe fn launch(
    known: &Known,
    isa: Isa,
    part: Part,
    cut: &Cut,
    sources: &[*const u8],
    outputs: &[*mut u8],
    steps: &[usize],
) -> Result<()> {
    // SAFETY: the caller's promise.
    if let Some((cut, sources, _blocks)) = unsafe { gathered(&input_sizes(known, part), cut, sources)? } {
        // SAFETY: the caller's promise; what was gathered lies in order.
        return unsafe { launch(known, isa, part, &cut, &sources, outputs, steps) };
    }
    let layouts = (0..cut.axes.strides.len()).map(|input| cut.layout(input)).collect();
    let group = known.group(Form { part, axis: cut.axis, layouts }, isa);
    if cut.lead == 0 {
        let inputs: SmallVec<[Input; 8]> = (0..sources.len()).map(|k| cut.input(k, sources[k])).collect();
        // SAFETY: the caller's promise.
        return unsafe {
            group.run(Points { outer: cut.outer(), cols: cut.cols() }, &inputs, outputs, false)
        };
    }
    // SAFETY: the caller's promise.
    unsafe { turns(known, &group, part, cut, Shared(sources, outputs), steps) }
}

/// Bytes of an element of each input of a part.
fn input_sizes(known: &Known, part: Part) -> SmallVec<[usize; 8]> {
    use pullback_compile::Inst;
    let program = &known.program;
    if part == Part::Again {
        return known.facts.reduces.iter().map(|&reduce| program.types[reduce].size()).collect();
    }
    let mut sizes = SmallVec::from_elem(1, program.inputs.len());
    for (inst, dtype) in program.insts.iter().zip(&program.types) {
        if let Inst::Load { input } = *inst {
            sizes[input as usize] = dtype.size();
        }
    }
    sizes
}

/// # Safety
/// As `launch`.
unsafe fn turns(
    known: &Known,
    group: &Group,
    part: Part,
    cut: &Cut,
    shared: Shared,
    steps: &[usize],
) -> Result<()> {
    let (count, sizes) = (cut.turns(), input_sizes(known, part));
    let points = Points { outer: cut.outer(), cols: cut.cols() };
    // Setting up a turn takes as long as some thousand elements of a cheap program.
    let work = count * (points.rows() * points.cols * group.cost() + 300_000);
    let parts = threads::parts(work, count);
    // With few turns each is split instead: that keeps all threads busy to the end.
    let alone = count >= 4 * parts && parts > 1;
    let (failed, shared) = (std::sync::Mutex::new(Ok(())), &shared);
    threads::ranges(if alone { parts } else { 1 }, count, |range| {
        let Shared(sources, outputs) = *shared;
        for turn in range {
            let start = |k: usize| cut.start(k, turn) * sizes[k] as isize;
            let input = |k: usize| cut.input(k, sources[k].wrapping_offset(start(k)));
            let inputs: SmallVec<[Input; 8]> = (0..sources.len()).map(input).collect();
            let outputs: Pointers =
                outputs.iter().zip(steps).map(|(output, step)| output.wrapping_add(turn * step)).collect();
            // SAFETY: the caller's promise; every turn writes elements of its own.
            if let Err(error) = unsafe { group.run(points, &inputs, &outputs, alone) } {
                *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Err(error);
            }
        }
    });
    failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
