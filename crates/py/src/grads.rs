//! `grad`, `value_and_grad`, `vjp`, `jvp`, `stop_gradient`, over trees.

use std::cell::RefCell;

use pullback::transform::{self, reverse::check_loss};
use pullback::{Array, Scalar};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::args::Ints;
use crate::array::PyArray;
use crate::convert;
use crate::error::{OrRaise, guard, host};
use crate::listed::{Listed, fitted, returned};
use crate::tree::{self, Tree};
use crate::wrap::{self, Reduced, looks_like_its_function};

/// Which arguments are differentiated, and what is returned.
#[derive(Clone)]
struct Spec {
    argnums: Vec<isize>,
    /// One number was given, so one gradient is returned and no tuple.
    single: bool,
    argnames: Vec<String>,
    has_aux: bool,
    value: bool,
}

/// A function that returns gradients.
#[pyclass(frozen, dict, weakref, module = "pullback")]
pub struct Gradient {
    fun: Py<PyAny>,
    spec: Spec,
}

looks_like_its_function!(Gradient);

impl Gradient {
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fun)
    }

    fn op(&self) -> &'static str {
        if self.spec.value { "value_and_grad" } else { "grad" }
    }
}

fn gradient(
    fun: &Bound<'_, PyAny>,
    argnums: Option<Ints>,
    single: bool,
    argnames: Option<&Bound<'_, PyAny>>,
    has_aux: bool,
    value: bool,
) -> PyResult<Py<Gradient>> {
    wrap::callable(fun, if value { "value_and_grad" } else { "grad" })?;
    let argnames: Vec<String> = match argnames {
        None => Vec::new(),
        Some(names) if names.is_instance_of::<PyString>() => vec![names.to_string()],
        Some(names) => names.extract()?,
    };
    let (argnums, single) = match argnums {
        Some(list) => (list.0, single),
        None if argnames.is_empty() => (vec![0], true),
        None => (Vec::new(), false),
    };
    for (i, num) in argnums.iter().enumerate() {
        if argnums[..i].contains(num) {
            return Err(PyValueError::new_err(format!("[grad] expected distinct argnums, got {num} twice")));
        }
    }
    let spec = Spec { argnums, single, argnames, has_aux, value };
    wrap::dressed(fun, Gradient { fun: fun.clone().unbind(), spec })
}

fn is_one(argnums: Option<&Bound<'_, PyAny>>) -> bool {
    argnums.is_some_and(|argnums| argnums.extract::<isize>().is_ok())
}

fn numbers(argnums: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Ints>> {
    argnums.map(|argnums| argnums.extract()).transpose()
}

/// A function that returns the gradient of `fun`.
///
/// `fun` returns a scalar, or a tuple that starts with one; the rest of the tuple is not differentiated.
/// `argnums` says by which positional arguments to differentiate (one, or several for a tuple of gradients),
/// `argnames` by which keyword arguments (a dict of gradients, after those by position). Arguments are arrays or
/// trees of them. With `has_aux`, what else `fun` returns is returned after the gradients.
///
/// >>> pb.grad(lambda x: x**3)(pb.array(2.0)).item()
/// 12.0
/// >>> pb.grad(lambda p: (p["w"] * p["b"]).sum())({"w": pb.array([1.0, 2.0]), "b": pb.array(3.0)})["b"].item()
/// 3.0
#[pyfunction]
#[pyo3(signature = (fun, argnums=None, argnames=None, *, has_aux=false))]
pub fn grad(
    fun: &Bound<'_, PyAny>,
    argnums: Option<&Bound<'_, PyAny>>,
    argnames: Option<&Bound<'_, PyAny>>,
    has_aux: bool,
) -> PyResult<Py<Gradient>> {
    gradient(fun, numbers(argnums)?, is_one(argnums), argnames, has_aux, false)
}

/// A function that returns what `fun` returns, and its gradient; see `grad`.
///
/// >>> value, slope = pb.value_and_grad(lambda x: x * x)(pb.array(3.0))
/// >>> value.item(), slope.item()
/// (9.0, 6.0)
#[pyfunction]
#[pyo3(signature = (fun, argnums=None, argnames=None, *, has_aux=false))]
pub fn value_and_grad(
    fun: &Bound<'_, PyAny>,
    argnums: Option<&Bound<'_, PyAny>>,
    argnames: Option<&Bound<'_, PyAny>>,
    has_aux: bool,
) -> PyResult<Py<Gradient>> {
    gradient(fun, numbers(argnums)?, is_one(argnums), argnames, has_aux, true)
}

/// Arguments to differentiate, with their places.
struct Chosen<'py> {
    args: Vec<Bound<'py, PyAny>>,
    kwargs: Option<Bound<'py, PyDict>>,
    /// Positions, then names, each with its tree and how many arrays it has.
    positions: Vec<(usize, Tree, usize)>,
    names: Vec<(String, Tree, usize)>,
    arrays: Vec<Array>,
}

