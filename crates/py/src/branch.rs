//! What control flow does where it cannot know which way is taken.

use std::cell::RefCell;

use pullback::{Array, transform};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::PyArray;
use crate::convert;
use crate::error::{OrRaise, guard, host};
use crate::tree;
use crate::vmap::call_tree;

/// `fun(*operands)`, without a derivative where the scalar `taken` does not hold.
#[pyfunction]
#[pyo3(signature = (fun, taken, *operands))]
pub fn _branch<'py>(
    fun: &Bound<'py, PyAny>,
    taken: &Bound<'py, PyArray>,
    operands: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = fun.py();
    let (arrays, tree) = tree::flatten(PyTuple::new(py, [operands.as_any(), py.None().bind(py)])?.as_any())?;
    let shape = RefCell::new(None);
    let inner = |leaves: &[Array]| {
        let (outs, shape_of) = call_tree(fun, &tree, leaves).map_err(host)?;
        shape.replace(Some(shape_of));
        Ok(outs.into_vec())
    };
    let outs = guard(|| transform::branch(&inner, &arrays, &taken.get().get()).or_raise())?;
    let shape = shape.take().ok_or_else(|| convert::broken("[cond] expected the branch to be called"))?;
    shape.rebuild(py, &outs)
}
