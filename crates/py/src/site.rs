//! The line of Python that called us.

use std::cell::RefCell;
use std::sync::Arc;

use pullback::custom::Site;
use pyo3::prelude::*;
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
