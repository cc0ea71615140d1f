//! By what name a user's function knows an array: for errors about what it captured.

use std::collections::VecDeque;

use pullback::Array;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::tree;

/// How many functions are looked at: those that a function calls may call others without end.
const MANY: usize = 100;

/// The variable by which one of some functions knows an array, or a function that they wrap or have in their closures.
pub fn variable<'py>(
    functions: impl IntoIterator<Item = Bound<'py, PyAny>>,
    array: &Array,
) -> Option<String> {
    let mut waiting: VecDeque<Bound<'py, PyAny>> = functions.into_iter().collect();
    let mut seen: Vec<Bound<'py, PyAny>> = Vec::new();
    while let Some(fun) = waiting.pop_front() {
        if seen.len() == MANY {
            return None;
        }
        if seen.iter().any(|known| known.is(&fun)) {
            continue;
        }
        // What cannot be looked into has no names.
        if let Ok(Some(name)) = among(&fun, array, &mut waiting) {
            return Some(name);
        }
        seen.push(fun);
    }
    None
}

/// In a function's closure, among its globals, on the object whose method it is; what may know more is left in
/// `waiting`.
fn among<'py>(
    fun: &Bound<'py, PyAny>,
    array: &Array,
    waiting: &mut VecDeque<Bound<'py, PyAny>>,
) -> PyResult<Option<String>> {
    let py = fun.py();
    if let Some(wrapped) = fun.getattr_opt(intern!(py, "__wrapped__"))? {
        waiting.push_back(wrapped);
    }
    let Some(code) = fun.getattr_opt(intern!(py, "__code__"))? else {
        if fun.is_instance_of::<PyType>() {
            // The functions of a class may be rules.
            let all = fun.getattr(intern!(py, "__dict__"))?.call_method0(intern!(py, "values"))?;
            waiting.extend(all.try_iter()?.flatten().filter(|value| value.is_callable()));
            return Ok(None);
        }
        // An object that can be called is one with a method for it.
        let call = fun.getattr(intern!(py, "__call__"))?;
        if call.hasattr(intern!(py, "__code__"))? {
            waiting.push_back(call);
        }
        return Ok(None);
    };
    if let Some(object) = fun.getattr_opt(intern!(py, "__self__"))?
        && let Some(path) = path_in("self", &object, array)
    {
        return Ok(Some(path));
    }
    if let Ok(cells) = fun.getattr(intern!(py, "__closure__"))?.cast::<PyTuple>() {
        for (name, cell) in code.getattr(intern!(py, "co_freevars"))?.try_iter()?.zip(cells.iter()) {
            // An empty cell has no contents.
            let Ok(value) = cell.getattr(intern!(py, "cell_contents")) else { continue };
            if let Some(path) = path_in(&name?.to_string(), &value, array) {
                return Ok(Some(path));
            }
            if value.is_callable() {
                waiting.push_back(value);
            }
        }
    }
    let globals = fun.getattr(intern!(py, "__globals__"))?.cast_into::<PyDict>()?;
    for name in code.getattr(intern!(py, "co_names"))?.try_iter()? {
        let name = name?;
        if let Some(value) = globals.get_item(&name)?
            && let Some(path) = path_in(&name.to_string(), &value, array)
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Where an array is in a variable: the variable itself, a tree around it, or an attribute of an object. What cannot be
/// looked into holds none.
fn path_in(name: &str, value: &Bound<'_, PyAny>, array: &Array) -> Option<String> {
    let py = value.py();
    let in_tree = |name: &str, value: &Bound<'_, PyAny>| {
        let (arrays, tree) = tree::flatten(value).ok()?;
        let at = arrays.iter().position(|one| one.key() == array.key())?;
        Some(tree.paths(py, name).swap_remove(at))
    };
    if let Some(path) = in_tree(name, value) {
        return Some(path);
    }
    // Whole modules of Python are no variables.
    if value.hasattr(intern!(py, "__spec__")).ok()? {
        return None;
    }
    let attributes = value.getattr_opt(intern!(py, "__dict__")).ok()??.cast_into::<PyDict>().ok()?;
    attributes.iter().find_map(|(key, child)| in_tree(&format!("{name}.{key}"), &child))
}
