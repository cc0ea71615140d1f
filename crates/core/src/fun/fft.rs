//! Discrete Fourier transforms, in `float32` and `complex64`: lengths, axes and norms made explicit.
//!
//! Real numbers of other types are taken as `float32`, also `float64`: there is no complex type of its precision.
//! The result along a line of `n` elements is within a few `eps log2(n)` of the exact one, relative to its norm.

use pullback_base::{Dtype, Error, Result, Scalar, shape};
use pullback_kernels::{Fourier, Scale, Spectrum};

use super::index::iota;
use super::{add, cast, fill, less, multiply, narrow, pad, roll, where_};
use crate::array::Array;
use crate::ops::fft as row;
use crate::params::Params;

/// Which of the two directions divides by the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// The inverse one.
    Backward,
    /// Both, by its square root.
    Ortho,
    /// The forward one.
    Forward,
}

impl Norm {
    /// The norm of this name.
    ///
    /// # Errors
    /// `Value` for another name.
    pub fn named(op: &str, name: &str) -> Result<Norm> {
        match name {
            "backward" => Ok(Norm::Backward),
            "ortho" => Ok(Norm::Ortho),
            "forward" => Ok(Norm::Forward),
            _ => {
                let text = format!("[{op}] expected norm 'backward', 'ortho' or 'forward', got '{name}'");
                Err(Error::value(text))
            }
        }
    }

    fn scale(self, inverse: bool) -> Scale {
        match (self, inverse) {
            (Norm::Ortho, _) => Scale::Root,
            (Norm::Backward, true) | (Norm::Forward, false) => Scale::Length,
            _ => Scale::One,
        }
    }
}

/// One transform of an axis: its name for errors, and how.
#[derive(Clone, Copy)]
struct Way {
    op: &'static str,
    inverse: bool,
    norm: Norm,
}

impl Way {
    fn fourier(self, n: usize, spectrum: Spectrum) -> Fourier {
        Fourier { n, inverse: self.inverse, scale: self.norm.scale(self.inverse), spectrum }
    }

    /// A length that was given, or the one that there is.
    fn length(self, n: Option<isize>, there: isize) -> Result<usize> {
        let n = n.unwrap_or(there);
        usize::try_from(n)
            .ok()
            .filter(|&n| n > 0)
            .ok_or_else(|| Error::value(format!("[{}] expected a length of at least 1, got {n}", self.op)))
    }

    /// All coefficients.
    fn full(self, x: &Array, n: Option<isize>, axis: usize) -> Result<Array> {
        let n = self.length(n, x.shape()[axis] as isize)?;
        if x.dtype() == Dtype::C64 {
            let params = Params::Fourier(axis, self.fourier(n, Spectrum::Full));
            return Array::apply(&row::FFT, params, &[&fitted(x, axis, n)?]);
        }
        self.of_real(x, n, axis, Spectrum::Full)
    }

    /// Those of real numbers; of complex ones, of their real parts.
    fn of_real(self, x: &Array, n: usize, axis: usize, spectrum: Spectrum) -> Result<Array> {
        let x = fitted(&cast(x, Dtype::F32)?, axis, n)?;
        Array::apply(&row::RFFT, Params::Fourier(axis, self.fourier(n, spectrum)), &[&x])
    }

    /// The first half of the coefficients.
    fn half(self, x: &Array, n: Option<isize>, axis: usize) -> Result<Array> {
        let n = self.length(n, x.shape()[axis] as isize)?;
        self.of_real(x, n, axis, Spectrum::Once)
    }

    /// Real numbers, from the first half of coefficients whose other half are their conjugates.
    fn real(self, x: &Array, n: Option<isize>, axis: usize) -> Result<Array> {
        let n = self.length(n, 2 * (x.shape()[axis] as isize - 1))?;
        let fourier = self.fourier(n, Spectrum::Twice);
        let x = fitted(&cast(x, Dtype::C64)?, axis, fourier.coefficients())?;
        Array::apply(&row::IRFFT, Params::Fourier(axis, fourier), &[&x])
    }
}

