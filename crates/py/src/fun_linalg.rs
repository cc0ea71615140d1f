//! Linear algebra: factorizations, and what is solved with them. Functions of `fun::linalg`, in `pullback.linalg`.

use pullback::fun::linalg::{self as make, QrMode, Vectors};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::{PyArray, build, build_all};
use crate::convert::Arg;
use crate::device::On;

/// Several arrays as a tuple.
fn tuple<'py>(
    py: Python<'py>,
    stream: On,
    make: impl FnOnce() -> pullback::Result<Vec<pullback::Array>>,
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, build_all(py, stream, make)?)
}

macro_rules! of_matrices {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (a, *, stream=On::default()), text_signature = "(a, *, stream=None)")]
        pub fn $name(py: Python<'_>, a: Arg, stream: On) -> PyResult<PyArray> {
            build(py, stream, || make::$name(&a.0))
        }
    )*};
}

of_matrices! {
    /// The inverse of square matrices `[.., n, n]`. Of a singular matrix it is infinite or NaN, and no error.
    ///
    /// >>> pb.linalg.inv(pb.array([[2.0, 0.0], [0.0, 4.0]]))
    /// array([[0.5 , 0.  ],
    ///        [0.  , 0.25]], dtype=float32)
    inv;
    /// The determinant of square matrices `[.., n, n]`. Up to three rows it is written out, and has its derivative at
    /// singular matrices too; of larger singular ones the derivative is NaN.
    ///
    /// >>> pb.linalg.det(pb.array([[1.0, 2.0], [3.0, 4.0]])).item()
    /// -2.0
    det;
}

macro_rules! triangles {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (a, upper=false, *, stream=On::default()), text_signature = "(a, upper=False, *, stream=None)")]
        pub fn $name(py: Python<'_>, a: Arg, upper: bool, stream: On) -> PyResult<PyArray> {
            build(py, stream, || make::$name(&a.0, upper))
        }
    )*};
}

triangles! {
    /// The Cholesky factor of symmetric or Hermitian, positive definite matrices `[.., n, n]`: lower, so that it times its
    /// conjugate transpose is `a`, or upper. Only that triangle of `a` is read, so that it alone has a gradient. Where a
    /// matrix is not positive definite the factor is NaN, and no error: one matrix must not stop a batch.
    ///
    /// >>> pb.linalg.cholesky(pb.array([[4.0, 2.0], [2.0, 10.0]]))
    /// array([[2., 0.],
    ///        [1., 3.]], dtype=float32)
    cholesky;
    /// The inverse of a matrix from its Cholesky factor `a`, lower or upper.
    ///
    /// >>> pb.linalg.cholesky_inv(pb.array([[2.0, 0.0], [0.0, 4.0]]))
    /// array([[0.25  , 0.    ],
    ///        [0.    , 0.0625]], dtype=float32)
    cholesky_inv;
    /// The inverse of triangular matrices `[.., n, n]`, lower or upper. Only that triangle is read.
    tri_inv;
}

/// The solution `x` of `a x = b`: `a` is square matrices `[.., n, n]`, `b` is `[.., n, k]` or a vector `[n]`; leading axes
/// broadcast. Of a singular system it is infinite or NaN, and no error. The gradient uses the factors again.
///
/// >>> pb.linalg.solve(pb.array([[2.0, 0.0], [0.0, 4.0]]), pb.array([2.0, 2.0]))
/// array([1. , 0.5], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, b, *, stream=On::default()), text_signature = "(a, b, *, stream=None)")]
pub fn solve(py: Python<'_>, a: Arg, b: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::solve(&a.0, &b.0))
}

/// The solution `x` of `a x = b` for lower (or upper) triangular `a`, of which only that triangle is read. Shapes are those
/// of `solve`.
///
/// >>> pb.linalg.solve_triangular(pb.array([[2.0, 0.0], [1.0, 1.0]]), pb.array([2.0, 2.0]))
/// array([1., 1.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, b, *, upper=false, stream=On::default()), text_signature = "(a, b, *, upper=False, stream=None)")]
pub fn solve_triangular(py: Python<'_>, a: Arg, b: Arg, upper: bool, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::solve_triangular(&a.0, &b.0, upper))
}

/// The sign of the determinant of square matrices and the logarithm of its absolute value: 0 and `-inf` of singular ones.
///
/// >>> sign, logarithm = pb.linalg.slogdet(pb.array([[0.0, 1.0], [1.0, 0.0]]))
/// >>> sign.item(), logarithm.item()
/// (-1.0, 0.0)
#[pyfunction]
#[pyo3(signature = (a, *, stream=On::default()), text_signature = "(a, *, stream=None)")]
pub fn slogdet<'py>(py: Python<'py>, a: Arg, stream: On) -> PyResult<Bound<'py, PyTuple>> {
    tuple(py, stream, || make::slogdet(&a.0).map(|(sign, log)| vec![sign, log]))
}

