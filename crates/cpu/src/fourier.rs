//! Fourier transforms along an axis, line by line on threads. This file alone knows the libraries.
//!
//! Rounding errors of a line grow with the logarithm of its length: the result is within some units in the last place
//! of `float32`, relative to the Euclidean norm of the line, times that logarithm.

use std::sync::{Arc, Mutex, PoisonError};

use pullback_base::{Dtype, Error, Result};
use pullback_kernels::{Fourier, Spectrum};
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustc_hash::FxHashMap;
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftDirection, FftPlanner};

use crate::memory::CpuBuffer;
use crate::threads;
use crate::whole::Shared;

/// Neighbouring lines that are brought into order together: as many complex numbers as a cache line holds.
const TOGETHER: usize = 8;
/// Plans kept, and the sum of their lengths, above which all are made anew: tables are as long as lines.
const MOST: (usize, usize) = (256, 1 << 24);

/// What is transformed into what.
pub(crate) struct Sides {
    /// Type of the operand.
    pub from: Dtype,
    /// Type of the result.
    pub to: Dtype,
    /// `[o, m, i]` of the operand.
    pub read: [usize; 3],
}

/// The transform of every line along the middle axis.
///
/// # Errors
/// `Internal` for types that have none, `Memory` without room for scratch.
pub(crate) fn transform(of: Fourier, sides: Sides, x: &[u8], out: &mut [u8]) -> Result<()> {
    let plan = plan(of, &sides)?;
    match plan {
        Plan::Complex(fft) => lines(&Complex { fft, of }, sides.read, of.n, seen(x), seen_mut(out)),
        Plan::Half(fft) => lines(&Half { fft, of }, sides.read, of.coefficients(), seen(x), seen_mut(out)),
        Plan::Real(fft) => lines(&Real { fft, of }, sides.read, of.n, seen(x), seen_mut(out)),
    }
}

/// What a library has prepared for a length.
#[derive(Clone)]
enum Plan {
    Complex(Arc<dyn Fft<f32>>),
    Half(Arc<dyn RealToComplex<f32>>),
    Real(Arc<dyn ComplexToReal<f32>>),
}

/// Plans, and those who make them, which keep parts for each other.
struct Plans {
    known: FxHashMap<(Dtype, Dtype, bool, usize), Plan>,
    total: usize,
    complex: FftPlanner<f32>,
    real: RealFftPlanner<f32>,
}

static PLANS: Mutex<Option<Plans>> = Mutex::new(None);

fn plan(of: Fourier, sides: &Sides) -> Result<Plan> {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    if plans.as_ref().is_some_and(|plans| plans.known.len() >= MOST.0 || plans.total >= MOST.1) {
        *plans = None;
    }
    let plans = plans.get_or_insert_with(|| Plans {
        known: FxHashMap::default(),
        total: 0,
        complex: FftPlanner::new(),
        real: RealFftPlanner::new(),
    });
    // Those with a real side are turned by conjugation.
    let inverse = of.inverse && sides.from == sides.to;
    let key = (sides.from, sides.to, inverse, of.n);
    if let Some(plan) = plans.known.get(&key) {
        return Ok(plan.clone());
    }
    let direction = if inverse { FftDirection::Inverse } else { FftDirection::Forward };
    let plan = match (sides.from, sides.to) {
        (Dtype::C64, Dtype::C64) => Plan::Complex(plans.complex.plan_fft(of.n, direction)),
        (Dtype::F32, Dtype::C64) => Plan::Half(plans.real.plan_fft_forward(of.n)),
        (Dtype::C64, Dtype::F32) => Plan::Real(plans.real.plan_fft_inverse(of.n)),
        (from, to) => return Err(Error::internal(format!("[cpu] a Fourier transform from {from} to {to}"))),
    };
    plans.total += of.n;
    plans.known.insert(key, plan.clone());
    Ok(plan)
}

