//! Linear algebra on batches of matrices: one matrix after another on each thread, or all threads on a large one.

use pullback_base::{Dtype, Error, Result};
use pullback_compile::WholeStep;
use pullback_kernels::{Linalg, Vectors};
use pullback_linalg::{Number, Work, c32};
use smallvec::SmallVec;

use crate::threads;
use crate::whole::Source;

/// Picoseconds of work from which on several threads share one matrix: they wait for each other at every column.
const SHARED: usize = 2_000_000_000;

/// Why there is no such kernel for operands of this type.
pub(crate) fn lacks(dtype: Dtype) -> Option<String> {
    let known = matches!(dtype, Dtype::F32 | Dtype::F64 | Dtype::C64);
    (!known).then(|| format!("linear algebra of {dtype} has no kernel on the cpu"))
}

/// Runs a kernel.
///
/// # Safety
/// Operands and outputs hold the elements that the step's shapes, and the kernel, say; no output overlaps anything.
///
/// # Errors
/// `Internal` for what `lacks` names, and for operands that do not fit.
pub(crate) unsafe fn run(
    linalg: Linalg,
    step: &WholeStep,
    sources: &[Source],
    outs: &[*mut u8],
) -> Result<()> {
    let expected = match linalg {
        Linalg::Lu => 3,
        Linalg::Qr(_) => 2,
        Linalg::Svd(Vectors::None) | Linalg::Eigh(Vectors::None) | Linalg::Eig(Vectors::None) => 1,
        Linalg::Svd(_) => 3,
        Linalg::Eigh(_) | Linalg::Eig(_) => 2,
        _ => 1,
    };
    if step.shapes[0].ndim() != 3 || outs.len() != expected {
        return Err(Error::internal(format!("[{linalg:?}] of {:?} to {} results", step.shapes, outs.len())));
    }
    let blocks = Blocks {
        ins: sources.iter().map(|source| source.ptr).collect(),
        outs: outs.iter().copied().collect(),
    };
    let shape = &step.shapes[0];
    let call = Call { step, blocks, count: shape[0], m: shape[1], n: shape[2] };
    match (linalg, sources[0].dtype) {
        (Linalg::Eig(vectors), Dtype::F32) => call.eig::<f32>(vectors, pullback_linalg::eig),
        (Linalg::Eig(vectors), Dtype::F64) => call.eig::<f64>(vectors, pullback_linalg::eig),
        (Linalg::Eig(vectors), Dtype::C64) => call.eig::<c32>(vectors, pullback_linalg::eig_complex),
        (_, Dtype::F32) => call.run::<f32>(linalg),
        (_, Dtype::F64) => call.run::<f64>(linalg),
        (_, Dtype::C64) => call.run::<c32>(linalg),
        (_, dtype) => return Err(Error::internal(format!("[cpu] [{linalg:?}] met {dtype}"))),
    }
    Ok(())
}

/// Memory that threads share, each with matrices of its own.
struct Blocks {
    ins: SmallVec<[*const u8; 4]>,
    outs: SmallVec<[*mut u8; 3]>,
}
// SAFETY: see above.
unsafe impl Sync for Blocks {}

impl Blocks {
    /// `size` elements of the operand, for item `i`.
    fn x<T>(&self, operand: usize, i: usize, size: usize) -> &[T] {
        // SAFETY: the promise of `run`; operands lie in order, in blocks aligned for any type.
        unsafe { std::slice::from_raw_parts(self.ins[operand].cast::<T>().add(i * size), size) }
    }

    /// `size` elements of the result, for item `i`.
    #[expect(clippy::mut_from_ref, reason = "every item is taken once, by one thread")]
    fn y<T>(&self, result: usize, i: usize, size: usize) -> &mut [T] {
        // SAFETY: as `x`; `each` hands every item to one thread, which asks for it once.
        unsafe { std::slice::from_raw_parts_mut(self.outs[result].cast::<T>().add(i * size), size) }
    }
}

/// One run.
struct Call<'a> {
    step: &'a WholeStep,
    blocks: Blocks,
    count: usize,
    m: usize,
    n: usize,
}

/// Eigenvalues of one matrix.
type Eigen<T> = fn(&mut Work, &[T], &mut [c32], Option<&mut [c32]>, usize);

