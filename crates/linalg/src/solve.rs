//! Cholesky and LU factorizations, and the systems that they and triangles solve.

use faer::linalg::cholesky::llt::factor as llt;
use faer::linalg::lu::partial_pivoting::factor as plu;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
    solve_unit_upper_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::traits::math_utils::zero;
use faer::{Mat, MatMut, MatRef, Spec};

use crate::number::{Number, finite, lose};
use crate::plain::{self, SMALL, Triangle};
use crate::work::Work;

/// The lower Cholesky factor of an `n × n` matrix, of which the lower triangle is read.
pub fn cholesky<T: Number>(work: &mut Work, x: &[T], out: &mut [T], n: usize) {
    for (i, (out, x)) in out.chunks_exact_mut(n.max(1)).zip(x.chunks_exact(n.max(1))).enumerate() {
        out[..=i].copy_from_slice(&x[..=i]);
        out[i + 1..].fill(zero());
    }
    let done = finite(out) && if n <= SMALL { plain::cholesky(out, n) } else { blocked(work, out, n) };
    if !done {
        out.chunks_exact_mut(n).enumerate().for_each(|(i, row)| lose(&mut row[..=i]));
    }
}

fn blocked<T: Number>(work: &mut Work, out: &mut [T], n: usize) -> bool {
    let par = work.par;
    // The library is made for columns: in rows, the same takes twice as long.
    let mut columns = MatRef::from_row_major_slice(out, n, n).to_owned();
    let stack = work.stack(llt::cholesky_in_place_scratch::<T>(n, par, Spec::default()));
    let done =
        llt::cholesky_in_place(columns.as_mut(), Default::default(), par, stack, Spec::default()).is_ok();
    for (i, row) in out.chunks_exact_mut(n).enumerate() {
        for (j, out) in row[..=i].iter_mut().enumerate() {
            *out = columns[(i, j)];
        }
    }
    done && finite(out)
}

/// Both factors of an `m × n` matrix in one, the row that was exchanged with each, and the rows of the matrix in the
/// order of the factors.
pub fn lu<T: Number>(
    work: &mut Work,
    x: &[T],
    out: &mut [T],
    pivots: &mut [i32],
    order: &mut [i32],
    (m, n): (usize, usize),
) {
    for list in [&mut *pivots, &mut *order] {
        list.iter_mut().zip(0..).for_each(|(at, i)| *at = i);
    }
    if !finite(x) {
        return lose(out);
    }
    out.copy_from_slice(x);
    if pivots.is_empty() {
        return;
    }
    if pivots.len() <= SMALL || !recursive(work, x, out, pivots, (m, n)) {
        out.copy_from_slice(x);
        plain::lu(out, (m, n), pivots);
    }
    for (i, &pivot) in pivots.iter().enumerate() {
        order.swap(i, pivot as usize);
    }
}

/// The library's way. It divides by a pivot of zero: then it has not worked, and answers so.
fn recursive<T: Number>(
    work: &mut Work,
    x: &[T],
    out: &mut [T],
    pivots: &mut [i32],
    (m, n): (usize, usize),
) -> bool {
    let par = work.par;
    let mut columns = MatRef::from_row_major_slice(x, m, n).to_owned();
    let (mut forward, mut backward) = (vec![0u32; m], vec![0u32; m]);
    let stack = work.stack(plu::lu_in_place_scratch::<u32, T>(m, n, par, Spec::default()));
    plu::lu_in_place(columns.as_mut(), &mut forward, &mut backward, par, stack, Spec::default());
    let mut rows = MatMut::from_row_major_slice_mut(out, m, n);
    rows.copy_from(&columns);
    // Which exchanges lead to this order.
    let (mut at, mut place): (Vec<u32>, Vec<u32>) = ((0..m as u32).collect(), (0..m as u32).collect());
    for (i, pivot) in pivots.iter_mut().enumerate() {
        let from = place[forward[i] as usize];
        *pivot = from as i32;
        let (here, there) = (at[i], at[from as usize]);
        at.swap(i, from as usize);
        place[here as usize] = from;
        place[there as usize] = i as u32;
    }
    finite(out)
}

/// The solution of a system of `n` equations with `k` right-hand sides, from what `lu` made of its matrix.
pub fn lu_solve<T: Number>(
    work: &mut Work,
    (factors, order): (&[T], &[i32]),
    b: &[T],
    out: &mut [T],
    (n, k): (usize, usize),
    transposed: bool,
) {
    // Only a program that makes up an order of its own can have rows that there are not.
    let row = |i: usize| usize::try_from(order[i]).ok().filter(|&row| row < n);
    if k == 0 || (0..n).any(|i| row(i).is_none()) {
        return lose(out);
    }
    let rows = (0..n).filter_map(row);
    let lower = Triangle { upper: false, unit: true, transposed };
    let upper = Triangle { upper: true, unit: false, transposed };
    if transposed {
        let mut y = b.to_vec();
        in_place(work, factors, &mut y, (n, k), upper);
        in_place(work, factors, &mut y, (n, k), lower);
        rows.zip(y.chunks_exact(k)).for_each(|(row, y)| out[row * k..][..k].copy_from_slice(y));
    } else {
        rows.zip(out.chunks_exact_mut(k)).for_each(|(row, out)| out.copy_from_slice(&b[row * k..][..k]));
        in_place(work, factors, out, (n, k), lower);
        in_place(work, factors, out, (n, k), upper);
    }
}

/// The solution of a triangular system of `n` equations with `k` right-hand sides.
pub fn triangular<T: Number>(
    work: &mut Work,
    a: &[T],
    b: &[T],
    out: &mut [T],
    (n, k): (usize, usize),
    upper: bool,
) {
    out.copy_from_slice(b);
    in_place(work, a, out, (n, k), Triangle { upper, unit: false, transposed: false });
}

fn in_place<T: Number>(work: &Work, a: &[T], b: &mut [T], (n, k): (usize, usize), triangle: Triangle) {
    // A pivot of zero, and what comes of it, is no business of the library's.
    let regular = triangle.unit || (0..n).all(|i| a[i * n + i] != zero());
    if n <= SMALL || k == 1 || !regular {
        return plain::triangular(a, b, (n, k), triangle);
    }
    let a = MatRef::from_row_major_slice(a, n, n);
    let a = if triangle.transposed { a.transpose() } else { a };
    let solve = match (triangle.upper != triangle.transposed, triangle.unit) {
        (false, false) => solve_lower_triangular_in_place,
        (false, true) => solve_unit_lower_triangular_in_place,
        (true, false) => solve_upper_triangular_in_place,
        (true, true) => solve_unit_upper_triangular_in_place,
    };
    let mut columns: Mat<T> = MatRef::from_row_major_slice(b, n, k).to_owned();
    solve(a, columns.as_mut(), work.par);
    MatMut::from_row_major_slice_mut(b, n, k).copy_from(&columns);
}
