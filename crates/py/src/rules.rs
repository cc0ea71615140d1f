//! Rules written in Python: what they are given, and what they return, in terms of trees.

use std::sync::Arc;

use pullback::custom::{Call, Mapped, Offers, Rules, Value};
use pullback::{Array, Error, Result};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::array::PyArray;
use crate::conform::{self, Conform, axis_of, described, sequence};
use crate::convert;
use crate::error::host;
use crate::tree::{self, Objects, Part, Tree};
use crate::vmap::{Slot, arguments, keep, kept};

/// A rule, and what its signature says.
pub struct Rule {
    fun: Py<PyAny>,
    /// It takes two positional parameters and no more: `(primals, cotangents)`.
    two: bool,
    /// It has a parameter `axis_size`.
    axis_size: bool,
}

impl Rule {
    /// Reads the signature; what has none takes everything.
    pub fn of(fun: &Bound<'_, PyAny>) -> PyResult<Rule> {
        let mut rule = Rule { fun: fun.clone().unbind(), two: false, axis_size: false };
        let Ok(signature) = fun.py().import("inspect")?.call_method1("signature", (fun,)) else {
            return Ok(rule);
        };
        let (mut positional, mut more) = (0, false);
        for parameter in signature.getattr("parameters")?.call_method0("values")?.try_iter()? {
            let parameter = parameter?;
            match parameter.getattr("kind")?.extract::<u8>()? {
                0 | 1 => positional += 1,
                2 => more = true,
                _ => {}
            }
            rule.axis_size |= parameter.getattr("name")?.to_string() == "axis_size";
        }
        rule.two = positional == 2 && !more;
        Ok(rule)
    }
}

/// The rules of a function.
#[derive(Clone, Default)]
pub struct RuleSet {
    /// Reverse mode.
    pub vjp: Option<Arc<Rule>>,
    /// Forward mode.
    pub jvp: Option<Arc<Rule>>,
    /// Batches.
    pub vmap: Option<Arc<Rule>>,
    /// Zero cotangents arrive as `None`.
    pub symbolic_vjp: bool,
    /// Zero tangents arrive as `None`.
    pub symbolic_jvp: bool,
}

impl RuleSet {
    /// Shows the collector what nobody else holds.
    pub fn visit(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        for rule in [&self.vjp, &self.jvp, &self.vmap].into_iter().flatten() {
            if Arc::strong_count(rule) == 1 {
                visit.call(&rule.fun)?;
            }
        }
        Ok(())
    }
}

/// The rules of one call: they know the structure of its arguments and of what it returned.
pub struct CallRules {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The structure of `(args, kwargs)`.
    pub tree: Tree,
    /// The structure of the result.
    pub slot: Slot,
    /// The function's name.
    pub name: String,
    /// Names of the parameters.
    pub roots: Arc<[String]>,
}

/// What Python code did: a result, or an error of ours that names what it returned.
type Outcome<T> = PyResult<Result<T>>;

fn run<T>(body: impl FnOnce(Python<'_>) -> Outcome<T>) -> Result<T> {
    Python::attach(body).map_err(host)?
}

/// A single argument arrives by itself, several as a tuple.
fn unwrapped<'py>(args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
    if args.len() == 1 { args.get_item(0) } else { Ok(args.clone().into_any()) }
}

fn object<'py>(py: Python<'py>, array: Array) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(py, PyArray::new(array))?.into_any())
}

/// Tangents or cotangents as objects: zeros, or `None` if they are to be symbolic.
fn objects<'a, 'py>(
    py: Python<'py>,
    values: &'a [Option<Array>],
    like: &'a [Array],
    symbolic: bool,
) -> impl Iterator<Item = PyResult<Bound<'py, PyAny>>> + use<'a, 'py> {
    values.iter().zip(like).map(move |(value, x)| match value {
        Some(value) => object(py, value.clone()),
        None if symbolic => Ok(py.None().into_bound(py)),
        None => object(py, conform::zeros(x)),
    })
}

impl CallRules {
    fn error<T>(&self, rule: &str, text: &str) -> Outcome<T> {
        Ok(Err(Error::rule(format!("{rule} rule of '{}'{text}", self.name))))
    }

    /// How many arrays are below part `at`, and the part behind it.
    fn below(&self, at: usize) -> (usize, usize) {
        self.tree.below(at)
    }

    /// How many arrays are among the positional arguments, and how many positional arguments there are.
    fn positional(&self) -> (usize, usize) {
        let count = match &self.tree.0[1] {
            Part::Tuple(n) => *n,
            _ => 0,
        };
        (self.below(1).0, count)
    }

    /// The name of a positional argument, for messages.
    fn root(&self, i: usize) -> String {
        self.roots.get(i).cloned().unwrap_or_else(|| format!("args[{i}]"))
    }

