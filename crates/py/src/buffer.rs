//! NumPy and the buffer protocol, without a dependency on either. Import copies, because the graph is lazy and a
//! later write must not change what an expression means; export is a read-only view of the elements.

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use pullback::{Array, Aval, Dtype, Scalar, Shape, Storage};
use pyo3::exceptions::{PyBufferError, PyImportError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{ffi, intern};

use crate::args::Sizes;
use crate::array::{PyArray, bytes, elements};
use crate::dtype::DtypeArg;
use crate::error::OrRaise;

/// What a view keeps alive: the elements, and the numbers that `Py_buffer` points to.
struct Held {
    storage: Storage,
    shape: Vec<isize>,
    strides: Vec<isize>,
}

/// The format of an element in the language of `struct`; `bfloat16` has none.
fn format(dtype: Dtype) -> Option<&'static CStr> {
    Some(match dtype {
        Dtype::Bool => c"?",
        Dtype::U8 => c"B",
        Dtype::U16 => c"H",
        Dtype::U32 => c"I",
        Dtype::U64 => c"Q",
        Dtype::I8 => c"b",
        Dtype::I16 => c"h",
        Dtype::I32 => c"i",
        Dtype::I64 => c"q",
        Dtype::F16 => c"e",
        Dtype::F32 => c"f",
        Dtype::F64 => c"d",
        Dtype::C64 => c"Zf",
        Dtype::Bf16 => return None,
    })
}

/// What an element of a foreign buffer is.
enum Foreign {
    Same(Dtype),
    /// `complex128`, which we do not have.
    Complex128,
}

fn foreign(format: &str, item: usize) -> Option<Foreign> {
    let letters = match format.as_bytes() {
        [b'@' | b'=' | b'<', rest @ ..] if cfg!(target_endian = "little") => rest,
        [b'>' | b'!', ..] => return None,
        letters => letters,
    };
    let signed = [Dtype::I8, Dtype::I16, Dtype::I32, Dtype::I64];
    let unsigned = [Dtype::U8, Dtype::U16, Dtype::U32, Dtype::U64];
    // `l` is of 4 bytes on some systems and of 8 on others: the size of the item says which.
    let sized = |list: [Dtype; 4]| list.into_iter().find(|dtype| dtype.size() == item).map(Foreign::Same);
    match letters {
        b"?" => Some(Foreign::Same(Dtype::Bool)),
        b"b" | b"h" | b"i" | b"l" | b"q" | b"n" => sized(signed),
        b"B" | b"H" | b"I" | b"L" | b"Q" | b"N" => sized(unsigned),
        b"e" => Some(Foreign::Same(Dtype::F16)),
        b"f" => Some(Foreign::Same(Dtype::F32)),
        b"d" => Some(Foreign::Same(Dtype::F64)),
        b"Zf" => Some(Foreign::Same(Dtype::C64)),
        b"Zd" => Some(Foreign::Complex128),
        _ => None,
    }
}

/// A foreign buffer, released when dropped.
struct View(Box<ffi::Py_buffer>);

impl View {
    fn of(value: &Bound<'_, PyAny>) -> Option<View> {
        let mut view = Box::new(MaybeUninit::<ffi::Py_buffer>::zeroed());
        // SAFETY: `value` is a live object and `view` is a zeroed buffer to fill.
        let rc = unsafe { ffi::PyObject_GetBuffer(value.as_ptr(), view.as_mut_ptr(), ffi::PyBUF_FULL_RO) };
        if rc != 0 {
            drop(PyErr::take(value.py()));
            return None;
        }
        // SAFETY: filled by the call above, which succeeded.
        Some(View(unsafe { Box::from_raw(Box::into_raw(view).cast()) }))
    }

    fn sizes(&self) -> Vec<usize> {
        if self.0.ndim <= 0 || self.0.shape.is_null() {
            return Vec::new();
        }
        // SAFETY: a full buffer has as many sizes as axes.
        let sizes = unsafe { std::slice::from_raw_parts(self.0.shape, self.0.ndim as usize) };
        sizes.iter().map(|&n| n.max(0) as usize).collect()
    }

    fn format(&self) -> String {
        if self.0.format.is_null() {
            return "B".into();
        }
        // SAFETY: a format is a string that lives as long as the view.
        unsafe { CStr::from_ptr(self.0.format) }.to_string_lossy().into_owned()
    }