impl Call<'_> {
    /// Works on every matrix, which takes about `flops` operations.
    fn each(&self, flops: usize, job: impl Fn(usize, &mut Work) + Sync) {
        // A tenth of a nanosecond for an operation, and something for each matrix.
        let cost = flops.saturating_mul(100).saturating_add(200_000);
        let threads = threads::count();
        if threads > 1 && self.count < threads && cost >= SHARED {
            return threads::inside(|| {
                let mut work = Work::new(threads);
                (0..self.count).for_each(|i| job(i, &mut work));
            });
        }
        let parts = threads::parts(self.count.saturating_mul(cost), self.count);
        threads::ranges(parts, self.count, |range| {
            let mut work = Work::new(1);
            range.for_each(|i| job(i, &mut work));
        });
    }

    fn run<T: Number>(&self, linalg: Linalg) {
        let (x, m, n) = (&self.blocks, self.m, self.n);
        let cube = m * n * m.min(n);
        // Columns of the right-hand sides.
        let k = || self.step.shapes[1][2];
        match linalg {
            Linalg::Cholesky => self.each(cube / 3, |i, work| {
                pullback_linalg::cholesky::<T>(work, x.x(0, i, n * n), x.y(0, i, n * n), n);
            }),
            Linalg::Lu => self.each(cube, |i, work| {
                let (out, pivots, order) = (x.y(0, i, m * n), x.y(1, i, m.min(n)), x.y(2, i, m));
                pullback_linalg::lu::<T>(work, x.x(0, i, m * n), out, pivots, order, (m, n));
            }),
            Linalg::LuSolve { transposed } => {
                let k = k();
                self.each(2 * n * n * k, |i, work| {
                    let factors = (x.x(2, i, n * n), x.x(3, i, n));
                    let (b, out) = (x.x(1, i, n * k), x.y(0, i, n * k));
                    pullback_linalg::lu_solve::<T>(work, factors, b, out, (n, k), transposed);
                });
            }
            Linalg::Triangular { upper } => {
                let k = k();
                self.each(n * n * k, |i, work| {
                    let (a, b, out) = (x.x(0, i, n * n), x.x(1, i, n * k), x.y(0, i, n * k));
                    pullback_linalg::triangular::<T>(work, a, b, out, (n, k), upper);
                });
            }
            Linalg::Qr(vectors) => {
                let k = if vectors == Vectors::Full { m } else { m.min(n) };
                self.each(4 * m * n * k, |i, work| {
                    let (q, r) = (x.y(0, i, m * k), x.y(1, i, k * n));
                    pullback_linalg::qr::<T>(work, x.x(0, i, m * n), q, r, (m, n, k));
                });
            }
            Linalg::Svd(vectors) => {
                let k = m.min(n);
                let (p, q) = if vectors == Vectors::Full { (m, n) } else { (k, k) };
                self.each(20 * cube, |i, work| {
                    let pair = (vectors != Vectors::None).then(|| (x.y(1, i, m * p), x.y(2, i, q * n)));
                    pullback_linalg::svd::<T>(work, x.x(0, i, m * n), x.y(0, i, k), pair, [m, n, p, q]);
                });
            }
            Linalg::Eigh(vectors) => self.each(9 * cube, |i, work| {
                let v = (vectors != Vectors::None).then(|| x.y(1, i, n * n));
                pullback_linalg::eigh::<T>(work, x.x(0, i, n * n), x.y(0, i, n), v, n);
            }),
            Linalg::Root => self.each(11 * cube, |i, work| {
                pullback_linalg::root::<T>(work, x.x(0, i, n * n), x.y(0, i, n * n), n);
            }),
            Linalg::Pinv => self.each(22 * cube, |i, work| {
                let least = x.x(1, i, 1)[0];
                pullback_linalg::pinv::<T>(work, x.x(0, i, m * n), least, x.y(0, i, n * m), (m, n));
            }),
            Linalg::Eig(_) => unreachable!("its results have a type of their own"),
        }
    }

    fn eig<T: Number>(&self, vectors: Vectors, eigen: Eigen<T>) {
        let (x, n) = (&self.blocks, self.n);
        self.each(25 * n * n * n, |i, work| {
            let v = (vectors != Vectors::None).then(|| x.y(1, i, n * n));
            eigen(work, x.x(0, i, n * n), x.y(0, i, n), v, n);
        });
    }
}
