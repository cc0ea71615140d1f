//! Elements moved, cut up and put together: functions and methods.

use pullback::Array;
use pullback::fun::{self, join};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PyTuple};

use crate::args::{Axes, Ints, Many, Sizes};
use crate::array::{PyArray, build, build_all};
use crate::convert::Arg;
use crate::device::On;
use crate::dtype::DtypeArg;
use crate::operators::fitted;

/// The same elements in another shape; one size may be -1.
///
/// >>> pb.reshape(pb.arange(6), (2, -1)).shape
/// (2, 3)
#[pyfunction]
#[pyo3(signature = (a, /, shape, *, stream=On::default()), text_signature = "(a, /, shape, *, stream=None)")]
pub fn reshape(py: Python<'_>, a: Arg, shape: Ints, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::reshape_to(&a.0, &shape.0))
}

/// The axes in another order; in reverse, if none is named.
///
/// >>> pb.transpose(pb.zeros((2, 3, 4)), (2, 0, 1)).shape
/// (4, 2, 3)
#[pyfunction]
#[pyo3(signature = (a, /, axes=Axes::default(), *, stream=On::default()), text_signature = "(a, /, axes=None, *, stream=None)")]
pub fn transpose(py: Python<'_>, a: Arg, axes: Axes, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::permute(&a.0, axes.list()))
}

/// Two axes exchanged.
///
/// >>> pb.swapaxes(pb.zeros((2, 3, 4)), 0, 2).shape
/// (4, 3, 2)
#[pyfunction]
#[pyo3(signature = (a, /, axis1, axis2, *, stream=On::default()), text_signature = "(a, /, axis1, axis2, *, stream=None)")]
pub fn swapaxes(py: Python<'_>, a: Arg, axis1: isize, axis2: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::swapaxes(&a.0, axis1, axis2))
}

/// An axis moved to another place.
///
/// >>> pb.moveaxis(pb.zeros((2, 3, 4)), 0, -1).shape
/// (3, 4, 2)
#[pyfunction]
#[pyo3(signature = (a, /, source, destination, *, stream=On::default()), text_signature = "(a, /, source, destination, *, stream=None)")]
pub fn moveaxis(py: Python<'_>, a: Arg, source: isize, destination: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::moveaxis(&a.0, source, destination))
}

/// Axes of size 1 taken out; all of them, if none is named.
///
/// >>> pb.squeeze(pb.zeros((1, 3, 1))).shape
/// (3,)
#[pyfunction]
#[pyo3(signature = (a, /, axis=Axes::default(), *, stream=On::default()), text_signature = "(a, /, axis=None, *, stream=None)")]
pub fn squeeze(py: Python<'_>, a: Arg, axis: Axes, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::squeeze(&a.0, axis.list()))
}

/// New axes of size 1.
///
/// >>> pb.expand_dims(pb.zeros((3,)), 0).shape
/// (1, 3)
#[pyfunction]
#[pyo3(signature = (a, /, axis, *, stream=On::default()), text_signature = "(a, /, axis, *, stream=None)")]
pub fn expand_dims(py: Python<'_>, a: Arg, axis: Ints, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::expand_dims(&a.0, &axis.0))
}

/// Axes from one to another as one.
///
/// >>> pb.flatten(pb.zeros((2, 3, 4)), 1).shape
/// (2, 12)
#[pyfunction]
#[pyo3(signature = (a, /, start_axis=0, end_axis=-1, *, stream=On::default()), text_signature = "(a, /, start_axis=0, end_axis=-1, *, stream=None)")]
pub fn flatten(py: Python<'_>, a: Arg, start_axis: isize, end_axis: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::flatten(&a.0, start_axis, end_axis))
}

/// One axis as several.
///
/// >>> pb.unflatten(pb.zeros((2, 12)), 1, (3, -1)).shape
/// (2, 3, 4)
#[pyfunction]
#[pyo3(signature = (a, /, axis, shape, *, stream=On::default()), text_signature = "(a, /, axis, shape, *, stream=None)")]
pub fn unflatten(py: Python<'_>, a: Arg, axis: isize, shape: Ints, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::unflatten(&a.0, axis, &shape.0))
}

