//! From objects to leaves and the structure around them.

use std::sync::Arc;

use pullback::{Array, Dtype, Scalar};
use pyo3::exceptions::PyRecursionError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyFunction, PyList, PyString, PyTuple, PyType};
use smallvec::SmallVec;

use crate::array::PyArray;
use crate::nodes::{self, Class, Opened};
use crate::tree::{NodePart, Part, Tree};

/// How deep a tree may be.
pub const MAX_DEPTH: usize = 500;

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
    /// A module.
    Module(Bound<'py, PyType>),
    /// A node of a registered class.
    Node(Arc<Class>),
}

/// What kind of node `value` is.
pub fn shape_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Shape<'py>> {
    if value.is_exact_instance_of::<PyArray>() {
        return Ok(Shape::Leaf);
    }
    if value.is_none() {
        return Ok(Shape::Empty);
    }
    let kind = value.get_type();
    if let Some(class) = nodes::find(&kind) {
        return Ok(Shape::Node(class));
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
        return Ok(Shape::Tuple(tuple.clone(), named.then_some(kind)));
    }
    if value.is_instance_of::<PyArray>() {
        return Ok(Shape::Leaf);
    }
    if nodes::is_builtin(&kind) {
        return Ok(Shape::Other);
    }
    if nodes::is_module(&kind)? {
        return Ok(Shape::Module(kind));
    }
    Ok(match dataclass_fields(&kind)? {
        Some(fields) => Shape::Data(kind, fields),
        None => Shape::Other,
    })
}

/// Which objects are leaves.
#[derive(Clone, Copy)]
pub enum Leaves<'a, 'py> {
    /// Arrays.
    Arrays,
    /// Arrays and Python's floats.
    Numbers,
    /// Whatever is no container, and what a function says; `None` if it is said.
    All(Option<&'a Bound<'py, PyAny>>, Nones),
}

/// What `None` is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nones {
    /// A container of nothing.
    Empty,
    /// A leaf.
    Leaf,
}

/// Leaves of a tree, in order, and its structure.
struct Flat<'a, 'py> {
    /// The leaves, if they are arrays.
    arrays: Vec<Array>,
    /// The leaves, if they may be anything.
    objects: Vec<Bound<'py, PyAny>>,
    parts: Vec<Part>,
    /// The type of the last object that was no container: they come in runs, and asking a type whether it is a
    /// dataclass takes an exception when it is not.
    plain: Option<Bound<'py, PyType>>,
    leaves: Leaves<'a, 'py>,
    /// How many modules are around: what is no array belongs to them.
    modules: usize,
}

