//! Sums of products for types that no library has: whole numbers, which wrap, and truth values.

use crate::element::{Element, Truth};
use crate::isa::Isa;
use crate::tile::{Work, work};

/// Numbers with a sum and a product.
pub trait Ring: Element {
    /// Nothing.
    const ZERO: Self;
    /// sum + a · b.
    fn add_product(sum: Self, a: Self, b: Self) -> Self;
}

macro_rules! rings {
    ($($t:ty)*) => {$(
        impl Ring for $t {
            const ZERO: $t = 0;
            #[inline(always)]
            fn add_product(sum: $t, a: $t, b: $t) -> $t { sum.wrapping_add(a.wrapping_mul(b)) }
        }
    )*};
}
rings! { u8 u16 u32 u64 i8 i16 i32 i64 }

macro_rules! floats {
    ($($t:ty)*) => {$(
        impl Ring for $t {
            const ZERO: $t = 0.;
            #[inline(always)]
            fn add_product(sum: $t, a: $t, b: $t) -> $t { sum + a * b }
        }
    )*};
}
floats! { f32 f64 }

impl Ring for Truth {
    const ZERO: Truth = Truth(0);
    #[inline(always)]
    fn add_product(sum: Truth, a: Truth, b: Truth) -> Truth {
        Truth(sum.0 | (a.0 & b.0))
    }
}

/// A matrix somewhere in memory, with strides in elements.
#[derive(Clone, Copy)]
pub struct Matrix<T> {
    /// Its first element.
    pub ptr: *const T,
    /// From row to row.
    pub row: isize,
    /// From column to column.
    pub col: isize,
}

/// `out [rows, n] += a [rows, k] · b [k, n]`, row after row; `line` is scratch.
///
/// # Safety
/// The matrices are valid at every element reached.
pub unsafe fn product<T: Ring>(
    isa: Isa,
    out: &mut [T],
    a: Matrix<T>,
    b: Matrix<T>,
    (k, n): (usize, usize),
    line: &mut Vec<T>,
) {
    if n == 0 {
        return;
    }
    for (block, out) in out.chunks_mut(ROWS * n).enumerate() {
        for j in 0..k {
            // SAFETY: the caller's promise.
            let row = unsafe { b.ptr.offset(j as isize * b.row) };
            let row = if b.col == 1 {
                // SAFETY: the caller's promise.
                unsafe { std::slice::from_raw_parts(row, n) }
            } else {
                line.clear();
                // SAFETY: the caller's promise.
                line.extend((0..n as isize).map(|c| unsafe { *row.offset(c * b.col) }));
                &line[..]
            };
            for (r, out) in out.chunks_exact_mut(n).enumerate() {
                let r = (block * ROWS + r) as isize;
                // SAFETY: the caller's promise.
                let x = unsafe { *a.ptr.offset(r * a.row + j as isize * a.col) };
                work(isa, AddRow(out, x, row));
            }
        }
    }
}

/// Rows of the result that one row of `b` is added to before the next: they should stay in cache.
const ROWS: usize = 16;

/// out += x · row.
struct AddRow<'a, T>(&'a mut [T], T, &'a [T]);

impl<T: Ring> Work for AddRow<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let AddRow(out, x, row) = self;
        let row = &row[..out.len()];
        for i in 0..out.len() {
            out[i] = T::add_product(out[i], x, row[i]);
        }
    }
}
