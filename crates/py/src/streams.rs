//! Streams: names for the order of work on a device.
//!
//! A device does what it is given in one order, whatever the stream: work that does not depend on other work already goes
//! side by side within it. So a stream is a device and a number, and what matters is what programs may ask of it: that it
//! is equal to itself, which one is the default, and where it may be used.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use pullback::Device;
use pullback::place::{self, Here};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::array::{PyArray, build_all};
use crate::device::{On, PyDevice, present};

/// The number of the next stream; 0 is the one that a device has from the start.
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The default stream of each device, where this thread has chosen one.
    static DEFAULTS: RefCell<Vec<PyStream>> = const { RefCell::new(Vec::new()) };
    /// How often this thread has destroyed its streams.
    static CLEARED: Cell<u64> = const { Cell::new(0) };
}

/// The thread that made a stream, and how often it had destroyed its streams before.
#[derive(Clone, Copy)]
struct Home {
    thread: ThreadId,
    cleared: u64,
}

/// The order of work on a device: `pb.default_stream(device)`, or one that `pb.new_stream` made.
///
/// >>> pb.default_stream(pb.cpu)
/// Stream(Device(cpu, 0), 0)
#[pyclass(frozen, eq, hash, name = "Stream", module = "pullback")]
#[derive(Clone, Copy)]
pub struct PyStream {
    device: Device,
    index: u64,
    /// Where alone it may be used; anywhere without one.
    home: Option<Home>,
}

impl PartialEq for PyStream {
    fn eq(&self, other: &PyStream) -> bool {
        (self.device, self.index) == (other.device, other.index)
    }
}
impl Eq for PyStream {}
impl Hash for PyStream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.device, self.index).hash(state);
    }
}

impl PyStream {
    fn first(device: Device) -> PyStream {
        PyStream { device, index: 0, home: None }
    }

    fn next(device: Device, home: Option<Home>) -> PyStream {
        PyStream { device, index: NEXT.fetch_add(1, Ordering::Relaxed), home }
    }

    /// Its device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Refuses a stream of another thread, or one that is no more.
    pub fn checked(&self) -> PyResult<&PyStream> {
        let Some(home) = self.home else { return Ok(self) };
        let text = if home.thread != thread::current().id() {
            "a stream that this thread made, got one of another thread: use pb.new_thread_unsafe_stream or \
             pb.new_thread_local_stream"
        } else if home.cleared != CLEARED.get() {
            "a stream that is there, got one that clear_streams destroyed"
        } else {
            return Ok(self);
        };
        Err(PyRuntimeError::new_err(format!("[stream] expected {text}")))
    }
}

#[pymethods]
impl PyStream {
    /// Its device.
    #[getter(device)]
    fn of(&self) -> PyDevice {
        PyDevice(self.device)
    }

    /// Its number: 0 for the one that a device has from the start.
    #[getter]
    fn index(&self) -> u64 {
        self.index
    }

    fn __repr__(&self) -> String {
        format!("Stream(Device({}, 0), {})", self.device, self.index)
    }
}

/// A stream of a device for each thread that uses it: what `pb.new_thread_local_stream` makes.
#[pyclass(frozen, eq, hash, name = "ThreadLocalStream", module = "pullback")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PyThreadLocalStream {
    device: Device,
    index: u64,
}

#[pymethods]
impl PyThreadLocalStream {
    /// Its device.
    #[getter]
    fn device(&self) -> PyDevice {
        PyDevice(self.device)
    }

    /// What arguments that name a device look for.
    #[getter]
    fn _device(&self) -> PyDevice {
        PyDevice(self.device)
    }

    fn __repr__(&self) -> String {
        format!("ThreadLocalStream(Device({}, 0), {})", self.device, self.index)
    }
}

/// A new stream of a device, which this thread alone may use. Its work is done in one order with that of the device's
/// other streams.
///
/// >>> stream = pb.new_stream(pb.cpu)
/// >>> stream == pb.default_stream(pb.cpu), stream.device == pb.cpu
/// (False, True)
/// >>> with pb.stream(stream):
/// ...     pb.default_stream(pb.cpu) == stream
/// True
#[pyfunction]
pub fn new_stream(device: On) -> PyResult<PyStream> {
    let device = device.named("new_stream")?;
    present(device)?;
    let home = Home { thread: thread::current().id(), cleared: CLEARED.get() };
    Ok(PyStream::next(device, Some(home)))
}

/// As `new_stream`, for all threads.
///
/// >>> pb.sum(pb.ones(3), stream=pb.new_thread_unsafe_stream(pb.cpu)).item()
/// 3.0
#[pyfunction]
pub fn new_thread_unsafe_stream(device: On) -> PyResult<PyStream> {
    let device = device.named("new_thread_unsafe_stream")?;
    present(device)?;
    Ok(PyStream::next(device, None))
}

/// As `new_stream`, one for each thread that uses it.
///
/// >>> pb.new_thread_local_stream(pb.cpu).device
/// Device(cpu, 0)
#[pyfunction]
pub fn new_thread_local_stream(device: On) -> PyResult<PyThreadLocalStream> {
    let device = device.named("new_thread_local_stream")?;
    present(device)?;
    Ok(PyThreadLocalStream { device, index: NEXT.fetch_add(1, Ordering::Relaxed) })
}

