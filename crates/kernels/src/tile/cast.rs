//! Conversions between all types. Half types convert by bit operations, which become vector code; the `half` crate's
//! conversions call the processor's instruction one element at a time behind a run-time test.

use std::marker::PhantomData;

use half::{bf16, f16};
use pullback_base::Dtype;

use super::{Kernel, Map1, base, for_isa};
use crate::element::Truth;
use crate::isa::{Isa, Target};

/// f16 bits to single: shift exponent and mantissa into place, then let a multiplication by 2^112 fix the
/// bias, which also makes subnormals right.
#[inline(always)]
pub fn f16_to_f32(h: u16) -> f32 {
    let body = u32::from(h & 0x7fff) << 13;
    let value = f32::from_bits(body) * f32::from_bits((127 + 112) << 23);
    // What was infinite or NaN came out at 2^16 or more: set all exponent bits.
    let bits = if value >= 65536. { value.to_bits() | 0x7f80_0000 } else { value.to_bits() };
    f32::from_bits(bits | u32::from(h & 0x8000) << 16)
}

/// Single to f16 bits, to nearest even.
#[inline(always)]
pub fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits() & 0x7fff_ffff;
    // Normal results: round the 13 bits that go, by adding half of the last kept place, ties to even.
    let odd = bits >> 13 & 1;
    let normal = bits.wrapping_sub(112 << 23).wrapping_add(0xfff).wrapping_add(odd) >> 13;
    // Subnormal results: adding 0.5 lines the last place up with that of f16, and rounds.
    let subnormal = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let value = if bits < 113 << 23 { subnormal } else { normal };
    // 65520 and more round to infinity.
    let value = if bits >= 0x477f_f000 { 0x7c00 } else { value };
    let value = if bits > 0x7f80_0000 { 0x7e00 } else { value };
    value as u16 | (x.to_bits() >> 16) as u16 & 0x8000
}

/// Single to bf16 bits, to nearest even.
#[inline(always)]
pub fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff).wrapping_add(bits >> 16 & 1) >> 16;
    let quiet = bits >> 16 | 0x40;
    (if x.is_nan() { quiet } else { rounded }) as u16
}

