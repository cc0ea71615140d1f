//! The structure of trees of Python containers, and back from it to objects.

use std::iter;
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

use pullback::{Array, Outputs};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};
use smallvec::SmallVec;

use crate::array::PyArray;
pub use crate::flat::{
    MAX_DEPTH, Nones, Shape, all_arrays, arrays, flatten, flatten_all, flatten_few, flatten_numbers,
    shape_of, too_deep,
};
use crate::nodes::Class;

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
    /// A module with these attributes. What is no array below it belongs to it, and is there in whatever is made of
    /// this structure.
    Module(Py<PyType>, Vec<Py<PyString>>),
    /// A node of a registered class.
    Node(Box<NodePart>),
}

/// A node of a registered class.
pub struct NodePart {
    /// Its class.
    pub class: Arc<Class>,
    /// What belongs to it and is no tree.
    pub aux: Py<PyAny>,
    /// For each child the attribute that it is, if it is one.
    pub names: Vec<Option<Py<PyString>>>,
}

impl Part {
    /// How many children follow.
    pub fn children(&self) -> usize {
        match self {
            Part::Leaf | Part::Static(_) | Part::Empty => 0,
            Part::List(n) | Part::Tuple(n) | Part::Named(_, n) => *n,
            Part::Dict(keys) => keys.len(),
            Part::Data(_, names) | Part::Module(_, names) => names.len(),
            Part::Node(node) => node.names.len(),
        }
    }

    /// Whether it is a list or a tuple.
    pub fn is_sequence(&self) -> bool {
        matches!(self, Part::List(_) | Part::Tuple(_) | Part::Named(..))
    }

    /// The same once more.
    pub fn again(&self, py: Python<'_>) -> Part {
        let names = |names: &[Py<PyString>]| names.iter().map(|name| name.clone_ref(py)).collect();
        match self {
            Part::Leaf => Part::Leaf,
            Part::Static(object) => Part::Static(object.clone_ref(py)),
            Part::Empty => Part::Empty,
            Part::List(n) => Part::List(*n),
            Part::Tuple(n) => Part::Tuple(*n),
            Part::Named(kind, n) => Part::Named(kind.clone_ref(py), *n),
            Part::Dict(keys) => Part::Dict(keys.iter().map(|key| key.clone_ref(py)).collect()),
            Part::Data(kind, fields) => Part::Data(kind.clone_ref(py), names(fields)),
            Part::Module(kind, fields) => Part::Module(kind.clone_ref(py), names(fields)),
            Part::Node(node) => Part::Node(Box::new(NodePart {
                class: node.class.clone(),
                aux: node.aux.clone_ref(py),
                names: node.names.iter().map(|name| name.as_ref().map(|name| name.clone_ref(py))).collect(),
            })),
        }
    }
}

/// The structure of a tree, which can rebuild it.
#[derive(Clone)]
pub struct Tree(pub Parts);

/// Objects, in place where they are few.
pub type Several<'py> = SmallVec<[Bound<'py, PyAny>; 4]>;

/// An object around each array.
pub fn each_object<'py>(py: Python<'py>, arrays: &[Array]) -> PyResult<Several<'py>> {
    arrays.iter().map(|array| Ok(Bound::new(py, PyArray::new(array.clone()))?.into_any())).collect()
}

/// Parts of a structure. Those of the usual ones are there for ever, and nobody counts who has them.
#[derive(Clone)]
pub enum Parts {
    /// Of a usual structure.
    Usual(&'static [Part]),
    /// Of an object that is no container.
    Alone(Arc<[Part; 1]>),
    /// Of another one.
    Shared(Arc<Vec<Part>>),
}

impl Deref for Parts {
    type Target = [Part];
    #[inline]
    fn deref(&self) -> &[Part] {
        match self {
            Parts::Usual(parts) => parts,
            Parts::Alone(parts) => &parts[..],
            Parts::Shared(parts) => parts,
        }
    }
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

/// What becomes of what is no array.
#[derive(Clone, Copy)]
enum Rest {
    /// What `Fill` says.
    Filled,
    /// It stays: it belongs to a module.
    Kept,
}

impl Tree {
    /// Of these parts.
    pub fn new(parts: Vec<Part>) -> Tree {
        Tree(Parts::Shared(Arc::new(parts)))
    }

    fn usual(parts: Vec<Part>) -> Tree {
        Tree(Parts::Usual(Vec::leak(parts)))
    }

