//! The line of Python that called us, outside of this package.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use pullback::custom::Site;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{ffi, intern};
use rustc_hash::FxHashSet;

/// A code object outside, which is kept so that its address stays its own.
struct Outside {
    code: Py<PyAny>,
    file: &'static str,
    /// Instructions that called, and their lines: to count those takes longer than the rest.
    lines: Vec<(i32, u32)>,
}

/// How many lines are kept.
const LINES: usize = 16;

thread_local! {
    /// The last code object outside.
    static LAST: RefCell<Option<Outside>> = const { RefCell::new(None) };
    /// Code objects that are passed by: kept for the same reason, and few, for they live as long as the package.
    static WITHIN: RefCell<Vec<Py<PyAny>>> = const { RefCell::new(Vec::new()) };
}

/// The line of the caller. Where all of Python that runs is this package, its innermost line.
pub fn caller(py: Python<'_>) -> Site {
    if let Some(site) = user(py) {
        return site;
    }
    let here = innermost(py).map(|frame| (line(&frame), file(&code(&frame))));
    let (line, file) = here.unwrap_or_else(|| (0, "?".into()));
    Site { file: kept(&file), line }
}

/// The innermost frame of Python outside of this package: what a user wrote. A function in Rust has no frame.
pub fn user(py: Python<'_>) -> Option<Site> {
    let mut frame = innermost(py);
    while let Some(here) = frame {
        if let Some(file) = outside(code(&here)) {
            return Some(Site { file, line: line_outside(&here) });
        }
        let back = here.getattr(intern!(py, "f_back"));
        frame = back.ok().filter(|back| !back.is_none());
    }
    None
}

fn innermost(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: attached; the frame, if there is one, is borrowed from the running interpreter.
    unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast()) }
}

fn code<'py>(frame: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    // SAFETY: a live frame; the code object is a new reference.
    unsafe { Bound::from_owned_ptr(frame.py(), ffi::PyFrame_GetCode(frame.as_ptr().cast()).cast()) }
}

fn line(frame: &Bound<'_, PyAny>) -> u32 {
    // SAFETY: a live frame.
    let line = unsafe { ffi::PyFrame_GetLineNumber(frame.as_ptr().cast()) };
    line.max(0) as u32
}

/// The line of a frame of the last code object outside.
fn line_outside(frame: &Bound<'_, PyAny>) -> u32 {
    let at = frame.getattr(intern!(frame.py(), "f_lasti")).and_then(|at| at.extract::<i32>());
    let Ok(at) = at else { return line(frame) };
    LAST.with_borrow_mut(|last| {
        let Some(Outside { lines, .. }) = last else { return line(frame) };
        if let Some(&(_, line)) = lines.iter().find(|(known, _)| *known == at) {
            return line;
        }
        let line = line(frame);
        if lines.len() == LINES {
            lines.clear();
        }
        lines.push((at, line));
        line
    })
}

fn file(code: &Bound<'_, PyAny>) -> String {
    let name = code.getattr(intern!(code.py(), "co_filename"));
    name.map_or_else(|_| "?".into(), |name| name.to_string())
}

/// The file of a code object, unless it is one of the package or of the interpreter itself, which starts programs and
/// imports. Calls come from the same lines again and again, so all but the first take a comparison.
fn outside(code: Bound<'_, PyAny>) -> Option<&'static str> {
    let known = LAST.with_borrow(|last| match last {
        Some(outside) if outside.code.is(&code) => Some(outside.file),
        _ => None,
    });
    if known.is_some() || WITHIN.with_borrow(|within| within.iter().any(|known| known.is(&code))) {
        return known;
    }
    static HOME: PyOnceLock<String> = PyOnceLock::new();
    let home = HOME.get_or_init(code.py(), || home(code.py()).unwrap_or_default());
    let name = file(&code);
    if !home.is_empty() && name.starts_with(home.as_str()) || name.starts_with("<frozen ") {
        WITHIN.with_borrow_mut(|within| within.push(code.unbind()));
        return None;
    }
    let file = kept(&name);
    let fresh = Outside { code: code.unbind(), file, lines: Vec::new() };
    let before = LAST.with_borrow_mut(|last| last.replace(fresh));
    drop(before);
    Some(file)
}

/// The name of a file, once for all calls from it.
fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<Option<FxHashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    match names.get(name) {
        Some(known) => known,
        None => {
            let fresh: &'static str = Box::leak(name.into());
            names.insert(fresh);
            fresh
        }
    }
}

/// The folder of this package.
fn home(py: Python<'_>) -> PyResult<String> {
    let file = py.import("pullback")?.getattr("__file__")?.to_string();
    let end = file.rfind(['/', '\\']).map_or(0, |at| at + 1);
    Ok(file[..end].to_string())
}
