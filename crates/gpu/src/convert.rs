//! Elements as the host has them, and as the device has them.
//!
//! On the device an element is one 32-bit word: `u32` for bool (0 or 1), `uint8`, `uint16`, `uint32`; `i32`
//! for signed integers, sign-extended; `f32` for the floats, where what is stored as `float16` or `bfloat16` is
//! always a number of that type. 64-bit integers are one 64-bit word, complex numbers two of 32 bits. So kernels know few types, threads
//! never share a word, and no kernel unpacks; what it costs is memory for narrow types.

use std::borrow::Cow;

use half::{bf16, f16};
use pullback_base::Dtype;

/// Device words from host elements, low bytes first.
pub(crate) fn to_words(bytes: &[u8], dtype: Dtype) -> Cow<'_, [u8]> {
    fn each<'a, const N: usize>(bytes: &[u8], word: impl Fn([u8; N]) -> u32) -> Cow<'a, [u8]> {
        let (elements, _) = bytes.as_chunks::<N>();
        let words: Vec<u8> = elements.iter().flat_map(|&element| word(element).to_le_bytes()).collect();
        words.into()
    }
    match dtype {
        Dtype::Bool => each(bytes, |[x]| u32::from(x != 0)),
        Dtype::U8 => each(bytes, |[x]| x.into()),
        Dtype::I8 => each(bytes, |[x]| i32::from(x as i8) as u32),
        Dtype::U16 => each(bytes, |x| u16::from_le_bytes(x).into()),
        Dtype::I16 => each(bytes, |x| i32::from(i16::from_le_bytes(x)) as u32),
        Dtype::F16 => each(bytes, |x| f16::from_le_bytes(x).to_f32().to_bits()),
        Dtype::Bf16 => each(bytes, |x| bf16::from_le_bytes(x).to_f32().to_bits()),
        _ => bytes.into(),
    }
}

/// Host elements from device words.
pub(crate) fn from_words(words: &[u8], dtype: Dtype) -> Vec<u8> {
    fn each<const N: usize>(words: &[u8], element: impl Fn(u32) -> [u8; N]) -> Vec<u8> {
        let (words, _) = words.as_chunks::<4>();
        words.iter().flat_map(|&word| element(u32::from_le_bytes(word))).collect()
    }
    match dtype {
        Dtype::Bool | Dtype::U8 | Dtype::I8 => each(words, |x| [x as u8]),
        Dtype::U16 | Dtype::I16 => each(words, |x| (x as u16).to_le_bytes()),
        Dtype::F16 => each(words, |x| f16::from_f32(f32::from_bits(x)).to_le_bytes()),
        Dtype::Bf16 => each(words, |x| bf16::from_f32(f32::from_bits(x)).to_le_bytes()),
        _ => words.to_vec(),
    }
}