/// The elements in reverse order along axes; along all, if none is named.
///
/// >>> pb.flip(pb.array([1, 2, 3]))
/// array([3, 2, 1], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, axis=Axes::default(), *, stream=On::default()), text_signature = "(a, /, axis=None, *, stream=None)")]
pub fn flip(py: Python<'_>, a: Arg, axis: Axes, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::flip(&a.0, axis.list()))
}

/// The array repeated along axes of size 1 and new leading axes.
///
/// >>> pb.broadcast_to(pb.array([1, 2]), (2, 2))
/// array([[1, 2],
///        [1, 2]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, shape, *, stream=On::default()), text_signature = "(a, /, shape, *, stream=None)")]
pub fn broadcast_to(py: Python<'_>, a: Arg, shape: Sizes, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::broadcast_to(&a.0, &shape.0))
}

/// Arrays broadcast to one shape.
///
/// >>> [x.shape for x in pb.broadcast_arrays(pb.zeros((2, 1)), pb.zeros((3,)))]
/// [(2, 3), (2, 3)]
#[pyfunction]
#[pyo3(signature = (*arrays, stream=On::default()), text_signature = "(*arrays, stream=None)")]
pub fn broadcast_arrays(py: Python<'_>, arrays: &Bound<'_, PyTuple>, stream: On) -> PyResult<Vec<PyArray>> {
    let arrays: Many = arrays.as_any().extract()?;
    build_all(py, stream, || fun::broadcast_arrays(&arrays.refs()))
}

/// The shape that shapes broadcast to.
///
/// >>> pb.broadcast_shapes((2, 1), (3,))
/// (2, 3)
#[pyfunction]
#[pyo3(signature = (*shapes))]
pub fn broadcast_shapes<'py>(py: Python<'py>, shapes: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyTuple>> {
    let list = shapes.iter().map(|shape| Ok(shape.extract::<Sizes>()?.0)).collect::<PyResult<Vec<_>>>()?;
    let refs: Vec<&[usize]> = list.iter().map(|shape| &shape[..]).collect();
    let shape = pullback::shape::broadcast("broadcast_shapes", &refs).map_err(crate::error::raised)?;
    PyTuple::new(py, &shape[..])
}

/// Arrays one after the other along an axis.
///
/// >>> pb.concatenate([pb.array([1]), pb.array([2, 3])])
/// array([1, 2, 3], dtype=int32)
#[pyfunction]
#[pyo3(signature = (arrays, axis=Some(0), *, stream=On::default()), text_signature = "(arrays, axis=0, *, stream=None)")]
pub fn concatenate(py: Python<'_>, arrays: Many, axis: Option<isize>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || match axis {
        Some(axis) => fun::concatenate(&arrays.refs(), axis),
        None => {
            let flat =
                arrays.0.iter().map(|x| fun::flatten(x, 0, -1)).collect::<pullback::Result<Vec<_>>>()?;
            fun::concatenate(&flat.iter().collect::<Vec<_>>(), 0)
        }
    })
}

/// Arrays of one shape side by side along a new axis.
///
/// >>> pb.stack([pb.array([1, 2]), pb.array([3, 4])])
/// array([[1, 2],
///        [3, 4]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (arrays, axis=0, *, stream=On::default()), text_signature = "(arrays, axis=0, *, stream=None)")]
pub fn stack(py: Python<'_>, arrays: Many, axis: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::stack(&arrays.refs(), axis))
}

/// An array cut along an axis, into so many equal parts or before these positions.
///
/// >>> pb.split(pb.arange(4), 2)
/// [array([0, 1], dtype=int32), array([2, 3], dtype=int32)]
#[pyfunction]
#[pyo3(signature = (a, /, indices_or_sections, axis=0, *, stream=On::default()), text_signature = "(a, /, indices_or_sections, axis=0, *, stream=None)")]
pub fn split(
    py: Python<'_>,
    a: Arg,
    indices_or_sections: &Bound<'_, PyAny>,
    axis: isize,
    stream: On,
) -> PyResult<Vec<PyArray>> {
    if let Ok(parts) = indices_or_sections.extract::<usize>() {
        return build_all(py, stream, || fun::split(&a.0, join::Cuts::Parts(parts), axis));
    }
    let at = indices_or_sections.extract::<Ints>()?;
    build_all(py, stream, || fun::split(&a.0, join::Cuts::At(&at.0), axis))
}

