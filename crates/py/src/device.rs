//! Devices and streams: where new operations are to run.

use std::sync::{Mutex, PoisonError};

use pullback::place::{self, Here};
use pullback::{Device, available};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::error::DeviceError;

/// A device: `pb.cpu` or `pb.gpu`.
///
/// >>> pb.cpu
/// Device(cpu, 0)
#[pyclass(frozen, eq, hash, name = "Device", module = "pullback")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PyDevice(pub Device);

#[pymethods]
impl PyDevice {
    #[new]
    #[pyo3(signature = (kind, index=0, /))]
    fn new(kind: On, index: i64) -> PyResult<PyDevice> {
        match (kind.0, index) {
            (Some(device), 0) => Ok(PyDevice(device)),
            (Some(_), index) => Err(PyValueError::new_err(format!("[Device] expected index 0, got {index}"))),
            (None, _) => Err(PyTypeError::new_err("[Device] expected pb.cpu or pb.gpu, got None")),
        }
    }

    /// The device itself, for programs that ask for a device's kind.
    #[getter]
    fn r#type(&self) -> PyDevice {
        *self
    }

    fn __repr__(&self) -> String {
        format!("Device({}, 0)", self.0)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, (String,))> {
        Ok((slf.get_type().into_any().unbind(), (slf.get().0.to_string(),)))
    }
}

/// The order of work on a device. Each device has one.
#[pyclass(frozen, eq, hash, name = "Stream", module = "pullback")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PyStream(Device);

#[pymethods]
impl PyStream {
    /// Its device.
    #[getter]
    fn device(&self) -> PyDevice {
        PyDevice(self.0)
    }

    fn __repr__(&self) -> String {
        format!("Stream(Device({}, 0), 0)", self.0)
    }
}

/// An argument that names a device, or none.
#[derive(Clone, Copy, Default)]
pub struct On(pub Option<Device>);

impl<'a, 'py> FromPyObject<'a, 'py> for On {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<On> {
        if value.is_none() {
            return Ok(On(None));
        }
        if let Ok(device) = value.cast::<PyDevice>() {
            return Ok(On(Some(device.get().0)));
        }
        if let Ok(stream) = value.cast::<PyStream>() {
            return Ok(On(Some(stream.get().0)));
        }
        if let Ok(name) = value.cast::<PyString>() {
            match &*name.to_string() {
                "cpu" => return Ok(On(Some(Device::Cpu))),
                "gpu" => return Ok(On(Some(Device::Gpu))),
                _ => {}
            }
        }
        let got = value.repr()?;
        Err(PyTypeError::new_err(format!("[stream] expected pb.cpu, pb.gpu, a Stream or None, got {got}")))
    }
}

impl On {
    /// Until the guard is dropped, what is built is built for this device.
    pub fn enter(self) -> Here {
        place::on(self.0)
    }
}

/// The device for which operations are built where nothing else is said.
#[pyfunction]
pub fn default_device() -> PyDevice {
    PyDevice(place::current())
}

/// Changes the default device. A GPU must be there.
#[pyfunction]
pub fn set_default_device(device: On) -> PyResult<()> {
    let Some(device) = device.0 else {
        return Err(PyTypeError::new_err("[set_default_device] expected pb.cpu or pb.gpu, got None"));
    };
    present(device)?;
    place::set_default(device);
    Ok(())
}

fn present(device: Device) -> PyResult<()> {
    if available(device) {
        return Ok(());
    }
    Err(DeviceError::new_err(format!(
        "[device] expected a device that is there, got {device} without an adapter"
    )))
}

/// The stream of a device.
#[pyfunction]
pub fn default_stream(device: On) -> PyStream {
    PyStream(device.0.unwrap_or_else(place::current))
}

/// Whether a device can be used.
///
/// >>> pb.is_available(pb.cpu)
/// True
#[pyfunction]
pub fn is_available(py: Python<'_>, device: On) -> bool {
    py.detach(|| available(device.0.unwrap_or_else(place::current)))
}

/// What `with pb.stream(...)` holds.
#[pyclass(frozen, name = "StreamContext", module = "pullback")]
pub struct PyStreamContext {
    device: Device,
    /// One guard per `with` that is open; each belongs to the thread that opened it.
    open: Mutex<Vec<Here>>,
}

#[pymethods]
impl PyStreamContext {
    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        let me = slf.get();
        let here = place::on(Some(me.device));
        me.open.lock().unwrap_or_else(PoisonError::into_inner).push(here);
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        let last = self.open.lock().unwrap_or_else(PoisonError::into_inner).pop();
        drop(last);
    }
}

/// Within `with pb.stream(device):` operations are built for this device.
///
/// >>> with pb.stream(pb.cpu):
/// ...     y = pb.exp(pb.array(0.0))
/// >>> y.item()
/// 1.0
#[pyfunction]
pub fn stream(device: On) -> PyResult<PyStreamContext> {
    let device = device.0.unwrap_or_else(place::current);
    present(device)?;
    Ok(PyStreamContext { device, open: Mutex::new(Vec::new()) })
}
