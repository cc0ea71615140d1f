//! Products with matrices of codes, which are unpacked in registers.
//!
//! A row of codes is cut into blocks that begin with a word and end with one: a word of 32 / bits codes, or a few where codes
//! cross from word to word. A vector has the same code of `LANES` neighbouring blocks, so that one shift by a constant
//! takes all of them out of their words. What such a row meets lies in that order too (`arrange`): code `c` of block
//! `i · LANES + l` is in lane `l` of vector `i · codes + c`; behind the end there are zeros.
//!
//! The number of a code is `scale · code + bias`, in `f32`, in one rounding where the processor has that. A result is within
//! `(k + 3) · 2⁻²⁴` of the sum of `|x| · (|scale · code| + |bias|)` over its `k` products.
//!
//! Sums are written to memory where they end, and folded in another loop: LLVM makes whole vectors of the code in front of
//! such a store, and vectors of four of code that ends in one number (0.3 ms instead of 1.3 ms for 2048 x 2048 codes of
//! four bits on a Xeon with AVX-512).

use crate::isa::{Isa, Target};
use crate::math::single::fma;
use crate::tile::{TargetWork, target_work};
use crate::whole::Codes;

/// Blocks side by side.
pub const LANES: usize = 16;
/// One code of each.
pub type Lanes = [f32; LANES];
/// Rows of `x` that the loops take at a time.
pub const ROWS: usize = 4;
/// Words that blocks have at most.
const WORDS: usize = 5;

/// What a code means, and how codes lie in blocks.
trait Format {
    const BITS: usize;
    /// Words of a block.
    const WORDS: usize = words_of(Self::BITS);
    /// Neighbouring blocks that share a scale, whatever the size of groups.
    const SHARE: usize;
    /// Codes of a block.
    const CODES: usize = 32 * Self::WORDS / Self::BITS;
    /// The number of a code.
    fn number(code: u32) -> f32;
}

macro_rules! whole_numbers {
    ($($name:ident $bits:literal $share:literal)*) => {$(
        struct $name;
        impl Format for $name {
            const BITS: usize = $bits;
            const SHARE: usize = $share;
            #[inline(always)]
            fn number(code: u32) -> f32 { code as i32 as f32 }
        }
    )*};
}
whole_numbers! { One 1 1  Two 2 2  Three 3 1  Four 4 4  Five 5 1  Six 6 2  Eight 8 8 }

struct E2m1;
impl Format for E2m1 {
    const BITS: usize = 4;
    const SHARE: usize = 2;
    #[inline(always)]
    fn number(code: u32) -> f32 {
        // Twice the number is whole, and fits into four bits.
        let twice = 0xc864_3210u32 >> (4 * (code & 7)) & 15;
        f32::from_bits((twice as i32 as f32 * 0.5).to_bits() | (code & 8) << 28)
    }
}

struct E4m3;
impl Format for E4m3 {
    const BITS: usize = 8;
    const SHARE: usize = 8;
    #[inline(always)]
    fn number(code: u32) -> f32 {
        let magnitude = code & 127;
        // The exponent is stored with 7 more than it is, here with 127.
        let normal = f32::from_bits((magnitude << 20) + (120 << 23));
        let small = magnitude as i32 as f32 * (1. / 512.);
        let value = if magnitude < 8 { small } else { normal };
        let value = if magnitude == 127 { f32::NAN } else { value };
        f32::from_bits(value.to_bits() | (code & 128) << 24)
    }
}

/// Words of a block of codes of so many bits: as few as end where a code ends.
const fn words_of(bits: usize) -> usize {
    match bits {
        3 | 5 => bits,
        6 => 3,
        _ => 1,
    }
}

/// Codes of a block.
pub const fn block(codes: Codes) -> usize {
    32 * words_of(codes.bits()) / codes.bits()
}

/// Vectors of a row of `n` codes.
pub const fn vectors(codes: Codes, n: usize) -> usize {
    let each = block(codes);
    n.div_ceil(LANES * each) * each
}

/// Where in a row the code in a lane of a vector is.
pub const fn position(codes: Codes, vector: usize, lane: usize) -> usize {
    let each = block(codes);
    (vector / each * LANES + lane) * each + vector % each
}

/// A row in the order in which codes are unpacked, with zeros behind it.
pub fn arrange<T: Copy + Default>(codes: Codes, out: &mut [[T; LANES]], x: &[T]) {
    for (vector, out) in out.iter_mut().enumerate() {
        for (lane, out) in out.iter_mut().enumerate() {
            *out = x.get(position(codes, vector, lane)).copied().unwrap_or_default();
        }
    }
}

/// A row of a packed matrix.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// Its words.
    pub words: &'a [u32],
    /// A scale for each group.
    pub scales: &'a [f32],
    /// A bias for each group, or none at all.
    pub biases: &'a [f32],
}

