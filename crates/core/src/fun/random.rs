//! Random numbers from keys: the algorithms of MLX, so that a key gives the numbers that it gives there.
//!
//! Everything starts from words of threefry2x32; the same key always gives the same words.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use pullback_base::{Dtype, Error, Kind, Result, Scalar, Shape, shape};

use super::{add, argmax, argsort, broadcast_to, cast, less, maximum, minimum, multiply, reshape, subtract};
use crate::array::Array;
use crate::ops::make;
use crate::params::Params;

/// The key of a seed.
///
/// # Errors
/// None.
pub fn key(seed: u64) -> Result<Array> {
    let word = |bits: u64| reshape(&Array::scalar(Scalar::Int(bits as i64), Dtype::U32), Shape::from([1]));
    super::concatenate(&[&word(seed >> 32)?, &word(seed & u64::from(u32::MAX))?], 0)
}

fn checked(op: &str, key: &Array) -> Result<()> {
    let text = || format!("[random.{op}] expected a key of two uint32, got {}; use random.key", key.aval());
    if key.dtype() != Dtype::U32 {
        return Err(Error::type_(text()));
    }
    if key.shape()[..] == [2] { Ok(()) } else { Err(Error::value(text())) }
}

/// Parameters of a distribution of real numbers: what is imaginary of them would be lost.
fn real(op: &str, name: &str, x: &Array) -> Result<()> {
    match x.dtype().kind() {
        Kind::Complex => {
            Err(Error::type_(format!("[random.{op}] expected a real {name}, got {}", x.dtype())))
        }
        _ => Ok(()),
    }
}

/// `count` keys from one.
///
/// # Errors
/// `Value` for what is no key.
pub fn split(key: &Array, count: usize) -> Result<Array> {
    checked("split", key)?;
    bits(&Shape::from([count, 2]), key)
}

/// Random words.
///
/// # Errors
/// `Value` for what is no key, `Memory` for a shape that cannot be counted.
pub fn bits(shape: &Shape, key: &Array) -> Result<Array> {
    checked("bits", key)?;
    let words = shape.clone().checked("random.bits")?.size();
    reshape(&Array::apply(&make::RANDOM_BITS, Params::Count(words, Dtype::U32), &[key])?, shape.clone())
}

fn float(op: &str, dtype: Dtype) -> Result<()> {
    match dtype.kind() {
        Kind::Float => Ok(()),
        _ => Err(Error::type_(format!("[random.{op}] expected a float type, got {dtype}"))),
    }
}

/// Numbers from 0 to the last one before 1, as `float32` but of the values of `dtype`.
fn unit(shape: &Shape, dtype: Dtype, key: &Array) -> Result<Array> {
    // The largest number below 1 of the type: a word may round up to 1.
    let below = match dtype {
        Dtype::F16 => 1. - 2f64.powi(-11),
        Dtype::Bf16 => 1. - 2f64.powi(-8),
        _ => 1. - 2f64.powi(-24),
    };
    let words = cast(&bits(shape, key)?, Dtype::F32)?;
    minimum(&multiply(&words, &words.weak(2f64.powi(-32)))?, &words.weak(below))
}

/// Numbers between `low` and `high`, which broadcast to `shape`.
///
/// # Errors
/// `Type` for a type that is not float, `Value` for bounds that do not broadcast or what is no key.
pub fn uniform(low: &Array, high: &Array, shape: &Shape, dtype: Dtype, key: &Array) -> Result<Array> {
    float("uniform", dtype)?;
    real("uniform", "low", low)?;
    real("uniform", "high", high)?;
    let wide = shape::broadcast("random.uniform", &[shape, low.shape(), high.shape()])?;
    if wide != *shape {
        let text =
            format!("[random.uniform] expected bounds that broadcast to {shape}, got a result of {wide}");
        return Err(Error::value(text));
    }
    let (low, high) = (cast(low, dtype)?, cast(high, dtype)?);
    let part = cast(&unit(shape, dtype, key)?, dtype)?;
    let range = rounded(&subtract(&high, &low)?)?;
    // Product and sum are rounded one by one: a fused multiply-add would give other numbers than MLX. A maximum that
    // changes nothing stands between the two.
    let scaled = rounded(&multiply(&part, &range)?)?;
    let scaled = maximum(&scaled, &scaled.weak(f64::NEG_INFINITY))?;
    broadcast_to(&rounded(&add(&scaled, &low)?)?, shape)
}

/// A half float as one, in the midst of a fused program, which computes it in `float32`.
fn rounded(x: &Array) -> Result<Array> {
    if x.dtype().size() == 2 { cast(&cast(x, Dtype::F32)?, x.dtype()) } else { Ok(x.clone()) }
}

/// Numbers of the open interval from -1 to 1.
fn symmetric(shape: &Shape, dtype: Dtype, key: &Array) -> Result<Array> {
    let above = match dtype {
        Dtype::F16 => 2f64.powi(-11) - 1.,
        Dtype::Bf16 => 2f64.powi(-8) - 1.,
        _ => 2f64.powi(-24) - 1.,
    };
    let scalar = |value: f64| Array::scalar(Scalar::Float(value), dtype);
    uniform(&scalar(above), &scalar(1.), shape, dtype, key)
}

