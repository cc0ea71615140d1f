//! `pb.fast`: functions whose derivative is stated.

use pullback::Array;
use pullback::transform::fast::{self, Frequencies, GatedDelta, Mask, Rope};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::array::{PyArray, build, build_all};
use crate::convert::Arg;
use crate::device::On;
use crate::site;

/// `x` over its root mean square along the last axis, times `weight`: `x * rsqrt(mean(x ** 2) + eps) * weight`.
///
/// `weight`, if not None, has the size of the last axis. Half floats are computed on in `float32`. The derivative is
/// stated, keeps nothing but the arguments, and is exact to the last digits where `x` is large or small.
///
/// >>> pb.fast.rms_norm(pb.array([3.0, 4.0]), None, 0.0) * 12.5 ** 0.5
/// array([3., 4.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, weight, eps, *, stream=On::default()), text_signature = "(x, weight, eps, *, stream=None)")]
pub fn rms_norm(py: Python<'_>, x: Arg, weight: Option<Arg>, eps: f64, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fast::rms_norm(&x.0, given(&weight), eps, site::caller(py)))
}

/// `x` less its mean, over its standard deviation, along the last axis; times `weight`, plus `bias`.
///
/// `weight` and `bias`, if not None, have the size of the last axis; `eps` is added to the variance. Half floats are
/// computed on in `float32`. The derivative is stated, and keeps nothing but the arguments.
///
/// >>> pb.fast.layer_norm(pb.array([1.0, 3.0]), None, pb.array([0.0, 10.0]), 0.0)
/// array([-1., 11.], dtype=float32)
#[pyfunction]
#[pyo3(signature = (x, weight, bias, eps, *, stream=On::default()), text_signature = "(x, weight, bias, eps, *, stream=None)")]
pub fn layer_norm(
    py: Python<'_>,
    x: Arg,
    weight: Option<Arg>,
    bias: Option<Arg>,
    eps: f64,
    stream: On,
) -> PyResult<PyArray> {
    build(py, stream, || fast::layer_norm(&x.0, given(&weight), given(&bias), eps, site::caller(py)))
}

/// `logsumexp(logits) - logits[target]` along the last axis: how unlikely the target classes are.
///
/// `targets` are integers of the shape of `logits` without the last axis, and so is the result, in `float32`. A
/// negative target counts from the last class; what is still out of range takes the nearest. Of the probabilities,
/// which the derivative is made of, nothing is kept.
///
/// >>> pb.fast.cross_entropy(pb.array([[0.0, 0.0], [0.0, 100.0]]), pb.array([0, 1]))
/// array([0.6931472, 0.       ], dtype=float32)
#[pyfunction]
#[pyo3(signature = (logits, targets, *, stream=On::default()), text_signature = "(logits, targets, *, stream=None)")]
pub fn cross_entropy(py: Python<'_>, logits: Arg, targets: Arg, stream: On) -> PyResult<PyArray> {
    build(py, stream, || fast::cross_entropy(&logits.0, &targets.0, site::caller(py)))
}

/// Pairs of features rotated by angles that grow with their position: `a` is `(B, .., T, D)`, `T` positions.
///
/// The first `dims` features are rotated, the others left alone. Pairs are neighbours if `traditional`, or else one of
/// the first half and one of the second. Position `t` turns pair `i` by `(t + offset) * scale * base ** (-2 * i /
/// dims)`, or over `freqs[i]` if `base` is None. `offset` is an integer, or an array of one for each of `B`.
///
/// >>> x = pb.array([[[1.0, 0.0], [1.0, 0.0]]])
/// >>> pb.round(pb.fast.rope(x, 2, traditional=True, base=10000.0, scale=1.0, offset=0)[0, 1], 2)
/// array([0.54, 0.84], dtype=float32)
#[pyfunction]
#[pyo3(
    signature = (a, dims, *, traditional, base, scale, offset, freqs=None, stream=On::default()),
    text_signature = "(a, dims, *, traditional, base, scale, offset, freqs=None, stream=None)"
)]
#[allow(clippy::too_many_arguments)]
pub fn rope(
    py: Python<'_>,
    a: Arg,
    dims: usize,
    traditional: bool,
    base: Option<f64>,
    scale: f64,
    offset: Arg,
    freqs: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let frequencies = match (base, freqs) {
        (Some(base), None) => Frequencies::Base(base),
        (None, Some(freqs)) => Frequencies::Given(freqs.0),
        (base, _) => {
            let got = if base.is_some() { "both" } else { "neither" };
            return Err(PyValueError::new_err(format!("[rope] expected either base or freqs, got {got}")));
        }
    };
    let given = Rope { dims, traditional, scale, frequencies };
    build(py, stream, || fast::rope(&a.0, &given, &offset.0, site::caller(py)))
}

