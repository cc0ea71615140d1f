//! Einstein's summation.

use pullback::{Shape, fun};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::args::Many;
use crate::array::{PyArray, build};
use crate::device::On;
use crate::error::OrRaise;

/// Sums of products, by labels of axes: axes of one label are multiplied together, and summed if it does not stand behind
/// `->`. Without `->`, the labels that stand once are kept, in order. `...` stands for axes that broadcast.
///
/// >>> pb.einsum("ij,jk->ik", pb.array([[1, 2]]), pb.array([[3], [4]]))
/// array([[11]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (subscripts, *operands, stream=On::default()), text_signature = "(subscripts, *operands, stream=None)")]
pub fn einsum(
    py: Python<'_>,
    subscripts: &str,
    operands: &Bound<'_, PyTuple>,
    stream: On,
) -> PyResult<PyArray> {
    let operands: Many = operands.as_any().extract()?;
    build(py, stream, || fun::einsum(subscripts, &operands.refs()))
}

/// The order in which `einsum` contracts operands, and what it costs as text. A step names places in the list of operands;
/// these leave it, and their product goes to its end.
///
/// >>> pb.einsum_path("ij,jk,k->i", pb.zeros((9, 9)), pb.zeros((9, 9)), pb.zeros(9))[0]
/// [(1, 2), (0, 1)]
#[pyfunction]
#[pyo3(signature = (subscripts, *operands))]
pub fn einsum_path<'py>(
    py: Python<'py>,
    subscripts: &str,
    operands: &Bound<'py, PyTuple>,
) -> PyResult<(Bound<'py, PyList>, String)> {
    let operands: Many = operands.as_any().extract()?;
    let shapes: Vec<&Shape> = operands.0.iter().map(|x| x.shape()).collect();
    let path = fun::einsum_path(subscripts, &shapes).or_raise()?;
    let steps: Vec<_> = path.steps.iter().map(|step| PyTuple::new(py, step)).collect::<PyResult<_>>()?;
    Ok((PyList::new(py, steps)?, path.to_string()))
}
