//! What crosses the border when something fails: values of one enum on our side, exceptions on Python's.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use pullback::{Error, ErrorKind, Result};
use pyo3::exceptions::{
    PyIndexError, PyMemoryError, PyRuntimeError, PyTypeError, PyUserWarning, PyValueError,
};
use pyo3::intern;
use pyo3::prelude::*;

pyo3::create_exception!(
    pullback,
    RuleError,
    PyValueError,
    "A rule of a custom function is missing, returned something unfit, or cannot be transposed."
);
pyo3::create_exception!(pullback, DeviceError, PyRuntimeError, "A device is missing, was lost, or failed.");
pyo3::create_exception!(
    pullback,
    InternalError,
    PyRuntimeError,
    "A bug in the engine itself, not in the program that uses it."
);
pyo3::create_exception!(
    pullback,
    AnomalyError,
    PyValueError,
    "An operation made a NaN (or an infinity) while `pb.debug.detect_anomaly` was watching."
);
pyo3::create_exception!(
    pullback,
    AnomalyWarning,
    PyUserWarning,
    "As `AnomalyError`, from a watch that only warns."
);
pyo3::create_exception!(
    pullback,
    RuleFallbackWarning,
    PyUserWarning,
    "A derivative was taken from a function's body, although the function has a rule for the other mode."
);

/// Results of the engine as results of Python.
pub trait OrRaise<T> {
    /// The value, or the exception that the error stands for.
    fn or_raise(self) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T> {
    #[inline]
    fn or_raise(self) -> PyResult<T> {
        self.map_err(raised)
    }
}

/// The exception that an error stands for. One that was raised by Python comes out as itself, with type,
/// traceback and cause; what was noted on the way is added to it.
#[cold]
pub fn raised(error: Error) -> PyErr {
    let text = || error.to_string();
    match error.kind() {
        ErrorKind::Value => PyValueError::new_err(text()),
        ErrorKind::Type => PyTypeError::new_err(text()),
        ErrorKind::Index => PyIndexError::new_err(text()),
        ErrorKind::Memory => PyMemoryError::new_err(text()),
        ErrorKind::Rule => RuleError::new_err(text()),
        ErrorKind::Anomaly => AnomalyError::new_err(text()),
        ErrorKind::Device => DeviceError::new_err(text()),
        ErrorKind::Internal => InternalError::new_err(format!("{}; please report this", text())),
        ErrorKind::Host => Python::attach(|py| match error.source::<PyErr>() {
            Some(err) => {
                let err = err.clone_ref(py);
                // A note that cannot be added must not hide the exception.
                let _ = note_all(py, &err, error.notes());
                err
            }
            None => PyRuntimeError::new_err(text()),
        }),
    }
}

/// An exception passes several transforms on its way, and each may note the same line.
fn note_all(py: Python<'_>, err: &PyErr, notes: &[String]) -> PyResult<()> {
    let value = err.value(py);
    for note in notes {
        let there = match value.getattr_opt(intern!(py, "__notes__"))? {
            Some(list) => list.contains(note)?,
            None => false,
        };
        if !there {
            value.call_method1(intern!(py, "add_note"), (note,))?;
        }
    }
    Ok(())
}

/// An exception on its way through the engine.
#[cold]
pub fn host(err: PyErr) -> Error {
    Error::host(err.to_string(), err)
}

thread_local! {
    static GUARDS: Cell<u32> = const { Cell::new(0) };
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `body`; a panic inside becomes an `InternalError` that names the place. Without this PyO3 raises
/// `PanicException`, a `BaseException` that `except Exception` does not catch.
pub fn guard<T>(body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if GUARDS.get() == 0 {
                return before(info);
            }
            PLACE.set(info.location().map_or_else(String::new, |l| format!("{}:{}", l.file(), l.line())));
        }));
    });
    // Found once: in a shared library, each look at a thread's variable is a call.
    let result = GUARDS.with(|guards| {
        guards.set(guards.get() + 1);
        let result = catch_unwind(AssertUnwindSafe(body));
        guards.set(guards.get() - 1);
        result
    });
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic");
        Err(InternalError::new_err(format!("{text} (at {}); please report this", PLACE.take())))
    })
}