/// The LU factorization with partial pivoting of matrices `[.., m, n]`: places `p` (`uint32`), `l` with ones on its
/// diagonal, and `u`, so that `a` is the product of `l`, with its rows taken at `p`, and `u`.
///
/// >>> p, l, u = pb.linalg.lu(pb.array([[1.0, 2.0], [4.0, 4.0]]))
/// >>> pb.matmul(l[p, :], u)
/// array([[1., 2.],
///        [4., 4.]], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, *, stream=On::default()), text_signature = "(a, *, stream=None)")]
pub fn lu<'py>(py: Python<'py>, a: Arg, stream: On) -> PyResult<Bound<'py, PyTuple>> {
    tuple(py, stream, || make::lu(&a.0).map(Vec::from))
}

/// The LU factorization with partial pivoting in one array, without the ones on the diagonal of the lower factor, and for
/// each row in turn the one that it was exchanged with, counted from 0 (`uint32`).
#[pyfunction]
#[pyo3(signature = (a, *, stream=On::default()), text_signature = "(a, *, stream=None)")]
pub fn lu_factor<'py>(py: Python<'py>, a: Arg, stream: On) -> PyResult<Bound<'py, PyTuple>> {
    tuple(py, stream, || make::lu_factor(&a.0).map(|(lu, pivots)| vec![lu, pivots]))
}

/// The QR factorization of matrices `[.., m, n]`: `q` with orthonormal columns, as many as the shorter side has
/// (`"reduced"`) or `m` (`"complete"`), and `r` upper triangular, with the signs of LAPACK. The gradient of a complete `q`
/// with more columns than `a` is an error: they are any basis of the rest.
///
/// >>> q, r = pb.linalg.qr(pb.array([[2.0, 3.0], [1.0, 2.0]]))
/// >>> pb.allclose(q @ r, pb.array([[2.0, 3.0], [1.0, 2.0]])).item()
/// True
#[pyfunction]
#[pyo3(signature = (a, mode="reduced", *, stream=On::default()), text_signature = "(a, mode='reduced', *, stream=None)")]
pub fn qr<'py>(py: Python<'py>, a: Arg, mode: &str, stream: On) -> PyResult<Bound<'py, PyTuple>> {
    let mode = match mode {
        "reduced" => QrMode::Reduced,
        "complete" => QrMode::Complete,
        _ => {
            let text = format!("[qr] expected mode 'reduced' or 'complete', got '{mode}'");
            return Err(PyValueError::new_err(text));
        }
    };
    tuple(py, stream, || make::qr(&a.0, mode).map(|(q, r)| vec![q, r]))
}

/// The singular value decomposition of matrices `[.., m, n]`: `u`, `s` and `vh`, so that `u diag(s) vh` is `a`; without
/// `compute_uv`, `s` alone. Values are in descending order. `u` and `vh` are square, or have as many vectors as there are
/// values where `full_matrices` is false.
///
/// Vectors are determined up to their sign (their phase): the first large component of those in `u` is real and positive.
/// The gradient of complex ones is that of the choice that does not turn them: right for what does not depend on the phase.
/// That of vectors of equal values is infinite or NaN, that of vectors that fill up a square matrix is an error.
///
/// >>> pb.linalg.svd(pb.array([[3.0, 0.0], [0.0, 4.0]]), compute_uv=False)
/// array([4., 3.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, compute_uv=true, full_matrices=true, *, stream=On::default()), text_signature = "(a, compute_uv=True, full_matrices=True, *, stream=None)")]
pub fn svd<'py>(
    py: Python<'py>,
    a: Arg,
    compute_uv: bool,
    full_matrices: bool,
    stream: On,
) -> PyResult<Bound<'py, PyAny>> {
    if !compute_uv {
        return Ok(Bound::new(py, svdvals(py, a, stream)?)?.into_any());
    }
    let vectors = if full_matrices { Vectors::Full } else { Vectors::Thin };
    Ok(tuple(py, stream, || make::svd(&a.0, vectors))?.into_any())
}

/// Singular values of matrices `[.., m, n]` in descending order.
#[pyfunction]
#[pyo3(signature = (x, /, *, stream=On::default()), text_signature = "(x, /, *, stream=None)")]
pub fn svdvals(py: Python<'_>, x: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::svd(&x.0, Vectors::None).map(|mut made| made.swap_remove(0)))
}

/// Whether the upper triangle is meant.
#[expect(non_snake_case, reason = "NumPy's name")]
fn is_upper(op: &str, UPLO: &str) -> PyResult<bool> {
    match UPLO {
        "L" | "l" => Ok(false),
        "U" | "u" => Ok(true),
        _ => Err(PyValueError::new_err(format!("[{op}] expected UPLO 'L' or 'U', got '{UPLO}'"))),
    }
}

