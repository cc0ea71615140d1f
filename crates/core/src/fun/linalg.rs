//! Linear algebra: factorizations, and what is solved with them.
//!
//! All of it takes batches of matrices in the last two axes, in `float32`, `float64` and `complex64`; integers are lifted
//! to `float32`. Half floats have determinants and no factorizations. Where there is no result (a singular system, a matrix
//! that is not positive definite, elements that are not finite) it is NaN or infinite, as in JAX, and not an error: a lazy
//! error would name no line, and within a batch it would take the other results along.

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Result, Scalar, Shape, shape};
pub use pullback_kernels::Vectors;

use super::{
    add, broadcast_to, cast, concatenate, conjugate, diagonal, divide, equal, expand_dims, eye, log, matmul,
    multiply, narrow, not_equal, prod, reshape, subtract, sum_over, swap_last, tril, triu, where_,
};
use crate::array::{Array, mismatch};
use crate::op::{Dtypes, OpDef};
use crate::ops::{solve as systems, spectrum};
use crate::params::Params;

/// In a type that has factorizations.
pub(super) fn lifted(op: &str, x: &Array) -> Result<Array> {
    let dtype = Dtypes::Precise.lift(x.dtype()).ok_or_else(|| refused(op, x.dtype()))?;
    cast(x, dtype)
}

fn refused(op: &str, dtype: Dtype) -> Error {
    let words = Dtypes::Precise.words();
    Error::type_(format!("[{op}] expected {words}, got {dtype}; convert it with astype(pb.float32)"))
}

/// Both in one type that has factorizations.
fn both(op: &str, x: &Array, y: &Array) -> Result<(Array, Array)> {
    let dtype = promote(x.dtype(), y.dtype());
    let dtype = Dtypes::Precise.lift(dtype).ok_or_else(|| refused(op, dtype))?;
    Ok((cast(x, dtype)?, cast(y, dtype)?))
}

/// Rows and columns.
pub(super) fn matrix(op: &str, x: &Array) -> Result<(usize, usize)> {
    match x.shape()[..] {
        [.., m, n] => Ok((m, n)),
        _ => Err(Error::value(format!("[{op}] expected an array with two or more axes, got {}", x.aval()))),
    }
}

/// Rows, as many as columns.
pub(super) fn square(op: &str, x: &Array) -> Result<usize> {
    match matrix(op, x)? {
        (m, n) if m == n => Ok(n),
        _ => Err(Error::value(format!("[{op}] expected square matrices, got {}", x.aval()))),
    }
}

fn several(op: &'static OpDef, params: Params, x: &Array) -> Result<Vec<Array>> {
    Ok(Array::apply_all(op, params, &[x])?.into_vec())
}

/// The conjugate transpose.
fn adjoint(x: &Array) -> Result<Array> {
    swap_last(&conjugate(x)?)
}

/// The unit matrix for every matrix of `x`.
fn units(x: &Array) -> Result<Array> {
    let n = x.shape()[x.ndim() - 1];
    broadcast_to(&eye(n, n, 0, x.dtype())?, x.shape())
}

/// The Cholesky factor of Hermitian, positive definite matrices: lower, with `a = l l^H`, or upper, with `a = u^H u`. That
/// triangle of `a` is read, and has the slope. NaN where a matrix is not positive definite.
///
/// # Errors
/// `Value` for matrices that are not square, `Type` for half floats.
pub fn cholesky(a: &Array, upper: bool) -> Result<Array> {
    square("cholesky", a)?;
    let a = lifted("cholesky", a)?;
    let factor = |a: &Array| Array::apply(&systems::CHOLESKY, Params::None, &[a]);
    if upper { adjoint(&factor(&adjoint(&a)?)?) } else { factor(&a) }
}

/// The inverse of a matrix from its Cholesky factor.
///
/// # Errors
/// As `cholesky`.
pub fn cholesky_inv(factor: &Array, upper: bool) -> Result<Array> {
    square("cholesky_inv", factor)?;
    let inverse = tri_inv(&lifted("cholesky_inv", factor)?, upper)?;
    if upper { matmul(&inverse, &adjoint(&inverse)?) } else { matmul(&adjoint(&inverse)?, &inverse) }
}

