//! What a rule of a door written in Python is told of the call that it stands for.

use pullback::custom::Call;
use pullback::{Inputs, Outputs};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::rules::CallRules;
use crate::tree::Tree;
use crate::vmap::arguments;

/// A call, as its rules see it: objects are made of what is asked for, and of nothing else.
#[pyclass(frozen, name = "_Call", module = "pullback")]
pub struct Handed {
    inputs: Inputs,
    results: Outputs,
    tree: Tree,
    shape: Option<Tree>,
}

impl Handed {
    /// Of a call by these rules.
    pub fn new(py: Python<'_>, rules: &CallRules, call: &Call) -> Handed {
        Handed {
            inputs: call.inputs.into(),
            results: call.outputs.into(),
            tree: rules.tree.clone(),
            shape: rules.slot.get(py),
        }
    }
}

#[pymethods]
impl Handed {
    /// The positional arguments.
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        Ok(arguments(py, &self.tree, &self.inputs)?.0)
    }

    /// The keyword arguments.
    #[getter]
    fn kwargs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Ok(arguments(py, &self.tree, &self.inputs)?.1.unwrap_or_else(|| PyDict::new(py)))
    }

    /// What the function returned.
    #[getter]
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.shape {
            Some(shape) => shape.rebuild(py, &self.results),
            None => Ok(py.None().into_bound(py)),
        }
    }
}