impl<'py> Chosen<'py> {
    fn of(
        gradient: &Gradient,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Chosen<'py>> {
        let (op, n) = (gradient.op(), args.len());
        let mut chosen = Chosen {
            args: args.iter().collect(),
            kwargs: kwargs.map(|kwargs| kwargs.copy()).transpose()?,
            positions: Vec::with_capacity(gradient.spec.argnums.len()),
            names: Vec::new(),
            arrays: Vec::new(),
        };
        for &num in &gradient.spec.argnums {
            let at = if num < 0 { num + n as isize } else { num };
            if at < 0 || at as usize >= n {
                let text = format!("[{op}] expected argnums among {n} positional arguments, got {num}");
                return Err(PyValueError::new_err(text));
            }
            let (tree, count) = chosen.take(op, &format!("argument {at}"), &args.get_item(at as usize)?)?;
            chosen.positions.push((at as usize, tree, count));
        }
        for name in &gradient.spec.argnames {
            let value = match kwargs {
                Some(kwargs) => kwargs.get_item(name)?,
                None => None,
            };
            let Some(value) = value else {
                let text = format!("[{op}] expected keyword argument '{name}', got a call without it");
                return Err(PyValueError::new_err(text));
            };
            let (tree, count) = chosen.take(op, &format!("argument {name}"), &value)?;
            chosen.names.push((name.clone(), tree, count));
        }
        Ok(chosen)
    }

    fn take(&mut self, op: &str, what: &str, value: &Bound<'py, PyAny>) -> PyResult<(Tree, usize)> {
        let (arrays, tree) = tree::flatten_numbers(value)?;
        if arrays.is_empty() {
            let got = value.get_type();
            let text =
                format!("[{op}] expected an array or a tree of arrays for {what}, got {got}: pb.array(x)");
            return Err(PyTypeError::new_err(text));
        }
        if let Some(x) = arrays.iter().find(|x| !x.is_inexact()) {
            let aval = x.aval();
            let text = format!("[{op}] expected a float array for {what}, got {aval}: x.astype(pb.float32)");
            return Err(PyTypeError::new_err(text));
        }
        let count = arrays.len();
        self.arrays.extend(arrays);
        Ok((tree, count))
    }

