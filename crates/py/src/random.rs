//! Random numbers: keys given, or taken from the global state.

use pullback::fun::random as make;
use pullback::{Array, Dtype, Scalar, Shape, shape};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::args::Sizes;
use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;
use crate::dtype::DtypeArg;
use crate::error::OrRaise;

/// The global state: a list with one key. `compile` reads and writes it as state of the function.
static STATE: PyOnceLock<Py<PyList>> = PyOnceLock::new();

/// The list.
pub fn state(py: Python<'_>) -> PyResult<Py<PyList>> {
    let list = STATE.get_or_try_init(py, || -> PyResult<Py<PyList>> {
        let key = PyArray::new(make::key(0).or_raise()?);
        Ok(PyList::new(py, [Bound::new(py, key)?])?.unbind())
    })?;
    Ok(list.clone_ref(py))
}

/// The list, for the module.
#[pyfunction]
pub fn _random_state(py: Python<'_>) -> PyResult<Py<PyList>> {
    state(py)
}

/// The key that was given, or the next one of the global state.
fn next(py: Python<'_>, key: Option<Arg>) -> PyResult<Array> {
    if let Some(Arg(key)) = key {
        return Ok(key);
    }
    let list = state(py)?;
    let list = list.bind(py);
    let object =
        list.get_item(0).map_err(|_| PyValueError::new_err("[random] expected a key in random.state"))?;
    let Arg(now) = object.extract()?;
    let both = make::split(&now, 2).or_raise()?;
    let row = |i: usize| -> PyResult<Array> {
        let row = pullback::fun::narrow(&both, 0, i, 1).or_raise()?;
        pullback::fun::reshape(&row, Shape::from([2])).or_raise()
    };
    let first = row(0)?;
    list.set_item(0, Bound::new(py, build(py, On::default(), || Ok(first))?)?)?;
    row(1)
}

fn shaped(shape: Option<Sizes>) -> Shape {
    shape.map_or_else(Shape::default, |shape| shape.0)
}

fn typed(dtype: Option<DtypeArg>, otherwise: Dtype) -> Dtype {
    dtype.map_or(otherwise, |dtype| dtype.0)
}

fn number(value: Option<Arg>, otherwise: f64) -> Array {
    value.map_or_else(|| Array::scalar(Scalar::Float(otherwise), Dtype::F32), |value| value.0)
}

/// A key from a seed.
///
/// >>> pb.random.key(3)
/// array([0, 3], dtype=uint32)
#[pyfunction]
#[pyo3(signature = (seed), text_signature = "(seed)")]
pub fn key(py: Python<'_>, seed: u64) -> PyResult<PyArray> {
    build(py, On::default(), || make::key(seed))
}

/// Sets the global state.
///
/// >>> pb.random.seed(1)
#[pyfunction]
#[pyo3(signature = (seed))]
pub fn seed(py: Python<'_>, seed: u64) -> PyResult<()> {
    let key = key(py, seed)?;
    state(py)?.bind(py).set_item(0, Bound::new(py, key)?)
}

/// Keys from one, each in a row.
///
/// >>> pb.random.split(pb.random.key(0), 3).shape
/// (3, 2)
#[pyfunction]
#[pyo3(name = "split", signature = (key, num=2, *, stream=On::default()), text_signature = "(key, num=2, *, stream=None)")]
pub fn split_key(py: Python<'_>, key: Arg, num: usize, stream: On) -> PyResult<PyArray> {
    build(py, stream, || make::split(&key.0, num))
}

/// Random words, as `uint32`.
///
/// >>> pb.random.bits((2,), key=pb.random.key(0)).dtype
/// pullback.uint32
#[pyfunction]
#[pyo3(signature = (shape=None, key=None, *, stream=On::default()), text_signature = "(shape=(), key=None, *, stream=None)")]
pub fn bits(py: Python<'_>, shape: Option<Sizes>, key: Option<Arg>, stream: On) -> PyResult<PyArray> {
    let key = next(py, key)?;
    build(py, stream, || make::bits(&shaped(shape), &key))
}

