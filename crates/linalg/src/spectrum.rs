//! QR, singular values, eigenvalues, and the pseudo-inverse.

use faer::diag::DiagMut;
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::linalg::householder;
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor as qrf;
use faer::linalg::svd::{self as svdf, ComputeSvdVectors};
use faer::traits::RealField;
use faer::traits::math_utils::{abs, conj, from_f64, from_real, one, real, sqrt, zero};
use faer::{Accum, Conj, Mat, MatMut, MatRef, Spec, c32};

use crate::number::{Number, finite, lose};
use crate::work::Work;

/// `q` (`m × k`) and `r` (`k × n`) of an `m × n` matrix. The diagonal of `r` is real, with the signs of LAPACK.
pub fn qr<T: Number>(work: &mut Work, x: &[T], q: &mut [T], r: &mut [T], (m, n, k): (usize, usize, usize)) {
    if !finite(x) {
        lose(q);
        return lose(r);
    }
    let (par, least) = (work.par, m.min(n));
    let mut columns = MatRef::from_row_major_slice(x, m, n).to_owned();
    let block = qrf::recommended_block_size::<T>(m, n);
    let mut factors: Mat<T> = Mat::zeros(block, least);
    let mut made: Mat<T> = Mat::identity(m, k);
    if least > 0 {
        let stack = work.stack(qrf::qr_in_place_scratch::<T>(m, n, block, par, Spec::default()));
        qrf::qr_in_place(columns.as_mut(), factors.as_mut(), par, stack, Spec::default());
        let size =
            householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(m, block, k);
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            columns.as_ref().subcols(0, least),
            factors.as_ref(),
            Conj::No,
            made.as_mut(),
            par,
            work.stack(size),
        );
    }
    for i in 0..k {
        let phase = if i < least { phase(columns[(i, i)]) } else { one() };
        for j in 0..n {
            r[i * n + j] = if j < i { zero() } else { conj(&phase) * columns[(i, j)] };
        }
        if i < n {
            r[i * n + i] = from_real(&real(&r[i * n + i]));
        }
        (0..m).for_each(|row| q[row * k + i] = made[(row, i)] * phase);
    }
}

/// What a diagonal element is divided by to be real, with the sign of its real part.
fn phase<T: Number>(x: T) -> T {
    if T::IS_REAL || x == zero() {
        return one();
    }
    let size = abs(&x);
    let size = if real(&x) < zero::<T::Real>() { -size } else { size };
    x / from_real::<T>(&size)
}

/// The factor of absolute value 1 that is taken out of a vector, so that its first large component is real and positive:
/// else it would depend on the processor, and differ between types. Large is what has 0.6 of the largest, since equal
/// components, and halves of others, are common.
fn direction<T: Number>(x: impl Fn(usize) -> T, n: usize) -> T {
    let largest = (0..n).map(|i| abs(&x(i))).fold(zero::<T::Real>(), |a, b| if b > a { b } else { a });
    let large = largest * from_f64::<T::Real>(0.6);
    match (0..n).map(x).find(|x| abs(x) > large) {
        Some(x) => x / from_real::<T>(&abs(&x)),
        None => one(),
    }
}

/// Takes the direction out of a column, and answers it.
fn directed<T: Number>(x: &mut Mat<T>, column: usize) -> T {
    let turn = direction(|row| x[(row, column)], x.nrows());
    (0..x.nrows()).for_each(|row| x[(row, column)] *= conj(&turn));
    turn
}

/// Singular values in descending order and, if wanted, the vectors: `u` (`m × p`) and `vh` (`q × n`).
pub fn svd<T: Number>(
    work: &mut Work,
    x: &[T],
    s: &mut [T::Real],
    vectors: Option<(&mut [T], &mut [T])>,
    [m, n, p, q]: [usize; 4],
) {
    let Some((u, vh)) = vectors else {
        if !(finite(x) && singular(work, x, s, None, (m, n))) {
            lose(s);
        }
        return;
    };
    let (mut left, mut right): (Mat<T>, Mat<T>) = (Mat::zeros(m, p), Mat::zeros(n, q));
    if !(finite(x) && singular(work, x, s, Some((left.as_mut(), right.as_mut())), (m, n))) {
        lose(u);
        lose(vh);
        return lose(s);
    }
    if s.is_empty() {
        // Nothing is there to be factorized; any basis will do.
        left = Mat::identity(m, p);
        right = Mat::identity(n, q);
    }
    for i in 0..p {
        let turn = directed(&mut left, i);
        if i < s.len() {
            (0..n).for_each(|row| right[(row, i)] *= conj(&turn));
        }
    }
    (s.len()..q).for_each(|i| _ = directed(&mut right, i));
    MatMut::from_row_major_slice_mut(u, m, p).copy_from(&left);
    for (i, row) in vh.chunks_exact_mut(n.max(1)).enumerate() {
        row.iter_mut().enumerate().for_each(|(j, out)| *out = conj(&right[(j, i)]));
    }
}

