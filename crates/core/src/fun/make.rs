//! Arrays from nothing but numbers.

use pullback_base::{Aval, Dtype, Error, Kind, Result, Scalar, Shape};

use super::index::iota;
use super::{add, broadcast_to, cast, equal, less_equal, multiply, place, reshape, where_};
use crate::array::Array;

/// Every element equal to a scalar, or to an array that broadcasts.
///
/// # Errors
/// `Value` if it does not broadcast, `Memory` for a shape that cannot be counted.
pub fn full(shape: &Shape, value: &Array, dtype: Dtype) -> Result<Array> {
    broadcast_to(&cast(value, dtype)?, &shape.clone().checked("full")?)
}

/// Zeros.
///
/// # Errors
/// `Memory` for a shape that cannot be counted.
pub fn zeros(shape: &Shape, dtype: Dtype) -> Result<Array> {
    Ok(Array::full(Scalar::Int(0), &Aval::new(shape.clone().checked("zeros")?, dtype)))
}

/// Ones.
///
/// # Errors
/// `Memory` for a shape that cannot be counted.
pub fn ones(shape: &Shape, dtype: Dtype) -> Result<Array> {
    Ok(Array::full(Scalar::Int(1), &Aval::new(shape.clone().checked("ones")?, dtype)))
}

/// `start`, `start + step`, … up to and without `stop`.
///
/// # Errors
/// `Value` for bounds that are not finite or a step of 0, `Memory` for a length that cannot be counted.
pub fn arange(start: Scalar, stop: Scalar, step: Scalar, dtype: Dtype) -> Result<Array> {
    let (from, to, by) = (start.real(), stop.real(), step.real());
    if !from.is_finite() || !to.is_finite() || by.is_nan() || by == 0. {
        let text = format!("[arange] expected finite bounds and a step other than 0, got {from}, {to}, {by}");
        return Err(Error::value(text));
    }
    if dtype == Dtype::Bool {
        return Err(Error::type_("[arange] expected a number type, got bool"));
    }
    let count = ((to - from) / by).ceil().max(0.);
    if count > i32::MAX.into() {
        return Err(Error::memory(format!("[arange] expected fewer than 2 ** 31 elements, got {count}")));
    }
    // Half floats would round the positions before they are scaled.
    let wide = if dtype.kind() == Kind::Float && dtype.size() == 2 { Dtype::F32 } else { dtype };
    let mut y = iota(count as usize, wide)?;
    if by != 1. {
        y = multiply(&y, &Array::scalar(step, wide))?;
    }
    if from != 0. {
        y = add(&y, &Array::scalar(start, wide))?;
    }
    cast(&y, dtype)
}

/// `count` numbers at equal distances from `start` to `stop`, both included.
///
/// # Errors
/// `Memory` for a length that cannot be counted.
pub fn linspace(start: f64, stop: f64, count: usize, dtype: Dtype) -> Result<Array> {
    let wide = if dtype == Dtype::F64 { Dtype::F64 } else { Dtype::F32 };
    let scalar = |x: f64| Array::scalar(Scalar::Float(x), wide);
    let at = iota(Shape::from([count]).checked("linspace")?.size(), wide)?;
    if count < 2 {
        return cast(&add(&at, &scalar(start))?, dtype);
    }
    // From both ends, so that both are exact.
    let part = super::divide(&at, &scalar((count - 1) as f64))?;
    let y = add(
        &multiply(&part, &scalar(stop))?,
        &multiply(&super::subtract(&scalar(1.), &part)?, &scalar(start))?,
    )?;
    cast(&y, dtype)
}

/// Numbers of rows and columns, as a column and as a row.
fn numbered(rows: usize, columns: usize) -> Result<(Array, Array)> {
    let side = |n: usize, shape: [usize; 2]| reshape(&iota(n, Dtype::I32)?, Shape::from(shape));
    Ok((side(rows, [rows, 1])?, side(columns, [1, columns])?))
}

fn shifted(rows: &Array, by: isize) -> Result<Array> {
    add(rows, &Array::scalar(Scalar::Int(by as i64), Dtype::I32))
}

/// A matrix with ones on the `offset`-th diagonal, zeros elsewhere.
///
/// # Errors
/// `Memory` for a shape that cannot be counted.
pub fn eye(rows: usize, columns: usize, offset: isize, dtype: Dtype) -> Result<Array> {
    Shape::from([rows, columns]).checked("eye")?;
    let (row, column) = numbered(rows, columns)?;
    cast(&equal(&column, &shifted(&row, offset)?)?, dtype)
}

/// A matrix with ones on and below the `offset`-th diagonal, zeros elsewhere.
///
/// # Errors
/// `Memory` for a shape that cannot be counted.
pub fn tri(rows: usize, columns: usize, offset: isize, dtype: Dtype) -> Result<Array> {
    cast(&below(rows, columns, offset)?, dtype)
}

fn below(rows: usize, columns: usize, offset: isize) -> Result<Array> {
    Shape::from([rows, columns]).checked("tri")?;
    let (row, column) = numbered(rows, columns)?;
    less_equal(&column, &shifted(&row, offset)?)
}

fn matrices(op: &str, x: &Array) -> Result<(usize, usize)> {
    match x.shape()[..] {
        [.., rows, columns] => Ok((rows, columns)),
        _ => Err(Error::value(format!("[{op}] expected an array with two axes, got {}", x.aval()))),
    }
}

/// Matrices with zeros above the `offset`-th diagonal.
///
/// # Errors
/// `Value` for an array with fewer than two axes.
pub fn tril(x: &Array, offset: isize) -> Result<Array> {
    let (rows, columns) = matrices("tril", x)?;
    where_(&below(rows, columns, offset)?, x, &x.weak(0.))
}

/// Matrices with zeros below the `offset`-th diagonal.
///
/// # Errors
/// `Value` for an array with fewer than two axes.
pub fn triu(x: &Array, offset: isize) -> Result<Array> {
    let (rows, columns) = matrices("triu", x)?;
    where_(&below(rows, columns, offset - 1)?, &x.weak(0.), x)
}

/// A square matrix with a vector on its `offset`-th diagonal; of a matrix, that diagonal.
///
/// # Errors
/// `Value` for an array of another number of axes.
pub fn diag(x: &Array, offset: isize) -> Result<Array> {
    match x.ndim() {
        1 => {
            let n = x.size() + offset.unsigned_abs();
            let first = if offset < 0 { offset.unsigned_abs() * n } else { offset as usize };
            let flat = place(x, &x.weak(0.), &[first], &[n as isize + 1], &Shape::from([n * n]))?;
            reshape(&flat, Shape::from([n, n]))
        }
        2 => super::diagonal(x, offset, 0, 1),
        _ => Err(Error::value(format!("[diag] expected one or two axes, got {}", x.aval()))),
    }
}
