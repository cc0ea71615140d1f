//! What the array API standard and notebooks ask of an array: its namespace, its device, and how a page shows it.
//! The functions themselves are Python's, in `pullback.array_api`.

use pullback::{Array, Device, place};
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::array::{PyArray, build};
use crate::device::{On, PyDevice, present};
use crate::named::renamed;

#[pymethods]
impl PyArray {
    /// The namespace of the array API standard, `pullback.array_api`; another version of it is a `ValueError`.
    ///
    /// >>> pb.array(1.0).__array_namespace__().__name__
    /// 'pullback.array_api'
    #[pyo3(signature = (*, api_version=None))]
    fn __array_namespace__<'py>(
        &self,
        py: Python<'py>,
        api_version: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let namespace = py.import("pullback.array_api")?;
        namespace.getattr("_namespace")?.call1((api_version,))
    }

    /// The device for which the array is built, or was.
    ///
    /// >>> pb.array(1.0, dtype=pb.float32).device
    /// Device(cpu, 0)
    #[getter]
    fn device(&self) -> PyDevice {
        PyDevice(self.get().node().device)
    }

    /// The array on a device, where it stays: operators on it run there, whatever device is current. `stream` is there
    /// for the standard: order follows from the graph.
    ///
    /// >>> pb.array([1.0, 2.0]).to_device(pb.cpu)
    /// array([1., 2.], dtype=float32)
    #[pyo3(signature = (device, /, *, stream=None))]
    fn to_device(&self, py: Python<'_>, device: On, stream: Option<Bound<'_, PyAny>>) -> PyResult<PyArray> {
        let _ = stream;
        let x = self.get();
        let device = device.named("to_device")?;
        if x.node().device == device && x.node().placed {
            return Ok(PyArray::new(x));
        }
        present(device)?;
        let _here = place::placed(device);
        build(py, On::default(), || moved(&x))
    }

    /// Whether an element is equal to a number, or to its place in an array that fits.
    fn __contains__(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let equal = slf.rich_compare(value, CompareOp::Eq)?;
        if equal.is_instance_of::<PyArray>() {
            equal.call_method0("any")?.is_truthy()
        } else {
            equal.is_truthy()
        }
    }

    /// The page of a notebook: shape, dtype, device and a table of elements. A tracer has none to show.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let x = slf.get().get();
        let traced = x.data().is_none() && crate::eval::is_traced(&x);
        let page = if traced { "page_of_tracer" } else { "page" };
        slf.py().import("pullback._printing")?.getattr(page)?.call1((slf,))
    }
}

/// The same elements from a node of the device that is current. A selection with itself is one under every
/// transform, and keeps every bit, NaNs' too.
fn moved(x: &Array) -> pullback::Result<Array> {
    let all = Array::scalar(pullback::Scalar::Bool(true), pullback::Dtype::Bool);
    pullback::fun::where_(&all, x, x)
}

/// The device that operands have in common: of those that are placed, or of all if none is.
pub fn common(op: &str, operands: &[&Array]) -> PyResult<Option<Device>> {
    let placed = operands.iter().any(|x| x.node().placed);
    let mut devices = operands.iter().filter(|x| x.node().placed == placed).map(|x| x.node().device);
    let Some(first) = devices.next() else { return Ok(None) };
    match devices.find(|device| *device != first) {
        None => Ok(Some(first)),
        Some(other) => {
            let text =
                format!("[{op}] expected arrays on one device, got {first} and {other}; use to_device");
            Err(PyValueError::new_err(text))
        }
    }
}

/// Adds the arrays among arguments, those of sequences too.
fn collect(value: &Bound<'_, PyAny>, found: &mut Vec<Array>) -> PyResult<()> {
    if let Ok(array) = value.cast::<PyArray>() {
        found.push(array.get().get());
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        for item in value.try_iter()? {
            if let Ok(array) = item?.cast::<PyArray>() {
                found.push(array.get().get());
            }
        }
    }
    Ok(())
}

/// Calls a function of the namespace: what it builds is placed on the device that `device=` names, else on that of
/// its operands, else on the one that is current.
#[pyfunction]
pub fn _placed<'py>(
    py: Python<'py>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let name = || -> PyResult<String> { function.getattr(intern!(py, "__name__"))?.extract() };
    let named = match kwargs.get_item(intern!(py, "device"))? {
        Some(device) => match device.extract::<On>() {
            Ok(On(device)) => device,
            Err(err) => return Err(renamed(py, &name()?, true, err)),
        },
        None => None,
    };
    let device = match named {
        Some(device) => {
            present(device)?;
            device
        }
        None => {
            let mut found = Vec::new();
            for value in args.iter().chain(kwargs.values().iter()) {
                collect(&value, &mut found)?;
            }
            common(&name()?, &found.iter().collect::<Vec<_>>())?.unwrap_or_else(place::current)
        }
    };
    let _here = place::placed(device);
    function.call(args, Some(kwargs))
}