/// `loc + scale x`
fn placed(op: &str, x: Array, loc: Option<&Array>, scale: Option<&Array>) -> Result<Array> {
    if x.dtype() != Dtype::C64 {
        loc.map_or(Ok(()), |loc| real(op, "loc", loc))?;
        scale.map_or(Ok(()), |scale| real(op, "scale", scale))?;
    }
    let x = match scale {
        Some(scale) => multiply(&x, &cast(scale, x.dtype())?)?,
        None => x,
    };
    match loc {
        Some(loc) => add(&x, &cast(loc, x.dtype())?),
        None => Ok(x),
    }
}

/// Normally distributed numbers; of complex ones both parts are, and together their variance is 1.
///
/// # Errors
/// As `uniform`.
pub fn normal(
    shape: &Shape,
    dtype: Dtype,
    loc: Option<&Array>,
    scale: Option<&Array>,
    key: &Array,
) -> Result<Array> {
    if dtype == Dtype::C64 {
        let parts = normal(&Shape::from([&shape[..], &[2]].concat()), Dtype::F32, None, None, key)?;
        let parts = cast(&multiply(&parts, &parts.weak(FRAC_1_SQRT_2))?, dtype)?;
        let part =
            |at: usize| super::reshape(&super::narrow(&parts, parts.ndim() - 1, at, 1)?, shape.clone());
        let turn = Array::scalar(Scalar::Complex(0., 1.), dtype);
        return placed("normal", add(&part(0)?, &multiply(&part(1)?, &turn)?)?, loc, scale);
    }
    float("normal", dtype)?;
    let x = super::erfinv(&symmetric(shape, dtype, key)?)?;
    placed("normal", multiply(&x, &x.weak(SQRT_2))?, loc, scale)
}

/// Numbers of the Laplace distribution.
///
/// # Errors
/// As `uniform`.
pub fn laplace(
    shape: &Shape,
    dtype: Dtype,
    loc: Option<&Array>,
    scale: Option<&Array>,
    key: &Array,
) -> Result<Array> {
    float("laplace", dtype)?;
    let x = symmetric(shape, dtype, key)?;
    let x = multiply(&super::sign(&x)?, &super::log1p(&super::negative(&super::abs(&x)?)?)?)?;
    placed("laplace", x, loc, scale)
}

/// Normally distributed numbers between `low` and `high`.
///
/// # Errors
/// As `uniform`.
pub fn truncated_normal(
    low: &Array,
    high: &Array,
    shape: &Shape,
    dtype: Dtype,
    key: &Array,
) -> Result<Array> {
    float("truncated_normal", dtype)?;
    real("truncated_normal", "lower", low)?;
    real("truncated_normal", "upper", high)?;
    let (low, high) = (cast(low, dtype)?, cast(high, dtype)?);
    let share = |x: &Array| super::erf(&super::divide(x, &x.weak(SQRT_2))?);
    let x = super::erfinv(&uniform(&share(&low)?, &share(&high)?, shape, dtype, key)?)?;
    maximum(&minimum(&high, &multiply(&x, &x.weak(SQRT_2))?)?, &low)
}

/// Truths that come with probability `p`, which broadcasts to `shape`.
///
/// # Errors
/// `Value` for a `p` that does not broadcast or what is no key.
pub fn bernoulli(p: &Array, shape: &Shape, key: &Array) -> Result<Array> {
    real("bernoulli", "p", p)?;
    if shape::broadcast("random.bernoulli", &[shape, p.shape()])? != *shape {
        let text = format!("[random.bernoulli] expected p that broadcasts to {shape}, got {}", p.aval());
        return Err(Error::value(text));
    }
    less(&unit(shape, Dtype::F32, key)?, &cast(p, Dtype::F32)?)
}

/// Integers from `low` up to and without `high`.
///
/// # Errors
/// As `uniform`; `Type` for a type that is not an integer's, `Value` for bounds that it does not hold.
pub fn randint(low: &Array, high: &Array, shape: &Shape, dtype: Dtype, key: &Array) -> Result<Array> {
    if !dtype.is_integer() {
        return Err(Error::type_(format!("[random.randint] expected an integer type, got {dtype}")));
    }
    real("randint", "low", low)?;
    real("randint", "high", high)?;
    held(dtype, low, 0.)?;
    held(dtype, high, 1.)?;
    let (low, high) = (cast(low, Dtype::F32)?, cast(high, Dtype::F32)?);
    let x = super::floor(&uniform(&low, &high, shape, Dtype::F32, key)?)?;
    cast(&maximum(&minimum(&x, &subtract(&high, &high.weak(1.))?)?, &low)?, dtype)
}

/// Refuses a bound, where it is known, of which `dtype` does not hold the numbers within `past` of it.
fn held(dtype: Dtype, bound: &Array, past: f64) -> Result<()> {
    let Some(value) = bound.as_const().map(Scalar::real) else { return Ok(()) };
    let bits = 8 * dtype.size() as i32;
    let (low, high) = match dtype.kind() {
        Kind::Unsigned => (0., 2f64.powi(bits)),
        _ => (-(2f64.powi(bits - 1)), 2f64.powi(bits - 1)),
    };
    if value >= low && value < high + past {
        return Ok(());
    }
    Err(Error::value(format!("[random.randint] expected bounds that {dtype} holds, got {value}")))
}

