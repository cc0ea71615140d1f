//! Reductions, and what is made of them.
//!
//! `sum`, `sum_all` and `sum_to` are for derivatives; the rest takes axes as users name them: negative ones count
//! from the end, `None` is all of them.

use pullback_base::promote::inexact;
use pullback_base::{Dtype, Error, Kind, Result, Shape, shape};

use super::{add, cast, divide, exp, lexical, log, multiply, reshape, subtract, where_};
use crate::array::Array;
use crate::op::OpDef;
use crate::ops::{order, reduce as row};
use crate::params::Params;

/// The type in which elements are added up: narrow integers in 32 bits.
fn summed(dtype: Dtype) -> Dtype {
    match dtype.kind() {
        Kind::Bool => Dtype::I32,
        Kind::Unsigned if dtype.size() < 4 => Dtype::U32,
        Kind::Signed if dtype.size() < 4 => Dtype::I32,
        _ => dtype,
    }
}

/// Sum over axes, which vanish. Booleans are counted as `int32`.
///
/// # Errors
/// None for axes that exist.
pub fn sum(x: &Array, axes: &[usize]) -> Result<Array> {
    let x = if x.dtype() == Dtype::Bool { cast(x, Dtype::I32)? } else { x.clone() };
    if axes.is_empty() {
        return Ok(x);
    }
    Array::apply(&row::SUM, Params::Axes(axes.to_vec()), &[&x])
}

/// Sum of all elements.
///
/// # Errors
/// None.
pub fn sum_all(x: &Array) -> Result<Array> {
    sum(x, &(0..x.ndim()).collect::<Vec<_>>())
}

/// Summed to a shape that broadcasts to the shape of `x`: what undoes a broadcast.
///
/// # Errors
/// None for such a shape.
pub fn sum_to(x: &Array, shape: &Shape) -> Result<Array> {
    let skip = x.ndim() - shape.ndim();
    let repeated = |&axis: &usize| axis < skip || (shape[axis - skip] == 1 && x.shape()[axis] != 1);
    let axes: Vec<usize> = (0..x.ndim()).filter(repeated).collect();
    reshape(&sum(x, &axes)?, shape.clone())
}

/// The shape of `x` with ones for `axes`.
fn kept(x: &Array, axes: &[usize]) -> Shape {
    let size = |(axis, &n): (usize, &usize)| if axes.contains(&axis) { 1 } else { n };
    x.shape().iter().enumerate().map(size).collect()
}

fn reduce(op: &'static OpDef, x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    let axes = shape::axes(op.name, axes, x.ndim())?;
    let dtype = op.dtypes.lift(x.dtype()).ok_or_else(|| {
        Error::type_(format!("[{}] expected {}, got {}", op.name, op.dtypes.words(), x.dtype()))
    })?;
    let y = match &axes[..] {
        [] => cast(x, dtype)?,
        list => Array::apply(op, Params::Axes(list.to_vec()), &[&cast(x, dtype)?])?,
    };
    if keepdims { reshape(&y, kept(x, &axes)) } else { Ok(y) }
}

/// Sum over axes. Integers narrower than 32 bits are added up in 32.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn sum_over(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    reduce(&row::SUM, &cast(x, summed(x.dtype()))?, axes, keepdims)
}

/// Product over axes. Integers narrower than 32 bits are multiplied in 32.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn prod(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    reduce(&row::PROD, &cast(x, summed(x.dtype()))?, axes, keepdims)
}

/// Largest element over axes; of complex numbers by the real part, and where that is equal by the other one.
///
/// # Errors
/// `Value` for axes that do not exist, or where there is no element.
pub fn max(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    if x.dtype() == Dtype::C64 {
        return lexical::extreme(true, x, axes, keepdims);
    }
    reduce(&row::MAX, x, axes, keepdims)
}

/// Smallest element over axes.
///
/// # Errors
/// As `max`.
pub fn min(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    if x.dtype() == Dtype::C64 {
        return lexical::extreme(false, x, axes, keepdims);
    }
    reduce(&row::MIN, x, axes, keepdims)
}

/// Whether any element over axes is true.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn any(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    reduce(&row::ANY, x, axes, keepdims)
}

/// Whether all elements over axes are true.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn all(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    reduce(&row::ALL, x, axes, keepdims)
}

