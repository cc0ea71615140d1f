//! Products of matrices in parts, views with any strides, and elements that are counted or looked up.

use pullback::fun::{self, Masks, Side};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::args::{Ints, Sizes};
use crate::array::{PyArray, build, build_all};
use crate::convert::Arg;
use crate::device::On;

/// What must not be negative.
fn natural(op: &str, name: &str, value: isize) -> PyResult<usize> {
    usize::try_from(value).map_err(|_| {
        PyValueError::new_err(format!("[{op}] expected {name} that is not negative, got {value}"))
    })
}

/// Elements of the flattened array from `offset` on, in another shape and with any strides, in elements. Without a shape
/// it has that of the array, and without strides elements follow each other. An element may be seen more than once:
/// derivatives add up. What would lie outside of the array is refused.
///
/// >>> pb.as_strided(pb.arange(5), (3, 3), (1, 1))
/// array([[0, 1, 2],
///        [1, 2, 3],
///        [2, 3, 4]], dtype=int32)
#[pyfunction]
#[pyo3(signature = (a, /, shape=None, strides=None, offset=0, *, stream=On::default()), text_signature = "(a, /, shape=None, strides=None, offset=0, *, stream=None)")]
pub fn as_strided(
    py: Python<'_>,
    a: Arg,
    shape: Option<Sizes>,
    strides: Option<Ints>,
    offset: isize,
    stream: On,
) -> PyResult<PyArray> {
    let offset = natural("as_strided", "an offset", offset)?;
    let strides = strides.as_ref().map(|strides| &strides.0[..]);
    build(py, stream, || {
        let shape = shape.map_or_else(|| a.0.shape().clone(), |shape| shape.0);
        fun::as_strided(&a.0, &shape, strides, offset)
    })
}

/// Products of matrices of `a` and `b`, picked by their positions among all matrices that the leading axes hold. Positions
/// broadcast with each other, and with the leading axes of an operand without positions. That they are sorted changes
/// nothing.
///
/// >>> a = pb.array([[[1.0]], [[2.0]], [[3.0]]])
/// >>> pb.gather_mm(a, a, pb.array([0, 2]), pb.array([1, 1])).reshape(-1)
/// array([2., 6.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, b, /, lhs_indices=None, rhs_indices=None, *, sorted_indices=false, stream=On::default()), text_signature = "(a, b, /, lhs_indices=None, rhs_indices=None, *, sorted_indices=False, stream=None)")]
#[expect(unused_variables, reason = "the order of positions changes nothing")]
pub fn gather_mm(
    py: Python<'_>,
    a: Arg,
    b: Arg,
    lhs_indices: Option<Arg>,
    rhs_indices: Option<Arg>,
    sorted_indices: bool,
    stream: On,
) -> PyResult<PyArray> {
    let at = |index: &Option<Arg>| index.as_ref().map(|index| index.0.clone());
    let (left, right) = (at(&lhs_indices), at(&rhs_indices));
    build(py, stream, || fun::gather_mm(&a.0, &b.0, left.as_ref(), right.as_ref()))
}

/// Products of matrices `(M, K)` and `(K, N)` over segments of `K` alone: `segments (.., 2)` holds where each begins and
/// ends, and the result is `(.., M, N)`.
///
/// >>> a = pb.array([[1.0, 2.0, 3.0]])
/// >>> pb.segmented_mm(a, a.T, pb.array([[0, 1], [1, 3]])).reshape(-1)
/// array([ 1., 13.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, b, /, segments, *, stream=On::default()), text_signature = "(a, b, /, segments, *, stream=None)")]
pub fn segmented_mm(py: Python<'_>, a: Arg, b: Arg, segments: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::segmented_mm(&a.0, &b.0, &segments.0))
}

/// Products of matrices whose blocks of `block_size` rows and columns are masked: those of the product, of `a` and of `b`.
/// A mask has a number for each block. Where a mask of booleans is false there are zeros; other masks are multiplied with.
///
/// >>> mask = pb.array([[True, False]])
/// >>> pb.block_masked_mm(pb.ones((32, 64)), pb.ones((64, 1)), 32, mask_lhs=mask)[0].item()
/// 32.0
#[pyfunction]
#[pyo3(signature = (a, b, /, block_size=64, mask_out=None, mask_lhs=None, mask_rhs=None, *, stream=On::default()), text_signature = "(a, b, /, block_size=64, mask_out=None, mask_lhs=None, mask_rhs=None, *, stream=None)")]
#[expect(clippy::too_many_arguments, reason = "they are MLX's")]
pub fn block_masked_mm(
    py: Python<'_>,
    a: Arg,
    b: Arg,
    block_size: isize,
    mask_out: Option<Arg>,
    mask_lhs: Option<Arg>,
    mask_rhs: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let block = natural("block_masked_mm", "a block_size", block_size)?;
    let mask = |mask: &Option<Arg>| mask.as_ref().map(|mask| mask.0.clone());
    let (out, left, right) = (mask(&mask_out), mask(&mask_lhs), mask(&mask_rhs));
    let masks = Masks { out: out.as_ref(), left: left.as_ref(), right: right.as_ref() };
    build(py, stream, || fun::block_masked_mm(&a.0, &b.0, block, masks))
}

