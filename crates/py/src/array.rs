//! The array as Python sees it: a frozen class around one handle, whose methods only build nodes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pullback::{Array, Error, Result, Storage, place};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple, PyType};

use crate::convert;
use crate::device::On;
use crate::dtype::{DtypeArg, PyDtype};
use crate::error::{OrRaise, guard, host};
use crate::held::Held;
use crate::show;

/// An array: a shape, a type of elements, and elements that are computed when somebody asks.
///
/// >>> pb.array([[1, 2], [3, 4]])
/// array([[1, 2],
///        [3, 4]], dtype=int32)
/// >>> pb.array([1.5, 2]) * 2
/// array([3., 4.], dtype=float32)
///
/// Python's integers become `int32` (`int64` if one does not fit), its floats `float32`; a number next to an
/// array takes the array's type.
#[pyclass(frozen, weakref, name = "array", module = "pullback")]
pub struct PyArray(Held<Array>);

impl PyArray {
    /// A new object around a handle.
    #[inline]
    pub fn new(array: Array) -> PyArray {
        PyArray(Held::new(array))
    }

    /// The handle. It is held, because `x += 1` and `x[i] = v` change which array an object stands for.
    #[inline]
    pub fn of(&self, py: Python<'_>) -> Array {
        self.0.get(py)
    }

    /// The handle, for those who have no token.
    #[inline]
    pub fn get(&self) -> Array {
        Python::attach(|py| self.of(py))
    }

    /// Makes the object stand for another array.
    pub fn set(&self, py: Python<'_>, array: Array) {
        // What dies with the one before may hold rules, and with them Python objects.
        drop(self.0.replace(py, array));
    }
}

/// A chain this deep may be computed unasked, see `settle`; below it there is no need to look.
const DEEP: u32 = 1024;

/// Runs what builds an array on a device, and makes an object of it.
#[inline]
pub fn build(py: Python<'_>, on: On, make: impl FnOnce() -> Result<Array>) -> PyResult<PyArray> {
    guard(|| {
        let array = {
            let _here = on.0.map(|_| on.enter());
            make().or_raise()?
        };
        settled(py, array)
    })
}

/// As `build`, for what operators say: where operands are placed, there is the result.
#[inline]
pub fn beside(
    py: Python<'_>,
    operands: &[&Array],
    make: impl FnOnce() -> Result<Array>,
) -> PyResult<PyArray> {
    if operands.iter().any(|x| x.node().placed) {
        let _here = crate::standard::common("array", operands)?.map(place::placed);
        return build(py, On::default(), make);
    }
    build(py, On::default(), make)
}

/// As `build`, for several arrays.
pub fn build_all(
    py: Python<'_>,
    on: On,
    make: impl FnOnce() -> Result<Vec<Array>>,
) -> PyResult<Vec<PyArray>> {
    guard(|| {
        let _here = on.enter();
        make().or_raise()?.into_iter().map(|array| settled(py, array)).collect()
    })
}

#[inline]
fn settled(py: Python<'_>, array: Array) -> PyResult<PyArray> {
    if array.node().depth >= DEEP {
        py.detach(|| pullback::settle(&array)).or_raise()?;
    }
    Ok(PyArray::new(array))
}

/// Runs engine work with the interpreter released; Ctrl-C is noticed about every 50 ms.
pub fn released<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&mut pullback::Poll) -> Result<T> + Send,
) -> PyResult<T> {
    forked()?;
    guard(|| {
        py.detach(|| {
            // The clock starts at the first step: most work is done before there is a second.
            let mut looked: Option<Instant> = None;
            work(&mut || {
                if looked.get_or_insert_with(Instant::now).elapsed() < Duration::from_millis(50) {
                    return Ok(());
                }
                looked = Some(Instant::now());
                Python::attach(|py| py.check_signals()).map_err(host)
            })
        })
        .or_raise()
    })
}

