//! DLPack, both ways: the elements of an evaluated array to others, the tensors of others as copies.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};

use pullback::{Array, Aval, Dtype, Shape, Storage};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use pyo3::{ffi, intern};

use crate::array::{PyArray, bytes, elements};
use crate::error::OrRaise;

#[repr(C)]
struct Tensor {
    data: *mut c_void,
    device: [i32; 2],
    ndim: i32,
    dtype: Kind,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Kind {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct Managed {
    tensor: Tensor,
    context: *mut c_void,
    // SAFETY: called once, by whoever took the capsule.
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

#[repr(C)]
struct ManagedVersioned {
    version: [u32; 2],
    context: *mut c_void,
    // SAFETY: called once, by whoever took the capsule.
    deleter: Option<unsafe extern "C" fn(*mut ManagedVersioned)>,
    flags: u64,
    tensor: Tensor,
}

/// Flags of version 1: nobody may write; the elements are the consumer's own.
const READ_ONLY: u64 = 1;
const IS_COPIED: u64 = 2;
const NAME: &CStr = c"dltensor";
const NAME_VERSIONED: &CStr = c"dltensor_versioned";
const CPU: i32 = 1;

/// The code of a type: signed, unsigned, float, bfloat, complex, bool.
fn kind(dtype: Dtype) -> Kind {
    let code = match dtype {
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => 0,
        Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => 1,
        Dtype::F16 | Dtype::F32 | Dtype::F64 => 2,
        Dtype::Bf16 => 4,
        Dtype::C64 => 5,
        Dtype::Bool => 6,
    };
    Kind { code, bits: 8 * dtype.size() as u8, lanes: 1 }
}

fn dtype(kind: Kind) -> Option<Dtype> {
    let same = |found: Kind| (found.code, found.bits, 1) == (kind.code, kind.bits, kind.lanes);
    Dtype::ALL.into_iter().find(|&dtype| same(self::kind(dtype)))
}

/// The box behind a capsule: the struct that the consumer reads, then what it points into.
struct Exported<M> {
    managed: M,
    _owned: (Vec<i64>, Vec<i64>, Storage),
}

trait HasContext {
    /// # Safety
    /// `managed` points at a live struct.
    unsafe fn context(managed: *mut Self) -> *mut c_void;
}
impl HasContext for Managed {
    unsafe fn context(managed: *mut Self) -> *mut c_void {
        // SAFETY: by contract.
        unsafe { (*managed).context }
    }
}
impl HasContext for ManagedVersioned {
    unsafe fn context(managed: *mut Self) -> *mut c_void {
        // SAFETY: by contract.
        unsafe { (*managed).context }
    }
}

/// Called by the consumer when it is done, from any thread: touches no Python.
unsafe extern "C" fn free<M: HasContext>(managed: *mut M) {
    // SAFETY: `context` is the box that `export` leaked; deleters run once.
    drop(unsafe { Box::from_raw(M::context(managed).cast::<Exported<M>>()) });
}

/// Frees what no consumer took. One that did renamed the capsule and owns the struct.
unsafe extern "C" fn capsule_gone<M: HasContext>(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython passes the capsule that dies; its name says who owns the struct.
    unsafe {
        for name in [NAME, NAME_VERSIONED] {
            if ffi::PyCapsule_IsValid(capsule, name.as_ptr()) == 1 {
                free::<M>(ffi::PyCapsule_GetPointer(capsule, name.as_ptr()).cast());
            }
        }
    }
}

/// # Safety
/// `managed` stays valid until its deleter runs.
unsafe fn capsule<'py, M: HasContext>(
    py: Python<'py>,
    managed: *mut M,
    name: &'static CStr,
) -> PyResult<Bound<'py, PyAny>> {
    let pointer =
        NonNull::new(managed.cast()).ok_or_else(|| PyBufferError::new_err("[dlpack] a null pointer"))?;
    // SAFETY: by contract; the destructor frees what no consumer took over.
    let made =
        unsafe { PyCapsule::new_with_pointer_and_destructor(py, pointer, name, Some(capsule_gone::<M>)) };
    made.map(Bound::into_any)
}

/// `flags` is for a capsule with a version: without one there is no place for it.
fn export<'py>(py: Python<'py>, array: &Array, flags: Option<u64>) -> PyResult<Bound<'py, PyAny>> {
    let storage = elements(py, array)?;
    let data = bytes(&storage, array)?.as_ptr() as *mut c_void;
    let mut shape: Vec<i64> = array.shape().iter().map(|&n| n as i64).collect();
    let mut strides: Vec<i64> = array.shape().strides().iter().map(|&s| s as i64).collect();
    let tensor = Tensor {
        data,
        device: [CPU, 0],
        ndim: shape.len() as i32,
        dtype: kind(array.dtype()),
        shape: shape.as_mut_ptr(),
        strides: strides.as_mut_ptr(),
        byte_offset: 0,
    };
    let (context, owned) = (ptr::null_mut(), (shape, strides, storage));
    if let Some(flags) = flags {
        // SAFETY: only a type is named here.
        let deleter = Some(free::<ManagedVersioned> as unsafe extern "C" fn(_));
        let managed = ManagedVersioned { version: [1, 0], context, deleter, flags, tensor };
        let raw = Box::into_raw(Box::new(Exported { managed, _owned: owned }));
        // SAFETY: `raw` is ours until the capsule or its consumer frees it.
        unsafe {
            (*raw).managed.context = raw.cast();
            capsule(py, &raw mut (*raw).managed, NAME_VERSIONED)
        }
    } else {
        // SAFETY: only a type is named here.
        let deleter = Some(free::<Managed> as unsafe extern "C" fn(_));
        let raw = Box::into_raw(Box::new(Exported {
            managed: Managed { tensor, context, deleter },
            _owned: owned,
        }));
        // SAFETY: as above.
        unsafe {
            (*raw).managed.context = raw.cast();
            capsule(py, &raw mut (*raw).managed, NAME)
        }
    }
}

