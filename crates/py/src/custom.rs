//! What every door stands on: a function, its rules, and how a call of it becomes a node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pullback::custom::{Captured, Function, Missing, Owner, fresh_id};
use pullback::transform;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::compile;
use crate::error::{OrRaise, guard};
use crate::held::Held;
use crate::passes::Passes;
use crate::rules::{CallRules, Rule, RuleSet, Style};
use crate::site;
use crate::tree::{self, Tree};
use crate::vmap::{Slot, call_fresh, flatten_call, kept};
use crate::wrap::{self, looks_like_its_function};

/// A function with rules: what every door makes its calls with.
#[pyclass(frozen, dict, weakref, subclass, name = "_Custom", module = "pullback")]
pub struct Custom {
    fun: Py<PyAny>,
    name: Arc<str>,
    id: usize,
    missing: Missing,
    captured: Captured,
    /// Keyword arguments that have a position are put there, and defaults filled in.
    bind: bool,
    rules: Held<Arc<RuleSet>>,
    /// Counts registrations: what was compiled with other rules is of no use.
    version: Arc<AtomicU64>,
}

looks_like_its_function!(Custom);

fn choice<T: Copy>(what: &str, given: &str, among: &[(&str, T)]) -> PyResult<T> {
    if let Some((_, found)) = among.iter().find(|(name, _)| *name == given) {
        return Ok(*found);
    }
    let names: Vec<String> = among.iter().map(|(name, _)| format!("'{name}'")).collect();
    let text = format!("[custom_function] expected {what} to be {}, got '{given}'", names.join(" or "));
    Err(PyValueError::new_err(text))
}

impl Custom {
    /// Of a function, with its policies.
    pub fn of(fun: &Bound<'_, PyAny>, missing: &str, captured: &str, bind: bool) -> PyResult<Custom> {
        wrap::callable(fun, "custom_function")?;
        Ok(Custom {
            name: wrap::name_of(fun).into(),
            fun: fun.clone().unbind(),
            id: fresh_id(),
            missing: choice(
                "missing",
                missing,
                &[("body", Missing::Body), ("derive", Missing::Derive), ("error", Missing::Error)],
            )?,
            captured: choice(
                "captured",
                captured,
                &[
                    ("constant", Captured::Constant),
                    ("error", Captured::Error),
                    ("differentiate", Captured::Differentiate),
                ],
            )?,
            bind,
            rules: Held::default(),
            version: Arc::default(),
        })
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fun)?;
        // Rules that a node holds too are not ours alone: shown to the collector, they could be cleared while the
        // node still needs them.
        // SAFETY: the collector runs under the interpreter's lock, which it keeps; it allows no `attach`.
        let rules = self.rules.get(unsafe { Python::assume_attached() });
        // One of the two is this.
        if Arc::strong_count(&rules) == 2 { rules.visit(visit) } else { Ok(()) }
    }

    /// Changes the rules: what was compiled with the old ones is compiled anew.
    pub fn register(&self, py: Python<'_>, change: impl FnOnce(&mut RuleSet)) {
        let mut fresh = (*self.rules.get(py)).clone();
        change(&mut fresh);
        drop(self.rules.replace(py, Arc::new(fresh)));
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Names of the parameters; what `*args` takes is numbered.
    fn names<'a>(&self, py: Python<'_>, rules: &'a RuleSet) -> &'a Arc<[String]> {
        if let Some(known) = rules.names.get() {
            return known;
        }
        // Not within the lock: while Python reads a signature, another thread may come by, and would wait for the lock
        // with the interpreter in its hand.
        let found = parameter_names(self.fun.bind(py)).unwrap_or_default();
        rules.names.get_or_init(|| found.into())
    }

    /// What the graph holds of the function. By far most arguments are arrays themselves.
    fn function(
        &self,
        py: Python<'_>,
        rules: &RuleSet,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
        tree: &Tree,
    ) -> PyResult<Arc<Function>> {
        let names = self.names(py, rules);
        let of = |args| {
            let (id, name) = (self.id, self.name.clone());
            Arc::new(Function { id, name, args, missing: self.missing, captured: self.captured })
        };
        if tree.is_of_arrays(names.len()) {
            return Ok(rules.usual.get_or_init(|| of(names.clone())).clone());
        }
        Ok(of(self.paths(py, names, args, kwargs)?))
    }

    /// Paths of the arrays in a tree of `(args, kwargs)`.
    fn paths(
        &self,
        py: Python<'_>,
        names: &[String],
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Arc<[String]>> {
        let mut paths = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let root = names.get(i).cloned().unwrap_or_else(|| format!("args[{i}]"));
            if arg.is_exact_instance_of::<crate::array::PyArray>() {
                paths.push(root);
            } else {
                paths.extend(tree::flatten(&arg)?.1.paths(py, &root));
            }
        }
        for (key, value) in kwargs.into_iter().flat_map(|kwargs| kwargs.iter()) {
            paths.extend(tree::flatten(&value)?.1.paths(py, &key.to_string()));
        }
        Ok(paths.into())
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        rules: Arc<RuleSet>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        compile::touch(&self.version);
        let (arrays, tree) = flatten_call(py, args, kwargs)?;
        let func = self.function(py, &rules, args, kwargs, &tree)?;
        let rules = Arc::new(CallRules {
            rules,
            fun: self.fun.clone_ref(py),
            tree,
            slot: Slot::default(),
            kept: Slot::default(),
            marks: Held::default(),
        });
        let owner = Owner { func, rules: rules.clone() };
        let outs = guard(|| transform::custom::call(owner, site::caller(py), arrays).or_raise())?;
        let out = kept(py, &rules.slot)?.rebuild_from(py, outs)?;
        match rules.marks.replace(py, None) {
            Some(marks) => marks.said_of(args, out),
            None => Ok(out),
        }
    }
}

