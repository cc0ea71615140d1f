//! What Python returned, put beside a tree that is known: by key and position, never by order alone.

use pullback::custom::Value;
use pullback::{Array, Dtype, fun};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use crate::array::PyArray;
use crate::convert;
use crate::error::OrRaise;
use crate::nodes::Opened;
use crate::operators::{number, weak};
use crate::tree::{NodePart, Part, Tree, same_object};

/// Where a value does not have the shape of the tree, in words: `argument p: expected a dict with keys 'w', got a
/// list of 2`.
pub type Misfit = String;

/// Arrays of a value in the order of the tree. `None` stands for nothing in the place of any part.
pub struct Conform<'a> {
    tree: &'a Tree,
    at: usize,
    /// The types declared for the arrays, where any are.
    dtypes: Option<&'a [Dtype]>,
    /// What was found, one for each array of the tree.
    pub found: Vec<Value>,
}

impl<'a> Conform<'a> {
    /// From part `at` of a tree on.
    pub fn new(tree: &'a Tree, at: usize) -> Conform<'a> {
        Conform { tree, at, dtypes: None, found: Vec::new() }
    }

    /// A whole tree, whose arrays were declared to be of these types.
    pub fn declared(tree: &'a Tree, dtypes: &'a [Dtype]) -> Conform<'a> {
        Conform { tree, at: 0, dtypes: Some(dtypes), found: Vec::new() }
    }

    /// Reads `value` as the next part. `path` names it in messages.
    pub fn read(&mut self, value: Option<&Bound<'_, PyAny>>, path: &str) -> PyResult<Result<(), Misfit>> {
        let value = value.filter(|value| !value.is_none());
        let part = &self.tree.0[self.at];
        self.at += 1;
        match part {
            Part::Leaf => {
                self.found.push(match value {
                    Some(value) => match self.dtypes {
                        Some(dtypes) => declared(value, dtypes[self.found.len()])?,
                        None => leaf(value)?,
                    },
                    None => Value::None,
                });
                Ok(Ok(()))
            }
            // Nothing that stands here can be a gradient of anything.
            Part::Static(_) | Part::Empty => Ok(Ok(())),
            Part::List(n) | Part::Tuple(n) | Part::Named(_, n) => self.items(value, *n, path),
            Part::Dict(keys) => self.dict(value, keys, path),
            Part::Data(kind, names) => {
                let kind = value.map(|value| kind.bind(value.py()).clone());
                if let (Some(value), Some(kind)) = (value, &kind)
                    && !value.is_instance(kind)?
                {
                    return Ok(Err(format!("{path}: expected a {}, got {}", kind.name()?, described(value))));
                }
                for name in names {
                    let child = match value {
                        Some(value) => value.getattr_opt(name.bind(value.py()))?,
                        None => None,
                    };
                    if let (None, Some(value)) = (&child, value) {
                        let got = format!("{} without it", described(value));
                        return Ok(Err(format!(
                            "{path}: expected an object with attribute {name}, got {got}"
                        )));
                    }
                    if let Err(misfit) = self.read(child.as_ref(), &format!("{path}.{name}"))? {
                        return Ok(Err(misfit));
                    }
                }
                Ok(Ok(()))
            }
            Part::Module(kind, names) => self.module(value, kind, names, path),
            Part::Node(node) => self.node(value, node, path),
        }
    }

