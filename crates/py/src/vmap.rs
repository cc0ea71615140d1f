//! `vmap`, over trees; what other functions of functions do with arguments and results.

use std::cell::RefCell;

use pullback::transform::{self, Out, batch_size};
use pullback::{Array, Inputs, Outputs};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::args::Given;
use crate::array::PyArray;
use crate::axes::{self, axis_of};
use crate::convert;
use crate::error::{OrRaise, guard, host};
use crate::held::Held;
use crate::rules::object;
use crate::tree::{self, Several, Shape, Tree, each_object, shape_of};
use crate::wrap::{self, Reduced, looks_like_its_function};

/// A function that maps.
#[pyclass(frozen, dict, weakref, module = "pullback")]
pub struct Mapped {
    fun: Py<PyAny>,
    in_axes: Py<PyAny>,
    out_axes: Py<PyAny>,
    axis_size: Option<usize>,
}

looks_like_its_function!(Mapped);

impl Mapped {
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fun)?;
        visit.call(&self.in_axes)?;
        visit.call(&self.out_axes)
    }
}

/// `fun`, mapped over axes of its arguments.
///
/// `in_axes` says over which: one integer for all arguments, or a tuple with an integer, `None` (not mapped) or a
/// tree of these for each. `out_axes` says where the mapped axis stands in what is returned; `None` where a result
/// does not depend on what was mapped. Keyword arguments are mapped over their first axis. `axis_size` is needed
/// only where nothing is mapped.
///
/// >>> pb.vmap(lambda x, y: x * y, in_axes=(0, None))(pb.array([1, 2]), pb.array([3, 4]))
/// array([[3, 4],
///        [6, 8]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (fun, in_axes=Given::Not, out_axes=Given::Not, *, axis_size=None), text_signature = "(fun, in_axes=0, out_axes=0, *, axis_size=None)")]
pub fn vmap(
    py: Python<'_>,
    fun: &Bound<'_, PyAny>,
    in_axes: Given<'_>,
    out_axes: Given<'_>,
    axis_size: Option<usize>,
) -> PyResult<Py<Mapped>> {
    wrap::callable(fun, "vmap")?;
    let axes = |given: Given<'_>| -> PyResult<Py<PyAny>> {
        match given {
            Given::As(axes) => Ok(axes.unbind()),
            Given::Not => Ok(0i64.into_pyobject(py)?.into_any().unbind()),
        }
    };
    let (in_axes, out_axes) = (axes(in_axes)?, axes(out_axes)?);
    wrap::dressed(fun, Mapped { fun: fun.clone().unbind(), in_axes, out_axes, axis_size })
}

#[pymethods]
impl Mapped {
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
        let parts = [&self.fun, &self.in_axes, &self.out_axes];
        let mut parts: Vec<Bound<'py, PyAny>> = parts.map(|part| part.bind(py).clone()).into();
        parts.push(self.axis_size.into_pyobject(py)?.into_any());
        Ok((wrap::maker(py, "_mapped")?, PyTuple::new(py, parts)?))
    }
}

/// What `pickle` calls.
#[pyfunction]
pub fn _mapped(
    fun: &Bound<'_, PyAny>,
    in_axes: Py<PyAny>,
    out_axes: Py<PyAny>,
    axis_size: Option<usize>,
) -> PyResult<Py<Mapped>> {
    wrap::dressed(fun, Mapped { fun: fun.clone().unbind(), in_axes, out_axes, axis_size })
}

fn misfit(text: String) -> PyErr {
    PyValueError::new_err(format!("[vmap] {text}"))
}

impl Mapped {
    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (mut arrays, tree) = tree::flatten(args.as_any())?;
        let mut axes = axes::prefix(&tree, self.in_axes.bind(py), "in_axes")?.map_err(misfit)?;
        let (named, named_tree) = match kwargs {
            Some(kwargs) => {
                let (named, tree) = tree::flatten(kwargs.as_any())?;
                (named, Some(tree))
            }
            None => (Vec::new(), None),
        };
        let positional = arrays.len();
        axes.extend(named.iter().map(|_| Some(0)));
        arrays.extend(named);
        let found = arrays.iter().zip(&axes).enumerate();
        let axes = found
            .map(|(i, (x, axis))| axis_of(*axis, x).map_err(|text| misfit(format!("{text} (array {i})"))))
            .collect::<PyResult<Vec<_>>>()?;
        let size = batch_size(&arrays, &axes, self.axis_size).or_raise()?;
        let fun = self.fun.bind(py);
        let shape = RefCell::new(None);
        let inner = |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
            let run = || -> PyResult<Vec<Array>> {
                let args = tree.rebuild(py, &leaves[..positional])?.cast_into::<PyTuple>()?;
                let kwargs = match &named_tree {
                    Some(tree) => Some(tree.rebuild(py, &leaves[positional..])?.cast_into::<PyDict>()?),
                    None => None,
                };
                let (outs, tree) = tree::flatten(&fun.call(args, kwargs.as_ref())?)?;
                shape.replace(Some(tree));
                Ok(outs)
            };
            run().map_err(host)
        };
        let outs = transform::vmap_outs(&inner, &arrays, &axes, Some(size)).or_raise()?;
        wrap::warn(py)?;
        let shape =
            shape.take().ok_or_else(|| convert::broken("[vmap] expected the function to be called"))?;
        let wanted = axes::prefix(&shape, self.out_axes.bind(py), "out_axes")?.map_err(misfit)?;
        let place = |(out, axis): (&Out, Option<isize>)| -> PyResult<Array> {
            let ndim = out.ndim() + 1;
            let at = match axis {
                Some(axis) if axis < 0 => Some(axis + ndim as isize),
                other => other,
            };
            if at.is_some_and(|at| at < 0) {
                let text = format!("expected an out axis of {ndim} axes, got {}", axis.unwrap_or(0));
                return Err(misfit(text));
            }
            out.at(at.map(|at| at as usize), size).or_raise()
        };
        let placed = outs.iter().zip(wanted).map(place).collect::<PyResult<Vec<Array>>>()?;
        shape.rebuild(py, &placed)
    }
}

