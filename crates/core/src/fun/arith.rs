//! Rows of elements with their implicit forms made explicit: broadcasting and promotion are nodes.

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Kind, Result, Scalar, shape};

use crate::array::Array;
use crate::custom::fence;
use crate::op::OpDef;
use crate::ops::{angle, arith, bits, convert, exponential, logic, special};
use crate::params::Params;

use super::shape::broadcast_to;

/// A row of one operand, which is lifted to a type that the row takes.
///
/// # Errors
/// `Type` if there is none.
pub fn unary(op: &'static OpDef, x: &Array) -> Result<Array> {
    if op.dtypes.has(x.dtype()) {
        return Array::apply(op, Params::None, &[x]);
    }
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
    let common = promote(x.dtype(), y.dtype());
    let dtype = op.dtypes.lift(common).ok_or_else(|| {
        let want = format!("[{}] expected {}, got", op.name, op.dtypes.words());
        // Of two integers of 64 bits one without a sign makes a float: it is no operand's own type.
        match [x, y].into_iter().all(|x| op.dtypes.lift(x.dtype()).is_some()) {
            true => Error::type_(format!("{want} {} and {}, which meet in {common}", x.dtype(), y.dtype())),
            false => Error::type_(format!("{want} {common}")),
        }
    })?;
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
    /// `x * x`
    square(x) = arith::SQUARE by unary;
    /// `1 / x`
    reciprocal(x) = arith::RECIPROCAL by unary;
    /// `x + y`; of booleans, `or`.
    add(x, y) = arith::ADD by binary;
    /// `x - y`; of booleans, whether they differ.
    subtract(x, y) = arith::SUBTRACT by binary_as_bool;
    /// `x * y`; of booleans, `and`.
    multiply(x, y) = arith::MULTIPLY by binary;
    /// `x / y`, in a float type.
    divide(x, y) = arith::DIVIDE by binary;
    /// The remainder of the division rounded down.
    remainder(x, y) = arith::REMAINDER by binary_as_bool;
    /// `x / y` rounded down.
    floor_divide(x, y) = arith::FLOOR_DIVIDE by binary_as_bool;
    /// The larger one.
    maximum(x, y) = arith::MAXIMUM by binary;
    /// The smaller one.
    minimum(x, y) = arith::MINIMUM by binary;
    /// `e ** x`
    exp(x) = exponential::EXP by unary;
    /// `2 ** x`
    exp2(x) = exponential::EXP2 by unary;
    /// `e ** x - 1`, exact near 0.
    expm1(x) = exponential::EXPM1 by unary;
    /// Natural logarithm.
    log(x) = exponential::LOG by unary;
    /// Logarithm to base 2.
    log2(x) = exponential::LOG2 by unary;
    /// Logarithm to base 10.
    log10(x) = exponential::LOG10 by unary;
    /// `log(1 + x)`, exact near 0.
    log1p(x) = exponential::LOG1P by unary;
    /// Square root.
    sqrt(x) = exponential::SQRT by unary;
    /// `1 / sqrt(x)`
    rsqrt(x) = exponential::RSQRT by unary;
    /// `1 / (1 + e ** -x)`
    sigmoid(x) = exponential::SIGMOID by unary;
    /// `x ** y`
    power(x, y) = exponential::POWER by binary_as_bool;
    /// `log(e ** x + e ** y)`
    logaddexp(x, y) = exponential::LOGADDEXP by binary;
    /// Sine.
    sin(x) = angle::SIN by unary;
    /// Cosine.
    cos(x) = angle::COS by unary;
    /// Tangent.
    tan(x) = angle::TAN by unary;
    /// Inverse sine.
    arcsin(x) = angle::ARCSIN by unary;
    /// Inverse cosine.
    arccos(x) = angle::ARCCOS by unary;
    /// Inverse tangent.
    arctan(x) = angle::ARCTAN by unary;
    /// Angle of the point with height `x` and width `y`.
    arctan2(x, y) = angle::ARCTAN2 by binary;
    /// Hyperbolic sine.
    sinh(x) = angle::SINH by unary;
    /// Hyperbolic cosine.
    cosh(x) = angle::COSH by unary;
    /// Hyperbolic tangent.
    tanh(x) = angle::TANH by unary;
    /// Inverse hyperbolic sine.
    arcsinh(x) = angle::ARCSINH by unary;
    /// Inverse hyperbolic cosine.
    arccosh(x) = angle::ARCCOSH by unary;
    /// Inverse hyperbolic tangent.
    arctanh(x) = angle::ARCTANH by unary;
    /// Error function.
    erf(x) = special::ERF by unary;
    /// Inverse of the error function.
    erfinv(x) = special::ERFINV by unary;
    /// The largest integer that is not above; integers are that already.
    floor(x) = special::FLOOR by rounding;
    /// The smallest integer that is not below; integers are that already.
    ceil(x) = special::CEIL by rounding;
    /// The nearest integer on the way to 0; integers are that already.
    trunc(x) = special::TRUNC by rounding;
    /// The nearest integer, halves to the even one; integers are that already.
    rint(x) = special::ROUND by rounding;
    /// `x < y`
    less(x, y) = logic::LESS by binary;
    /// `x <= y`
    less_equal(x, y) = logic::LESS_EQUAL by binary;
    /// `x > y`
    greater(x, y) = logic::GREATER by binary;
    /// `x >= y`
    greater_equal(x, y) = logic::GREATER_EQUAL by binary;
    /// `x == y`
    equal(x, y) = logic::EQUAL by binary;
    /// `x != y`
    not_equal(x, y) = logic::NOT_EQUAL by binary;
    /// Whether both are true.
    logical_and(x, y) = logic::LOGICAL_AND by binary;
    /// Whether either is true.
    logical_or(x, y) = logic::LOGICAL_OR by binary;
    /// Whether `x` is false.
    logical_not(x) = logic::LOGICAL_NOT by unary;
    /// Whether elements are not a number; integers always are.
    isnan(x) = logic::ISNAN by inspection;
    /// Whether elements are infinite; integers never are.
    isinf(x) = logic::ISINF by inspection;
    /// Whether elements are finite numbers; integers always are.
    isfinite(x) = logic::ISFINITE by inspection;
    /// Bits that both have.
    bitwise_and(x, y) = bits::BITWISE_AND by binary;
    /// Bits that either has.
    bitwise_or(x, y) = bits::BITWISE_OR by binary;
    /// Bits that one alone has.
    bitwise_xor(x, y) = bits::BITWISE_XOR by binary;
    /// Bits exchanged.
    bitwise_invert(x) = bits::BITWISE_INVERT by unary;
    /// Bits moved to the left.
    left_shift(x, y) = bits::LEFT_SHIFT by binary;
    /// Bits moved to the right.
    right_shift(x, y) = bits::RIGHT_SHIFT by binary;
}

