//! `@custom_function`, the door of MLX: decorators that register rules.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::custom::{Custom, function};
use crate::rules::{Rule, RuleSet};

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
#[pyclass(frozen, subclass, extends = Custom, name = "custom_function", module = "pullback")]
pub struct CustomFunction;

/// A decorator: called with a function it registers it, called without it waits for one.
fn decorate<'py>(
    slf: &Bound<'py, CustomFunction>,
    rule: Option<&Bound<'py, PyAny>>,
    what: &'static str,
    add: impl Fn(&mut RuleSet, Rule) + Send + Sync + Clone + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let register = move |slf: &Bound<'_, CustomFunction>, rule: &Bound<'_, PyAny>| -> PyResult<()> {
        function(rule, what)?;
        let rule = Rule::listed(rule)?;
        slf.as_super().get().register(slf.py(), |rules| add(rules, rule));
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
    fn new(
        fun: Option<&Bound<'_, PyAny>>,
        missing: &str,
        captured: &str,
    ) -> PyResult<PyClassInitializer<CustomFunction>> {
        match fun {
            Some(fun) => {
                let custom = Custom::of(fun, missing, captured, false)?;
                Ok(PyClassInitializer::from(custom).add_subclass(CustomFunction))
            }
            None => Err(PyTypeError::new_err(
                "[custom_function] expected a function, got none: @partial(pb.custom_function, missing=...)",
            )),
        }
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
            (rules.forward, rules.vjp) = (None, Some(Arc::new(rule)));
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
}
