//! Functions of Python that a graph calls when it is computed.

use std::sync::Arc;

use pullback::callback::{Callback, HOST_CALL, HostCall, PURE_CALLBACK, VmapMethod, call};
use pullback::custom::{Site, Value};
use pullback::op::OpDef;
use pullback::{Array, Aval, Dtype, Error, Result, transform};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::args::aval_of;
use crate::array::{PyArray, build_all, released};
use crate::conform::{Conform, described};
use crate::convert;
use crate::device::On;
use crate::error::{OrRaise, guard, host};
use crate::operators::number;
use crate::site;
use crate::tree::{self, Objects, Tree};
use crate::vmap::both;
use crate::wrap;

/// As what a function gets its arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Views of the elements, which cannot be written to.
    Numpy,
    /// Arrays of ours, on the device of the call.
    Arrays,
}

/// A function, and the structures of its arguments and results.
struct PyCallback {
    fun: Py<PyAny>,
    /// Of `(args, kwargs)`.
    tree: Tree,
    outs: Tree,
    dtypes: Vec<Dtype>,
    sight: Sight,
    name: &'static str,
    site: Site,
}

impl Callback for PyCallback {
    fn call(&self, args: &[Array]) -> Result<Vec<Array>> {
        let note = |error: Error| {
            error.note(format!("{} called at {}:{}", self.name, self.site.file, self.site.line))
        };
        Python::attach(|py| self.attached(py, args)).map_err(host).and_then(|result| result).map_err(note)
    }
}

impl PyCallback {
    fn attached<'py>(&self, py: Python<'py>, args: &[Array]) -> PyResult<Result<Vec<Array>>> {
        let numpy = match self.sight {
            Sight::Numpy => Some(py.import(intern!(py, "numpy"))?.getattr(intern!(py, "asarray"))?),
            Sight::Arrays => None,
        };
        let leaf = |x: &Array| -> PyResult<Bound<'py, PyAny>> {
            let object = Bound::new(py, PyArray::new(x.clone()))?.into_any();
            numpy.as_ref().map_or(Ok(object.clone()), |numpy| numpy.call1((object,)))
        };
        let mut fill =
            Objects { leaves: args.iter().map(leaf), other: |x: &Bound<'py, PyAny>| Ok(x.clone()), py };
        let tree = self.tree.fill(py, &mut fill)?.cast_into::<PyTuple>()?;
        let kwargs = tree.get_item(1)?;
        let kwargs = if kwargs.is_none() { None } else { Some(kwargs.cast_into::<PyDict>()?) };
        let result = self.fun.bind(py).call(tree.get_item(0)?.cast_into::<PyTuple>()?, kwargs.as_ref())?;
        let mut found = Conform::declared(&self.outs, &self.dtypes);
        let wrong = |text: String| Ok(Err(Error::value(format!("[{}] {text}", self.name))));
        if let Err(misfit) = found.read(Some(&result), "result")? {
            return wrong(misfit);
        }
        let mut arrays = Vec::with_capacity(self.dtypes.len());
        for (i, value) in found.found.into_iter().enumerate() {
            match value {
                Value::Array(array) => arrays.push(array),
                Value::None => return wrong(format!("expected an array for result {i}, got None")),
                Value::Tuple(items) => {
                    let got = format!("a sequence of {}", items.len());
                    return wrong(format!("expected an array for result {i}, got {got}"));
                }
                Value::Other(kind) => {
                    return wrong(format!("expected an array for result {i}, got a {kind}"));
                }
                Value::Scalar(_) => return wrong(format!("expected an array for result {i}, got a number")),
            }
        }
        Ok(Ok(arrays))
    }
}

/// The declared results: a tree of things with a shape and a dtype.
fn declared(name: &str, tree: &Bound<'_, PyAny>) -> PyResult<(Tree, Vec<Aval>)> {
    let (arrays, structure) = tree::flatten(tree)?;
    let typed = |i: usize, object: &Bound<'_, PyAny>| match aval_of(object)? {
        Some(aval) => Ok(Some(aval)),
        None => Err(PyTypeError::new_err(format!(
            "[{name}] expected something with a shape and a dtype for result {i}, got {}: \
             give pb.ShapeDtypeStruct(shape, dtype)",
            described(object)
        ))),
    };
    let (avals, structure) = structure.lifted(tree.py(), arrays.iter().map(|x| x.aval().clone()), typed)?;
    Ok((structure, avals))
}

/// Arguments whose numbers and foreign arrays are arrays: a function of arrays gets nothing else, and a map can map it.
pub fn lifted(py: Python<'_>, arrays: Vec<Array>, tree: &Tree) -> PyResult<(Vec<Array>, Tree)> {
    tree.lifted(py, arrays, |_, object| {
        let is_array = || object.hasattr(intern!(py, "__array__"));
        if number(object)?.is_some() || (object.hasattr(intern!(py, "dtype"))? && is_array()?) {
            return convert::array(object, None).map(Some);
        }
        Ok(None)
    })
}

