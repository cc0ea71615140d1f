//! What a rule of a door written in Python is told of the call that it stands for.

use pullback::custom::Call;
use pullback::{Inputs, Outputs};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smallvec::SmallVec;

use crate::rules::CallRules;
use crate::tree::Tree;
use crate::vmap::arguments;

/// A call, as its rules see it: objects are made of what is asked for, and of nothing else.
#[pyclass(frozen, name = "_Call", module = "pullback")]
pub struct Handed {
    inputs: Inputs,
    results: Outputs,
    kept: Option<Inputs>,
    needs: SmallVec<[bool; 4]>,
    tree: Tree,
    shape: Option<Tree>,
    residuals: Option<Tree>,
}

impl Handed {
    /// Of a call by these rules.
    pub fn new(py: Python<'_>, rules: &CallRules, call: &Call) -> Handed {
        Handed {
            inputs: call.inputs.into(),
            results: call.outputs.into(),
            kept: call.residuals.clone(),
            needs: call.needs.into(),
            tree: rules.tree.clone(),
            shape: rules.slot.get(py),
            residuals: rules.kept.get(py),
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

    /// What the forward pass kept.
    #[getter]
    fn residuals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match (&self.residuals, &self.kept) {
            (Some(tree), Some(arrays)) => tree.rebuild(py, arrays),
            _ => Ok(py.None().into_bound(py)),
        }
    }

    /// For each positional argument whether a derivative with respect to it is asked for.
    #[getter]
    fn needs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let needed = |i: usize| self.needs[i] && self.inputs[i].is_inexact();
        PyTuple::new(py, self.tree.spans().into_iter().map(|mut span| span.any(needed)))
    }
}
