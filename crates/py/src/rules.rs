//! Rules written in Python: what they are given, and what they return, in terms of trees.

use std::iter;
use std::sync::{Arc, OnceLock};

use pullback::custom::{Call, Function, Mapped, Offers, Rules, Value};
use pullback::{Array, Error, Inputs, Outputs, Result};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::answers::numbers_as_arrays;
use crate::array::PyArray;
use crate::conform::{self, described};
use crate::context::{Context, Marks};
use crate::convert;
use crate::error::host;
use crate::handed::Handed;
use crate::held::Held;
use crate::pair::{pair, pull};
use crate::passes::Passes;
use crate::tree::{self, Objects, Parts, Several, Tree};
use crate::variable::variable;
use crate::vmap::{Slot, arguments, call_on, keep, kept};
use crate::wrap::name_of;

/// How a rule is called: the idiom that it was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `(primals, cotangents, outputs)`, `(primals, tangents)`, `(inputs, axes)`: one argument by itself, several as
    /// a tuple.
    Listed {
        /// It takes two positional parameters and no more: `(primals, cotangents)`.
        two: bool,
        /// It has a parameter `axis_size`.
        axis_size: bool,
    },
    /// The non-differentiable arguments, then `(residuals, cotangents)` or `(primals, tangents)`.
    Split,
    /// `(call, cotangents)`, `(call, tangents)`, `(args, axes, axis_size)`, for doors that are written in Python.
    Call,
    /// `(context, *cotangents)` and `(context, *tangents)`, of a class whose forward pass is in `passes`.
    Context,
    /// The forward pass returns the rule beside its output. See `pair`.
    Pair,
}

impl Style {
    /// By its name, for doors that are written in Python.
    pub fn named(name: &str) -> PyResult<Style> {
        match name {
            "split" => Ok(Style::Split),
            "call" => Ok(Style::Call),
            "context" => Ok(Style::Context),
            "pair" => Ok(Style::Pair),
            other => Err(convert::broken(&format!("[_define] expected the name of a style, got '{other}'"))),
        }
    }
}

/// A rule, and how it is called.
pub struct Rule {
    /// The rule itself.
    pub fun: Py<PyAny>,
    style: Style,
}

impl Rule {
    /// In the idiom of MLX. Reads the signature; what has none takes everything.
    pub fn listed(fun: &Bound<'_, PyAny>) -> PyResult<Rule> {
        let (mut positional, mut more, mut axis_size) = (0, false, false);
        if let Ok(signature) = fun.py().import("inspect")?.call_method1("signature", (fun,)) {
            for parameter in signature.getattr("parameters")?.call_method0("values")?.try_iter()? {
                let parameter = parameter?;
                match parameter.getattr("kind")?.extract::<u8>()? {
                    0 | 1 => positional += 1,
                    2 => more = true,
                    _ => {}
                }
                axis_size |= parameter.getattr("name")?.to_string() == "axis_size";
            }
        }
        let style = Style::Listed { two: positional == 2 && !more, axis_size };
        Ok(Rule { fun: fun.clone().unbind(), style })
    }

    /// In another idiom.
    pub fn new(fun: &Bound<'_, PyAny>, style: Style) -> Rule {
        Rule { fun: fun.clone().unbind(), style }
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
    /// The forward pass that goes with the rule for reverse mode: `(*args) -> (outputs, residuals)`.
    pub forward: Option<Arc<Rule>>,
    /// Its derivatives have none themselves.
    pub once: bool,
    /// Positions of the arguments that have no derivative.
    pub nondiff: Vec<usize>,
    /// One gradient per argument, always in a sequence, also where there is one argument.
    pub strict: bool,
    /// Zero cotangents arrive as `None`.
    pub symbolic_vjp: bool,
    /// Zero tangents arrive as `None`.
    pub symbolic_jvp: bool,
    /// Names of the parameters, for messages, once somebody asked.
    pub names: OnceLock<Arc<[String]>>,
    /// What the graph holds of the function where every parameter is an array.
    pub usual: OnceLock<Arc<Function>>,
}

impl RuleSet {
    /// Shows the collector what nobody else holds.
    pub fn visit(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        for rule in [&self.vjp, &self.jvp, &self.vmap, &self.forward].into_iter().flatten() {
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
    /// The function.
    pub fun: Py<PyAny>,
    /// The structure of `(args, kwargs)`.
    pub tree: Tree,
    /// The structure of the result.
    pub slot: Slot,
    /// The structure of what the forward pass kept, and all in it that is no array.
    pub kept: Slot,
    /// What the forward pass of a class said of arguments and outputs.
    pub marks: Held<Option<Box<Marks>>>,
}

/// What Python code did: a result, or an error of ours that names what it returned.
pub type Outcome<T> = PyResult<Result<T>>;

fn run<T>(body: impl FnOnce(Python<'_>) -> Outcome<T>) -> Result<T> {
    Python::attach(body).map_err(host)?
}

/// A single argument arrives by itself, several as a tuple.
fn unwrapped<'py>(args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
    if args.len() == 1 { args.get_item(0) } else { Ok(args.clone().into_any()) }
}

/// An object around an array.
pub fn object<'py>(py: Python<'py>, array: Array) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(py, PyArray::new(array))?.into_any())
}

