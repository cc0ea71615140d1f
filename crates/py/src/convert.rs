//! Python's numbers, lists and foreign arrays into arrays, and arrays into numbers and lists.

use pullback::promote::scalar_dtype;
use pullback::{Array, Aval, Dtype, Error, Kind, Scalar, fun};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::array::{PyArray, bytes, elements};
use crate::error::OrRaise;
use crate::operators::{fit, fitted, number};
use crate::{buffer, dlpack};

/// An array from anything that can be one.
pub fn array(value: &Bound<'_, PyAny>, dtype: Option<Dtype>) -> PyResult<Array> {
    let made = convert(value, dtype)?;
    match dtype {
        Some(dtype) => fun::cast(&made, dtype).or_raise(),
        None => Ok(made),
    }
}

/// As `array`, in the type that it has: what is wished for only keeps doubles from being narrowed.
pub fn convert(value: &Bound<'_, PyAny>, dtype: Option<Dtype>) -> PyResult<Array> {
    if let Ok(array) = value.cast::<PyArray>() {
        return Ok(array.get().get());
    }
    if let Some(number) = number(value)? {
        return fitted(number, dtype.unwrap_or_else(|| scalar_dtype(number)));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return nested(value, dtype);
    }
    if value.is_instance_of::<PyString>() {
        return Err(unfit(value));
    }
    let py = value.py();
    if let Some(array) = buffer::import(value, dtype)? {
        return Ok(array);
    }
    if value.hasattr(intern!(py, "__dlpack__"))? {
        // What another library refuses to hand over holds no numbers; our own refusals are told as they are.
        return dlpack::import(value).map_err(|err| {
            let theirs =
                err.is_instance_of::<PyBufferError>(py) && !err.value(py).to_string().starts_with('[');
            if theirs { unfit(value) } else { err }
        });
    }
    if value.hasattr(intern!(py, "__array__"))? {
        let array = value.call_method0(intern!(py, "__array__"))?;
        if let Some(array) = buffer::import(&array, dtype)? {
            return Ok(array);
        }
    }
    Err(unfit(value))
}

fn unfit(value: &Bound<'_, PyAny>) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
    let of = match value.getattr("dtype") {
        Ok(dtype) => format!(" of {dtype}"),
        Err(_) => String::new(),
    };
    PyTypeError::new_err(format!("[array] expected a number, a list of numbers or an array, got {kind}{of}"))
}

/// Numbers as they are found in nested lists.
struct Found {
    shape: Vec<usize>,
    values: Vec<Scalar>,
    kind: Kind,
    wide: bool,
}

fn nested(value: &Bound<'_, PyAny>, dtype: Option<Dtype>) -> PyResult<Array> {
    let mut found = Found { shape: Vec::new(), values: Vec::new(), kind: Kind::Bool, wide: false };
    let mut at = value.clone();
    while let Some(items) = items(&at) {
        found.shape.push(items.len());
        if found.shape.len() > 64 {
            return Err(PyValueError::new_err("[array] expected at most 64 levels of lists, got more"));
        }
        match items.into_iter().next() {
            Some(first) => at = first,
            None => break,
        }
    }
    if at.is_instance_of::<PyArray>() || (number(&at)?.is_none() && items(&at).is_none()) {
        return stacked(value, dtype);
    }
    let shape = found.shape.clone();
    if !collect(value, &shape, &mut found)? {
        return stacked(value, dtype);
    }
    let dtype = dtype.unwrap_or(match found.kind {
        // An empty list is a list of floats, as in NumPy.
        _ if found.values.is_empty() => Dtype::F32,
        Kind::Bool => Dtype::Bool,
        Kind::Signed if found.wide => Dtype::I64,
        Kind::Signed => Dtype::I32,
        Kind::Unsigned => Dtype::U64,
        Kind::Float => Dtype::F32,
        Kind::Complex => Dtype::C64,
    });
    let size = dtype.size();
    let mut content = Vec::with_capacity(found.values.len() * size);
    for value in &found.values {
        content.extend_from_slice(&fit(*value, dtype)?.bits(dtype).to_le_bytes()[..size]);
    }
    let aval = Aval { shape: pullback::Shape::from(shape).checked("array").or_raise()?, dtype };
    pullback::from_bytes(&content, aval).or_raise()
}

/// The items of a list or a tuple.
fn items<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(list) = value.cast::<PyList>() {
        return Some(list.iter().collect());
    }
    value.cast::<PyTuple>().ok().map(|tuple| tuple.iter().collect())
}

