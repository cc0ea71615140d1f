//! Structures of trees as Python sees them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::conform::{described, sequence};
use crate::tree::{self, Nones, Objects, Part, Tree, same_object};

/// The structure of a tree: what is left of it when its leaves are taken out.
///
/// >>> leaves, structure = pb.tree.tree_flatten({"w": pb.array(1.0), "b": [pb.array(2.0), None]})
/// >>> structure
/// TreeDef({'w': *, 'b': [*, None]})
/// >>> structure.unflatten(["x", "y"])
/// {'w': 'x', 'b': ['y', None]}
#[pyclass(frozen, module = "pullback")]
pub struct TreeDef(Tree);

/// Leaves of a tree, whatever they are, and its structure.
#[pyfunction]
#[pyo3(signature = (tree, is_leaf=None, nones=false))]
pub fn _tree_flatten<'py>(
    tree: &Bound<'py, PyAny>,
    is_leaf: Option<&Bound<'py, PyAny>>,
    nones: bool,
) -> PyResult<(Vec<Bound<'py, PyAny>>, TreeDef)> {
    let nones = if nones { Nones::Leaf } else { Nones::Empty };
    let (leaves, tree) = tree::flatten_all(tree, is_leaf, nones)?;
    Ok((leaves, TreeDef(tree)))
}

#[pymethods]
impl TreeDef {
    /// How many leaves it has.
    #[getter]
    fn num_leaves(&self) -> usize {
        self.0.below(0).0
    }

    /// A tree of this structure with these leaves.
    fn unflatten<'py>(&self, py: Python<'py>, leaves: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let leaves: Vec<Bound<'py, PyAny>> = leaves.try_iter()?.collect::<PyResult<_>>()?;
        let want = self.num_leaves();
        if leaves.len() != want {
            let got = leaves.len();
            return Err(PyValueError::new_err(format!("[tree_unflatten] expected {want} leaves, got {got}")));
        }
        let leaves = leaves.into_iter().map(Ok);
        let other = |object: &Bound<'py, PyAny>| Ok(object.clone());
        self.0.fill(py, &mut Objects { leaves, other, py })
    }

    /// What stands in another tree where this structure has leaves: leaves or whole trees. Unless `exact`, dicts of
    /// the other tree may have more keys.
    #[pyo3(signature = (tree, exact=true))]
    fn flatten_up_to<'py>(&self, tree: &Bound<'py, PyAny>, exact: bool) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut up_to =
            UpTo { tree: &self.0, at: 0, keys: if exact { Keys::Same } else { Keys::More }, found: vec![] };
        up_to.read(tree, "tree")?;
        Ok(up_to.found)
    }

    /// For each leaf the keys, indices and names of attributes that lead to it.
    fn paths<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let mut found = Vec::new();
        self.walk(py, &mut 0, &mut Vec::new(), &mut found)?;
        Ok(found)
    }

    /// For each leaf its path as one writes it, from a name on: `model.layers[0].weight`.
    fn names(&self, py: Python<'_>, root: &str) -> Vec<String> {
        self.0.paths(py, root)
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<TreeDef>() {
            Ok(other) => self.0.same(py, &other.get().0),
            Err(_) => Ok(false),
        }
    }

    fn __hash__(&self) -> usize {
        // Objects in it need not be hashable; equal structures have as many parts.
        self.0.0.len()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = String::from("TreeDef(");
        self.print(py, &mut 0, &mut text)?;
        text.push(')');
        Ok(text)
    }
}

