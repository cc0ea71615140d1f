//! Trees of Python containers: arrays out, structure kept, and back.

use std::sync::Arc;

use pullback::{Array, Dtype, Scalar};
use pyo3::exceptions::{PyRecursionError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyString, PyTuple, PyType};

use crate::array::PyArray;

/// One container in preorder; its children follow.
pub enum Part {
    /// An array.
    Leaf,
    /// Anything else that is no container: it stays as it is.
    Static(Py<PyAny>),
    /// `None`.
    Empty,
    /// A list of so many.
    List(usize),
    /// A tuple of so many.
    Tuple(usize),
    /// A namedtuple.
    Named(Py<PyType>, usize),
    /// A dict with these keys.
    Dict(Vec<Py<PyAny>>),
    /// A dataclass with these fields.
    Data(Py<PyType>, Vec<Py<PyString>>),
}

impl Part {
    /// The same once more.
    pub fn again(&self, py: Python<'_>) -> Part {
        match self {
            Part::Leaf => Part::Leaf,
            Part::Static(object) => Part::Static(object.clone_ref(py)),
            Part::Empty => Part::Empty,
            Part::List(n) => Part::List(*n),
            Part::Tuple(n) => Part::Tuple(*n),
            Part::Named(kind, n) => Part::Named(kind.clone_ref(py), *n),
            Part::Dict(keys) => Part::Dict(keys.iter().map(|key| key.clone_ref(py)).collect()),
            Part::Data(kind, names) => {
                Part::Data(kind.clone_ref(py), names.iter().map(|name| name.clone_ref(py)).collect())
            }
        }
    }
}

const MAX_DEPTH: usize = 500;

/// The structure of a tree, which can rebuild it.
#[derive(Clone)]
pub struct Tree(pub Arc<Vec<Part>>);

/// Containers that are looked into; what is left is an array or an object.
pub enum Shape<'py> {
    /// An array.
    Leaf,
    /// `None`.
    Empty,
    /// No container.
    Other,
    /// A list.
    List(Bound<'py, PyList>),
    /// A tuple; a namedtuple if it is of a class of its own.
    Tuple(Bound<'py, PyTuple>, Option<Bound<'py, PyType>>),
    /// A dict.
    Dict(Bound<'py, PyDict>),
    /// A dataclass and its fields.
    Data(Bound<'py, PyType>, Vec<Bound<'py, PyString>>),
}

/// What kind of node `value` is.
pub fn shape_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Shape<'py>> {
    if value.is_exact_instance_of::<PyArray>() {
        return Ok(Shape::Leaf);
    }
    if value.is_none() {
        return Ok(Shape::Empty);
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return Ok(Shape::Dict(dict.clone()));
    }
    if let Ok(list) = value.cast::<PyList>() {
        return Ok(Shape::List(list.clone()));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        let plain = tuple.cast_exact::<PyTuple>().is_ok();
        let named = !plain && tuple.hasattr(intern!(value.py(), "_fields"))?;
        return Ok(Shape::Tuple(tuple.clone(), named.then(|| value.get_type())));
    }
    if value.is_instance_of::<PyArray>() {
        return Ok(Shape::Leaf);
    }
    let kind = value.get_type();
    Ok(match dataclass_fields(&kind)? {
        Some(fields) => Shape::Data(kind, fields),
        None => Shape::Other,
    })
}

/// Arrays of a tree, in order, and its structure.
pub struct Flat<'py> {
    /// The arrays.
    pub arrays: Vec<Array>,
    parts: Vec<Part>,
    /// The type of the last object that was no container: they come in runs, and asking a type whether it is a
    /// dataclass takes an exception when it is not.
    plain: Option<Bound<'py, PyType>>,
    /// Whether Python's floats are arrays here.
    numbers: bool,
}

