//! What all functions of functions share: they look like the function they were made from.

use std::ffi::CString;

use pullback::transform::take_warnings;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyClass, PyClassInitializer};

use crate::error::RuleFallbackWarning;

/// Refuses what cannot be called.
pub fn callable(fun: &Bound<'_, PyAny>, op: &str) -> PyResult<()> {
    if fun.is_callable() {
        return Ok(());
    }
    let got = fun.get_type();
    let text = format!("[{op}] expected a function, got {got}: give the function itself and not its result");
    Err(PyTypeError::new_err(text))
}

/// Gives out what transforms had to say: derivatives that came from a body although there is a rule.
pub fn warn(py: Python<'_>) -> PyResult<()> {
    for text in take_warnings() {
        let text = CString::new(text)?;
        PyErr::warn(py, &py.get_type::<RuleFallbackWarning>(), &text, 1)?;
    }
    Ok(())
}

/// A bound method, when a function of ours stands in a class.
pub fn bound<'py>(slf: &Bound<'py, PyAny>, instance: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if instance.is_none() {
        return Ok(slf.clone());
    }
    slf.py().import("types")?.getattr("MethodType")?.call1((slf, instance))
}

/// Gives an object the text and the module of the function: its class has others.
pub fn dress(slf: &Bound<'_, PyAny>, fun: &Bound<'_, PyAny>) -> PyResult<()> {
    for name in ["__doc__", "__module__"] {
        if let Some(value) = fun.getattr_opt(name)? {
            slf.setattr(name, value)?;
        }
    }
    Ok(())
}

/// A wrapper as an object that looks like its function.
pub fn dressed<T: PyClass + Into<PyClassInitializer<T>>>(
    fun: &Bound<'_, PyAny>,
    wrapper: T,
) -> PyResult<Py<T>> {
    let object = Bound::new(fun.py(), wrapper)?;
    dress(object.as_any(), fun)?;
    Ok(object.unbind())
}

/// Attributes that a wrapper does not have are those of the function; its text, too.
pub fn attribute<'py>(fun: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    fun.getattr(name)
}

/// The function's name, for messages.
pub fn name_of(fun: &Bound<'_, PyAny>) -> String {
    match fun.getattr_opt("__name__") {
        Ok(Some(name)) => name.to_string(),
        _ => fun.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string()),
    }
}

/// What `pickle` keeps of a wrapper: the function that made it, and with what.
pub type Reduced<'py> = (Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// The maker of a wrapper, by the name of the module's function.
pub fn maker<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("pullback._core")?.getattr(name)
}

/// Whether an object has its contents: the collector may come by while its dict is made, before they are written.
pub fn is_made(fun: &Py<PyAny>) -> bool {
    let field = std::ptr::from_ref(fun).cast::<*mut pyo3::ffi::PyObject>();
    // SAFETY: the field is a pointer, and Python hands out objects filled with zeros; read as what may be null, which
    // the field's own type rules out.
    !unsafe { std::ptr::read_volatile(field) }.is_null()
}

/// Methods that every wrapper class has; `$fun` is the field with the function.
macro_rules! looks_like_its_function {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            fn __get__<'py>(
                slf: &Bound<'py, Self>,
                instance: &Bound<'py, PyAny>,
                _owner: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                $crate::wrap::bound(slf.as_any(), instance)
            }

            fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
                $crate::wrap::attribute(self.fun.bind(py), name)
            }

            #[getter]
            fn __wrapped__(&self, py: Python<'_>) -> Py<PyAny> {
                self.fun.clone_ref(py)
            }

            fn __traverse__(&self, visit: pyo3::gc::PyVisit<'_>) -> Result<(), pyo3::gc::PyTraverseError> {
                if $crate::wrap::is_made(&self.fun) { self.visit(&visit) } else { Ok(()) }
            }
        }
    };
}
pub(crate) use looks_like_its_function;
