//! `@custom_function`: the function, its rules, and how a call becomes a node.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pullback::custom::{Captured, Function, Missing, Owner, fresh_id};
use pullback::{Array, transform};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyString, PyTuple};

use crate::compile;
use crate::error::{OrRaise, guard, host};
use crate::rules::{CallRules, Rule, RuleSet};
use crate::site;
use crate::tree::{self, Tree};
use crate::vmap::{Slot, both, call_tree, keep, kept};
use crate::wrap::{self, looks_like_its_function};

/// A function with rules of its own for derivatives and batches.
///
/// Rules are registered by its methods `vjp`, `jvp` and `vmap`, as decorators, and hold under every
/// composition of transforms.
///
/// >>> @pb.custom_function
/// ... def f(x, y):
/// ...     return pb.sin(x) * y
/// >>> @f.vjp
/// ... def f_vjp(primals, cotangent, output):
/// ...     x, y = primals
/// ...     return 10 * cotangent * pb.cos(x) * y, cotangent * pb.sin(x)
/// >>> pb.grad(f)(pb.array(0.0), pb.array(2.0)).item()
/// 20.0
///
/// `missing` says what happens where a derivative has no rule: `"body"` differentiates the function itself,
/// `"derive"` transposes the other rule, `"error"` raises. `captured` says what arrays from outside are to the
/// function: `"constant"`, `"error"` or `"differentiate"`.
#[pyclass(frozen, dict, weakref, name = "custom_function", module = "pullback")]
pub struct CustomFunction {
    fun: Py<PyAny>,
    name: String,
    id: usize,
    missing: Missing,
    captured: Captured,
    /// Names of the parameters, for messages, once somebody asked.
    names: OnceLock<Arc<[String]>>,
    rules: Mutex<Arc<RuleSet>>,
    /// Counts registrations: what was compiled with other rules is of no use.
    version: Arc<AtomicU64>,
}

looks_like_its_function!(CustomFunction);

fn choice<T: Copy>(what: &str, given: &str, among: &[(&str, T)]) -> PyResult<T> {
    if let Some((_, found)) = among.iter().find(|(name, _)| *name == given) {
        return Ok(*found);
    }
    let names: Vec<String> = among.iter().map(|(name, _)| format!("'{name}'")).collect();
    let text = format!("[custom_function] expected {what} to be {}, got '{given}'", names.join(" or "));
    Err(PyValueError::new_err(text))
}

impl CustomFunction {
    fn of(fun: &Bound<'_, PyAny>, missing: &str, captured: &str) -> PyResult<CustomFunction> {
        wrap::callable(fun, "custom_function")?;
        Ok(CustomFunction {
            name: wrap::name_of(fun),
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
            names: OnceLock::new(),
            rules: Mutex::default(),
            version: Arc::default(),
        })
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fun)?;
        // Rules that a node holds too are not ours alone: shown to the collector, they could be cleared while the
        // node still needs them.
        match self.rules.try_lock() {
            Ok(rules) if Arc::strong_count(&rules) == 1 => rules.visit(visit),
            _ => Ok(()),
        }
    }

    fn rules(&self) -> Arc<RuleSet> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn register(&self, change: impl FnOnce(&mut RuleSet)) {
        let py_free = |rules: &mut Arc<RuleSet>| {
            let mut fresh = (**rules).clone();
            change(&mut fresh);
            std::mem::replace(rules, Arc::new(fresh))
        };
        let before = py_free(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner));
        drop(before);
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Names of the parameters; what `*args` takes is numbered.
    fn names(&self, py: Python<'_>) -> Arc<[String]> {
        self.names.get_or_init(|| parameter_names(self.fun.bind(py)).unwrap_or_default().into()).clone()
    }

    /// Paths of the arrays in a tree of `(args, kwargs)`: by far most arguments are arrays themselves.
    fn paths(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Vec<String>> {
        let names = self.names(py);
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
        Ok(paths)
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        compile::touch(&self.version);
        let (arrays, tree) = tree::flatten(both(py, args, kwargs)?.as_any())?;
        let rules = self.rules();
        let slot = Slot::default();
        let (fun, keeper, body_tree) = (self.fun.clone_ref(py), slot.clone(), tree.clone());
        let body = move |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
            Python::attach(|py| {
                let (arrays, tree) = call_tree(fun.bind(py), &body_tree, leaves)?;
                keep(&keeper, tree);
                Ok(arrays)
            })
            .map_err(host)
        };
        let names = self.names(py);
        let func = Function {
            id: self.id,
            name: self.name.clone(),
            args: self.paths(py, args, kwargs)?,
            fun: Box::new(body),
            missing: self.missing,
            captured: self.captured,
        };
        let rules = CallRules { rules, tree, slot: slot.clone(), name: self.name.clone(), roots: names };
        let owner = Owner { func: Arc::new(func), rules: Arc::new(rules) };
        let outs = guard(|| transform::custom::call(&owner, site::caller(py), &arrays).or_raise())?;
        let shape: Tree = kept(&slot)?;
        shape.rebuild(py, &outs)
    }
}

