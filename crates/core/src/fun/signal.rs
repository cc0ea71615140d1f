//! Sequences of samples: their differences, their convolution, and windows.

use std::f64::consts::TAU;

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Result, Scalar, Shape, shape};

use super::index::iota;
use super::{
    abs, add, cast, cos, join, multiply, narrow, negative, ones, pad, reshape, subtract, sum, zeros,
};
use crate::array::Array;

/// Differences of neighbours along an axis, `count` times over.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn diff(x: &Array, count: usize, axis: isize) -> Result<Array> {
    let axis = shape::axis("diff", axis, x.ndim())?;
    let mut y = x.clone();
    for _ in 0..count {
        let n = y.shape()[axis];
        if n == 0 {
            break;
        }
        y = subtract(&narrow(&y, axis, 1, n - 1)?, &narrow(&y, axis, 0, n - 1)?)?;
    }
    Ok(y)
}

/// Which part of a convolution is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// All of it: wherever the sequences meet at all.
    Full,
    /// As many elements as the longer sequence has, from the middle.
    Same,
    /// Where the shorter sequence lies within the longer one.
    Valid,
}

/// The convolution of two sequences.
///
/// # Errors
/// `Value` for arrays that have not one axis, or no element.
pub fn convolve(x: &Array, y: &Array, overlap: Overlap) -> Result<Array> {
    if let Some(wrong) = [x, y].into_iter().find(|x| x.ndim() != 1 || x.size() == 0) {
        let text = format!("[convolve] expected sequences of one element or more, got {}", wrong.aval());
        return Err(Error::value(text));
    }
    let (long, short) = if x.size() < y.size() { (y, x) } else { (x, y) };
    let (n, m) = (long.size(), short.size());
    let dtype = promote(x.dtype(), y.dtype());
    let pairs = multiply(&reshape(&cast(short, dtype)?, Shape::from([m, 1]))?, &cast(long, dtype)?)?;
    // Rows of n + m elements, read as rows of one element less: each is then one place behind the row above it, so
    // products that belong together are in one column.
    let wide = pad(&pairs, &[(0, 0), (0, m)], &join::fill(Scalar::Int(0), &pairs))?;
    let flat = reshape(&wide, Shape::from([m * (n + m)]).checked("convolve")?)?;
    let skewed = reshape(&narrow(&flat, 0, 0, m * (n + m - 1))?, Shape::from([m, n + m - 1]))?;
    let full = cast(&sum(&skewed, &[0])?, dtype)?;
    match overlap {
        Overlap::Full => Ok(full),
        Overlap::Same => narrow(&full, 0, (m - 1) / 2, n),
        Overlap::Valid => narrow(&full, 0, m - 1, n + 1 - m),
    }
}

/// A window of `count` samples, from the positions and the number of steps between the first and the last.
fn window(count: usize, make: impl FnOnce(Array, f64) -> Result<Array>) -> Result<Array> {
    let shape = Shape::from([count]).checked("window")?;
    match count {
        0 => zeros(&shape, Dtype::F32),
        1 => ones(&shape, Dtype::F32),
        _ => make(iota(count, Dtype::F32)?, (count - 1) as f64),
    }
}

/// `a + b cos(2 pi i / (count - 1)) + c cos(4 pi i / (count - 1))`
fn cosines(count: usize, [a, b, c]: [f64; 3]) -> Result<Array> {
    window(count, |at, steps| {
        let wave = |times: f64| cos(&multiply(&at, &at.weak(times * TAU / steps))?);
        let y = add(&multiply(&wave(1.)?, &at.weak(b))?, &at.weak(a))?;
        if c == 0. { Ok(y) } else { add(&y, &multiply(&wave(2.)?, &at.weak(c))?) }
    })
}

/// The triangle from 0 to 1 and back.
///
/// # Errors
/// `Memory` for a length that cannot be counted.
pub fn bartlett(count: usize) -> Result<Array> {
    window(count, |at, steps| {
        let from_middle = abs(&subtract(&multiply(&at, &at.weak(2. / steps))?, &at.weak(1.))?)?;
        add(&negative(&from_middle)?, &at.weak(1.))
    })
}

/// Blackman's window.
///
/// # Errors
/// As `bartlett`.
pub fn blackman(count: usize) -> Result<Array> {
    cosines(count, [0.42, -0.5, 0.08])
}

/// Hamming's window.
///
/// # Errors
/// As `bartlett`.
pub fn hamming(count: usize) -> Result<Array> {
    cosines(count, [0.54, -0.46, 0.])
}

/// Von Hann's window.
///
/// # Errors
/// As `bartlett`.
pub fn hanning(count: usize) -> Result<Array> {
    cosines(count, [0.5, -0.5, 0.])
}