/// Collects the numbers; false where there is an array among them.
fn collect(value: &Bound<'_, PyAny>, shape: &[usize], found: &mut Found) -> PyResult<bool> {
    let Some((&length, inner)) = shape.split_first() else {
        if let Some(number) = number(value)? {
            found.kind = found.kind.max(match number {
                Scalar::Uint(_) if found.kind <= Kind::Signed => Kind::Unsigned,
                other => other.kind(),
            });
            if let Scalar::Int(int) = number {
                found.wide |= i32::try_from(int).is_err();
            }
            found.values.push(number);
            return Ok(true);
        }
        return match items(value) {
            Some(more) => Err(ragged("a number", &format!("a list of {}", more.len()))),
            None => Ok(false),
        };
    };
    let Some(items) = items(value) else {
        return if number(value)?.is_some() {
            Err(ragged(&format!("a list of {length}"), "a number"))
        } else {
            Ok(false)
        };
    };
    if items.len() != length {
        return Err(ragged(&format!("a list of {length}"), &format!("a list of {}", items.len())));
    }
    for item in &items {
        if !collect(item, inner, found)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn ragged(expected: &str, got: &str) -> PyErr {
    PyValueError::new_err(format!(
        "[array] expected lists of one length at each level, got {got} beside {expected}: pad the short ones"
    ))
}

/// A list with arrays in it.
fn stacked(value: &Bound<'_, PyAny>, dtype: Option<Dtype>) -> PyResult<Array> {
    match items(value) {
        Some(items) if !items.is_empty() => {
            let parts = items.iter().map(|item| stacked(item, dtype)).collect::<PyResult<Vec<Array>>>()?;
            if parts.iter().any(|part| part.shape() != parts[0].shape()) {
                return Err(ragged(&parts[0].aval().to_string(), "an array of another shape"));
            }
            fun::stack(&parts.iter().collect::<Vec<_>>(), 0).or_raise()
        }
        _ => convert(value, dtype),
    }
}

/// The only element, computed if need be.
pub fn scalar(py: Python<'_>, array: &Array) -> PyResult<Scalar> {
    if array.size() != 1 {
        return Err(PyValueError::new_err(format!("[item] expected one element, got {}", array.aval())));
    }
    if let Some(value) = array.as_const() {
        return Ok(value);
    }
    let storage = elements(py, array)?;
    Ok(element(bytes(&storage, array)?, array.dtype()))
}

fn element(content: &[u8], dtype: Dtype) -> Scalar {
    let mut word = [0; 8];
    word[..dtype.size()].copy_from_slice(&content[..dtype.size()]);
    Scalar::from_bits(u64::from_le_bytes(word), dtype)
}

/// A number of Python.
pub fn object(py: Python<'_>, value: Scalar) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Scalar::Bool(x) => PyBool::new(py, x).to_owned().into_any(),
        Scalar::Int(x) => PyInt::new(py, x).into_any(),
        Scalar::Uint(x) => PyInt::new(py, x).into_any(),
        Scalar::Float(x) => PyFloat::new(py, x).into_any(),
        Scalar::Complex(x, y) => PyComplex::from_doubles(py, x, y).into_any(),
    })
}

/// The only element as a number of Python.
pub fn item<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    object(py, scalar(py, array)?)
}

/// The elements in nested lists.
pub fn tolist<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    let storage = elements(py, array)?;
    lists(py, bytes(&storage, array)?, &array.shape()[..], array.dtype())
}

fn lists<'py>(py: Python<'py>, content: &[u8], shape: &[usize], dtype: Dtype) -> PyResult<Bound<'py, PyAny>> {
    let Some((&length, inner)) = shape.split_first() else {
        return object(py, element(content, dtype));
    };
    let step = inner.iter().product::<usize>() * dtype.size();
    let items = (0..length).map(|i| lists(py, &content[i * step..(i + 1) * step], inner, dtype));
    Ok(PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any())
}

/// An argument that is an array, or can be made one.
pub struct Arg(pub Array);

impl<'a, 'py> FromPyObject<'a, 'py> for Arg {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Arg> {
        if let Ok(exact) = value.cast_exact::<PyArray>() {
            return Ok(Arg(exact.get().of(exact.py())));
        }
        array(&value, None).map(Arg)
    }
}

/// The error of a bug: what the engine promised is not there.
pub fn broken(text: &str) -> PyErr {
    crate::error::raised(Error::internal(text))
}
