//! Arguments that many functions take: axes, shapes, sequences of arrays.

use pullback::{Array, Aval, Shape};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::convert::Arg;
use crate::dtype::DtypeArg;

/// One integer or several.
pub struct Ints(pub Vec<isize>);

impl<'a, 'py> FromPyObject<'a, 'py> for Ints {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Ints> {
        if let Ok(one) = value.extract::<isize>() {
            return Ok(Ints(vec![one]));
        }
        value.extract::<Vec<isize>>().map(Ints).map_err(|err| {
            let py = value.py();
            let large = err.is_instance_of::<PyOverflowError>(py) || value.is_instance_of::<PyInt>();
            let got = value.repr().map_or_else(|_| "?".into(), |text| text.to_string());
            match large {
                true => PyOverflowError::new_err(format!("expected integers of 64 bits, got {got}")),
                false => {
                    PyTypeError::new_err(format!("expected an integer or a sequence of integers, got {got}"))
                }
            }
        })
    }
}

/// No axis, one, or several.
#[derive(Default)]
pub struct Axes(pub Option<Vec<isize>>);

impl<'a, 'py> FromPyObject<'a, 'py> for Axes {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Axes> {
        if value.is_none() {
            return Ok(Axes(None));
        }
        value.extract::<Ints>().map(|list| Axes(Some(list.0)))
    }
}

impl Axes {
    /// The list, if there is one.
    pub fn list(&self) -> Option<&[isize]> {
        self.0.as_deref()
    }
}

/// A shape: sizes that are not negative.
pub struct Sizes(pub Shape);

impl<'a, 'py> FromPyObject<'a, 'py> for Sizes {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Sizes> {
        let list = value.extract::<Ints>()?.0;
        if let Some(size) = list.iter().find(|size| **size < 0) {
            return Err(PyValueError::new_err(format!(
                "[shape] expected sizes that are not negative, got {size}"
            )));
        }
        Ok(Sizes(list.into_iter().map(|size| size as usize).collect()))
    }
}

/// The type of whatever has a shape and a dtype.
pub fn aval_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Aval>> {
    let py = object.py();
    let (shape, dtype) =
        (object.getattr_opt(intern!(py, "shape"))?, object.getattr_opt(intern!(py, "dtype"))?);
    let (Some(shape), Some(dtype)) = (shape, dtype) else { return Ok(None) };
    Ok(Some(Aval { shape: shape.extract::<Sizes>()?.0, dtype: dtype.extract::<DtypeArg>()?.0 }))
}

/// An argument for which `None` is a value like others: it is told from one that was not given.
pub enum Given<'py> {
    /// By the user.
    As(Bound<'py, PyAny>),
    /// Not at all.
    Not,
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Given<'py>> {
        Ok(Given::As(value.to_owned()))
    }
}

/// Arrays in a list or a tuple; an array stands for its rows.
pub struct Many(pub Vec<Array>);

impl<'a, 'py> FromPyObject<'a, 'py> for Many {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Many> {
        let items = value.try_iter().map_err(|_| {
            let got = value.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
            PyTypeError::new_err(format!("expected a sequence of arrays, got {got}"))
        })?;
        items.map(|item| Ok(item?.extract::<Arg>()?.0)).collect::<PyResult<_>>().map(Many)
    }
}

impl Many {
    /// Borrowed, as functions of the engine take them.
    pub fn refs(&self) -> Vec<&Array> {
        self.0.iter().collect()
    }
}