/// Whether it could be done.
fn singular<T: Number>(
    work: &mut Work,
    x: &[T],
    s: &mut [T::Real],
    vectors: Option<(MatMut<T>, MatMut<T>)>,
    (m, n): (usize, usize),
) -> bool {
    if s.is_empty() {
        return true;
    }
    let wanted = |vectors: &MatMut<T>| match vectors.ncols() == s.len() {
        true => ComputeSvdVectors::Thin,
        false => ComputeSvdVectors::Full,
    };
    let kinds = vectors.as_ref().map(|(u, v)| (wanted(u), wanted(v)));
    let (left, right) = kinds.unwrap_or((ComputeSvdVectors::No, ComputeSvdVectors::No));
    let (u, v) = vectors.unzip();
    let par = work.par;
    let columns = MatRef::from_row_major_slice(x, m, n).to_owned();
    let mut values = vec![T::default(); s.len()];
    let stack = work.stack(svdf::svd_scratch::<T>(m, n, left, right, par, Spec::default()));
    let done =
        svdf::svd(columns.as_ref(), DiagMut::from_slice_mut(&mut values), u, v, par, stack, Spec::default());
    s.iter_mut().zip(&values).for_each(|(s, value)| *s = real(value));
    done.is_ok() && finite(s)
}

/// Eigenvalues in ascending order and, if wanted, the vectors, of a matrix of which the lower triangle is read.
pub fn eigh<T: Number>(work: &mut Work, x: &[T], w: &mut [T::Real], v: Option<&mut [T]>, n: usize) {
    let (par, mut made) = (work.par, v.is_some().then(|| Mat::<T>::zeros(n, n)));
    let kind = if v.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut columns: Mat<T> = Mat::zeros(n, n);
    let mut right = true;
    for i in 0..n {
        right &= finite(&x[i * n..][..=i]);
        (0..i).for_each(|j| columns[(i, j)] = x[i * n + j]);
        columns[(i, i)] = from_real(&real(&x[i * n + i]));
    }
    let mut values = vec![T::default(); n];
    if right && n > 0 {
        let stack = work.stack(evd::self_adjoint_evd_scratch::<T>(n, kind, par, Spec::default()));
        let values = DiagMut::from_slice_mut(&mut values);
        let vectors = made.as_mut().map(Mat::as_mut);
        let done = evd::self_adjoint_evd(columns.as_ref(), values, vectors, par, stack, Spec::default());
        right = done.is_ok();
    }
    w.iter_mut().zip(&values).for_each(|(w, value)| *w = real(value));
    if !right || !finite(w) {
        lose(w);
        return v.into_iter().for_each(lose);
    }
    if let (Some(v), Some(mut made)) = (v, made) {
        (0..n).for_each(|i| _ = directed(&mut made, i));
        MatMut::from_row_major_slice_mut(v, n, n).copy_from(&made);
    }
}

/// The Hermitian square root without negative eigenvalues of a matrix of which the lower triangle is read; those that the
/// matrix has are taken for zero.
pub fn root<T: Number>(work: &mut Work, x: &[T], out: &mut [T], n: usize) {
    let (mut w, mut v) = (vec![T::Real::default(); n], vec![T::default(); n * n]);
    eigh(work, x, &mut w, Some(&mut v), n);
    let left = MatRef::from_row_major_slice(&v, n, n);
    let mut scaled = left.to_owned();
    for (j, w) in w.iter().enumerate() {
        // Not `>`: NaN stays.
        let times = if *w <= zero() { zero() } else { from_real::<T>(&sqrt(w)) };
        (0..n).for_each(|row| scaled[(row, j)] *= times);
    }
    let out = MatMut::from_row_major_slice_mut(out, n, n);
    matmul(out, Accum::Replace, scaled.as_ref(), left.adjoint(), one::<T>(), work.par);
}

