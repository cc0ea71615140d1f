//! Element types as objects.

use pullback::Dtype;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyFloat, PyInt, PyString, PyTuple, PyType};

/// The type of an array's elements: `pb.float32`, `pb.int64`, ...
///
/// >>> pb.float32.size
/// 4
/// >>> pb.Dtype("int8") == pb.int8
/// True
#[pyclass(frozen, eq, hash, name = "Dtype", module = "pullback", from_py_object)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PyDtype(pub Dtype);

#[pymethods]
impl PyDtype {
    #[new]
    fn new(name: DtypeArg) -> PyDtype {
        PyDtype(name.0)
    }

    /// Bytes of one element.
    #[getter]
    fn size(&self) -> usize {
        self.0.size()
    }

    /// Its name, as NumPy spells it.
    #[getter]
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn __repr__(&self) -> String {
        format!("pullback.{}", attribute(self.0))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        Ok((slf.get_type(), PyTuple::new(slf.py(), [slf.get().0.name()])?))
    }
}

/// The name of the module's attribute: `bool` would hide Python's.
pub fn attribute(dtype: Dtype) -> &'static str {
    if dtype == Dtype::Bool { "bool_" } else { dtype.name() }
}

/// An argument that names an element type: a `Dtype`, its name, a Python number type, or a NumPy dtype.
pub struct DtypeArg(pub Dtype);

impl<'a, 'py> FromPyObject<'a, 'py> for DtypeArg {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<DtypeArg> {
        if let Ok(dtype) = value.cast::<PyDtype>() {
            return Ok(DtypeArg(dtype.get().0));
        }
        if let Ok(name) = value.cast::<PyString>() {
            return named(&name.to_string());
        }
        let py = value.py();
        if let Ok(kind) = value.cast::<PyType>() {
            let found = if kind.is(py.get_type::<PyBool>()) {
                Some(Dtype::Bool)
            } else if kind.is(py.get_type::<PyInt>()) {
                Some(Dtype::I32)
            } else if kind.is(py.get_type::<PyFloat>()) {
                Some(Dtype::F32)
            } else if kind.is(py.get_type::<PyComplex>()) {
                Some(Dtype::C64)
            } else {
                None
            };
            if let Some(dtype) = found {
                return Ok(DtypeArg(dtype));
            }
            // NumPy's scalar types, by their names.
            return named(&kind.name()?.to_string());
        }
        match value.getattr_opt("name")? {
            Some(name) => named(&name.str()?.to_string()),
            None => Err(unknown(&value.repr()?.to_string())),
        }
    }
}

fn named(name: &str) -> PyResult<DtypeArg> {
    Dtype::from_name(name).map(DtypeArg).ok_or_else(|| unknown(name))
}

fn unknown(got: &str) -> PyErr {
    let names: Vec<&str> = Dtype::ALL.into_iter().map(attribute).collect();
    PyTypeError::new_err(format!("[dtype] expected one of {}, got {got}", names.join(", ")))
}