/// How many elements over axes are not zero, in `int32`.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn count_nonzero(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    shape::axes("count_nonzero", axes, x.ndim())?;
    sum_over(&cast(x, Dtype::Bool)?, axes, keepdims)
}

/// Smallest and largest element over axes.
///
/// # Errors
/// As `max`.
pub fn minmax(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<(Array, Array)> {
    Ok((min(x, axes, keepdims)?, max(x, axes, keepdims)?))
}

/// The middle element over axes in the order of `sort`, of an even number the mean of the middle two; integers as
/// `float32`. NaN if there is one.
///
/// # Errors
/// `Value` for axes that do not exist, or where there is no element.
pub fn median(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    let gone = shape::axes("median", axes, x.ndim())?;
    let n: usize = gone.iter().map(|&axis| x.shape()[axis]).product();
    if n == 0 {
        return Err(Error::value(format!("[median] expected an element to choose, got {}", x.aval())));
    }
    let left: Vec<usize> = (0..x.ndim()).filter(|axis| !gone.contains(axis)).collect();
    let sizes: Vec<usize> = left.iter().map(|&axis| x.shape()[axis]).collect();
    let apart = super::transpose(&cast(x, inexact(x.dtype()))?, &[&left[..], &gone].concat())?;
    let axis = left.len();
    let lined =
        super::sort(&reshape(&apart, Shape::from([&sizes[..], &[n]].concat()))?, Some(axis as isize))?;
    let at = |i: usize| super::narrow(&lined, axis, i, 1);
    let (low, high, last) = (at((n - 1) / 2)?, at(n / 2)?, at(n - 1)?);
    let middle = if n % 2 == 1 {
        high
    } else {
        add(&multiply(&low, &low.weak(0.5))?, &multiply(&high, &high.weak(0.5))?)?
    };
    // NaN is sorted to the end.
    let y = where_(&super::isnan(&last)?, &last, &middle)?;
    reshape(&y, if keepdims { kept(x, &gone) } else { Shape::from(sizes) })
}

fn position(op: &'static OpDef, x: &Array, axis: Option<isize>, keepdims: bool) -> Result<Array> {
    let Some(axis) = axis else {
        let y = position(op, &reshape(x, Shape::from([x.size()]))?, Some(0), false)?;
        return if keepdims { reshape(&y, x.shape().iter().map(|_| 1).collect()) } else { Ok(y) };
    };
    let axis = shape::axis(op.name, axis, x.ndim())?;
    let y = Array::apply(op, Params::Axis(axis), &[x])?;
    if keepdims { reshape(&y, kept(x, &[axis])) } else { Ok(y) }
}

/// Position of the first largest element along an axis; of the flattened array without one.
///
/// # Errors
/// As `max`.
pub fn argmax(x: &Array, axis: Option<isize>, keepdims: bool) -> Result<Array> {
    if x.dtype() == Dtype::C64 {
        return lexical::position(true, x, axis, keepdims);
    }
    position(&order::ARGMAX, x, axis, keepdims)
}

/// Position of the first smallest element along an axis; of the flattened array without one.
///
/// # Errors
/// As `argmax`.
pub fn argmin(x: &Array, axis: Option<isize>, keepdims: bool) -> Result<Array> {
    if x.dtype() == Dtype::C64 {
        return lexical::position(false, x, axis, keepdims);
    }
    position(&order::ARGMIN, x, axis, keepdims)
}

/// How many elements one of the result is made of.
fn count(op: &str, x: &Array, axes: Option<&[isize]>) -> Result<f64> {
    Ok(shape::axes(op, axes, x.ndim())?.into_iter().map(|axis| x.shape()[axis] as f64).product())
}

/// The type in which sums of such elements are computed: a half float holds neither large sums nor large counts.
pub fn wide(dtype: Dtype) -> Dtype {
    if inexact(dtype).size() == 2 { Dtype::F32 } else { inexact(dtype) }
}

/// Mean over axes, of integers in `float32`.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn mean(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    let n = count("mean", x, axes)?;
    let total = sum_over(&cast(x, wide(x.dtype()))?, axes, keepdims)?;
    cast(&divide(&total, &total.weak(n))?, inexact(x.dtype()))
}

