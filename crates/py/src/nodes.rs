//! Classes whose objects are trees: nodes, which say what their children are, and modules, whose attributes are.

use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyNone, PyString, PyTuple, PyType};
use rustc_hash::FxHashMap;

use crate::array::PyArray;

/// A class whose objects are nodes of trees.
pub struct Class {
    /// The class.
    pub kind: Py<PyType>,
    flatten: Py<PyAny>,
    unflatten: Py<PyAny>,
}

/// What a node is made of.
pub struct Opened<'py> {
    /// Its children.
    pub children: Vec<Bound<'py, PyAny>>,
    /// What belongs to it and is no tree.
    pub aux: Bound<'py, PyAny>,
}

/// By the address of the class, which an entry keeps alive.
static CLASSES: RwLock<Option<FxHashMap<usize, Arc<Class>>>> = RwLock::new(None);
/// How many there are: what is asked of every object that is no container, without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The class of nodes that `kind` is. Not by inheritance: a subclass may have more to say than its base.
pub fn find(kind: &Bound<'_, PyType>) -> Option<Arc<Class>> {
    if COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let classes = CLASSES.read().unwrap_or_else(PoisonError::into_inner);
    classes.as_ref()?.get(&(kind.as_ptr() as usize)).cloned()
}

impl Class {
    /// Its name, for messages.
    pub fn name(&self, py: Python<'_>) -> String {
        self.kind.bind(py).name().map_or_else(|_| "?".into(), |name| name.to_string())
    }

    /// What a node is made of.
    pub fn open<'py>(&self, node: &Bound<'py, PyAny>) -> PyResult<Opened<'py>> {
        let py = node.py();
        let pair = self.flatten.bind(py).call1((node,))?;
        let pair = pair.cast_into::<PyTuple>().map_err(|error| self.unfit(error.into_inner()))?;
        if pair.len() != 2 {
            return Err(self.unfit(pair.into_any()));
        }
        let children = pair.get_item(0)?;
        if children.is_instance_of::<PyArray>() || children.is_instance_of::<PyString>() {
            return Err(self.unfit(children));
        }
        let children = children.try_iter().map_err(|_| self.unfit(children.clone()))?;
        Ok(Opened { children: children.collect::<PyResult<_>>()?, aux: pair.get_item(1)? })
    }

    fn unfit(&self, got: Bound<'_, PyAny>) -> PyErr {
        let (name, got) = (self.name(got.py()), crate::conform::described(&got));
        let text = format!("[tree] expected (children, aux) from the flatten of {name}, got {got}");
        PyTypeError::new_err(text)
    }

    /// A node of these children.
    pub fn close<'py>(
        &self,
        py: Python<'py>,
        aux: &Py<PyAny>,
        children: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.unflatten.bind(py).call1((aux, PyTuple::new(py, children)?))
    }
}

/// The attributes of a node that its children are; a child that is none has its number only.
pub fn names<'py>(
    node: &Bound<'py, PyAny>,
    children: &[Bound<'py, PyAny>],
) -> PyResult<Vec<Option<Py<PyString>>>> {
    let attributes = match node.getattr_opt(intern!(node.py(), "__dict__"))? {
        Some(dict) => dict.cast_into::<PyDict>().ok(),
        None => None,
    };
    let Some(attributes) = attributes else { return Ok(children.iter().map(|_| None).collect()) };
    let name = |child: &Bound<'py, PyAny>| {
        let (key, _) = attributes.iter().find(|(_, value)| value.is(child))?;
        Some(key.cast_into::<PyString>().ok()?.unbind())
    };
    Ok(children.iter().map(name).collect())
}

/// Whether a type is one of those that no Python code made, such as those of functions and numbers: neither a module nor
/// a dataclass. To ask a type for an attribute that it lacks takes an exception, which costs as much as a call.
pub fn is_builtin(kind: &Bound<'_, PyType>) -> bool {
    // SAFETY: attached; a live type.
    let flags = unsafe { pyo3::ffi::PyType_GetFlags(kind.as_type_ptr()) };
    flags & pyo3::ffi::Py_TPFLAGS_HEAPTYPE == 0
}

/// Whether objects of `kind` are trees of their attributes.
pub fn is_module(kind: &Bound<'_, PyType>) -> PyResult<bool> {
    match kind.getattr_opt(intern!(kind.py(), "__pullback_module__"))? {
        Some(said) => said.is_truthy(),
        None => Ok(false),
    }
}

/// The attributes of an object, in the order in which they were set; those in slots last.
pub fn attributes<'py>(
    value: &Bound<'py, PyAny>,
) -> PyResult<Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>> {
    let py = value.py();
    let mut found = Vec::new();
    if let Some(dict) = value.getattr_opt(intern!(py, "__dict__"))? {
        for (name, child) in dict.cast::<PyDict>()?.iter() {
            found.push((name.cast_into::<PyString>()?, child));
        }
    }
    let slots = py.import("copyreg")?.call_method1(intern!(py, "_slotnames"), (value.get_type(),))?;
    for slot in slots.try_iter()? {
        let name = slot?.cast_into::<PyString>()?;
        if let Some(child) = value.getattr_opt(&name)? {
            found.push((name, child));
        }
    }
    Ok(found)
}