    /// Whether it is that of a call with arrays by position and nothing else, in a usual number.
    pub fn is_of_arrays(&self, count: usize) -> bool {
        matches!(self.0, Parts::Usual([Part::Tuple(2), Part::Tuple(_), ..])) && self.0.len() == count + 3
    }

    /// The structure of a call with so many arrays by position and nothing else, if it is a usual number.
    pub fn of_arrays(count: usize) -> Option<&'static Tree> {
        static KNOWN: OnceLock<[Tree; 7]> = OnceLock::new();
        let make = |count| {
            let leaves = (0..count).map(|_| Part::Leaf);
            let parts = [Part::Tuple(2), Part::Tuple(count)].into_iter().chain(leaves).chain([Part::Empty]);
            Tree::usual(parts.collect())
        };
        KNOWN.get_or_init(|| std::array::from_fn(make)).get(count)
    }

    /// The structure of a tuple of so many arrays, if it is a usual number.
    pub fn of_tuple(count: usize) -> Option<&'static Tree> {
        static KNOWN: OnceLock<[Tree; 7]> = OnceLock::new();
        let make = |count| {
            let leaves = (0..count).map(|_| Part::Leaf);
            Tree::usual(iter::once(Part::Tuple(count)).chain(leaves).collect())
        };
        KNOWN.get_or_init(|| std::array::from_fn(make)).get(count)
    }