    /// Gradients of the arrays in the order of the arguments.
    fn gradients(&self, call: &Call, result: &Bound<'_, PyAny>) -> Outcome<Value> {
        if result.is_none() {
            return Ok(Ok(Value::None));
        }
        if let Some(found) = self.plain(call, result) {
            return Ok(Ok(found));
        }
        let (arrays, count) = self.positional();
        let keywords = call.inputs.len() - arrays;
        let (result, named) = self.split(result, keywords)?;
        let items = match self.per_argument(&result, count)? {
            Some(items) => items,
            None => {
                let n = sequence(&result).map_or(1, |items| items.len());
                let gradients = if n == 1 { "1 gradient".to_string() } else { format!("{n} gradients") };
                let s = if count == 1 { "" } else { "s" };
                let names: Vec<String> = (0..count).map(|i| self.root(i)).collect();
                let text = format!(" returned {gradients} for {count} argument{s} ({})", names.join(", "));
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
        if !self.tree.is_flat(2, n) {
            return None;
        }
        let array = |value: &Bound<'_, PyAny>| {
            value.cast_exact::<PyArray>().ok().map(|array| Value::Array(array.get().get()))
        };
        if n == 1 {
            return array(result);
        }
        let tuple = result.cast_exact::<PyTuple>().ok().filter(|tuple| tuple.len() == n)?;
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
            if let Part::Dict(keys) = &self.tree.0[self.below(1).1] {
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

    /// What was returned for each positional argument; `None` inside for an argument that gets nothing.
    fn per_argument<'py>(
        &self,
        result: &Bound<'py, PyAny>,
        count: usize,
    ) -> PyResult<Option<Vec<Option<Bound<'py, PyAny>>>>> {
        let holders = self.holders(count);
        if count == 1 {
            // A tuple of one is one gradient, unless the argument is a sequence itself.
            let sequence_like =
                matches!(self.tree.0.get(2), Some(Part::List(_) | Part::Tuple(_) | Part::Named(..)));
            // So is one, in the place of a node of as many children.
            let children = match self.tree.0.get(2) {
                Some(Part::Node(node)) => node.names.len(),
                _ => 1,
            };
            return Ok(match result.cast::<PyTuple>() {
                Ok(tuple) if children > 1 && tuple.len() == children => Some(vec![Some(result.clone())]),
                Ok(tuple) if !sequence_like && tuple.len() == 1 => Some(vec![Some(tuple.get_item(0)?)]),
                Ok(tuple) if !sequence_like && tuple.len() != 1 => None,
                _ => Some(vec![Some(result.clone())]),
            });
        }
        let items = match sequence(result) {
            Some(items) => items,
            // One array for the one argument that has any.
            None if holders.len() == 1 => vec![result.clone()],
            None => return Ok(None),
        };
        let mut each: Vec<Option<Bound<'py, PyAny>>> = vec![None; count];
        if items.len() == count {
            each.iter_mut().zip(items).for_each(|(to, item)| *to = Some(item));
        } else if items.len() == holders.len() {
            holders.iter().zip(items).for_each(|(&at, item)| each[at] = Some(item));
        } else {
            return Ok(None);
        }
        Ok(Some(each))
    }

    /// Positional arguments that hold arrays.
    fn holders(&self, count: usize) -> Vec<usize> {
        let mut at = 2;
        let holds = |_: &usize| {
            let (arrays, next) = self.below(at);
            at = next;
            arrays > 0
        };
        (0..count).filter(holds).collect()
    }

    fn outputs<'py>(&self, py: Python<'py>, call: &Call) -> PyResult<(Tree, Bound<'py, PyAny>)> {
        let shape = kept(&self.slot)?;
        let outputs = shape.rebuild(py, &call.outputs)?;
        Ok((shape, outputs))
    }

    /// Tangents of the outputs; `(outputs, tangents)` where the structure says so without doubt.
    fn tangents(&self, shape: &Tree, result: &Bound<'_, PyAny>) -> Outcome<Value> {
        if result.is_none() {
            return Ok(Ok(Value::None));
        }
        let fits = |value: &Bound<'_, PyAny>| -> PyResult<std::result::Result<Vec<Value>, String>> {
            let mut conform = Conform::new(shape, 0);
            let read = conform.read(Some(value), "output")?;
            let nested = conform.found.iter().any(|value| matches!(value, Value::Tuple(_)));
            Ok(match read {
                Ok(()) if nested => {
                    Err(format!("expected tangents like the outputs, got {}", described(value)))
                }
                Ok(()) => Ok(conform.found),
                Err(misfit) => Err(misfit),
            })
        };
        let misfit = match fits(result)? {
            Ok(found) => return Ok(Ok(Value::Tuple(found))),
            Err(misfit) => misfit,
        };
        if let Ok(pair) = result.cast::<PyTuple>()
            && pair.len() == 2
            && let (Ok(_), Ok(found)) = (fits(&pair.get_item(0)?)?, fits(&pair.get_item(1)?)?)
        {
            return Ok(Ok(Value::Tuple(found)));
        }
        // A tuple of one is one output's tangent.
        if let Ok(single) = result.cast::<PyTuple>()
            && single.len() == 1
            && let Ok(found) = fits(&single.get_item(0)?)?
        {
            return Ok(Ok(Value::Tuple(found)));
        }
        self.error("jvp", &format!(": {misfit}"))
    }

    /// Outputs of a vmap rule, and their axes.
    fn mapped(&self, py: Python<'_>, result: &Bound<'_, PyAny>) -> Outcome<Mapped> {
        let pair = match result.cast::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => pair,
            _ => {
                return self
                    .error("vmap", &format!(" returned {}: expected (outputs, axes)", described(result)));
            }
        };
        let (outputs, axes) = (pair.get_item(0)?, pair.get_item(1)?);
        let (found, shape) = tree::flatten(&numbers_as_arrays(py, &outputs)?)?;
        let axes = match conform::axes(&shape, &axes, "axes")? {
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
        keep(&self.slot, shape);
        Ok(Ok((found, places)))
    }
}