/// Arithmetic whose result of two booleans is a boolean: whether the number is not zero.
fn binary_as_bool(op: &'static OpDef, x: &Array, y: &Array) -> Result<Array> {
    let result = binary(op, x, y)?;
    if x.dtype() == Dtype::Bool && y.dtype() == Dtype::Bool { cast(&result, Dtype::Bool) } else { Ok(result) }
}

fn rounding(op: &'static OpDef, x: &Array) -> Result<Array> {
    if x.dtype().kind() < Kind::Float { Ok(x.clone()) } else { unary(op, x) }
}

fn inspection(op: &'static OpDef, x: &Array) -> Result<Array> {
    if x.dtype().kind() < Kind::Float { Ok(full_like_bool(x, op.name == "isfinite")) } else { unary(op, x) }
}

/// The same bits in another type of the same size.
///
/// # Errors
/// `Value` for a type of another size.
pub fn bitcast(x: &Array, dtype: Dtype) -> Result<Array> {
    Array::apply(&convert::BITCAST, Params::Dtype(dtype), &[x])
}

/// Whether one alone is true.
///
/// # Errors
/// `Value` for shapes that do not broadcast.
pub fn logical_xor(x: &Array, y: &Array) -> Result<Array> {
    shape::broadcast("logical_xor", &[x.shape(), y.shape()])?;
    not_equal(&cast(x, Dtype::Bool)?, &cast(y, Dtype::Bool)?)
}

/// `x / y` rounded down, and what remains.
///
/// # Errors
/// `Type` for complex numbers, `Value` for shapes that do not broadcast.
pub fn divmod(x: &Array, y: &Array) -> Result<(Array, Array)> {
    Ok((floor_divide(x, y)?, remainder(x, y)?))
}

/// `-x`
///
/// # Errors
/// `Type` for booleans.
pub fn negative(x: &Array) -> Result<Array> {
    if x.dtype() == Dtype::Bool {
        return Err(Error::type_("[negative] expected a number type, got bool; use logical_not"));
    }
    unary(&arith::NEGATIVE, x)
}

/// The nearest number with `decimals` digits behind the point (before it, if negative); halves go to the even
/// one.
///
/// # Errors
/// `Type` for complex numbers.
pub fn round(x: &Array, decimals: i32) -> Result<Array> {
    if decimals == 0 {
        return rint(x);
    }
    if x.dtype().kind() < Kind::Float && decimals > 0 {
        return Ok(x.clone());
    }
    let wide = cast(x, pullback_base::promote::inexact(x.dtype()))?;
    let scale = wide.weak(10f64.powi(decimals.abs()));
    let rounded = if decimals > 0 {
        divide(&rint(&multiply(&wide, &scale)?)?, &scale)?
    } else {
        multiply(&rint(&divide(&wide, &scale)?)?, &scale)?
    };
    cast(&rounded, x.dtype())
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

/// The same elements, of which no derivative is taken.
///
/// # Errors
/// None.
pub fn stop_gradient(x: &Array) -> Result<Array> {
    if x.is_inexact() { fence::stop_gradient(x) } else { Ok(x.clone()) }
}

/// A truth value.
pub fn bool_scalar(value: bool) -> Array {
    Array::scalar(Scalar::Bool(value), Dtype::Bool)
}

/// Truth values in the shape of `x`.
pub fn full_like_bool(x: &Array, value: bool) -> Array {
    Array::full(Scalar::Bool(value), &x.aval().retyped(Dtype::Bool))
}
