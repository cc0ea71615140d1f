//! Primals, tangents and cotangents as Python gives them: sequences of trees.

use pullback::custom::Value;
use pullback::promote::scalar_dtype;
use pullback::{Array, Aval};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::array::PyArray;
use crate::conform::Conform;
use crate::operators::weak;
use crate::tree::{self, Part, Shape, Tree};

/// The items of a sequence of trees; an array, a dict, a module or a node by itself is one item.
fn items<'py>(op: &str, what: &str, value: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if value.is_instance_of::<PyArray>() || value.is_instance_of::<PyDict>() {
        return Ok(vec![value.clone()]);
    }
    if let Shape::Module(_) | Shape::Node(_) = tree::shape_of(value)? {
        return Ok(vec![value.clone()]);
    }
    let items = value.try_iter().map_err(|_| {
        let got = value.get_type();
        PyTypeError::new_err(format!("[{op}] expected a list of arrays as {what}, got {got}"))
    })?;
    items.collect()
}

/// Arrays given as a sequence of trees; a single array stands for a sequence of one.
pub struct Listed {
    trees: Vec<(Tree, usize)>,
    /// All arrays, in order.
    pub arrays: Vec<Array>,
}

impl Listed {
    /// Reads a sequence.
    pub fn of(op: &str, what: &str, value: &Bound<'_, PyAny>) -> PyResult<Listed> {
        let mut listed = Listed { trees: Vec::new(), arrays: Vec::new() };
        for item in items(op, what, value)? {
            let (arrays, tree) = tree::flatten_numbers(&item)?;
            listed.trees.push((tree, arrays.len()));
            listed.arrays.extend(arrays);
        }
        Ok(listed)
    }

    /// The arrays of `value` in the order of these trees: what stands in a dict is found by its key,
    /// what is an attribute by its name. `None` where no
    /// tree has one, or where the sequences are of different lengths.
    pub fn matched(&self, op: &str, what: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<Array>>> {
        let by_name = |part: &Part| matches!(part, Part::Dict(_) | Part::Module(..) | Part::Node(_));
        let keyed = |(tree, _): &(Tree, usize)| tree.0.iter().any(by_name);
        if !self.trees.iter().any(keyed) {
            return Ok(None);
        }
        let items = items(op, what, value)?;
        if items.len() != self.trees.len() {
            return Ok(None);
        }
        let mut arrays = Vec::with_capacity(self.arrays.len());
        for ((tree, _), item) in self.trees.iter().zip(items) {
            let mut conform = Conform::new(tree, 0);
            if let Err(misfit) = conform.read(Some(&item), what)? {
                return Err(PyValueError::new_err(format!(
                    "[{op}] expected {what} in their places, got {misfit}"
                )));
            }
            for found in conform.found {
                match found {
                    Value::Array(array) => arrays.push(array),
                    Value::Scalar(number) => arrays.push(Array::scalar(number, scalar_dtype(number))),
                    Value::None | Value::Tuple(_) | Value::Other(_) => {
                        let text =
                            format!("[{op}] expected an array in each place of {what}, got something else");
                        return Err(PyTypeError::new_err(text));
                    }
                }
            }
        }
        Ok(Some(arrays))
    }

    /// The trees, with these arrays in place of their own.
    pub fn objects<'py>(&self, py: Python<'py>, arrays: &[Array]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut rest = arrays;
        let mut objects = Vec::with_capacity(self.trees.len());
        for (tree, count) in &self.trees {
            let (own, others) = rest.split_at(*count);
            objects.push(tree.rebuild(py, own)?);
            rest = others;
        }
        Ok(objects)
    }
}

/// What a function returned, as a list: the items of a tuple or a list, or itself.
pub fn returned(op: &str, result: &Bound<'_, PyAny>) -> PyResult<Listed> {
    if result.is_instance_of::<PyTuple>() || result.is_instance_of::<PyList>() {
        return Listed::of(op, "results", result);
    }
    Listed::of(op, "results", PyTuple::new(result.py(), [result])?.as_any())
}

/// The arrays of `value` in the places of a tree's arrays, which are of the types of `like`: by key and position, with
/// numbers where those are scalars, and `None` for zero.
pub fn placed(
    op: &str,
    what: &str,
    tree: &Tree,
    like: &[Aval],
    value: &Bound<'_, PyAny>,
) -> PyResult<Vec<Option<Array>>> {
    let mut conform = Conform::new(tree, 0);
    if let Err(misfit) = conform.read(Some(value), what)? {
        let text = format!("[{op}] expected {what} in their places, got {misfit}");
        return Err(PyValueError::new_err(text));
    }
    let place = |(i, (found, aval)): (usize, (Value, &Aval))| match found {
        Value::Array(array) => Ok(Some(array)),
        Value::None => Ok(None),
        Value::Scalar(number) if aval.shape.is_empty() && aval.dtype.is_inexact() => {
            weak(number, aval.dtype).map(Some)
        }
        Value::Scalar(number) => Ok(Some(Array::scalar(number, scalar_dtype(number)))),
        Value::Tuple(_) | Value::Other(_) => {
            let text = format!("[{op}] expected {aval} for array {i} of {what}, got something else");
            Err(PyTypeError::new_err(text))
        }
    };
    conform.found.into_iter().zip(like).enumerate().map(place).collect()
}

/// Scalars given as Python numbers take the types of what they belong to.
pub fn fitted(seeds: &[Array], outs: &[Array]) -> Vec<Array> {
    let fit = |(i, seed): (usize, &Array)| match outs.get(i) {
        Some(out) if seed.as_const().is_some() && seed.ndim() == 0 && out.ndim() == 0 && out.is_inexact() => {
            seed.as_const().map_or_else(|| seed.clone(), |value| Array::scalar(value, out.dtype()))
        }
        _ => seed.clone(),
    };
    seeds.iter().enumerate().map(fit).collect()
}
