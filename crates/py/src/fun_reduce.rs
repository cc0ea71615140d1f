//! Reductions, running results, order: functions and methods.

use pullback::{Dtype, fun};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::args::Axes;
use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;
use crate::dtype::DtypeArg;
use crate::fun_elements::two;

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
            #[pyo3(signature = (a, /, axis=Axes::default(), keepdims=false, ddof=0.0, *, correction=None, stream=On::default()), text_signature = "(a, /, axis=None, keepdims=False, ddof=0, *, correction=None, stream=None)")]
            pub fn $name(py: Python<'_>, a: Arg, axis: Axes, keepdims: bool, ddof: f64, correction: Option<f64>, stream: On) -> PyResult<PyArray> {
                build(py, stream, || fun::$name(&a.0, axis.list(), keepdims, correction.unwrap_or(ddof)))
            }
        )*
        #[pymethods]
        impl PyArray {
            $(
                $(#[doc = $doc])+
                #[pyo3(signature = (axis=Axes::default(), keepdims=false, ddof=0.0, *, correction=None, stream=On::default()), text_signature = "($self, axis=None, keepdims=False, ddof=0, *, correction=None, stream=None)")]
                fn $name(&self, py: Python<'_>, axis: Axes, keepdims: bool, ddof: f64, correction: Option<f64>, stream: On) -> PyResult<PyArray> {
                    $name(py, Arg(self.get()), axis, keepdims, ddof, correction, stream)
                }
            )*
        }
    };
}