/// Threads do not survive a fork: a child that computed would wait for them for ever. A fork before the first
/// computation is none of this process's business.
fn forked() -> PyResult<()> {
    let owner = *OWNER.get_or_init(|| {
        #[cfg(unix)]
        // SAFETY: the handler is a function of this library, which Python never unloads, and all that it does is
        // to store to an atomic, which is allowed between a fork and whatever follows.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
        std::process::id()
    });
    if !FORKED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let me = std::process::id();
    Err(pyo3::exceptions::PyRuntimeError::new_err(format!(
        "[eval] expected the process that first computed ({owner}), got a fork of it ({me}): \
         start workers by 'spawn', or fork before the first computation"
    )))
}

/// The process that computed first.
static OWNER: OnceLock<u32> = OnceLock::new();
/// Whether this one is a fork of it. Asking for the process's number is a system call, and this is not.
static FORKED: AtomicBool = AtomicBool::new(false);

#[cfg(unix)]
extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
}

/// The elements of an array, computed if need be, where the host can read them.
pub fn elements(py: Python<'_>, array: &Array) -> PyResult<Storage> {
    if let Some(data) = array.data()
        && data.host().is_some()
    {
        return Ok(data.clone());
    }
    let storage = released(py, |poll| pullback::host(array, poll))?;
    crate::eval::announce(py)?;
    Ok(storage)
}

/// The bytes of a block on the host.
pub fn bytes<'a>(storage: &'a Storage, array: &Array) -> PyResult<&'a [u8]> {
    let bytes = storage.host().and_then(|bytes| bytes.get(..array.aval().bytes()));
    bytes.ok_or_else(|| crate::error::raised(Error::internal("[host] expected the elements on the host")))
}

/// A tuple of sizes.
pub fn shape_tuple<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, &array.shape()[..])
}

#[pymethods]
impl PyArray {
    #[new]
    #[pyo3(signature = (value, dtype=None))]
    fn create(value: &Bound<'_, PyAny>, dtype: Option<DtypeArg>) -> PyResult<PyArray> {
        guard(|| convert::array(value, dtype.map(|d| d.0)).map(PyArray::new))
    }