    /// The structure of an array by itself.
    pub fn of_one() -> &'static Tree {
        static KNOWN: OnceLock<Tree> = OnceLock::new();
        KNOWN.get_or_init(|| Tree::usual(vec![Part::Leaf]))
    }

    /// The structure of nothing.
    pub fn of_none() -> &'static Tree {
        static KNOWN: OnceLock<Tree> = OnceLock::new();
        KNOWN.get_or_init(|| Tree::usual(vec![Part::Empty]))
    }

    /// The structure of an object that is no container.
    pub fn of_object(object: &Bound<'_, PyAny>) -> Tree {
        Tree(Parts::Alone(Arc::new([Part::Static(object.clone().unbind())])))
    }

    /// Whether it is that of a tuple of so many arrays, in a usual number.
    fn is_of_tuple(&self, count: usize) -> bool {
        matches!(self.0, Parts::Usual([Part::Tuple(n), ..]) if *n == count) && self.0.len() == count + 1
    }

    /// A tree of this structure around other arrays.
    pub fn rebuild<'py>(&self, py: Python<'py>, arrays: &[Array]) -> PyResult<Bound<'py, PyAny>> {
        if let ([Part::Leaf], [array]) = (&self.0[..], arrays) {
            return Ok(Bound::new(py, PyArray::new(array.clone()))?.into_any());
        }
        if self.is_of_tuple(arrays.len()) {
            return Ok(PyTuple::new(py, each_object(py, arrays)?)?.into_any());
        }
        self.fill(py, &mut Arrays(py, arrays.iter()))
    }

    /// As `rebuild`, of arrays that nobody else needs.
    pub fn rebuild_from<'py>(&self, py: Python<'py>, mut arrays: Outputs) -> PyResult<Bound<'py, PyAny>> {
        match (&self.0[..], arrays.len()) {
            ([Part::Leaf], 1) => Ok(Bound::new(py, PyArray::new(arrays.swap_remove(0)))?.into_any()),
            _ => self.rebuild(py, &arrays),
        }
    }

    /// As `rebuild`, with `None` in place of what is no array.
    pub fn rebuild_without<'py>(&self, py: Python<'py>, arrays: &[Array]) -> PyResult<Bound<'py, PyAny>> {
        let leaves = arrays.iter().map(|array| Ok(Bound::new(py, PyArray::new(array.clone()))?.into_any()));
        let other = |_: &Bound<'py, PyAny>| Ok(py.None().into_bound(py));
        self.fill(py, &mut Objects { leaves, other, py })
    }

    /// A tree of this structure, filled otherwise.
    pub fn fill<'py>(&self, py: Python<'py>, fill: &mut dyn Fill<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let [Part::Leaf] = self.0[..] {
            return fill.leaf();
        }
        self.build(py, &mut 0, fill, Rest::Filled)
    }

    fn build<'py>(
        &self,
        py: Python<'py>,
        at: &mut usize,
        fill: &mut dyn Fill<'py>,
        rest: Rest,
    ) -> PyResult<Bound<'py, PyAny>> {
        let part = &self.0[*at];
        *at += 1;
        let rest = if let Part::Module(..) = part { Rest::Kept } else { rest };
        let mut children =
            |n: usize| (0..n).map(|_| self.build(py, at, fill, rest)).collect::<PyResult<Vec<_>>>();
        Ok(match part {
            Part::Leaf => fill.leaf()?,
            Part::Static(object) => match rest {
                Rest::Filled => fill.object(object.bind(py))?,
                Rest::Kept => object.bind(py).clone(),
            },
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
            Part::Node(node) => {
                let children = children(node.names.len())?;
                node.class.close(py, &node.aux, children)?
            }
            Part::Data(kind, names) | Part::Module(kind, names) => {
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

    /// How many arrays are below part `at`, and the part behind it.
    pub fn below(&self, mut at: usize) -> (usize, usize) {
        let (mut left, mut arrays) = (1, 0);
        while left > 0 {
            let part = &self.0[at];
            arrays += usize::from(matches!(part, Part::Leaf));
            left += part.children();
            left -= 1;
            at += 1;
        }
        (arrays, at)
    }

    /// Of a tree of `(args, kwargs)`: how many arrays are among the positional arguments, and how many of these there
    /// are.
    pub fn positional(&self) -> (usize, usize) {
        let count = match &self.0[1] {
            Part::Tuple(n) => *n,
            _ => 0,
        };
        (self.below(1).0, count)
    }

    /// Of a tree of `(args, kwargs)`: which arrays belong to which positional argument.
    pub fn spans(&self) -> Vec<Range<usize>> {
        let (mut at, mut start) = (2, 0);
        let next = |_| {
            let (arrays, behind) = self.below(at);
            at = behind;
            let span = start..start + arrays;
            start = span.end;
            span
        };
        (0..self.positional().1).map(next).collect()
    }

    /// The same structure, with an array wherever `lift` finds one in what is none, and the arrays: those given, and
    /// those found, which are told how many came before.
    pub fn lifted<T>(
        &self,
        py: Python<'_>,
        given: impl IntoIterator<Item = T>,
        mut lift: impl FnMut(usize, &Bound<'_, PyAny>) -> PyResult<Option<T>>,
    ) -> PyResult<(Vec<T>, Tree)> {
        let (mut given, mut all, mut parts) = (given.into_iter(), Vec::new(), Vec::new());
        for part in self.0.iter() {
            let found = match part {
                Part::Leaf => given.next(),
                Part::Static(object) => lift(all.len(), object.bind(py))?,
                _ => None,
            };
            parts.push(if found.is_some() { Part::Leaf } else { part.again(py) });
            all.extend(found);
        }
        Ok((all, Tree::new(parts)))
    }

    /// Whether two structures are the same, with equal objects in the same places.
    pub fn same(&self, py: Python<'_>, other: &Tree) -> PyResult<bool> {
        if std::ptr::eq(&raw const *self.0, &raw const *other.0) {
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
            Part::Data(_, names) | Part::Module(_, names) => {
                for name in names {
                    self.name(py, at, &format!("{path}.{}", name.bind(py)), found);
                }
            }
            Part::Node(node) => {
                for i in 0..node.names.len() {
                    self.name(py, at, &node.step(py, path, i), found);
                }
            }
        }
    }
}

impl NodePart {
    /// The path of a child.
    pub fn step(&self, py: Python<'_>, path: &str, i: usize) -> String {
        match &self.names[i] {
            Some(name) => format!("{path}.{}", name.bind(py)),
            None => format!("{path}[{i}]"),
        }
    }
}

/// Whether two objects that are no trees are the same: 1, 1.0 and True are equal and make different graphs.
pub fn same_object(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    a.is(b) || (a.get_type().is(b.get_type()) && a.eq(b).unwrap_or(false))
}

fn same(py: Python<'_>, a: &Part, b: &Part) -> PyResult<bool> {
    Ok(match (a, b) {
        (Part::Leaf, Part::Leaf) | (Part::Empty, Part::Empty) => true,
        (Part::Static(a), Part::Static(b)) => same_object(a.bind(py), b.bind(py)),
        (Part::Node(a), Part::Node(b)) => {
            Arc::ptr_eq(&a.class, &b.class)
                && a.names.len() == b.names.len()
                && same_object(a.aux.bind(py), b.aux.bind(py))
        }
        (Part::Module(a, names), Part::Module(b, others)) => {
            a.is(b) && names.len() == others.len() && {
                let mut equal = true;
                for (a, b) in names.iter().zip(others) {
                    equal &= a.bind(py).as_any().eq(b)?;
                }
                equal
            }
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
