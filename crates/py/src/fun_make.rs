//! Arrays from nothing but numbers, and functions of several arrays.

use pullback::promote::{promote_weak, scalar_dtype};
use pullback::{Array, Dtype, Scalar, fun};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::args::Sizes;
use crate::array::{PyArray, build};
use crate::convert::{self, Arg};
use crate::device::On;
use crate::dtype::DtypeArg;
use crate::operators::{Operand, number, operand, pair, weak};

fn typed(dtype: Option<DtypeArg>, otherwise: Dtype) -> Dtype {
    dtype.map_or(otherwise, |dtype| dtype.0)
}

/// Zeros.
///
/// >>> pb.zeros((2, 2))
/// array([[0., 0.],
///        [0., 0.]], dtype=float32)
#[pyfunction]
#[pyo3(signature = (shape, dtype=None, *, stream=On::default()), text_signature = "(shape, dtype=None, *, stream=None)")]
pub fn zeros(py: Python<'_>, shape: Sizes, dtype: Option<DtypeArg>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::zeros(&shape.0, typed(dtype, Dtype::F32)))
}

/// Ones.
///
/// >>> pb.ones(3, pb.int32)
/// array([1, 1, 1], dtype=int32)
#[pyfunction]
#[pyo3(signature = (shape, dtype=None, *, stream=On::default()), text_signature = "(shape, dtype=None, *, stream=None)")]
pub fn ones(py: Python<'_>, shape: Sizes, dtype: Option<DtypeArg>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::ones(&shape.0, typed(dtype, Dtype::F32)))
}

/// Every element equal to a number, or to an array that broadcasts.
///
/// >>> pb.full(2, 7)
/// array([7, 7], dtype=int32)
#[pyfunction]
#[pyo3(signature = (shape, vals, dtype=None, *, stream=On::default()), text_signature = "(shape, vals, dtype=None, *, stream=None)")]
pub fn full(
    py: Python<'_>,
    shape: Sizes,
    vals: &Bound<'_, PyAny>,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    let dtype = dtype.map(|dtype| dtype.0);
    let vals = convert::array(vals, dtype)?;
    build(py, stream, || fun::full(&shape.0, &vals, dtype.unwrap_or(vals.dtype())))
}

/// Zeros of the shape and type of an array.
#[pyfunction]
#[pyo3(signature = (a, /, dtype=None, *, stream=On::default()), text_signature = "(a, /, dtype=None, *, stream=None)")]
pub fn zeros_like(py: Python<'_>, a: Arg, dtype: Option<DtypeArg>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::zeros(a.0.shape(), typed(dtype, a.0.dtype())))
}

/// Ones of the shape and type of an array.
#[pyfunction]
#[pyo3(signature = (a, /, dtype=None, *, stream=On::default()), text_signature = "(a, /, dtype=None, *, stream=None)")]
pub fn ones_like(py: Python<'_>, a: Arg, dtype: Option<DtypeArg>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::ones(a.0.shape(), typed(dtype, a.0.dtype())))
}

/// Every element equal to a number, of the shape and type of an array.
#[pyfunction]
#[pyo3(signature = (a, vals, dtype=None, *, stream=On::default()), text_signature = "(a, vals, dtype=None, *, stream=None)")]
pub fn full_like(
    py: Python<'_>,
    a: Arg,
    vals: &Bound<'_, PyAny>,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    let dtype = typed(dtype, a.0.dtype());
    let vals = convert::array(vals, Some(dtype))?;
    build(py, stream, || fun::full(a.0.shape(), &vals, dtype))
}