/// A packed matrix somewhere in memory. Strides are in elements, from row to row.
#[derive(Clone, Copy)]
pub struct Matrix {
    /// What its codes are.
    pub codes: Codes,
    /// Codes that share a scale.
    pub group: usize,
    /// Codes of a row.
    pub n: usize,
    /// Words, scales and biases of the first row; biases may be null.
    pub words: (*const u32, isize),
    /// See `words`.
    pub scales: (*const f32, isize),
    /// See `words`.
    pub biases: (*const f32, isize),
}
// SAFETY: it is only read.
unsafe impl Sync for Matrix {}
// SAFETY: as above.
unsafe impl Send for Matrix {}

impl Matrix {
    /// A row.
    ///
    /// # Safety
    /// There is one, with words and groups of `n` codes, for as long as it is used.
    pub unsafe fn row<'a>(&self, at: usize) -> Row<'a> {
        let (words, groups) = (self.n * self.codes.bits() / 32, self.n / self.group);
        let slice = |(ptr, stride): (*const f32, isize)| {
            if ptr.is_null() {
                return &[][..];
            }
            // SAFETY: the caller's promise.
            unsafe { std::slice::from_raw_parts(ptr.offset(at as isize * stride), groups) }
        };
        // SAFETY: the caller's promise.
        let words =
            unsafe { std::slice::from_raw_parts(self.words.0.offset(at as isize * self.words.1), words) };
        Row { words, scales: slice(self.scales), biases: slice(self.biases) }
    }
}

/// Words of `LANES` blocks, those of one number in all blocks side by side.
#[inline(always)]
fn words<F: Format>(from: &[u32]) -> [[u32; LANES]; WORDS] {
    let mut words = [[0; LANES]; WORDS];
    let from = &from[..LANES * F::WORDS];
    for lane in 0..LANES {
        for number in 0..F::WORDS {
            words[number][lane] = from[lane * F::WORDS + number];
        }
    }
    words
}

/// The numbers of code `c` of each block.
#[inline(always)]
fn numbers<F: Format>(words: &[[u32; LANES]; WORDS], c: usize) -> Lanes {
    let (number, shift) = (c * F::BITS / 32, c * F::BITS % 32);
    let mask = (1 << F::BITS) - 1;
    let mut out = [0.; LANES];
    if shift + F::BITS <= 32 {
        for lane in 0..LANES {
            out[lane] = F::number(words[number][lane] >> shift & mask);
        }
    } else {
        for lane in 0..LANES {
            let high = words[number + 1][lane] << (32 - shift);
            out[lane] = F::number((words[number][lane] >> shift | high) & mask);
        }
    }
    out
}

/// Of each block its scale: block `at` of the row is in group `at >> shift`.
#[inline(always)]
fn spread<F: Format>(of: &[f32], from: usize, shift: u32) -> Lanes {
    let mut out = [0.; LANES];
    for part in 0..LANES / F::SHARE {
        let value = of[(from + part * F::SHARE) >> shift];
        for lane in 0..F::SHARE {
            out[part * F::SHARE + lane] = value;
        }
    }
    out
}

/// The same where the row may end.
fn spread_end(of: &[f32], from: usize, shift: u32) -> Lanes {
    std::array::from_fn(|lane| of.get((from + lane) >> shift).copied().unwrap_or(0.))
}

/// What blocks `i · LANES` and on of a row are made of: words, scales, biases.
type Parts = ([[u32; LANES]; WORDS], Lanes, Lanes);

#[inline(always)]
fn parts<F: Format>(row: &Row, i: usize, shift: u32) -> Parts {
    let (each, from) = (LANES * F::WORDS, i * LANES);
    if (i + 1) * each <= row.words.len() {
        let biases = if row.biases.is_empty() { [0.; LANES] } else { spread::<F>(row.biases, from, shift) };
        return (words::<F>(&row.words[i * each..]), spread::<F>(row.scales, from, shift), biases);
    }
    let mut last = [0; LANES * WORDS];
    let rest = &row.words[i * each..];
    last[..rest.len()].copy_from_slice(rest);
    (words::<F>(&last), spread_end(row.scales, from, shift), spread_end(row.biases, from, shift))
}

/// `scale · code + bias` of code `c` of each block.
#[inline(always)]
fn values<F: Format, I: Target>((words, scales, biases): &Parts, c: usize) -> Lanes {
    let numbers = numbers::<F>(words, c);
    let mut out = [0.; LANES];
    for lane in 0..LANES {
        out[lane] = fma::<I>(numbers[lane], scales[lane], biases[lane]);
    }
    out
}