    /// The elements, row-major.
    fn content(&mut self, py: Python<'_>) -> PyResult<Vec<u8>> {
        let length = self.0.len.max(0) as usize;
        let mut content = vec![0u8; length];
        let (to, size) = (content.as_mut_ptr().cast::<c_void>(), self.0.len);
        // SAFETY: `content` has room for all `len` bytes of the view.
        let rc = unsafe { ffi::PyBuffer_ToContiguous(to, &raw mut *self.0, size, b'C' as std::ffi::c_char) };
        if rc != 0 { Err(PyErr::fetch(py)) } else { Ok(content) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: filled once, released once, by a holder of the interpreter: views live within one call.
        unsafe { ffi::PyBuffer_Release(&raw mut *self.0) }
    }
}

/// An array from anything with the buffer protocol, or `None` for anything without. Without a wish for a type,
/// `float64` becomes `float32` and `complex128` `complex64`, as in MLX.
pub fn import(value: &Bound<'_, PyAny>, dtype: Option<Dtype>) -> PyResult<Option<Array>> {
    let Some(mut view) = View::of(value) else { return by_bits(value, dtype) };
    let found = view.format();
    let Some(kind) = foreign(&found, view.0.itemsize.max(0) as usize) else {
        return other_order(value, dtype, &found);
    };
    let shape = Shape::from(view.sizes()).checked("array").or_raise()?;
    let content = view.content(value.py())?;
    let made = match kind {
        Foreign::Same(dtype) => pullback::from_bytes(&content, Aval { shape, dtype }).or_raise()?,
        Foreign::Complex128 => {
            let part = |at: usize| f64::from_le_bytes(content[at..at + 8].try_into().unwrap_or_default());
            let element =
                |i: usize| Scalar::Complex(part(16 * i), part(16 * i + 8)).bits(Dtype::C64).to_le_bytes();
            let narrow: Vec<u8> = (0..content.len() / 16).flat_map(element).collect();
            pullback::from_bytes(&narrow, Aval { shape, dtype: Dtype::C64 }).or_raise()?
        }
    };
    if made.dtype() == Dtype::F64 && dtype.is_none() {
        return pullback::fun::cast(&made, Dtype::F32).or_raise().map(Some);
    }
    Ok(Some(made))
}

/// An array of the bytes of its elements, row-major and low bytes first: the other way from a buffer of `x`.
#[pyfunction]
#[pyo3(signature = (content, shape, dtype, /))]
pub fn _from_bytes(content: &Bound<'_, PyAny>, shape: Sizes, dtype: DtypeArg) -> PyResult<PyArray> {
    let Some(mut view) = View::of(content) else {
        return Err(PyTypeError::new_err("[from_bytes] expected an object with the buffer protocol"));
    };
    let content = view.content(content.py())?;
    let shape = shape.0.checked("from_bytes").or_raise()?;
    pullback::from_bytes(&content, Aval { shape, dtype: dtype.0 }).or_raise().map(PyArray::new)
}

/// NumPy arrays of a type that the buffer protocol cannot name: `bfloat16` of other libraries.
fn by_bits(value: &Bound<'_, PyAny>, dtype: Option<Dtype>) -> PyResult<Option<Array>> {
    let py = value.py();
    let Some(kind) = value.getattr_opt(intern!(py, "dtype"))? else { return Ok(None) };
    let named = kind.getattr_opt(intern!(py, "name"))?.map(|name| name.to_string());
    if named.as_deref() != Some("bfloat16") || !value.hasattr(intern!(py, "view"))? {
        return Ok(None);
    }
    let bits = value.call_method1(intern!(py, "view"), ("uint16",))?;
    match import(&bits, Some(Dtype::U16))? {
        Some(words) => {
            let made = pullback::fun::bitcast(&words, Dtype::Bf16).or_raise()?;
            match dtype {
                Some(dtype) => pullback::fun::cast(&made, dtype).or_raise().map(Some),
                None => Ok(Some(made)),
            }
        }
        None => Ok(None),
    }
}

/// Elements with their bytes in the other order: NumPy can turn them.
fn other_order(value: &Bound<'_, PyAny>, dtype: Option<Dtype>, format: &str) -> PyResult<Option<Array>> {
    let py = value.py();
    let refuse = || {
        Err(PyTypeError::new_err(format!(
            "[array] expected elements that are numbers, got a buffer of format '{format}'"
        )))
    };
    if !format.starts_with(['>', '!']) || foreign(&format[1..], 0).is_none() && format.len() != 2 {
        return refuse();
    }
    let Some(kind) = value.getattr_opt(intern!(py, "dtype"))? else { return refuse() };
    let native = kind.call_method1(intern!(py, "newbyteorder"), ("=",))?;
    import(&value.call_method1(intern!(py, "astype"), (native,))?, dtype)
}

thread_local! {
    /// The object whose elements could not be computed for a view, and why.
    static FAILED: RefCell<Option<(usize, PyErr)>> = const { RefCell::new(None) };
}

/// The error with which the last view of an object failed. NumPy asks for a view first and forgets why there is none,
/// be it Ctrl-C; then it asks for `__array__`, which is not to compute all of it again.
fn failed(slf: &Bound<'_, PyArray>) -> Option<PyErr> {
    FAILED.take().filter(|(of, _)| *of == slf.as_ptr() as usize).map(|(_, err)| err)
}

/// Fills a read-only view of the elements.
///
/// # Safety
/// `view` is the pointer that CPython passed to `bf_getbuffer`.
unsafe fn export(slf: Bound<'_, PyArray>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
    if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
        return Err(PyBufferError::new_err("[buffer] arrays are immutable: ask for a read-only view"));
    }
    let array = slf.get().get();
    let Some(letters) = format(array.dtype()) else {
        let text = format!(
            "[buffer] the buffer protocol has no name for {}: use x.astype(pb.float32)",
            array.dtype()
        );
        return Err(PyBufferError::new_err(text));
    };
    drop(FAILED.take());
    let storage = elements(slf.py(), &array).inspect_err(|err| {
        // A warning that was made an error is none of a computation, which need not be done again.
        if array.data().is_none() {
            FAILED.set(Some((slf.as_ptr() as usize, err.clone_ref(slf.py()))));
        }
    })?;
    let content = bytes(&storage, &array)?;
    let (start, length, item) = (content.as_ptr(), content.len(), array.dtype().size() as isize);
    let shape = array.shape().iter().map(|&n| n as isize).collect();
    let strides = array.shape().strides().iter().map(|&s| s * item).collect();
    let mut held = Box::new(Held { storage, shape, strides });
    let wants = |flag: c_int| flags & flag == flag;
    // SAFETY: `view` is valid; every pointer stored lives in `held`, which `__releasebuffer__` frees.
    unsafe {
        (*view).buf = start as *mut c_void;
        (*view).len = length as isize;
        (*view).itemsize = item;
        (*view).readonly = 1;
        (*view).ndim = held.shape.len() as c_int;
        (*view).format = if wants(ffi::PyBUF_FORMAT) { letters.as_ptr().cast_mut() } else { ptr::null_mut() };
        (*view).shape = if wants(ffi::PyBUF_ND) { held.shape.as_mut_ptr() } else { ptr::null_mut() };
        (*view).strides = if wants(ffi::PyBUF_STRIDES) { held.strides.as_mut_ptr() } else { ptr::null_mut() };
        (*view).suboffsets = ptr::null_mut();
        (*view).internal = Box::into_raw(held).cast();
        (*view).obj = slf.into_ptr();
    }
    Ok(())
}

