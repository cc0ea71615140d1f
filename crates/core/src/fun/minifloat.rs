//! Floats of eight bits and fewer, as codes: there are no arrays of such types, so codes are integers.
//!
//! E4M3 and E2M1 (sign, exponent, mantissa) and E8M0 (an exponent alone) are those of the OCP Microscaling Formats
//! specification v1.0, sections 5.3.1, 5.3.3 and 5.4.1. E4M3 has NaN but no infinity, E2M1 has neither.

use pullback_base::{Dtype, Error, Kind, Result, Scalar};

use super::packed::word;
use super::{
    abs, add, bitcast, bitwise_and, bitwise_or, cast, equal, greater, isfinite, isnan, left_shift, maximum,
    minimum, multiply, negative, right_shift, rint, subtract, where_,
};
use crate::array::Array;

/// Bits of the mantissa of `float32`, and what its exponent is stored with.
const MANTISSA: usize = 23;
const BIAS: i64 = 127;

/// A format with sign, exponent and mantissa.
pub(crate) struct Format {
    /// Bits of the exponent.
    exponent: usize,
    /// Bits of the mantissa.
    mantissa: usize,
    /// The smallest exponent of a normal number.
    least: i64,
    /// The largest exponent of a finite number.
    most: i64,
    /// The code of the largest finite number.
    largest: i64,
    /// The code of NaN, or of what stands for it.
    nan: i64,
    /// Whether `nan` is NaN.
    has_nan: bool,
}

/// Eight bits: up to 448.
pub(crate) const E4M3: Format =
    Format { exponent: 4, mantissa: 3, least: -6, most: 8, largest: 0x7e, nan: 0x7f, has_nan: true };
/// Four bits: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives. NaN becomes the largest number.
pub(crate) const E2M1: Format =
    Format { exponent: 2, mantissa: 1, least: 0, most: 2, largest: 7, nan: 7, has_nan: false };

/// The type in which floats are looked at: `float32`, unless they have more digits.
pub(super) fn wide(dtype: Dtype) -> Dtype {
    if dtype == Dtype::F64 { Dtype::F64 } else { Dtype::F32 }
}

fn int(value: i64) -> Array {
    Array::scalar(Scalar::Int(value), Dtype::I32)
}

fn exponent_of(bits: &Array) -> Result<Array> {
    cast(&bitwise_and(&right_shift(bits, &word(MANTISSA))?, &word(0xff))?, Dtype::I32)
}

/// `2 ** exponent`, for those of normal numbers of `float32`.
fn power_of_two(exponent: &Array) -> Result<Array> {
    let field = cast(&add(exponent, &int(BIAS))?, Dtype::U32)?;
    bitcast(&left_shift(&field, &word(MANTISSA))?, Dtype::F32)
}

/// The codes of the nearest numbers, of two the even one; what is too large becomes the largest.
///
/// # Errors
/// None for floats.
pub(super) fn encode(x: &Array, to: &Format) -> Result<Array> {
    let x = cast(x, wide(x.dtype()))?;
    let bits = bitcast(&cast(&x, Dtype::F32)?, Dtype::U32)?;
    // A double just below a power of two may be rounded up to it here: then it is counted in the larger steps, and the
    // result is that power in both.
    let exponent = subtract(&exponent_of(&bits)?, &int(BIAS))?;
    let exponent = minimum(&maximum(&exponent, &int(to.least))?, &int(to.most))?;
    // Scaled by a power of two the number is as it was, in steps of the format; of a division devices make more.
    let steps = power_of_two(&subtract(&int(to.mantissa as i64), &exponent)?)?;
    let count = rint(&multiply(&abs(&x)?, &cast(&steps, x.dtype())?)?)?;
    // The steps of all smaller exponents lie below. A number that is rounded up to a power of two has its code.
    let below = multiply(&subtract(&exponent, &int(to.least))?, &int(1 << to.mantissa))?;
    let code = minimum(&add(&count, &cast(&below, x.dtype())?)?, &x.weak(to.largest as f64))?;
    let code = cast(&where_(&isnan(&x)?, &x.weak(to.nan as f64), &code)?, Dtype::U32)?;
    let sign = left_shift(&right_shift(&bits, &word(31))?, &word(to.exponent + to.mantissa))?;
    bitwise_or(&code, &sign)
}