/// Eigenvalues of symmetric or Hermitian matrices `[.., n, n]` in ascending order, and the vectors as columns. Only the
/// lower (`"L"`) or upper (`"U"`) triangle is read, so that it alone has a gradient. That of vectors of equal values is
/// infinite or NaN; that of the sum of these values is right there too. The first large component of a vector is real and
/// positive; the gradient of complex ones is right for what does not depend on the phase.
///
/// >>> w, v = pb.linalg.eigh(pb.array([[1.0, -2.0], [-2.0, 1.0]]))
/// >>> pb.round(w, 4)
/// array([-1.,  3.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, UPLO="L", *, stream=On::default()), text_signature = "(a, UPLO='L', *, stream=None)")]
#[expect(non_snake_case, reason = "NumPy's name")]
pub fn eigh<'py>(py: Python<'py>, a: Arg, UPLO: &str, stream: On) -> PyResult<Bound<'py, PyTuple>> {
    let upper = is_upper("eigh", UPLO)?;
    tuple(py, stream, || make::eigh(&a.0, Vectors::Thin, upper))
}

/// Eigenvalues of symmetric or Hermitian matrices `[.., n, n]` in ascending order, of which one triangle is read.
///
/// >>> pb.linalg.eigvalsh(pb.array([[2.0, 0.0], [0.0, 1.0]]))
/// array([1., 2.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, UPLO="L", *, stream=On::default()), text_signature = "(a, UPLO='L', *, stream=None)")]
#[expect(non_snake_case, reason = "NumPy's name")]
pub fn eigvalsh(py: Python<'_>, a: Arg, UPLO: &str, stream: On) -> PyResult<PyArray> {
    let upper = is_upper("eigvalsh", UPLO)?;
    build(py, stream, || make::eigh(&a.0, Vectors::None, upper).map(|mut made| made.swap_remove(0)))
}

/// Eigenvalues of square matrices `[.., n, n]` in any order, and the vectors of length 1 as columns; always `complex64`.
///
/// A vector is determined up to its phase: its first large component is real and positive. The gradient is that of the choice
/// that does not turn it: right for what does not depend on the phase, and NaN or infinite for vectors of equal values.
///
/// >>> w, v = pb.linalg.eig(pb.array([[0.0, 1.0], [-1.0, 0.0]]))
/// >>> sorted(pb.imag(w).tolist())
/// [-1.0, 1.0]
#[pyfunction]
#[pyo3(signature = (a, *, stream=On::default()), text_signature = "(a, *, stream=None)")]
pub fn eig<'py>(py: Python<'py>, a: Arg, stream: On) -> PyResult<Bound<'py, PyTuple>> {
    tuple(py, stream, || make::eig(&a.0, Vectors::Thin))
}

/// Eigenvalues of square matrices `[.., n, n]` in any order; always `complex64`.
#[pyfunction]
#[pyo3(signature = (a, *, stream=On::default()), text_signature = "(a, *, stream=None)")]
pub fn eigvals(py: Python<'_>, a: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::eig(&a.0, Vectors::None).map(|mut made| made.swap_remove(0)))
}

/// The pseudo-inverse (Moore, Penrose) of matrices `[.., m, n]`. Singular values up to `rtol` times the largest are taken
/// for zero; `rtol` is ten times the rounding error times the longer side if it is not given. The gradient is that at a
/// constant rank.
///
/// >>> pb.linalg.pinv(pb.array([[2.0], [0.0]]))
/// array([[0.5, 0. ]], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, rtol=None, *, stream=On::default()), text_signature = "(a, rtol=None, *, stream=None)")]
pub fn pinv(py: Python<'_>, a: Arg, rtol: Option<Arg>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::pinv(&a.0, rtol.as_ref().map(|rtol| &rtol.0)))
}

/// The cross product along an axis of 2 or 3 elements, of which a missing third is zero. Of two elements each it is the
/// third of the product alone, in an axis of 1.
///
/// >>> pb.linalg.cross(pb.array([1, 0, 0]), pb.array([0, 1, 0]))
/// array([0, 0, 1], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, b, axis=-1, *, stream=On::default()), text_signature = "(a, b, axis=-1, *, stream=None)")]
pub fn cross(py: Python<'_>, a: Arg, b: Arg, axis: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::cross(&a.0, &b.0, axis))
}

/// Square matrices `[.., n, n]` multiplied by themselves `n` times; of a negative `n`, the inverse is.
///
/// >>> pb.linalg.matrix_power(pb.array([[1, 1], [0, 1]]), 3)
/// array([[1, 3],
///        [0, 1]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, n, *, stream=On::default()), text_signature = "(a, n, *, stream=None)")]
pub fn matrix_power(py: Python<'_>, a: Arg, n: i64, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::matrix_power(&a.0, n))
}