/// Destroys the streams that this thread made with `new_stream`: using one is an error from then on. Those that devices
/// have from the start are the default ones again.
///
/// >>> pb.clear_streams()
#[pyfunction]
pub fn clear_streams() {
    CLEARED.set(CLEARED.get() + 1);
    DEFAULTS.with_borrow_mut(|list| list.retain(|stream| stream.home.is_none()));
}

/// The stream of a device that is its default on this thread.
#[pyfunction]
pub fn default_stream(device: On) -> PyStream {
    let device = device.0.unwrap_or_else(place::current);
    let chosen = DEFAULTS.with_borrow(|list| list.iter().find(|stream| stream.device == device).copied());
    chosen.unwrap_or_else(|| PyStream::first(device))
}

/// Makes a stream the default of its device on this thread. The default device stays what it is.
///
/// >>> before = pb.default_stream(pb.cpu)
/// >>> pb.set_default_stream(pb.new_stream(pb.cpu))
/// >>> pb.default_stream(pb.cpu) == before
/// False
/// >>> pb.set_default_stream(before)
#[pyfunction]
pub fn set_default_stream(stream: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(stream) = stream.cast::<PyStream>() else {
        let got = stream.repr()?;
        return Err(PyTypeError::new_err(format!("[set_default_stream] expected a Stream, got {got}")));
    };
    choose(*stream.get().checked()?);
    Ok(())
}

/// Makes a stream the default; what was before.
fn choose(stream: PyStream) -> PyStream {
    let before = default_stream(On(Some(stream.device)));
    DEFAULTS.with_borrow_mut(|list| {
        list.retain(|other| other.device != stream.device);
        list.push(stream);
    });
    before
}

/// A `with` that is open: the thread's device, and the default stream of before, where one was given.
struct Open {
    _here: Here,
    before: Option<PyStream>,
}

/// What `with pb.stream(...)` holds.
#[pyclass(frozen, name = "StreamContext", module = "pullback")]
pub struct PyStreamContext {
    device: Device,
    stream: Option<PyStream>,
    /// One for each `with` that is open; each belongs to the thread that opened it.
    open: Mutex<Vec<Open>>,
}

#[pymethods]
impl PyStreamContext {
    #[new]
    fn new(s: &Bound<'_, PyAny>) -> PyResult<PyStreamContext> {
        stream(s)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let me = slf.get();
        let stream = me.stream.as_ref().map(PyStream::checked).transpose()?;
        let open = Open { _here: place::on(Some(me.device)), before: stream.copied().map(choose) };
        me.open.lock().unwrap_or_else(PoisonError::into_inner).push(open);
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        let last = self.open.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(before) = last.and_then(|open| open.before) {
            choose(before);
        }
    }
}

/// Within `with pb.stream(s):` operations are built for this device. A stream is the default of its device there.
///
/// >>> with pb.stream(pb.cpu):
/// ...     y = pb.exp(pb.array(0.0))
/// >>> y.item()
/// 1.0
#[pyfunction]
pub fn stream(s: &Bound<'_, PyAny>) -> PyResult<PyStreamContext> {
    let device = s.extract::<On>()?.0.unwrap_or_else(place::current);
    present(device)?;
    let stream = s.cast::<PyStream>().ok().map(|stream| *stream.get());
    Ok(PyStreamContext { device, stream, open: Mutex::new(Vec::new()) })
}

/// One array, or the arrays of a sequence, and whether it was one.
fn listed(value: &Bound<'_, PyAny>) -> PyResult<(Vec<pullback::Array>, bool)> {
    let array = |object: &Bound<'_, PyAny>| {
        let got = object.get_type();
        let wrong = || {
            PyTypeError::new_err(format!("[depends] expected an array or arrays in a sequence, got {got}"))
        };
        object.cast::<PyArray>().map(|array| array.get().get()).map_err(|_| wrong())
    };
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return Ok((value.try_iter()?.map(|item| array(&item?)).collect::<PyResult<_>>()?, true));
    }
    Ok((vec![array(value)?], false))
}

/// `inputs` as they are, but computed only when `dependencies` have been: an array for an array, a list for a sequence.
///
/// >>> x, y = pb.array(1.0), pb.exp(pb.array(2.0))
/// >>> pb.depends(x, y)
/// array(1., dtype=float32)
#[pyfunction]
pub fn depends<'py>(
    py: Python<'py>,
    inputs: &Bound<'py, PyAny>,
    dependencies: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let ((inputs, several), (others, _)) = (listed(inputs)?, listed(dependencies)?);
    let tie = |x: &pullback::Array| {
        others.iter().try_fold(x.clone(), |x, other| pullback::custom::fence::after(&x, other))
    };
    let outs = build_all(py, On::default(), || inputs.iter().map(tie).collect())?;
    if several {
        return outs.into_pyobject(py).map(|list| list.into_any());
    }
    let mut outs = outs.into_iter();
    let one = outs.next().ok_or_else(|| crate::convert::broken("[depends] expected an array"))?;
    Ok(Bound::new(py, one)?.into_any())
}
