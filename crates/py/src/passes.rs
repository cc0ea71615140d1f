//! `Function`, the door of PyTorch, as far as it is on the path of a call: how its methods are called, and when.

use pullback::Array;
use pullback::custom::Call;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::context::Context;
use crate::convert;
use crate::custom::Custom;
use crate::held::Held;
use crate::rules::{CallRules, Rule, objects};
use crate::tree::Several;
use crate::vmap::{fresh_arguments, several_arguments};

/// The forward pass of a class, as the function that rules stand for.
#[pyclass(frozen, dict, weakref, name = "_Passes", module = "pullback")]
pub struct Passes {
    forward: Held<Option<Py<PyAny>>>,
    /// `setup_context`, without which `forward` takes the context itself.
    setup: Held<Option<Py<PyAny>>>,
    /// What makes the `inputs` of `setup_context` of arguments.
    inputs: Held<Option<Py<PyAny>>>,
}

/// What a forward pass returned, and its context.
type Passed<'py> = (Bound<'py, PyAny>, Bound<'py, Context>);

impl Passes {
    fn run<'py>(
        &self,
        py: Python<'py>,
        args: &[Bound<'py, PyAny>],
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Passed<'py>> {
        let ctx = Bound::new(py, Context::before(args))?;
        let forward =
            self.forward.bound(py).ok_or_else(|| convert::broken("[Function] expected a forward"))?;
        let (Some(setup), Some(inputs)) = (self.setup.bound(py), self.inputs.bound(py)) else {
            return Ok((forward.call(before(&ctx, args.iter().cloned())?, kwargs)?, ctx));
        };
        let args = PyTuple::new(py, args)?;
        let out = forward.call(&args, kwargs)?;
        let kwargs = kwargs.cloned().unwrap_or_else(|| PyDict::new(py));
        setup.call1((&ctx, inputs.call1((args, kwargs))?, &out))?;
        Ok((out, ctx))
    }

    /// `setup_context`, where there is one.
    pub fn setup<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.setup.bound(py)
    }

    /// Calls it on arguments in objects of their own, for a caller who gave these.
    pub fn call_fresh<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (own, named) = fresh_arguments(args, kwargs)?;
        let (out, ctx) = self.run(args.py(), &own, named.as_ref())?;
        match ctx.get().marks(&own, &out)? {
            Some(marks) => marks.said_of(args, out),
            None => Ok(out),
        }
    }
}

#[pymethods]
impl Passes {
    #[new]
    fn new() -> Passes {
        Passes { forward: Held::default(), setup: Held::default(), inputs: Held::default() }
    }

    /// Puts other methods into the place of those that are there.
    fn _replace(
        &self,
        py: Python<'_>,
        forward: Py<PyAny>,
        setup: Option<Py<PyAny>>,
        inputs: Option<Py<PyAny>>,
    ) {
        let before = [
            self.forward.replace(py, Some(forward)),
            self.setup.replace(py, setup),
            self.inputs.replace(py, inputs),
        ];
        drop(before);
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.call_fresh(args, kwargs)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.forward.visit(&visit)?;
        self.setup.visit(&visit)?;
        self.inputs.visit(&visit)
    }
}

impl CallRules {
    /// Runs the forward pass of a class, and remembers what it says of arguments and outputs.
    pub fn passed<'py>(&self, py: Python<'py>, passes: &Passes, inputs: &[Array]) -> PyResult<Passed<'py>> {
        let (args, kwargs) = several_arguments(py, &self.tree, inputs)?;
        let (out, ctx) = passes.run(py, &args, kwargs.as_ref())?;
        if let Some(marks) = ctx.get().marks(&args, &out)? {
            drop(self.marks.replace(py, Some(marks)));
        }
        Ok((out, ctx))
    }

    fn context<'py>(&self, py: Python<'py>, call: &Call) -> PyResult<Bound<'py, Context>> {
        Context::after(call, &self.tree, &self.residuals(py, call)?)
    }

    /// Calls `backward(ctx, *cotangents)`.
    pub fn backward<'py>(
        &self,
        py: Python<'py>,
        rule: &Rule,
        call: &Call,
        cotangents: &[Option<Array>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let ctx = self.context(py, call)?;
        let cotangents = self.cotangents(py, call, cotangents, !ctx.get().materializes())?;
        let backward = rule.fun.bind(py);
        let result = match cotangents.cast::<PyTuple>() {
            Ok(each) => backward.call1(before(&ctx, each.iter())?)?,
            Err(_) => backward.call1((ctx, cotangents))?,
        };
        // Trailing gradients of nothing are allowed.
        let Ok(each) = result.cast_exact::<PyTuple>() else { return Ok(result) };
        let (count, mut len) = (self.tree.positional().1, each.len());
        while len > count && each.get_item(len - 1)?.is_none() {
            len -= 1;
        }
        Ok(if len < each.len() { each.get_slice(0, len).into_any() } else { result })
    }

    /// Calls `jvp(ctx, *tangents)`.
    pub fn forwards<'py>(
        &self,
        py: Python<'py>,
        rule: &Rule,
        call: &Call,
        tangents: &[Option<Array>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let ctx = self.context(py, call)?;
        ctx.get().forwards(py);
        let leaves = objects(py, tangents, call.inputs, !ctx.get().materializes());
        let other = |_: &Bound<'_, PyAny>| Ok(py.None().into_bound(py));
        let tangents = self.as_arguments(py, leaves, other)?;
        rule.fun.bind(py).call1(before(&ctx, tangents.iter())?)
    }
}

/// The context in front of arguments.
fn before<'py>(
    ctx: &Bound<'py, Context>,
    others: impl Iterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let all: Several<'py> = std::iter::once(ctx.as_any().clone()).chain(others).collect();
    PyTuple::new(ctx.py(), all)
}

/// `apply` of a class: its passes with its rules.
#[pyclass(frozen, extends = Custom, name = "_Applied", module = "pullback")]
pub struct Applied;

#[pymethods]
impl Applied {
    #[new]
    #[pyo3(signature = (fun, *, captured="error"))]
    fn new(fun: &Bound<'_, PyAny>, captured: &str) -> PyResult<PyClassInitializer<Applied>> {
        let custom = Custom::of(fun, "derive", captured, true)?;
        Ok(PyClassInitializer::from(custom).add_subclass(Applied))
    }

    /// It belongs to its class, and to no object that has it as an attribute.
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        _instance: &Bound<'py, PyAny>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> Bound<'py, PyAny> {
        slf.as_any().clone()
    }
}

/// What a class of functions has as `apply`: it finds the one of the class that it is asked of.
#[pyclass(frozen, name = "_Apply", module = "pullback")]
pub struct Apply {
    /// Makes it of a class.
    open: Py<PyAny>,
}

#[pymethods]
impl Apply {
    #[new]
    fn new(open: Py<PyAny>) -> Apply {
        Apply { open }
    }

    fn __get__<'py>(
        &self,
        _instance: &Bound<'py, PyAny>,
        owner: &Bound<'py, PyType>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = owner.py();
        let found = owner.getattr(intern!(py, "_door"))?;
        if !found.is_none() {
            return Ok(found);
        }
        let fresh = self.open.bind(py).call1((owner,))?;
        owner.setattr(intern!(py, "_door"), &fresh)?;
        Ok(fresh)
    }
}
