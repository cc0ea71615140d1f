//! Rows of elements with their implicit forms made explicit: broadcasting and promotion are nodes.

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Result, Scalar, shape};

use crate::array::Array;
use crate::op::OpDef;
use crate::ops::{arith, convert, exponential, logic};
use crate::params::Params;

use super::shape::broadcast_to;

/// A row of one operand, which is lifted to a type that the row takes.
///
/// # Errors
/// `Type` if there is none.
pub fn unary(op: &'static OpDef, x: &Array) -> Result<Array> {
    Array::apply(op, Params::None, &[&cast(x, lift(op, x.dtype())?)?])
}

/// A row of two operands, which are promoted to one type and broadcast to one shape.
///
/// # Errors
/// `Type` if the row takes no such type, `Value` if the shapes do not broadcast.
pub fn binary(op: &'static OpDef, x: &Array, y: &Array) -> Result<Array> {
    if x.aval() == y.aval() && op.dtypes.has(x.dtype()) {
        return Array::apply(op, Params::None, &[x, y]);
    }
    let dtype = lift(op, promote(x.dtype(), y.dtype()))?;
    let to = shape::broadcast(op.name, &[x.shape(), y.shape()])?;
    let fit = |x: &Array| broadcast_to(&cast(x, dtype)?, &to);
    Array::apply(op, Params::None, &[&fit(x)?, &fit(y)?])
}

fn lift(op: &'static OpDef, dtype: Dtype) -> Result<Dtype> {
    op.dtypes
        .lift(dtype)
        .ok_or_else(|| Error::type_(format!("[{}] expected {}, got {dtype}", op.name, op.dtypes.words())))
}

macro_rules! rows {
    ($($(#[doc = $doc:literal])+ $name:ident($($x:ident),+) = $module:ident::$ROW:ident by $via:ident;)*) => {$(
        $(#[doc = $doc])+
        ///
        /// # Errors
        /// `Type` for a type the row does not take, `Value` for shapes that do not broadcast.
        pub fn $name($($x: &Array),+) -> Result<Array> {
            $via(&$module::$ROW, $($x),+)
        }
    )*};
}

rows! {
    /// `-x`
    negative(x) = arith::NEGATIVE by unary;
    /// `x + y`
    add(x, y) = arith::ADD by binary;
    /// `x - y`
    subtract(x, y) = arith::SUBTRACT by binary;
    /// `x * y`
    multiply(x, y) = arith::MULTIPLY by binary;
    /// `x / y`
    divide(x, y) = arith::DIVIDE by binary;
    /// `e ** x`
    exp(x) = exponential::EXP by unary;
    /// `x < y`
    less(x, y) = logic::LESS by binary;
}

/// The elements in another type; the array itself if it has that type.
///
/// # Errors
/// None for arrays that exist.
pub fn cast(x: &Array, dtype: Dtype) -> Result<Array> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    if let Some(value) = x.as_const() {
        return Ok(Array::scalar(value, dtype));
    }
    Array::apply(&convert::CAST, Params::Dtype(dtype), &[x])
}

/// `x` where the condition holds, else `y`; all three broadcast, `x` and `y` are promoted.
///
/// # Errors
/// `Value` for shapes that do not broadcast.
pub fn where_(condition: &Array, x: &Array, y: &Array) -> Result<Array> {
    let to = shape::broadcast("where", &[condition.shape(), x.shape(), y.shape()])?;
    let dtype = promote(x.dtype(), y.dtype());
    let fit = |x: &Array, dtype: Dtype| broadcast_to(&cast(x, dtype)?, &to);
    let inputs = [&fit(condition, Dtype::Bool)?, &fit(x, dtype)?, &fit(y, dtype)?];
    Array::apply(&logic::WHERE, Params::None, &inputs)
}

/// A truth value.
pub fn bool_scalar(value: bool) -> Array {
    Array::scalar(Scalar::Bool(value), Dtype::Bool)
}

/// Truth values in the shape of `x`.
pub fn full_like_bool(x: &Array, value: bool) -> Array {
    Array::full(Scalar::Bool(value), &x.aval().retyped(Dtype::Bool))
}
