//! Reductions, running results, order: functions and methods.

use pullback::{Dtype, fun};
use pyo3::prelude::*;

use crate::args::Axes;
use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;

/// One function and the method of the same name.
macro_rules! reductions {
    ($($(#[doc = $doc:literal])+ $name:ident = $fun:path;)*) => {
        $(
            $(#[doc = $doc])+
            #[pyfunction]
            #[pyo3(signature = (a, /, axis=Axes::default(), keepdims=false, *, stream=On::default()), text_signature = "(a, /, axis=None, keepdims=False, *, stream=None)")]
            pub fn $name(py: Python<'_>, a: Arg, axis: Axes, keepdims: bool, stream: On) -> PyResult<PyArray> {
                build(py, stream, || $fun(&a.0, axis.list(), keepdims))
            }
        )*
        #[pymethods]
        impl PyArray {
            $(
                $(#[doc = $doc])+
                #[pyo3(signature = (axis=Axes::default(), keepdims=false, *, stream=On::default()), text_signature = "($self, axis=None, keepdims=False, *, stream=None)")]
                fn $name(&self, py: Python<'_>, axis: Axes, keepdims: bool, stream: On) -> PyResult<PyArray> {
                    $name(py, Arg(self.get()), axis, keepdims, stream)
                }
            )*
        }
    };
}

reductions! {
    /// Sum over axes; over all of them if none is named. Booleans are counted.
    ///
    /// >>> pb.sum(pb.array([[1, 2], [3, 4]]), axis=0)
    /// array([4, 6], dtype=int32)
    sum = fun::sum_over;
    /// Product over axes.
    ///
    /// >>> pb.prod(pb.array([2, 3, 4])).item()
    /// 24
    prod = fun::prod;
    /// Largest element along axes.
    ///
    /// >>> pb.max(pb.array([2, 5, 3])).item()
    /// 5
    max = fun::max;
    /// Smallest element along axes.
    ///
    /// >>> pb.min(pb.array([2, 5, 3])).item()
    /// 2
    min = fun::min;
    /// Whether any element along axes is not zero.
    ///
    /// >>> pb.any(pb.array([0, 1])).item()
    /// True
    any = fun::any;
    /// Whether no element along axes is zero.
    ///
    /// >>> pb.all(pb.array([0, 1])).item()
    /// False
    all = fun::all;
    /// Mean over axes.
    ///
    /// >>> pb.mean(pb.array([1.0, 2.0, 6.0])).item()
    /// 3.0
    mean = fun::mean;
    /// Logarithm of the sum of exponentials over axes, without overflow.
    ///
    /// >>> pb.logsumexp(pb.array([1000.0, 1000.0])).item() > 1000
    /// True
    logsumexp = fun::logsumexp;
}

macro_rules! spreads {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {
        $(
            $(#[doc = $doc])+
            #[pyfunction]
            #[pyo3(signature = (a, /, axis=Axes::default(), keepdims=false, ddof=0.0, *, stream=On::default()), text_signature = "(a, /, axis=None, keepdims=False, ddof=0, *, stream=None)")]
            pub fn $name(py: Python<'_>, a: Arg, axis: Axes, keepdims: bool, ddof: f64, stream: On) -> PyResult<PyArray> {
                build(py, stream, || fun::$name(&a.0, axis.list(), keepdims, ddof))
            }
        )*
        #[pymethods]
        impl PyArray {
            $(
                $(#[doc = $doc])+
                #[pyo3(signature = (axis=Axes::default(), keepdims=false, ddof=0.0, *, stream=On::default()), text_signature = "($self, axis=None, keepdims=False, ddof=0, *, stream=None)")]
                fn $name(&self, py: Python<'_>, axis: Axes, keepdims: bool, ddof: f64, stream: On) -> PyResult<PyArray> {
                    $name(py, Arg(self.get()), axis, keepdims, ddof, stream)
                }
            )*
        }
    };
}

spreads! {
    /// Variance over axes; `ddof` is taken off the count.
    ///
    /// >>> pb.var(pb.array([1.0, 3.0])).item()
    /// 1.0
    var;
    /// Standard deviation over axes; `ddof` is taken off the count.
    ///
    /// >>> pb.std(pb.array([1.0, 3.0])).item()
    /// 1.0
    std;
}

macro_rules! positions {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {
        $(
            $(#[doc = $doc])+
            #[pyfunction]
            #[pyo3(signature = (a, /, axis=None, keepdims=false, *, stream=On::default()), text_signature = "(a, /, axis=None, keepdims=False, *, stream=None)")]
            pub fn $name(py: Python<'_>, a: Arg, axis: Option<isize>, keepdims: bool, stream: On) -> PyResult<PyArray> {
                build(py, stream, || fun::cast(&fun::$name(&a.0, axis, keepdims)?, Dtype::U32))
            }
        )*
        #[pymethods]
        impl PyArray {
            $(
                $(#[doc = $doc])+
                #[pyo3(signature = (axis=None, keepdims=false, *, stream=On::default()), text_signature = "($self, axis=None, keepdims=False, *, stream=None)")]
                fn $name(&self, py: Python<'_>, axis: Option<isize>, keepdims: bool, stream: On) -> PyResult<PyArray> {
                    $name(py, Arg(self.get()), axis, keepdims, stream)
                }
            )*
        }
    };
}

positions! {
    /// Position of the largest element along an axis (of all elements, if none is named), as `uint32`.
    ///
    /// >>> pb.argmax(pb.array([2, 5, 3])).item()
    /// 1
    argmax;
    /// Position of the smallest element along an axis, as `uint32`.
    ///
    /// >>> pb.argmin(pb.array([2, 5, 3])).item()
    /// 0
    argmin;
}

macro_rules! scans {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {
        $(
            $(#[doc = $doc])+
            #[pyfunction]
            #[pyo3(signature = (a, /, axis=None, *, reverse=false, inclusive=true, stream=On::default()), text_signature = "(a, /, axis=None, *, reverse=False, inclusive=True, stream=None)")]
            pub fn $name(py: Python<'_>, a: Arg, axis: Option<isize>, reverse: bool, inclusive: bool, stream: On) -> PyResult<PyArray> {
                build(py, stream, || fun::$name(&a.0, axis, reverse, inclusive))
            }
        )*
        #[pymethods]
        impl PyArray {
            $(
                $(#[doc = $doc])+
                #[pyo3(signature = (axis=None, *, reverse=false, inclusive=true, stream=On::default()), text_signature = "($self, axis=None, *, reverse=False, inclusive=True, stream=None)")]
                fn $name(&self, py: Python<'_>, axis: Option<isize>, reverse: bool, inclusive: bool, stream: On) -> PyResult<PyArray> {
                    $name(py, Arg(self.get()), axis, reverse, inclusive, stream)
                }
            )*
        }
    };
}

scans! {
    /// Running sum along an axis (over all elements, if none is named).
    ///
    /// >>> pb.cumsum(pb.array([1, 2, 3]))
    /// array([1, 3, 6], dtype=int32)
    cumsum;
    /// Running product along an axis.
    ///
    /// >>> pb.cumprod(pb.array([1, 2, 3]))
    /// array([1, 2, 6], dtype=int32)
    cumprod;
    /// Running maximum along an axis.
    ///
    /// >>> pb.cummax(pb.array([1, 3, 2]))
    /// array([1, 3, 3], dtype=int32)
    cummax;
    /// Running minimum along an axis.
    ///
    /// >>> pb.cummin(pb.array([3, 1, 2]))
    /// array([3, 1, 1], dtype=int32)
    cummin;
}

/// `exp(a) / sum(exp(a))` along axes; `precise` computes half floats in `float32`.
///
/// >>> pb.softmax(pb.array([0.0, 0.0]))
/// array([0.5, 0.5], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, /, axis=Axes::default(), precise=false, *, stream=On::default()), text_signature = "(a, /, axis=None, precise=False, *, stream=None)")]
pub fn softmax(py: Python<'_>, a: Arg, axis: Axes, precise: bool, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::softmax(&a.0, axis.list(), precise))
}

/// The elements in ascending order along an axis; `None` sorts all elements.
///
/// >>> pb.sort(pb.array([3, 1, 2]))
/// array([1, 2, 3], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, axis=Some(-1), *, stream=On::default()), text_signature = "(a, /, axis=-1, *, stream=None)")]
pub fn sort(py: Python<'_>, a: Arg, axis: Option<isize>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::sort(&a.0, axis))
}

/// The positions that sort the elements along an axis, as `uint32`.
///
/// >>> pb.argsort(pb.array([3, 1, 2]))
/// array([1, 2, 0], dtype=uint32)
#[pyfunction]
#[pyo3(signature = (a, /, axis=Some(-1), *, stream=On::default()), text_signature = "(a, /, axis=-1, *, stream=None)")]
pub fn argsort(py: Python<'_>, a: Arg, axis: Option<isize>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::cast(&fun::argsort(&a.0, axis)?, Dtype::U32))
}

/// The `k` largest elements along an axis, in ascending order.
///
/// >>> pb.topk(pb.array([3, 1, 2]), 2)
/// array([2, 3], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, k, axis=Some(-1), *, stream=On::default()), text_signature = "(a, /, k, axis=-1, *, stream=None)")]
pub fn topk(py: Python<'_>, a: Arg, k: usize, axis: Option<isize>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::topk(&a.0, k, axis))
}