    /// An object of the module's class, or a dict of attributes: those that hold no arrays may be left out.
    fn module(
        &mut self,
        value: Option<&Bound<'_, PyAny>>,
        kind: &Py<PyType>,
        names: &[Py<PyString>],
        path: &str,
    ) -> PyResult<Result<(), Misfit>> {
        let wrong = |value: &Bound<'_, PyAny>, more: &str| -> PyResult<Result<(), Misfit>> {
            let kind = kind.bind(value.py()).name()?;
            Ok(Err(format!("{path}: expected a {kind}{more}, got {}", described(value))))
        };
        let dict = value.and_then(|value| value.cast_exact::<PyDict>().ok());
        if let Some(dict) = dict {
            for key in dict.keys() {
                if !names.iter().any(|name| key.eq(name).unwrap_or(false)) {
                    return wrong(dict.as_any(), &format!(" without attribute {key}"));
                }
            }
        } else if let Some(value) = value
            && !value.get_type().is(kind)
        {
            return wrong(value, "");
        }
        for name in names {
            let child = match (dict, value) {
                (Some(dict), _) => dict.get_item(name)?,
                (None, Some(value)) => value.getattr_opt(name.bind(value.py()))?,
                (None, None) => None,
            };
            if let (None, Some(value)) = (&child, value)
                && self.tree.below(self.at).0 > 0
            {
                return wrong(value, &format!(" with attribute {name}"));
            }
            if let Err(misfit) = self.read(child.as_ref(), &format!("{path}.{name}"))? {
                return Ok(Err(misfit));
            }
        }
        Ok(Ok(()))
    }

    /// A node of the same class; or its children, by name in a dict or by number in a tuple, where they cannot be
    /// taken for anything else.
    fn node(
        &mut self,
        value: Option<&Bound<'_, PyAny>>,
        node: &NodePart,
        path: &str,
    ) -> PyResult<Result<(), Misfit>> {
        let n = node.names.len();
        let children: Option<Vec<Bound<'_, PyAny>>> = match value {
            None => None,
            Some(value) if value.get_type().is(&node.class.kind) => match opened(value, node, path)? {
                Ok(children) => Some(children),
                Err(misfit) => return Ok(Err(misfit)),
            },
            Some(value) => match loose(value, node)? {
                Some(children) => Some(children),
                None => {
                    let class = node.class.name(value.py());
                    let got = described(value);
                    return Ok(Err(format!("{path}: expected a {class} of {n}, got {got}")));
                }
            },
        };
        for i in 0..n {
            let child = children.as_ref().map(|children| &children[i]);
            let path = Python::attach(|py| node.step(py, path, i));
            if let Err(misfit) = self.read(child, &path)? {
                return Ok(Err(misfit));
            }
        }
        Ok(Ok(()))
    }

    fn items(
        &mut self,
        value: Option<&Bound<'_, PyAny>>,
        n: usize,
        path: &str,
    ) -> PyResult<Result<(), Misfit>> {
        let items: Option<Vec<Bound<'_, PyAny>>> = match value {
            None => None,
            Some(value) => match sequence(value) {
                Some(items) if items.len() == n => Some(items),
                _ => return Ok(Err(format!("{path}: expected a sequence of {n}, got {}", described(value)))),
            },
        };
        for i in 0..n {
            let child = items.as_ref().map(|items| &items[i]);
            if let Err(misfit) = self.read(child, &format!("{path}[{i}]"))? {
                return Ok(Err(misfit));
            }
        }
        Ok(Ok(()))
    }

    fn dict(
        &mut self,
        value: Option<&Bound<'_, PyAny>>,
        keys: &[Py<PyAny>],
        path: &str,
    ) -> PyResult<Result<(), Misfit>> {
        let dict = match value {
            None => None,
            Some(value) => match value.cast::<PyDict>() {
                Ok(dict) => Some(dict),
                Err(_) => return Ok(Err(format!("{path}: expected a dict, got {}", described(value)))),
            },
        };
        if let Some(dict) = dict
            && let Some((want, got)) = other_keys(dict, keys)?
        {
            return Ok(Err(format!("{path}: expected a dict with keys {want}, got {got}")));
        }
        for key in keys {
            let child = match dict {
                Some(dict) => dict.get_item(key)?,
                None => None,
            };
            let name = Python::attach(|py| key.bind(py).repr().map(|text| text.to_string()))?;
            if let Err(misfit) = self.read(child.as_ref(), &format!("{path}[{name}]"))? {
                return Ok(Err(misfit));
            }
        }
        Ok(Ok(()))
    }
}

/// The keys of a tree and those of a dict in its place, in words, where they are not the same.
pub fn other_keys(dict: &Bound<'_, PyDict>, keys: &[Py<PyAny>]) -> PyResult<Option<(String, String)>> {
    let py = dict.py();
    let mut same = dict.len() == keys.len();
    for key in keys {
        same = same && dict.contains(key)?;
    }
    if same {
        return Ok(None);
    }
    let list = |keys: Vec<Bound<'_, PyAny>>| -> PyResult<String> {
        let texts = keys.iter().map(|key| Ok(key.repr()?.to_string())).collect::<PyResult<Vec<_>>>()?;
        Ok(if texts.is_empty() { "none".into() } else { texts.join(", ") })
    };
    let want = list(keys.iter().map(|key| key.bind(py).clone()).collect())?;
    Ok(Some((want, list(dict.keys().iter().collect())?)))
}

/// The children of a node that has to be like another one.
pub fn opened<'py>(
    value: &Bound<'py, PyAny>,
    node: &NodePart,
    path: &str,
) -> PyResult<Result<Vec<Bound<'py, PyAny>>, Misfit>> {
    let Opened { children, aux } = node.class.open(value)?;
    let (class, n) = (node.class.name(value.py()), node.names.len());
    if children.len() != n {
        return Ok(Err(format!("{path}: expected a {class} of {n}, got one of {}", children.len())));
    }
    let want = node.aux.bind(value.py());
    // It may say which child is which.
    if !same_object(&aux, want) {
        let (want, got) = (want.repr()?, aux.repr()?);
        return Ok(Err(format!("{path}: expected a {class} with aux {want}, got one with {got}")));
    }
    Ok(Ok(children))
}