/// The inverse of triangular matrices, of which one triangle is read.
///
/// # Errors
/// As `cholesky`.
pub fn tri_inv(a: &Array, upper: bool) -> Result<Array> {
    square("tri_inv", a)?;
    let a = lifted("tri_inv", a)?;
    systems::triangular(&a, &units(&a)?, upper)
}

/// The inverse of square matrices; infinite or NaN where one is singular.
///
/// # Errors
/// As `cholesky`.
pub fn inv(a: &Array) -> Result<Array> {
    square("inv", a)?;
    let a = lifted("inv", a)?;
    solve(&a, &units(&a)?)
}

/// A system with its right-hand sides as matrices, in one type: `op` solves it over equal leading axes. A vector is one
/// right-hand side; leading axes broadcast.
fn system(op: &str, a: &Array, b: &Array, solve: &dyn Fn(&Array, &Array) -> Result<Array>) -> Result<Array> {
    let n = square(op, a)?;
    let wrong = || {
        mismatch(
            op,
            "square matrices [.., n, n] and right-hand sides [.., n, k] or [n]",
            &[a.aval(), b.aval()],
        )
    };
    let (x, y) = both(op, a, b)?;
    if b.ndim() < 1 || b.shape()[b.ndim().saturating_sub(2)] != n {
        return Err(wrong());
    }
    if b.ndim() == 1 {
        let lead = &a.shape()[..a.ndim() - 2];
        let wide = broadcast_to(&y, &Shape::from([lead, &[n]].concat()))?;
        let solved = solve(&x, &expand_dims(&wide, &[-1])?)?;
        return super::squeeze(&solved, Some(&[-1]));
    }
    if a.ndim() == 2 && b.ndim() > 2 {
        // One matrix for all: a single system with more right-hand sides.
        let rows = b.ndim() - 2;
        let front = super::move_axis(&y, rows, 0)?;
        let wide = reshape(&front, Shape::from([n, b.size() / n.max(1)]))?;
        return super::move_axis(&reshape(&solve(&x, &wide)?, front.shape().clone())?, 0, rows);
    }
    let lead = shape::broadcast(op, &[&a.shape()[..a.ndim() - 2], &b.shape()[..b.ndim() - 2]])?;
    let wide = broadcast_to(&y, &Shape::from([&lead[..], &b.shape()[b.ndim() - 2..]].concat()))?;
    solve(&x, &wide)
}

/// `x` with its own axes kept and the axes before them broadcast to those of `to`, which has as many of its own as a matrix.
fn led(x: &Array, own: usize, to: &Array) -> Result<Array> {
    let lead = &to.shape()[..to.ndim() - 2];
    broadcast_to(x, &Shape::from([lead, &x.shape()[x.ndim() - own..]].concat()))
}

/// The solution `x` of `a x = b`; infinite or NaN where a matrix is singular.
///
/// # Errors
/// `Value` for matrices that are not square and right-hand sides that do not fit, `Type` for half floats.
pub fn solve(a: &Array, b: &Array) -> Result<Array> {
    system("solve", a, b, &|a, b| {
        // The factors only steer: the derivative is that of the solution.
        let made = several(&systems::LU, Params::None, &super::stop_gradient(a)?)?;
        let operands = [led(a, 2, b)?, b.clone(), led(&made[0], 2, b)?, led(&made[2], 1, b)?];
        systems::lu_solve(&operands, b, false)
    })
}

/// The solution `x` of `a x = b` for triangular `a`, of which one triangle is read.
///
/// # Errors
/// As `solve`.
pub fn solve_triangular(a: &Array, b: &Array, upper: bool) -> Result<Array> {
    system("solve_triangular", a, b, &|a, b| systems::triangular(&led(a, 2, b)?, b, upper))
}

