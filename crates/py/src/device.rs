//! Devices: where new operations are to run, and what there is.

use pullback::info::{Property, properties};
use pullback::place::{self, Here};
use pullback::{Device, available};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::error::{DeviceError, OrRaise};
use crate::streams::PyStream;

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

    /// Its kind: `pb.DeviceType.cpu` or `pb.DeviceType.gpu`, which are equal to `pb.cpu` and `pb.gpu`.
    #[getter]
    fn r#type<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("pullback._devices")?.getattr("DeviceType")?.getattr(self.0.to_string())
    }

    fn __repr__(&self) -> String {
        format!("Device({}, 0)", self.0)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, (String,))> {
        Ok((slf.get_type().into_any().unbind(), (slf.get().0.to_string(),)))
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
            return Ok(On(Some(stream.get().checked()?.device())));
        }
        if let Ok(name) = value.cast::<PyString>() {
            match &*name.to_string() {
                "cpu" => return Ok(On(Some(Device::Cpu))),
                "gpu" => return Ok(On(Some(Device::Gpu))),
                _ => {}
            }
        }
        // A kind of device, or a stream of each thread.
        if let Some(device) = value.getattr_opt(intern!(value.py(), "_device"))?
            && let Ok(device) = device.cast::<PyDevice>()
        {
            return Ok(On(Some(device.get().0)));
        }
        let got = value.repr()?;
        Err(PyTypeError::new_err(format!("[stream] expected pb.cpu, pb.gpu, a Stream or None, got {got}")))
    }
}

impl On {
    /// The device, where there must be one.
    pub fn named(self, op: &str) -> PyResult<Device> {
        self.0.ok_or_else(|| PyTypeError::new_err(format!("[{op}] expected pb.cpu or pb.gpu, got None")))
    }

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
    let device = device.named("set_default_device")?;
    present(device)?;
    place::set_default(device);
    Ok(())
}

/// Refuses a device that is not there.
pub fn present(device: Device) -> PyResult<()> {
    if available(device) {
        return Ok(());
    }
    Err(DeviceError::new_err(format!(
        "[device] expected a device that is there, got {device} without an adapter"
    )))
}

/// Whether a device can be used.
///
/// >>> pb.is_available(pb.cpu)
/// True
#[pyfunction]
pub fn is_available(py: Python<'_>, device: On) -> bool {
    py.detach(|| available(device.0.unwrap_or_else(place::current)))
}

/// How many devices of a kind there are.
///
/// >>> pb.device_count(pb.DeviceType.cpu)
/// 1
#[pyfunction]
pub fn device_count(py: Python<'_>, device_type: On) -> PyResult<usize> {
    let device = device_type.named("device_count")?;
    Ok(usize::from(py.detach(|| available(device))))
}

/// What is known of a device, the default one if none is named: `device_name`, `architecture`, and what else it says.
///
/// >>> info = pb.device_info(pb.cpu)
/// >>> sorted(info)[:3]
/// ['architecture', 'device_name', 'instruction_set']
#[pyfunction]
#[pyo3(signature = (d=On::default()), text_signature = "(d=None)")]
pub fn device_info(py: Python<'_>, d: On) -> PyResult<Bound<'_, PyDict>> {
    let device = d.0.unwrap_or_else(place::current);
    let found = PyDict::new(py);
    for (name, value) in py.detach(|| properties(device)).or_raise()? {
        match value {
            Property::Text(text) => found.set_item(name, text)?,
            Property::Number(number) => found.set_item(name, number)?,
        }
    }
    Ok(found)
}