/// Numbers from `low` up to and without `high`, all equally likely.
///
/// >>> 0 <= pb.random.uniform(key=pb.random.key(0)).item() < 1
/// True
#[pyfunction]
#[pyo3(signature = (low=None, high=None, shape=None, dtype=None, key=None, *, stream=On::default()), text_signature = "(low=0, high=1, shape=(), dtype=None, key=None, *, stream=None)")]
pub fn uniform(
    py: Python<'_>,
    low: Option<Arg>,
    high: Option<Arg>,
    shape: Option<Sizes>,
    dtype: Option<DtypeArg>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    let (low, high) = (number(low, 0.), number(high, 1.));
    build(py, stream, || make::uniform(&low, &high, &shaped(shape), typed(dtype, Dtype::F32), &key))
}

/// Normally distributed numbers, times `scale`, plus `loc`.
///
/// >>> pb.random.normal((2, 3), key=pb.random.key(0)).shape
/// (2, 3)
#[pyfunction]
#[pyo3(signature = (shape=None, dtype=None, loc=None, scale=None, key=None, *, stream=On::default()), text_signature = "(shape=(), dtype=None, loc=None, scale=None, key=None, *, stream=None)")]
pub fn normal(
    py: Python<'_>,
    shape: Option<Sizes>,
    dtype: Option<DtypeArg>,
    loc: Option<Arg>,
    scale: Option<Arg>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    let (loc, scale) = (loc.map(|loc| loc.0), scale.map(|scale| scale.0));
    build(py, stream, || {
        make::normal(&shaped(shape), typed(dtype, Dtype::F32), loc.as_ref(), scale.as_ref(), &key)
    })
}

/// Numbers of the Laplace distribution, times `scale`, plus `loc`.
#[pyfunction]
#[pyo3(signature = (shape=None, dtype=None, loc=None, scale=None, key=None, *, stream=On::default()), text_signature = "(shape=(), dtype=None, loc=None, scale=None, key=None, *, stream=None)")]
pub fn laplace(
    py: Python<'_>,
    shape: Option<Sizes>,
    dtype: Option<DtypeArg>,
    loc: Option<Arg>,
    scale: Option<Arg>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    let (loc, scale) = (loc.map(|loc| loc.0), scale.map(|scale| scale.0));
    build(py, stream, || {
        make::laplace(&shaped(shape), typed(dtype, Dtype::F32), loc.as_ref(), scale.as_ref(), &key)
    })
}

/// Normally distributed numbers between two bounds.
#[pyfunction]
#[pyo3(signature = (lower, upper, shape=None, dtype=None, key=None, *, stream=On::default()), text_signature = "(lower, upper, shape=None, dtype=None, key=None, *, stream=None)")]
pub fn truncated_normal(
    py: Python<'_>,
    lower: Arg,
    upper: Arg,
    shape: Option<Sizes>,
    dtype: Option<DtypeArg>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    let shape = common(shape, &[&lower.0, &upper.0])?;
    build(py, stream, || make::truncated_normal(&lower.0, &upper.0, &shape, typed(dtype, Dtype::F32), &key))
}

/// The shape that was given, or the one that parameters broadcast to.
fn common(shape: Option<Sizes>, parameters: &[&Array]) -> PyResult<Shape> {
    match shape {
        Some(shape) => Ok(shape.0),
        None => {
            let shapes: Vec<&[usize]> = parameters.iter().map(|x| &x.shape()[..]).collect();
            shape::broadcast("random", &shapes).or_raise()
        }
    }
}

/// `True` with probability `p`.
///
/// >>> pb.random.bernoulli(1.0).item()
/// True
#[pyfunction]
#[pyo3(signature = (p=None, shape=None, key=None, *, stream=On::default()), text_signature = "(p=0.5, shape=None, key=None, *, stream=None)")]
pub fn bernoulli(
    py: Python<'_>,
    p: Option<Arg>,
    shape: Option<Sizes>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    let p = number(p, 0.5);
    let shape = common(shape, &[&p])?;
    build(py, stream, || make::bernoulli(&p, &shape, &key))
}

