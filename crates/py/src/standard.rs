//! What the array API standard and notebooks ask of an array: its namespace, its device, and how a page shows it.
//! The functions themselves are Python's, in `pullback.array_api`.

use pullback::Array;
use pyo3::basic::CompareOp;
use pyo3::prelude::*;

use crate::array::{PyArray, build};
use crate::device::{On, PyDevice, present};

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

    /// The array on a device. `stream` is there for the standard: order follows from the graph.
    ///
    /// >>> pb.array([1.0, 2.0]).to_device(pb.cpu)
    /// array([1., 2.], dtype=float32)
    #[pyo3(signature = (device, /, *, stream=None))]
    fn to_device(&self, py: Python<'_>, device: On, stream: Option<Bound<'_, PyAny>>) -> PyResult<PyArray> {
        let _ = stream;
        let x = self.get();
        let device = device.named("to_device")?;
        if x.node().device == device {
            return Ok(PyArray::new(x));
        }
        present(device)?;
        build(py, On(Some(device)), || placed(&x))
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
fn placed(x: &Array) -> pullback::Result<Array> {
    let all = Array::scalar(pullback::Scalar::Bool(true), pullback::Dtype::Bool);
    pullback::fun::where_(&all, x, x)
}