    /// Calls the function with leaves in place of the arrays.
    fn call(&self, fun: &Bound<'py, PyAny>, leaves: &[Array]) -> PyResult<Bound<'py, PyAny>> {
        let py = fun.py();
        let mut args = self.args.clone();
        let mut rest = leaves;
        for (at, tree, count) in &self.positions {
            let (own, others) = rest.split_at(*count);
            args[*at] = tree.rebuild(py, own)?;
            rest = others;
        }
        let kwargs = match &self.kwargs {
            Some(kwargs) if !self.names.is_empty() => Some(kwargs.copy()?),
            other => other.clone(),
        };
        for (name, tree, count) in &self.names {
            let (own, others) = rest.split_at(*count);
            if let Some(kwargs) = &kwargs {
                kwargs.set_item(name, tree.rebuild(py, own)?)?;
            }
            rest = others;
        }
        fun.call(PyTuple::new(py, args)?, kwargs.as_ref())
    }

    /// Gradients in the shape of the arguments.
    fn shaped(&self, py: Python<'py>, gradients: &[Array]) -> PyResult<Bound<'py, PyAny>> {
        let mut rest = gradients;
        let mut each = Vec::with_capacity(self.positions.len());
        for (_, tree, count) in &self.positions {
            let (own, others) = rest.split_at(*count);
            each.push(tree.rebuild_without(py, own)?);
            rest = others;
        }
        let positional = match each.len() {
            // One gradient comes by itself, also where a sequence of one number was given: MLX has it so.
            1 => each.swap_remove(0),
            0 => py.None().into_bound(py),
            _ => PyTuple::new(py, each)?.into_any(),
        };
        if self.names.is_empty() {
            return Ok(positional);
        }
        let named = PyDict::new(py);
        for (name, tree, count) in &self.names {
            let (own, others) = rest.split_at(*count);
            named.set_item(name, tree.rebuild_without(py, own)?)?;
            rest = others;
        }
        Ok(PyTuple::new(py, [positional, named.into_any()])?.into_any())
    }
}

/// The loss in what a function returned.
fn loss_of(op: &str, result: &Bound<'_, PyAny>, has_aux: bool) -> PyResult<Array> {
    let first = match result.cast::<PyTuple>() {
        Ok(tuple) if !tuple.is_empty() => {
            if has_aux && tuple.len() != 2 {
                let n = tuple.len();
                let text = format!("[{op}] expected (loss, aux) with has_aux=True, got a tuple of {n}");
                return Err(PyValueError::new_err(text));
            }
            tuple.get_item(0)?
        }
        _ if has_aux => {
            let got = result.get_type();
            let text = format!("[{op}] expected (loss, aux) with has_aux=True, got {got}");
            return Err(PyTypeError::new_err(text));
        }
        _ => result.clone(),
    };
    match first.cast::<PyArray>() {
        Ok(loss) => Ok(loss.get().get()),
        Err(_) => {
            let got = first.get_type();
            let text = format!("[{op}] expected a scalar array from the function, got {got}");
            Err(PyTypeError::new_err(text))
        }
    }
}

#[pymethods]
impl Gradient {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(|| self.call(py, args, kwargs))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let spec = &self.spec;
        let nums = if spec.single {
            spec.argnums[0].into_pyobject(py)?.into_any()
        } else {
            PyTuple::new(py, &spec.argnums)?.into_any()
        };
        let flags = PyTuple::new(py, [spec.has_aux, spec.value])?;
        let parts =
            [self.fun.bind(py).clone(), nums, spec.argnames.clone().into_pyobject(py)?, flags.into_any()];
        Ok((wrap::maker(py, "_gradient")?, PyTuple::new(py, parts)?))
    }
}

/// What `pickle` calls.
#[pyfunction]
pub fn _gradient(
    fun: &Bound<'_, PyAny>,
    argnums: &Bound<'_, PyAny>,
    argnames: &Bound<'_, PyAny>,
    flags: (bool, bool),
) -> PyResult<Py<Gradient>> {
    gradient(fun, numbers(Some(argnums))?, is_one(Some(argnums)), Some(argnames), flags.0, flags.1)
}

impl Gradient {
    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let spec = &self.spec;
        let chosen = Chosen::of(self, args, kwargs)?;
        let fun = self.fun.bind(py);
        let returned = RefCell::new(None);
        let inner = |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
            let result = chosen.call(fun, leaves).map_err(host)?;
            let loss = loss_of(self.op(), &result, spec.has_aux).map_err(host)?;
            check_loss(&loss)?;
            returned.replace(Some(result));
            Ok(vec![loss])
        };
        let (outs, pullback) = transform::vjp(&inner, &chosen.arrays).or_raise()?;
        let one = Array::scalar(Scalar::Float(1.), outs[0].dtype());
        let gradients = pullback.call_dense(&[one]).or_raise()?;
        drop(pullback);
        wrap::warn(py)?;
        let gradients = chosen.shaped(py, &gradients)?;
        let result =
            returned.take().ok_or_else(|| convert::broken("[grad] expected the function to be called"))?;
        if spec.value {
            return Ok(PyTuple::new(py, [result, gradients])?.into_any());
        }
        if spec.has_aux {
            return Ok(PyTuple::new(py, [gradients, result.get_item(1)?])?.into_any());
        }
        Ok(gradients)
    }
}

/// Two lists of trees.
type Lists<'py> = (Vec<Bound<'py, PyAny>>, Vec<Bound<'py, PyAny>>);