/// bf16 bits to single.
#[inline(always)]
pub fn bf16_to_f32(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

/// Conversion of one element, as NumPy has it: integers wrap, floats are cut towards zero, to bool asks for
/// non-zero. A float outside the 32-bit or 64-bit type it goes to saturates; one outside a narrower type wraps.
pub trait Convert<B> {
    /// The element as a `B`.
    fn convert(self) -> B;
}

macro_rules! convert {
    ($($from:ty => $($to:ty)* = |$x:ident| $body:expr;)*) => {$($(
        impl Convert<$to> for $from {
            #[inline(always)]
            fn convert(self) -> $to { let $x = self; ($body) as $to }
        }
    )*)*};
}

macro_rules! whole_numbers {
    ($($t:ty)*) => {$(
        convert! { $t => u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 = |x| x; }
        impl Convert<Truth> for $t {
            #[inline(always)]
            fn convert(self) -> Truth { Truth(u8::from(self != 0)) }
        }
        impl Convert<f16> for $t {
            #[inline(always)]
            fn convert(self) -> f16 { f16::from_bits(f32_to_f16(self as f32)) }
        }
        impl Convert<bf16> for $t {
            #[inline(always)]
            fn convert(self) -> bf16 { bf16::from_bits(f32_to_bf16(self as f32)) }
        }
        impl Convert<[f32; 2]> for $t {
            #[inline(always)]
            fn convert(self) -> [f32; 2] { [self as f32, 0.] }
        }
    )*};
}
whole_numbers! { u8 u16 u32 u64 i8 i16 i32 i64 }

convert! {
    // Through the next wider type: a saturating conversion is a compare and two blends, which a cast can bear.
    f32 => u8 u16 i8 i16 = |x| x as i32;
    f32 => i32 f32 f64 i64 = |x| x;
    f32 => u32 = |x| x as i64;
    f32 => u64 = |x| if x >= 9.2e18 { x as u64 } else { x as i64 as u64 };
    f64 => u8 u16 i8 i16 = |x| x as i32;
    f64 => i32 f32 f64 i64 = |x| x;
    f64 => u32 = |x| x as i64;
    f64 => u64 = |x| if x >= 9.2e18 { x as u64 } else { x as i64 as u64 };
    Truth => u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 = |x| u8::from(x.0 != 0);
}

macro_rules! floats {
    ($($t:ty)*) => {$(
        impl Convert<Truth> for $t {
            #[inline(always)]
            fn convert(self) -> Truth { Truth(u8::from(self != 0.)) }
        }
        impl Convert<f16> for $t {
            #[inline(always)]
            fn convert(self) -> f16 { f16::from_bits(f32_to_f16(self as f32)) }
        }
        impl Convert<bf16> for $t {
            #[inline(always)]
            fn convert(self) -> bf16 { bf16::from_bits(f32_to_bf16(self as f32)) }
        }
        impl Convert<[f32; 2]> for $t {
            #[inline(always)]
            fn convert(self) -> [f32; 2] { [self as f32, 0.] }
        }
    )*};
}
floats! { f32 f64 }

/// Through `f32`, for the types that only widen to it.
macro_rules! through_single {
    ($($from:ty = |$x:ident| $wide:expr => $($to:ty)*;)*) => {$($(
        impl Convert<$to> for $from {
            #[inline(always)]
            fn convert(self) -> $to { let $x = self; let wide: f32 = $wide; wide.convert() }
        }
    )*)*};
}
impl Convert<f16> for f16 {
    #[inline(always)]
    fn convert(self) -> f16 {
        self
    }
}
impl Convert<bf16> for bf16 {
    #[inline(always)]
    fn convert(self) -> bf16 {
        self
    }
}
impl Convert<Truth> for Truth {
    #[inline(always)]
    fn convert(self) -> Truth {
        self
    }
}
impl Convert<[f32; 2]> for [f32; 2] {
    #[inline(always)]
    fn convert(self) -> [f32; 2] {
        self
    }
}
through_single! {
    f16 = |x| f16_to_f32(x.to_bits()) => Truth u8 u16 u32 u64 i8 i16 i32 i64 bf16 f32 f64 [f32; 2];
    bf16 = |x| bf16_to_f32(x.to_bits()) => Truth u8 u16 u32 u64 i8 i16 i32 i64 f16 f32 f64 [f32; 2];
    Truth = |x| f32::from(u8::from(x.0 != 0)) => f16 bf16 [f32; 2];
    [f32; 2] = |x| x[0] => u8 u16 u32 u64 i8 i16 i32 i64 f16 bf16 f32 f64;
}
impl Convert<Truth> for [f32; 2] {
    #[inline(always)]
    fn convert(self) -> Truth {
        Truth(u8::from(self[0] != 0. || self[1] != 0.))
    }
}

struct Cast<A, B>(PhantomData<(A, B)>);

impl<A: Copy + Convert<B>, B: Copy> Map1 for Cast<A, B> {
    type In = A;
    type Out = B;
    #[inline(always)]
    fn at<I: Target>(x: A) -> B {
        x.convert()
    }
}

macro_rules! by_type {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            Dtype::Bool => {
                type $name = Truth;
                $body
            }
            Dtype::U8 => {
                type $name = u8;
                $body
            }
            Dtype::U16 => {
                type $name = u16;
                $body
            }
            Dtype::U32 => {
                type $name = u32;
                $body
            }
            Dtype::U64 => {
                type $name = u64;
                $body
            }
            Dtype::I8 => {
                type $name = i8;
                $body
            }
            Dtype::I16 => {
                type $name = i16;
                $body
            }
            Dtype::I32 => {
                type $name = i32;
                $body
            }
            Dtype::I64 => {
                type $name = i64;
                $body
            }
            Dtype::F16 => {
                type $name = f16;
                $body
            }
            Dtype::Bf16 => {
                type $name = bf16;
                $body
            }
            Dtype::F32 => {
                type $name = f32;
                $body
            }
            Dtype::F64 => {
                type $name = f64;
                $body
            }
            Dtype::C64 => {
                type $name = [f32; 2];
                $body
            }
        }
    };
}

/// The conversions that programs are full of get code for every instruction set.
macro_rules! fast {
    ($from:expr, $to:expr, $isa:expr; $($a:ident($ta:ty) => $($b:ident($tb:ty))*;)*) => {
        match ($from, $to) {
            $($((Dtype::$a, Dtype::$b) => {
                let kernel: Kernel = for_isa!($isa, map1, Cast<$ta, $tb>);
                return kernel;
            })*)*
            _ => {}
        }
    };
}

/// The kernel that converts one type to another.
pub fn cast(from: Dtype, to: Dtype, isa: Isa) -> Kernel {
    fast! { from, to, isa;
        Bool(Truth) => I32(i32) U32(u32) I64(i64) F32(f32) F64(f64);
        U8(u8) => I32(i32) F32(f32);
        I8(i8) => I32(i32);
        U16(u16) => I32(i32) F32(f32);
        I16(i16) => I32(i32) F32(f32);
        I32(i32) => Bool(Truth) U8(u8) I8(i8) U16(u16) I16(i16) U32(u32) I64(i64) F32(f32) F64(f64);
        U32(u32) => I32(i32) I64(i64) F32(f32) F64(f64);
        I64(i64) => Bool(Truth) I32(i32) U32(u32) F32(f32) F64(f64);
        F32(f32) => Bool(Truth) U8(u8) I32(i32) U32(u32) I64(i64) F64(f64) F16(f16) Bf16(bf16);
        F64(f64) => Bool(Truth) I32(i32) I64(i64) F32(f32);
        F16(f16) => F32(f32);
        Bf16(bf16) => F32(f32);
    }
    by_type!(from, A => by_type!(to, B => base::map1::<Cast<A, B>>))
}
