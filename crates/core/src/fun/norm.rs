//! Norms of vectors and matrices, and what is said with them: condition and rank.

use pullback_base::{Dtype, Error, Kind, Result, Shape, shape};

use super::linalg::{Vectors, inv, lifted, matrix, svd};
use super::{
    abs, add, cast, divide, equal, expand_dims, greater, imag, max, min, moveaxis, multiply, not_equal,
    power, real, sqrt, square, sum_over, where_,
};
use crate::array::Array;
use crate::op::Dtypes;

/// Which norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// By a number, which may be infinite.
    Number(f64),
    /// The root of the sum of squares of a matrix.
    Frobenius,
    /// The sum of singular values.
    Nuclear,
}

impl Order {
    /// The matrix norm of this name.
    pub fn named(name: &str) -> Option<Order> {
        match name {
            "fro" | "f" => Some(Order::Frobenius),
            "nuc" => Some(Order::Nuclear),
            _ => None,
        }
    }
}

fn inexact(op: &str, x: &Array) -> Result<Array> {
    let dtype = Dtypes::Inexact.lift(x.dtype());
    cast(x, dtype.ok_or_else(|| Error::type_(format!("[{op}] expected a number type, got {}", x.dtype())))?)
}

/// The square of the modulus, which is real: of complex numbers the sum of two squares, of others one.
pub(super) fn squares(x: &Array) -> Result<Array> {
    match x.dtype() {
        Dtype::C64 => add(&square(&real(x)?)?, &square(&imag(x)?)?),
        _ => square(x),
    }
}

/// The root, with slope 0 at 0: there it is infinite, and 0 times that is NaN.
pub(super) fn root(x: &Array) -> Result<Array> {
    let zero = equal(x, &x.weak(0.))?;
    where_(&zero, &x.weak(0.), &sqrt(&where_(&zero, &x.weak(1.), x)?)?)
}

/// The norm of vectors along one axis, of matrices along two. Without axes it is that of the whole array, as a vector if no
/// order is given; an order takes an array with one axis or two.
///
/// # Errors
/// `Value` for axes that do not exist, more than two of them, and an order that such a norm has not.
pub fn norm(x: &Array, order: Option<Order>, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    let all: Vec<isize> = (0..x.ndim() as isize).collect();
    match (order, axes.unwrap_or(&all)) {
        (None, [_, _, _, ..]) if axes.is_some() => Err(too_many(axes.map_or(0, <[isize]>::len))),
        (None, list) => vector_norm(x, 2., Some(list), keepdims),
        (Some(Order::Number(order)), list @ [_]) => vector_norm(x, order, Some(list), keepdims),
        (Some(order), &[row, column]) => matrix_norm(x, order, [row, column], keepdims),
        (Some(Order::Number(_)), list) => Err(too_many(list.len())),
        (Some(_), list) => Err(Error::value(format!(
            "[norm] expected a matrix for the norms 'fro' and 'nuc', got {} axes: give axis=(row, column)",
            list.len()
        ))),
    }
}

fn too_many(got: usize) -> Error {
    Error::value(format!("[norm] expected one axis, or two for matrices, got {got}: give axis"))
}

/// The norm of vectors, over any axes. The 2-norm has slope 0 at 0.
///
/// # Errors
/// `Value` for axes that do not exist.
pub fn vector_norm(x: &Array, order: f64, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
    let x = inexact("norm", x)?;
    shape::axes("norm", axes, x.ndim())?;
    let total = |x: &Array| sum_over(x, axes, keepdims);
    if order == 2. {
        return root(&total(&squares(&x)?)?);
    }
    if order == 0. {
        let dtype = real(&x)?.dtype();
        return cast(&total(&not_equal(&x, &x.weak(0.))?)?, dtype);
    }
    let size = abs(&x)?;
    match order {
        1. => total(&size),
        f64::INFINITY => max(&size, axes, keepdims),
        f64::NEG_INFINITY => min(&size, axes, keepdims),
        _ => power(&total(&power(&size, &size.weak(order))?)?, &size.weak(1. / order)),
    }
}