/// A transform of one line.
trait Line<S, D>: Sync {
    /// Room that it needs.
    fn scratch(&self) -> usize;
    /// The transform.
    fn run(&self, x: &[S], out: &mut [D], scratch: &mut [Complex32]);
    /// Picoseconds.
    fn cost(&self) -> usize;
}

/// From a length: four floats at a time, a handful of operations for each of its levels.
fn cost(n: usize) -> usize {
    300 * n * (n.ilog2() as usize + 1)
}

struct Complex {
    fft: Arc<dyn Fft<f32>>,
    of: Fourier,
}

impl Line<Complex32, Complex32> for Complex {
    fn scratch(&self) -> usize {
        self.fft.get_immutable_scratch_len()
    }

    fn run(&self, x: &[Complex32], out: &mut [Complex32], scratch: &mut [Complex32]) {
        self.fft.process_immutable_with_scratch(x, out, scratch);
        let factor = self.of.factor() as f32;
        if factor != 1. {
            out.iter_mut().for_each(|z| *z *= factor);
        }
    }

    fn cost(&self) -> usize {
        cost(self.of.n)
    }
}

struct Half {
    fft: Arc<dyn RealToComplex<f32>>,
    of: Fourier,
}

impl Line<f32, Complex32> for Half {
    fn scratch(&self) -> usize {
        self.fft.get_scratch_len() + self.of.n.div_ceil(2)
    }

    fn run(&self, x: &[f32], out: &mut [Complex32], scratch: &mut [Complex32]) {
        let (of, n) = (&self.of, self.of.n);
        let (line, scratch) = scratch.split_at_mut(n.div_ceil(2));
        // SAFETY: two floats are a complex number.
        let line = unsafe { std::slice::from_raw_parts_mut(line.as_mut_ptr().cast::<f32>(), n) };
        line.copy_from_slice(x);
        let (half, rest) = out.split_at_mut(n / 2 + 1);
        let done = self.fft.process_with_scratch(line, half, scratch);
        debug_assert!(done.is_ok(), "lengths are those of the plan");
        let factor = of.factor() as f32;
        if of.inverse || factor != 1. || of.spectrum == Spectrum::Twice {
            let turn = if of.inverse { -1. } else { 1. };
            for (k, z) in half.iter_mut().enumerate() {
                let factor = if of.stands_for_two(k) { 2. * factor } else { factor };
                *z = Complex32::new(z.re * factor, z.im * factor * turn);
            }
        }
        for (to, from) in rest.iter_mut().rev().zip(&half[1..]) {
            *to = from.conj();
        }
    }

    fn cost(&self) -> usize {
        cost(self.of.n) / 2
    }
}

struct Real {
    fft: Arc<dyn ComplexToReal<f32>>,
    of: Fourier,
}

impl Line<Complex32, f32> for Real {
    fn scratch(&self) -> usize {
        self.fft.get_scratch_len() + self.of.n / 2 + 1
    }

    fn run(&self, x: &[Complex32], out: &mut [f32], scratch: &mut [Complex32]) {
        let (of, n) = (&self.of, self.of.n);
        let (half, scratch) = scratch.split_at_mut(n / 2 + 1);
        let (factor, turn) = (of.factor() as f32, if of.inverse { 1. } else { -1. });
        for (k, to) in half.iter_mut().enumerate() {
            // The library takes each but the ends for two.
            let z = match of.spectrum {
                Spectrum::Twice => x[k],
                Spectrum::Once => x[k] * 0.5,
                Spectrum::Full => (x[k] + x[(n - k) % n].conj()) * 0.5,
            };
            *to = Complex32::new(z.re * factor, z.im * factor * turn);
        }
        // At the ends, only what is real has an effect.
        half[0] = Complex32::new(x[0].re * factor, 0.);
        if n % 2 == 0 {
            half[n / 2] = Complex32::new(x[n / 2].re * factor, 0.);
        }
        let done = self.fft.process_with_scratch(half, out, scratch);
        debug_assert!(done.is_ok(), "lengths are those of the plan, ends are real");
    }

