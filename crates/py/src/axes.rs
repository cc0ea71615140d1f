//! Axes as users write them: a prefix of a tree, with an integer or `None` for all arrays below.

use pullback::Array;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyString};

use crate::conform::{Misfit, described, opened, other_keys, sequence};
use crate::tree::{NodePart, Part, Tree};

/// Axes for the arrays of a tree, from a prefix of it: an integer or `None` stands for all arrays below.
pub fn prefix(
    tree: &Tree,
    axes: &Bound<'_, PyAny>,
    what: &str,
) -> PyResult<Result<Vec<Option<isize>>, Misfit>> {
    let mut spread = Spread { tree, at: 0, found: Vec::new(), modules: 0 };
    Ok(spread.read(axes, what)?.map(|()| spread.found))
}

struct Spread<'a> {
    tree: &'a Tree,
    at: usize,
    found: Vec<Option<isize>>,
    /// How many modules are around.
    modules: usize,
}

impl Spread<'_> {
    fn read(&mut self, axes: &Bound<'_, PyAny>, path: &str) -> PyResult<Result<(), Misfit>> {
        if axes.is_none() {
            self.all(None);
            return Ok(Ok(()));
        }
        if axes.is_instance_of::<PyInt>() && !axes.is_instance_of::<PyBool>() {
            let Ok(axis) = axes.extract() else {
                return Ok(Err(format!("{path}: expected an axis, got an integer of more than 64 bits")));
            };
            self.all(Some(axis));
            return Ok(Ok(()));
        }
        let part = &self.tree.0[self.at];
        let wrong = |want: String| Ok(Err(format!("{path}: expected {want}, got {}", described(axes))));
        match part {
            Part::List(n) | Part::Tuple(n) | Part::Named(_, n) => match sequence(axes) {
                Some(items) if items.len() == *n => {
                    self.at += 1;
                    for (i, item) in items.iter().enumerate() {
                        if let Err(misfit) = self.read(item, &format!("{path}[{i}]"))? {
                            return Ok(Err(misfit));
                        }
                    }
                    Ok(Ok(()))
                }
                _ => wrong(format!("an integer, None or a sequence of {n}")),
            },
            Part::Dict(keys) => match axes.cast::<PyDict>() {
                Ok(dict) => self.dict(dict, keys, path),
                Err(_) => wrong("an integer, None or a dict".into()),
            },
            Part::Data(kind, names) => match axes.is_instance(kind.bind(axes.py()))? {
                true => self.attributes(axes, names, path),
                false => wrong(format!("an integer, None or a {}", kind.bind(axes.py()).name()?)),
            },
            Part::Module(kind, names) => match axes.get_type().is(kind) {
                true => {
                    self.modules += 1;
                    let read = self.attributes(axes, names, path);
                    self.modules -= 1;
                    read
                }
                false => wrong(format!("an integer, None or a {}", kind.bind(axes.py()).name()?)),
            },
            Part::Node(node) => self.node(axes, node, path),
            // What belongs to a module may stand in one of axes too.
            Part::Static(_) if self.modules > 0 => {
                self.at += 1;
                Ok(Ok(()))
            }
            Part::Leaf | Part::Static(_) | Part::Empty => wrong("an integer or None".into()),
        }
    }

    fn dict(
        &mut self,
        axes: &Bound<'_, PyDict>,
        keys: &[Py<PyAny>],
        path: &str,
    ) -> PyResult<Result<(), Misfit>> {
        if let Some((want, got)) = other_keys(axes, keys)? {
            return Ok(Err(format!("{path}: expected axes for keys {want}, got {got}")));
        }
        self.at += 1;
        for key in keys {
            // Its keys may change while they are compared.
            let Some(item) = axes.get_item(key)? else { return Ok(Err(format!("{path}: a key is lost"))) };
            let name = key.bind(axes.py()).repr()?;
            if let Err(misfit) = self.read(&item, &format!("{path}[{name}]"))? {
                return Ok(Err(misfit));
            }
        }
        Ok(Ok(()))
    }

    fn attributes(
        &mut self,
        axes: &Bound<'_, PyAny>,
        names: &[Py<PyString>],
        path: &str,
    ) -> PyResult<Result<(), Misfit>> {
        self.at += 1;
        for name in names {
            let Some(item) = axes.getattr_opt(name.bind(axes.py()))? else {
                return Ok(Err(format!("{path}: expected an axis for attribute {name}, got none")));
            };
            if let Err(misfit) = self.read(&item, &format!("{path}.{name}"))? {
                return Ok(Err(misfit));
            }
        }
        Ok(Ok(()))
    }

    fn node(&mut self, axes: &Bound<'_, PyAny>, node: &NodePart, path: &str) -> PyResult<Result<(), Misfit>> {
        if !axes.get_type().is(&node.class.kind) {
            let (class, got) = (node.class.name(axes.py()), described(axes));
            return Ok(Err(format!("{path}: expected an integer, None or a {class}, got {got}")));
        }
        self.at += 1;
        let children = match opened(axes, node, path)? {
            Ok(children) => children,
            Err(misfit) => return Ok(Err(misfit)),
        };
        for (i, item) in children.iter().enumerate() {
            if let Err(misfit) = self.read(item, &node.step(axes.py(), path, i))? {
                return Ok(Err(misfit));
            }
        }
        Ok(Ok(()))
    }

    /// One axis for everything below the next part.
    fn all(&mut self, axis: Option<isize>) {
        let mut left = 1;
        while left > 0 {
            left -= 1;
            let part = &self.tree.0[self.at];
            self.at += 1;
            if let Part::Leaf = part {
                self.found.push(axis);
            }
            left += part.children();
        }
    }
}

/// An axis that counts from the front.
pub fn axis_of(axis: Option<isize>, x: &Array) -> Result<Option<usize>, Misfit> {
    let Some(axis) = axis else { return Ok(None) };
    let at = if axis < 0 { axis + x.ndim() as isize } else { axis };
    if at < 0 || at as usize >= x.ndim() {
        return Err(format!("expected an axis of {}, got {axis}", x.aval()));
    }
    Ok(Some(at as usize))
}
