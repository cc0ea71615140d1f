//! Evaluation when Python asks for it, and what may be asked about it.

use std::ffi::CString;

use pullback::{Array, NodeKind};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::{PyArray, released};
use crate::device::On;
use crate::error::{AnomalyWarning, OrRaise, guard};
use crate::tree;

/// Whether an array depends on a leaf without elements.
pub fn is_traced(array: &Array) -> bool {
    if array.number() == 0 {
        return false;
    }
    let (mut seen, mut stack) = (std::collections::HashSet::new(), vec![array.clone()]);
    while let Some(array) = stack.pop() {
        if array.number() == 0 || array.data().is_some() || !seen.insert(array.key().0) {
            continue;
        }
        if matches!(array.node().kind, NodeKind::Tracer(_)) {
            return true;
        }
        stack.extend(array.node().inputs());
    }
    false
}

/// Sentences of the engine about what ran elsewhere than was asked for, and what watches found, as warnings.
pub fn announce(py: Python<'_>) -> PyResult<()> {
    for text in pullback::take_notices() {
        let text = CString::new(text).unwrap_or_default();
        PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 1)?;
    }
    for text in pullback::anomaly::take_said() {
        let text = CString::new(text).unwrap_or_default();
        PyErr::warn(py, &py.get_type::<AnomalyWarning>(), &text, 1)?;
    }
    Ok(())
}

/// Computes arrays now: `eval(x, params, ...)` takes arrays and trees of them.
///
/// >>> x = pb.array([1.0, 2.0])
/// >>> y = x * 2
/// >>> pb.eval(y)
#[pyfunction]
#[pyo3(signature = (*args))]
pub fn eval(args: &Bound<'_, PyTuple>) -> PyResult<()> {
    let py = args.py();
    let arrays = tree::arrays(args.as_any())?;
    released(py, |poll| pullback::eval(&arrays, poll))?;
    announce(py)
}

/// As `eval`. The CPU has computed when it returns; what runs on the GPU may still be on its way.
#[pyfunction]
#[pyo3(signature = (*args))]
pub fn async_eval(args: &Bound<'_, PyTuple>) -> PyResult<()> {
    eval(args)
}

/// Waits until the devices have done what they were given.
#[pyfunction]
#[pyo3(signature = (stream=On::default()), text_signature = "(stream=None)")]
pub fn synchronize(py: Python<'_>, stream: On) -> PyResult<()> {
    let _ = stream;
    py.detach(pullback::synchronize).or_raise()
}

/// The plan by which the arrays that `fun(*args)` returns would be computed, for a person to read. Instead of a
/// function, arrays and trees of them may be given.
#[pyfunction]
#[pyo3(signature = (fun, *args))]
pub fn explain(fun: &Bound<'_, PyAny>, args: &Bound<'_, PyTuple>) -> PyResult<String> {
    let result = if fun.is_callable() { fun.call1(args)? } else { fun.clone() };
    let arrays = tree::arrays(&result)?;
    guard(|| pullback::explain(&arrays).or_raise())
}

/// What one pastes into a bug report: version, devices with their limits, instruction set, threads, caches.
///
/// >>> pb.info().startswith("pullback")
/// True
#[pyfunction]
pub fn info(py: Python<'_>) -> PyResult<String> {
    py.detach(pullback::info).or_raise()
}

/// How many nodes of graphs there are: what leaks, shows here.
#[pyfunction]
pub fn _live_nodes() -> usize {
    pullback::live_nodes()
}

#[pymethods]
impl PyArray {
    /// Computes the elements now.
    fn eval(&self, py: Python<'_>) -> PyResult<()> {
        let x = self.get();
        released(py, |poll| pullback::eval(std::slice::from_ref(&x), poll))?;
        announce(py)
    }
}