fn class_of<'py>(op: &str, cls: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyType>> {
    cls.cast::<PyType>().cloned().map_err(|_| {
        let got = crate::conform::described(cls);
        PyTypeError::new_err(format!("[{op}] expected a class, got {got}"))
    })
}

/// Makes the objects of a class nodes of trees: every function of trees looks into them. `flatten(node)` returns
/// `(children, aux)`; `unflatten(aux, children)` makes a node of other children. What is in `aux` is no tree, and is
/// compared by `==`. Subclasses are registered by themselves.
///
/// >>> class Pair:
/// ...     def __init__(self, a, b):
/// ...         self.a, self.b = a, b
/// >>> pb.register_tree_node(Pair, lambda p: ((p.a, p.b), None), lambda aux, children: Pair(*children))
/// >>> pb.grad(lambda p: p.a * p.b)(Pair(pb.array(2.0), pb.array(3.0))).a.item()
/// 3.0
#[pyfunction]
pub fn register_tree_node(
    cls: &Bound<'_, PyAny>,
    flatten: &Bound<'_, PyAny>,
    unflatten: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let op = "register_tree_node";
    let kind = class_of(op, cls)?;
    crate::wrap::callable(flatten, op)?;
    crate::wrap::callable(unflatten, op)?;
    let py = cls.py();
    let known = [
        py.get_type::<PyArray>(),
        py.get_type::<PyDict>(),
        py.get_type::<PyList>(),
        py.get_type::<PyTuple>(),
        py.get_type::<PyNone>(),
    ];
    if known.iter().any(|known| known.is(&kind)) {
        let name = kind.name()?;
        return Err(PyValueError::new_err(format!("[{op}] expected a class of your own, got {name}")));
    }
    let class = Class {
        kind: kind.clone().unbind(),
        flatten: flatten.clone().unbind(),
        unflatten: unflatten.clone().unbind(),
    };
    let unless_known = {
        let mut classes = CLASSES.write().unwrap_or_else(PoisonError::into_inner);
        match classes.get_or_insert_default().entry(kind.as_ptr() as usize) {
            Entry::Occupied(_) => Err(class),
            Entry::Vacant(place) => {
                place.insert(Arc::new(class));
                Ok(())
            }
        }
    };
    // The lock is free again: to spell the class may run code of its own.
    if unless_known.is_err() {
        let text = format!("[{op}] expected a class that is not registered yet, got {kind}");
        return Err(PyValueError::new_err(text));
    }
    COUNT.fetch_add(1, Ordering::Release);
    Ok(())
}

/// As `register_tree_node`, as a decorator of a class with the method `tree_flatten(self)` and the class method
/// `tree_unflatten(cls, aux, children)`.
///
/// >>> @pb.register_tree_node_class
/// ... class Box:
/// ...     def __init__(self, value):
/// ...         self.value = value
/// ...     def tree_flatten(self):
/// ...         return (self.value,), None
/// ...     @classmethod
/// ...     def tree_unflatten(cls, aux, children):
/// ...         return cls(*children)
/// >>> pb.vmap(lambda box: Box(box.value * 2))(Box(pb.array([1, 2]))).value
/// array([2, 4], dtype=int32)
#[pyfunction]
pub fn register_tree_node_class<'py>(cls: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let kind = class_of("register_tree_node_class", cls)?;
    let method = |name: &str| -> PyResult<Bound<'py, PyAny>> {
        match kind.getattr_opt(name)? {
            Some(method) => Ok(method),
            None => Err(PyTypeError::new_err(format!(
                "[register_tree_node_class] expected a class with {name}, got {kind}: register_tree_node takes \
                 functions"
            ))),
        }
    };
    register_tree_node(cls, &method("tree_flatten")?, &method("tree_unflatten")?)?;
    Ok(cls.clone())
}

/// Makes the objects of a class, and of its subclasses, trees of their attributes, and returns it: a decorator. What
/// is no array in them, and in the containers they hold, stays as it is. They are made again without `__init__`. The
/// class attribute `__pullback_module__ = True` does the same.
///
/// >>> @pb.register_module
/// ... class Linear:
/// ...     def __init__(self, weight, name):
/// ...         self.weight, self.name = weight, name
/// ...     def __call__(self, x):
/// ...         return self.weight * x
/// >>> slope = pb.grad(lambda layer, x: layer(x))(Linear(pb.array(2.0), "first"), pb.array(3.0))
/// >>> slope.weight.item(), slope.name
/// (3.0, 'first')
#[pyfunction]
pub fn register_module<'py>(cls: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let kind = class_of("register_module", cls)?;
    let py = cls.py();
    let containers = [
        py.get_type::<PyArray>(),
        py.get_type::<PyDict>(),
        py.get_type::<PyList>(),
        py.get_type::<PyTuple>(),
    ];
    for container in containers {
        if kind.is_subclass(&container)? {
            let text = format!(
                "[register_module] expected a class that keeps its arrays in attributes, got a {}: \
                 register_tree_node takes any class",
                container.name()?
            );
            return Err(PyTypeError::new_err(text));
        }
    }
    kind.setattr(intern!(py, "__pullback_module__"), PyBool::new(py, true))?;
    Ok(cls.clone())
}