#[pymethods]
impl PyArray {
    /// A DLPack capsule of the elements, of which a copy is made only on request; with a version, and the flag that
    /// says whether they may be written to, if the consumer understands version 1.
    #[pyo3(signature = (*, stream=None, max_version=None, dl_device=None, copy=None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = stream;
        if dl_device.is_some_and(|device| device != (CPU, 0)) {
            return Err(PyBufferError::new_err("[dlpack] only the device (1, 0), the CPU, is served"));
        }
        let mut array = self.get();
        let mut flags = READ_ONLY;
        if copy == Some(true) {
            // A block of its own, which nothing else reads: the consumer may write to it.
            array = pullback::from_bytes(bytes(&elements(py, &array)?, &array)?, array.aval().clone())
                .or_raise()?;
            flags = IS_COPIED;
        }
        export(py, &array, max_version.is_some_and(|version| version.0 >= 1).then_some(flags))
    }

    fn __dlpack_device__(&self) -> (i32, i32) {
        (CPU, 0)
    }
}

/// An array from another library's tensor, by copy: `copy=False` is refused but for arrays of our own.
#[pyfunction]
#[pyo3(signature = (x, /, *, copy=None))]
pub fn from_dlpack(x: &Bound<'_, PyAny>, copy: Option<bool>) -> PyResult<PyArray> {
    if copy == Some(false) && !x.is_instance_of::<PyArray>() {
        let text =
            "[from_dlpack] expected copy=None or copy=True, got False: a foreign tensor is always copied";
        return Err(PyValueError::new_err(text));
    }
    import(x).map(PyArray::new)
}

/// An array from anything with `__dlpack__`.
pub fn import(value: &Bound<'_, PyAny>) -> PyResult<Array> {
    let py = value.py();
    if let Ok(array) = value.cast::<PyArray>() {
        return Ok(array.get().get());
    }
    let (device, _): (i32, i32) = value.call_method0(intern!(py, "__dlpack_device__"))?.extract()?;
    if device != CPU {
        return Err(PyValueError::new_err("[from_dlpack] expected a tensor on the CPU: copy it there first"));
    }
    let kwargs = PyDict::new(py);
    kwargs.set_item(intern!(py, "max_version"), (1, 0))?;
    let made = match value.call_method(intern!(py, "__dlpack__"), (), Some(&kwargs)) {
        // Older libraries know no versions.
        Err(err) if err.is_instance_of::<PyTypeError>(py) => value.call_method0(intern!(py, "__dlpack__"))?,
        other => other?,
    };
    let capsule = made.cast::<PyCapsule>()?;
    for name in [NAME_VERSIONED, NAME] {
        let Ok(pointer) = capsule.pointer_checked(Some(name)) else { continue };
        // SAFETY: the name says which struct it is, and the capsule keeps it alive while we copy.
        let tensor = unsafe {
            if name == NAME {
                &pointer.cast::<Managed>().as_ref().tensor
            } else {
                &pointer.cast::<ManagedVersioned>().as_ref().tensor
            }
        };
        return copied(tensor);
    }
    Err(PyTypeError::new_err("[from_dlpack] expected a DLPack capsule that nobody has used, got another one"))
}

fn copied(tensor: &Tensor) -> PyResult<Array> {
    let Some(dtype) = dtype(tensor.dtype) else {
        let Kind { code, bits, lanes } = tensor.dtype;
        let text = format!(
            "[from_dlpack] expected a type of pullback, got code {code} of {bits} bits, {lanes} lanes"
        );
        return Err(PyTypeError::new_err(text));
    };
    let ndim = tensor.ndim.max(0) as usize;
    // SAFETY: DLPack promises as many sizes (and strides, unless null) as axes.
    let sizes = unsafe { slice(tensor.shape, ndim) };
    let shape: Shape = sizes.iter().map(|&n| n.max(0) as usize).collect();
    let shape = shape.checked("from_dlpack").or_raise()?;
    let strides: Vec<i64> = if tensor.strides.is_null() {
        shape.strides().iter().map(|&s| s as i64).collect()
    } else {
        // SAFETY: as above.
        unsafe { slice(tensor.strides, ndim) }.to_vec()
    };
    let (size, item) = (shape.size(), dtype.size());
    let mut content = vec![0u8; size * item];
    let mut index = vec![0usize; ndim];
    for to in content.chunks_exact_mut(item) {
        let offset: i64 = index.iter().zip(&strides).map(|(&i, &s)| i as i64 * s).sum();
        // SAFETY: every element of the tensor lies within its block, by the producer's word.
        unsafe {
            let from = tensor
                .data
                .cast::<u8>()
                .add(tensor.byte_offset as usize)
                .offset(offset as isize * item as isize);
            ptr::copy_nonoverlapping(from, to.as_mut_ptr(), item);
        }
        for axis in (0..ndim).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    pullback::from_bytes(&content, Aval { shape, dtype }).or_raise()
}

/// # Safety
/// `start` points at `n` numbers, or `n` is 0.
unsafe fn slice<'a>(start: *const i64, n: usize) -> &'a [i64] {
    if n == 0 || start.is_null() {
        return &[];
    }
    // SAFETY: by contract.
    unsafe { std::slice::from_raw_parts(start, n) }
}