/// Each element several times, along an axis (of all elements, if none is named).
///
/// >>> pb.repeat(pb.array([1, 2]), 2)
/// array([1, 1, 2, 2], dtype=int32)
#[pyfunction]
#[pyo3(signature = (array, repeats, axis=None, *, stream=On::default()), text_signature = "(array, repeats, axis=None, *, stream=None)")]
pub fn repeat(
    py: Python<'_>,
    array: Arg,
    repeats: usize,
    axis: Option<isize>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::repeat(&array.0, repeats, axis))
}

/// The array side by side with itself, so many times along each axis.
///
/// >>> pb.tile(pb.array([1, 2]), 2)
/// array([1, 2, 1, 2], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, reps, /, *, stream=On::default()), text_signature = "(a, reps, /, *, stream=None)")]
pub fn tile(py: Python<'_>, a: Arg, reps: Sizes, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::tile(&a.0, &reps.0))
}

/// The elements moved along axes, what falls out at one end coming in at the other.
///
/// >>> pb.roll(pb.array([1, 2, 3]), 1)
/// array([3, 1, 2], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, shift, axis=Axes::default(), *, stream=On::default()), text_signature = "(a, shift, axis=None, *, stream=None)")]
pub fn roll(py: Python<'_>, a: Arg, shift: Ints, axis: Axes, stream: On) -> PyResult<PyArray> {
    let Some(axes) = axis.0 else {
        let by = shift.0.iter().sum();
        return build(py, stream, || fun::roll(&a.0, by, None));
    };
    // Several shifts of one axis add up; one shift is for each axis.
    let shifts = match (&shift.0[..], axes.len()) {
        (shifts, 1) => vec![shifts.iter().sum()],
        (&[one], n) => vec![one; n],
        _ => shift.0,
    };
    if shifts.len() != axes.len() {
        let text = format!(
            "[roll] expected one shift, or one for each of {} axes, got {}",
            axes.len(),
            shifts.len()
        );
        return Err(PyValueError::new_err(text));
    }
    build(py, stream, || {
        axes.iter().zip(shifts).try_fold(a.0, |x, (&axis, by)| fun::roll(&x, by, Some(axis)))
    })
}

/// More elements around those of the array: `pad_width` is a number, a pair, or a pair for each axis; `mode` is
/// `"constant"`, `"edge"`, or that of a mirror, which repeats the ends (`"symmetric"`) or not (`"reflect"`).
///
/// >>> pb.pad(pb.array([1, 2]), (1, 2))
/// array([0, 1, 2, 0, 0], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, pad_width, mode="constant", constant_values=None, *, stream=On::default()), text_signature = "(a, pad_width, mode='constant', constant_values=0, *, stream=None)")]
pub fn pad(
    py: Python<'_>,
    a: Arg,
    pad_width: &Bound<'_, PyAny>,
    mode: &str,
    constant_values: Option<&Bound<'_, PyAny>>,
    stream: On,
) -> PyResult<PyArray> {
    let axes = a.0.ndim();
    let widths: Vec<(usize, usize)> = if pad_width.is_instance_of::<PyInt>() {
        let one = pad_width.extract::<usize>()?;
        vec![(one, one); axes]
    } else if let Ok(pair) = pad_width.extract::<(usize, usize)>() {
        vec![pair; axes]
    } else {
        let list = pad_width.extract::<Vec<(usize, usize)>>()?;
        if let ([pair], true) = (&list[..], axes > 1) { vec![*pair; axes] } else { list }
    };
    let fill = match mode {
        "edge" => join::Fill::Edge,
        "reflect" => join::Fill::Reflect,
        "symmetric" => join::Fill::Symmetric,
        "constant" => join::Fill::Constant(match constant_values {
            Some(value) => match crate::operators::number(value)? {
                Some(number) => fitted(number, a.0.dtype())?,
                None => value.extract::<Arg>()?.0,
            },
            None => a.0.weak(0.),
        }),
        other => {
            return Err(PyValueError::new_err(format!(
                "[pad] expected mode 'constant', 'edge', 'reflect' or 'symmetric', got '{other}'"
            )));
        }
    };
    build(py, stream, || fun::pad(&a.0, &widths, &fill))
}