spreads! {
    /// Variance over axes, real of complex numbers; `correction` or else `ddof` is taken off the count.
    ///
    /// >>> pb.var(pb.array([1.0, 3.0])).item()
    /// 1.0
    var;
    /// Standard deviation over axes; `correction` or else `ddof` is taken off the count.
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
    ($($(#[doc = $doc:literal])+ $name:ident ($($dtype:ident)?) $text:literal;)*) => {
        $(
            $(#[doc = $doc])+
            #[pyfunction]
            #[pyo3(signature = (a, /, axis=None, *, reverse=false, inclusive=true, $($dtype=None,)? stream=On::default()), text_signature = $text)]
            pub fn $name(py: Python<'_>, a: Arg, axis: Option<isize>, reverse: bool, inclusive: bool, $($dtype: Option<DtypeArg>,)? stream: On) -> PyResult<PyArray> {
                build(py, stream, || {
                    let to: Option<DtypeArg> = None $(.or($dtype))?;
                    let Some(DtypeArg(to)) = to else { return fun::$name(&a.0, axis, reverse, inclusive) };
                    fun::cast(&fun::$name(&fun::cast(&a.0, to)?, axis, reverse, inclusive)?, to)
                })
            }
        )*
        #[pymethods]
        impl PyArray {
            $(
                $(#[doc = $doc])+
                #[pyo3(signature = (axis=None, *, reverse=false, inclusive=true, stream=On::default()), text_signature = "($self, axis=None, *, reverse=False, inclusive=True, stream=None)")]
                fn $name(&self, py: Python<'_>, axis: Option<isize>, reverse: bool, inclusive: bool, stream: On) -> PyResult<PyArray> {
                    build(py, stream, || fun::$name(&self.get(), axis, reverse, inclusive))
                }
            )*
        }
    };
}

scans! {
    /// Running sum along an axis (over all elements, if none is named), of the elements as `dtype`, if one is given.
    ///
    /// >>> pb.cumsum(pb.array([1, 2, 3]))
    /// array([1, 3, 6], dtype=int32)
    cumsum (dtype) "(a, /, axis=None, *, reverse=False, inclusive=True, dtype=None, stream=None)";
    /// Running product along an axis, as `cumsum`.
    ///
    /// >>> pb.cumprod(pb.array([1, 2, 3]))
    /// array([1, 2, 6], dtype=int32)
    cumprod (dtype) "(a, /, axis=None, *, reverse=False, inclusive=True, dtype=None, stream=None)";
    /// Running maximum along an axis.
    ///
    /// >>> pb.cummax(pb.array([1, 3, 2]))
    /// array([1, 3, 3], dtype=int32)
    cummax () "(a, /, axis=None, *, reverse=False, inclusive=True, stream=None)";
    /// Running minimum along an axis.
    ///
    /// >>> pb.cummin(pb.array([3, 1, 2]))
    /// array([3, 1, 1], dtype=int32)
    cummin () "(a, /, axis=None, *, reverse=False, inclusive=True, stream=None)";
    /// Running `log(sum(exp(a)))` along an axis, without overflow.
    ///
    /// >>> pb.logcumsumexp(pb.array([1000.0, 1000.0]))[0].item()
    /// 1000.0
    logcumsumexp () "(a, /, axis=None, *, reverse=False, inclusive=True, stream=None)";
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

/// How many elements along axes are not zero, as `int32`.
///
/// >>> pb.count_nonzero(pb.array([0, 3, 5])).item()
/// 2
#[pyfunction]
#[pyo3(signature = (a, /, *, axis=Axes::default(), keepdims=false, stream=On::default()), text_signature = "(a, /, *, axis=None, keepdims=False, stream=None)")]
pub fn count_nonzero(py: Python<'_>, a: Arg, axis: Axes, keepdims: bool, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::count_nonzero(&a.0, axis.list(), keepdims))
}

/// The smallest and the largest element along axes.
///
/// >>> pb.minmax(pb.array([2, 5, 3]))
/// (array(2, dtype=int32), array(5, dtype=int32))
#[pyfunction]
#[pyo3(signature = (a, /, axis=Axes::default(), keepdims=false, *, stream=On::default()), text_signature = "(a, /, axis=None, keepdims=False, *, stream=None)")]
pub fn minmax(
    py: Python<'_>,
    a: Arg,
    axis: Axes,
    keepdims: bool,
    stream: On,
) -> PyResult<(PyArray, PyArray)> {
    two(py, stream, || fun::minmax(&a.0, axis.list(), keepdims))
}

/// The middle element along axes, of an even number the mean of the middle two; NaN if there is one.
///
/// >>> pb.median(pb.array([1, 9, 2, 4])).item()
/// 3.0
#[pyfunction]
#[pyo3(signature = (a, /, axis=Axes::default(), keepdims=false, *, stream=On::default()), text_signature = "(a, /, axis=None, keepdims=False, *, stream=None)")]
pub fn median(py: Python<'_>, a: Arg, axis: Axes, keepdims: bool, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::median(&a.0, axis.list(), keepdims))
}

/// The elements along an axis with that of place `kth` in ascending order at its place, none larger before it and none
/// smaller behind it; `None` takes all elements.
///
/// >>> pb.partition(pb.array([3, 1, 2]), 1)[1].item()
/// 2
#[pyfunction]
#[pyo3(signature = (a, /, kth, axis=Some(-1), *, stream=On::default()), text_signature = "(a, /, kth, axis=-1, *, stream=None)")]
pub fn partition(py: Python<'_>, a: Arg, kth: isize, axis: Option<isize>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::partition(&a.0, kth, axis))
}

/// The positions that order elements as `partition` does, as `uint32`.
///
/// >>> pb.argpartition(pb.array([3, 1, 2]), 0)[0].item()
/// 1
#[pyfunction]
#[pyo3(signature = (a, /, kth, axis=Some(-1), *, stream=On::default()), text_signature = "(a, /, kth, axis=-1, *, stream=None)")]
pub fn argpartition(
    py: Python<'_>,
    a: Arg,
    kth: isize,
    axis: Option<isize>,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fun::cast(&fun::argpartition(&a.0, kth, axis)?, Dtype::U32))
}

/// Where values would have to be inserted into an ascending sequence to keep it so, as `uint32`: before elements that are
/// equal (`side="left"`) or behind them (`"right"`).
///
/// >>> pb.searchsorted(pb.array([1, 2, 2, 4]), pb.array([0, 2, 5]))
/// array([0, 1, 4], dtype=uint32)
#[pyfunction]
#[pyo3(signature = (sorted_sequence, values, /, side="left", *, stream=On::default()), text_signature = "(sorted_sequence, values, /, side='left', *, stream=None)")]
pub fn searchsorted(
    py: Python<'_>,
    sorted_sequence: Arg,
    values: Arg,
    side: &str,
    stream: On,
) -> PyResult<PyArray> {
    let side = match side {
        "left" => fun::Side::Left,
        "right" => fun::Side::Right,
        _ => {
            let text = format!("[searchsorted] expected side 'left' or 'right', got '{side}'");
            return Err(PyValueError::new_err(text));
        }
    };
    build(py, stream, || fun::cast(&fun::searchsorted(&sorted_sequence.0, &values.0, side)?, Dtype::U32))
}
