//! What stands between brackets, read and written: `x[i]`, `x[i] = v`, `x.at[i].add(v)`.

use pullback::fun::subscript::{self, How, Index};
use pullback::{Array, Aval, Dtype, Scalar, fun};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyInt, PyList, PySlice, PyTuple};

use crate::array::{PyArray, beside, build, bytes, elements};
use crate::convert;
use crate::device::On;
use crate::error::OrRaise;
use crate::eval::is_traced;
use crate::operators::{Operand, fitted, operand, weak};

/// The list of indices that Python wrote.
fn indices(key: &Bound<'_, PyAny>) -> PyResult<Vec<Index>> {
    match key.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().map(|item| index(&item)).collect(),
        Err(_) => Ok(vec![index(key)?]),
    }
}

fn index(item: &Bound<'_, PyAny>) -> PyResult<Index> {
    if item.is_none() {
        return Ok(Index::NewAxis);
    }
    if item.cast::<PyEllipsis>().is_ok() {
        return Ok(Index::Ellipsis);
    }
    if let Ok(truth) = item.cast::<PyBool>() {
        return Ok(Index::Array(Array::scalar(Scalar::Bool(truth.is_true()), Dtype::Bool)));
    }
    if item.is_instance_of::<PyInt>() {
        return item.extract::<isize>().map(Index::At).map_err(|_| {
            PyIndexError::new_err(format!("[index] expected an integer that a position can be, got {item}"))
        });
    }
    if let Ok(slice) = item.cast::<PySlice>() {
        let part = |name: &str| -> PyResult<Option<isize>> {
            let value = slice.getattr(name)?;
            if value.is_none() {
                return Ok(None);
            }
            let number = value.call_method0("__index__").map_err(|_| {
                PyTypeError::new_err(format!(
                    "[index] expected integers in a slice, got {}",
                    value.get_type()
                ))
            })?;
            Ok(Some(saturated(&number)))
        };
        return Ok(Index::Slice {
            start: part("start")?,
            stop: part("stop")?,
            step: part("step")?.unwrap_or(1),
        });
    }
    if item.is_instance_of::<PyArray>() || item.is_instance_of::<PyList>() || item.hasattr("__array__")? {
        let at = convert::array(item, None)?;
        // An empty list says nothing of its type.
        if at.size() == 0 && item.is_instance_of::<PyList>() {
            return Ok(Index::Array(fun::cast(&at, Dtype::I32).or_raise()?));
        }
        return Ok(Index::Array(at));
    }
    if let Ok(number) = item.call_method0("__index__") {
        return Ok(Index::At(number.extract()?));
    }
    Err(PyTypeError::new_err(format!(
        "[index] expected integers, slices, ..., None or arrays of integers or booleans, got {}",
        item.get_type()
    )))
}

/// A bound of a slice: what is beyond any array is as good as its end.
fn saturated(number: &Bound<'_, PyAny>) -> isize {
    number
        .extract::<isize>()
        .unwrap_or_else(|_| if number.lt(0).unwrap_or(false) { isize::MIN / 2 } else { isize::MAX / 2 })
}

/// Masks as positions: they have a number of elements only once they are computed.
fn without_masks(py: Python<'_>, list: Vec<Index>) -> PyResult<Vec<Index>> {
    let mut plain = Vec::with_capacity(list.len());
    for item in list {
        match item {
            Index::Array(mask) if mask.dtype() == Dtype::Bool => {
                if is_traced(&mask) {
                    return Err(PyValueError::new_err(
                        "[index] expected a mask whose elements are known, got one that is traced: \
                         use pb.where(mask, x, y), or compute positions outside of the transform",
                    ));
                }
                plain.extend(positions(py, &mask)?.into_iter().map(Index::Array));
            }
            other => plain.push(other),
        }
    }
    Ok(plain)
}

/// Where a mask holds: positions along each of its axes.
fn positions(py: Python<'_>, mask: &Array) -> PyResult<Vec<Array>> {
    if mask.ndim() == 0 {
        return Err(PyIndexError::new_err("[index] expected a mask with axes, got a single boolean"));
    }
    let storage = elements(py, mask)?;
    let mut found = vec![Vec::<u8>::new(); mask.ndim()];
    let mut count = 0;
    for (flat, _) in bytes(&storage, mask)?.iter().enumerate().filter(|(_, byte)| **byte != 0) {
        let mut rest = flat;
        for axis in (0..mask.ndim()).rev() {
            let size = mask.shape()[axis];
            found[axis].extend_from_slice(&((rest % size) as i32).to_ne_bytes());
            rest /= size;
        }
        count += 1;
    }
    found.iter().map(|list| pullback::from_bytes(list, Aval::new([count], Dtype::I32)).or_raise()).collect()
}

