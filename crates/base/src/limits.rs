//! What element types can hold: the ranges of integers, the ranges and steps of floats.

use crate::{Dtype, Kind};

/// The range of an integer type, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct IntegerRange {
    pub bits: u32,
    pub min: i128,
    pub max: i128,
}

/// The range and the steps of a float type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloatRange {
    /// The type itself; of a complex one, that of its parts.
    pub dtype: Dtype,
    /// Bits of an element.
    pub bits: u32,
    /// The largest finite number; the smallest is its negative.
    pub max: f64,
    /// From 1 to the next larger number.
    pub eps: f64,
    /// The smallest positive number with all its digits.
    pub smallest_normal: f64,
}

impl Dtype {
    /// The range of an integer type; `None` for others, and `Bool` is not one.
    pub const fn integer_range(self) -> Option<IntegerRange> {
        let bits = 8 * self.size() as u32;
        match self.kind() {
            Kind::Unsigned => Some(IntegerRange { bits, min: 0, max: (1 << bits) - 1 }),
            Kind::Signed => Some(IntegerRange { bits, min: -(1 << (bits - 1)), max: (1 << (bits - 1)) - 1 }),
            _ => None,
        }
    }

    /// The range of a float type, or that of a complex type's parts.
    pub fn float_range(self) -> Option<FloatRange> {
        let dtype = if self == Dtype::C64 { Dtype::F32 } else { self };
        // Digits of the mantissa, the leading one included, and the power of two that the largest number stays below.
        let (digits, power) = match dtype {
            Dtype::F16 => (11, 16),
            Dtype::Bf16 => (8, 128),
            Dtype::F32 => (24, 128),
            Dtype::F64 => (53, 1024),
            _ => return None,
        };
        let eps = 2f64.powi(1 - digits);
        Some(FloatRange {
            dtype,
            bits: 8 * dtype.size() as u32,
            max: (2. - eps) * 2f64.powi(power - 1),
            eps,
            smallest_normal: 2f64.powi(2 - power),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn ranges_are_those_of_the_languages_types() {
        let float = |dtype: Dtype| dtype.float_range().map(|r| (r.max, r.eps, r.smallest_normal));
        let of = |max: f32, eps: f32, least: f32| Some((f64::from(max), f64::from(eps), f64::from(least)));
        assert_eq!(float(Dtype::F64), Some((f64::MAX, f64::EPSILON, f64::MIN_POSITIVE)));
        assert_eq!(float(Dtype::F32), of(f32::MAX, f32::EPSILON, f32::MIN_POSITIVE));
        assert_eq!(float(Dtype::C64), float(Dtype::F32));
        let (max, eps, least) = (f16::MAX, f16::EPSILON, f16::MIN_POSITIVE);
        assert_eq!(float(Dtype::F16), of(max.to_f32(), eps.to_f32(), least.to_f32()));
        let (max, eps, least) = (bf16::MAX, bf16::EPSILON, bf16::MIN_POSITIVE);
        assert_eq!(float(Dtype::Bf16), of(max.to_f32(), eps.to_f32(), least.to_f32()));
        assert_eq!(float(Dtype::I32), None);
        let integer = |dtype: Dtype| dtype.integer_range().map(|r| (r.bits, r.min, r.max));
        assert_eq!(integer(Dtype::U64), Some((64, 0, i128::from(u64::MAX))));
        assert_eq!(integer(Dtype::I64), Some((64, i128::from(i64::MIN), i128::from(i64::MAX))));
        assert_eq!(integer(Dtype::I8), Some((8, -128, 127)));
        assert_eq!(integer(Dtype::Bool), None);
    }
}