/// The LU factorization in one array, and the row that was exchanged with each, as `uint32`.
///
/// # Errors
/// `Value` for fewer than two axes, `Type` for half floats.
pub fn lu_factor(a: &Array) -> Result<(Array, Array)> {
    matrix("lu_factor", a)?;
    let made = several(&systems::LU, Params::None, &lifted("lu_factor", a)?)?;
    Ok((made[0].clone(), cast(&made[1], Dtype::U32)?))
}

/// The LU factorization: places `p` (`uint32`), `l` and `u`, so that `a` is `l u` with its rows taken at `p`.
///
/// # Errors
/// As `lu_factor`.
pub fn lu(a: &Array) -> Result<[Array; 3]> {
    let (m, n) = matrix("lu", a)?;
    let (x, k) = (lifted("lu", a)?, m.min(n));
    let made = several(&systems::LU, Params::None, &x)?;
    let r = x.ndim();
    let lower = tril(&narrow(&made[0], r - 1, 0, k)?, -1)?;
    let upper = triu(&narrow(&made[0], r - 2, 0, k)?, 0)?;
    let places = super::argsort(&made[2], Some(-1))?;
    Ok([cast(&places, Dtype::U32)?, add(&lower, &eye(m, k, 0, x.dtype())?)?, upper])
}

/// What `qr` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QrMode {
    /// As many columns as the shorter side has.
    Reduced,
    /// A square `q`.
    Complete,
}

/// The QR factorization: `q` with orthonormal columns and `r` upper triangular, with the signs of LAPACK.
///
/// # Errors
/// `Value` for fewer than two axes, `Type` for half floats. The derivative of the columns that fill up a square `q` is a
/// `Rule` error.
pub fn qr(a: &Array, mode: QrMode) -> Result<(Array, Array)> {
    let (m, n) = matrix("qr", a)?;
    let (x, r) = (lifted("qr", a)?, a.ndim());
    let vectors = if mode == QrMode::Complete { Vectors::Full } else { Vectors::Thin };
    let made = several(&spectrum::QR, Params::Vectors(vectors), &narrow(&x, r - 1, 0, n.min(m))?)?;
    if m >= n {
        return Ok((made[0].clone(), made[1].clone()));
    }
    // The further columns follow from the first ones, and so does their derivative.
    let rest = matmul(&adjoint(&made[0])?, &narrow(&x, r - 1, m, n - m)?)?;
    Ok((made[0].clone(), concatenate(&[&made[1], &rest], -1)?))
}

/// The singular value decomposition `a = u diag(s) vh`, as `u`, `s`, `vh`; with no vectors, `s` alone. Values are in
/// descending order.
///
/// # Errors
/// As `qr`.
pub fn svd(a: &Array, vectors: Vectors) -> Result<Vec<Array>> {
    matrix("svd", a)?;
    let mut made = several(&spectrum::SVD, Params::Vectors(vectors), &lifted("svd", a)?)?;
    if made.len() == 3 {
        made.swap(0, 1);
    }
    Ok(made)
}

/// Eigenvalues of Hermitian matrices in ascending order and, if wanted, the vectors as columns. One triangle is read.
///
/// # Errors
/// As `cholesky`.
pub fn eigh(a: &Array, vectors: Vectors, upper: bool) -> Result<Vec<Array>> {
    let op = if vectors == Vectors::None { "eigvalsh" } else { "eigh" };
    square(op, a)?;
    let x = lifted(op, a)?;
    let x = if upper { adjoint(&x)? } else { x };
    several(&spectrum::EIGH, Params::Vectors(vectors), &x)
}

/// Eigenvalues of matrices in any order and, if wanted, the vectors of length 1 as columns, in `complex64`.
///
/// # Errors
/// As `cholesky`.
pub fn eig(a: &Array, vectors: Vectors) -> Result<Vec<Array>> {
    let op = if vectors == Vectors::None { "eigvals" } else { "eig" };
    square(op, a)?;
    several(&spectrum::EIG, Params::Vectors(vectors), &lifted(op, a)?)
}