/// `arange(stop)` or `arange(start, stop, step)`: numbers at equal distances, without `stop`.
///
/// >>> pb.arange(3)
/// array([0, 1, 2], dtype=int32)
/// >>> pb.arange(1.0, 2.0, 0.5)
/// array([1. , 1.5], dtype=float32)
#[pyfunction]
#[pyo3(signature = (start=None, stop=None, step=None, dtype=None, *, stream=On::default()), text_signature = "(start=None, stop=None, step=None, dtype=None, *, stream=None)")]
pub fn arange(
    py: Python<'_>,
    start: Option<&Bound<'_, PyAny>>,
    stop: Option<&Bound<'_, PyAny>>,
    step: Option<&Bound<'_, PyAny>>,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    let (start, stop) = match (start, stop) {
        (Some(start), stop) => (start, stop),
        (None, Some(stop)) => (stop, None),
        (None, None) => return Err(PyTypeError::new_err("[arange] expected stop, got nothing")),
    };
    let read = |value: &Bound<'_, PyAny>| -> PyResult<Scalar> {
        match operand(value)? {
            Operand::Number(number) => Ok(number),
            Operand::Array(array) => crate::convert::scalar(py, &array),
            Operand::Foreign => {
                Err(PyTypeError::new_err(format!("[arange] expected a number, got {}", value.get_type())))
            }
        }
    };
    let (from, to) = match stop {
        Some(stop) => (read(start)?, read(stop)?),
        None => (Scalar::Int(0), read(start)?),
    };
    let by = step.map_or(Ok(Scalar::Int(1)), read)?;
    if [from, to, by].iter().any(|number| matches!(number, Scalar::Complex(..))) {
        return Err(PyTypeError::new_err("[arange] expected real numbers, got a complex one"));
    }
    let join = |a: Dtype, b: Scalar| promote_weak(a, b);
    let found = [to, by].into_iter().fold(scalar_dtype(from), join);
    let found = if found == Dtype::Bool { Dtype::I32 } else { found };
    build(py, stream, || fun::arange(from, to, by, typed(dtype, found)))
}

/// Numbers at equal distances from `start` to `stop`, both included; without `endpoint`, the last is left out of `num + 1`.
///
/// >>> pb.linspace(0, 1, 3)
/// array([0. , 0.5, 1. ], dtype=float32)
#[pyfunction]
#[pyo3(signature = (start, stop, num=50, endpoint=true, dtype=None, *, stream=On::default()), text_signature = "(start, stop, num=50, endpoint=True, dtype=None, *, stream=None)")]
pub fn linspace(
    py: Python<'_>,
    start: f64,
    stop: f64,
    num: usize,
    endpoint: bool,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    let dtype = typed(dtype, Dtype::F32);
    build(py, stream, || match endpoint {
        true => fun::linspace(start, stop, num, dtype),
        false => fun::narrow(&fun::linspace(start, stop, num.saturating_add(1), dtype)?, 0, 0, num),
    })
}

/// A matrix with ones on a diagonal.
///
/// >>> pb.eye(2)
/// array([[1., 0.],
///        [0., 1.]], dtype=float32)
#[pyfunction]
#[pyo3(signature = (n, m=None, k=0, dtype=None, *, stream=On::default()), text_signature = "(n, m=None, k=0, dtype=None, *, stream=None)")]
pub fn eye(
    py: Python<'_>,
    n: usize,
    m: Option<usize>,
    k: isize,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::eye(n, m.unwrap_or(n), k, typed(dtype, Dtype::F32)))
}

/// The identity matrix.
///
/// >>> pb.identity(1)
/// array([[1.]], dtype=float32)
#[pyfunction]
#[pyo3(signature = (n, dtype=None, *, stream=On::default()), text_signature = "(n, dtype=None, *, stream=None)")]
pub fn identity(py: Python<'_>, n: usize, dtype: Option<DtypeArg>, stream: On) -> PyResult<PyArray> {
    eye(py, n, None, 0, dtype, stream)
}

/// Ones at and below a diagonal, zeros above.
///
/// >>> pb.tri(2, dtype=pb.int32)
/// array([[1, 0],
///        [1, 1]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (n, m=None, k=0, dtype=None, *, stream=On::default()), text_signature = "(n, m=None, k=0, dtype=None, *, stream=None)")]
pub fn tri(
    py: Python<'_>,
    n: usize,
    m: Option<usize>,
    k: isize,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::tri(n, m.unwrap_or(n), k, typed(dtype, Dtype::F32)))
}