    /// The size of every axis.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        shape_tuple(py, &self.get())
    }

    /// Number of axes.
    #[getter]
    fn ndim(&self) -> usize {
        self.get().ndim()
    }

    /// Number of elements.
    #[getter]
    fn size(&self) -> usize {
        self.get().size()
    }

    /// The type of the elements.
    #[getter]
    fn dtype(&self) -> PyDtype {
        PyDtype(self.get().dtype())
    }

    /// Bytes of all elements.
    #[getter]
    fn nbytes(&self) -> usize {
        self.get().aval().bytes()
    }

    /// Bytes of one element.
    #[getter]
    fn itemsize(&self) -> usize {
        self.get().dtype().size()
    }

    /// The axes in reverse order.
    #[getter(T)]
    fn reversed(&self, py: Python<'_>) -> PyResult<PyArray> {
        let x = self.get();
        let axes: Vec<usize> = (0..x.ndim()).rev().collect();
        beside(py, &[&x], || pullback::fun::transpose(&x, &axes))
    }

    /// The last two axes exchanged.
    #[getter(mT)]
    fn last_two_exchanged(&self, py: Python<'_>) -> PyResult<PyArray> {
        let x = self.get();
        if x.ndim() < 2 {
            return Err(PyValueError::new_err(format!("[mT] expected two axes or more, got {}", x.ndim())));
        }
        beside(py, &[&x], || pullback::fun::swap_last(&x))
    }

    /// The only element, as a Python number.
    ///
    /// >>> pb.array(2.5).item()
    /// 2.5
    pub fn item<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let x = self.get();
        convert::item(py, &x)
    }

    /// The elements in nested lists.
    ///
    /// >>> pb.array([[1, 2], [3, 4]]).tolist()
    /// [[1, 2], [3, 4]]
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::tolist(py, &self.get())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let x = self.get();
        // A tracer has no elements to print, and printing must not fail while one looks for an error.
        if x.data().is_none() && crate::eval::is_traced(&x) {
            return Ok(format!("array(traced, shape={}, dtype={})", x.shape(), x.dtype()));
        }
        let storage = elements(py, &x)?;
        Ok(show::show(bytes(&storage, &x)?, x.aval()))
    }

    fn __len__(&self) -> PyResult<usize> {
        match self.get().shape().first() {
            Some(&n) => Ok(n),
            None => Err(PyTypeError::new_err("len() of an array without axes")),
        }
    }

    fn __bool__(&self, py: Python<'_>) -> PyResult<bool> {
        let x = self.get();
        if x.size() != 1 {
            return Err(PyValueError::new_err(format!(
                "[bool] expected one element, got {}: use x.any() or x.all()",
                x.size()
            )));
        }
        Ok(convert::scalar(py, &x)?.truth())
    }

    fn __int__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.get_type::<pyo3::types::PyInt>().call1((self.item(py)?,))
    }

    fn __float__(&self, py: Python<'_>) -> PyResult<f64> {
        self.item(py)?.extract()
    }

    fn __complex__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.get_type::<pyo3::types::PyComplex>().call1((self.item(py)?,))
    }

    fn __index__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let x = self.get();
        if !x.dtype().is_integer() || x.size() != 1 {
            return Err(PyTypeError::new_err(format!("[index] expected one integer, got {}", x.aval())));
        }
        convert::item(py, &x)
    }

    fn __format__<'py>(slf: &Bound<'py, Self>, spec: &str) -> PyResult<Bound<'py, PyAny>> {
        if !spec.is_empty() && slf.get().get().size() == 1 {
            return slf.get().item(slf.py())?.call_method1("__format__", (spec,));
        }
        slf.str()?.call_method1("__format__", (spec,))
    }

    fn __hash__(slf: &Bound<'_, Self>) -> isize {
        // By identity: elements are asked for only when somebody wants them.
        (slf.as_ptr() as isize) >> 4
    }

    fn __copy__(&self) -> PyArray {
        PyArray::new(self.get())
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> PyArray {
        // Elements never change, so sharing them is a copy.
        PyArray::new(self.get())
    }

    /// The bytes of the elements, row by row and low ones first.
    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let x = self.get();
        Ok(PyBytes::new(py, bytes(&elements(py, &x)?, &x)?))
    }

    fn __getstate__(&self, py: Python<'_>) -> PyResult<State> {
        let x = self.get();
        let content = bytes(&elements(py, &x)?, &x)?.to_vec();
        Ok((content, x.shape().to_vec(), PyDtype(x.dtype())))
    }

    fn __setstate__(&self, py: Python<'_>, state: State) -> PyResult<()> {
        self.set(py, restored(state)?);
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "a reduce value is a nest of tuples")]
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyType>, Vec<u8>, Vec<usize>, PyDtype))> {
        let (content, shape, dtype) = slf.get().__getstate__(slf.py())?;
        let rebuild = slf.py().import("pullback._core")?.getattr("_rebuild")?;
        Ok((rebuild, (slf.get_type(), content, shape, dtype)))
    }

    /// The class of NumPy's arrays would take over `np.ones(3) + x` otherwise.
    #[classattr]
    #[expect(non_upper_case_globals, reason = "NumPy's name")]
    const __array_priority__: f64 = 1000.0;
}

/// The bytes of the elements, the shape and the type.
type State = (Vec<u8>, Vec<usize>, PyDtype);

fn restored((content, shape, dtype): State) -> PyResult<Array> {
    let shape = pullback::Shape::from(shape).checked("array").or_raise()?;
    pullback::from_bytes(&content, pullback::Aval { shape, dtype: dtype.0 }).or_raise()
}

/// An array from what `pickle` kept of it.
#[pyfunction]
pub fn _rebuild(
    _class: &Bound<'_, PyAny>,
    content: Vec<u8>,
    shape: Vec<usize>,
    dtype: DtypeArg,
) -> PyResult<PyArray> {
    restored((content, shape, PyDtype(dtype.0))).map(PyArray::new)
}
