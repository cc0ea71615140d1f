//! `checkpoint`, over trees, and names for its policies.

use std::sync::Arc;

use pullback::Array;
use pullback::transform::{self, Policy};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::args::Given;
use crate::error::{OrRaise, guard, host};
use crate::site;
use crate::tree;
use crate::vmap::{Slot, both, call_fresh, call_tree, keep, kept};
use crate::wrap::{self, Reduced, looks_like_its_function};

/// A function that is computed again for its gradient, and keeps nothing of what it computed on the way but what a
/// policy says.
#[pyclass(frozen, dict, weakref, module = "pullback")]
pub struct Checkpointed {
    fun: Py<PyAny>,
    policy: Py<PyAny>,
    keeps: Policy,
}

looks_like_its_function!(Checkpointed);

impl Checkpointed {
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fun)?;
        visit.call(&self.policy)
    }
}

/// `fun`, which keeps no intermediate values for its gradient, and computes them again instead.
///
/// `policy` says which values are kept all the same: one of `pb.checkpoint_policies`, which know values by the names
/// that `pb.checkpoint_name` gives them. Without `fun` it is a decorator. Rules are used as they are without it, and
/// random numbers are drawn once.
///
/// >>> pb.grad(pb.checkpoint(lambda x: pb.sin(pb.sin(x))))(pb.array(0.0)).item()
/// 1.0
/// >>> @pb.checkpoint(policy=pb.checkpoint_policies.save_only_these_names("root"))
/// ... def f(x):
/// ...     return pb.checkpoint_name(pb.sqrt(x), "root") ** 3
/// >>> pb.grad(f)(pb.array(4.0)).item()
/// 3.0
#[pyfunction]
#[pyo3(signature = (fun=Given::Not, policy=None), text_signature = "(fun=None, policy=None)")]
pub fn checkpoint<'py>(
    py: Python<'py>,
    fun: Given<'py>,
    policy: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let keeps = policy.as_ref().map_or(Ok(Policy::Nothing), read)?;
    let policy = policy.unwrap_or_else(|| py.None().into_bound(py));
    let Given::As(fun) = fun else {
        let named = PyDict::new(py);
        named.set_item("policy", policy)?;
        let args = (wrap::maker(py, "checkpoint")?,);
        return py.import("functools")?.getattr("partial")?.call(args, Some(&named));
    };
    wrap::callable(&fun, "checkpoint")?;
    let wrapper = Checkpointed { fun: fun.clone().unbind(), policy: policy.unbind(), keeps };
    Ok(wrap::dressed(&fun, wrapper)?.into_bound(py).into_any())
}

/// A policy as Python has it: its kind, and names.
fn read(policy: &Bound<'_, PyAny>) -> PyResult<Policy> {
    let py = policy.py();
    let parts = || -> PyResult<(String, Vec<String>)> {
        let (kind, names) = (policy.getattr(intern!(py, "kind"))?, policy.getattr(intern!(py, "names"))?);
        Ok((kind.extract()?, names.extract()?))
    };
    match parts() {
        Ok((kind, names)) => match kind.as_str() {
            "nothing" => return Ok(Policy::Nothing),
            "everything" => return Ok(Policy::Everything),
            "only" => return Ok(Policy::Only(names.into())),
            "except" => return Ok(Policy::Except(names.into())),
            _ => {}
        },
        // What the user pressed, and what ran out, is no answer to the question.
        Err(error) if !error.is_instance_of::<pyo3::exceptions::PyException>(py) => return Err(error),
        Err(_) => {}
    }
    let got = policy.get_type();
    Err(PyTypeError::new_err(format!(
        "[checkpoint] expected one of pb.checkpoint_policies, got {got}: \
         policy=pb.checkpoint_policies.save_only_these_names('name')"
    )))
}

/// `x` itself, an array or a tree of arrays, by a name that policies of `checkpoint` know it by.
///
/// >>> keep = pb.checkpoint_policies.save_only_these_names("sine")
/// >>> f = pb.checkpoint(lambda x: pb.checkpoint_name(pb.sin(x), "sine") ** 2, policy=keep)
/// >>> pb.grad(f)(pb.array(0.0)).item()
/// 0.0
#[pyfunction]
pub fn checkpoint_name<'py>(x: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let (arrays, tree) = tree::flatten(x)?;
    let named = arrays.iter().map(|x| transform::checkpoint_name(x, name));
    tree.rebuild(x.py(), &named.collect::<pullback::Result<Vec<Array>>>().or_raise()?)
}

#[pymethods]
impl Checkpointed {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !transform::any_active() {
            return call_fresh(self.fun.bind(py), args, kwargs);
        }
        let (arrays, tree) = tree::flatten(both(py, args, kwargs)?.as_any())?;
        let slot: Arc<Slot> = Arc::default();
        let (fun, keeper) = (self.fun.clone_ref(py), slot.clone());
        let inner = move |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
            Python::attach(|py| {
                let (arrays, tree) = call_tree(fun.bind(py), &tree, leaves)?;
                keep(py, &keeper, tree);
                Ok(arrays.into_vec())
            })
            .map_err(host)
        };
        let (keeps, site) = (self.keeps.clone(), site::caller(py));
        let outs = guard(|| transform::checkpoint_with(inner, &arrays, keeps, site).or_raise())?;
        kept(py, &slot)?.rebuild(py, &outs)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let parts = [self.fun.bind(py), self.policy.bind(py)];
        Ok((wrap::maker(py, "checkpoint")?, PyTuple::new(py, parts)?))
    }
}