/// The elements of a diagonal, of the last axis of the result.
///
/// >>> pb.diagonal(pb.array([[1, 2], [3, 4]]))
/// array([1, 4], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, offset=0, axis1=0, axis2=1, *, stream=On::default()), text_signature = "(a, offset=0, axis1=0, axis2=1, *, stream=None)")]
pub fn diagonal(
    py: Python<'_>,
    a: Arg,
    offset: isize,
    axis1: isize,
    axis2: isize,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::diagonal(&a.0, offset, axis1, axis2))
}

/// A diagonal of a matrix, or a matrix with the diagonal given.
///
/// >>> pb.diag(pb.array([1, 2]))
/// array([[1, 0],
///        [0, 2]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, k=0, *, stream=On::default()), text_signature = "(a, /, k=0, *, stream=None)")]
pub fn diag(py: Python<'_>, a: Arg, k: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::diag(&a.0, k))
}

/// The sum of a diagonal, of its elements as `dtype`, if one is given.
///
/// >>> pb.trace(pb.array([[1, 2], [3, 4]])).item()
/// 5
#[pyfunction]
#[pyo3(signature = (a, /, offset=0, axis1=0, axis2=1, dtype=None, *, stream=On::default()), text_signature = "(a, /, offset=0, axis1=0, axis2=1, dtype=None, *, stream=None)")]
pub fn trace(
    py: Python<'_>,
    a: Arg,
    offset: isize,
    axis1: isize,
    axis2: isize,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || match dtype {
        None => fun::trace(&a.0, offset, axis1, axis2),
        Some(DtypeArg(dtype)) => {
            fun::cast(&fun::trace(&fun::cast(&a.0, dtype)?, offset, axis1, axis2)?, dtype)
        }
    })
}

/// The same bytes read as elements of another type, of which a last axis holds more or fewer if they are of another size.
///
/// >>> pb.view(pb.array(1.0), pb.int32).item() == 0x3F800000
/// True
#[pyfunction]
#[pyo3(signature = (a, dtype, *, stream=On::default()), text_signature = "(a, dtype, *, stream=None)")]
pub fn view(py: Python<'_>, a: Arg, dtype: DtypeArg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::view(&a.0, dtype.0))
}

/// The elements as another type.
///
/// >>> pb.astype(pb.array([1.7, -1.7]), pb.int32)
/// array([ 1, -1], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, dtype, *, stream=On::default()), text_signature = "(a, dtype, *, stream=None)")]
pub fn astype(py: Python<'_>, a: Arg, dtype: DtypeArg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::cast(&a.0, dtype.0))
}

/// Sizes given one by one or as one sequence.
fn spread(args: &Bound<'_, PyTuple>, what: &str) -> PyResult<Ints> {
    let one = (args.len() == 1).then(|| args.get_item(0)).transpose()?;
    let list = match one {
        Some(only) => only.extract::<Ints>(),
        None => args.as_any().extract::<Ints>(),
    };
    list.map_err(|_| PyTypeError::new_err(format!("[{what}] expected integers, got {args}")))
}

#[pymethods]
impl PyArray {
    /// The same elements in another shape; one size may be -1.
    #[pyo3(signature = (*shape, stream=On::default()), text_signature = "($self, *shape, stream=None)")]
    fn reshape(&self, py: Python<'_>, shape: &Bound<'_, PyTuple>, stream: On) -> PyResult<PyArray> {
        reshape(py, Arg(self.get()), spread(shape, "reshape")?, stream)
    }

    /// The axes in another order; in reverse, if none is named.
    #[pyo3(signature = (*axes, stream=On::default()), text_signature = "($self, *axes, stream=None)")]
    fn transpose(&self, py: Python<'_>, axes: &Bound<'_, PyTuple>, stream: On) -> PyResult<PyArray> {
        let none = axes.is_empty() || (axes.len() == 1 && axes.get_item(0)?.is_none());
        let axes = if none { None } else { Some(spread(axes, "transpose")?.0) };
        transpose(py, Arg(self.get()), Axes(axes), stream)
    }

    /// Two axes exchanged.
    #[pyo3(signature = (axis1, axis2, *, stream=On::default()), text_signature = "($self, axis1, axis2, *, stream=None)")]
    fn swapaxes(&self, py: Python<'_>, axis1: isize, axis2: isize, stream: On) -> PyResult<PyArray> {
        swapaxes(py, Arg(self.get()), axis1, axis2, stream)
    }

