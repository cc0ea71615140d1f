//! Functions and methods under their own names: what goes wrong in a call says `[name] expected …, got …`, whether it
//! is found while arguments are read, where no reader knows for which function it reads, or by an operation that the
//! function is composed of.

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::OnceLock;

use pyo3::exceptions::{PyMemoryError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyModule, PyType};
use pyo3::{ffi, intern};

use crate::convert::broken;

/// What stands behind an entry.
struct Named {
    name: String,
    call: ffi::PyCFunctionFastWithKeywords,
    /// Whether it builds arrays, and names all of its errors: what does takes a stream. What takes functions or
    /// computes passes on the errors of others.
    builds: bool,
}

/// As many as there may be functions and methods that take arguments.
const COUNT: usize = 32 * 16;
static TABLE: [OnceLock<Named>; COUNT] = [const { OnceLock::new() }; COUNT];

/// What a call of function `N` arrives at: a C function carries no data of its own.
///
/// # Safety
/// CPython calls it, attached, with arguments as the function behind it takes them.
unsafe extern "C" fn entry<const N: usize>(
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls attached; the arguments are passed on as they came.
    unsafe {
        let Some(named) = TABLE[N].get() else { return std::ptr::null_mut() };
        let result = (named.call)(slf, args, count, names);
        if result.is_null() {
            let py = Python::assume_attached();
            if let Some(err) = PyErr::take(py) {
                renamed(py, &named.name, named.builds, err).restore(py);
            }
        }
        result
    }
}

macro_rules! entries {
    ($($high:literal)*) => { [$(entries!(row $high; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)),*] };
    (row $high:literal; $($low:literal)*) => { entries!(cells $high; $($low)*) };
    (cells $high:literal; $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal
        $i:literal $j:literal $k:literal $l:literal $m:literal $n:literal $o:literal $p:literal) => {
        [
            entry::<{ $high * 16 + $a }>, entry::<{ $high * 16 + $b }>, entry::<{ $high * 16 + $c }>,
            entry::<{ $high * 16 + $d }>, entry::<{ $high * 16 + $e }>, entry::<{ $high * 16 + $f }>,
            entry::<{ $high * 16 + $g }>, entry::<{ $high * 16 + $h }>, entry::<{ $high * 16 + $i }>,
            entry::<{ $high * 16 + $j }>, entry::<{ $high * 16 + $k }>, entry::<{ $high * 16 + $l }>,
            entry::<{ $high * 16 + $m }>, entry::<{ $high * 16 + $n }>, entry::<{ $high * 16 + $o }>,
            entry::<{ $high * 16 + $p }>,
        ]
    };
}

const ENTRIES: [[ffi::PyCFunctionFastWithKeywords; 16]; COUNT / 16] = entries![
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
];

const FAST: c_int = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;

/// A definition that arrives at `function` and names its errors; none if it is called otherwise, or only by our own
/// functions in Python.
fn definition(function: &Bound<'_, PyCFunction>, prefix: &str) -> PyResult<Option<*mut ffi::PyMethodDef>> {
    let py = function.py();
    // SAFETY: it is a C function, and the flags say which kind of pointer it has.
    let call = unsafe {
        if ffi::PyCFunction_GetFlags(function.as_ptr()) & !ffi::METH_STATIC != FAST {
            return Ok(None);
        }
        let Some(call) = ffi::PyCFunction_GetFunction(function.as_ptr()) else { return Ok(None) };
        std::mem::transmute::<ffi::PyCFunction, ffi::PyCFunctionFastWithKeywords>(call)
    };
    let name: String = function.getattr(intern!(py, "__name__"))?.extract()?;
    if name.starts_with('_') {
        return Ok(None);
    }
    let sign: Option<String> = function.getattr(intern!(py, "__text_signature__"))?.extract()?;
    let text: Option<String> = function.getattr(intern!(py, "__doc__"))?.extract()?;
    let text = match &sign {
        Some(sign) => format!("{name}{sign}\n--\n\n{}", text.unwrap_or_default()),
        None => text.unwrap_or_default(),
    };
    let builds = sign.is_some_and(|sign| sign.contains("stream"));
    let mut named = Some(Named { name: format!("{prefix}{name}"), call, builds });
    let free = TABLE.iter().position(|place| {
        named.take().is_some_and(|mine| match place.set(mine) {
            Ok(()) => true,
            Err(mine) => {
                named = Some(mine);
                false
            }
        })
    });
    let Some(free) = free else {
        return Err(broken(&format!("[named] expected at most {COUNT} functions, got more")));
    };
    let def = ffi::PyMethodDef {
        ml_name: leaked(&name)?,
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: ENTRIES[free / 16][free % 16] },
        ml_flags: FAST,
        ml_doc: leaked(&text)?,
    };
    Ok(Some(Box::into_raw(Box::new(def))))
}

