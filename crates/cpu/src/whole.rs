//! Kernels over whole arrays: loops from `kernels`, split over threads where there is enough to do.

use std::ops::Range;

use pullback_base::{Aval, Dtype, Error, Layout, Result};
use pullback_compile::WholeStep;
use pullback_kernels::array::{index, order, place, random, scan, scatter};
use pullback_kernels::element::{elements, elements_mut};
use pullback_kernels::tile::cast::Convert;
use pullback_kernels::{Isa, Scatter, Whole, with_element, with_real};
use rayon::slice::ParallelSliceMut;

use crate::conv;
use crate::fourier;
use crate::linalg;
use crate::matmul::{Side, Sizes, matmul};
use crate::packed;
use crate::threads;

/// An operand: where its first element is, and what it is.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub ptr: *const u8,
    pub dtype: Dtype,
    pub layout: &'a Layout,
}

/// Length from which on one line is sorted by several threads.
const LONG_LINE: usize = 1 << 17;

/// Why there is no such kernel for operands of these types.
pub(crate) fn lacks(whole: &Whole, dtypes: &[Dtype]) -> Option<String> {
    let first = dtypes.first().copied().unwrap_or(Dtype::F32);
    let named = match whole {
        Whole::ArgReduce { .. } => "argmax and argmin need an order, which complex numbers have not",
        Whole::Sort | Whole::ArgSort => "sorting needs an order, which complex numbers have not",
        Whole::Linalg(_) => return linalg::lacks(first),
        _ => return None,
    };
    (first == Dtype::C64).then(|| named.to_string())
}

/// Runs a kernel with one result. `donated` says that the output is the memory of the first operand.
///
/// # Safety
/// Operands and the output hold the elements that the step's shapes say; the output overlaps no operand, or is
/// the first one of a `Scatter`.
///
/// # Errors
/// `Internal` for what `lacks` names and for operands that do not fit, `Memory` without room for scratch.
pub(crate) unsafe fn run(
    step: &WholeStep,
    isa: Isa,
    sources: &[Source],
    out: *mut u8,
    aval: &Aval,
    donated: bool,
) -> Result<()> {
    counted(step, sources.len())?;
    match &step.whole {
        // SAFETY: the caller's promise.
        Whole::Matmul => return unsafe { product(step, isa, sources, out) },
        // SAFETY: the caller's promise.
        Whole::Conv(slides) => return unsafe { conv::run(step, slides, isa, sources, out) },
        // SAFETY: the caller's promise.
        Whole::Packed(packed) => return unsafe { packed::run(step, *packed, isa, sources, out) },
        _ => {}
    }
    // SAFETY: the caller's promise.
    let call = unsafe {
        let bytes = |(source, shape): (&Source, &pullback_base::Shape)| {
            std::slice::from_raw_parts(source.ptr, shape.size() * source.dtype.size())
        };
        let slices: Vec<&[u8]> = if donated {
            // The first operand is the output itself: it must not be seen twice.
            let rest = sources.iter().zip(&step.shapes).skip(1).map(bytes);
            std::iter::once(&[][..]).chain(rest).collect()
        } else {
            sources.iter().zip(&step.shapes).map(bytes).collect()
        };
        let out = std::slice::from_raw_parts_mut(out, aval.bytes());
        Call { step, slices, dtype: sources.first().map_or(aval.dtype, |source| source.dtype), out }
    };
    call.run(isa, aval.dtype, donated)
}

/// Refuses another number of operands than the kernel takes.
///
/// # Errors
/// `Internal`.
pub(crate) fn counted(step: &WholeStep, operands: usize) -> Result<()> {
    let count = step.whole.operands();
    if count.is_some_and(|count| operands != count) || step.shapes.len() != operands {
        return Err(Error::internal(format!("[{:?}] got {operands} operands", step.whole)));
    }
    Ok(())
}