/// The Hermitian square root, without negative eigenvalues, of Hermitian matrices, of which the lower triangle is read.
///
/// # Errors
/// As `cholesky`.
pub fn hermitian_root(a: &Array) -> Result<Array> {
    square("matrix_root", a)?;
    Array::apply(&spectrum::ROOT, Params::None, &[&lifted("matrix_root", a)?])
}

/// The pseudo-inverse. Singular values up to `rtol` times the largest are taken for zero; without it, up to ten times the
/// rounding error of the longer side.
///
/// # Errors
/// As `qr`, and `Value` where `rtol` does not broadcast to the axes before the matrices.
pub fn pinv(a: &Array, rtol: Option<&Array>) -> Result<Array> {
    let (m, n) = matrix("pinv", a)?;
    let x = lifted("pinv", a)?;
    let epsilon = if x.dtype() == Dtype::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let least = match rtol {
        Some(rtol) => super::stop_gradient(rtol)?,
        None => Array::scalar(Scalar::Float(10. * m.max(n) as f64 * epsilon), Dtype::F32),
    };
    let dtype = if x.dtype() == Dtype::C64 { Dtype::F32 } else { x.dtype() };
    let least = broadcast_to(&cast(&least, dtype)?, &Shape::from(x.shape()[..x.ndim() - 2].to_vec()))?;
    Array::apply(&spectrum::PINV, Params::None, &[&x, &least])
}

/// The product along the last axis. That of complex numbers is one of halves, again and again: the derivative of `prod`
/// takes running products, which they have not.
fn product(x: &Array) -> Result<Array> {
    let axis = x.ndim() - 1;
    let mut y = x.clone();
    while y.dtype() == Dtype::C64 && y.shape()[axis] > 1 {
        let (n, half) = (y.shape()[axis], y.shape()[axis] / 2);
        let pairs = multiply(&narrow(&y, axis, 0, half)?, &narrow(&y, axis, half, half)?)?;
        y = match n % 2 {
            0 => pairs,
            _ => concatenate(&[&pairs, &narrow(&y, axis, n - 1, 1)?], -1)?,
        };
    }
    if y.shape()[axis] == 1 { super::squeeze(&y, Some(&[-1])) } else { prod(&y, Some(&[-1]), false) }
}

/// The diagonal of the upper factor of square matrices, and the sign of the order of its rows.
fn pivots(a: &Array) -> Result<(Array, Array)> {
    let n = a.shape()[a.ndim() - 1];
    let made = several(&systems::LU, Params::None, a)?;
    let moved = not_equal(&made[1], &super::index::iota(n, Dtype::I32)?)?;
    let odd =
        super::remainder(&sum_over(&moved, Some(&[-1]), false)?, &Array::scalar(Scalar::Int(2), Dtype::I32))?;
    let diagonal = diagonal(&made[0], 0, -2, -1)?;
    let odd = cast(&odd, diagonal.dtype())?;
    Ok((diagonal, subtract(&odd.full_like(1.), &multiply(&odd, &odd.full_like(2.))?)?))
}

/// What was made of `a` in a type that has factorizations, in the type of `a` if that is a half float.
fn rounded(y: &Array, a: &Array) -> Result<Array> {
    if matches!(a.dtype(), Dtype::F16 | Dtype::Bf16) { cast(y, a.dtype()) } else { Ok(y.clone()) }
}

/// The determinant; of half floats it is computed in `float32` and rounded once. Up to three rows it is written out, and
/// has its derivative at singular matrices too.
///
/// # Errors
/// `Value` for matrices that are not square.
pub fn det(a: &Array) -> Result<Array> {
    let n = square("det", a)?;
    let x = cast(a, super::wide(a.dtype()))?;
    if n > 3 {
        let (diagonal, sign) = pivots(&x)?;
        return rounded(&multiply(&product(&diagonal)?, &sign)?, a);
    }
    rounded(&written_out(&x, n)?, a)
}