/// Tangents or cotangents as objects: zeros, or `None` if they are to be symbolic.
pub fn objects<'a, 'py>(
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
    /// The function's name.
    pub fn name(&self) -> String {
        Python::attach(|py| name_of(self.fun.bind(py)))
    }

    /// What the function returns.
    fn called<'py>(&self, py: Python<'py>, inputs: &[Array]) -> PyResult<Bound<'py, PyAny>> {
        match self.passes(py) {
            Some(passes) => Ok(self.passed(py, passes, inputs)?.0),
            None => call_on(self.fun.bind(py), &self.tree, inputs),
        }
    }

    /// The function, if it is the forward pass of a class.
    fn passes<'a>(&'a self, py: Python<'a>) -> Option<&'a Passes> {
        self.fun.bind(py).cast_exact::<Passes>().ok().map(Bound::get)
    }

    /// What the forward pass kept.
    pub fn residuals<'py>(&self, py: Python<'py>, call: &Call) -> PyResult<Bound<'py, PyAny>> {
        kept(py, &self.kept)?.rebuild(py, call.residuals.as_deref().unwrap_or_default())
    }

    /// Cotangents in the structure of what the function returned.
    pub fn cotangents<'py>(
        &self,
        py: Python<'py>,
        call: &Call,
        cotangents: &[Option<Array>],
        symbolic: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let leaves = objects(py, cotangents, call.outputs, symbolic);
        let other = |_: &Bound<'_, PyAny>| Ok(py.None().into_bound(py));
        kept(py, &self.slot)?.fill(py, &mut Objects { leaves, other, py })
    }

    /// The arguments as one object, and those by keyword. A single argument stands for itself.
    fn primals<'py>(
        &self,
        py: Python<'py>,
        inputs: &[Array],
    ) -> PyResult<(Bound<'py, PyAny>, Option<Bound<'py, PyDict>>)> {
        if let [array] = inputs
            && self.is_of_one()
        {
            return Ok((object(py, array.clone())?, None));
        }
        let (args, kwargs) = arguments(py, &self.tree, inputs)?;
        Ok((unwrapped(&args)?, kwargs))
    }

    /// Values of the arguments that have no derivative, in order, and all others as a tuple.
    fn parted<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<(Vec<Bound<'py, PyAny>>, Bound<'py, PyTuple>)> {
        let nondiff = &self.rules.nondiff;
        if nondiff.is_empty() {
            return Ok((Vec::new(), args.clone()));
        }
        let (fixed, rest): (Vec<_>, Vec<_>) = args.iter().enumerate().partition(|(i, _)| nondiff.contains(i));
        let rest = PyTuple::new(args.py(), rest.into_iter().map(|(_, arg)| arg))?;
        Ok((fixed.into_iter().map(|(_, arg)| arg).collect(), rest))
    }

    /// Calls a vjp rule.
    fn pulled<'py>(
        &self,
        py: Python<'py>,
        rule: &Rule,
        call: &Call,
        cotangents: &[Option<Array>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let fun = rule.fun.bind(py);
        let given = || self.cotangents(py, call, cotangents, self.rules.symbolic_vjp);
        match rule.style {
            Style::Listed { two, .. } => {
                let ((primals, kwargs), cotangents) = (self.primals(py, call.inputs)?, given()?);
                if two {
                    return fun.call((primals, cotangents), kwargs.as_ref());
                }
                let outputs = kept(py, &self.slot)?.rebuild(py, call.outputs)?;
                fun.call((primals, cotangents, outputs), kwargs.as_ref())
            }
            Style::Split => {
                let residuals = self.residuals(py, call)?;
                if self.rules.nondiff.is_empty() {
                    return fun.call1((residuals, given()?));
                }
                let (mut all, _) = self.parted(&arguments(py, &self.tree, call.inputs)?.0)?;
                all.extend([residuals, given()?]);
                fun.call1(PyTuple::new(py, all)?)
            }
            Style::Call => fun.call1((Handed::new(py, self, call), given()?)),
            Style::Pair => pull(&self.residuals(py, call)?, given()?),
            Style::Context => self.backward(py, rule, call, cotangents),
        }
    }

    /// Calls a jvp rule.
    fn pushed<'py>(
        &self,
        py: Python<'py>,
        rule: &Rule,
        call: &Call,
        tangents: &[Option<Array>],
    ) -> PyResult<Bound<'py, PyAny>> {
        if rule.style == Style::Context {
            return self.forwards(py, rule, call, tangents);
        }
        let fun = rule.fun.bind(py);
        let symbolic = self.rules.symbolic_jvp;
        let mut leaves = objects(py, tangents, call.inputs, symbolic);
        if let Style::Listed { .. } = rule.style
            && self.is_of_one()
            && let Some(tangent) = leaves.next()
        {
            return fun.call1((self.primals(py, call.inputs)?.0, tangent?));
        }
        // The zero of a bare number lets the rules that the documentation shows do their sums.
        let other = |value: &Bound<'_, PyAny>| {
            if !symbolic && conform::has_zero(value) {
                Ok(0f64.into_pyobject(py)?.into_any())
            } else {
                Ok(py.None().into_bound(py))
            }
        };
        let tangents = self.as_arguments(py, leaves, other)?;
        if rule.style == Style::Call {
            return fun.call1((Handed::new(py, self, call), tangents));
        }
        let (args, kwargs) = arguments(py, &self.tree, call.inputs)?;
        if let Style::Listed { .. } = rule.style {
            return fun.call((unwrapped(&args)?, unwrapped(&tangents)?), kwargs.as_ref());
        }
        if self.rules.nondiff.is_empty() {
            return fun.call((args, tangents), kwargs.as_ref());
        }
        let (mut given, primals) = self.parted(&args)?;
        given.extend([primals.into_any(), self.parted(&tangents)?.1.into_any()]);
        fun.call(PyTuple::new(py, given)?, kwargs.as_ref())
    }

    /// Whether the only argument is an array.
    fn is_of_one(&self) -> bool {
        self.tree.is_flat(2, 1)
    }

    /// What stands for the positional arguments: one object for each array, and `other` of what is none.
    pub fn as_arguments<'py>(
        &self,
        py: Python<'py>,
        leaves: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        other: impl Fn(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        if let Parts::Usual(_) = self.tree.0 {
            return PyTuple::new(py, leaves.collect::<PyResult<Several<'py>>>()?);
        }
        let both = self.tree.fill(py, &mut Objects { leaves, other, py })?;
        Ok(both.get_item(0)?.cast_into::<PyTuple>()?)
    }
}