/// The elements at and below a diagonal, zeros above.
///
/// >>> pb.tril(pb.ones((2, 2), pb.int32))
/// array([[1, 0],
///        [1, 1]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (x, k=0, *, stream=On::default()), text_signature = "(x, k=0, *, stream=None)")]
pub fn tril(py: Python<'_>, x: Arg, k: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::tril(&x.0, k))
}

/// The elements at and above a diagonal, zeros below.
///
/// >>> pb.triu(pb.ones((2, 2), pb.int32))
/// array([[1, 1],
///        [0, 1]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (x, k=0, *, stream=On::default()), text_signature = "(x, k=0, *, stream=None)")]
pub fn triu(py: Python<'_>, x: Arg, k: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::triu(&x.0, k))
}

/// Elements of `x` where the condition holds, of `y` elsewhere; all three broadcast.
///
/// >>> pb.where(pb.array([True, False]), 1, 2)
/// array([1, 2], dtype=int32)
#[pyfunction]
#[pyo3(name = "where", signature = (condition, x, y, /, *, stream=On::default()), text_signature = "(condition, x, y, /, *, stream=None)")]
pub fn where_(
    py: Python<'_>,
    condition: Arg,
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    stream: On,
) -> PyResult<PyArray> {
    let (x, y) = pair(x, y)?;
    build(py, stream, || fun::where_(&condition.0, &x, &y))
}

/// The elements, those below one bound or above the other replaced by it.
///
/// >>> pb.clip(pb.array([1, 5, 9]), 2, 8)
/// array([2, 5, 8], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, a_min=None, a_max=None, *, stream=On::default()), text_signature = "(a, /, a_min, a_max, *, stream=None)")]
pub fn clip(
    py: Python<'_>,
    a: Arg,
    a_min: Option<&Bound<'_, PyAny>>,
    a_max: Option<&Bound<'_, PyAny>>,
    stream: On,
) -> PyResult<PyArray> {
    let bound = |value: Option<&Bound<'_, PyAny>>| -> PyResult<Option<Array>> {
        let Some(value) = value else { return Ok(None) };
        Ok(Some(match number(value)? {
            Some(number) => weak(number, a.0.dtype())?,
            None => value.extract::<Arg>()?.0,
        }))
    };
    let (low, high) = (bound(a_min)?, bound(a_max)?);
    build(py, stream, || fun::clip(&a.0, low.as_ref(), high.as_ref()))
}

/// The nearest number with so many decimals; halves go to the even one.
///
/// >>> pb.round(pb.array([1.25, 2.5]))
/// array([1., 2.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, /, decimals=0, *, stream=On::default()), text_signature = "(a, /, decimals=0, *, stream=None)")]
pub fn round(py: Python<'_>, a: Arg, decimals: i32, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::round(&a.0, decimals))
}

macro_rules! unaries {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (a, /, *, stream=On::default()), text_signature = "(a, /, *, stream=None)")]
        pub fn $name(py: Python<'_>, a: Arg, stream: On) -> PyResult<PyArray> {
            build(py, stream, || fun::$name(&a.0))
        }
    )*};
}

unaries! {
    /// The larger of `a` and 0.
    ///
    /// >>> pb.relu(pb.array([-1.0, 2.0]))
    /// array([0., 2.], dtype=float32)
    relu;
    /// `a` times the normal distribution function of `a`.
    gelu;
    /// `gelu` by way of `tanh`.
    gelu_approx;
    /// `a * sigmoid(a)`.
    silu;
    /// Degrees as radians.
    radians;
    /// Radians as degrees.
    degrees;
}

/// Slices of `a` by position along an axis; elements of the flattened array, if none is named.
///
/// >>> pb.take(pb.array([5, 6, 7]), pb.array([2, 0]))
/// array([7, 5], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, indices, axis=None, *, stream=On::default()), text_signature = "(a, /, indices, axis=None, *, stream=None)")]
pub fn take(py: Python<'_>, a: Arg, indices: Arg, axis: Option<isize>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::take(&a.0, &indices.0, axis))
}

