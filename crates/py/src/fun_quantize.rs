//! Numbers of few bits, and products with matrices of such.

use pullback::fun::{self, Factor, Orientation, Quantized, Scheme};
use pullback::{Array, Dtype};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::{PyArray, build, build_all};
use crate::convert::Arg;
use crate::device::On;
use crate::dtype::DtypeArg;
use crate::error::OrRaise;

/// Floats as E4M3 codes in `uint8`: the nearest number, of two the even one. What is too large, infinity too, becomes 448
/// with its sign; NaN stays NaN.
///
/// >>> pb.to_fp8(pb.array([1.0, -1000.0]))
/// array([ 56, 254], dtype=uint8)
#[pyfunction]
#[pyo3(signature = (x, *, stream=On::default()), text_signature = "(x, *, stream=None)")]
pub fn to_fp8(py: Python<'_>, x: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::to_fp8(&x.0))
}

/// The numbers of E4M3 codes in `uint8`, in `bfloat16` unless `dtype` says otherwise.
///
/// >>> pb.from_fp8(pb.array([56, 254], dtype=pb.uint8), pb.float32)
/// array([   1., -448.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, dtype=None, *, stream=On::default()), text_signature = "(x, dtype=None, *, stream=None)")]
pub fn from_fp8(py: Python<'_>, x: Arg, dtype: Option<DtypeArg>, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fun::from_fp8(&x.0, dtype.map_or(Dtype::Bf16, |dtype| dtype.0)))
}

/// A matrix as codes of a few bits, packed into `uint32`, with a scale for each `group_size` neighbours in a row:
/// `(codes, scales, biases)` in mode `'affine'`, `(codes, scales)` in the others.
///
/// ========  ===========  =======================  ==========================  ======
/// mode      group_size   bits                     scales                      biases
/// ========  ===========  =======================  ==========================  ======
/// affine    32, 64, 128  1, 2, 3, 4, 5, 6, 8      of the type of `w`          yes
/// mxfp4     32           4 (E2M1)                 `uint8` codes of E8M0       no
/// mxfp8     32           8 (E4M3)                 `uint8` codes of E8M0       no
/// nvfp4     16           4 (E2M1)                 `uint8` codes of E4M3       no
/// ========  ===========  =======================  ==========================  ======
///
/// Without `group_size` and `bits`, `'affine'` has 64 and 4. A code is the one whose number is nearest, `scale * code +
/// bias` in `'affine'`; there, the end of a group's interval that is farther from 0 is met exactly, and so is 0, if it
/// lies in the interval. Scales of E8M0 are powers of two, so large that no element of the group is out of range. With
/// `global_scale`, the largest number of all of `w` in `'nvfp4'`, the scales of the groups fill the range of E4M3.
///
/// Codes have no derivative, and neither have scales that are codes.
///
/// >>> w = pb.array([[0.0, 1.0, 2.0, 15.0] * 8])
/// >>> codes, scales, biases = pb.quantize(w, group_size=32)
/// >>> codes.shape, scales.shape
/// ((1, 4), (1, 1))
/// >>> pb.dequantize(codes, scales, biases, group_size=32)[0, :4]
/// array([ 0.,  1.,  2., 15.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (w, /, group_size=None, bits=None, mode="affine", *, global_scale=None, stream=On::default()), text_signature = "(w, /, group_size=None, bits=None, mode='affine', *, global_scale=None, stream=None)")]
pub fn quantize<'py>(
    py: Python<'py>,
    w: Arg,
    group_size: Option<i64>,
    bits: Option<i64>,
    mode: &str,
    global_scale: Option<Arg>,
    stream: On,
) -> PyResult<Bound<'py, PyTuple>> {
    let scheme = Scheme::new("quantize", mode, group_size, bits).or_raise()?;
    let arrays = build_all(py, stream, || {
        let q = fun::quantize(&w.0, scheme, one(&global_scale))?;
        Ok([q.codes, q.scales].into_iter().chain(q.biases).collect())
    })?;
    PyTuple::new(py, arrays)
}

fn one(arg: &Option<Arg>) -> Option<&Array> {
    arg.as_ref().map(|arg| &arg.0)
}

fn quantized(w: Arg, scales: Arg, biases: Option<Arg>) -> Quantized {
    Quantized { codes: w.0, scales: scales.0, biases: biases.map(|biases| biases.0) }
}

fn orientation(transpose: bool) -> Orientation {
    if transpose { Orientation::Transposed } else { Orientation::Plain }
}