impl<'py> Flat<'_, 'py> {
    fn leaf(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        self.parts.push(Part::Leaf);
        match self.leaves {
            Leaves::All(..) => self.objects.push(value.clone()),
            Leaves::Arrays | Leaves::Numbers => {
                self.arrays.push(value.cast::<PyArray>()?.get().of(value.py()))
            }
        }
        Ok(())
    }

    /// Whether the caller calls it a leaf.
    fn is_called_leaf(&self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        let Leaves::All(Some(is_leaf), _) = self.leaves else { return Ok(false) };
        Ok(is_leaf.call1((value,))?.is_truthy()?
            && (self.modules == 0 || !matches!(shape_of(value)?, Shape::Other)))
    }

    fn walk(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        // By far the most frequent, and one comparison.
        if value.is_exact_instance_of::<PyArray>() || self.is_called_leaf(value)? {
            return self.leaf(value);
        }
        let kind = value.get_type();
        if self.plain.as_ref().is_some_and(|plain| plain.is(&kind)) {
            self.parts.push(Part::Static(value.clone().unbind()));
            return Ok(());
        }
        match shape_of(value)? {
            Shape::Leaf => self.leaf(value)?,
            Shape::Empty => match self.leaves {
                Leaves::All(_, Nones::Leaf) if self.modules == 0 => self.leaf(value)?,
                _ => self.parts.push(Part::Empty),
            },
            Shape::Other if self.modules > 0 => self.parts.push(Part::Static(value.clone().unbind())),
            Shape::Other => self.other(value, kind)?,
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
            Shape::Module(kind) => self.module(value, kind, depth)?,
            Shape::Node(class) => self.node(value, class, depth)?,
        }
        Ok(())
    }

    /// What is no container, and in no module.
    fn other(&mut self, value: &Bound<'py, PyAny>, kind: Bound<'py, PyType>) -> PyResult<()> {
        match (self.leaves, value.cast::<PyFloat>()) {
            (Leaves::All(..), _) => return self.leaf(value),
            (Leaves::Numbers, Ok(number)) => {
                self.parts.push(Part::Leaf);
                self.arrays.push(Array::scalar(Scalar::Float(number.value()), Dtype::F32));
            }
            _ => {
                self.plain = Some(kind);
                self.parts.push(Part::Static(value.clone().unbind()));
            }
        }
        Ok(())
    }

    fn module(&mut self, value: &Bound<'py, PyAny>, kind: Bound<'py, PyType>, depth: usize) -> PyResult<()> {
        let attributes = nodes::attributes(value)?;
        let names = attributes.iter().map(|(name, _)| name.clone().unbind()).collect();
        self.parts.push(Part::Module(kind.unbind(), names));
        self.modules += 1;
        for (_, child) in attributes {
            self.walk(&child, depth + 1)?;
        }
        self.modules -= 1;
        Ok(())
    }

    fn node(&mut self, value: &Bound<'py, PyAny>, class: Arc<Class>, depth: usize) -> PyResult<()> {
        let Opened { children, aux } = class.open(value)?;
        let names = nodes::names(value, &children)?;
        self.parts.push(Part::Node(Box::new(NodePart { class, aux: aux.unbind(), names })));
        for child in children {
            self.walk(&child, depth + 1)?;
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
    let flat = flattened(tree, Leaves::Arrays)?;
    Ok((flat.arrays, Tree::new(flat.parts)))
}

/// The arrays of a tuple that holds nothing else.
pub fn all_arrays<A: smallvec::Array<Item = Array>>(tuple: &Bound<'_, PyTuple>) -> Option<SmallVec<A>> {
    let array = |item: Borrowed<'_, '_, PyAny>| Some(item.cast_exact::<PyArray>().ok()?.get().of(tuple.py()));
    tuple.iter_borrowed().map(array).collect()
}

/// As `flatten`. Results and residuals are nearly always an array or a tuple of some, whose structures are known; or
/// nothing, or a function.
pub fn flatten_few<A: smallvec::Array<Item = Array>>(
    tree: &Bound<'_, PyAny>,
) -> PyResult<(SmallVec<A>, Tree)> {
    if let Ok(array) = tree.cast_exact::<PyArray>() {
        return Ok((SmallVec::from_iter([array.get().of(tree.py())]), Tree::of_one().clone()));
    }
    if let Ok(tuple) = tree.cast_exact::<PyTuple>()
        && let Some(known) = Tree::of_tuple(tuple.len())
        && let Some(arrays) = all_arrays(tuple)
    {
        return Ok((arrays, known.clone()));
    }
    if tree.is_none() {
        return Ok((SmallVec::new(), Tree::of_none().clone()));
    }
    if tree.is_exact_instance_of::<PyFunction>() && nodes::find(&tree.get_type()).is_none() {
        return Ok((SmallVec::new(), Tree::of_object(tree)));
    }
    let (arrays, structure) = flatten(tree)?;
    Ok((arrays.into_iter().collect(), structure))
}

/// As `flatten`, with Python's floats as arrays.
pub fn flatten_numbers(tree: &Bound<'_, PyAny>) -> PyResult<(Vec<Array>, Tree)> {
    let flat = flattened(tree, Leaves::Numbers)?;
    Ok((flat.arrays, Tree::new(flat.parts)))
}

/// As `flatten`, with whatever is no container as leaves.
pub fn flatten_all<'py>(
    tree: &Bound<'py, PyAny>,
    is_leaf: Option<&Bound<'py, PyAny>>,
    nones: Nones,
) -> PyResult<(Vec<Bound<'py, PyAny>>, Tree)> {
    let flat = flattened(tree, Leaves::All(is_leaf, nones))?;
    Ok((flat.objects, Tree::new(flat.parts)))
}

fn flattened<'a, 'py>(tree: &Bound<'py, PyAny>, leaves: Leaves<'a, 'py>) -> PyResult<Flat<'a, 'py>> {
    let mut flat = Flat {
        arrays: Vec::with_capacity(4),
        objects: Vec::new(),
        parts: Vec::with_capacity(8),
        plain: None,
        leaves,
        modules: 0,
    };
    flat.walk(tree, 0)?;
    Ok(flat)
}

/// The arrays of a tree.
pub fn arrays(tree: &Bound<'_, PyAny>) -> PyResult<Vec<Array>> {
    flatten(tree).map(|(arrays, _)| arrays)
}