/// Masks over other axes than the array's would pick elements that nobody meant.
fn check_masks(x: &Array, list: &[Index]) -> PyResult<()> {
    let mut axis = 0;
    for (at, item) in list.iter().enumerate() {
        match item {
            Index::At(_) | Index::Slice { .. } => axis += 1,
            Index::NewAxis => {}
            Index::Ellipsis => {
                let after = list[at + 1..].iter().map(|item| match item {
                    Index::Array(mask) if mask.dtype() == Dtype::Bool => mask.ndim(),
                    Index::NewAxis => 0,
                    _ => 1,
                });
                axis = x.ndim().saturating_sub(after.sum());
            }
            Index::Array(mask) if mask.dtype() == Dtype::Bool => {
                let have = x.shape().get(axis..axis + mask.ndim());
                if have != Some(&mask.shape()[..]) {
                    let text = format!(
                        "[index] expected a mask of the axes it stands for, from axis {axis} of {}, got {}",
                        x.aval(),
                        mask.aval()
                    );
                    return Err(PyIndexError::new_err(text));
                }
                axis += mask.ndim();
            }
            Index::Array(_) => axis += 1,
        }
    }
    Ok(())
}

/// All arrays of a subscript.
fn operands<'a>(arrays: &[&'a Array], list: &'a [Index]) -> Vec<&'a Array> {
    let positions = list.iter().filter_map(|item| match item {
        Index::Array(at) => Some(at),
        _ => None,
    });
    arrays.iter().copied().chain(positions).collect()
}

fn update(
    py: Python<'_>,
    x: &Array,
    key: &Bound<'_, PyAny>,
    how: How,
    value: &Bound<'_, PyAny>,
) -> PyResult<PyArray> {
    let value = match operand(value)? {
        Operand::Array(value) => value,
        Operand::Number(Scalar::Float(part))
            if how != How::Set && x.dtype().is_integer() && part.fract() != 0. =>
        {
            Array::scalar(Scalar::Float(part), Dtype::F32)
        }
        Operand::Number(number) => fitted(number, x.dtype())?,
        Operand::Foreign => convert::array(value, None)?,
    };
    let mut list = indices(key)?;
    check_masks(x, &list)?;
    // A mask by itself needs no positions: it may be traced.
    if !matches!(&list[..], [Index::Array(mask)] if mask.dtype() == Dtype::Bool && value.size() == 1) {
        list = without_masks(py, list)?;
    }
    beside(py, &operands(&[x, &value], &list), || subscript::update(x, &list, how, &value))
}

#[pymethods]
impl PyArray {
    fn __getitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<PyArray> {
        let x = self.get();
        let list = indices(key)?;
        check_masks(&x, &list)?;
        let list = without_masks(py, list)?;
        beside(py, &operands(&[&x], &list), || subscript::get(&x, &list))
    }

    fn __setitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let changed = update(py, &self.get(), key, How::Set, value)?;
        self.set(py, changed.of(py));
        Ok(())
    }

    /// Updates that return a new array: `x.at[i].add(v)`, `subtract`, `multiply`, `divide`, `maximum`, `minimum`.
    /// Where a position is named twice, both updates count.
    ///
    /// >>> pb.zeros(3).at[pb.array([0, 0, 2])].add(1)
    /// array([2., 0., 1.], dtype=float32)
    #[getter]
    fn at(&self) -> ArrayAt {
        ArrayAt(self.get())
    }
}

/// What `x.at` is: it waits for its indices.
#[pyclass(frozen, module = "pullback")]
pub struct ArrayAt(Array);

#[pymethods]
impl ArrayAt {
    fn __getitem__(&self, key: Py<PyAny>) -> ArrayAtIndices {
        ArrayAtIndices { array: self.0.clone(), key }
    }
}

/// What `x.at[i]` is: it waits for the update.
#[pyclass(frozen, module = "pullback")]
pub struct ArrayAtIndices {
    array: Array,
    key: Py<PyAny>,
}

macro_rules! updates {
    ($($(#[doc = $doc:literal])+ $name:ident = $how:ident $(of $before:ident)?;)*) => {
        #[pymethods]
        impl ArrayAtIndices {
            $(
                $(#[doc = $doc])+
                fn $name(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<PyArray> {
                    $(let value = &self.$before(py, value)?;)?
                    update(py, &self.array, self.key.bind(py), How::$how, value)
                }
            )*
        }
    };
}

updates! {
    /// The array with these elements replaced.
    set = Set;
    /// The array with values added.
    add = Add;
    /// The array with values taken off.
    subtract = Add of negated;
    /// The array with elements multiplied.
    multiply = Multiply;
    /// The array with elements divided.
    divide = Multiply of inverted;
    /// The array with the larger of elements and values.
    maximum = Maximum;
    /// The array with the smaller of elements and values.
    minimum = Minimum;
}

impl ArrayAtIndices {
    fn negated<'py>(&self, py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let value = self.typed(value)?;
        let made = build(py, On::default(), || pullback::fun::multiply(&value, &value.weak(-1.)))?;
        Ok(Bound::new(py, made)?.into_any())
    }

    fn inverted<'py>(&self, py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let value = self.typed(value)?;
        let made = build(py, On::default(), || pullback::fun::reciprocal(&value))?;
        Ok(Bound::new(py, made)?.into_any())
    }

    fn typed(&self, value: &Bound<'_, PyAny>) -> PyResult<Array> {
        match operand(value)? {
            Operand::Number(number) => weak(number, self.array.dtype()),
            _ => convert::array(value, None),
        }
    }
}