/// Numbers and foreign arrays that a vmap rule returned, as arrays.
fn numbers_as_arrays<'py>(py: Python<'py>, outputs: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let (arrays, tree) = tree::flatten(outputs)?;
    let leaves = arrays.into_iter().map(|array| object(py, array));
    let other = |value: &Bound<'py, PyAny>| match conform::leaf(value)? {
        Value::Scalar(_) | Value::Array(_) => object(py, convert::array(value, None)?),
        _ => Ok(value.clone()),
    };
    tree.fill(py, &mut Objects { leaves, other, py })
}

impl Rules for CallRules {
    fn offers(&self) -> Offers {
        let rules = &self.rules;
        Offers {
            vjp: rules.vjp.is_some(),
            jvp: rules.jvp.is_some(),
            vmap: rules.vmap.is_some(),
            ..Offers::default()
        }
    }

    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        let Some(rule) = &self.rules.vjp else { return Err(Error::internal("[vjp] expected a rule")) };
        run(|py| {
            let (args, kwargs) = arguments(py, &self.tree, &call.inputs)?;
            let primals = unwrapped(&args)?;
            let (shape, outputs) = self.outputs(py, call)?;
            let leaves = objects(py, cotangents, &call.outputs, self.rules.symbolic_vjp);
            let other = |_: &Bound<'_, PyAny>| Ok(py.None().into_bound(py));
            let cotangents = shape.fill(py, &mut Objects { leaves, other, py })?;
            let kwargs = kwargs.as_ref();
            let fun = rule.fun.bind(py);
            let result = if rule.two {
                fun.call((primals, cotangents), kwargs)?
            } else {
                fun.call((primals, cotangents, outputs), kwargs)?
            };
            self.gradients(call, &result)
        })
    }

    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        let Some(rule) = &self.rules.jvp else { return Err(Error::internal("[jvp] expected a rule")) };
        run(|py| {
            let (arrays, _) = self.positional();
            if let Some(i) = (arrays..tangents.len()).find(|&i| tangents[i].is_some()) {
                let text =
                    format!(": keyword argument {} has a tangent: pass it by position", call.func.args[i]);
                return self.error("jvp", &text);
            }
            let (args, kwargs) = arguments(py, &self.tree, &call.inputs)?;
            let primals = unwrapped(&args)?;
            let symbolic = self.rules.symbolic_jvp;
            let leaves = objects(py, tangents, &call.inputs, symbolic);
            // The zero of a bare number lets the rules that the documentation shows do their sums.
            let other = |value: &Bound<'_, PyAny>| {
                if !symbolic && conform::has_zero(value) {
                    Ok(0f64.into_pyobject(py)?.into_any())
                } else {
                    Ok(py.None().into_bound(py))
                }
            };
            let both = self.tree.fill(py, &mut Objects { leaves, other, py })?;
            let tangents = unwrapped(&both.get_item(0)?.cast_into::<PyTuple>()?)?;
            let result = rule.fun.bind(py).call((primals, tangents), kwargs.as_ref())?;
            self.tangents(&kept(&self.slot)?, &result)
        })
    }

    fn vmap(&self, inputs: &[Array], axes: &[Option<usize>], size: usize) -> Result<Mapped> {
        let Some(rule) = &self.rules.vmap else { return Err(Error::internal("[vmap] expected a rule")) };
        run(|py| {
            let (arrays, _) = self.positional();
            if axes[arrays..].iter().any(Option::is_some) {
                return self.error("vmap", ": a keyword argument is mapped: pass it by position");
            }
            let (args, kwargs) = arguments(py, &self.tree, inputs)?;
            let leaves = axes.iter().map(|axis| Ok(axis.into_pyobject(py)?.into_any()));
            let other = |_: &Bound<'_, PyAny>| Ok(py.None().into_bound(py));
            let both = self.tree.fill(py, &mut Objects { leaves, other, py })?;
            let places = unwrapped(&both.get_item(0)?.cast_into::<PyTuple>()?)?;
            let mut kwargs = kwargs;
            if rule.axis_size {
                kwargs.get_or_insert_with(|| PyDict::new(py)).set_item("axis_size", size)?;
            }
            let result = rule.fun.bind(py).call((unwrapped(&args)?, places), kwargs.as_ref())?;
            self.mapped(py, &result)
        })
    }
}
