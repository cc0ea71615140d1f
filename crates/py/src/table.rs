//! Functions of Python made from the op table: a new row needs no line here.

use pullback::op::{Api, OpDef};
use pullback::{Array, Result, fun, ops};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{IntoPyObjectExt, ffi};

use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;
use crate::error::guard;
use crate::named::{leaked, renamed};
use crate::operators::pair;

type One = fn(&Array) -> Result<Array>;
type Two = fn(&Array, &Array) -> Result<Array>;

/// Rows whose function does more than lift its operands: what it does to booleans and integers.
static UNARY: &[(&OpDef, One)] = &[
    (&ops::arith::ABS, fun::abs),
    (&ops::arith::SIGN, fun::sign),
    (&ops::arith::NEGATIVE, fun::negative),
    (&ops::special::FLOOR, fun::floor),
    (&ops::special::CEIL, fun::ceil),
    (&ops::special::TRUNC, fun::trunc),
    (&ops::logic::ISNAN, fun::isnan),
    (&ops::logic::ISINF, fun::isinf),
    (&ops::logic::ISFINITE, fun::isfinite),
];
/// As `UNARY`.
static BINARY: &[(&OpDef, Two)] = &[
    (&ops::arith::SUBTRACT, fun::subtract),
    (&ops::arith::REMAINDER, fun::remainder),
    (&ops::arith::FLOOR_DIVIDE, fun::floor_divide),
    (&ops::exponential::POWER, fun::power),
];

/// The rows that are functions of Python by themselves.
pub fn rows() -> Vec<&'static OpDef> {
    ops::all().filter(|op| op.api != Api::Composed).collect()
}

/// What a call of row `N` arrives at: a C function carries no data but its module, so each row has one.
///
/// # Safety
/// CPython calls it, attached, with `count` arguments followed by one for each of `names`.
unsafe extern "C" fn entry<const N: usize>(
    _module: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls attached, with `count` arguments followed by one for each of `names`.
    unsafe {
        let py = Python::assume_attached();
        let named = Bound::from_borrowed_ptr_or_opt(py, names);
        let total = count as usize + named.as_ref().map_or(0, |names| names.len().unwrap_or(0));
        let args: &[*mut ffi::PyObject] =
            if total == 0 { &[] } else { std::slice::from_raw_parts(args, total) };
        match guard(|| call(py, TABLE.get()[N], args, count as usize, named.as_ref())) {
            Ok(array) => array.into_ptr(),
            Err(err) => {
                renamed(py, TABLE.get()[N].name, true, err).restore(py);
                std::ptr::null_mut()
            }
        }
    }
}

struct Table(std::sync::OnceLock<Vec<&'static OpDef>>);
static TABLE: Table = Table(std::sync::OnceLock::new());

impl Table {
    fn get(&self) -> &[&'static OpDef] {
        self.0.get_or_init(rows)
    }
}

/// # Safety
/// `args` are live objects: `count` by position, the rest by `names`.
unsafe fn call<'py>(
    py: Python<'py>,
    op: &'static OpDef,
    args: &[*mut ffi::PyObject],
    count: usize,
    names: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray>> {
    // SAFETY: by contract.
    let object = |i: usize| unsafe { Bound::from_borrowed_ptr(py, args[i]) };
    let (mut on, mut given) = (On::default(), count);
    // Where among `args` each operand is: first those by position.
    let mut at = [0, 1];
    if let Some(names) = names {
        for (i, name) in names.cast::<PyTuple>()?.iter().enumerate() {
            let name = name.to_string();
            if name == "stream" {
                on = object(count + i).extract()?;
                continue;
            }
            let Some(place) = op.args.iter().position(|arg| *arg == name) else {
                let text = format!("{}() got an unexpected keyword argument '{name}'", op.name);
                return Err(PyTypeError::new_err(text));
            };
            if place < count {
                let text = format!("{}() got multiple values for argument '{name}'", op.name);
                return Err(PyTypeError::new_err(text));
            }
            at[place] = count + i;
            given += 1;
        }
    }
    if given != op.args.len() {
        let (name, want) = (op.name, op.args.len());
        let s = if want == 1 { "" } else { "s" };
        let text = format!("{name}() takes {want} positional argument{s} but {given} were given");
        return Err(PyTypeError::new_err(text));
    }
    let array = if op.api == Api::Unary {
        let Arg(x) = object(at[0]).extract()?;
        let special = UNARY.iter().find(|(row, _)| std::ptr::eq(*row, op));
        build(py, on, || special.map_or_else(|| fun::unary(op, &x), |(_, make)| make(&x)))?
    } else {
        let (x, y) = pair(&object(at[0]), &object(at[1]))?;
        let special = BINARY.iter().find(|(row, _)| std::ptr::eq(*row, op));
        build(py, on, || special.map_or_else(|| fun::binary(op, &x, &y), |(_, make)| make(&x, &y)))?
    };
    Bound::new(py, array)
}

macro_rules! entries {
    ($($n:literal)*) => { [$(entry::<$n>),*] };
}

/// As many entries as the table may have rows; a test says when more are needed.
const ENTRIES: [ffi::PyCFunctionFastWithKeywords; 128] = entries![
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
    40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76
    77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109
    110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127
];

/// The parameters as Python writes them.
pub fn parameters(op: &OpDef) -> String {
    format!("({}, *, stream=None)", op.args.join(", "))
}

/// Puts the functions into the module.
pub fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let rows = TABLE.get();
    if rows.len() > ENTRIES.len() {
        let text = format!("[table] expected at most {} rows, got {}", ENTRIES.len(), rows.len());
        return Err(crate::convert::broken(&text));
    }
    let home = "pullback".into_bound_py_any(py)?;
    for (op, &entry) in rows.iter().zip(&ENTRIES) {
        let text = format!("{}{}\n--\n\n{}", op.name, parameters(op), doc(op));
        let def = ffi::PyMethodDef {
            ml_name: leaked(op.name)?,
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: entry },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: leaked(&text)?,
        };
        // SAFETY: the definition lives for ever, and the module is what a function keeps as its self.
        let function = unsafe {
            let def = Box::into_raw(Box::new(def));
            Bound::from_owned_ptr_or_err(py, ffi::PyCFunction_NewEx(def, module.as_ptr(), home.as_ptr()))?
        };
        module.add(op.name, function)?;
    }
    Ok(())
}

/// The docstring: the row's text, without the blank that starts the lines of a doc comment.
fn doc(op: &OpDef) -> String {
    op.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The op table as Python data, for those who write stubs and tests: name, parameters, text, and how the function
/// is made.
#[pyfunction]
pub fn table(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for op in ops::all() {
        let row = PyDict::new(py);
        row.set_item("name", op.name)?;
        row.set_item("args", op.args.to_vec())?;
        row.set_item("doc", doc(op))?;
        row.set_item("api", format!("{:?}", op.api).to_lowercase())?;
        row.set_item("dtypes", op.dtypes.words())?;
        list.append(row)?;
    }
    Ok(list)
}
