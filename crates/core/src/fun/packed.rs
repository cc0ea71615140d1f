//! Codes of a few bits each, as one string of bits in words of 32: low bits first, without a gap.
//!
//! A code may begin in one word and end in the next, where the number of bits does not divide 32. As 32 codes of `bits`
//! bits are `bits` words, every row is cut into such blocks, and none of them looks into another.

use pullback_base::{Dtype, Result, Scalar};

use super::index::iota;
use super::{
    bitwise_and, bitwise_or, cast, left_shift, less, logical_and, maximum, minimum, multiply, reshape,
    right_shift, subtract, sum, take, where_,
};
use crate::array::Array;

/// Bits of a word.
const WORD: usize = 32;

pub(super) fn word(value: usize) -> Array {
    Array::scalar(Scalar::Int(value as i64), Dtype::U32)
}

fn int(value: usize) -> Array {
    super::index::int(value)
}

/// `x` with its last axis cut into blocks of `size`.
pub(crate) fn blocks(x: &Array, size: usize) -> Result<Array> {
    let (axis, n) = (x.ndim() - 1, x.shape()[x.ndim() - 1]);
    reshape(x, x.shape().without(axis).with(axis, n / size).with(axis + 1, size))
}

/// The last two axes as one.
pub(super) fn joined(x: &Array) -> Result<Array> {
    let axis = x.ndim() - 2;
    let (n, size) = (x.shape()[axis], x.shape()[axis + 1]);
    reshape(x, x.shape().without(axis + 1).without(axis).with(axis, n * size))
}

/// Words of the codes in the last axis, whose size is a multiple of 32.
///
/// # Errors
/// None for `uint32` below `2 ** bits`.
pub(super) fn pack(codes: &Array, bits: usize) -> Result<Array> {
    let parts = if WORD.is_multiple_of(bits) {
        let shifts = multiply(&iota(WORD / bits, Dtype::U32)?, &word(bits))?;
        left_shift(&blocks(codes, WORD / bits)?, &shifts)?
    } else {
        crossing(codes, bits)?
    };
    // No two codes share a bit, so the sum is the union.
    let last = parts.ndim() - 1;
    let words = sum(&parts, &[last])?;
    if WORD.is_multiple_of(bits) { Ok(words) } else { joined(&words) }
}

/// What each code adds to each of the words that it may touch: `[.., blocks, words, codes of a word]`.
fn crossing(codes: &Array, bits: usize) -> Result<Array> {
    // The most codes that have a bit in one word: it may begin with the last bit of one, and end with the first of one.
    let most = (WORD + 2 * (bits - 1)) / bits;
    let start = reshape(&multiply(&iota(bits, Dtype::I32)?, &int(WORD))?, [bits, 1].into())?;
    let at = super::add(&super::floor_divide(&start, &int(bits))?, &iota(most, Dtype::I32)?)?;
    let shift = subtract(&multiply(&at, &int(bits))?, &start)?;
    let there = logical_and(&less(&at, &int(WORD))?, &less(&shift, &int(WORD))?)?;
    let amount = |shift: &Array| cast(&minimum(&maximum(shift, &int(0))?, &int(WORD - 1))?, Dtype::U32);
    let found = take(&blocks(codes, WORD)?, &minimum(&at, &int(WORD - 1))?, Some(-1))?;
    let moved = right_shift(&left_shift(&found, &amount(&shift)?)?, &amount(&super::negative(&shift)?)?)?;
    where_(&there, &moved, &word(0))
}

/// The codes in the words of the last axis: what `pack` was given.
///
/// # Errors
/// None for `uint32`, `bits` of them or a multiple.
pub(crate) fn unpack(words: &Array, bits: usize) -> Result<Array> {
    let mask = word((1 << bits) - 1);
    if WORD.is_multiple_of(bits) {
        let shifts = multiply(&iota(WORD / bits, Dtype::U32)?, &word(bits))?;
        return joined(&bitwise_and(&right_shift(&blocks(words, 1)?, &shifts)?, &mask)?);
    }
    let at = multiply(&iota(WORD, Dtype::I32)?, &int(bits))?;
    let first = super::floor_divide(&at, &int(WORD))?;
    let offset = cast(&subtract(&at, &multiply(&first, &int(WORD))?)?, Dtype::U32)?;
    let words = blocks(words, bits)?;
    let low = right_shift(&take(&words, &first, Some(-1))?, &offset)?;
    let next = minimum(&super::add(&first, &int(1))?, &int(bits - 1))?;
    // In two steps, because a word cannot be moved by 32.
    let rest = subtract(&word(WORD - 1), &offset)?;
    let high = left_shift(&left_shift(&take(&words, &next, Some(-1))?, &rest)?, &word(1))?;
    joined(&bitwise_and(&bitwise_or(&low, &high)?, &mask)?)
}