/// The element at each position along an axis; of the flattened array, if that is `None`.
///
/// >>> pb.take_along_axis(pb.array([[5, 6, 7]]), pb.array([[2, 0]]))
/// array([[7, 5]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, indices, axis=Some(-1), *, stream=On::default()), text_signature = "(a, /, indices, axis=-1, *, stream=None)")]
pub fn take_along_axis(
    py: Python<'_>,
    a: Arg,
    indices: Arg,
    axis: Option<isize>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::take_along_axis(&a.0, &indices.0, axis))
}

/// `a` with the element at each position along an axis replaced.
#[pyfunction]
#[pyo3(signature = (a, /, indices, values, axis=None, *, stream=On::default()), text_signature = "(a, /, indices, values, axis=None, *, stream=None)")]
pub fn put_along_axis(
    py: Python<'_>,
    a: Arg,
    indices: Arg,
    values: Arg,
    axis: Option<isize>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::put_along_axis(&a.0, &indices.0, &values.0, axis))
}

/// Whether elements of two arrays are nearly equal, each by each.
#[pyfunction]
#[pyo3(signature = (a, b, /, rtol=1e-5, atol=1e-8, *, equal_nan=false, stream=On::default()), text_signature = "(a, b, /, rtol=1e-05, atol=1e-08, *, equal_nan=False, stream=None)")]
pub fn isclose(
    py: Python<'_>,
    a: Arg,
    b: Arg,
    rtol: f64,
    atol: f64,
    equal_nan: bool,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::isclose(&a.0, &b.0, rtol, atol, equal_nan))
}

/// Whether all elements of two arrays are nearly equal.
///
/// >>> pb.allclose(pb.array(1.0), pb.array(1.0 + 1e-7)).item()
/// True
#[pyfunction]
#[pyo3(signature = (a, b, /, rtol=1e-5, atol=1e-8, *, equal_nan=false, stream=On::default()), text_signature = "(a, b, /, rtol=1e-05, atol=1e-08, *, equal_nan=False, stream=None)")]
pub fn allclose(
    py: Python<'_>,
    a: Arg,
    b: Arg,
    rtol: f64,
    atol: f64,
    equal_nan: bool,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::allclose(&a.0, &b.0, rtol, atol, equal_nan))
}

/// Whether two arrays have one shape and equal elements.
///
/// >>> pb.array_equal(pb.array([1, 2]), pb.array([1, 2])).item()
/// True
#[pyfunction]
#[pyo3(signature = (a, b, equal_nan=false, *, stream=On::default()), text_signature = "(a, b, equal_nan=False, *, stream=None)")]
pub fn array_equal(py: Python<'_>, a: Arg, b: Arg, equal_nan: bool, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::array_equal(&a.0, &b.0, equal_nan))
}

macro_rules! methods {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {
        #[pymethods]
        impl PyArray {
            $(
                $(#[doc = $doc])+
                #[pyo3(signature = (*, stream=On::default()), text_signature = "($self, *, stream=None)")]
                fn $name(&self, py: Python<'_>, stream: On) -> PyResult<PyArray> {
                    let x = self.get();
                    build(py, stream, || fun::$name(&x))
                }
            )*

            /// The nearest number with so many decimals; halves go to the even one.
            #[pyo3(signature = (decimals=0, *, stream=On::default()), text_signature = "($self, decimals=0, *, stream=None)")]
            fn round(&self, py: Python<'_>, decimals: i32, stream: On) -> PyResult<PyArray> {
                round(py, Arg(self.get()), decimals, stream)
            }
        }
    };
}

methods! {
    /// As the function.
    abs;
    /// As the function.
    cos;
    /// As the function.
    exp;
    /// As the function.
    log;
    /// As the function.
    log10;
    /// As the function.
    log1p;
    /// As the function.
    log2;
    /// As the function.
    reciprocal;
    /// As the function.
    rsqrt;
    /// As the function.
    sin;
    /// As the function.
    sqrt;
    /// As the function.
    square;
}