/// The numbers of codes, in `float32`, which has all of them.
///
/// # Errors
/// None for codes of the format.
pub(crate) fn decode(codes: &Array, of: &Format) -> Result<Array> {
    let codes = cast(codes, Dtype::U32)?;
    let size = of.exponent + of.mantissa;
    let magnitude = bitwise_and(&codes, &word((1 << size) - 1))?;
    let field = cast(&right_shift(&magnitude, &word(of.mantissa))?, Dtype::I32)?;
    let normal = greater(&field, &int(0))?;
    let fraction = cast(&bitwise_and(&magnitude, &word((1 << of.mantissa) - 1))?, Dtype::I32)?;
    let digits = add(&fraction, &where_(&normal, &int(1 << of.mantissa), &int(0))?)?;
    // The first two exponents, of subnormal numbers and of the smallest normal ones, have the same steps.
    let exponent = add(&maximum(&field, &int(1))?, &int(of.least - 1 - of.mantissa as i64))?;
    let value = multiply(&cast(&digits, Dtype::F32)?, &power_of_two(&exponent)?)?;
    let value = match of.has_nan {
        true => {
            let is_nan = equal(&magnitude, &word(of.nan as usize))?;
            where_(&is_nan, &Array::scalar(Scalar::Float(f64::NAN), Dtype::F32), &value)?
        }
        false => value,
    };
    let minus = greater(&right_shift(&codes, &word(size))?, &word(0))?;
    where_(&minus, &negative(&value)?, &value)
}

/// Half of the smallest normal number of `float32`: E8M0 has it, and code 0 is what it is.
const HALF_OF_LEAST: usize = 1 << (MANTISSA - 1);
const E8M0_LARGEST: usize = 254;
const E8M0_NAN: usize = 255;

/// The codes of the smallest powers of two that are not below; of 0 the smallest one.
///
/// # Errors
/// None for `float32` that is not negative.
pub(super) fn encode_power(x: &Array) -> Result<Array> {
    let bits = bitcast(x, Dtype::U32)?;
    let exponent = right_shift(&bits, &word(MANTISSA))?;
    let fraction = bitwise_and(&bits, &word((1 << MANTISSA) - 1))?;
    let exact = where_(&greater(&exponent, &word(0))?, &word(0), &word(HALF_OF_LEAST))?;
    let code = add(&exponent, &cast(&greater(&fraction, &exact)?, Dtype::U32)?)?;
    where_(&isfinite(x)?, &minimum(&code, &word(E8M0_LARGEST))?, &word(E8M0_NAN))
}

/// The powers of two of codes, in `float32`.
///
/// # Errors
/// None for `uint32` up to 255.
pub(super) fn decode_power(codes: &Array) -> Result<Array> {
    let bits = left_shift(codes, &word(MANTISSA))?;
    let bits = where_(&greater(codes, &word(0))?, &bits, &word(HALF_OF_LEAST))?;
    let nan = Array::scalar(Scalar::Float(f64::NAN), Dtype::F32);
    where_(&equal(codes, &word(E8M0_NAN))?, &nan, &bitcast(&bits, Dtype::F32)?)
}

/// One over the powers of two of codes: exact, which a division need not be everywhere.
///
/// # Errors
/// As `decode_power`.
pub(super) fn inverse_power(codes: &Array) -> Result<Array> {
    let is_nan = equal(codes, &word(E8M0_NAN))?;
    let finite = minimum(codes, &word(E8M0_LARGEST))?;
    decode_power(&where_(&is_nan, codes, &subtract(&word(E8M0_LARGEST), &finite)?)?)
}

/// Floats as E4M3 in `uint8`: the nearest number, of two the even one. What is too large, infinity too, becomes 448
/// with its sign.
///
/// # Errors
/// `Type` for what is no float.
pub fn to_fp8(x: &Array) -> Result<Array> {
    if x.dtype().kind() != Kind::Float {
        return Err(Error::type_(format!("[to_fp8] expected a float type, got {}", x.aval())));
    }
    cast(&encode(x, &E4M3)?, Dtype::U8)
}

/// The numbers of E4M3 in `uint8`.
///
/// # Errors
/// `Type` for other integers, or for a type that is no float.
pub fn from_fp8(x: &Array, dtype: Dtype) -> Result<Array> {
    if x.dtype() != Dtype::U8 {
        return Err(Error::type_(format!("[from_fp8] expected codes of uint8, got {}", x.aval())));
    }
    if dtype.kind() != Kind::Float {
        return Err(Error::type_(format!("[from_fp8] expected a float type to convert to, got {dtype}")));
    }
    cast(&decode(x, &E4M3)?, dtype)
}