    fn cost(&self) -> usize {
        cost(self.of.n) / 2
    }
}

/// Runs over all lines of `x` `[o, m, i]` into those of `out` `[o, k, i]`.
fn lines<S: Float, D: Float>(
    line: &impl Line<S, D>,
    [o, m, i]: [usize; 3],
    k: usize,
    x: &[S],
    out: &mut [D],
) -> Result<()> {
    if o * i == 0 {
        return Ok(());
    }
    let wide = i.div_ceil(TOGETHER);
    let (pieces, each) = if i == 1 { (o, line.cost()) } else { (o * wide, TOGETHER * line.cost()) };
    let parts = threads::parts(pieces.saturating_mul(each), pieces);
    let staged = if i == 1 { (0, 0) } else { (TOGETHER * m * size_of::<S>(), TOGETHER * k * size_of::<D>()) };
    let staged = (staged.0.next_multiple_of(8), staged.1.next_multiple_of(8));
    let rooms: Vec<Room> = (0..parts)
        .map(|_| Room::new(line.scratch() * size_of::<Complex32>() + staged.0 + staged.1))
        .collect::<Result<_>>()?;
    let out = Shared(out.as_mut_ptr());
    threads::each(parts, |part| {
        let room = &rooms[part];
        // SAFETY: the room of this part alone, zeroed, cut into pieces that do not overlap and are aligned for what is
        // put there; all types are floats.
        let (xs, ys, scratch) = unsafe {
            let (first, second) = (room.0.ptr().add(staged.0), room.0.ptr().add(staged.0 + staged.1));
            (
                std::slice::from_raw_parts_mut(room.0.ptr().cast::<S>(), staged.0 / size_of::<S>()),
                std::slice::from_raw_parts_mut(first.cast::<D>(), staged.1 / size_of::<D>()),
                std::slice::from_raw_parts_mut(second.cast::<Complex32>(), line.scratch()),
            )
        };
        for piece in pieces * part / parts..pieces * (part + 1) / parts {
            if i == 1 {
                // SAFETY: this line of the output is written here alone.
                let out = unsafe { std::slice::from_raw_parts_mut(out.at(piece * k), k) };
                line.run(&x[piece * m..(piece + 1) * m], out, scratch);
                continue;
            }
            let (outer, start) = (piece / wide, piece % wide * TOGETHER);
            let width = TOGETHER.min(i - start);
            for (j, row) in x[outer * m * i..(outer + 1) * m * i].chunks_exact(i).enumerate() {
                row[start..start + width].iter().enumerate().for_each(|(c, &x)| xs[c * m + j] = x);
            }
            for c in 0..width {
                line.run(&xs[c * m..(c + 1) * m], &mut ys[c * k..(c + 1) * k], scratch);
            }
            for j in 0..k {
                let to = out.at((outer * k + j) * i + start);
                // SAFETY: these columns of the output are written here alone.
                (0..width).for_each(|c| unsafe { to.add(c).write(ys[c * k + j]) });
            }
        }
    });
    Ok(())
}

/// Scratch of one thread, zeroed, aligned for anything.
struct Room(CpuBuffer);

impl Room {
    fn new(bytes: usize) -> Result<Room> {
        let block = CpuBuffer::new(bytes)?;
        // SAFETY: the block is that long.
        unsafe { block.ptr().write_bytes(0, bytes) };
        Ok(Room(block))
    }
}

/// A type that elements may be taken for, whatever their bits are.
trait Float: Copy + Send + Sync {}
impl Float for f32 {}
impl Float for Complex32 {}

fn seen<T: Float>(bytes: &[u8]) -> &[T] {
    // SAFETY: floats, of which every bit pattern is one.
    unsafe { bytes.align_to().1 }
}

fn seen_mut<T: Float>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: as above.
    unsafe { bytes.align_to_mut().1 }
}