/// The norm of matrices whose rows and columns are these axes.
///
/// # Errors
/// `Value` for axes that do not exist or are one, and an order that it has not; `Type` for half floats where it takes
/// singular values.
pub fn matrix_norm(x: &Array, order: Order, axes: [isize; 2], keepdims: bool) -> Result<Array> {
    let at = [shape::axis("norm", axes[0], x.ndim())?, shape::axis("norm", axes[1], x.ndim())?];
    if at[0] == at[1] {
        return Err(Error::value(format!("[norm] expected two different axes, got {} twice", axes[0])));
    }
    if order == Order::Frobenius {
        return vector_norm(x, 2., Some(&axes), keepdims);
    }
    let x = inexact("norm", x)?;
    // Whichever comes last is moved first, so that the other is still where it was.
    let x = moveaxis(&x, at[1] as isize, -1)?;
    let row = at[0] - usize::from(at[0] > at[1]);
    let x = moveaxis(&x, row as isize, -2)?;
    let sums = |axis: isize| sum_over(&abs(&x)?, Some(&[axis]), false);
    let values = || svd(&lifted("norm", &x)?, Vectors::None).map(|made| made[0].clone());
    let last: Option<&[isize]> = Some(&[-1]);
    let y = match order {
        Order::Number(1.) => max(&sums(-2)?, last, false),
        Order::Number(-1.) => min(&sums(-2)?, last, false),
        Order::Number(f64::INFINITY) => max(&sums(-1)?, last, false),
        Order::Number(f64::NEG_INFINITY) => min(&sums(-1)?, last, false),
        Order::Number(2.) => max(&values()?, last, false),
        Order::Number(-2.) => min(&values()?, last, false),
        Order::Nuclear => sum_over(&values()?, last, false),
        Order::Number(order) => {
            let text =
                "[norm] expected 1, 2 or inf, these negative, 'fro' or 'nuc' for the norm of a matrix, got";
            return Err(Error::value(format!("{text} {order}")));
        }
        Order::Frobenius => unreachable!("that of a vector, above"),
    }?;
    let mut kept = at.map(|axis| axis as isize);
    kept.sort_unstable();
    if keepdims { expand_dims(&y, &kept) } else { Ok(y) }
}

/// How much larger the relative error of a solution may be than that of the system: the norm of the matrix times that of
/// its inverse. Without an order it is the quotient of the largest and the smallest singular value.
///
/// # Errors
/// As `matrix_norm`; `Value` for matrices that are not square where there is an order other than 2.
pub fn cond(x: &Array, order: Option<Order>) -> Result<Array> {
    matrix("cond", x)?;
    let x = lifted("cond", x)?;
    match order.unwrap_or(Order::Number(2.)) {
        Order::Number(two) if two.abs() == 2. => {
            let by = |order: f64| matrix_norm(&x, Order::Number(order), [-2, -1], false);
            divide(&by(two)?, &by(-two)?)
        }
        order => {
            let inverse = matrix_norm(&inv(&x)?, order, [-2, -1], false)?;
            multiply(&matrix_norm(&x, order, [-2, -1], false)?, &inverse)
        }
    }
}

/// How many singular values are above `rtol` times the largest, as `int32`; without it, above the rounding error of the
/// longer side.
///
/// # Errors
/// As `svd`.
pub fn matrix_rank(x: &Array, rtol: Option<&Array>) -> Result<Array> {
    let (m, n) = matrix("matrix_rank", x)?;
    let s = svd(&lifted("matrix_rank", x)?, Vectors::None)?.swap_remove(0);
    if s.shape()[s.ndim() - 1] == 0 {
        let none = Shape::from(s.shape()[..s.ndim() - 1].to_vec());
        return super::zeros(&none, Dtype::I32);
    }
    let epsilon = if s.dtype() == Dtype::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let rtol = match rtol {
        Some(rtol) if rtol.dtype().kind() < Kind::Complex => expand_dims(rtol, &[-1])?,
        Some(rtol) => {
            return Err(Error::type_(format!("[matrix_rank] expected a real rtol, got {}", rtol.dtype())));
        }
        None => s.weak(m.max(n) as f64 * epsilon),
    };
    let bound = multiply(&max(&s, Some(&[-1]), true)?, &rtol)?;
    cast(&sum_over(&greater(&s, &bound)?, Some(&[-1]), false)?, Dtype::I32)
}