    /// An axis moved to another place.
    #[pyo3(signature = (source, destination, *, stream=On::default()), text_signature = "($self, source, destination, *, stream=None)")]
    fn moveaxis(&self, py: Python<'_>, source: isize, destination: isize, stream: On) -> PyResult<PyArray> {
        moveaxis(py, Arg(self.get()), source, destination, stream)
    }

    /// Axes of size 1 taken out; all of them, if none is named.
    #[pyo3(signature = (axis=Axes::default(), *, stream=On::default()), text_signature = "($self, axis=None, *, stream=None)")]
    fn squeeze(&self, py: Python<'_>, axis: Axes, stream: On) -> PyResult<PyArray> {
        squeeze(py, Arg(self.get()), axis, stream)
    }

    /// Axes from one to another as one.
    #[pyo3(signature = (start_axis=0, end_axis=-1, *, stream=On::default()), text_signature = "($self, start_axis=0, end_axis=-1, *, stream=None)")]
    fn flatten(&self, py: Python<'_>, start_axis: isize, end_axis: isize, stream: On) -> PyResult<PyArray> {
        flatten(py, Arg(self.get()), start_axis, end_axis, stream)
    }

    /// An array cut along an axis, into so many equal parts or before these positions.
    #[pyo3(signature = (indices_or_sections, axis=0, *, stream=On::default()), text_signature = "($self, indices_or_sections, axis=0, *, stream=None)")]
    fn split(
        &self,
        py: Python<'_>,
        indices_or_sections: &Bound<'_, PyAny>,
        axis: isize,
        stream: On,
    ) -> PyResult<Vec<PyArray>> {
        split(py, Arg(self.get()), indices_or_sections, axis, stream)
    }

    /// The elements of a diagonal.
    #[pyo3(signature = (offset=0, axis1=0, axis2=1, *, stream=On::default()), text_signature = "($self, offset=0, axis1=0, axis2=1, *, stream=None)")]
    fn diagonal(
        &self,
        py: Python<'_>,
        offset: isize,
        axis1: isize,
        axis2: isize,
        stream: On,
    ) -> PyResult<PyArray> {
        diagonal(py, Arg(self.get()), offset, axis1, axis2, stream)
    }

    /// A diagonal of a matrix, or a matrix with the diagonal given.
    #[pyo3(signature = (k=0, *, stream=On::default()), text_signature = "($self, k=0, *, stream=None)")]
    fn diag(&self, py: Python<'_>, k: isize, stream: On) -> PyResult<PyArray> {
        diag(py, Arg(self.get()), k, stream)
    }

    /// The elements as another type.
    ///
    /// >>> pb.array([1.7]).astype(pb.int32).item()
    /// 1
    #[pyo3(signature = (dtype, stream=On::default()), text_signature = "($self, dtype, stream=None)")]
    fn astype(&self, py: Python<'_>, dtype: DtypeArg, stream: On) -> PyResult<PyArray> {
        astype(py, Arg(self.get()), dtype, stream)
    }

    /// The same bytes read as elements of another type.
    #[pyo3(signature = (dtype, *, stream=On::default()), text_signature = "($self, dtype, *, stream=None)")]
    fn view(&self, py: Python<'_>, dtype: DtypeArg, stream: On) -> PyResult<PyArray> {
        view(py, Arg(self.get()), dtype, stream)
    }

    /// Rows one after the other.
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        rows(slf)?.call_method0("__iter__")
    }

    /// Rows one after the other, from the last one.
    fn __reversed__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        rows(slf)?.call_method0("__reversed__")
    }
}

/// A list of all slices along the first axis.
fn rows<'py>(x: &Bound<'py, PyArray>) -> PyResult<Bound<'py, PyList>> {
    let (py, x) = (x.py(), x.get().get());
    let Some(&n) = x.shape().first() else {
        return Err(PyTypeError::new_err("iteration over an array without axes"));
    };
    let row = |i: usize| -> pullback::Result<Array> {
        fun::reshape(&fun::narrow(&x, 0, i, 1)?, x.shape().without(0))
    };
    PyList::new(py, build_all(py, On::default(), || (0..n).map(row).collect())?)
}