/// The Walsh-Hadamard transform along the last axis: the product with a matrix of 1 and -1 whose rows are orthogonal, times
/// `scale`. Without a scale, lengths stay. The axis has `m 2 ** k` elements, where `m` is 1, 12, 20 or 28.
///
/// >>> pb.hadamard_transform(pb.array([1.0, 2.0, 3.0, 4.0]), scale=1)
/// array([10., -2., -4.,  0.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (a, scale=None, stream=On::default()), text_signature = "(a, scale=None, stream=None)")]
pub fn hadamard_transform(py: Python<'_>, a: Arg, scale: Option<f64>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::hadamard_transform(&a.0, scale))
}

/// In which bin each element lies: bin `i` goes from `bins[i - 1]` to `bins[i]`, its lower end included, or its upper one
/// with `right`. Bins ascend or descend, which nothing checks.
///
/// >>> pb.digitize(pb.array([0.5, 1.0, 9.0]), pb.array([0.0, 1.0, 2.0]))
/// array([1, 2, 3], dtype=uint32)
#[pyfunction]
#[pyo3(signature = (x, bins, right=false, *, stream=On::default()), text_signature = "(x, bins, right=False, *, stream=None)")]
pub fn digitize(py: Python<'_>, x: Arg, bins: Arg, right: bool, stream: On) -> PyResult<PyArray> {
    let side = if right { Side::Left } else { Side::Right };
    build(py, stream, || fun::cast(&fun::digitize(&x.0, &bins.0, side)?, pullback::Dtype::U32))
}

/// The function through the points `xp`, `fp`, straight in between, at `x`. Before the first point it is `left`, or the first
/// value; behind the last one `right`, or the last value. `xp` ascends, which nothing checks.
///
/// >>> pb.interp(pb.array([0.5, 1.5, 9.0]), pb.array([0.0, 1.0, 2.0]), pb.array([0.0, 10.0, 30.0]))
/// array([ 5., 20., 30.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, xp, fp, left=None, right=None, *, stream=On::default()), text_signature = "(x, xp, fp, left=None, right=None, *, stream=None)")]
pub fn interp(
    py: Python<'_>,
    x: Arg,
    xp: Arg,
    fp: Arg,
    left: Option<Arg>,
    right: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let end = |end: &Option<Arg>| end.as_ref().map(|end| end.0.clone());
    let (left, right) = (end(&left), end(&right));
    build(py, stream, || fun::interp(&x.0, &xp.0, &fp.0, left.as_ref(), right.as_ref()))
}

/// Values, first positions, inverse and counts of `size` distinct elements.
#[pyfunction]
#[pyo3(signature = (a, size, fill_value=None, *, stream=On::default()), text_signature = "(a, size, fill_value=None, *, stream=None)")]
pub fn _unique<'py>(
    py: Python<'py>,
    a: Arg,
    size: isize,
    fill_value: Option<Arg>,
    stream: On,
) -> PyResult<Bound<'py, PyTuple>> {
    let size = natural("unique", "a size", size)?;
    let fill = fill_value.as_ref().map(|fill| fill.0.clone());
    let positions = |x| fun::cast(&x, pullback::Dtype::U32);
    let found = build_all(py, stream, || {
        let found = fun::unique(&a.0, size, fill.as_ref())?;
        Ok(vec![found.values, positions(found.index)?, positions(found.inverse)?, found.counts])
    })?;
    PyTuple::new(py, found)
}

/// How many distinct elements there are.
#[pyfunction]
pub fn _count_distinct(py: Python<'_>, a: Arg) -> PyResult<PyArray> {
    build(py, On::default(), || fun::count_distinct(&a.0))
}

/// Positions of the first `size` elements that are not zero.
#[pyfunction]
pub fn _flat_nonzero(py: Python<'_>, a: Arg, size: isize) -> PyResult<PyArray> {
    let size = natural("nonzero", "a size", size)?;
    build(py, On::default(), || fun::flat_nonzero(&a.0, size))
}

/// Sums of weights, or numbers of elements, by what `a` says.
#[pyfunction]
pub fn _bincount(py: Python<'_>, a: Arg, weights: Option<Arg>, size: isize) -> PyResult<PyArray> {
    let size = natural("bincount", "a length", size)?;
    let weights = weights.as_ref().map(|weights| weights.0.clone());
    build(py, On::default(), || fun::bincount(&a.0, weights.as_ref(), size))
}