/// The children of a node, given without it.
fn loose<'py>(value: &Bound<'py, PyAny>, node: &NodePart) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
    let n = node.names.len();
    let found = if let Ok(dict) = value.cast_exact::<PyDict>() {
        let named = |name: &Option<Py<PyString>>| name.as_ref().map_or(Ok(None), |name| dict.get_item(name));
        let each = node.names.iter().map(named).collect::<PyResult<Option<Vec<_>>>>()?;
        each.filter(|each| each.len() == dict.len())
    } else if value.is_exact_instance_of::<PyTuple>() || value.is_exact_instance_of::<PyList>() {
        sequence(value).filter(|items| items.len() == n)
    } else {
        None
    };
    // A sequence of such nodes is more likely a sequence of gradients than the children of one.
    let whole = |child: &Bound<'py, PyAny>| child.get_type().is(&node.class.kind);
    Ok(found.filter(|children| !children.iter().any(whole)))
}

/// The items of a list or a tuple.
pub fn sequence<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Some(tuple.iter().collect());
    }
    value.cast::<PyList>().ok().map(|list| list.iter().collect())
}

/// The items of a list or a tuple of two.
pub fn two<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<[Bound<'py, PyAny>; 2]>> {
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return if tuple.len() == 2 { Ok(Some([tuple.get_item(0)?, tuple.get_item(1)?])) } else { Ok(None) };
    }
    Ok(sequence(value).and_then(|items| items.try_into().ok()))
}

/// What something is, for messages.
pub fn described(value: &Bound<'_, PyAny>) -> String {
    if let Ok(array) = value.cast::<PyArray>() {
        return array.get().get().aval().to_string();
    }
    let kind = value.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
    match sequence(value) {
        Some(items) => format!("a {kind} of {}", items.len()),
        None if value.is_none() => "None".into(),
        None => format!("a {kind}"),
    }
}

/// One array, or what stands in its place.
pub fn leaf(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(array) = value.cast::<PyArray>() {
        return Ok(Value::Array(array.get().of(value.py())));
    }
    if value.is_none() {
        return Ok(Value::None);
    }
    match number(value) {
        Ok(Some(number)) => return Ok(Value::Scalar(number)),
        Ok(None) => {}
        // Its digits may be more than Python is willing to print.
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
            return Ok(Value::Other("whole number of more than 64 bits, which no array holds".into()));
        }
        Err(error) => return Err(error),
    }
    if let Some(items) = sequence(value) {
        return Ok(Value::Tuple(vec![Value::None; items.len()]));
    }
    let kind = value.get_type().name()?.to_string();
    if value.hasattr("__array__")? || value.hasattr("__dlpack__")? {
        return Ok(convert::array(value, None).map_or(Value::Other(kind), Value::Array));
    }
    Ok(Value::Other(kind))
}

/// One array as it was declared, if what is there can be nothing else: Python's numbers take any type that holds them,
/// and NumPy's doubles are `float32` where that was declared, as in `pb.array`.
fn declared(value: &Bound<'_, PyAny>, dtype: Dtype) -> PyResult<Value> {
    let array = match leaf(value)? {
        Value::Scalar(number) => weak(number, dtype)?,
        Value::Array(_) => convert::convert(value, Some(dtype))?,
        other => return Ok(other),
    };
    let foreign = !value.is_instance_of::<PyArray>();
    let narrow = match (array.dtype(), dtype) {
        (Dtype::F64, Dtype::F32) => true,
        // NumPy has no `bfloat16`, and was given `float32`.
        (Dtype::F64 | Dtype::F32, Dtype::Bf16) => true,
        _ => false,
    };
    Ok(Value::Array(if foreign && narrow { fun::cast(&array, dtype).or_raise()? } else { array }))
}

/// Whether a number can have a tangent: a bare `2.0` next to arrays.
pub fn has_zero(value: &Bound<'_, PyAny>) -> bool {
    matches!(number(value), Ok(Some(number)) if !matches!(number, pullback::Scalar::Bool(_)))
}

/// Zeros for what has no tangent.
pub fn zeros(x: &Array) -> Array {
    if x.dtype() == Dtype::Bool {
        Array::full(pullback::Scalar::Bool(false), x.aval())
    } else {
        x.zeros_like()
    }
}