/// Eigenvalues and, if wanted, the vectors, each of length 1, of a real matrix.
pub fn eig<T: Number + RealField + Into<f64>>(
    work: &mut Work,
    x: &[T],
    w: &mut [c32],
    v: Option<&mut [c32]>,
    n: usize,
) {
    let (par, mut made) = (work.par, v.is_some().then(|| Mat::<T>::zeros(n, n)));
    let kind = if v.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let (mut re, mut im) = (vec![T::default(); n], vec![T::default(); n]);
    let mut right = finite(x);
    if right && n > 0 {
        let columns = MatRef::from_row_major_slice(x, n, n).to_owned();
        let stack = work.stack(evd::evd_scratch::<T>(n, ComputeEigenvectors::No, kind, par, Spec::default()));
        let (re, im) = (DiagMut::from_slice_mut(&mut re), DiagMut::from_slice_mut(&mut im));
        let vectors = made.as_mut().map(Mat::as_mut);
        right = evd::evd_real(columns.as_ref(), re, im, None, vectors, par, stack, Spec::default()).is_ok();
    }
    if !right || !finite(&re) || !finite(&im) {
        lose(w);
        return v.into_iter().for_each(lose);
    }
    let single = |re: T, im: T| c32::new(re.into() as f32, im.into() as f32);
    w.iter_mut().enumerate().for_each(|(i, w)| *w = single(re[i], im[i]));
    let (Some(v), Some(made)) = (v, made) else { return };
    // A pair of conjugate values has its real parts in one column, its imaginary parts in the next.
    let mut i = 0;
    while i < n {
        let pair = im[i] != zero() && i + 1 < n;
        for row in 0..n {
            if pair {
                let (re, im) = (made[(row, i)], made[(row, i + 1)]);
                v[row * n + i] = single(re, im);
                v[row * n + i + 1] = single(re, -im);
            } else {
                v[row * n + i] = single(made[(row, i)], zero());
            }
        }
        i += if pair { 2 } else { 1 };
    }
    normalize(v, n);
}

/// As `eig`, of a complex matrix.
pub fn eig_complex(work: &mut Work, x: &[c32], w: &mut [c32], v: Option<&mut [c32]>, n: usize) {
    let (par, mut made) = (work.par, v.is_some().then(|| Mat::<c32>::zeros(n, n)));
    let kind = if v.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut right = finite(x);
    if right && n > 0 {
        let columns = MatRef::from_row_major_slice(x, n, n).to_owned();
        let stack =
            work.stack(evd::evd_scratch::<c32>(n, ComputeEigenvectors::No, kind, par, Spec::default()));
        let values = DiagMut::from_slice_mut(w);
        let vectors = made.as_mut().map(Mat::as_mut);
        right = evd::evd_cplx(columns.as_ref(), values, None, vectors, par, stack, Spec::default()).is_ok();
    }
    if !right || !finite(w) {
        lose(w);
        return v.into_iter().for_each(lose);
    }
    if let (Some(v), Some(made)) = (v, made) {
        MatMut::from_row_major_slice_mut(v, n, n).copy_from(&made);
        normalize(v, n);
    }
}

/// Columns of length 1 with the direction taken out.
fn normalize(v: &mut [c32], n: usize) {
    for i in 0..n {
        let length = (0..n).map(|row| v[row * n + i].norm_sqr()).sum::<f32>().sqrt();
        let turn = direction(|row| v[row * n + i], n).conj();
        (0..n).for_each(|row| v[row * n + i] *= turn / length);
    }
}

/// The pseudo-inverse (`n × m`) of an `m × n` matrix. Singular values that are not above `least` times the largest are
/// taken for zero.
pub fn pinv<T: Number>(work: &mut Work, x: &[T], least: T::Real, out: &mut [T], (m, n): (usize, usize)) {
    let k = m.min(n);
    let (mut u, mut v): (Mat<T>, Mat<T>) = (Mat::zeros(m, k), Mat::zeros(n, k));
    let mut s = vec![T::Real::default(); k];
    if !finite(x) || !singular(work, x, &mut s, Some((u.as_mut(), v.as_mut())), (m, n)) {
        return lose(out);
    }
    let bound = s.first().map_or_else(zero, |&largest| least * largest);
    for (i, &s) in s.iter().enumerate() {
        let times = if s > bound { from_real::<T>(&(one::<T::Real>() / s)) } else { zero() };
        (0..n).for_each(|row| v[(row, i)] *= times);
    }
    let out = MatMut::from_row_major_slice_mut(out, n, m);
    matmul(out, Accum::Replace, v.as_ref(), u.as_ref().adjoint(), one::<T>(), work.par);
}