/// The determinant of at most three rows.
fn written_out(x: &Array, n: usize) -> Result<Array> {
    let at = |i: usize, j: usize| {
        let row = narrow(x, x.ndim() - 2, i, 1)?;
        super::squeeze(&narrow(&row, x.ndim() - 1, j, 1)?, Some(&[-2, -1]))
    };
    let minor = |[i, j]: [usize; 2], [k, l]: [usize; 2]| {
        subtract(&multiply(&at(i, k)?, &at(j, l)?)?, &multiply(&at(i, l)?, &at(j, k)?)?)
    };
    match n {
        0 => product(&diagonal(x, 0, -2, -1)?),
        1 => at(0, 0),
        2 => minor([0, 1], [0, 1]),
        _ => {
            let term = |j: usize, rest: [usize; 2]| multiply(&at(0, j)?, &minor([1, 2], rest)?);
            add(&subtract(&term(0, [1, 2])?, &term(1, [0, 2])?)?, &term(2, [0, 1])?)
        }
    }
}

/// The sign of the determinant and the logarithm of its absolute value, of half floats as `det` has it: 0 and negative
/// infinity for a singular matrix.
///
/// # Errors
/// As `det`.
pub fn slogdet(a: &Array) -> Result<(Array, Array)> {
    square("slogdet", a)?;
    let (diagonal, order) = pivots(&cast(a, super::wide(a.dtype()))?)?;
    let size = super::abs(&diagonal)?;
    let whole = cast(&size, diagonal.dtype())?;
    let zero = equal(&whole, &whole.weak(0.))?;
    let phase = divide(&diagonal, &where_(&zero, &whole.weak(1.), &whole)?)?;
    let sign = multiply(&product(&phase)?, &order)?;
    let sign = if diagonal.dtype() == Dtype::C64 { sign } else { super::stop_gradient(&sign)? };
    Ok((rounded(&sign, a)?, rounded(&sum_over(&log(&size)?, Some(&[-1]), false)?, a)?))
}

/// The cross product along an axis of 2 or 3 elements, of which a missing third is zero.
///
/// # Errors
/// `Value` for other sizes of the axis, and other axes that do not broadcast.
pub fn cross(a: &Array, b: &Array, axis: isize) -> Result<Array> {
    let dtype = promote(a.dtype(), b.dtype());
    let Some(dtype) = Dtypes::Number.lift(dtype) else {
        return Err(Error::type_(format!("[cross] expected a number type, got {dtype}")));
    };
    let parts = |x: &Array| {
        let axis = shape::axis("cross", axis, x.ndim())?;
        let n = x.shape()[axis];
        if n != 2 && n != 3 {
            let text = "2 or 3 elements along the axis in both";
            return Err(mismatch("cross", text, &[a.aval(), b.aval()]));
        }
        let x = super::move_axis(&cast(x, dtype)?, axis, x.ndim() - 1)?;
        (0..n).map(|i| narrow(&x, x.ndim() - 1, i, 1)).collect::<Result<Vec<Array>>>()
    };
    let (x, y) = (parts(a)?, parts(b)?);
    let part = |i: usize, j: usize| {
        let term = |i: usize, j: usize| match (x.get(i), y.get(j)) {
            (Some(x), Some(y)) => multiply(x, y),
            _ => multiply(&x[0], &y[0]).map(|like| like.zeros_like()),
        };
        subtract(&term(i, j)?, &term(j, i)?)
    };
    super::moveaxis(&concatenate(&[&part(1, 2)?, &part(2, 0)?, &part(0, 1)?], -1)?, -1, axis)
}

/// Square matrices multiplied by themselves `n` times; of a negative `n`, the inverse.
///
/// # Errors
/// `Value` for matrices that are not square; of a negative `n`, as `inv`.
pub fn matrix_power(a: &Array, n: i64) -> Result<Array> {
    square("matrix_power", a)?;
    let mut base = if n < 0 { inv(a)? } else { a.clone() };
    let (mut left, mut power) = (n.unsigned_abs(), None);
    while left > 0 {
        if left % 2 == 1 {
            power = Some(match power {
                Some(power) => matmul(&power, &base)?,
                None => base.clone(),
            });
        }
        left /= 2;
        if left > 0 {
            base = matmul(&base, &base)?;
        }
    }
    power.map_or_else(|| units(a), Ok)
}
