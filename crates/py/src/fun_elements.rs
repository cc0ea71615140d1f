//! Functions of elements that are no rows of the table.

use pullback::{Array, fun};
use pyo3::prelude::*;

use crate::array::{PyArray, build, build_all};
use crate::convert::Arg;
use crate::device::On;
use crate::operators::pair;

/// The complex conjugate; of real numbers, these.
///
/// >>> pb.conjugate(pb.array([1 + 2j]))
/// array([1.-2.j], dtype=complex64)
#[pyfunction]
#[pyo3(signature = (a, *, stream=On::default()), text_signature = "(a, *, stream=None)")]
pub fn conjugate(py: Python<'_>, a: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::conjugate(&a.0))
}

macro_rules! unaries {
    ($($(#[doc = $doc:literal])+ $name:ident = $make:expr;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (a, /, *, stream=On::default()), text_signature = "(a, /, *, stream=None)")]
        pub fn $name(py: Python<'_>, a: Arg, stream: On) -> PyResult<PyArray> {
            let make: fn(&Array) -> pullback::Result<Array> = $make;
            build(py, stream, || make(&a.0))
        }
    )*};
}

unaries! {
    /// The real part of complex numbers, in `float32`; of real numbers, these.
    ///
    /// >>> pb.real(pb.array([1 + 2j]))
    /// array([1.], dtype=float32)
    real = fun::real;
    /// The imaginary part of complex numbers, in `float32`; of real numbers, zeros of their type.
    ///
    /// >>> pb.imag(pb.array([1 + 2j]))
    /// array([2.], dtype=float32)
    imag = fun::imag;
    /// The elements as they are.
    positive = |x| Ok(x.clone());
}

macro_rules! infinities {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (a, stream=On::default()), text_signature = "(a, stream=None)")]
        pub fn $name(py: Python<'_>, a: Arg, stream: On) -> PyResult<PyArray> {
            build(py, stream, || fun::$name(&a.0))
        }
    )*};
}

infinities! {
    /// Whether elements are infinite and positive; those of integers never are.
    ///
    /// >>> pb.isposinf(pb.array([1.0, pb.inf, -pb.inf]))
    /// array([False,  True, False], dtype=bool)
    isposinf;
    /// Whether elements are infinite and negative; those of integers never are.
    ///
    /// >>> pb.isneginf(pb.array([1.0, pb.inf, -pb.inf]))
    /// array([False, False,  True], dtype=bool)
    isneginf;
}

/// NaN replaced by `nan`, infinities by `posinf` and `neginf`; where these are not given, by the largest and the
/// smallest finite number of the type. Complex numbers part by part.
///
/// >>> pb.nan_to_num(pb.array([1.0, pb.nan, pb.inf]), posinf=9)
/// array([1., 0., 9.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, nan=0.0, posinf=None, neginf=None, *, stream=On::default()), text_signature = "(a, nan=0, posinf=None, neginf=None, *, stream=None)")]
pub fn nan_to_num(
    py: Python<'_>,
    a: Arg,
    nan: f64,
    posinf: Option<f64>,
    neginf: Option<f64>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::nan_to_num(&a.0, nan, posinf, neginf))
}

/// Whether one of two is true and the other is not; they broadcast.
///
/// >>> pb.logical_xor(pb.array([True, True]), pb.array([True, False]))
/// array([False,  True], dtype=bool)
#[pyfunction]
#[pyo3(signature = (a, b, /, *, stream=On::default()), text_signature = "(a, b, /, *, stream=None)")]
pub fn logical_xor(
    py: Python<'_>,
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    stream: On,
) -> PyResult<PyArray> {
    let (a, b) = pair(a, b)?;
    build(py, stream, || fun::logical_xor(&a, &b))
}

/// The quotient rounded down and the remainder, `(a // b, a % b)`; they broadcast.
///
/// >>> pb.divmod(pb.array([7, -7]), 2)
/// (array([ 3, -4], dtype=int32), array([1, 1], dtype=int32))
#[pyfunction]
#[pyo3(signature = (a, b, stream=On::default()), text_signature = "(a, b, stream=None)")]
pub fn divmod(
    py: Python<'_>,
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    stream: On,
) -> PyResult<(PyArray, PyArray)> {
    let (a, b) = pair(a, b)?;
    two(py, stream, || fun::divmod(&a, &b))
}

/// As `build`, for a pair of arrays.
pub fn two(
    py: Python<'_>,
    on: On,
    make: impl FnOnce() -> pullback::Result<(Array, Array)>,
) -> PyResult<(PyArray, PyArray)> {
    let mut arrays = build_all(py, on, || make().map(|(first, second)| vec![first, second]))?.into_iter();
    match (arrays.next(), arrays.next()) {
        (Some(first), Some(second)) => Ok((first, second)),
        _ => Err(crate::convert::broken("[two] expected two arrays")),
    }
}

#[pymethods]
impl PyArray {
    /// The real part of complex numbers.
    #[getter]
    fn real(&self, py: Python<'_>) -> PyResult<PyArray> {
        build(py, On::default(), || fun::real(&self.get()))
    }

    /// The imaginary part of complex numbers.
    #[getter]
    fn imag(&self, py: Python<'_>) -> PyResult<PyArray> {
        build(py, On::default(), || fun::imag(&self.get()))
    }

    /// The complex conjugate.
    #[pyo3(signature = (*, stream=On::default()), text_signature = "($self, *, stream=None)")]
    fn conj(&self, py: Python<'_>, stream: On) -> PyResult<PyArray> {
        conjugate(py, Arg(self.get()), stream)
    }
}
