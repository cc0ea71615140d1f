//! Norms, what is said with them, and diagonals of matrices. Functions of `fun::norm`, in `pullback.linalg`.

use pullback::fun;
use pullback::fun::norm::{self as make, Order};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::args::Axes;
use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;
use crate::dtype::DtypeArg;

/// A norm as it is named: by a number, or by a word.
pub struct Ord(Order);

impl<'a, 'py> FromPyObject<'a, 'py> for Ord {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Ord> {
        if let Ok(number) = value.extract::<f64>() {
            return Ok(Ord(Order::Number(number)));
        }
        let name = value.extract::<String>();
        if let Some(order) = name.as_ref().ok().and_then(|name| Order::named(name)) {
            return Ok(Ord(order));
        }
        let got = value.repr().map_or_else(|_| "?".into(), |text| text.to_string());
        let text = format!("[norm] expected a number, 'fro' or 'nuc', got {got}");
        Err(if name.is_ok() { PyValueError::new_err(text) } else { PyTypeError::new_err(text) })
    }
}

/// The norm of vectors along one `axis`, of matrices along two. Without `axis` it is that of the whole array, as a vector
/// if there is no `ord`; with one, the array has one axis or two.
///
/// `ord` is `None` (the root of the sum of squares), `inf`, `-inf`, or any number of vectors; of matrices `'fro'`, `'nuc'`
/// (the sum of singular values), `1`, `2` (the largest singular value), `inf` (the largest sum of a row), or one of these
/// negative. The gradient of the 2-norm at 0 is 0.
///
/// >>> pb.linalg.norm(pb.array([3.0, 4.0])).item()
/// 5.0
/// >>> pb.linalg.norm(pb.array([[1.0, 2.0], [3.0, 4.0]]), "fro", axis=(0, 1)).shape
/// ()
#[pyfunction]
#[pyo3(signature = (a, /, ord=None, axis=Axes(None), keepdims=false, *, stream=On::default()), text_signature = "(a, /, ord=None, axis=None, keepdims=False, *, stream=None)")]
pub fn norm(
    py: Python<'_>,
    a: Arg,
    ord: Option<Ord>,
    axis: Axes,
    keepdims: bool,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || make::norm(&a.0, ord.map(|ord| ord.0), axis.list(), keepdims))
}

/// The norm of vectors along any axes, or of the whole array: that of the array API.
///
/// >>> pb.linalg.vector_norm(pb.array([[3.0, 4.0], [6.0, 8.0]]), axis=1)
/// array([ 5., 10.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, /, *, axis=Axes(None), keepdims=false, ord=2., stream=On::default()), text_signature = "(x, /, *, axis=None, keepdims=False, ord=2, stream=None)")]
pub fn vector_norm(
    py: Python<'_>,
    x: Arg,
    axis: Axes,
    keepdims: bool,
    ord: f64,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || make::vector_norm(&x.0, ord, axis.list(), keepdims))
}

/// The norm of matrices `[.., m, n]`: that of the array API.
///
/// >>> pb.linalg.matrix_norm(pb.array([[3.0, 0.0], [0.0, 4.0]])).item()
/// 5.0
#[pyfunction]
#[pyo3(signature = (x, /, *, keepdims=false, ord=Ord(Order::Frobenius), stream=On::default()), text_signature = "(x, /, *, keepdims=False, ord='fro', stream=None)")]
pub fn matrix_norm(py: Python<'_>, x: Arg, keepdims: bool, ord: Ord, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::matrix_norm(&x.0, ord.0, [-2, -1], keepdims))
}

/// How much larger the relative error of a solution may be than that of the system: of matrices `[.., m, n]` the quotient
/// of the largest and the smallest singular value, or, of square ones, the product of the norm `p` and that of the inverse.
///
/// >>> pb.linalg.cond(pb.array([[4.0, 0.0], [0.0, 2.0]])).item()
/// 2.0
#[pyfunction]
#[pyo3(signature = (x, p=None, *, stream=On::default()), text_signature = "(x, p=None, *, stream=None)")]
pub fn cond(py: Python<'_>, x: Arg, p: Option<Ord>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::cond(&x.0, p.map(|p| p.0)))
}

/// How many singular values of matrices `[.., m, n]` are above `rtol` times the largest, as `int32`; `rtol` is the rounding
/// error times the longer side if it is not given.
///
/// >>> pb.linalg.matrix_rank(pb.ones((3, 3))).item()
/// 1
#[pyfunction]
#[pyo3(signature = (x, /, *, rtol=None, stream=On::default()), text_signature = "(x, /, *, rtol=None, stream=None)")]
pub fn matrix_rank(py: Python<'_>, x: Arg, rtol: Option<Arg>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::matrix_rank(&x.0, rtol.as_ref().map(|rtol| &rtol.0)))
}

/// The `offset`-th diagonal of matrices `[.., m, n]`: that of the array API, over the last two axes.
///
/// >>> pb.linalg.diagonal(pb.array([[1, 2], [3, 4]]))
/// array([1, 4], dtype=int32)
#[pyfunction]
#[pyo3(name = "diagonal", signature = (x, /, *, offset=0, stream=On::default()), text_signature = "(x, /, *, offset=0, stream=None)")]
pub fn matrix_diagonal(py: Python<'_>, x: Arg, offset: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::diagonal(&x.0, offset, -2, -1))
}

/// The sum of the `offset`-th diagonal of matrices `[.., m, n]`: that of the array API, over the last two axes.
///
/// >>> pb.linalg.trace(pb.array([[1, 2], [3, 4]])).item()
/// 5
#[pyfunction]
#[pyo3(name = "trace", signature = (x, /, *, offset=0, dtype=None, stream=On::default()), text_signature = "(x, /, *, offset=0, dtype=None, stream=None)")]
pub fn matrix_trace(
    py: Python<'_>,
    x: Arg,
    offset: isize,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || {
        let Some(DtypeArg(dtype)) = dtype else { return fun::trace(&x.0, offset, -2, -1) };
        fun::cast(&fun::trace(&fun::cast(&x.0, dtype)?, offset, -2, -1)?, dtype)
    })
}