/// The outputs of `fun` at `primals`, and the products of `cotangents` (one for each output) with its Jacobian (one
/// for each primal), as two lists.
///
/// >>> outs, vjps = pb.vjp(pb.sin, [pb.array(0.0)], [pb.array(2.0)])
/// >>> vjps[0].item()
/// 2.0
#[pyfunction]
pub fn vjp<'py>(
    fun: &Bound<'py, PyAny>,
    primals: &Bound<'py, PyAny>,
    cotangents: &Bound<'py, PyAny>,
) -> PyResult<Lists<'py>> {
    wrap::callable(fun, "vjp")?;
    let py = fun.py();
    guard(|| {
        let given = Listed::of("vjp", "primals", primals)?;
        let mut seeds = Listed::of("vjp", "cotangents", cotangents)?.arrays;
        let shape = RefCell::new(None);
        let inner = |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
            let run = || -> PyResult<Listed> {
                let args = PyTuple::new(py, given.objects(py, leaves)?)?;
                returned("vjp", &fun.call1(args)?)
            };
            let listed = run().map_err(host)?;
            let arrays = listed.arrays.clone();
            shape.replace(Some(listed));
            Ok(arrays)
        };
        let (outs, pullback) = transform::vjp(&inner, &given.arrays).or_raise()?;
        let shape: Listed =
            shape.take().ok_or_else(|| convert::broken("[vjp] expected the function to be called"))?;
        if let Some(matched) = shape.matched("vjp", "cotangents", cotangents)? {
            seeds = matched;
        }
        let pulled = pullback.call_dense(&fitted(&seeds, &outs)).or_raise()?;
        wrap::warn(py)?;
        Ok((shape.objects(py, &outs)?, given.objects(py, &pulled)?))
    })
}

/// The outputs of `fun` at `primals`, and the products of its Jacobian with `tangents` (one for each primal), as two
/// lists.
///
/// >>> outs, jvps = pb.jvp(pb.sin, [pb.array(0.0)], [pb.array(2.0)])
/// >>> jvps[0].item()
/// 2.0
#[pyfunction]
pub fn jvp<'py>(
    fun: &Bound<'py, PyAny>,
    primals: &Bound<'py, PyAny>,
    tangents: &Bound<'py, PyAny>,
) -> PyResult<Lists<'py>> {
    wrap::callable(fun, "jvp")?;
    let py = fun.py();
    guard(|| {
        let given = Listed::of("jvp", "primals", primals)?;
        let seeds = match given.matched("jvp", "tangents", tangents)? {
            Some(matched) => matched,
            None => Listed::of("jvp", "tangents", tangents)?.arrays,
        };
        let shape = RefCell::new(None);
        let inner = |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
            let run = || -> PyResult<Listed> {
                let args = PyTuple::new(py, given.objects(py, leaves)?)?;
                returned("jvp", &fun.call1(args)?)
            };
            let listed = run().map_err(host)?;
            let arrays = listed.arrays.clone();
            shape.replace(Some(listed));
            Ok(arrays)
        };
        let seeds = fitted(&seeds, &given.arrays);
        let (outs, pushed) = transform::jvp_dense(&inner, &given.arrays, &seeds).or_raise()?;
        wrap::warn(py)?;
        let shape =
            shape.take().ok_or_else(|| convert::broken("[jvp] expected the function to be called"))?;
        Ok((shape.objects(py, &outs)?, shape.objects(py, &pushed)?))
    })
}

/// The same values, through which no derivative passes: of an array, or of a tree.
///
/// >>> pb.grad(lambda x: x * pb.stop_gradient(x))(pb.array(3.0)).item()
/// 3.0
#[pyfunction]
#[pyo3(signature = (a, /, *, stream=crate::device::On::default()), text_signature = "(a, /, *, stream=None)")]
pub fn stop_gradient<'py>(a: &Bound<'py, PyAny>, stream: crate::device::On) -> PyResult<Bound<'py, PyAny>> {
    let _here = stream.enter();
    let (arrays, tree) = tree::flatten(a)?;
    let stopped =
        arrays.iter().map(transform::stop_gradient).collect::<pullback::Result<Vec<_>>>().or_raise()?;
    tree.rebuild(a.py(), &stopped)
}
