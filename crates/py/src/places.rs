//! Places in containers where arrays stand: what a compiled function reads and writes besides its arguments.

use pullback::Array;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::array::PyArray;
use crate::nodes::{self, Class};
use crate::tree::{self, Shape};

/// A place in a container where an array stands.
pub struct Place<'py> {
    container: Bound<'py, PyAny>,
    key: Key<'py>,
    object: Bound<'py, PyAny>,
}

#[derive(Clone)]
enum Key<'py> {
    Item(Bound<'py, PyAny>),
    Field(Bound<'py, PyString>),
    /// Past what the class says about setting, as when a module is made again.
    Attribute(Bound<'py, PyString>),
    /// A tuple cannot be changed: the object in it is.
    Fixed,
    /// Nor can a node, by us; what attributes it had is kept, for its own code may set others.
    Within(Bound<'py, PyAny>, Option<Bound<'py, PyDict>>),
}

impl<'py> Place<'py> {
    /// The array there.
    pub fn array(&self) -> PyResult<Array> {
        Ok(self.object.cast::<PyArray>()?.get().get())
    }

    /// Puts another object there.
    pub fn put(&self, object: &Bound<'py, PyAny>) -> PyResult<()> {
        match &self.key {
            Key::Item(key) => self.container.set_item(key, object),
            Key::Field(name) => self.container.setattr(name, object),
            Key::Attribute(name) => {
                let plain = object.py().get_type::<PyAny>();
                plain.call_method1(intern!(object.py(), "__setattr__"), (&self.container, name, object))?;
                Ok(())
            }
            Key::Fixed | Key::Within(..) => {
                let array = object.cast::<PyArray>()?.get().get();
                self.object.cast::<PyArray>()?.get().set(object.py(), array);
                Ok(())
            }
        }
    }

    /// Makes the place what it was: the same object, standing for `array`.
    pub fn restore(&self, array: &Array) -> PyResult<()> {
        self.object.cast::<PyArray>()?.get().set(self.object.py(), array.clone());
        match &self.key {
            Key::Fixed => Ok(()),
            Key::Within(node, attributes) => {
                if let Some(attributes) = attributes {
                    let now = node.getattr(intern!(node.py(), "__dict__"))?.cast_into::<PyDict>()?;
                    now.update(attributes.as_mapping())?;
                }
                Ok(())
            }
            _ => self.put(&self.object),
        }
    }
}

/// Places of the arrays in a container, in the order of `flatten`.
pub fn places<'py>(value: &Bound<'py, PyAny>, found: &mut Vec<Place<'py>>) -> PyResult<()> {
    walk(value, value, Key::Fixed, None, found, 0)
}

/// `within` is what stands in the place of keys below a node: the lists that it flattens to may be made anew each
/// time, so nothing is put into them.
fn walk<'py>(
    container: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
    key: Key<'py>,
    within: Option<&Key<'py>>,
    found: &mut Vec<Place<'py>>,
    depth: usize,
) -> PyResult<()> {
    if depth > tree::MAX_DEPTH {
        return Err(tree::too_deep());
    }
    let mut each = |key: Key<'py>, child: &Bound<'py, PyAny>| {
        walk(value, child, within.cloned().unwrap_or(key), within, found, depth + 1)
    };
    match tree::shape_of(value)? {
        Shape::Leaf => {
            found.push(Place { container: container.clone(), key, object: value.clone() });
            Ok(())
        }
        Shape::Empty | Shape::Other => Ok(()),
        Shape::List(list) => {
            let item = |(i, child): (usize, Bound<'py, PyAny>)| {
                each(Key::Item(i.into_pyobject(value.py())?.into_any()), &child)
            };
            list.iter().enumerate().try_for_each(item)
        }
        Shape::Tuple(tuple, _) => tuple.iter().try_for_each(|child| each(Key::Fixed, &child)),
        Shape::Dict(dict) => dict.iter().try_for_each(|(key, child)| each(Key::Item(key), &child)),
        Shape::Data(_, fields) => fields.into_iter().try_for_each(|field| {
            let child = value.getattr(&field)?;
            each(Key::Field(field), &child)
        }),
        Shape::Module(_) => {
            let attributes = nodes::attributes(value)?;
            attributes.into_iter().try_for_each(|(name, child)| each(Key::Attribute(name), &child))
        }
        Shape::Node(class) => {
            let attributes = match value.getattr_opt(intern!(value.py(), "__dict__"))? {
                Some(dict) => Some(dict.cast_into::<PyDict>()?.copy()?),
                None => None,
            };
            let within = Key::Within(value.clone(), attributes);
            let children = class.open(value)?.children;
            children
                .iter()
                .try_for_each(|child| walk(value, child, within.clone(), Some(&within), found, depth + 1))
        }
    }
}

/// Refuses nodes whose children are other arrays each time: what is written to them would be lost.
pub fn lasting(value: &Bound<'_, PyAny>) -> PyResult<()> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    places(value, &mut first)?;
    if !first.iter().any(|place| matches!(place.key, Key::Within(..))) {
        return Ok(());
    }
    places(value, &mut second)?;
    for (a, b) in first.iter().zip(&second) {
        if let Key::Within(node, _) = &a.key
            && !a.object.is(&b.object)
        {
            let class = nodes::find(&node.get_type());
            let name = class.map_or_else(String::new, |class: std::sync::Arc<Class>| class.name(node.py()));
            let text = format!(
                "[compile] expected the children of {name} to be arrays that it holds, got new ones: they cannot \
                 be written, return them from the function"
            );
            return Err(PyValueError::new_err(text));
        }
    }
    Ok(())
}