/// Numbers of the standard Gumbel distribution.
///
/// # Errors
/// As `uniform`.
pub fn gumbel(shape: &Shape, dtype: Dtype, key: &Array) -> Result<Array> {
    float("gumbel", dtype)?;
    let x = cast(&unit(shape, dtype, key)?, dtype)?;
    super::negative(&super::log(&super::negative(&super::log(&x)?)?)?)
}

/// How many numbers `categorical` draws.
#[derive(Clone, Debug)]
pub enum Draws {
    /// One of each distribution.
    One,
    /// So many of each, along a new last axis.
    Count(usize),
    /// An array of this shape, to which the distributions broadcast.
    Shape(Shape),
}

/// Positions along an axis, drawn with probabilities that are proportional to `exp(logits)`.
///
/// # Errors
/// `Value` for an axis that does not exist, a shape that does not fit, or what is no key.
pub fn categorical(logits: &Array, axis: isize, draws: &Draws, key: &Array) -> Result<Array> {
    real("categorical", "logits", logits)?;
    let axis = shape::axis("random.categorical", axis, logits.ndim())?;
    let (logits, to) = match draws {
        Draws::One => (logits.clone(), logits.shape().without(axis)),
        Draws::Count(count) => {
            let apart = reshape(logits, logits.shape().with(logits.ndim(), 1))?;
            let to = logits.shape().without(axis);
            (apart, to.with(to.ndim(), *count))
        }
        Draws::Shape(to) => (logits.clone(), to.clone()),
    };
    let rest = logits.shape().without(axis);
    if shape::broadcast("random.categorical", &[&to, &rest])? != to {
        let text = format!("[random.categorical] expected a shape to which {rest} broadcasts, got {to}");
        return Err(Error::value(text));
    }
    let at = axis + to.ndim() - rest.ndim();
    let noise = gumbel(&to.with(at, logits.shape()[axis]), Dtype::F32, key)?;
    argmax(&add(&noise, &logits)?, Some(at as isize), false)
}

/// The numbers below `n` in random order.
///
/// # Errors
/// `Value` for what is no key.
pub fn permutation(n: usize, key: &Array) -> Result<Array> {
    argsort(&bits(&Shape::from([n]), key)?, Some(0))
}

/// Slices along an axis in random order.
///
/// # Errors
/// `Value` for an axis that does not exist or what is no key.
pub fn shuffle(x: &Array, axis: isize, key: &Array) -> Result<Array> {
    let at = shape::axis("random.permutation", axis, x.ndim())?;
    super::take(x, &permutation(x.shape()[at], key)?, Some(axis))
}

/// Jointly normal numbers in `float32` with means `[.., n]` and covariances `[.., n, n]`, whose other axes broadcast to
/// `shape`; to each other, if it is empty. Standard normal numbers are multiplied by the Hermitian root of the covariance,
/// as in MLX, so that the same key gives the same numbers.
///
/// # Errors
/// `Type` for another type than `float32`, `Value` for shapes that do not fit.
pub fn multivariate_normal(
    mean: &Array,
    cov: &Array,
    shape: &Shape,
    dtype: Dtype,
    key: &Array,
) -> Result<Array> {
    let op = "random.multivariate_normal";
    if dtype != Dtype::F32 {
        return Err(Error::type_(format!("[{op}] expected float32, got {dtype}: cast the numbers")));
    }
    real("multivariate_normal", "mean", mean)?;
    real("multivariate_normal", "cov", cov)?;
    let n = mean.shape().last().copied();
    let fits = |n: usize| cov.ndim() >= 2 && cov.shape()[cov.ndim() - 2..] == [n, n];
    let Some(n) = n.filter(|&n| fits(n)) else {
        let text = "expected mean [.., n] and cov [.., n, n]";
        return Err(Error::value(format!("[{op}] {text}, got {} and {}", mean.aval(), cov.aval())));
    };
    let (means, covs) = (&mean.shape()[..mean.ndim() - 1], &cov.shape()[..cov.ndim() - 2]);
    let common = shape::broadcast(op, &[means, covs])?;
    let lead = if shape.is_empty() { common.clone() } else { shape::broadcast(op, &[shape, &common])? };
    if !shape.is_empty() && lead != *shape {
        let text = format!("[{op}] expected parameters that broadcast to {shape}, got {common}");
        return Err(Error::value(text));
    }
    let root = super::linalg::hermitian_root(&cast(cov, Dtype::F32)?)?;
    let drawn = normal(&Shape::from([&lead[..], &[n]].concat()), dtype, None, None, key)?;
    let rows = super::expand_dims(&drawn, &[-2])?;
    let spread = super::squeeze(&super::matmul(&rows, &root)?, Some(&[-2]))?;
    add(&spread, &cast(mean, Dtype::F32)?)
}
