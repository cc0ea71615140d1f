//! What rules returned, beside the trees that are known: gradients, tangents, batches.

use pullback::custom::{Call, Mapped, Value};
use pullback::{Dtype, Error};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::array::PyArray;
use crate::axes::{self, axis_of};
use crate::conform::{self, Conform, Misfit, described, sequence, two};
use crate::convert;
use crate::custom::parameter_names;
use crate::rules::{CallRules, Outcome, object};
use crate::tree::{self, Objects, Part, Tree};
use crate::vmap::{keep, kept};

impl CallRules {
    /// An error of ours about what a rule did.
    pub fn error<T>(&self, rule: &str, text: &str) -> Outcome<T> {
        Ok(Err(Error::rule(format!("{rule} rule of '{}'{text}", self.name()))))
    }

    /// A derivative was asked for with respect to what was declared to have none.
    pub fn refused(&self, rule: &str, wanted: impl Fn(usize) -> bool) -> Option<Error> {
        if self.rules.nondiff.is_empty() {
            return None;
        }
        let spans = self.tree.spans();
        let asked = |i: &&usize| spans.get(**i).is_some_and(|span| span.clone().any(&wanted));
        let i = *self.rules.nondiff.iter().find(asked)?;
        Some(Error::rule(format!(
            "{rule} of '{}': expected no derivative with respect to its non-differentiable argument {}, got one \
             asked for: take it from nondiff_argnums, or pass pb.stop_gradient of it",
            self.name(),
            self.root(i)
        )))
    }

    /// The name of a positional argument, for messages.
    fn root(&self, i: usize) -> String {
        let names = Python::attach(|py| parameter_names(self.fun.bind(py)));
        names.ok().and_then(|names| names.get(i).cloned()).unwrap_or_else(|| format!("args[{i}]"))
    }

    /// Gradients of the arrays in the order of the arguments.
    pub fn gradients(&self, call: &Call, result: &Bound<'_, PyAny>) -> Outcome<Value> {
        if result.is_none() {
            return Ok(Ok(Value::None));
        }
        if let Some(found) = self.plain(call, result) {
            return Ok(Ok(found));
        }
        let (arrays, count) = self.tree.positional();
        let keywords = call.inputs.len() - arrays;
        let (result, named) = self.split(result, keywords)?;
        let places: Vec<usize> = (0..count).filter(|i| !self.rules.nondiff.contains(i)).collect();
        let items = match self.per_argument(&result, count, &places)? {
            Some(items) => items,
            None => {
                let n = sequence(&result).map_or(1, |items| items.len());
                let gradients = if n == 1 { "1 gradient".to_string() } else { format!("{n} gradients") };
                let wanted = places.len();
                let s = if wanted == 1 { "" } else { "s" };
                let names: Vec<String> = places.iter().map(|&i| self.root(i)).collect();
                let text = format!(" returned {gradients} for {wanted} argument{s} ({})", names.join(", "));
                return self.error("vjp", &text);
            }
        };
        // The tree is (args, kwargs): its first argument is part 2.
        let mut conform = Conform::new(&self.tree, 2);
        for (i, item) in items.iter().enumerate() {
            if let Err(misfit) = conform.read(item.as_ref(), &self.root(i))? {
                return self.error("vjp", &format!(", argument {misfit}"));
            }
        }
        if let Err(misfit) = conform.read(named.as_ref(), "keywords")? {
            return self.error("vjp", &format!(", {misfit}"));
        }
        if named.is_none()
            && let Some(i) =
                (arrays..call.inputs.len()).find(|&i| call.needs[i] && call.inputs[i].is_inexact())
        {
            let name = &call.func.args[i];
            let text = format!(
                " returned no gradient for keyword argument {name}: return (gradients, {{'{name}': gradient}}), \
                 or pass it by position"
            );
            return self.error("vjp", &text);
        }
        Ok(Ok(Value::Tuple(conform.found)))
    }

