//! `pb.fast.wgsl_kernel`: kernels in the text of users.

use pullback::callback::VmapMethod;
use pullback::shader::{Constant, Shader};
use pullback::{Array, Aval, Device, Error};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyTuple};

use crate::args::Sizes;
use crate::array::{PyArray, build_all};
use crate::conform::described;
use crate::convert::Arg;
use crate::device::On;
use crate::dtype::DtypeArg;
use crate::error::OrRaise;

const OP: &str = "wgsl_kernel";
/// Names that every kernel has.
const BUILTINS: [&str; 8] = [
    "global_invocation_id",
    "local_invocation_id",
    "local_invocation_index",
    "workgroup_id",
    "workgroup_size",
    "num_workgroups",
    "grid_size",
    "main",
];

fn wrong(text: String) -> PyErr {
    PyValueError::new_err(format!("[{OP}] {text}"))
}

/// A kernel in WGSL, to be called with arrays; see `pb.fast.wgsl_kernel`.
#[pyclass(frozen, name = "WgslKernel", module = "pullback.fast")]
pub struct PyWgslKernel {
    name: String,
    input_names: Vec<String>,
    output_names: Vec<String>,
    source: String,
    header: String,
    atomic: bool,
}

/// A kernel for the GPU, written in WGSL: an object that is called with arrays, and makes arrays.
///
/// `source` is the body of a function, which runs once for each thread. It finds the arrays by the names in
/// `input_names` and `output_names`, as WGSL arrays of all elements in order; where it mentions `x_shape`,
/// `x_strides` or `x_ndim`, these are there for the array `x`. Which thread it is say `global_invocation_id`,
/// `local_invocation_id`, `local_invocation_index` and `workgroup_id`. `header` goes before the function: other
/// functions, and variables of a workgroup.
///
/// The text is checked when the kernel is called. A mistake is a `ValueError` with its line. What is computed is lazy
/// as all operations are, and runs on the GPU wherever the arrays are. It has no derivative of its own: call it within
/// a custom function with a rule. docs/wgsl_kernel.md tells all of it.
///
/// `ensure_row_contiguous` changes nothing: the arrays that a kernel sees are always contiguous. With `atomic_outputs`
/// outputs are atomic integers.
///
/// >>> double = pb.fast.wgsl_kernel("double", ["x"], ["y"], "let i = global_invocation_id.x; y[i] = 2.0 * x[i];")
/// >>> x = pb.array([1.0, 2.0, 3.0])
/// >>> if pb.is_available(pb.gpu):
/// ...     how = {"output_shapes": [x.shape], "output_dtypes": [x.dtype], "grid": (3, 1, 1)}
/// ...     (y,) = double(inputs=[x], threadgroup=(64, 1, 1), **how)
/// ... else:
/// ...     y = 2 * x
/// >>> y
/// array([2., 4., 6.], dtype=float32)
#[pyfunction]
#[pyo3(
    signature = (name, input_names, output_names, source, header="".into(), ensure_row_contiguous=true, atomic_outputs=false),
    text_signature = "(name, input_names, output_names, source, header='', ensure_row_contiguous=True, atomic_outputs=False)"
)]
pub fn wgsl_kernel(
    name: String,
    input_names: Vec<String>,
    output_names: Vec<String>,
    source: String,
    header: String,
    ensure_row_contiguous: bool,
    atomic_outputs: bool,
) -> PyResult<PyWgslKernel> {
    let _ = ensure_row_contiguous;
    if output_names.is_empty() {
        return Err(wrong("expected at least one output, got none".into()));
    }
    let mut seen = Vec::new();
    for word in input_names.iter().chain(&output_names) {
        named(word, &seen)?;
        seen.push(word);
    }
    Ok(PyWgslKernel { name, input_names, output_names, source, header, atomic: atomic_outputs })
}

/// Refuses what is no name of its own.
fn named(word: &str, others: &[&String]) -> PyResult<()> {
    let letters = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let first = word.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !letters || !first || word == "_" || word.starts_with("__") {
        return Err(wrong(format!("expected a name of letters, digits and _, got '{word}'")));
    }
    if word.starts_with("pb_") || BUILTINS.contains(&word) {
        return Err(wrong(format!("expected a name that is not taken, got '{word}'")));
    }
    if others.iter().any(|other| *other == word) {
        return Err(wrong(format!("expected names that differ, got '{word}' twice")));
    }
    Ok(())
}