/// The first `n` elements along an axis, with zeros behind them if there are fewer.
fn fitted(x: &Array, axis: usize, n: usize) -> Result<Array> {
    let there = x.shape()[axis];
    if n <= there {
        return narrow(x, axis, 0, n);
    }
    let widths: Vec<(usize, usize)> =
        (0..x.ndim()).map(|at| (0, if at == axis { n - there } else { 0 })).collect();
    pad(x, &widths, &fill(Scalar::Int(0), x))
}

macro_rules! along_one {
    ($($(#[doc = $doc:literal])+ $name:ident = $which:ident, inverse $inverse:literal;)*) => {$(
        $(#[doc = $doc])+
        ///
        /// # Errors
        /// `Value` for an axis that does not exist, or a length below 1.
        pub fn $name(x: &Array, n: Option<isize>, axis: isize, norm: Norm) -> Result<Array> {
            let op = stringify!($name);
            let axis = shape::axis(op, axis, x.ndim())?;
            Way { op, inverse: $inverse, norm }.$which(x, n, axis)
        }
    )*};
}

along_one! {
    /// The discrete Fourier transform of `n` elements along an axis, which are cut off or filled up with zeros.
    fft = full, inverse false;
    /// The inverse of `fft`.
    ifft = full, inverse true;
    /// The first `n / 2 + 1` coefficients of the transform of real numbers; the others are their conjugates.
    rfft = half, inverse false;
    /// The inverse of `rfft`, of `n` elements.
    irfft = real, inverse true;
    /// The transform, which is real, of `n` elements of which the second half are conjugates of the first.
    hfft = real, inverse false;
    /// The inverse of `hfft`.
    ihfft = half, inverse true;
}

/// Axes and their lengths: those given, or all that there are.
fn axes_of(
    op: &str,
    x: &Array,
    s: Option<&[isize]>,
    axes: Option<&[isize]>,
) -> Result<Vec<(usize, Option<isize>)>> {
    if x.ndim() == 0 {
        return Err(Error::value(format!(
            "[{op}] expected an array with at least one axis, got {}",
            x.aval()
        )));
    }
    let last: Vec<isize>;
    let axes = match (axes, s) {
        (Some(axes), _) => axes,
        (None, of) => {
            let count = of.map_or(x.ndim(), <[isize]>::len);
            last = (-(count as isize)..0).collect();
            &last
        }
    };
    if let Some(s) = s.filter(|s| s.len() != axes.len()) {
        let text = format!("[{op}] expected one length for each of {} axes, got {}", axes.len(), s.len());
        return Err(Error::value(text));
    }
    shape::axes(op, Some(axes), x.ndim())?;
    let length = |i: usize| s.map(|s| s[i]);
    axes.iter().enumerate().map(|(i, &axis)| Ok((shape::axis(op, axis, x.ndim())?, length(i)))).collect()
}

impl Way {
    /// Along all of some axes, the last one first.
    fn full_over(self, x: &Array, axes: &[(usize, Option<isize>)]) -> Result<Array> {
        axes.iter().rev().try_fold(x.clone(), |x, &(axis, n)| self.full(&x, n, axis))
    }

    fn half_over(self, x: &Array, axes: &[(usize, Option<isize>)]) -> Result<Array> {
        let (&(axis, n), rest) = axes.split_last().ok_or_else(|| self.no_axis())?;
        self.full_over(&self.half(x, n, axis)?, rest)
    }

    fn real_over(self, x: &Array, axes: &[(usize, Option<isize>)]) -> Result<Array> {
        let (&(axis, n), rest) = axes.split_last().ok_or_else(|| self.no_axis())?;
        self.real(&self.full_over(&cast(x, Dtype::C64)?, rest)?, n, axis)
    }

    fn no_axis(self) -> Error {
        Error::value(format!("[{}] expected at least one axis, got none", self.op))
    }
}

macro_rules! along_many {
    ($($(#[doc = $doc:literal])+ $name:ident = $which:ident, inverse $inverse:literal;)*) => {$(
        $(#[doc = $doc])+
        ///
        /// # Errors
        /// `Value` for axes that do not exist or are named twice, lengths below 1 or not one per axis.
        pub fn $name(x: &Array, s: Option<&[isize]>, axes: Option<&[isize]>, norm: Norm) -> Result<Array> {
            let op = stringify!($name);
            Way { op, inverse: $inverse, norm }.$which(x, &axes_of(op, x, s, axes)?)
        }
    )*};
}

along_many! {
    /// `fft` along all axes, or the last ones, as many as there are lengths `s`.
    fftn = full_over, inverse false;
    /// The inverse of `fftn`.
    ifftn = full_over, inverse true;
    /// `rfft` along the last of the axes, then `fft` along the others.
    rfftn = half_over, inverse false;
    /// The inverse of `rfftn`.
    irfftn = real_over, inverse true;
    /// `fftn`, by another name.
    fft2 = full_over, inverse false;
    /// `ifftn`, by another name.
    ifft2 = full_over, inverse true;
    /// `rfftn`, by another name.
    rfft2 = half_over, inverse false;
    /// `irfftn`, by another name.
    irfft2 = real_over, inverse true;
}

/// What an index is multiplied by to make it a frequency.
fn frequency(op: &str, n: isize, d: f64) -> Result<(usize, f64)> {
    let count = usize::try_from(n).ok().filter(|&n| n > 0 && n <= i32::MAX as usize);
    match count {
        Some(count) if d != 0. => Ok((count, 1. / (n as f64 * d))),
        Some(_) => Err(Error::value(format!("[{op}] expected a spacing other than 0, got {d}"))),
        None => Err(Error::value(format!("[{op}] expected a length from 1 to 2 ** 31 - 1, got {n}"))),
    }
}

fn times(positions: &Array, step: f64) -> Result<Array> {
    multiply(&cast(positions, Dtype::F32)?, &Array::scalar(Scalar::Float(step), Dtype::F32))
}

/// The frequencies of the coefficients of `fft`, for samples `d` apart: those of the second half are negative.
///
/// # Errors
/// `Value` for a length below 1 or a spacing of 0.
pub fn fftfreq(n: isize, d: f64) -> Result<Array> {
    let (count, step) = frequency("fftfreq", n, d)?;
    let int = |value: usize| Array::scalar(Scalar::Int(value as i64), Dtype::I32);
    let at = iota(count, Dtype::I32)?;
    let back = add(&at, &Array::scalar(Scalar::Int(-(count as i64)), Dtype::I32))?;
    times(&where_(&less(&at, &int(count.div_ceil(2)))?, &at, &back)?, step)
}

/// The frequencies of the coefficients of `rfft`, for samples `d` apart.
///
/// # Errors
/// As `fftfreq`.
pub fn rfftfreq(n: isize, d: f64) -> Result<Array> {
    let (count, step) = frequency("rfftfreq", n, d)?;
    times(&iota(count / 2 + 1, Dtype::I32)?, step)
}

/// Each axis rolled by half of its size; all axes for `None`.
fn shifted(op: &str, x: &Array, axes: Option<&[isize]>, by: fn(isize) -> isize) -> Result<Array> {
    let all: Vec<isize> = (0..x.ndim() as isize).collect();
    axes.unwrap_or(&all).iter().try_fold(x.clone(), |x, &axis| {
        let axis = shape::axis(op, axis, x.ndim())?;
        roll(&x, by(x.shape()[axis] as isize), Some(axis as isize))
    })
}

/// Coefficients with that of frequency 0 moved to the middle.
///
/// # Errors
/// `Value` for an axis that does not exist.
pub fn fftshift(x: &Array, axes: Option<&[isize]>) -> Result<Array> {
    shifted("fftshift", x, axes, |n| n / 2)
}

/// The inverse of `fftshift`.
///
/// # Errors
/// As `fftshift`.
pub fn ifftshift(x: &Array, axes: Option<&[isize]>) -> Result<Array> {
    shifted("ifftshift", x, axes, |n| -(n / 2))
}
