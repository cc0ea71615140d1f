//! Loops for small matrices, and for those in which the library meets a pivot of zero.

use faer::traits::math_utils::{abs1, conj, from_real, real, sqrt, zero};

use crate::number::Number;

/// Up to this size the loops are faster, as measured with float32 on an AMD EPYC: LU and triangles up to 96 at least,
/// Cholesky up to 64.
pub(crate) const SMALL: usize = 64;

/// The lower factor, in place of the lower triangle. Whether there is one.
pub(crate) fn cholesky<T: Number>(x: &mut [T], n: usize) -> bool {
    for i in 0..n {
        let (above, row) = x.split_at_mut(i * n);
        for j in 0..i {
            let other = &above[j * n..][..j + 1];
            let mut sum = row[j];
            for (a, b) in row[..j].iter().zip(other) {
                sum -= *a * conj(b);
            }
            row[j] = sum / other[j];
        }
        let mut left = real(&row[i]);
        for a in &row[..i] {
            left -= real(&(*a * conj(a)));
        }
        // NaN is no pivot either.
        let pivot = left > zero::<T::Real>();
        if !pivot {
            return false;
        }
        row[i] = from_real(&sqrt(&left));
    }
    true
}

/// Both factors in place, and the row that was exchanged with each, with partial pivoting. A column of zeros is left
/// as it is.
pub(crate) fn lu<T: Number>(x: &mut [T], (m, n): (usize, usize), pivots: &mut [i32]) {
    for (j, pivot) in pivots.iter_mut().enumerate() {
        let mut best = j;
        for i in j + 1..m {
            if abs1(&x[i * n + j]) > abs1(&x[best * n + j]) {
                best = i;
            }
        }
        *pivot = best as i32;
        let (above, below) = x.split_at_mut((j + 1) * n);
        let row = &mut above[j * n..];
        if best != j {
            row.swap_with_slice(&mut below[(best - j - 1) * n..][..n]);
        }
        if row[j] == zero() {
            continue;
        }
        for other in below.chunks_exact_mut(n) {
            let times = other[j] / row[j];
            other[j] = times;
            subtract(&mut other[j + 1..], times, &row[j + 1..]);
        }
    }
}

/// `x -= times * y`
fn subtract<T: Number>(x: &mut [T], times: T, y: &[T]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x -= times * *y;
    }
}

/// Which triangle of a matrix is meant, and how.
#[derive(Clone, Copy)]
pub(crate) struct Triangle {
    pub upper: bool,
    /// Ones on the diagonal, whatever is there.
    pub unit: bool,
    /// The matrix is meant as its transpose; `upper` speaks of what is in memory.
    pub transposed: bool,
}

/// The solution of a triangular system, in place of the `k` right-hand sides.
pub(crate) fn triangular<T: Number>(a: &[T], b: &mut [T], (n, k): (usize, usize), triangle: Triangle) {
    let Triangle { upper, unit, transposed } = triangle;
    let mut solved = |i: usize| {
        let (above, rest) = b.split_at_mut(i * k);
        let (row, below) = rest.split_at_mut(k);
        let coefficients = &a[i * n..][..n];
        let scale = |row: &mut [T]| {
            if !unit {
                row.iter_mut().for_each(|x| *x /= coefficients[i]);
            }
        };
        let others = if upper { below } else { above };
        let coefficients_of = if upper { &coefficients[i + 1..] } else { &coefficients[..i] };
        let others = others.chunks_exact_mut(k).zip(coefficients_of);
        if transposed {
            scale(row);
            others.for_each(|(other, times)| subtract(other, *times, row));
        } else {
            others.for_each(|(other, times)| subtract(row, *times, other));
            scale(row);
        }
    };
    if k == 0 {
        return;
    }
    // The first unknown that stands alone, and then on from there.
    if upper == transposed { (0..n).for_each(&mut solved) } else { (0..n).rev().for_each(&mut solved) }
}
