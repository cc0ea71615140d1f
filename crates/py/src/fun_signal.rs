//! Sequences of samples, and products of arrays: functions of `fun::signal` and the later ones of `fun::contract`.

use pullback::fun;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;

/// Differences of neighbours along an axis, `n` times over.
///
/// >>> pb.diff(pb.array([1, 4, 9]))
/// array([3, 5], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, n=1, axis=-1, *, stream=On::default()), text_signature = "(a, /, n=1, axis=-1, *, stream=None)")]
pub fn diff(py: Python<'_>, a: Arg, n: isize, axis: isize, stream: On) -> PyResult<PyArray> {
    let count = usize::try_from(n)
        .map_err(|_| PyValueError::new_err(format!("[diff] expected n that is not negative, got {n}")))?;
    build(py, stream, || fun::diff(&a.0, count, axis))
}

/// The convolution of two sequences: all of it (`"full"`), as much of its middle as the longer sequence has
/// (`"same"`), or where the shorter one lies within the longer (`"valid"`).
///
/// >>> pb.convolve(pb.array([1.0, 2.0, 3.0]), pb.array([1.0, 1.0]))
/// array([1., 3., 5., 3.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, v, /, mode="full", *, stream=On::default()), text_signature = "(a, v, /, mode='full', *, stream=None)")]
pub fn convolve(py: Python<'_>, a: Arg, v: Arg, mode: &str, stream: On) -> PyResult<PyArray> {
    let overlap = match mode {
        "full" => fun::Overlap::Full,
        "same" => fun::Overlap::Same,
        "valid" => fun::Overlap::Valid,
        _ => {
            let text = format!("[convolve] expected mode 'full', 'same' or 'valid', got '{mode}'");
            return Err(PyValueError::new_err(text));
        }
    };
    build(py, stream, || fun::convolve(&a.0, &v.0, overlap))
}

macro_rules! windows {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {$(
        $(#[doc = $doc])+
        #[pyfunction]
        #[pyo3(signature = (M, *, stream=On::default()), text_signature = "(M, *, stream=None)")]
        #[expect(non_snake_case, reason = "NumPy's name")]
        pub fn $name(py: Python<'_>, M: isize, stream: On) -> PyResult<PyArray> {
            // A window of fewer samples than none is empty, as NumPy has it.
            build(py, stream, || fun::$name(M.max(0) as usize))
        }
    )*};
}

windows! {
    /// Bartlett's window of `M` samples: a triangle from 0 to 1 and back.
    ///
    /// >>> pb.bartlett(5)
    /// array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    bartlett;
    /// Blackman's window of `M` samples: `0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))`.
    blackman;
    /// Hamming's window of `M` samples: `0.54 - 0.46 cos(2 pi n / (M - 1))`.
    hamming;
    /// Von Hann's window of `M` samples: `0.5 - 0.5 cos(2 pi n / (M - 1))`.
    hanning;
}

/// Sums of products over one axis of both arrays; the other axes broadcast. Of complex numbers the first is conjugated.
///
/// >>> pb.vecdot(pb.array([[1, 2], [3, 4]]), pb.array([1, 1]))
/// array([3, 7], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, b, /, *, axis=-1, stream=On::default()), text_signature = "(a, b, /, *, axis=-1, stream=None)")]
pub fn vecdot(py: Python<'_>, a: Arg, b: Arg, axis: isize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::vecdot(&a.0, &b.0, axis))
}

/// The Kronecker product: every element of `a` replaced by the product of it with `b`.
///
/// >>> pb.kron(pb.array([1, 2]), pb.array([1, 10]))
/// array([ 1, 10,  2, 20], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, b, *, stream=On::default()), text_signature = "(a, b, *, stream=None)")]
pub fn kron(py: Python<'_>, a: Arg, b: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::kron(&a.0, &b.0))
}
