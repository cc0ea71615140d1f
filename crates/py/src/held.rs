//! What only threads attached to the interpreter touch: its lock is theirs, and another one would take longer than
//! most of what is done under it.

use std::cell::UnsafeCell;

use pullback::Array;
use pyo3::exceptions::PyImportError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::tree::Tree;

/// A value that is read and replaced under the interpreter's lock.
pub struct Held<T>(UnsafeCell<T>);

/// What can be copied while it is held.
///
/// # Safety
/// `clone` counts references and does nothing else: it runs no code of Python, and gives the interpreter's lock to
/// nobody.
pub unsafe trait Counted: Clone {}

// SAFETY: a handle is a counted reference to a node.
unsafe impl Counted for Array {}
// SAFETY: a structure is a counted reference to its parts.
unsafe impl Counted for Option<Tree> {}
// SAFETY: a counted reference.
unsafe impl<T> Counted for std::sync::Arc<T> {}

// SAFETY: the value is touched by `get` and `replace` alone, by threads that have a token. `locked` has seen to it
// that one thread at a time has one, and neither method lets it go before it is done: `Counted` promises it of `get`,
// and `replace` moves.
unsafe impl<T: Send> Sync for Held<T> {}

impl<T> Held<T> {
    /// A value to begin with.
    #[inline]
    pub const fn new(value: T) -> Held<T> {
        Held(UnsafeCell::new(value))
    }

    /// Puts another value in its place, and hands out the one that was there: what dies with it may be anything.
    #[must_use]
    pub fn replace(&self, _py: Python<'_>, value: T) -> T {
        // SAFETY: a token, see `Sync`; no reference to the value is left anywhere.
        unsafe { std::mem::replace(&mut *self.0.get(), value) }
    }
}

impl<T: Counted> Held<T> {
    /// The value.
    #[inline]
    pub fn get(&self, _py: Python<'_>) -> T {
        // SAFETY: a token, see `Sync`; the reference ends with the copy.
        unsafe { (*self.0.get()).clone() }
    }
}

impl<T> Held<Option<Py<T>>> {
    /// The object.
    #[inline]
    pub fn bound<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        // SAFETY: a token, see `Sync`; the reference ends with the count, which runs no code.
        unsafe { (*self.0.get()).as_ref().map(|object| object.bind(py).clone()) }
    }

    /// Shows it to the collector.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector runs under the interpreter's lock, which it keeps, and only looks.
        unsafe { &*self.0.get() }.as_ref().map_or(Ok(()), |object| visit.call(object))
    }

    /// Lets it go, for the collector.
    pub fn clear(&self) {
        // SAFETY: the collector runs under the interpreter's lock; what the object's end runs finds nothing here.
        drop(self.replace(unsafe { Python::assume_attached() }, None));
    }
}

impl<T: Default> Default for Held<T> {
    fn default() -> Held<T> {
        Held::new(T::default())
    }
}

/// Refuses an interpreter whose threads run at the same time. One that could do so turns its lock on when it loads a
/// module such as this one, unless it is told not to.
pub fn locked(py: Python<'_>) -> PyResult<()> {
    let Some(enabled) = py.import("sys")?.getattr_opt("_is_gil_enabled")? else { return Ok(()) };
    // While it is being loaded the lock is not on yet; what was asked for is known.
    if enabled.call0()?.extract()? || !forced_off(py)? {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "[pullback] expected an interpreter with its lock on, got PYTHON_GIL=0 or -X gil=0: leave it out",
    ))
}

fn forced_off(py: Python<'_>) -> PyResult<bool> {
    let said = |text: Bound<'_, PyAny>| text.str().is_ok_and(|text| text == "0");
    let options = py.import("sys")?.getattr("_xoptions")?;
    let option = options.call_method1("get", ("gil",))?;
    let variable = py.import("os")?.getattr("environ")?.call_method1("get", ("PYTHON_GIL",))?;
    Ok(if option.is_none() { said(variable) } else { said(option) })
}
