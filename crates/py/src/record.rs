//! Functions recorded once, for arguments of given types, with what they captured as further arguments.

use std::cell::RefCell;

use pullback::transform::{self, Traced};
use pullback::{Array, Aval};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::args::aval_of;
use crate::array::PyArray;
use crate::callback::lifted;
use crate::conform::described;
use crate::convert;
use crate::error::{OrRaise, guard, host};
use crate::operators::number;
use crate::tree::{self, Tree};
use crate::wrap;

/// What becomes of captured arrays in a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Captured {
    /// They stand in it as they were, unless others are given.
    Default,
    /// They are given.
    Given,
}

/// A recorded function.
#[pyclass(frozen, weakref, module = "pullback")]
pub struct Record {
    op: &'static str,
    traced: Traced,
    /// Of the arguments, as a tuple.
    tree: Tree,
    /// How many arguments, and how many arrays in them.
    args: usize,
    arrays: usize,
    /// Of what the function returned.
    shape: Tree,
    captured: Vec<Array>,
    policy: Captured,
}

/// The types of example arguments: of arrays, numbers and whatever has a shape and a dtype. What is neither stays as it
/// is.
pub fn examples(op: &str, args: &Bound<'_, PyTuple>) -> PyResult<(Tree, Vec<Aval>)> {
    let py = args.py();
    let (arrays, tree) = tree::flatten(args.as_any())?;
    let (avals, tree) =
        tree.lifted(py, arrays.iter().map(|x| x.aval().clone()), |_, object| typed(object))?;
    if avals.is_empty() && op == "linear_transpose" {
        let got = described(args.as_any());
        let text = format!("[{op}] expected arrays, or pb.ShapeDtypeStruct, as primals, got {got}");
        return Err(PyValueError::new_err(text));
    }
    Ok((tree, avals))
}

fn typed(object: &Bound<'_, PyAny>) -> PyResult<Option<Aval>> {
    if number(object)?.is_some() {
        return Ok(Some(convert::array(object, None)?.aval().clone()));
    }
    aval_of(object)
}

fn record(
    op: &'static str,
    fun: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
    policy: Captured,
) -> PyResult<Record> {
    wrap::callable(fun, op)?;
    let py = fun.py();
    let (tree, avals) = examples(op, args)?;
    let shape = RefCell::new(None);
    let inner = |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
        let run = || -> PyResult<Vec<Array>> {
            let args = tree.rebuild(py, leaves)?.cast_into::<PyTuple>()?;
            let (outs, tree) = tree::flatten_numbers(&fun.call1(args)?)?;
            shape.replace(Some(tree));
            Ok(outs)
        };
        run().map_err(host)
    };
    let (traced, captured) = transform::closed(&inner, &avals).or_raise()?;
    wrap::warn(py)?;
    let shape = shape.take().ok_or_else(|| convert::broken("[record] expected the function to be called"))?;
    Ok(Record { op, traced, tree, args: args.len(), arrays: avals.len(), shape, captured, policy })
}

/// `fun` recorded for arguments like the examples: a function of such arguments that runs no Python. What it captured
/// and what depends on a transform that is open is in `captured`, and may be given after the arguments.
#[pyfunction]
pub fn _record(fun: &Bound<'_, PyAny>, example_args: &Bound<'_, PyTuple>) -> PyResult<Record> {
    guard(|| record("record", fun, example_args, Captured::Default))
}

/// `fun` as a function of what it captured: `(converted, consts)`, where `converted(*args, *consts)` is `fun(*args)`.
///
/// `consts` are the captured arrays that depend on a transform that is open: whoever calls `converted` can
/// differentiate by them, and map over them. `fun` is called once, on arguments like the examples: arrays, or whatever
/// has a shape and a dtype.
///
/// >>> def f(a):
/// ...     converted, consts = pb.closure_convert(lambda x: a * x, pb.array(1.0))
/// ...     return len(consts) * converted(pb.array(3.0), *consts)
/// >>> pb.grad(f)(pb.array(2.0)).item()
/// 3.0
/// >>> pb.closure_convert(lambda x: 2 * x, pb.array(1.0))[1]
/// []
#[pyfunction]
#[pyo3(signature = (fun, *example_args))]
pub fn closure_convert<'py>(
    fun: &Bound<'py, PyAny>,
    example_args: &Bound<'py, PyTuple>,
) -> PyResult<(Bound<'py, Record>, Bound<'py, PyList>)> {
    let py = fun.py();
    let record = guard(|| record("closure_convert", fun, example_args, Captured::Given))?;
    let consts = objects(py, &record.captured)?;
    Ok((Bound::new(py, record)?, consts))
}

fn objects<'py>(py: Python<'py>, arrays: &[Array]) -> PyResult<Bound<'py, PyList>> {
    let each = arrays.iter().map(|x| Bound::new(py, PyArray::new(x.clone())));
    PyList::new(py, each.collect::<PyResult<Vec<_>>>()?)
}

#[pymethods]
impl Record {
    #[pyo3(signature = (*args))]
    fn __call__<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| self.call(py, args))
    }

    /// What was captured and depends on a transform.
    #[getter]
    fn captured<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        objects(py, &self.captured)
    }
}

impl Record {
    fn call<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let (op, n, more) = (self.op, self.args, self.captured.len());
        let given = args.len() == n + more;
        if !given && (args.len() != n || self.policy == Captured::Given) {
            let got = args.len();
            let text = format!("[{op}] expected {n} arguments and {more} captured arrays, got {got}");
            return Err(PyTypeError::new_err(text));
        }
        let own = args.get_slice(0, n);
        let (arrays, tree) = tree::flatten(own.as_any())?;
        let (mut arrays, tree) = lifted(py, arrays, &tree)?;
        if !tree.same(py, &self.tree)? {
            let (want, got) = (self.described(py), described(own.as_any()));
            let text =
                format!("[{op}] expected arguments of the structure it was recorded for, {want}, got ");
            return Err(PyTypeError::new_err(text + &got + " of another one"));
        }
        if given {
            for object in args.get_slice(n, n + more).iter() {
                arrays.push(convert::array(&object, None)?);
            }
        } else {
            arrays.extend(self.captured.iter().cloned());
        }
        for (i, (array, aval)) in arrays.iter().zip(self.traced.arguments()).enumerate() {
            if *array.aval() != aval {
                let what = match i.checked_sub(self.arrays) {
                    Some(i) => format!("captured array {i}"),
                    None => self.tree.paths(py, "args")[i].clone(),
                };
                let got = array.aval();
                let text = format!("[{op}] expected {aval} for {what}, as in the example, got {got}");
                return Err(PyValueError::new_err(text));
            }
        }
        let outs = self.traced.call(&arrays).or_raise()?;
        wrap::warn(py)?;
        self.shape.rebuild(py, &outs)
    }

    /// The arrays of the example, by their paths.
    fn described(&self, py: Python<'_>) -> String {
        let avals = self.traced.arguments();
        let each = self.tree.paths(py, "args").into_iter().zip(avals);
        each.map(|(path, aval)| format!("{path}: {aval}")).collect::<Vec<_>>().join(", ")
    }
}