impl TreeDef {
    fn walk<'py>(
        &self,
        py: Python<'py>,
        at: &mut usize,
        path: &mut Vec<Bound<'py, PyAny>>,
        found: &mut Vec<Bound<'py, PyTuple>>,
    ) -> PyResult<()> {
        let part = &self.0.0[*at];
        *at += 1;
        if let Part::Leaf = part {
            found.push(PyTuple::new(py, &*path)?);
        }
        for i in 0..part.children() {
            path.push(match part {
                Part::Dict(keys) => keys[i].bind(py).clone(),
                Part::Named(kind, _) => kind.bind(py).getattr("_fields")?.get_item(i)?,
                Part::Data(_, names) | Part::Module(_, names) => names[i].bind(py).clone().into_any(),
                Part::Node(node) if let Some(name) = &node.names[i] => name.bind(py).clone().into_any(),
                _ => i.into_pyobject(py)?.into_any(),
            });
            self.walk(py, at, path, found)?;
            path.pop();
        }
        Ok(())
    }

    fn print(&self, py: Python<'_>, at: &mut usize, text: &mut String) -> PyResult<()> {
        let part = &self.0.0[*at];
        *at += 1;
        let (open, close) = match part {
            Part::Leaf => ("*".into(), ""),
            Part::Empty => ("None".into(), ""),
            Part::Static(object) => (object.bind(py).repr()?.to_string(), ""),
            Part::List(_) => ("[".into(), "]"),
            Part::Tuple(n) => ("(".into(), if *n == 1 { ",)" } else { ")" }),
            Part::Dict(_) => ("{".into(), "}"),
            Part::Named(kind, _) | Part::Data(kind, _) | Part::Module(kind, _) => {
                (format!("{}(", kind.bind(py).name()?), ")")
            }
            Part::Node(node) => (format!("{}[{}](", node.class.name(py), node.aux.bind(py).repr()?), ")"),
        };
        text.push_str(&open);
        for i in 0..part.children() {
            if i > 0 {
                text.push_str(", ");
            }
            match part {
                Part::Dict(keys) => text.push_str(&format!("{}: ", keys[i].bind(py).repr()?)),
                Part::Data(_, names) | Part::Module(_, names) => text.push_str(&format!("{}=", names[i])),
                _ => {}
            }
            self.print(py, at, text)?;
        }
        text.push_str(close);
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Keys {
    Same,
    More,
}

/// Another tree, read up to where the structure has leaves.
struct UpTo<'a, 'py> {
    tree: &'a Tree,
    at: usize,
    keys: Keys,
    found: Vec<Bound<'py, PyAny>>,
}

impl<'py> UpTo<'_, 'py> {
    fn read(&mut self, value: &Bound<'py, PyAny>, path: &str) -> PyResult<()> {
        let py = value.py();
        let part = &self.tree.0[self.at];
        self.at += 1;
        let wrong = |want: String| {
            let got = described(value);
            Err(PyValueError::new_err(format!("[tree_map] {path}: expected {want}, got {got}")))
        };
        match part {
            Part::Leaf => self.found.push(value.clone()),
            // What belongs to a module, or is nothing.
            Part::Static(_) => {}
            Part::Empty if value.is_none() => {}
            Part::Empty => return wrong("None".into()),
            Part::List(n) | Part::Tuple(n) | Part::Named(_, n) => {
                let kind = if let Part::List(_) = part { "list" } else { "tuple" };
                let items = match sequence(value) {
                    Some(items)
                        if items.len() == *n && value.is_instance_of::<PyList>() == (kind == "list") =>
                    {
                        items
                    }
                    _ => return wrong(format!("a {kind} of {n}")),
                };
                for (i, item) in items.iter().enumerate() {
                    self.read(item, &format!("{path}[{i}]"))?;
                }
            }
            Part::Dict(keys) => {
                let Ok(dict) = value.cast::<PyDict>() else { return wrong("a dict".into()) };
                for key in keys {
                    let name = key.bind(py).repr()?;
                    let Some(item) = dict.get_item(key)? else {
                        return wrong(format!("a dict with key {name}"));
                    };
                    self.read(&item, &format!("{path}[{name}]"))?;
                }
                if self.keys == Keys::Same && dict.len() != keys.len() {
                    return wrong(format!("a dict with {} keys", keys.len()));
                }
            }
            Part::Data(kind, names) | Part::Module(kind, names) => {
                if !value.get_type().is(kind) {
                    return wrong(format!("a {}", kind.bind(py).name()?));
                }
                for name in names {
                    let Some(item) = value.getattr_opt(name.bind(py))? else {
                        return wrong(format!("a {} with attribute {name}", kind.bind(py).name()?));
                    };
                    self.read(&item, &format!("{path}.{name}"))?;
                }
            }
            Part::Node(node) => {
                if !value.get_type().is(&node.class.kind) {
                    return wrong(format!("a {}", node.class.name(py)));
                }
                let opened = node.class.open(value)?;
                if opened.children.len() != node.names.len() || !same_object(&opened.aux, node.aux.bind(py)) {
                    return wrong(format!("a {} with the same aux", node.class.name(py)));
                }
                for (i, item) in opened.children.iter().enumerate() {
                    self.read(item, &node.step(py, path, i))?;
                }
            }
        }
        Ok(())
    }
}