    /// The most frequent case: all arguments are arrays, and so are all gradients.
    fn plain(&self, call: &Call, result: &Bound<'_, PyAny>) -> Option<Value> {
        let n = call.inputs.len();
        if !self.rules.nondiff.is_empty() || !self.tree.is_flat(2, n) {
            return None;
        }
        let array = |value: &Bound<'_, PyAny>| {
            value.cast_exact::<PyArray>().ok().map(|array| Value::Array(array.get().of(value.py())))
        };
        if n == 1
            && let Some(one) = array(result)
        {
            return Some(one);
        }
        let tuple = result.cast_exact::<PyTuple>().ok().filter(|tuple| tuple.len() == n)?;
        if n == 1 {
            return array(&tuple.get_item(0).ok()?);
        }
        tuple.iter().map(|item| array(&item)).collect::<Option<Vec<Value>>>().map(Value::Tuple)
    }

    /// Gradients by position, and by keyword where there are some.
    fn split<'py>(
        &self,
        result: &Bound<'py, PyAny>,
        keywords: usize,
    ) -> PyResult<(Bound<'py, PyAny>, Option<Bound<'py, PyAny>>)> {
        if keywords > 0
            && let Ok(pair) = result.cast::<PyTuple>()
            && pair.len() == 2
            && let Ok(named) = pair.get_item(1)?.cast_into::<PyDict>()
        {
            let full = PyDict::new(result.py());
            if let Part::Dict(keys) = &self.tree.0[self.tree.below(1).1] {
                for key in keys {
                    full.set_item(key, named.get_item(key)?)?;
                }
            }
            let strange = named.keys().iter().any(|key| !full.contains(key).unwrap_or(false));
            if !strange {
                return Ok((pair.get_item(0)?, Some(full.into_any())));
            }
        }
        Ok((result.clone(), None))
    }

    /// What was returned for each positional argument, of those in `places`; `None` inside for an argument that gets
    /// nothing.
    fn per_argument<'py>(
        &self,
        result: &Bound<'py, PyAny>,
        count: usize,
        places: &[usize],
    ) -> PyResult<Option<Vec<Option<Bound<'py, PyAny>>>>> {
        let mut each: Vec<Option<Bound<'py, PyAny>>> = vec![None; count];
        if let [only] = *places
            && !self.rules.strict
        {
            // A tuple of one is one gradient, unless the argument is a sequence itself.
            let sequence_like = self.part(only).is_sequence();
            // So is one in the place of a node of as many children.
            let children = match self.part(only) {
                Part::Node(node) => node.names.len(),
                _ => 1,
            };
            each[only] = match result.cast::<PyTuple>() {
                Ok(tuple) if children > 1 && tuple.len() == children => Some(result.clone()),
                Ok(tuple) if !sequence_like && tuple.len() == 1 => Some(tuple.get_item(0)?),
                Ok(tuple) if !sequence_like && tuple.len() != 1 => return Ok(None),
                _ => Some(result.clone()),
            };
            return Ok(Some(each));
        }
        let holders = self.holders(places);
        let items = match sequence(result) {
            Some(items) => items,
            // One array for the one argument that has any.
            None if holders.len() == 1 || places.len() == 1 => vec![result.clone()],
            None => return Ok(None),
        };
        if items.len() == places.len() {
            places.iter().zip(items).for_each(|(&at, item)| each[at] = Some(item));
        } else if items.len() == holders.len() {
            holders.iter().zip(items).for_each(|(&at, item)| each[at] = Some(item));
        } else {
            return Ok(None);
        }
        Ok(Some(each))
    }

    /// The part at which positional argument `i` begins.
    fn part(&self, i: usize) -> &Part {
        let mut at = 2;
        for _ in 0..i {
            at = self.tree.below(at).1;
        }
        &self.tree.0[at]
    }

    /// Positional arguments among `places` that hold arrays.
    fn holders(&self, places: &[usize]) -> Vec<usize> {
        let spans = self.tree.spans();
        places.iter().copied().filter(|&i| !spans[i].is_empty()).collect()
    }

    /// Tangents of the outputs; `(outputs, tangents)` where the structure says so without doubt.
    pub fn tangents(&self, call: &Call, result: &Bound<'_, PyAny>) -> Outcome<Value> {
        if result.is_none() {
            return Ok(Ok(Value::None));
        }
        let shape = &kept(result.py(), &self.slot)?;
        let misfit = match like_outputs(shape, result)? {
            Ok(found) => return Ok(Ok(found)),
            Err(misfit) => misfit,
        };
        // A named tuple is meant as the outputs that it looks like, and never as a pair of them and tangents.
        let Ok(tuple) = result.cast_exact::<PyTuple>() else {
            return self.error("jvp", &format!(": {misfit}"));
        };
        if let [first, second] = &tuple.iter().collect::<Vec<_>>()[..]
            && Conform::new(shape, 0).read(Some(first), "output")?.is_ok()
        {
            if second.is_none() {
                // Outputs of which nothing depends on the arguments, or tangents beside which something is lacking.
                let text = format!(
                    ": {misfit}: return tangents like the outputs, or (outputs, tangents) with a None for each \
                     output whose tangent is zero"
                );
                return self.error("jvp", &text);
            }
            if let Ok(found) = like_outputs(shape, second)? {
                return self.beside(call, first, found);
            }
        }
        // A tuple of one is one output's tangent, unless the output is a sequence itself.
        if let Ok(single) = tuple.get_item(0)
            && tuple.len() == 1
            && !shape.0[0].is_sequence()
            && let Ok(found) = like_outputs(shape, &single)?
        {
            return Ok(Ok(found));
        }
        self.error("jvp", &format!(": {misfit}"))
    }

    /// The tangents of a rule that must return `(outputs, tangents)`.
    pub fn paired(&self, call: &Call, result: &Bound<'_, PyAny>) -> Outcome<Value> {
        if result.is_none() {
            return Ok(Ok(Value::None));
        }
        let Some([output, tangent]) = two(result)? else {
            let text = format!(" returned {}: expected (output, tangent of the output)", described(result));
            return self.error("jvp", &text);
        };
        match like_outputs(&kept(result.py(), &self.slot)?, &tangent)? {
            Ok(found) => self.beside(call, &output, found),
            Err(misfit) => self.error("jvp", &format!(": {misfit}")),
        }
    }

    /// Tangents beside which a rule returned outputs: those must be what the function returns, for they tell which of
    /// the two is which.
    fn beside(&self, call: &Call, outputs: &Bound<'_, PyAny>, tangents: Value) -> Outcome<Value> {
        let shape = kept(outputs.py(), &self.slot)?;
        // By far the most frequent: an array like the one that the function returned.
        if let [Part::Leaf] = shape.0[..]
            && let Ok(array) = outputs.cast_exact::<PyArray>()
            && array.get().of(outputs.py()).aval() == call.outputs[0].aval()
        {
            return Ok(Ok(tangents));
        }
        let dtypes: Vec<Dtype> = call.outputs.iter().map(|out| out.dtype()).collect();
        let fix = "return what the function returns, then its tangent";
        let mut conform = Conform::declared(&shape, &dtypes);
        if let Err(misfit) = conform.read(Some(outputs), "primal output")? {
            return self.error("jvp", &format!(", {misfit}: {fix}"));
        }
        for (i, (found, out)) in conform.found.iter().zip(call.outputs).enumerate() {
            let got = match found {
                Value::Array(found) if found.aval() == out.aval() => continue,
                Value::Array(found) => found.aval().to_string(),
                Value::Scalar(number) => format!("{number:?}"),
                Value::None => "None".into(),
                Value::Tuple(items) => format!("a sequence of {}", items.len()),
                Value::Other(kind) => format!("a {kind}"),
            };
            let path = shape.paths(outputs.py(), "primal output").swap_remove(i);
            let text = format!(", {path}: expected {}, got {got}: {fix}", out.aval());
            return self.error("jvp", &text);
        }
        Ok(Ok(tangents))
    }

    /// Outputs of a vmap rule, and their axes.
    pub fn mapped(&self, py: Python<'_>, result: &Bound<'_, PyAny>) -> Outcome<Mapped> {
        let pair = match result.cast::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => pair,
            _ => {
                return self
                    .error("vmap", &format!(" returned {}: expected (outputs, axes)", described(result)));
            }
        };
        let (outputs, axes) = (pair.get_item(0)?, pair.get_item(1)?);
        let (found, shape) = tree::flatten(&numbers_as_arrays(py, &outputs)?)?;
        let axes = match axes::prefix(&shape, &axes, "axes")? {
            Ok(axes) => axes,
            Err(misfit) => return self.error("vmap", &format!(", {misfit}")),
        };
        let mut places = Vec::with_capacity(axes.len());
        for (i, (axis, x)) in axes.into_iter().zip(&found).enumerate() {
            match axis_of(axis, x) {
                Ok(axis) => places.push(axis),
                Err(_) => {
                    let axis = axis.unwrap_or(0);
                    return self
                        .error("vmap", &format!(": output {i} is {}, and has no axis {axis}", x.aval()));
                }
            }
        }
        keep(py, &self.slot, shape);
        Ok(Ok((found, places)))
    }
}