/// `np.asarray(memoryview(x))`: NumPy is imported by the first caller who wants it, not by us.
fn to_numpy<'py>(
    slf: &Bound<'py, PyArray>,
    dtype: Option<Bound<'py, PyAny>>,
    copy: Option<bool>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    if let Some(err) = failed(slf) {
        return Err(err);
    }
    let numpy = py.import(intern!(py, "numpy"))?;
    let mut source = slf.clone();
    // NumPy itself knows no bfloat16.
    let named = match format(slf.get().get().dtype()) {
        Some(_) => None,
        None => {
            let (numbers, named) = for_numpy(py, &slf.get().get(), copy)?;
            source = Bound::new(py, PyArray::new(numbers))?;
            named
        }
    };
    let view = py.get_type::<pyo3::types::PyMemoryView>().call1((&source,)).inspect_err(|_| {
        drop(failed(&source));
    })?;
    let mut array = numpy.call_method1(intern!(py, "asarray"), (view,))?;
    if let Some(named) = named {
        array = array.call_method1(intern!(py, "view"), (named,))?;
    }
    let same = match &dtype {
        None => true,
        Some(dtype) => {
            array.getattr(intern!(py, "dtype"))?.eq(numpy.call_method1(intern!(py, "dtype"), (dtype,))?)?
        }
    };
    match (same, copy) {
        (false, Some(false)) => Err(PyValueError::new_err("[array] a copy is needed to change the dtype")),
        (false, _) => array.call_method1(intern!(py, "astype"), (dtype,)),
        (true, Some(true)) => array.call_method0(intern!(py, "copy")),
        (true, _) => Ok(array),
    }
}

/// The elements of a `bfloat16` array as numbers that NumPy knows: its bits, and the type of `ml_dtypes` under which
/// to view them, where that package is installed; otherwise `float32`, which holds every value.
fn for_numpy<'py>(
    py: Python<'py>,
    x: &Array,
    copy: Option<bool>,
) -> PyResult<(Array, Option<Bound<'py, PyAny>>)> {
    match py.import(intern!(py, "ml_dtypes")) {
        Ok(types) => {
            let bits = pullback::fun::bitcast(x, Dtype::U16).or_raise()?;
            Ok((bits, Some(types.getattr(intern!(py, "bfloat16"))?)))
        }
        Err(err) if !err.is_instance_of::<PyImportError>(py) => Err(err),
        Err(_) if copy == Some(false) => Err(PyValueError::new_err(
            "[array] expected that a copy may be made, got copy=False: NumPy has bfloat16 where ml_dtypes is installed",
        )),
        Err(_) => Ok((pullback::fun::cast(x, Dtype::F32).or_raise()?, None)),
    }
}

#[pymethods]
impl PyArray {
    // SAFETY: CPython calls it, with a view to fill.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        // SAFETY: CPython hands a valid view.
        unsafe { export(slf, view, flags) }
    }

    // SAFETY: CPython calls it, with a view that was filled.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: `internal` is the box that `export` leaked, and CPython releases once.
        let held = unsafe { Box::from_raw((*view).internal.cast::<Held>()) };
        drop(held.storage);
    }

    /// A NumPy array: a read-only view of the elements unless a copy or another type is asked for.
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        slf: &Bound<'py, Self>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_numpy(slf, dtype, copy)
    }
}
