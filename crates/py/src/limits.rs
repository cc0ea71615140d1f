//! What is asked of element types: their limits, their families, the types that they meet in.

use pullback::{Dtype, Kind};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::PyArray;
use crate::dtype::{DtypeArg, PyDtype};

/// The limits of a float type; of `complex64`, those of its parts.
///
/// `bits` of an element, `min` and `max`, `eps` from 1 to the next larger number, `smallest_normal`, and `dtype`.
/// A `ValueError` for integers and booleans.
///
/// >>> pb.finfo(pb.bfloat16).eps
/// 0.0078125
/// >>> pb.finfo(pb.complex64).dtype
/// pullback.float32
#[pyclass(frozen, name = "finfo", module = "pullback")]
pub struct FloatInfo(pullback::limits::FloatRange);

#[pymethods]
impl FloatInfo {
    #[new]
    #[pyo3(signature = (arg, /))]
    fn new(arg: DtypeArg) -> PyResult<FloatInfo> {
        arg.0.float_range().map(FloatInfo).ok_or_else(|| {
            PyValueError::new_err(format!(
                "[finfo] expected a float or complex type, got {}: use iinfo",
                arg.0
            ))
        })
    }

    #[getter]
    fn bits(&self) -> u32 {
        self.0.bits
    }

    #[getter]
    fn min(&self) -> f64 {
        -self.0.max
    }

    #[getter]
    fn max(&self) -> f64 {
        self.0.max
    }

    #[getter]
    fn eps(&self) -> f64 {
        self.0.eps
    }

    #[getter]
    fn smallest_normal(&self) -> f64 {
        self.0.smallest_normal
    }

    #[getter]
    fn dtype(&self) -> PyDtype {
        PyDtype(self.0.dtype)
    }

    fn __repr__(&self) -> String {
        format!("finfo(min={:e}, max={:e}, dtype={})", -self.0.max, self.0.max, self.0.dtype)
    }
}

/// The limits of an integer type: `bits` of an element, `min`, `max` and `dtype`.
///
/// A `ValueError` for other types, and booleans are not integers.
///
/// >>> pb.iinfo(pb.int8)
/// iinfo(min=-128, max=127, dtype=int8)
#[pyclass(frozen, name = "iinfo", module = "pullback")]
pub struct IntegerInfo(pullback::limits::IntegerRange, Dtype);

#[pymethods]
impl IntegerInfo {
    #[new]
    #[pyo3(signature = (arg, /))]
    fn new(arg: DtypeArg) -> PyResult<IntegerInfo> {
        arg.0.integer_range().map(|range| IntegerInfo(range, arg.0)).ok_or_else(|| {
            let other = if arg.0.is_inexact() { ": use finfo" } else { "" };
            PyValueError::new_err(format!("[iinfo] expected an integer type, got {}{other}", arg.0))
        })
    }

    #[getter]
    fn bits(&self) -> u32 {
        self.0.bits
    }

    #[getter]
    fn min(&self) -> i128 {
        self.0.min
    }

    #[getter]
    fn max(&self) -> i128 {
        self.0.max
    }

    #[getter]
    fn dtype(&self) -> PyDtype {
        PyDtype(self.1)
    }

    fn __repr__(&self) -> String {
        format!("iinfo(min={}, max={}, dtype={})", self.0.min, self.0.max, self.1)
    }
}

/// The element type of an argument that is an array or names a type.
fn dtype_of(value: &Bound<'_, PyAny>, op: &str) -> PyResult<Dtype> {
    if let Ok(array) = value.cast::<PyArray>() {
        return Ok(array.get().get().dtype());
    }
    value.extract::<DtypeArg>().map(|arg| arg.0).map_err(|_| {
        let got = value.repr().map_or_else(|_| "?".into(), |text| text.to_string());
        PyTypeError::new_err(format!("[{op}] expected arrays or dtypes, got {got}"))
    })
}

/// The type in which arrays and dtypes meet: that of the result of an operation on all of them.
///
/// A `ValueError` if there is none, a `TypeError` for bare numbers, whose type depends on what they meet.
///
/// >>> pb.result_type(pb.array([1, 2]), pb.float16)
/// pullback.float16
/// >>> pb.result_type(pb.float16, pb.bfloat16)
/// pullback.float32
#[pyfunction]
#[pyo3(signature = (*arrays_and_dtypes))]
pub fn result_type(arrays_and_dtypes: &Bound<'_, PyTuple>) -> PyResult<PyDtype> {
    let mut common = None;
    for value in arrays_and_dtypes {
        let dtype = dtype_of(&value, "result_type")?;
        common = Some(common.map_or(dtype, |common| pullback::promote::promote(common, dtype)));
    }
    common
        .map(PyDtype)
        .ok_or_else(|| PyValueError::new_err("[result_type] expected at least one array or dtype, got none"))
}

/// Whether promotion takes `from_`, an array or a dtype, to the type `to`: the two then meet in `to`.
///
/// >>> pb.can_cast(pb.int64, pb.float16), pb.can_cast(pb.float32, pb.float16)
/// (True, False)
#[pyfunction]
pub fn can_cast(from_: &Bound<'_, PyAny>, to: DtypeArg) -> PyResult<bool> {
    Ok(pullback::promote::promote(dtype_of(from_, "can_cast")?, to.0) == to.0)
}

/// The name of the smallest category that a type is in.
#[pyfunction]
pub fn _category(dtype: DtypeArg) -> &'static str {
    match dtype.0.kind() {
        Kind::Bool => "generic",
        Kind::Unsigned => "unsignedinteger",
        Kind::Signed => "signedinteger",
        Kind::Float => "floating",
        Kind::Complex => "complexfloating",
    }
}
