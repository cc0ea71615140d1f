//! Arrays taken apart, and brought to more axes.

use pullback::fun;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::args::{Ints, Many, Sizes};
use crate::array::{PyArray, build, build_all};
use crate::convert::Arg;
use crate::device::On;

/// Matrices transposed: the last two axes exchanged.
///
/// >>> pb.matrix_transpose(pb.zeros((4, 2, 3))).shape
/// (4, 3, 2)
#[pyfunction]
#[pyo3(signature = (a, /, *, stream=On::default()), text_signature = "(a, /, *, stream=None)")]
pub fn matrix_transpose(py: Python<'_>, a: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::matrix_transpose(&a.0))
}

/// The array itself: elements always lie in the order of the axes, last axis first, once they are computed.
#[pyfunction]
#[pyo3(signature = (a, /, allow_col_major=false, *, stream=On::default()), text_signature = "(a, /, allow_col_major=False, *, stream=None)")]
#[expect(unused_variables, reason = "no array lies in columns")]
pub fn contiguous(py: Python<'_>, a: Arg, allow_col_major: bool, stream: On) -> PyResult<PyArray> {
    build(py, stream, || Ok(a.0))
}

/// The slices along an axis, each without it: what `stack` puts together.
///
/// >>> pb.unstack(pb.array([[1, 2], [3, 4]]))
/// (array([1, 2], dtype=int32), array([3, 4], dtype=int32))
#[pyfunction]
#[pyo3(signature = (x, /, *, axis=0, stream=On::default()), text_signature = "(x, /, *, axis=0, stream=None)")]
pub fn unstack<'py>(py: Python<'py>, x: Arg, axis: isize, stream: On) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, build_all(py, stream, || fun::unstack(&x.0, axis))?)
}

macro_rules! atleast {
    ($($(#[doc = $doc:literal])+ $name:ident = $axes:literal;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (*arys, stream=On::default()), text_signature = "(*arys, stream=None)")]
        pub fn $name<'py>(py: Python<'py>, arys: &Bound<'py, PyTuple>, stream: On) -> PyResult<Bound<'py, PyAny>> {
            let arrays: Many = arys.as_any().extract()?;
            let raised = || arrays.0.iter().map(|x| fun::atleast(x, $axes)).collect();
            let list = PyList::new(py, build_all(py, stream, raised)?)?;
            if list.len() == 1 { list.get_item(0) } else { Ok(list.into_any()) }
        }
    )*};
}

atleast! {
    /// Arrays with one axis or more; of several arrays, a list.
    ///
    /// >>> pb.atleast_1d(pb.array(1)).shape
    /// (1,)
    atleast_1d = 1;
    /// Arrays with two axes or more, new ones in front; of several arrays, a list.
    ///
    /// >>> pb.atleast_2d(pb.array([1, 2])).shape
    /// (1, 2)
    atleast_2d = 2;
    /// Arrays with three axes or more, the third one last; of several arrays, a list.
    ///
    /// >>> pb.atleast_3d(pb.array([1, 2])).shape
    /// (1, 2, 1)
    atleast_3d = 3;
}

/// Coordinates of all points of a grid, one array for each of those given; `sparse` ones broadcast to them. With
/// `indexing="xy"` the first array runs along rows, with `"ij"` along the first axis.
///
/// >>> x, y = pb.meshgrid(pb.array([1, 2, 3]), pb.array([4, 5]))
/// >>> y
/// array([[4, 4, 4],
///        [5, 5, 5]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (*arrays, sparse=Some(false), indexing=Some("xy"), stream=On::default()), text_signature = "(*arrays, sparse=False, indexing='xy', stream=None)")]
pub fn meshgrid<'py>(
    py: Python<'py>,
    arrays: &Bound<'py, PyTuple>,
    sparse: Option<bool>,
    indexing: Option<&str>,
    stream: On,
) -> PyResult<Bound<'py, PyTuple>> {
    let indexing = match indexing {
        None | Some("xy") => fun::Indexing::Cartesian,
        Some("ij") => fun::Indexing::Matrix,
        Some(other) => {
            let text = format!("[meshgrid] expected indexing 'xy' or 'ij', got '{other}'");
            return Err(PyValueError::new_err(text));
        }
    };
    let arrays: Many = arrays.as_any().extract()?;
    let sparse = sparse.unwrap_or(false);
    PyTuple::new(py, build_all(py, stream, || fun::meshgrid(&arrays.refs(), sparse, indexing))?)
}

/// A part of an array, which starts at `start_indices` along `axes` and at 0 along the others; `slice_size` has a size
/// for every axis. Where it starts is known when it is computed; a part that would not lie within the array is moved.
///
/// >>> pb.slice(pb.array([[1, 2, 3], [4, 5, 6]]), pb.array(1), axes=(0,), slice_size=(1, 2))
/// array([[4, 5]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, start_indices, axes, slice_size, *, stream=On::default()), text_signature = "(a, start_indices, axes, slice_size, *, stream=None)")]
pub fn slice(
    py: Python<'_>,
    a: Arg,
    start_indices: Arg,
    axes: Ints,
    slice_size: Sizes,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::slice_at(&a.0, &start_indices.0, &axes.0, &slice_size.0))
}

/// The array with a part replaced, which starts at `start_indices` along `axes`. A part that would not lie within the
/// array is moved.
///
/// >>> pb.slice_update(pb.zeros(4), pb.ones(2), pb.array(1), axes=(0,))
/// array([0., 1., 1., 0.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, update, start_indices, axes, *, stream=On::default()), text_signature = "(a, update, start_indices, axes, *, stream=None)")]
pub fn slice_update(
    py: Python<'_>,
    a: Arg,
    update: Arg,
    start_indices: Arg,
    axes: Ints,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::slice_update(&a.0, &update.0, &start_indices.0, &axes.0))
}
