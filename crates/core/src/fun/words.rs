//! The bytes of elements, read as elements of another size.

use pullback_base::{Dtype, Error, Result, Scalar, Shape};

use super::{bitcast, bitwise_and, bitwise_or, cast, left_shift, narrow, reshape, right_shift, stack};
use crate::array::Array;

/// The type of words of so many bytes.
fn word(bytes: usize) -> Dtype {
    match bytes {
        1 => Dtype::U8,
        2 => Dtype::U16,
        4 => Dtype::U32,
        _ => Dtype::U64,
    }
}

fn number(value: u64, dtype: Dtype) -> Array {
    Array::scalar(Scalar::Uint(value), dtype)
}

/// The bytes of the array, in its order, as elements of another type; where that is of another size, the last axis
/// has as many more or fewer. The first of the narrower elements is of the lowest bytes.
///
/// # Errors
/// `Value` for a type of another size where there is no axis, or a last axis that is no multiple of a wide element.
pub fn view(x: &Array, dtype: Dtype) -> Result<Array> {
    let (from, to) = (x.dtype().size(), dtype.size());
    if from == to {
        return bitcast(x, dtype);
    }
    let [lead @ .., n] = &x.shape()[..] else {
        let text = format!("[view] expected an axis, to hold elements of {to} bytes, got {}", x.aval());
        return Err(Error::value(text));
    };
    if n * from % to != 0 {
        let text = format!("[view] expected a last axis of a multiple of {} elements, got {n}", to / from);
        return Err(Error::value(text));
    }
    let (last, shape) = (x.ndim(), Shape::from([lead, &[n * from / to]].concat()));
    let words = bitcast(x, word(from))?;
    if from > to {
        let mask = number(u64::MAX >> (64 - 8 * to), words.dtype());
        let part = |i: usize| {
            let low = right_shift(&words, &number((8 * to * i) as u64, words.dtype()))?;
            cast(&bitwise_and(&low, &mask)?, word(to))
        };
        let parts: Vec<Array> = (0..from / to).map(part).collect::<Result<_>>()?;
        let joined = stack(&parts.iter().collect::<Vec<_>>(), last as isize)?;
        return bitcast(&reshape(&joined, shape)?, dtype);
    }
    let apart = reshape(&words, Shape::from([lead, &[n * from / to, to / from]].concat()))?;
    let part = |i: usize| {
        let high = cast(&narrow(&apart, last, i, 1)?, word(to))?;
        left_shift(&high, &number((8 * from * i) as u64, word(to)))
    };
    let first = part(0)?;
    let whole = (1..to / from).try_fold(first, |whole, i| bitwise_or(&whole, &part(i)?))?;
    bitcast(&reshape(&whole, shape)?, dtype)
}