impl Rules for CallRules {
    fn offers(&self) -> Offers {
        let rules = &self.rules;
        Offers {
            vjp: rules.vjp.is_some(),
            jvp: rules.jvp.is_some(),
            vmap: rules.vmap.is_some(),
            forward: rules.forward.is_some(),
            once: rules.once,
            body: false,
        }
    }

    fn forward(&self, inputs: &[Array]) -> Result<(Outputs, Inputs)> {
        let Some(rule) = &self.rules.forward else {
            return Err(Error::internal("[forward] expected a rule"));
        };
        run(|py| {
            let fun = rule.fun.bind(py);
            let (out, residuals) = if let Some(passes) = self.passes(py) {
                let (out, ctx) = self.passed(py, passes, inputs)?;
                (out, Context::packed(&ctx)?)
            } else {
                let result = call_on(fun, &self.tree, inputs)?;
                match result.cast::<PyTuple>() {
                    _ if rule.style == Style::Pair => pair(fun, &result)?,
                    Ok(pair) if pair.len() == 2 => (pair.get_item(0)?, pair.get_item(1)?),
                    _ => {
                        let text = format!(" returned {}: expected (output, residuals)", described(&result));
                        return self.error("forward", &text);
                    }
                }
            };
            let (outs, shape) = tree::flatten_few(&out)?;
            let (residuals, structure) = tree::flatten_few(&residuals)?;
            keep(py, &self.slot, shape);
            keep(py, &self.kept, structure);
            Ok(Ok((outs, residuals)))
        })
    }

    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        let Some(rule) = &self.rules.vjp else { return Err(Error::internal("[vjp] expected a rule")) };
        if let Some(error) = self.refused("vjp", |i| call.needs[i] && call.inputs[i].is_inexact()) {
            return Err(error);
        }
        run(|py| self.gradients(call, &self.pulled(py, rule, call, cotangents)?))
    }

    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        let Some(rule) = &self.rules.jvp else { return Err(Error::internal("[jvp] expected a rule")) };
        if let Some(error) = self.refused("jvp", |i| tangents[i].is_some()) {
            return Err(error);
        }
        run(|py| {
            let (arrays, _) = self.tree.positional();
            if let Some(i) = (arrays..tangents.len()).find(|&i| tangents[i].is_some()) {
                let text =
                    format!(": keyword argument {} has a tangent: pass it by position", call.func.args[i]);
                return self.error("jvp", &text);
            }
            let result = self.pushed(py, rule, call, tangents)?;
            match rule.style {
                Style::Split => self.paired(call, &result),
                _ => self.tangents(call, &result),
            }
        })
    }

    fn vmap(&self, inputs: &[Array], axes: &[Option<usize>], size: usize) -> Result<Mapped> {
        let Some(rule) = &self.rules.vmap else { return Err(Error::internal("[vmap] expected a rule")) };
        run(|py| {
            let (arrays, _) = self.tree.positional();
            if axes[arrays..].iter().any(Option::is_some) {
                return self.error("vmap", ": a keyword argument is mapped: pass it by position");
            }
            let (args, kwargs) = arguments(py, &self.tree, inputs)?;
            let leaves = axes.iter().map(|axis| Ok(axis.into_pyobject(py)?.into_any()));
            let other = |_: &Bound<'_, PyAny>| Ok(py.None().into_bound(py));
            let places = self.as_arguments(py, leaves, other)?;
            let fun = rule.fun.bind(py);
            let result = match rule.style {
                Style::Listed { axis_size, .. } => {
                    let mut kwargs = kwargs;
                    if axis_size {
                        kwargs.get_or_insert_with(|| PyDict::new(py)).set_item("axis_size", size)?;
                    }
                    fun.call((unwrapped(&args)?, unwrapped(&places)?), kwargs.as_ref())?
                }
                _ => fun.call((args, places, size), kwargs.as_ref())?,
            };
            self.mapped(py, &result)
        })
    }

    fn run(&self, inputs: &[Array]) -> Result<Outputs> {
        run(|py| {
            let (arrays, shape) = tree::flatten_few(&self.called(py, inputs)?)?;
            keep(py, &self.slot, shape);
            Ok(Ok(arrays))
        })
    }

    fn body(&self, inputs: &[Array]) -> Result<Outputs> {
        run(|py| {
            let result = self.called(py, inputs)?;
            Ok(Ok(tree::flatten(&numbers_as_arrays(py, &result)?)?.0.into()))
        })
    }

    fn name_of(&self, captured: &Array) -> Option<String> {
        let rules = [&self.rules.forward, &self.rules.vmap].into_iter().flatten();
        Python::attach(|py| {
            let fun = self.fun.bind(py);
            let setup = self.passes(py).and_then(|passes| passes.setup(py));
            let rules = rules.map(|rule| rule.fun.bind(py).clone());
            variable(iter::once(fun.clone()).chain(setup).chain(rules), captured)
        })
    }
}