/// The numbers that the codes, scales and biases of `quantize` stand for, with the same `group_size`, `bits`, `mode` and
/// `global_scale`. Without `dtype` they have the type of the scales in mode `'affine'`, and `bfloat16` in the others.
///
/// >>> codes, scales = pb.quantize(pb.full((1, 32), 3.0), mode="mxfp4")
/// >>> pb.dequantize(codes, scales, mode="mxfp4", dtype=pb.float32)[0, 0].item()
/// 3.0
#[pyfunction]
#[pyo3(signature = (w, /, scales, biases=None, group_size=None, bits=None, mode="affine", global_scale=None, dtype=None, *, stream=On::default()), text_signature = "(w, /, scales, biases=None, group_size=None, bits=None, mode='affine', global_scale=None, dtype=None, *, stream=None)")]
#[expect(clippy::too_many_arguments, reason = "MLX's")]
pub fn dequantize(
    py: Python<'_>,
    w: Arg,
    scales: Arg,
    biases: Option<Arg>,
    group_size: Option<i64>,
    bits: Option<i64>,
    mode: &str,
    global_scale: Option<Arg>,
    dtype: Option<DtypeArg>,
    stream: On,
) -> PyResult<PyArray> {
    let scheme = Scheme::new("dequantize", mode, group_size, bits).or_raise()?;
    let q = quantized(w, scales, biases);
    let dtype = dtype.map(|dtype| dtype.0);
    build(py, stream, || fun::dequantize(&q, scheme, one(&global_scale), dtype))
}

/// The product of `x` with a matrix that `quantize` made: `x @ w.T`, or `x @ w` if not `transpose`.
///
/// Codes are unpacked where they are multiplied; only a GPU unpacks the whole matrix first, for many rows of `x`. The
/// numbers are not rounded to half floats, and sums are in `float32`, unless all are `float64`: a result is within
/// `(k + 3) * 2**-24` of the sum of `abs(x) * (abs(scale * code) + abs(bias))` over its `k` terms, before it is rounded
/// to its type.
///
/// Its derivative by `x`, and by scales and biases that are floats, is that of the product with the numbers that the
/// codes stand for. The codes themselves have none.
///
/// >>> w = 15 * pb.eye(32)
/// >>> codes, scales, biases = pb.quantize(w, group_size=32)
/// >>> pb.quantized_matmul(pb.ones((1, 32)), codes, scales, biases, group_size=32)[0, :3]
/// array([15., 15., 15.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, w, /, scales, biases=None, transpose=true, group_size=None, bits=None, mode="affine", *, stream=On::default()), text_signature = "(x, w, /, scales, biases=None, transpose=True, group_size=None, bits=None, mode='affine', *, stream=None)")]
#[expect(clippy::too_many_arguments, reason = "MLX's")]
pub fn quantized_matmul(
    py: Python<'_>,
    x: Arg,
    w: Arg,
    scales: Arg,
    biases: Option<Arg>,
    transpose: bool,
    group_size: Option<i64>,
    bits: Option<i64>,
    mode: &str,
    stream: On,
) -> PyResult<PyArray> {
    let scheme = Scheme::new("quantized_matmul", mode, group_size, bits).or_raise()?;
    let q = quantized(w, scales, biases);
    build(py, stream, || fun::quantized_matmul(&x.0, &q, orientation(transpose), scheme))
}

/// Products of matrices of `x` with matrices that `quantize` made, both picked by position: `lhs_indices` and
/// `rhs_indices` count the matrices in all but the last two axes of `x` and of `w`, broadcast, and are the leading axes
/// of the result. Where one is not given, it is all matrices in order. Positions as in `take`.
///
/// `sorted_indices` is a hint for devices that have a use for it.
///
/// >>> w = pb.stack([15 * pb.eye(32), 30 * pb.eye(32)])
/// >>> codes, scales, biases = pb.quantize(w, group_size=32)
/// >>> x, at = pb.ones((1, 1, 32)), pb.array([1])
/// >>> pb.gather_qmm(x, codes, scales, biases, rhs_indices=at, group_size=32)[0, 0, :3]
/// array([30., 30., 30.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, w, /, scales, biases=None, lhs_indices=None, rhs_indices=None, transpose=true, group_size=None, bits=None, mode="affine", global_scale=None, *, sorted_indices=false, stream=On::default()), text_signature = "(x, w, /, scales, biases=None, lhs_indices=None, rhs_indices=None, transpose=True, group_size=None, bits=None, mode='affine', global_scale=None, *, sorted_indices=False, stream=None)")]
#[expect(clippy::too_many_arguments, reason = "MLX's")]
pub fn gather_qmm(
    py: Python<'_>,
    x: Arg,
    w: Arg,
    scales: Arg,
    biases: Option<Arg>,
    lhs_indices: Option<Arg>,
    rhs_indices: Option<Arg>,
    transpose: bool,
    group_size: Option<i64>,
    bits: Option<i64>,
    mode: &str,
    global_scale: Option<Arg>,
    sorted_indices: bool,
    stream: On,
) -> PyResult<PyArray> {
    let _ = sorted_indices;
    let scheme = Scheme::new("gather_qmm", mode, group_size, bits).or_raise()?;
    let q = quantized(w, scales, biases);
    let at = [one(&lhs_indices), one(&rhs_indices)];
    build(py, stream, || fun::gather_qmm(&x.0, &q, at, orientation(transpose), scheme, one(&global_scale)))
}