/// A value in the structure of the outputs, with one tangent or `None` for each.
fn like_outputs(shape: &Tree, value: &Bound<'_, PyAny>) -> PyResult<Result<Value, Misfit>> {
    if let [Part::Leaf] = shape.0[..]
        && let Ok(array) = value.cast_exact::<PyArray>()
    {
        return Ok(Ok(Value::Array(array.get().of(value.py()))));
    }
    let mut conform = Conform::new(shape, 0);
    if let Err(misfit) = conform.read(Some(value), "output")? {
        return Ok(Err(misfit));
    }
    if conform.found.iter().any(|value| matches!(value, Value::Tuple(_))) {
        return Ok(Err(format!("expected tangents like the outputs, got {}", described(value))));
    }
    Ok(Ok(Value::Tuple(conform.found)))
}

/// Numbers and foreign arrays that a vmap rule returned, as arrays.
pub fn numbers_as_arrays<'py>(py: Python<'py>, outputs: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let (arrays, tree) = tree::flatten(outputs)?;
    let leaves = arrays.into_iter().map(|array| object(py, array));
    let other = |value: &Bound<'py, PyAny>| match conform::leaf(value)? {
        Value::Scalar(_) | Value::Array(_) => object(py, convert::array(value, None)?),
        _ => Ok(value.clone()),
    };
    tree.fill(py, &mut Objects { leaves, other, py })
}
