//! The line of Python that called us.

use std::cell::RefCell;
use std::sync::Arc;

use pullback::custom::Site;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{ffi, intern};

thread_local! {
    /// The file name of the last code object, which is kept so that its address stays its own.
    static LAST: RefCell<Option<(Py<PyAny>, Arc<str>)>> = const { RefCell::new(None) };
}

/// The innermost frame of Python, which is that of the caller: a function in Rust has none of its own.
pub fn caller(py: Python<'_>) -> Site {
    // SAFETY: attached; the frame, if there is one, is borrowed from the running interpreter.
    let frame = unsafe { ffi::PyEval_GetFrame() };
    if frame.is_null() {
        return Site { file: "?".into(), line: 0 };
    }
    // SAFETY: a live frame; the code object is a new reference.
    let (line, code) = unsafe {
        let code = ffi::PyFrame_GetCode(frame).cast::<ffi::PyObject>();
        (ffi::PyFrame_GetLineNumber(frame), Bound::from_owned_ptr(py, code))
    };
    let known = LAST.with_borrow(|last| match last {
        Some((known, file)) if known.is(&code) => Some(file.clone()),
        _ => None,
    });
    let file = known.unwrap_or_else(|| {
        let name =
            code.getattr(intern!(py, "co_filename")).map_or_else(|_| "?".into(), |name| name.to_string());
        let file: Arc<str> = name.into();
        let before = LAST.with_borrow_mut(|last| last.replace((code.unbind(), file.clone())));
        drop(before);
        file
    });
    Site { file, line: line.max(0) as u32 }
}

/// The innermost frame of Python outside of this package: what a user wrote.
pub fn user(py: Python<'_>) -> Option<Site> {
    static HOME: PyOnceLock<String> = PyOnceLock::new();
    let home = HOME.get_or_init(py, || home(py).unwrap_or_default());
    // SAFETY: attached; the frame, if there is one, is borrowed from the running interpreter.
    let frame = unsafe { ffi::PyEval_GetFrame() };
    // SAFETY: null or a live object.
    let mut frame = unsafe { Bound::from_borrowed_ptr_or_opt(py, frame.cast()) };
    while let Some(here) = frame {
        let file =
            here.getattr(intern!(py, "f_code")).and_then(|code| code.getattr(intern!(py, "co_filename")));
        let file = file.map_or_else(|_| String::new(), |name| name.to_string());
        if home.is_empty() || !file.starts_with(home.as_str()) {
            let line = here.getattr(intern!(py, "f_lineno")).and_then(|line| line.extract::<u32>());
            return Some(Site { file: file.into(), line: line.unwrap_or(0) });
        }
        let back = here.getattr(intern!(py, "f_back"));
        frame = back.ok().filter(|back| !back.is_none());
    }
    None
}

/// The folder of this package.
fn home(py: Python<'_>) -> PyResult<String> {
    let file = py.import("pullback")?.getattr("__file__")?.to_string();
    let end = file.rfind(['/', '\\']).map_or(0, |at| at + 1);
    Ok(file[..end].to_string())
}