impl<'py> Flat<'py> {
    fn walk(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        // By far the most frequent, and one comparison.
        if let Ok(array) = value.cast_exact::<PyArray>() {
            self.parts.push(Part::Leaf);
            self.arrays.push(array.get().get());
            return Ok(());
        }
        let kind = value.get_type();
        if self.plain.as_ref().is_some_and(|plain| plain.is(&kind)) {
            self.parts.push(Part::Static(value.clone().unbind()));
            return Ok(());
        }
        match shape_of(value)? {
            Shape::Leaf => {
                self.parts.push(Part::Leaf);
                self.arrays.push(value.cast::<PyArray>()?.get().get());
            }
            Shape::Empty => self.parts.push(Part::Empty),
            Shape::Other => {
                if self.numbers
                    && let Ok(number) = value.cast::<PyFloat>()
                {
                    self.parts.push(Part::Leaf);
                    self.arrays.push(Array::scalar(Scalar::Float(number.value()), Dtype::F32));
                    return Ok(());
                }
                self.plain = Some(kind);
                self.parts.push(Part::Static(value.clone().unbind()));
            }
            Shape::List(list) => {
                let at = self.open();
                let mut length = 0; // counted, not asked: user code below may change the list
                for child in list.iter() {
                    self.walk(&child, depth + 1)?;
                    length += 1;
                }
                self.parts[at] = Part::List(length);
            }
            Shape::Tuple(tuple, named) => {
                let length = tuple.len();
                self.parts.push(match named {
                    Some(kind) => Part::Named(kind.unbind(), length),
                    None => Part::Tuple(length),
                });
                for child in tuple.iter() {
                    self.walk(&child, depth + 1)?;
                }
            }
            Shape::Dict(dict) => {
                let at = self.open();
                let mut keys = Vec::with_capacity(dict.len());
                for (key, child) in dict.iter() {
                    self.walk(&child, depth + 1)?;
                    keys.push(key.unbind());
                }
                self.parts[at] = Part::Dict(keys);
            }
            Shape::Data(kind, fields) => {
                let names = fields.iter().map(|field| field.clone().unbind()).collect();
                self.parts.push(Part::Data(kind.unbind(), names));
                for field in fields {
                    self.walk(&value.getattr(field)?, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// A place for a container whose size is known later.
    fn open(&mut self) -> usize {
        self.parts.push(Part::Empty);
        self.parts.len() - 1
    }
}

/// The error of a tree that is too deep to be one.
pub fn too_deep() -> PyErr {
    PyRecursionError::new_err("tree deeper than 500 levels (a container that holds itself?)")
}

/// The field names, if instances of `kind` are dataclass instances.
fn dataclass_fields<'py>(kind: &Bound<'py, PyType>) -> PyResult<Option<Vec<Bound<'py, PyString>>>> {
    let Some(fields) = kind.getattr_opt(intern!(kind.py(), "__dataclass_fields__"))? else { return Ok(None) };
    let keys = fields.cast::<PyDict>()?.keys();
    keys.iter().map(|key| Ok(key.cast_into::<PyString>()?)).collect::<PyResult<_>>().map(Some)
}

/// The arrays of a tree in order, and its structure.
pub fn flatten(tree: &Bound<'_, PyAny>) -> PyResult<(Vec<Array>, Tree)> {
    flattened(tree, false)
}

/// As `flatten`, with Python's floats as arrays.
pub fn flatten_numbers(tree: &Bound<'_, PyAny>) -> PyResult<(Vec<Array>, Tree)> {
    flattened(tree, true)
}

fn flattened(tree: &Bound<'_, PyAny>, numbers: bool) -> PyResult<(Vec<Array>, Tree)> {
    let mut flat = Flat { arrays: Vec::with_capacity(4), parts: Vec::with_capacity(8), plain: None, numbers };
    flat.walk(tree, 0)?;
    Ok((flat.arrays, Tree(Arc::new(flat.parts))))
}

/// The arrays of a tree.
pub fn arrays(tree: &Bound<'_, PyAny>) -> PyResult<Vec<Array>> {
    flatten(tree).map(|(arrays, _)| arrays)
}

/// What stands in a rebuilt tree where something stood in the first one.
pub trait Fill<'py> {
    /// For the next array.
    fn leaf(&mut self) -> PyResult<Bound<'py, PyAny>>;
    /// For an object.
    fn object(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Ok(object.clone())
    }
}

/// New objects around arrays.
pub struct Arrays<'a, 'py>(pub Python<'py>, pub std::slice::Iter<'a, Array>);

impl<'py> Fill<'py> for Arrays<'_, 'py> {
    fn leaf(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let array = self.1.next().ok_or_else(|| PyValueError::new_err("[tree] too few arrays"))?;
        Ok(Bound::new(self.0, PyArray::new(array.clone()))?.into_any())
    }
}

/// Objects one after the other in place of arrays; in place of other things, what `other` says.
pub struct Objects<'py, I, F> {
    /// In place of arrays.
    pub leaves: I,
    /// In place of other things.
    pub other: F,
    /// The interpreter.
    pub py: Python<'py>,
}

impl<'py, I, F> Fill<'py> for Objects<'py, I, F>
where
    I: Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    F: FnMut(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
{
    fn leaf(&mut self) -> PyResult<Bound<'py, PyAny>> {
        self.leaves.next().unwrap_or_else(|| Ok(self.py.None().into_bound(self.py)))
    }
    fn object(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        (self.other)(object)
    }
}

impl Tree {
    /// A tree of this structure around other arrays.
    pub fn rebuild<'py>(&self, py: Python<'py>, arrays: &[Array]) -> PyResult<Bound<'py, PyAny>> {
        self.fill(py, &mut Arrays(py, arrays.iter()))
    }

    /// As `rebuild`, with `None` in place of what is no array.
    pub fn rebuild_without<'py>(&self, py: Python<'py>, arrays: &[Array]) -> PyResult<Bound<'py, PyAny>> {
        let leaves = arrays.iter().map(|array| Ok(Bound::new(py, PyArray::new(array.clone()))?.into_any()));
        let other = |_: &Bound<'py, PyAny>| Ok(py.None().into_bound(py));
        self.fill(py, &mut Objects { leaves, other, py })
    }

    /// A tree of this structure, filled otherwise.
    pub fn fill<'py>(&self, py: Python<'py>, fill: &mut dyn Fill<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.build(py, &mut 0, fill)
    }

    fn build<'py>(
        &self,
        py: Python<'py>,
        at: &mut usize,
        fill: &mut dyn Fill<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let part = &self.0[*at];
        *at += 1;
        let mut children = |n: usize| (0..n).map(|_| self.build(py, at, fill)).collect::<PyResult<Vec<_>>>();
        Ok(match part {
            Part::Leaf => fill.leaf()?,
            Part::Static(object) => fill.object(object.bind(py))?,
            Part::Empty => py.None().into_bound(py),
            Part::List(n) => PyList::new(py, children(*n)?)?.into_any(),
            Part::Tuple(n) => PyTuple::new(py, children(*n)?)?.into_any(),
            Part::Named(kind, n) => kind.bind(py).call1(PyTuple::new(py, children(*n)?)?)?,
            Part::Dict(keys) => {
                let dict = PyDict::new(py);
                for (key, child) in keys.iter().zip(children(keys.len())?) {
                    dict.set_item(key, child)?;
                }
                dict.into_any()
            }
            Part::Data(kind, names) => {
                // Without `__init__`, and past `frozen=True`: a rebuilt value is not a new event.
                let object = py.get_type::<PyAny>();
                let value = object.call_method1(intern!(py, "__new__"), (kind,))?;
                for (name, child) in names.iter().zip(children(names.len())?) {
                    object.call_method1(intern!(py, "__setattr__"), (&value, name, child))?;
                }
                value
            }
        })
    }

    /// Whether the parts from `at` on are so many arrays, and the tree ends there with nothing more.
    pub fn is_flat(&self, at: usize, arrays: usize) -> bool {
        let parts = &self.0[..];
        parts.len() == at + arrays + 1
            && parts[at..at + arrays].iter().all(|part| matches!(part, Part::Leaf))
            && matches!(parts[at + arrays], Part::Empty)
    }

    /// Whether two structures are the same, with equal objects in the same places.
    pub fn same(&self, py: Python<'_>, other: &Tree) -> PyResult<bool> {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ok(true);
        }
        if self.0.len() != other.0.len() {
            return Ok(false);
        }
        for (a, b) in self.0.iter().zip(other.0.iter()) {
            if !same(py, a, b)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Paths of the arrays below a name: `x`, `params['w']`, `layers[0].bias`.
    pub fn paths(&self, py: Python<'_>, root: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.name(py, &mut 0, root, &mut found);
        found
    }

    fn name(&self, py: Python<'_>, at: &mut usize, path: &str, found: &mut Vec<String>) {
        let part = &self.0[*at];
        *at += 1;
        match part {
            Part::Leaf => found.push(path.to_string()),
            Part::Static(_) | Part::Empty => {}
            Part::List(n) | Part::Tuple(n) => {
                (0..*n).for_each(|i| self.name(py, at, &format!("{path}[{i}]"), found));
            }
            Part::Named(kind, n) => {
                let fields = kind.bind(py).getattr("_fields").ok();
                for i in 0..*n {
                    let field = fields.as_ref().and_then(|fields| fields.get_item(i).ok());
                    let field = field.map_or_else(|| i.to_string(), |field| field.to_string());
                    self.name(py, at, &format!("{path}.{field}"), found);
                }
            }
            Part::Dict(keys) => {
                for key in keys {
                    let key = key.bind(py).repr().map_or_else(|_| "?".into(), |key| key.to_string());
                    self.name(py, at, &format!("{path}[{key}]"), found);
                }
            }
            Part::Data(_, names) => {
                for name in names {
                    self.name(py, at, &format!("{path}.{}", name.bind(py)), found);
                }
            }
        }
    }
}

fn same(py: Python<'_>, a: &Part, b: &Part) -> PyResult<bool> {
    Ok(match (a, b) {
        (Part::Leaf, Part::Leaf) | (Part::Empty, Part::Empty) => true,
        (Part::Static(a), Part::Static(b)) => {
            let (a, b) = (a.bind(py), b.bind(py));
            // 1, 1.0 and True are equal and make different graphs.
            a.is(b) || (a.get_type().is(b.get_type()) && a.eq(b).unwrap_or(false))
        }
        (Part::List(a), Part::List(b)) | (Part::Tuple(a), Part::Tuple(b)) => a == b,
        (Part::Named(a, _), Part::Named(b, _)) | (Part::Data(a, _), Part::Data(b, _)) => a.is(b),
        (Part::Dict(a), Part::Dict(b)) => {
            a.len() == b.len() && {
                let mut equal = true;
                for (a, b) in a.iter().zip(b) {
                    equal &= a.bind(py).eq(b)?;
                }
                equal
            }
        }
        _ => false,
    })
}