/// `x @ w.T` of numbers of few bits: `x` is quantised, and so is `w`, unless it has been already and its `scales` are
/// given. `mode` is `'nvfp4'` or `'mxfp8'`; the scales of all of a matrix are those of `'nvfp4'`.
///
/// The derivative by floats is that of the product of the numbers that the codes stand for, as if rounding were the
/// identity. MLX rounds the cotangent as well.
///
/// >>> pb.qqmm(pb.ones((1, 32)), pb.eye(32), mode="mxfp8")[0, :3]
/// array([1., 1., 1.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, w, scales=None, group_size=None, bits=None, mode="nvfp4", global_scale_x=None, global_scale_w=None, *, stream=On::default()), text_signature = "(x, w, scales=None, group_size=None, bits=None, mode='nvfp4', global_scale_x=None, global_scale_w=None, *, stream=None)")]
#[expect(clippy::too_many_arguments, reason = "MLX's")]
pub fn qqmm(
    py: Python<'_>,
    x: Arg,
    w: Arg,
    scales: Option<Arg>,
    group_size: Option<i64>,
    bits: Option<i64>,
    mode: &str,
    global_scale_x: Option<Arg>,
    global_scale_w: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let scheme = Scheme::new("qqmm", mode, group_size, bits).or_raise()?;
    let x = Factor { matrix: &x.0, scales: None, global: one(&global_scale_x) };
    let w = Factor { matrix: &w.0, scales: one(&scales), global: one(&global_scale_w) };
    build(py, stream, || fun::qqmm(&x, &w, scheme))
}

/// As `qqmm`, of matrices picked by position, as in `gather_qmm`.
///
/// >>> x, w = pb.ones((1, 1, 32)), pb.stack([pb.eye(32), 2 * pb.eye(32)])
/// >>> pb.gather_qqmm(x, w, rhs_indices=pb.array([1]), mode="mxfp8")[0, 0, :3]
/// array([2., 2., 2.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, w, /, scales=None, lhs_indices=None, rhs_indices=None, group_size=None, bits=None, mode="nvfp4", global_scale_x=None, global_scale_w=None, *, sorted_indices=false, stream=On::default()), text_signature = "(x, w, /, scales=None, lhs_indices=None, rhs_indices=None, group_size=None, bits=None, mode='nvfp4', global_scale_x=None, global_scale_w=None, *, sorted_indices=False, stream=None)")]
#[expect(clippy::too_many_arguments, reason = "MLX's")]
pub fn gather_qqmm(
    py: Python<'_>,
    x: Arg,
    w: Arg,
    scales: Option<Arg>,
    lhs_indices: Option<Arg>,
    rhs_indices: Option<Arg>,
    group_size: Option<i64>,
    bits: Option<i64>,
    mode: &str,
    global_scale_x: Option<Arg>,
    global_scale_w: Option<Arg>,
    sorted_indices: bool,
    stream: On,
) -> PyResult<PyArray> {
    let _ = sorted_indices;
    let scheme = Scheme::new("gather_qqmm", mode, group_size, bits).or_raise()?;
    let x = Factor { matrix: &x.0, scales: None, global: one(&global_scale_x) };
    let w = Factor { matrix: &w.0, scales: one(&scales), global: one(&global_scale_w) };
    build(py, stream, || fun::gather_qqmm(&x, &w, [one(&lhs_indices), one(&rhs_indices)], scheme))
}