/// Attention of several heads: `softmax(scale * q @ k.T) @ v`, without the block of all probabilities.
///
/// `q` is `[B, N_q, T_q, D]`, `k` and `v` are `[B, N_kv, T_kv, D]`, and each of their heads serves `N_q / N_kv` of
/// `q`, without being repeated. Half floats are computed on in `float32`. `mask` is None; `"causal"`, with which a
/// query sees the keys up to its own place, the last query being at the place of the last key; truth values, where
/// keys are seen; or numbers that are added to the products. It broadcasts to `[B, N_q, T_q, T_kv]`. `sinks`, one for
/// each head of `q`, is the product with one more key, whose value is 0. A query that sees no key by truth values
/// takes the mean of all values; without keys the result is 0.
///
/// What is as long as the keys exists for some queries at a time, in the derivative too, which computes the
/// probabilities again. There is no other way here, so `force_fused` changes nothing.
///
/// >>> q = k = v = pb.array([[[[1.0, 0.0], [0.0, 1.0]]]])
/// >>> pb.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask="causal")[0, 0, 0]
/// array([1., 0.], dtype=float32)
#[pyfunction]
#[pyo3(
    signature = (q, k, v, *, scale, mask=None, sinks=None, force_fused=false, stream=On::default()),
    text_signature = "(q, k, v, *, scale, mask=None, sinks=None, force_fused=False, stream=None)"
)]
#[allow(clippy::too_many_arguments)]
pub fn scaled_dot_product_attention(
    py: Python<'_>,
    q: Arg,
    k: Arg,
    v: Arg,
    scale: f64,
    mask: Option<Bound<'_, PyAny>>,
    sinks: Option<Arg>,
    force_fused: bool,
    stream: On,
) -> PyResult<PyArray> {
    let _ = force_fused;
    let mask = match mask {
        None => Mask::None,
        Some(mask) => match mask.cast::<PyString>() {
            Ok(word) if word.to_str()? == "causal" => Mask::Causal,
            Ok(word) => {
                return Err(PyValueError::new_err(format!(
                    "[scaled_dot_product_attention] expected 'causal' or an array as mask, got '{word}'"
                )));
            }
            Err(_) => Mask::Array(mask.extract::<Arg>()?.0),
        },
    };
    build(py, stream, || {
        fast::scaled_dot_product_attention([&q.0, &k.0, &v.0], scale, &mask, given(&sinks), site::caller(py))
    })
}

/// A linear attention with a state that forgets and corrects itself: outputs `[B, T, Hv, Dv]`, and the last state.
///
/// `q` and `k` are `[B, T, Hk, Dk]`, `v` is `[B, T, Hv, Dv]`, `gamma` and `beta` are `[B, T, Hv]`, the state is
/// `[B, Hv, Dv, Dk]`, zeros at first. At each step
///
///     s = gamma * s
///     s = s + beta * outer(v - s @ k, k)
///     y = s @ q
///
/// where `mask`, `[B, T]`, is true; elsewhere the state stays as it is. Steps are taken in chunks, within which there
/// are products only. The new state has the type of the old one, or else `float32`.
///
/// >>> k = pb.array([[[[1.0, 0.0]], [[1.0, 0.0]]]])
/// >>> v = pb.array([[[[5.0]], [[7.0]]]])
/// >>> y, state = pb.fast.gated_delta_update(k, k, v, pb.ones((1, 2, 1)), pb.ones((1, 2, 1)))
/// >>> y.tolist(), state.tolist()
/// ([[[[5.0]], [[7.0]]]], [[[[7.0, 0.0]]]])
#[pyfunction]
#[pyo3(
    signature = (q, k, v, gamma, beta, initial_state=None, mask=None, stream=On::default()),
    text_signature = "(q, k, v, gamma, beta, initial_state=None, mask=None, stream=None)"
)]
#[allow(clippy::too_many_arguments)]
pub fn gated_delta_update(
    py: Python<'_>,
    q: Arg,
    k: Arg,
    v: Arg,
    gamma: Arg,
    beta: Arg,
    initial_state: Option<Arg>,
    mask: Option<Arg>,
    stream: On,
) -> PyResult<Vec<PyArray>> {
    let read = GatedDelta {
        q: &q.0,
        k: &k.0,
        v: &v.0,
        gamma: &gamma.0,
        beta: &beta.0,
        state: given(&initial_state),
        mask: given(&mask),
    };
    build_all(py, stream, || {
        let (y, state) = fast::gated_delta_update(&read)?;
        Ok(vec![y, state])
    })
}

fn given(array: &Option<Arg>) -> Option<&Array> {
    array.as_ref().map(|array| &array.0)
}
