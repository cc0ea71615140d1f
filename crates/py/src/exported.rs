//! Functions that leave Python: recorded, written, read, and called; and what arrays are made of.

use std::sync::Arc;

use pullback::exported::{self, Calls, Entry, Export, Program, Source, Step};
use pullback::{Array, Aval, transform};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::array::{PyArray, build_all, released};
use crate::conform::described;
use crate::device::On;
use crate::dtype::PyDtype;
use crate::error::{OrRaise, guard, host};
use crate::graph::params_of;
use crate::wrap;

/// A function as a list of operations.
#[pyclass(frozen, weakref, name = "_Program", module = "pullback")]
pub struct PyProgram(Arc<Program>);

/// A function in a file: how many arguments have no name, the names of the others, and the function.
type Known = (usize, Vec<String>, PyProgram);

/// An array's shape and dtype.
type Type<'py> = (Bound<'py, PyTuple>, PyDtype);

fn types<'py>(py: Python<'py>, avals: &[Aval]) -> PyResult<Vec<Type<'py>>> {
    avals.iter().map(|aval| Ok((PyTuple::new(py, &aval.shape[..])?, PyDtype(aval.dtype)))).collect()
}

#[pymethods]
impl PyProgram {
    /// The function of arrays.
    #[pyo3(signature = (*args))]
    fn __call__(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<Vec<PyArray>> {
        let args =
            args.iter().map(|arg| Ok(arg.cast::<PyArray>()?.get().get())).collect::<PyResult<Vec<_>>>()?;
        build_all(py, On::default(), || self.0.call(&args))
    }

    /// Types of the arguments.
    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Type<'py>>> {
        types(py, self.0.inputs())
    }

    /// Values that are results.
    #[getter]
    fn outputs(&self) -> Vec<u32> {
        self.0.outs().to_vec()
    }

    /// Types of all values: arguments, constants, results of each step.
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Type<'py>>> {
        types(py, self.0.avals())
    }

    /// What the function captured.
    #[getter]
    fn constants(&self) -> Vec<PyArray> {
        self.0.constants().iter().map(|constant| PyArray::new(constant.clone())).collect()
    }

    /// Operations: name, params as text, values read, and how many results there are.
    #[getter]
    fn steps(&self) -> Vec<(&'static str, String, Vec<u32>, usize)> {
        let said = |step: &Step| (step.op.name, params_of(&step.params), step.inputs.clone(), step.results);
        self.0.steps().iter().map(said).collect()
    }
}

/// Arrays of what a function to be exported returned.
fn returned(result: &Bound<'_, PyAny>) -> PyResult<Vec<Array>> {
    let wrong = || {
        let got = described(result);
        PyValueError::new_err(format!(
            "[export_function] expected a function that returns an array, or a list or tuple of arrays, got {got}"
        ))
    };
    let array = |object: &Bound<'_, PyAny>| {
        object.cast::<PyArray>().map(|array| array.get().get()).map_err(|_| wrong())
    };
    if let Ok(array) = array(result) {
        return Ok(vec![array]);
    }
    if !result.is_instance_of::<PyList>() && !result.is_instance_of::<PyTuple>() {
        return Err(wrong());
    }
    result.try_iter()?.map(|item| array(&item?)).collect()
}

/// `fun` recorded for arguments like the examples, arrays all of them.
#[pyfunction]
pub fn _export(
    py: Python<'_>,
    fun: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
    kwargs: &Bound<'_, PyDict>,
) -> PyResult<PyProgram> {
    wrap::callable(fun, "export_function")?;
    let aval = |object: &Bound<'_, PyAny>| -> PyResult<Aval> {
        Ok(object.cast::<PyArray>()?.get().get().aval().clone())
    };
    let mut avals = args.iter().map(|arg| aval(&arg)).collect::<PyResult<Vec<Aval>>>()?;
    for (_, arg) in kwargs.iter() {
        avals.push(aval(&arg)?);
    }
    let inner = |leaves: &[Array]| -> pullback::Result<Vec<Array>> {
        let run = || -> PyResult<Vec<Array>> {
            let (own, named) = leaves.split_at(args.len());
            let own = own.iter().map(|leaf| Bound::new(py, PyArray::new(leaf.clone())));
            let own = PyTuple::new(py, own.collect::<PyResult<Vec<_>>>()?)?;
            let keywords = PyDict::new(py);
            for (name, leaf) in kwargs.keys().iter().zip(named) {
                keywords.set_item(name, Bound::new(py, PyArray::new(leaf.clone()))?)?;
            }
            returned(&fun.call(own, Some(&keywords))?)
        };
        run().map_err(host)
    };
    guard(|| {
        let traced = transform::trace(&inner, &avals).or_raise()?;
        wrap::warn(py)?;
        let program = released(py, |poll| Program::of(&traced, poll))?;
        Ok(PyProgram(Arc::new(program)))
    })
}

/// The bytes of a file with functions: for each, how many arguments have no name, and the names of the others.
#[pyfunction]
pub fn _written<'py>(
    py: Python<'py>,
    metadata: String,
    entries: Vec<(usize, Vec<String>, Bound<'py, PyProgram>)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let entry = |(positional, keywords, program): (usize, Vec<String>, Bound<'py, PyProgram>)| Entry {
        positional,
        keywords,
        program: program.get().0.clone(),
    };
    let export = Export { metadata, entries: entries.into_iter().map(entry).collect() };
    Ok(PyBytes::new(py, &guard(|| exported::write(&export).or_raise())?))
}

/// What the bytes of such a file hold.
#[pyfunction]
pub fn _imported(py: Python<'_>, content: PyBackedBytes) -> PyResult<(String, Vec<Known>)> {
    let export = guard(|| py.detach(|| exported::read(&content)).or_raise())?;
    let entry = |entry: Entry| (entry.positional, entry.keywords, PyProgram(entry.program));
    Ok((export.metadata, export.entries.into_iter().map(entry).collect()))
}

/// What arrays are made of: `(leaves, steps, outs)`. A leaf is its kind (a number's value, or `None`) and its type; a
/// step is a name, params, types of results and operands; an operand or a result is `(step, which)`, and of a leaf
/// `(None, which)`. The first leaves are `given`, where the walk ends.
#[pyfunction]
pub fn _pending<'py>(
    py: Python<'py>,
    outs: Vec<Bound<'py, PyArray>>,
    given: Vec<Bound<'py, PyArray>>,
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyList>)> {
    let arrays = |objects: &[Bound<'py, PyArray>]| objects.iter().map(|x| x.get().get()).collect::<Vec<_>>();
    let listing = exported::list(&arrays(&outs), &arrays(&given), Calls::Body);
    let place = |source: &Source| match *source {
        Source::Leaf(leaf) => (None, leaf),
        Source::Made(step, out) => (Some(step), out),
    };
    let leaves = PyList::empty(py);
    for leaf in &listing.leaves {
        let value = leaf.as_const().map(|value| crate::convert::object(py, value)).transpose()?;
        leaves.append((value, leaf.aval().to_string()))?;
    }
    let steps = PyList::empty(py);
    for step in &listing.steps {
        let types: Vec<String> = step.avals.iter().map(ToString::to_string).collect();
        let inputs: Vec<_> = step.inputs.iter().map(place).collect();
        steps.append((step.op.name, params_of(&step.params), types, inputs))?;
    }
    let outs = PyList::new(py, listing.outs.iter().map(place))?;
    Ok((leaves, steps, outs))
}
