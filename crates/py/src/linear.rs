//! `linearize`, `vjp_fun`, `linear_transpose`: functions that were run once, as linear maps, over trees.

use std::cell::RefCell;

use pullback::transform::{self, Pullback, Pushforward, Transposed};
use pullback::{Array, Aval};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::convert;
use crate::error::{OrRaise, guard, host};
use crate::listed::placed;
use crate::record::examples;
use crate::tree::{self, Tree};
use crate::wrap;

/// Which way it goes.
enum Way {
    Push(Pushforward),
    Pull(Pullback),
    Transpose(Transposed),
}

/// What was run once, as a function of tangents or of a cotangent.
#[pyclass(frozen, weakref, module = "pullback")]
pub struct LinearMap {
    way: Way,
    /// Of the primals, as a tuple.
    primals: Tree,
    inputs: Vec<Aval>,
    /// Of what the function returned.
    shape: Tree,
    outputs: Vec<Aval>,
}

#[pymethods]
impl LinearMap {
    #[pyo3(signature = (*args))]
    fn __call__<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| self.call(py, args))
    }
}

fn avals(arrays: &[Array]) -> Vec<Aval> {
    arrays.iter().map(|x| x.aval().clone()).collect()
}

/// Zeros where nothing arrived.
fn dense(found: Vec<Option<Array>>, like: &[Aval]) -> Vec<Array> {
    let zero = |aval: &Aval| Array::full(pullback::Scalar::Float(0.), aval);
    found.into_iter().zip(like).map(|(x, aval)| x.unwrap_or_else(|| zero(aval))).collect()
}

impl LinearMap {
    fn call<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        if let Way::Push(push) = &self.way {
            let seeds = placed("linearize", "tangents", &self.primals, &self.inputs, args.as_any())?;
            let pushed = push.call(&seeds).or_raise()?;
            wrap::warn(py)?;
            return self.shape.rebuild(py, &dense(pushed, &self.outputs));
        }
        let op = if let Way::Pull(_) = self.way { "vjp_fun" } else { "linear_transpose" };
        if args.len() != 1 {
            let n = args.len();
            let text = format!("[{op}] expected one cotangent, shaped as the function's result, got {n}");
            return Err(PyTypeError::new_err(text));
        }
        let seeds = placed(op, "cotangent", &self.shape, &self.outputs, &args.get_item(0)?)?;
        let pulled = match &self.way {
            Way::Pull(back) => back.call(&seeds),
            Way::Transpose(back) => back.call(&seeds),
            Way::Push(_) => unreachable!("answered above"),
        };
        let pulled = pulled.or_raise()?;
        wrap::warn(py)?;
        self.primals.rebuild_without(py, &dense(pulled, &self.inputs))
    }
}

/// A function of leaves, and what it returned besides arrays.
struct Run<'a, 'py> {
    op: &'static str,
    fun: &'a Bound<'py, PyAny>,
    tree: &'a Tree,
    has_aux: bool,
    /// The structure of the result, and what goes along.
    returned: RefCell<Option<(Tree, Option<Bound<'py, PyAny>>)>>,
}

impl<'py> Run<'_, 'py> {
    fn call(&self, leaves: &[Array]) -> PyResult<Vec<Array>> {
        let args = self.tree.rebuild(self.fun.py(), leaves)?.cast_into::<PyTuple>()?;
        let mut result = self.fun.call1(args)?;
        let mut aux = None;
        if self.has_aux {
            let pair = result.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2);
            let Some(pair) = pair else {
                let (op, got) = (self.op, crate::conform::described(&result));
                let text = format!("[{op}] expected (result, aux) with has_aux=True, got {got}");
                return Err(PyTypeError::new_err(text));
            };
            let (first, second) = (pair.get_item(0)?, pair.get_item(1)?);
            aux = Some(second);
            result = first;
        }
        let (arrays, shape) = tree::flatten_numbers(&result)?;
        self.returned.replace(Some((shape, aux)));
        Ok(arrays)
    }

    fn returned(&self) -> PyResult<(Tree, Option<Bound<'py, PyAny>>)> {
        let broken = || convert::broken("[linearize] expected the function to be called");
        self.returned.take().ok_or_else(broken)
    }
}

/// The primals: their arrays, as leaves of a tuple.
fn primals(op: &str, args: &Bound<'_, PyTuple>) -> PyResult<(Vec<Array>, Tree)> {
    let (arrays, tree) = tree::flatten_numbers(args.as_any())?;
    if arrays.is_empty() {
        let got = crate::conform::described(args.as_any());
        let text = format!("[{op}] expected arrays or trees of arrays as primals, got {got}: pb.array(x)");
        return Err(PyValueError::new_err(text));
    }
    Ok((arrays, tree))
}