/// Integers from `low` up to and without `high`.
///
/// >>> 0 <= pb.random.randint(0, 10).item() < 10
/// True
#[pyfunction]
#[pyo3(signature = (low, high, shape=None, dtype=None, key=None, *, stream=On::default()), text_signature = "(low, high, shape=(), dtype=None, key=None, *, stream=None)")]
pub fn randint(
    py: Python<'_>,
    low: Arg,
    high: Arg,
    shape: Option<Sizes>,
    dtype: Option<DtypeArg>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    let shape = match shape {
        Some(shape) => shape.0,
        None => common(None, &[&low.0, &high.0])?,
    };
    build(py, stream, || make::randint(&low.0, &high.0, &shape, typed(dtype, Dtype::I32), &key))
}

/// Numbers of the standard Gumbel distribution.
#[pyfunction]
#[pyo3(signature = (shape=None, dtype=None, key=None, *, stream=On::default()), text_signature = "(shape=(), dtype=None, key=None, *, stream=None)")]
pub fn gumbel(
    py: Python<'_>,
    shape: Option<Sizes>,
    dtype: Option<DtypeArg>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    build(py, stream, || make::gumbel(&shaped(shape), typed(dtype, Dtype::F32), &key))
}

/// Positions along an axis, drawn with probabilities that are proportional to `exp(logits)`, as `uint32`.
///
/// >>> pb.random.categorical(pb.array([0.0, 100.0])).item()
/// 1
#[pyfunction]
#[pyo3(signature = (logits, axis=-1, shape=None, num_samples=None, key=None, *, stream=On::default()), text_signature = "(logits, axis=-1, shape=None, num_samples=None, key=None, *, stream=None)")]
pub fn categorical(
    py: Python<'_>,
    logits: Arg,
    axis: isize,
    shape: Option<Sizes>,
    num_samples: Option<usize>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let draws = match (shape, num_samples) {
        (Some(_), Some(_)) => {
            return Err(PyValueError::new_err(
                "[random.categorical] expected shape or num_samples, got both",
            ));
        }
        (Some(shape), None) => make::Draws::Shape(shape.0),
        (None, Some(count)) => make::Draws::Count(count),
        (None, None) => make::Draws::One,
    };
    let key = next(py, key)?;
    build(py, stream, || pullback::fun::cast(&make::categorical(&logits.0, axis, &draws, &key)?, Dtype::U32))
}

/// The numbers below `x` in random order, or the slices of an array along an axis.
///
/// >>> sorted(pb.random.permutation(3).tolist())
/// [0, 1, 2]
#[pyfunction]
#[pyo3(signature = (x, axis=0, key=None, *, stream=On::default()), text_signature = "(x, axis=0, key=None, *, stream=None)")]
pub fn permutation(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    axis: isize,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    if let Ok(n) = x.extract::<usize>()
        && !x.is_instance_of::<PyArray>()
    {
        return build(py, stream, || pullback::fun::cast(&make::permutation(n, &key)?, Dtype::U32));
    }
    let Arg(x) = x.extract()?;
    build(py, stream, || make::shuffle(&x, axis, &key))
}

/// Jointly normal numbers with means `mean` (`[.., n]`) and covariances `cov` (`[.., n, n]`, of which the lower triangle is
/// read), in `float32`: of the shape `(*shape, n)`, or that of the leading axes broadcast. Negative eigenvalues of `cov`
/// are taken for zero. There are gradients for both, but none for the `cov` of a distribution that is flat.
///
/// >>> pb.random.multivariate_normal(pb.zeros(2), pb.eye(2), (5,), key=pb.random.key(0)).shape
/// (5, 2)
#[pyfunction]
#[pyo3(signature = (mean, cov, shape=None, dtype=None, key=None, *, stream=On::default()), text_signature = "(mean, cov, shape=(), dtype=None, key=None, *, stream=None)")]
pub fn multivariate_normal(
    py: Python<'_>,
    mean: Arg,
    cov: Arg,
    shape: Option<Sizes>,
    dtype: Option<DtypeArg>,
    key: Option<Arg>,
    stream: On,
) -> PyResult<PyArray> {
    let key = next(py, key)?;
    let dtype = typed(dtype, Dtype::F32);
    build(py, stream, || make::multivariate_normal(&mean.0, &cov.0, &shaped(shape), dtype, &key))
}