fn constant(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Constant> {
    if value.is_instance_of::<PyBool>() {
        return Ok(Constant::Truth(value.extract()?));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(Constant::Int(value.extract()?));
    }
    match value.extract::<DtypeArg>() {
        Ok(dtype) => Ok(Constant::Dtype(dtype.0)),
        Err(_) => Err(PyTypeError::new_err(format!(
            "[{OP}] expected a bool, an int or a dtype for '{name}' in template, got {}",
            described(value)
        ))),
    }
}

fn paired(names: &[String], given: usize, what: &str) -> PyResult<()> {
    match given == names.len() {
        true => Ok(()),
        false => Err(wrong(format!("expected {} {what}, for {names:?}, got {given}", names.len()))),
    }
}

/// Sizes in three dimensions. Threads are counted in 31 bits: nothing that a kernel makes of their numbers overflows.
fn three(what: &str, given: &[i64]) -> PyResult<[u32; 3]> {
    let sizes: Vec<u32> =
        given.iter().filter_map(|&n| i32::try_from(n).ok()).filter_map(|n| u32::try_from(n).ok()).collect();
    match (given.len(), &sizes[..]) {
        (3, &[x, y, z]) => Ok([x, y, z]),
        _ => Err(wrong(format!("expected three sizes from 0 to 2^31 - 1 as {what}, got {given:?}"))),
    }
}

/// The sizes of a call.
struct Threads {
    grid: [u32; 3],
    workgroup: [u32; 3],
}

impl Threads {
    fn of(grid: &[i64], threadgroup: Option<Vec<i64>>, workgroup: Option<Vec<i64>>) -> PyResult<Threads> {
        let size = match (threadgroup, workgroup) {
            (Some(size), None) | (None, Some(size)) => size,
            (given, _) => {
                let got = if given.is_some() { "both" } else { "neither" };
                return Err(wrong(format!("expected either threadgroup or workgroup, got {got}")));
            }
        };
        Ok(Threads { grid: three("grid", grid)?, workgroup: three("workgroup", &size)? })
    }
}

#[pymethods]
impl PyWgslKernel {
    /// What the kernel makes of `inputs`, a list of arrays: one for each of `output_shapes` and `output_dtypes`.
    ///
    /// `grid` is the number of threads in three dimensions, `threadgroup` (or `workgroup`) how many of them belong
    /// together. `template` is a list of pairs: names, and the bool, int or dtype that each stands for. Before the
    /// kernel runs, outputs are full of `init_value`, or 0. `verbose` prints the whole text. `vmap_method` is None or
    /// "sequential": one call for each example.
    #[pyo3(
        signature = (*, inputs, output_shapes, output_dtypes, grid, threadgroup=None, workgroup=None, template=None,
            init_value=None, verbose=false, vmap_method=None, stream=On::default())
    )]
    #[allow(clippy::too_many_arguments)]
    fn __call__(
        &self,
        py: Python<'_>,
        inputs: Vec<Arg>,
        output_shapes: Vec<Sizes>,
        output_dtypes: Vec<DtypeArg>,
        grid: Vec<i64>,
        threadgroup: Option<Vec<i64>>,
        workgroup: Option<Vec<i64>>,
        template: Option<Vec<(String, Bound<'_, PyAny>)>>,
        init_value: Option<f64>,
        verbose: bool,
        vmap_method: Option<&str>,
        stream: On,
    ) -> PyResult<Vec<PyArray>> {
        if stream.0 == Some(Device::Cpu) {
            return Err(wrong("expected the GPU as stream, got cpu".into()));
        }
        let method = match vmap_method {
            None => VmapMethod::Refuse,
            Some("sequential") => VmapMethod::Sequential,
            Some(other) => {
                return Err(wrong(format!("expected vmap_method None or 'sequential', got '{other}'")));
            }
        };
        let arrays: Vec<&Array> = inputs.iter().map(|input| &input.0).collect();
        let threads = Threads::of(&grid, threadgroup, workgroup)?;
        let outputs = self.results(output_shapes, output_dtypes)?;
        let constants = self.constants(template.unwrap_or_default())?;
        let shader = self.shader(&arrays, outputs, constants, threads, init_value)?;
        if verbose {
            let text = py.detach(|| pullback::check_shader(&shader)).or_raise()?;
            py.import("builtins")?.getattr("print")?.call1((text,))?;
        }
        build_all(py, On::default(), || pullback::wgsl_kernel(shader, &arrays, method))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let names = (&self.input_names, &self.output_names);
        let args = (&self.name, names.0, names.1, &self.source, &self.header, true, self.atomic);
        let args = args.into_pyobject(py)?;
        Ok((py.import("pullback.fast")?.getattr("wgsl_kernel")?, args))
    }

    fn __repr__(&self) -> String {
        let list = |names: &[String]| names.join(", ");
        format!("WgslKernel({}: {} -> {})", self.name, list(&self.input_names), list(&self.output_names))
    }
}

impl PyWgslKernel {
    fn results(&self, shapes: Vec<Sizes>, dtypes: Vec<DtypeArg>) -> PyResult<Vec<(String, Aval)>> {
        paired(&self.output_names, shapes.len(), "output_shapes")?;
        paired(&self.output_names, dtypes.len(), "output_dtypes")?;
        let avals = shapes.into_iter().zip(dtypes).map(|(shape, dtype)| Aval::new(shape.0, dtype.0));
        let results: Vec<(String, Aval)> = self.output_names.iter().cloned().zip(avals).collect();
        let fits = |aval: &Aval| aval.dtype.is_integer() && aval.dtype.size() <= 4;
        match results.iter().find(|(_, aval)| self.atomic && !fits(aval)) {
            None => Ok(results),
            Some((name, aval)) => Err(Error::type_(format!(
                "[{OP}] expected integers of at most 32 bits as atomic outputs, got {aval} for '{name}': WGSL has no others"
            )))
            .or_raise(),
        }
    }

    fn constants(&self, template: Vec<(String, Bound<'_, PyAny>)>) -> PyResult<Vec<(String, Constant)>> {
        let mut seen: Vec<&String> = self.input_names.iter().chain(&self.output_names).collect();
        for (name, _) in &template {
            named(name, &seen)?;
            seen.push(name);
        }
        template.iter().map(|(name, value)| Ok((name.clone(), constant(name, value)?))).collect()
    }

    fn shader(
        &self,
        arrays: &[&Array],
        outputs: Vec<(String, Aval)>,
        constants: Vec<(String, Constant)>,
        threads: Threads,
        init: Option<f64>,
    ) -> PyResult<Shader> {
        paired(&self.input_names, arrays.len(), "inputs")?;
        let avals = arrays.iter().map(|array| array.aval().clone());
        Ok(Shader {
            name: self.name.clone(),
            header: self.header.clone(),
            source: self.source.clone(),
            inputs: self.input_names.iter().cloned().zip(avals).collect(),
            outputs,
            constants,
            grid: threads.grid,
            workgroup: threads.workgroup,
            atomic: self.atomic,
            init: init.unwrap_or(0.),
        })
    }
}