/// Names of the parameters that have a position.
pub fn parameter_names(fun: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let signature = fun.py().import("inspect")?.call_method1("signature", (fun,))?;
    let mut names = Vec::new();
    for parameter in signature.getattr("parameters")?.call_method0("values")?.try_iter()? {
        let parameter = parameter?;
        // 0 and 1 are the positional kinds.
        if parameter.getattr("kind")?.extract::<u8>()? <= 1 {
            names.push(parameter.getattr("name")?.to_string());
        }
    }
    Ok(names)
}

/// Arguments by position, and the keyword arguments that have none.
type Bindings<'py> = (Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>);

impl Custom {
    /// Puts what was passed by keyword into its position, and fills in defaults.
    fn bound<'py>(
        &self,
        py: Python<'py>,
        rules: &RuleSet,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bindings<'py>> {
        let as_given = || (args.clone(), kwargs.cloned());
        let named = kwargs.is_some_and(|kwargs| !kwargs.is_empty());
        if !self.bind || !named && args.len() >= self.names(py, rules).len() {
            return Ok(as_given());
        }
        let inspect = py.import("inspect")?;
        // What has no signature takes its arguments as they come.
        let Ok(signature) = inspect.call_method1("signature", (self.fun.bind(py),)) else {
            return Ok(as_given());
        };
        let bound = signature.call_method("bind", args, kwargs)?;
        bound.call_method0("apply_defaults")?;
        let kwargs = bound.getattr("kwargs")?.cast_into::<PyDict>()?;
        Ok((bound.getattr("args")?.cast_into::<PyTuple>()?, Some(kwargs)))
    }
}

#[pymethods]
impl Custom {
    #[new]
    #[pyo3(signature = (fun, *, missing="derive", captured="error", bind=true))]
    fn new(fun: &Bound<'_, PyAny>, missing: &str, captured: &str, bind: bool) -> PyResult<Custom> {
        Custom::of(fun, missing, captured, bind)
    }

    /// What the class has in common with itself must not hide what is the function's own.
    #[pyo3(signature = (*_args, **_kwargs))]
    fn __init__(
        slf: &Bound<'_, Self>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        wrap::dress(slf.as_any(), slf.get().fun.bind(slf.py()))
    }

    /// Says what the rules are, in which style; those that are not given stay as they were.
    #[pyo3(signature = (*, style="call", forward=None, vjp=None, jvp=None, vmap=None, symbolic_vjp=false, symbolic_jvp=false, once=false, nondiff=vec![]))]
    #[expect(clippy::too_many_arguments, reason = "one for each rule, by keyword")]
    fn _define(
        &self,
        py: Python<'_>,
        style: &str,
        forward: Option<&Bound<'_, PyAny>>,
        vjp: Option<&Bound<'_, PyAny>>,
        jvp: Option<&Bound<'_, PyAny>>,
        vmap: Option<&Bound<'_, PyAny>>,
        symbolic_vjp: bool,
        symbolic_jvp: bool,
        once: bool,
        nondiff: Vec<usize>,
    ) -> PyResult<()> {
        let style = Style::named(style)?;
        for (what, rule) in [("forward", forward), ("vjp", vjp), ("jvp", jvp), ("vmap", vmap)] {
            rule.map_or(Ok(()), |rule| function(rule, what))?;
        }
        let rule = |fun: Option<&Bound<'_, PyAny>>| fun.map(|fun| Arc::new(Rule::new(fun, style)));
        let (forward, vjp, jvp, vmap) = (rule(forward), rule(vjp), rule(jvp), rule(vmap));
        self.register(py, move |rules| {
            if style == Style::Context {
                // They are the methods of a class: what it has no more is no rule.
                *rules = RuleSet::default();
            }
            if forward.is_some() || vjp.is_some() {
                // A rule goes with the forward pass that it was given with.
                rules.forward = forward;
            }
            if vjp.is_some() {
                (rules.vjp, rules.symbolic_vjp) = (vjp, symbolic_vjp);
            }
            if jvp.is_some() {
                (rules.jvp, rules.symbolic_jvp) = (jvp, symbolic_jvp);
            }
            rules.vmap = vmap.or_else(|| rules.vmap.take());
            rules.once = once;
            rules.nondiff = nondiff;
            rules.strict = true;
        });
        Ok(())
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !transform::any_active() {
            // Nothing can look back at this call.
            let fun = self.fun.bind(py);
            return match fun.cast_exact::<Passes>() {
                Ok(passes) => passes.get().call_fresh(args, kwargs),
                Err(_) => call_fresh(fun, args, kwargs),
            };
        }
        let rules = self.rules.get(py);
        let (args, kwargs) = self.bound(py, &rules, args, kwargs)?;
        self.call(py, rules, &args, kwargs.as_ref())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("<{} {}>", slf.get_type().name()?, slf.get().name))
    }

    /// Found again by its name, as functions are.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        Ok(self.fun.bind(py).getattr("__qualname__")?.cast_into::<PyString>()?)
    }
}

/// Refuses what cannot be a rule.
pub fn function(rule: &Bound<'_, PyAny>, what: &str) -> PyResult<()> {
    if rule.is_callable() {
        return Ok(());
    }
    let got = rule.get_type();
    let text = format!("[custom_function] expected a function as {what} rule, got {got}");
    Err(PyTypeError::new_err(text))
}
