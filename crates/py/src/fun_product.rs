//! Products and sums of them.

use pullback::fun;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::args::Ints;
use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;

/// The product of matrices; leading axes broadcast, vectors are rows on the left and columns on the right.
///
/// >>> pb.matmul(pb.array([[1, 2]]), pb.array([[3], [4]]))
/// array([[11]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, b, /, *, stream=On::default()), text_signature = "(a, b, /, *, stream=None)")]
pub fn matmul(py: Python<'_>, a: Arg, b: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::matmul(&a.0, &b.0))
}

/// `alpha * (a @ b) + beta * c`.
#[pyfunction]
#[pyo3(signature = (c, a, b, /, alpha=1.0, beta=1.0, *, stream=On::default()), text_signature = "(c, a, b, /, alpha=1.0, beta=1.0, *, stream=None)")]
pub fn addmm(py: Python<'_>, c: Arg, a: Arg, b: Arg, alpha: f64, beta: f64, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::addmm(&c.0, &a.0, &b.0, alpha, beta))
}

/// Products of all pairs of elements of two vectors.
///
/// >>> pb.outer(pb.array([1, 2]), pb.array([3, 4]))
/// array([[3, 4],
///        [6, 8]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, b, /, *, stream=On::default()), text_signature = "(a, b, /, *, stream=None)")]
pub fn outer(py: Python<'_>, a: Arg, b: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::outer(&a.0, &b.0))
}

/// Sums of products over the last axes.
///
/// >>> pb.inner(pb.array([1, 2]), pb.array([3, 4])).item()
/// 11
#[pyfunction]
#[pyo3(signature = (a, b, /, *, stream=On::default()), text_signature = "(a, b, /, *, stream=None)")]
pub fn inner(py: Python<'_>, a: Arg, b: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::inner(&a.0, &b.0))
}

/// Sums of products over axes: the last so many of `a` with the first of `b`, or a list for each.
///
/// >>> pb.tensordot(pb.ones((2, 3)), pb.ones((3, 4)), 1).shape
/// (2, 4)
#[pyfunction]
#[pyo3(signature = (a, b, /, axes=None, *, stream=On::default()), text_signature = "(a, b, /, axes=2, *, stream=None)")]
pub fn tensordot(
    py: Python<'_>,
    a: Arg,
    b: Arg,
    axes: Option<&Bound<'_, PyAny>>,
    stream: On,
) -> PyResult<PyArray> {
    let most = a.0.ndim().min(b.0.ndim()) as isize;
    let count = |n: isize| {
        if (0..=most).contains(&n) {
            return Ok(((-n..0).collect(), (0..n).collect()));
        }
        let text =
            format!("[tensordot] expected axes from 0 to {most}, as many as both arrays have, got {n}");
        Err(PyValueError::new_err(text))
    };
    let (over, with): (Vec<isize>, Vec<isize>) = match axes {
        None => count(2)?,
        Some(axes) => match axes.extract::<isize>() {
            Ok(n) => count(n)?,
            Err(err) if axes.is_instance_of::<PyInt>() => return Err(err),
            Err(_) => {
                let pair = axes.extract::<[Ints; 2]>().map_err(|err| {
                    if err.is_instance_of::<PyOverflowError>(py) {
                        return err;
                    }
                    let text = format!(
                        "[tensordot] expected a number of axes, or a pair of lists of them, got {axes}"
                    );
                    PyTypeError::new_err(text)
                });
                let [over, with] = pair?;
                (over.0, with.0)
            }
        },
    };
    build(py, stream, || fun::tensordot(&a.0, &b.0, &over, &with))
}