/// Runs `fun` once, by `trace`, and answers as JAX does: result, map, and what goes along if there is any.
fn linear<'py>(
    op: &'static str,
    fun: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    has_aux: bool,
    trace: impl FnOnce(&transform::Fun<'_>, &[Array]) -> pullback::Result<(Vec<Array>, Way)>,
) -> PyResult<Bound<'py, PyTuple>> {
    wrap::callable(fun, op)?;
    let py = fun.py();
    let (arrays, tree) = primals(op, args)?;
    let run = Run { op, fun, tree: &tree, has_aux, returned: RefCell::new(None) };
    let (outs, way) = trace(&|leaves| run.call(leaves).map_err(host), &arrays).or_raise()?;
    wrap::warn(py)?;
    let (shape, aux) = run.returned()?;
    let out = shape.rebuild(py, &outs)?;
    let map = LinearMap { way, primals: tree, inputs: avals(&arrays), shape, outputs: avals(&outs) };
    let mut parts = vec![out, Bound::new(py, map)?.into_any()];
    parts.extend(aux);
    PyTuple::new(py, parts)
}

/// What `fun` returns at `primals`, and its derivative there, a function of tangents.
///
/// `fun` is called once: `f_jvp(*tangents)` pushes tangents, shaped as the primals, through what it recorded, by the
/// rules of the custom functions in it, as often as it is called and under any transform. With `has_aux`, `fun`
/// returns `(result, aux)`, and `aux` is returned as a third.
///
/// >>> y, f_jvp = pb.linearize(lambda x: x**3, pb.array(2.0))
/// >>> y.item(), f_jvp(pb.array(1.0)).item(), f_jvp(pb.array(0.5)).item()
/// (8.0, 12.0, 6.0)
#[pyfunction]
#[pyo3(signature = (fun, *primals, has_aux=false))]
pub fn linearize<'py>(
    fun: &Bound<'py, PyAny>,
    primals: &Bound<'py, PyTuple>,
    has_aux: bool,
) -> PyResult<Bound<'py, PyTuple>> {
    guard(|| {
        linear("linearize", fun, primals, has_aux, |f, arrays| {
            transform::linearize(f, arrays).map(|(outs, push)| (outs, Way::Push(push)))
        })
    })
}

/// What `fun` returns at `primals`, and the way back, a function of a cotangent: `vjp` as JAX has it.
///
/// The cotangent is shaped as the result of `fun`, which is called once; the gradients come as a tuple, one for each
/// primal. With `has_aux`, `fun` returns `(result, aux)`, and `aux` is returned as a third.
///
/// >>> y, pullback = pb.vjp_fun(lambda x, y: {"product": x * y}, pb.array(2.0), pb.array(5.0))
/// >>> [g.item() for g in pullback({"product": pb.array(1.0)})]
/// [5.0, 2.0]
#[pyfunction]
#[pyo3(signature = (fun, *primals, has_aux=false))]
pub fn vjp_fun<'py>(
    fun: &Bound<'py, PyAny>,
    primals: &Bound<'py, PyTuple>,
    has_aux: bool,
) -> PyResult<Bound<'py, PyTuple>> {
    guard(|| {
        linear("vjp_fun", fun, primals, has_aux, |f, arrays| {
            transform::vjp(f, arrays).map(|(outs, back)| (outs, Way::Pull(back)))
        })
    })
}

/// The transpose of `fun`, which is linear in its arguments: a function of a cotangent, shaped as the result of `fun`,
/// that returns a tuple shaped as the arguments.
///
/// `primals` are arrays, or whatever has a shape and a dtype, such as `pb.ShapeDtypeStruct`; their elements do not
/// matter. A function that is not linear is a `RuleError` that names the operation.
///
/// >>> x = pb.ShapeDtypeStruct((3,), pb.float32)
/// >>> back = pb.linear_transpose(lambda x: 2 * x.sum(), x)
/// >>> back(pb.array(1.0))
/// (array([2., 2., 2.], dtype=float32),)
#[pyfunction]
#[pyo3(signature = (fun, *primals))]
pub fn linear_transpose(fun: &Bound<'_, PyAny>, primals: &Bound<'_, PyTuple>) -> PyResult<LinearMap> {
    let op = "linear_transpose";
    wrap::callable(fun, op)?;
    guard(|| {
        let (tree, inputs) = examples(op, primals)?;
        let run = Run { op, fun, tree: &tree, has_aux: false, returned: RefCell::new(None) };
        let back =
            transform::linear_transpose(&|leaves| run.call(leaves).map_err(host), &inputs).or_raise()?;
        wrap::warn(fun.py())?;
        let (shape, _) = run.returned()?;
        let outputs = back.avals();
        Ok(LinearMap { way: Way::Transpose(back), primals: tree, inputs, shape, outputs })
    })
}