/// By which power of two groups have more codes than blocks: what turns the number of a block into that of its group.
fn shift<F: Format>(group: usize) -> u32 {
    debug_assert!(group.is_power_of_two() && group >= F::SHARE * F::CODES);
    (group / F::CODES).trailing_zeros()
}

/// Runs a body with a name for the format of codes.
macro_rules! with_format {
    ($codes:expr, $name:ident => $body:expr) => {
        with_format!(@ $codes, $name, $body,
            Bits(1) One, Bits(2) Two, Bits(3) Three, Bits(4) Four, Bits(5) Five, Bits(6) Six, Bits(8) Eight,
            E2m1 E2m1, E4m3 E4m3)
    };
    (@ $codes:expr, $name:ident, $body:expr, $($variant:ident $(($bits:literal))? $format:ident),*) => {
        match $codes {
            $(Codes::$variant $(($bits))? => { type $name = $format; $body })*
            Codes::Bits(bits) => unreachable!("no codes have {bits} bits"),
        }
    };
}

/// `out [x.len()][rows]`: products of rows of a matrix with up to `ROWS` rows of `x`, which are arranged.
///
/// # Safety
/// The matrix has these rows.
pub unsafe fn dots(
    isa: Isa,
    matrix: &Matrix,
    rows: std::ops::Range<usize>,
    x: &[&[Lanes]],
    out: &mut [&mut [f32]],
) {
    with_format!(matrix.codes, F => match x {
        [x] => target_work(isa, Dots::<F, 1> { matrix, rows, x: [x], out, _format: [] }),
        _ => {
            let x = std::array::from_fn(|at| x[at.min(x.len() - 1)]);
            target_work(isa, Dots::<F, ROWS> { matrix, rows, x, out, _format: [] });
        }
    });
}

struct Dots<'a, 'b, F, const M: usize> {
    matrix: &'a Matrix,
    rows: std::ops::Range<usize>,
    x: [&'a [Lanes]; M],
    out: &'a mut [&'b mut [f32]],
    _format: [F; 0],
}

impl<F: Format, const M: usize> TargetWork for Dots<'_, '_, F, M> {
    #[inline(always)]
    fn run<I: Target>(self) {
        let shift = shift::<F>(self.matrix.group);
        for (at, row) in self.rows.enumerate() {
            // SAFETY: the caller's promise.
            let row = unsafe { self.matrix.row(row) };
            let mut sums = [[0.; LANES]; M];
            dot::<F, I, M>(&row, self.x, shift, &mut sums);
            for (out, sum) in self.out.iter_mut().zip(&sums) {
                out[at] = folded(sum);
            }
        }
    }
}

#[inline(always)]
fn dot<F: Format, I: Target, const M: usize>(row: &Row, x: [&[Lanes]; M], shift: u32, out: &mut [Lanes; M]) {
    let mut sums = [[0.; LANES]; M];
    for i in 0..row.words.len().div_ceil(LANES * F::WORDS) {
        let parts = parts::<F>(row, i, shift);
        let x = x.map(|x| &x[i * F::CODES..(i + 1) * F::CODES]);
        for c in 0..F::CODES {
            let w = values::<F, I>(&parts, c);
            for m in 0..M {
                let x = &x[m][c];
                for lane in 0..LANES {
                    sums[m][lane] = fma::<I>(w[lane], x[lane], sums[m][lane]);
                }
            }
        }
    }
    *out = sums;
}

/// The sum of all lanes.
#[inline(never)]
fn folded(lanes: &Lanes) -> f32 {
    let mut sums = *lanes;
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// The numbers of a part of a row: vectors `first · codes` and on, as many as `out` has.
///
/// With AVX2 where there is AVX-512: LLVM makes poor code of it there (1.4 ms against 1 ms for 2048 x 2048 codes of four
/// bits, 2.8 against 0.5 for codes of three, on a Xeon with both).
pub fn unpack(isa: Isa, codes: Codes, group: usize, row: Row, first: usize, out: &mut [Lanes]) {
    with_format!(codes, F => target_work(isa.min(Isa::Avx2), Unpack::<F> { group, row, first, out, _format: [] }));
}

struct Unpack<'a, F> {
    group: usize,
    row: Row<'a>,
    first: usize,
    out: &'a mut [Lanes],
    _format: [F; 0],
}

impl<F: Format> TargetWork for Unpack<'_, F> {
    #[inline(always)]
    fn run<I: Target>(self) {
        let shift = shift::<F>(self.group);
        for (i, out) in self.out.chunks_exact_mut(F::CODES).enumerate() {
            let parts = parts::<F>(&self.row, self.first + i, shift);
            for (c, out) in out.iter_mut().enumerate() {
                *out = values::<F, I>(&parts, c);
            }
        }
    }
}
