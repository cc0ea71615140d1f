//! `custom_gradient`, the door of TensorFlow, as far as it is on the path of a call: a function that returns its
//! output and its gradient function.

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::conform::two;
use crate::wrap;

/// What the function returned, its two parts.
pub fn pair<'py>(
    fun: &Bound<'py, PyAny>,
    result: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    if let Some([output, gradient]) = two(result)?
        && gradient.is_callable()
    {
        return Ok((output, gradient));
    }
    let (name, got) = (wrap::name_of(fun), result.get_type().name()?.to_string());
    Err(PyTypeError::new_err(format!(
        "[custom_gradient] expected '{name}' to return (output, grad_fn), got {got}: return the function of the \
         gradient beside the output"
    )))
}

/// Calls a gradient function: one cotangent for each output.
pub fn pull<'py>(gradient: &Bound<'py, PyAny>, cotangents: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(each) = cotangents.cast_exact::<PyTuple>() {
        return gradient.call1(each);
    }
    match cotangents.cast_exact::<PyList>() {
        Ok(each) => gradient.call1(each.to_tuple()),
        Err(_) => gradient.call1((cotangents,)),
    }
}

/// A function that returns a pair, as the function that rules stand for: its output alone.
#[pyclass(frozen, dict, weakref, name = "_Output", module = "pullback")]
pub struct Output {
    fun: Py<PyAny>,
}

#[pymethods]
impl Output {
    #[new]
    fn new(fun: Py<PyAny>) -> Output {
        Output { fun }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let fun = self.fun.bind(py);
        Ok(pair(fun, &fun.call(args, kwargs)?)?.0)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if wrap::is_made(&self.fun) { visit.call(&self.fun) } else { Ok(()) }
    }
}