/// Once per function and process, for a string that CPython keeps.
pub fn leaked(text: &str) -> PyResult<*const c_char> {
    let text = CString::new(text)?;
    Ok(Box::leak(text.into_boxed_c_str()) as &'static CStr as *const CStr as *const c_char)
}

/// A function that names its errors, `prefix` before its name.
pub fn function<'py>(
    module: &Bound<'py, PyModule>,
    function: Bound<'py, PyCFunction>,
    prefix: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(def) = definition(&function, prefix)? else { return Ok(function.into_any()) };
    let home = module.name()?;
    // SAFETY: the definition lives for ever.
    unsafe {
        let made = ffi::PyCFunction_NewEx(def, module.as_ptr(), home.as_ptr());
        Bound::from_owned_ptr_or_err(module.py(), made)
    }
}

/// Lets the methods of a class name their errors; `one` is an object of it.
pub fn methods(one: &Bound<'_, PyAny>) -> PyResult<()> {
    let (py, class) = (one.py(), one.get_type());
    for name in class.dir()? {
        let name: String = name.extract()?;
        // A property would be read, and may fail.
        if name.starts_with('_') || class.getattr(&*name)?.get_type().name()? != "method_descriptor" {
            continue;
        }
        // Bound, a method is a C function that can be asked for what is behind it.
        let Ok(method) = one.getattr(&*name)?.cast_into::<PyCFunction>() else { continue };
        if method.getattr(intern!(py, "__self__"))?.is_instance_of::<PyType>() {
            continue;
        }
        let Some(def) = definition(&method, "")? else { continue };
        // SAFETY: the definition lives for ever.
        let made =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_type_ptr(), def))? };
        class.setattr(&*name, made)?;
    }
    Ok(())
}

/// Where nobody knows the function: the kind of the argument that was read.
const KINDS: [&str; 4] = ["[array] ", "[dtype] ", "[shape] ", "[stream] "];

/// An error under the name of the function that was called. What comes out of Python code, a callback's errors among
/// it, stays as it is.
pub fn renamed(py: Python<'_>, name: &str, builds: bool, err: PyErr) -> PyErr {
    let kind = err.get_type(py);
    let ours = kind.is(py.get_type::<PyTypeError>())
        || kind.is(py.get_type::<PyValueError>())
        || kind.is(py.get_type::<PyOverflowError>())
        || kind.is(py.get_type::<PyMemoryError>());
    if !ours || err.traceback(py).is_some() {
        return err;
    }
    let text = err.value(py).to_string();
    let body = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_, body)) if builds || KINDS.iter().any(|kind| text.starts_with(kind)) => body.to_owned(),
        Some(_) => return err,
        None => match plain(&text) {
            Some(body) => body,
            None => return err,
        },
    };
    if text == NEGATIVE {
        return PyValueError::new_err(format!("[{name}] {body}"));
    }
    // In place: notes stay.
    match err.value(py).setattr(intern!(py, "args"), (format!("[{name}] {body}"),)) {
        Ok(()) => err,
        Err(other) => other,
    }
}

/// Of this Python says that it overflows; a size that makes no sense is a value that does not fit, as elsewhere.
const NEGATIVE: &str = "can't convert negative int to unsigned";

/// What Python and PyO3 say of an argument that they cannot read, in our words.
fn plain(text: &str) -> Option<String> {
    if text.starts_with("expected ") {
        return Some(text.to_owned());
    }
    let quoted = |end: &str| text.strip_suffix(end).map(|got| got.trim_matches('\'').to_owned());
    let article = |kind: &str| match kind {
        "tuple" | "Sequence" => "a sequence".to_owned(),
        "str" => "a string".to_owned(),
        kind => format!("a {kind}"),
    };
    if let Some(got) = quoted("' object cannot be interpreted as an integer") {
        return Some(format!("expected an integer, got {got}"));
    }
    if let Some(got) = text.strip_prefix("must be real number, not ") {
        return Some(format!("expected a number, got {got}"));
    }
    for middle in ["' object is not an instance of '", "' is not an instance of '"] {
        if let Some((got, kind)) = text.split_once(middle) {
            let (got, kind) = (got.trim_matches('\''), article(kind.trim_matches('\'')));
            return Some(format!("expected {kind}, got {got}"));
        }
    }
    // NumPy, of an array where a number is read.
    if text.starts_with("only ") && text.contains(" arrays can be converted to ") {
        let kind = if text.ends_with("index") { "an integer" } else { "a number" };
        return Some(format!("expected {kind}, got an array"));
    }
    if text == "Can't extract `str` to `Vec`" {
        return Some("expected a sequence, got str".into());
    }
    let large = ["Python int too large to convert", "int too big to convert"];
    if large.iter().any(|start| text.starts_with(start)) {
        return Some("expected an integer of 64 bits, got a larger one".into());
    }
    match text {
        NEGATIVE => Some("expected an integer that is not negative, got a negative one".into()),
        "out of range integral type conversion attempted" => {
            Some("expected an integer in range, got one outside of it".into())
        }
        _ => None,
    }
}
