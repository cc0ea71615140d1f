//! One element, of any type.

use half::{bf16, f16};

use crate::{Dtype, Kind};

/// A number as the host language has it, wide enough for every element type.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    /// An integer above the range of `i64`.
    Uint(u64),
    Float(f64),
    Complex(f64, f64),
}

impl Scalar {
    /// As a real number.
    pub fn real(self) -> f64 {
        match self {
            Scalar::Bool(x) => f64::from(u8::from(x)),
            Scalar::Int(x) => x as f64,
            Scalar::Uint(x) => x as f64,
            Scalar::Float(x) | Scalar::Complex(x, _) => x,
        }
    }

    /// The imaginary part.
    pub fn imag(self) -> f64 {
        if let Scalar::Complex(_, y) = self { y } else { 0. }
    }

    /// As an integer, modulo 2^64; a float is cut towards zero and saturates.
    pub fn int(self) -> i64 {
        match self {
            Scalar::Bool(x) => i64::from(x),
            Scalar::Int(x) => x,
            Scalar::Uint(x) => x as i64,
            Scalar::Float(x) | Scalar::Complex(x, _) if x >= 9.2e18 => x as u64 as i64,
            Scalar::Float(x) | Scalar::Complex(x, _) => x as i64,
        }
    }

    /// Whether it is not zero.
    pub fn truth(self) -> bool {
        match self {
            Scalar::Bool(x) => x,
            Scalar::Int(x) => x != 0,
            Scalar::Uint(x) => x != 0,
            Scalar::Float(x) => x != 0.,
            Scalar::Complex(x, y) => x != 0. || y != 0.,
        }
    }

    /// Its bits as an element of type `dtype`, low bytes first.
    pub fn bits(self, dtype: Dtype) -> u64 {
        let mask = if dtype.size() == 8 { u64::MAX } else { (1 << (8 * dtype.size())) - 1 };
        match dtype {
            Dtype::Bool => self.truth().into(),
            Dtype::F16 => f16::from_f64(self.real()).to_bits().into(),
            Dtype::Bf16 => bf16::from_f64(self.real()).to_bits().into(),
            Dtype::F32 => (self.real() as f32).to_bits().into(),
            Dtype::F64 => self.real().to_bits(),
            Dtype::C64 => {
                u64::from((self.real() as f32).to_bits()) | u64::from((self.imag() as f32).to_bits()) << 32
            }
            _ => self.int() as u64 & mask,
        }
    }

    /// The element of type `dtype` with these bits.
    pub fn from_bits(bits: u64, dtype: Dtype) -> Scalar {
        match dtype {
            Dtype::Bool => Scalar::Bool(bits & 0xff != 0),
            Dtype::U8 => Scalar::Int(bits as u8 as i64),
            Dtype::U16 => Scalar::Int(bits as u16 as i64),
            Dtype::U32 => Scalar::Int(bits as u32 as i64),
            Dtype::U64 => i64::try_from(bits).map_or(Scalar::Uint(bits), Scalar::Int),
            Dtype::I8 => Scalar::Int(bits as i8 as i64),
            Dtype::I16 => Scalar::Int(bits as i16 as i64),
            Dtype::I32 => Scalar::Int(bits as i32 as i64),
            Dtype::I64 => Scalar::Int(bits as i64),
            Dtype::F16 => Scalar::Float(f16::from_bits(bits as u16).to_f64()),
            Dtype::Bf16 => Scalar::Float(bf16::from_bits(bits as u16).to_f64()),
            Dtype::F32 => Scalar::Float(f32::from_bits(bits as u32).into()),
            Dtype::F64 => Scalar::Float(f64::from_bits(bits)),
            Dtype::C64 => {
                let part = |bits: u64| f64::from(f32::from_bits(bits as u32));
                Scalar::Complex(part(bits), part(bits >> 32))
            }
        }
    }

    /// The family it is of.
    pub fn kind(self) -> Kind {
        match self {
            Scalar::Bool(_) => Kind::Bool,
            Scalar::Int(_) => Kind::Signed,
            Scalar::Uint(_) => Kind::Unsigned,
            Scalar::Float(_) => Kind::Float,
            Scalar::Complex(..) => Kind::Complex,
        }
    }
}