/// Where a call left the structure of what it returned.
pub type Slot = Held<Option<Tree>>;

/// Puts a structure into its place.
pub fn keep(py: Python<'_>, slot: &Slot, tree: Tree) {
    drop(slot.replace(py, Some(tree)));
}

/// The structure that was kept.
pub fn kept(py: Python<'_>, slot: &Slot) -> PyResult<Tree> {
    slot.get(py).ok_or_else(|| convert::broken("[call] expected the function to be called"))
}

/// Calls `fun` on a tree of `(args, kwargs)`.
pub fn call_on<'py>(fun: &Bound<'py, PyAny>, tree: &Tree, leaves: &[Array]) -> PyResult<Bound<'py, PyAny>> {
    let (args, kwargs) = arguments(fun.py(), tree, leaves)?;
    fun.call(args, kwargs.as_ref())
}

/// As `call_on`: the arrays of the result, and its structure.
pub fn call_tree(fun: &Bound<'_, PyAny>, tree: &Tree, leaves: &[Array]) -> PyResult<(Outputs, Tree)> {
    tree::flatten_few(&call_on(fun, tree, leaves)?)
}

/// Calls `fun` where no transform is open, on arguments in objects of their own, as under one: what it does to them in
/// place is not done to what the caller passed.
pub fn call_fresh<'py>(
    fun: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (args, kwargs) = fresh_arguments(args, kwargs)?;
    fun.call(PyTuple::new(fun.py(), args)?, kwargs.as_ref())
}

/// Arguments in objects of their own.
pub fn fresh_arguments<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<(Several<'py>, Option<Bound<'py, PyDict>>)> {
    let mut own = Several::new();
    for arg in args.iter_borrowed() {
        own.push(fresh(&arg)?);
    }
    let Some(kwargs) = kwargs.filter(|kwargs| !kwargs.is_empty()) else { return Ok((own, None)) };
    let named = PyDict::new(args.py());
    for (key, arg) in kwargs.iter() {
        named.set_item(key, fresh(&arg)?)?;
    }
    Ok((own, Some(named)))
}

/// The same arrays in other objects; what holds no arrays, as it is.
fn fresh<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Ok(array) = value.cast_exact::<PyArray>() {
        return object(py, array.get().of(py));
    }
    if let Shape::Empty | Shape::Other = shape_of(value)? {
        return Ok(value.clone());
    }
    let (arrays, tree) = tree::flatten(value)?;
    if arrays.is_empty() { Ok(value.clone()) } else { tree.rebuild(py, &arrays) }
}

/// Positional and keyword arguments as one tree; `None` stands for no keywords.
pub fn both<'py>(
    py: Python<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let kwargs = kwargs.filter(|kwargs| !kwargs.is_empty());
    let none = py.None().into_bound(py);
    PyTuple::new(py, [args.as_any(), kwargs.map_or(&none, |kwargs| kwargs.as_any())])
}

/// The arrays among the arguments of a call, and the structure of `(args, kwargs)`. Nearly every call is one of a few
/// arrays by position, and has a structure that is known.
pub fn flatten_call(
    py: Python<'_>,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<(Inputs, Tree)> {
    if kwargs.is_none_or(|kwargs| kwargs.is_empty())
        && let Some(tree) = Tree::of_arrays(args.len())
        && let Some(arrays) = tree::all_arrays(args)
    {
        return Ok((arrays, tree.clone()));
    }
    let (arrays, tree) = tree::flatten(both(py, args, kwargs)?.as_any())?;
    Ok((arrays.into(), tree))
}

/// Positional and keyword arguments of a tree of both.
pub fn arguments<'py>(
    py: Python<'py>,
    tree: &Tree,
    leaves: &[Array],
) -> PyResult<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)> {
    if tree.is_of_arrays(leaves.len()) {
        return Ok((PyTuple::new(py, each_object(py, leaves)?)?, None));
    }
    let both = tree.rebuild(py, leaves)?.cast_into::<PyTuple>()?;
    let named = both.get_item(1)?;
    let named = if named.is_none() { None } else { Some(named.cast_into::<PyDict>()?) };
    Ok((both.get_item(0)?.cast_into::<PyTuple>()?, named))
}

/// As `arguments`, one by one.
pub fn several_arguments<'py>(
    py: Python<'py>,
    tree: &Tree,
    leaves: &[Array],
) -> PyResult<(Several<'py>, Option<Bound<'py, PyDict>>)> {
    if tree.is_of_arrays(leaves.len()) {
        return Ok((each_object(py, leaves)?, None));
    }
    let (args, kwargs) = arguments(py, tree, leaves)?;
    Ok((args.iter().collect(), kwargs))
}
