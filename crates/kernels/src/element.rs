//! Rust types that stand for element types.

use pullback_base::Dtype;

/// A Rust type that elements in memory may be taken for.
///
/// # Safety
/// Every bit pattern is a valid value, and `DTYPE.size()` is the size of `Self`.
pub unsafe trait Element: Copy + Send + Sync + 'static {
    /// Its element type.
    const DTYPE: Dtype;
    /// Its bits, low bytes first.
    fn bits(self) -> u64;
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident, |$x:ident| $bits:expr;)*) => {$(
        // SAFETY: sizes agree, and no type here has invalid patterns; `Bool` is a byte.
        unsafe impl Element for $rust {
            const DTYPE: Dtype = Dtype::$dtype;
            fn bits(self) -> u64 { let $x = self; $bits }
        }
    )*};
}

elements! {
    Truth => Bool, |x| x.0.into();
    u8 => U8, |x| x.into();
    u16 => U16, |x| x.into();
    u32 => U32, |x| x.into();
    u64 => U64, |x| x;
    i8 => I8, |x| u64::from(x as u8);
    i16 => I16, |x| u64::from(x as u16);
    i32 => I32, |x| u64::from(x as u32);
    i64 => I64, |x| x as u64;
    half::f16 => F16, |x| x.to_bits().into();
    half::bf16 => Bf16, |x| x.to_bits().into();
    f32 => F32, |x| x.to_bits().into();
    f64 => F64, |x| x.to_bits();
    [f32; 2] => C64, |x| u64::from(x[0].to_bits()) | u64::from(x[1].to_bits()) << 32;
}

/// A truth value in memory: a byte, 0 for false.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct Truth(pub u8);

/// # Safety
/// `bytes` starts where a `T` may start, and is whole elements.
#[inline(always)]
pub unsafe fn elements<T: Element>(bytes: &[u8]) -> &[T] {
    debug_assert_eq!(bytes.as_ptr() as usize % align_of::<T>(), 0);
    debug_assert_eq!(bytes.len() % size_of::<T>(), 0);
    // SAFETY: the caller's promise, and `Element`'s.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) }
}

/// # Safety
/// As `elements`.
#[inline(always)]
pub unsafe fn elements_mut<T: Element>(bytes: &mut [u8]) -> &mut [T] {
    debug_assert_eq!(bytes.as_ptr() as usize % align_of::<T>(), 0);
    debug_assert_eq!(bytes.len() % size_of::<T>(), 0);
    // SAFETY: the caller's promise, and `Element`'s.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / size_of::<T>()) }
}