/// Variance over axes: squared distances from the mean, summed, over `n - ddof`; real of complex numbers.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn var(x: &Array, axes: Option<&[isize]>, keepdims: bool, ddof: f64) -> Result<Array> {
    let n = count("var", x, axes)? - ddof;
    let dtype = inexact(x.dtype());
    let x = cast(x, wide(dtype))?;
    let apart = subtract(&x, &mean(&x, axes, true)?)?;
    let squares = super::norm::squares(&apart)?;
    let dtype = if dtype == Dtype::C64 { Dtype::F32 } else { dtype };
    let total = sum_over(&squares, axes, keepdims)?;
    cast(&divide(&total, &total.weak(n.max(0.)))?, dtype)
}

/// Standard deviation over axes: the root of `var`.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn std(x: &Array, axes: Option<&[isize]>, keepdims: bool, ddof: f64) -> Result<Array> {
    shape::axes("std", axes, x.ndim())?;
    super::sqrt(&var(x, axes, keepdims, ddof)?)
}

/// The largest real part over axes, kept as axes of size 1, as a number that only scales: no derivative is taken of it.
/// Where it is infinite, 0.
fn scale(x: &Array, axes: Option<&[isize]>) -> Result<Array> {
    let top = super::stop_gradient(&max(&super::real(x)?, axes, true)?)?;
    where_(&super::isfinite(&top)?, &top, &top.weak(0.))
}

/// `log(sum(exp(x)))` over axes, without overflow.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn logsumexp(x: &Array, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    let x = cast(x, inexact(x.dtype()))?;
    let gone = shape::axes("logsumexp", axes, x.ndim())?;
    if x.size() == 0 {
        return log(&sum_over(&x, axes, keepdims)?);
    }
    let top = scale(&x, axes)?;
    let y = add(&log(&sum_over(&exp(&subtract(&x, &top)?)?, axes, true)?)?, &top)?;
    if keepdims {
        return Ok(y);
    }
    reshape(&y, (0..x.ndim()).filter(|axis| !gone.contains(axis)).map(|axis| x.shape()[axis]).collect())
}

/// `exp(x)` over its sum over axes. With `precise`, half floats are computed on in `float32`.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn softmax(x: &Array, axes: Option<&[isize]>, precise: bool) -> Result<Array> {
    let dtype = inexact(x.dtype());
    let wide = if precise && dtype.size() == 2 { Dtype::F32 } else { dtype };
    let x = cast(x, wide)?;
    shape::axes("softmax", axes, x.ndim())?;
    if x.size() == 0 {
        return cast(&x, dtype);
    }
    let y = exp(&subtract(&x, &scale(&x, axes)?)?)?;
    cast(&divide(&y, &sum_over(&y, axes, true)?)?, dtype)
}

/// `|a - b| <= atol + rtol |b|`, elementwise; equal infinities are close.
///
/// # Errors
/// `Value` for shapes that do not broadcast.
pub fn isclose(a: &Array, b: &Array, rtol: f64, atol: f64, equal_nan: bool) -> Result<Array> {
    let wide = |x: &Array| cast(x, inexact(x.dtype()));
    let (a, b) = (wide(a)?, wide(b)?);
    let size = super::abs(&b)?;
    let bound = add(&size.weak(atol), &multiply(&size.weak(rtol), &size)?)?;
    let near = super::less_equal(&super::abs(&subtract(&a, &b)?)?, &bound)?;
    let finite = super::logical_and(&super::isfinite(&a)?, &super::isfinite(&b)?)?;
    let mut close = super::logical_or(&super::logical_and(&near, &finite)?, &super::equal(&a, &b)?)?;
    if equal_nan {
        close = super::logical_or(&close, &super::logical_and(&super::isnan(&a)?, &super::isnan(&b)?)?)?;
    }
    Ok(close)
}

/// Whether all elements are close; see `isclose`.
///
/// # Errors
/// `Value` for shapes that do not broadcast.
pub fn allclose(a: &Array, b: &Array, rtol: f64, atol: f64, equal_nan: bool) -> Result<Array> {
    all(&isclose(a, b, rtol, atol, equal_nan)?, None, false)
}

/// Whether shapes and all elements are equal.
///
/// # Errors
/// None.
pub fn array_equal(a: &Array, b: &Array, equal_nan: bool) -> Result<Array> {
    if a.shape() != b.shape() {
        return Ok(super::bool_scalar(false));
    }
    let mut same = super::equal(a, b)?;
    if equal_nan && a.is_inexact() && b.is_inexact() {
        same = super::logical_or(&same, &super::logical_and(&super::isnan(a)?, &super::isnan(b)?)?)?;
    }
    all(&same, None, false)
}