fn method(name: &str, method: Option<&str>) -> PyResult<VmapMethod> {
    Ok(match method {
        None => VmapMethod::Refuse,
        Some("sequential") => VmapMethod::Sequential,
        Some("expand_dims") => VmapMethod::ExpandDims,
        Some("broadcast_all") => VmapMethod::BroadcastAll,
        Some(other) => {
            return Err(PyValueError::new_err(format!(
                "[{name}] expected vmap_method None, 'sequential', 'expand_dims' or 'broadcast_all', got '{other}'"
            )));
        }
    })
}

/// What is called, and how.
struct Request<'a, 'py> {
    op: &'static OpDef,
    fun: &'a Bound<'py, PyAny>,
    result_shape: &'a Bound<'py, PyAny>,
    sight: Sight,
    method: VmapMethod,
}

impl<'py> Request<'_, 'py> {
    fn build(
        self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(Vec<Array>, Tree)> {
        let py = args.py();
        wrap::callable(self.fun, self.op.name)?;
        let (outs, avals) = declared(self.op.name, self.result_shape)?;
        let (arrays, tree) = tree::flatten(both(py, args, kwargs)?.as_any())?;
        let (arrays, tree) = lifted(py, arrays, &tree)?;
        if avals.is_empty() {
            return Ok((Vec::new(), outs));
        }
        let callback = PyCallback {
            fun: self.fun.clone().unbind(),
            tree,
            outs: outs.clone(),
            dtypes: avals.iter().map(|aval| aval.dtype).collect(),
            sight: self.sight,
            name: self.op.name,
            site: site::caller(py),
        };
        let node = HostCall::new(self.op, Arc::new(callback), avals, self.method);
        let arrays: Vec<&Array> = arrays.iter().collect();
        let made = build_all(py, On::default(), || Ok(call(node, &arrays)?.into_vec()))?;
        Ok((made.iter().map(PyArray::get).collect(), outs))
    }
}

/// What `fn(*args, **kwargs)` returns, a function of NumPy arrays that is called when the result is computed.
///
/// `result_shape` says what it returns: a tree of things with a shape and a dtype, such as
/// `pb.ShapeDtypeStruct(shape, dtype)` or an array. `fn` must return the same for the same arguments: it may be
/// called once, several times, or not at all. It gets arrays that cannot be written to, in the trees that were
/// passed, and may itself use pullback.
///
/// `vmap_method` says what happens under `vmap`: with `"sequential"` it is called for each example; with
/// `"expand_dims"` and `"broadcast_all"` once, with the batch axis in front, which arguments that are not mapped have
/// as an axis of length 1, or repeated. It has no derivative: wrap it in a custom function with a rule.
///
/// >>> import numpy as np
/// >>> x = pb.array([1.0, 4.0, 9.0])
/// >>> pb.pure_callback(np.sqrt, x, x)
/// array([1., 2., 3.], dtype=float32)
/// >>> total = pb.ShapeDtypeStruct((), pb.float32)
/// >>> f = lambda x: pb.pure_callback(lambda x: x.sum(), total, x, vmap_method="sequential")
/// >>> pb.vmap(f)(pb.array([[1.0, 2.0], [3.0, 4.0]]))
/// array([3., 7.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (r#fn, result_shape, *args, vmap_method=None, **kwargs))]
pub fn pure_callback<'py>(
    py: Python<'py>,
    r#fn: &Bound<'py, PyAny>,
    result_shape: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    vmap_method: Option<&str>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let method = method("pure_callback", vmap_method)?;
    let request = Request { op: &PURE_CALLBACK, fun: r#fn, result_shape, sight: Sight::Numpy, method };
    let (arrays, tree) = request.build(args, kwargs)?;
    tree.rebuild(py, &arrays)
}

/// As `pure_callback`, for functions of ours: `fn(*args)` gets arrays of pullback, on the device of the call, and
/// returns such.
#[pyfunction]
#[pyo3(signature = (r#fn, result_shape, args, vmap_method=None))]
pub fn _host_call<'py>(
    py: Python<'py>,
    r#fn: &Bound<'py, PyAny>,
    result_shape: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    vmap_method: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let method = method("host_call", vmap_method)?;
    let request = Request { op: &HOST_CALL, fun: r#fn, result_shape, sight: Sight::Arrays, method };
    let (arrays, tree) = request.build(args, None)?;
    tree.rebuild(py, &arrays)
}

/// Calls `fn(*args, **kwargs)` for its effect, with NumPy arrays: now, once for each example of the maps that are open;
/// where a record is made of values that are not there yet, whenever the record's results are computed.
#[pyfunction]
#[pyo3(signature = (r#fn, token, args, kwargs))]
pub fn _debug_print<'py>(
    py: Python<'py>,
    r#fn: &Bound<'py, PyAny>,
    token: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<()> {
    let request = Request {
        op: &HOST_CALL,
        fun: r#fn,
        result_shape: token,
        sight: Sight::Numpy,
        method: VmapMethod::Sequential,
    };
    let (arrays, _) = request.build(args, Some(kwargs))?;
    let token = arrays.first().ok_or_else(|| convert::broken("[debug.print] expected a token"))?;
    let token = guard(|| transform::unmapped(token).or_raise())?;
    if transform::effect(&token) {
        return Ok(());
    }
    released(py, |poll| pullback::eval(std::slice::from_ref(&token), poll))?;
    crate::eval::announce(py)
}