/// # Safety
/// As `run`.
unsafe fn product(step: &WholeStep, isa: Isa, sources: &[Source], out: *mut u8) -> Result<()> {
    let (a, b) = (&step.shapes[0], &step.shapes[1]);
    if a.ndim() != 3 || b.ndim() != 3 || a[0] != b[0] || a[2] != b[1] {
        return Err(Error::internal(format!("[Matmul] shapes {a} and {b}")));
    }
    let side = |source: &Source| {
        let strides = &source.layout.strides;
        Side { ptr: source.ptr, batch: strides[0], row: strides[1], col: strides[2] }
    };
    let sizes = Sizes { b: a[0], m: a[1], k: a[2], n: b[2] };
    // SAFETY: the caller's promise.
    unsafe { matmul(sources[0].dtype, isa, sizes, out, side(&sources[0]), side(&sources[1])) }
}

/// One run.
struct Call<'a> {
    step: &'a WholeStep,
    slices: Vec<&'a [u8]>,
    dtype: Dtype,
    out: &'a mut [u8],
}

/// Memory that threads share, each writing to lanes of its own.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(pub *mut T);
// SAFETY: see above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The element at an offset.
    pub fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

impl Call<'_> {
    fn run(self, isa: Isa, to: Dtype, donated: bool) -> Result<()> {
        let lost = || Error::internal("[cpu] a kernel over whole arrays met a type that it lacks");
        match self.step.whole {
            Whole::Matmul | Whole::Conv(_) | Whole::Packed(_) | Whole::Linalg(_) => return Err(lost()),
            Whole::Take => self.take(),
            Whole::Concatenate => self.concatenate(),
            Whole::Place { size, ref into } => {
                let into = into.clone();
                self.place(size, &into)?;
            }
            Whole::Iota => self.iota(to),
            Whole::Fourier(of) => {
                let sides = fourier::Sides { from: self.dtype, to, read: self.shape() };
                fourier::transform(of, sides, self.slices[0], self.out)?;
            }
            Whole::RandomBits { words } => self.random(isa, words),
            Whole::Scatter(how) => self.scatter(how, donated),
            Whole::Sort => with_real!(self.dtype, T => self.sort::<T>(), else return Err(lost())),
            Whole::ArgSort => with_real!(self.dtype, T => self.arg_sort::<T>(), else return Err(lost())),
            Whole::ArgReduce { max } => {
                with_real!(self.dtype, T => self.arg_reduce::<T>(max), else return Err(lost()))
            }
            Whole::Cumulate { how, reverse, inclusive } => {
                with_real!(self.dtype, T => self.cumulate::<T>(|out, x, i| {
                    scan::cumulate(out, x, i, how, reverse, inclusive);
                }), else self.cumulate::<[f32; 2]>(|out, x, i| {
                    scan::cumulate(out, x, i, how, reverse, inclusive);
                }))
            }
        }
        Ok(())
    }

    fn take(self) {
        let (table, shape) = (self.slices[0], &self.step.shapes[0]);
        let row = shape[1] * self.dtype.size();
        // SAFETY: the index is `i32`, in a block aligned for it.
        let positions = unsafe { elements::<i32>(self.slices[1]) };
        threads::pieces(self.out, row, 2_000 + 100 * row, |rows, out| {
            index::take(out, table, shape[0], row, &positions[rows]);
        });
    }

    fn concatenate(self) {
        let size = self.dtype.size();
        let parts: Vec<(&[u8], usize)> = self
            .slices
            .iter()
            .zip(&self.step.shapes)
            .map(|(slice, shape)| (*slice, shape[1..].iter().product::<usize>() * size))
            .collect();
        let row = parts.iter().map(|(_, bytes)| bytes).sum();
        threads::pieces(self.out, row, 100 * row, |rows, out| place::concatenate(out, &parts, rows));
    }

    fn place(self, size: usize, into: &Layout) -> Result<()> {
        let (x, element) = (self.slices[0], self.dtype.size());
        let reach = |(&size, &stride): (&usize, &isize)| (size as isize - 1) * stride;
        let ends = into.shape.iter().zip(&into.strides).map(reach);
        let (low, high) = ends.fold((0, 0), |(low, high), end: isize| (low + end.min(0), high + end.max(0)));
        let first = into.offset as isize;
        if into.shape.size() > 0 && (first + low < 0 || first + high >= size as isize) {
            return Err(Error::internal(format!("[Place] {into:?} reaches beyond {size} elements")));
        }
        if into.shape.size() != size {
            let fill = self.slices[1];
            threads::pieces(self.out, element, 100, |_, out| place::fill(out, &fill[..element]));
        }
        let rows = into.shape.first().copied().unwrap_or(1);
        let own = into.shape.strides();
        let out = Shared(self.out.as_mut_ptr());
        let parts = threads::parts(into.shape.size() * 500, rows);
        threads::ranges(parts, rows, |rows| {
            let mut shape = into.shape.to_vec();
            let (mut to, mut from) = (first, 0);
            if let Some(size) = shape.first_mut() {
                *size = rows.len();
                to += rows.start as isize * into.strides[0];
                from = rows.start as isize * own[0];
            }
            // SAFETY: within the output, as was checked; the layout puts no two elements in one place, and the source is
            // another block.
            unsafe {
                let dst = out.at(0).offset(to * element as isize);
                let src = x.as_ptr().offset(from * element as isize);
                place::copy(dst, &into.strides, src, &own, &shape, element);
            }
        });
        Ok(())
    }

    fn iota(self, to: Dtype) {
        with_element!(to, T => {
            // SAFETY: the output is elements of this type.
            let out = unsafe { elements_mut::<T>(self.out) };
            for (i, out) in out.iter_mut().enumerate() {
                *out = (i as u64).convert();
            }
        });
    }

    fn random(self, isa: Isa, words: usize) {
        if words == 0 {
            return;
        }
        // SAFETY: keys and words are `u32`, in blocks aligned for it.
        let (keys, out) = unsafe { (elements::<u32>(self.slices[0]), elements_mut::<u32>(self.out)) };
        for (key, out) in keys.as_chunks::<2>().0.iter().zip(out.chunks_exact_mut(words)) {
            let half = words / 2;
            let (low, high) = out.split_at_mut(half);
            let (middle, high) = high.split_at_mut(words % 2);
            if let [middle] = middle {
                *middle = random::middle(*key, words);
            }
            let shared = (Shared(low.as_mut_ptr()), Shared(high.as_mut_ptr()));
            threads::ranges(threads::parts(half * 4_000, half), half, |range| {
                // SAFETY: pairs of this part alone.
                let (low, high) = unsafe {
                    (
                        std::slice::from_raw_parts_mut(shared.0.at(range.start), range.len()),
                        std::slice::from_raw_parts_mut(shared.1.at(range.start), range.len()),
                    )
                };
                random::fill(isa, *key, words, range.start, low, high);
            });
        }
    }

    fn scatter(self, how: Scatter, donated: bool) {
        if !donated {
            self.out.copy_from_slice(self.slices[0]);
        }
        let (n, i) = (self.step.shapes[0][0], self.step.shapes[0][1]);
        // SAFETY: the index is `i32`, in a block aligned for it.
        let positions = unsafe { elements::<i32>(self.slices[1]) };
        with_element!(self.dtype, T => {
            // SAFETY: elements of this type.
            let updates = unsafe { elements::<T>(self.slices[2]) };
            // Every part reads all positions: that pays where rows are long.
            let work = if i >= 16 { positions.len() * i * 300 } else { 0 };
            let each = work.checked_div(n).unwrap_or(0);
            threads::pieces(self.out, i * size_of::<T>(), each, |rows, out| {
                // SAFETY: rows of elements of this type.
                let out = unsafe { elements_mut::<T>(out) };
                scatter::scatter(how, out, (n, i), positions, updates, rows);
            });
        });
    }

    /// `[o, n, i]` of the first operand.
    fn shape(&self) -> [usize; 3] {
        let shape = &self.step.shapes[0];
        [shape[0], shape[1], shape[2]]
    }

    fn cumulate<T: scan::Carried>(self, kernel: impl Fn(&mut [T], &[T], usize) + Sync) {
        let [_, n, i] = self.shape();
        let x = self.slices[0];
        let block = n * i * size_of::<T>();
        threads::pieces(self.out, block, n * i * 1_000, |range, out| {
            let x = &x[range.start * block..range.end * block];
            // SAFETY: elements of this type.
            let (out, x) = unsafe { (elements_mut::<T>(out), elements::<T>(x)) };
            for (out, x) in out.chunks_exact_mut((n * i).max(1)).zip(x.chunks_exact((n * i).max(1))) {
                kernel(out, x, i);
            }
        });
    }

    fn arg_reduce<T: scan::Real>(self, max: bool) {
        let [_, n, i] = self.shape();
        // SAFETY: elements of this type.
        let x = unsafe { elements::<T>(self.slices[0]) };
        threads::pieces(self.out, i * 4, n * i * 1_000, |range, out| {
            // SAFETY: positions are `u32`.
            let out = unsafe { elements_mut::<u32>(out) };
            for (o, out) in range.zip(out.chunks_exact_mut(i.max(1))) {
                scan::arg_reduce(out, &x[o * n * i..(o + 1) * n * i], i, max);
            }
        });
    }

    /// Runs `each` for every lane, with scratch; `lane` is (outer position, inner position).
    fn lanes<S: Default>(shape: [usize; 3], each: impl Fn(usize, usize, &mut S) + Sync) {
        let [o, n, i] = shape;
        if n == 0 {
            return;
        }
        let lanes = o * i;
        let cost = n * 2_000 * (n.ilog2() as usize + 1);
        threads::ranges(threads::parts(lanes * cost, lanes), lanes, |range: Range<usize>| {
            let mut scratch = S::default();
            range.for_each(|lane| each(lane / i, lane % i, &mut scratch));
        });
    }

    fn sort<T: scan::Real>(self) {
        let shape = self.shape();
        let [_, n, i] = shape;
        // SAFETY: elements of this type.
        let (x, out) = unsafe { (elements::<T>(self.slices[0]), elements_mut::<T>(self.out)) };
        if i == 1 && n >= LONG_LINE && x.len() / n < threads::count() {
            out.copy_from_slice(x);
            return threads::inside(|| {
                out.chunks_exact_mut(n).for_each(|line| line.par_sort_by(order::compare))
            });
        }
        let out = Shared(out.as_mut_ptr());
        Self::lanes(shape, |o, lane, line| {
            // SAFETY: each lane is written by one thread.
            unsafe { order::sort(out.at(o * n * i + lane), &x[o * n * i..(o + 1) * n * i], i, lane, line) };
        });
    }

    fn arg_sort<T: scan::Real>(self) {
        let shape = self.shape();
        let [_, n, i] = shape;
        // SAFETY: elements of this type; positions are `u32`.
        let (x, out) = unsafe { (elements::<T>(self.slices[0]), elements_mut::<u32>(self.out)) };
        if i == 1 && n >= LONG_LINE && x.len() / n < threads::count() {
            return threads::inside(|| {
                for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                    out.iter_mut().zip(0u32..).for_each(|(out, at)| *out = at);
                    out.par_sort_by(|&a, &b| order::compare(&x[a as usize], &x[b as usize]));
                }
            });
        }
        let out = Shared(out.as_mut_ptr());
        Self::lanes(shape, |o, lane, line| {
            // SAFETY: each lane is written by one thread.
            unsafe {
                order::arg_sort(out.at(o * n * i + lane), &x[o * n * i..(o + 1) * n * i], i, lane, line)
            };
        });
    }
}