fn parameter_names(fun: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
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

/// A decorator: called with a function it registers it, called without it waits for one.
fn decorate<'py>(
    slf: &Bound<'py, CustomFunction>,
    rule: Option<&Bound<'py, PyAny>>,
    what: &'static str,
    add: impl Fn(&mut RuleSet, Rule) + Send + Sync + Clone + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let register = move |slf: &Bound<'_, CustomFunction>, rule: &Bound<'_, PyAny>| -> PyResult<()> {
        if !rule.is_callable() {
            let got = rule.get_type();
            return Err(PyTypeError::new_err(format!(
                "[custom_function] expected a function as {what} rule, got {got}"
            )));
        }
        let rule = Rule::of(rule)?;
        slf.get().register(|rules| add(rules, rule));
        Ok(())
    };
    if let Some(rule) = rule {
        register(slf, rule)?;
        return Ok(slf.clone().into_any());
    }
    let waiting = slf.clone().unbind();
    let closure = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<Py<PyAny>> {
        let slf = waiting.bind(args.py());
        register(slf, &args.get_item(0)?)?;
        Ok(slf.clone().into_any().unbind())
    };
    Ok(PyCFunction::new_closure(slf.py(), None, None, closure)?.into_any())
}

#[pymethods]
impl CustomFunction {
    #[new]
    #[pyo3(signature = (fun=None, *, missing="body", captured="constant"))]
    fn new(fun: Option<&Bound<'_, PyAny>>, missing: &str, captured: &str) -> PyResult<CustomFunction> {
        match fun {
            Some(fun) => CustomFunction::of(fun, missing, captured),
            None => Err(PyTypeError::new_err(
                "[custom_function] expected a function, got none: @partial(pb.custom_function, missing=...)",
            )),
        }
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

    /// Registers `rule(primals, cotangents, outputs, **kwargs)`, which returns the cotangents of the arguments. A
    /// rule that takes two positional parameters gets no outputs. A single argument arrives by itself, several as
    /// a tuple. With `symbolic_zeros`, cotangents that are zero arrive as `None`.
    #[pyo3(signature = (rule=None, *, symbolic_zeros=false))]
    fn vjp<'py>(
        slf: &Bound<'py, Self>,
        rule: Option<&Bound<'py, PyAny>>,
        symbolic_zeros: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        decorate(slf, rule, "vjp", move |rules, rule| {
            rules.vjp = Some(Arc::new(rule));
            rules.symbolic_vjp = symbolic_zeros;
        })
    }

    /// Registers `rule(primals, tangents, **kwargs)`, which returns the tangents of the outputs, or outputs and
    /// tangents. With `symbolic_zeros`, tangents that are zero arrive as `None`.
    #[pyo3(signature = (rule=None, *, symbolic_zeros=false))]
    fn jvp<'py>(
        slf: &Bound<'py, Self>,
        rule: Option<&Bound<'py, PyAny>>,
        symbolic_zeros: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        decorate(slf, rule, "jvp", move |rules, rule| {
            rules.jvp = Some(Arc::new(rule));
            rules.symbolic_jvp = symbolic_zeros;
        })
    }

    /// Registers `rule(inputs, axes, **kwargs)`, which returns outputs and their axes. A rule with a parameter
    /// `axis_size` is told the size of the batch.
    #[pyo3(signature = (rule=None))]
    fn vmap<'py>(slf: &Bound<'py, Self>, rule: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        decorate(slf, rule, "vmap", |rules, rule| rules.vmap = Some(Arc::new(rule)))
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
            return self.fun.bind(py).call(args, kwargs);
        }
        self.call(py, args, kwargs)
    }

    fn __repr__(&self) -> String {
        format!("<custom_function {}>", self.name)
    }

    /// Found again by its name, as functions are.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        Ok(self.fun.bind(py).getattr("__qualname__")?.cast_into::<PyString>()?)
    }
}
