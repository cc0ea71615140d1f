//! Short-time Fourier transforms: those of overlapping frames of a signal, and the signal made of them.

use pullback_base::{Dtype, Error, Result, Scalar, Shape};

use super::fft::{self, Norm};
use super::index::{collect_along, int, iota};
use super::{
    Fill, add, broadcast_to, cast, concatenate, divide, fill, flip, less, multiply, narrow, ones, pad,
    reshape, square, swap_last, take, where_,
};
use crate::array::Array;

/// How a signal is cut into frames.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Length of a frame, and of its transform.
    pub n_fft: usize,
    /// From the start of one frame to that of the next; a quarter of a frame by default.
    pub hop: Option<usize>,
    /// Length of the window: that of the one given, or a frame's.
    pub win_length: Option<usize>,
    /// What frames are multiplied by, zeros on both sides of it. By default, nothing.
    pub window: Option<Array>,
    /// Whether the first frame is about the first sample, instead of starting there.
    pub center: bool,
    /// The norm of transforms.
    pub norm: Norm,
    /// Whether there is only the half of coefficients whose frequencies are not negative.
    pub onesided: Option<bool>,
}

/// What is before and after a signal whose frames are centered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// The signal mirrored, without repeating its ends.
    Reflect,
    /// Zeros.
    Constant,
    /// The first and the last sample.
    Edge,
}

fn positive(op: &str, what: &str, value: usize) -> Result<usize> {
    match value {
        0 => Err(Error::value(format!("[{op}] expected {what} of at least 1, got 0"))),
        _ => Ok(value),
    }
}

impl Frames {
    fn hop(&self, op: &str) -> Result<usize> {
        positive(op, "hop_length", self.hop.unwrap_or(self.n_fft / 4))
    }

    /// The window of a whole frame.
    fn window(&self, op: &str) -> Result<Array> {
        let n = positive(op, "n_fft", self.n_fft)?;
        let given = self.window.as_ref();
        let length = positive(op, "win_length", self.win_length.unwrap_or(given.map_or(n, Array::size)))?;
        if length > n {
            return Err(Error::value(format!(
                "[{op}] expected win_length of at most n_fft = {n}, got {length}"
            )));
        }
        let window = match given {
            Some(window) if window.dtype() == Dtype::C64 => {
                return Err(Error::type_(format!("[{op}] expected a real window, got {}", window.aval())));
            }
            Some(window) if window.ndim() != 1 || window.size() != length => {
                let text = format!("[{op}] expected a window of shape ({length},), got {}", window.aval());
                return Err(Error::value(text));
            }
            Some(window) => cast(window, Dtype::F32)?,
            None => ones(&Shape::from([length]), Dtype::F32)?,
        };
        let before = (n - length) / 2;
        pad(&window, &[(before, n - length - before)], &fill(Scalar::Int(0), &window))
    }

    /// Positions in the signal of the elements of `count` frames.
    fn positions(&self, count: usize, hop: usize) -> Result<Array> {
        let starts = multiply(&iota(count, Dtype::I32)?, &int(hop))?;
        add(&reshape(&starts, Shape::from([count, 1]))?, &iota(self.n_fft, Dtype::I32)?)
    }
}

/// The Fourier transforms of overlapping frames of the last axis: `(.., n) -> (.., frequencies, frames)`.
///
/// # Errors
/// `Value` for a signal that is shorter than a frame, or than what is mirrored, for lengths of 0, a window longer
/// than a frame, or half of the coefficients of complex numbers.
pub fn stft(x: &Array, frames: &Frames, border: Border) -> Result<Array> {
    let (window, hop) = (frames.window("stft")?, frames.hop("stft")?);
    if x.ndim() == 0 {
        return Err(Error::value(format!(
            "[stft] expected a signal with at least one axis, got {}",
            x.aval()
        )));
    }
    let complex = x.dtype() == Dtype::C64;
    let onesided = frames.onesided.unwrap_or(!complex);
    if onesided && complex {
        return Err(Error::value(
            "[stft] expected a real signal for half of the coefficients, got complex64; pass onesided=False",
        ));
    }
    let x = if complex { x.clone() } else { cast(x, Dtype::F32)? };
    let x = if frames.center { widened(&x, frames.n_fft / 2, border)? } else { x };
    let n = x.shape()[x.ndim() - 1];
    if n < frames.n_fft {
        let text = format!("[stft] expected at least n_fft = {} samples, got {n}", frames.n_fft);
        return Err(Error::value(text));
    }
    let at = frames.positions(1 + (n - frames.n_fft) / hop, hop)?;
    let cut = multiply(&take(&x, &at, Some(-1))?, &window)?;
    let transform = if onesided { fft::rfft } else { fft::fft };
    swap_last(&transform(&cut, None, -1, frames.norm)?)
}

/// The signal with as many samples before and after it.
fn widened(x: &Array, by: usize, border: Border) -> Result<Array> {
    let axis = x.ndim() - 1;
    let n = x.shape()[axis];
    let mut widths = vec![(0, 0); axis];
    widths.push((by, by));
    match border {
        Border::Constant => pad(x, &widths, &fill(Scalar::Int(0), x)),
        Border::Edge => pad(x, &widths, &Fill::Edge),
        Border::Reflect if by == 0 => Ok(x.clone()),
        Border::Reflect if n <= by => Err(Error::value(format!(
            "[stft] expected more than {by} samples to mirror, got {n}; pass pad_mode='constant'"
        ))),
        Border::Reflect => {
            let side = |start: usize| flip(&narrow(x, axis, start, by)?, Some(&[-1]));
            concatenate(&[&side(1)?, x, &side(n - 1 - by)?], -1)
        }
    }
}

/// The signal whose frames have these transforms: `(.., frequencies, frames) -> (.., n)`. Where frames overlap it is
/// their sum, divided by that of the squares of their windows; where no window is, it is 0.
///
/// # Errors
/// `Value` for fewer than two axes, no frame, or as many frequencies as a frame of `n_fft` elements has not.
pub fn istft(x: &Array, frames: &Frames, length: Option<usize>) -> Result<Array> {
    let (window, hop) = (frames.window("istft")?, frames.hop("istft")?);
    let n = frames.n_fft;
    if x.ndim() < 2 || x.shape()[x.ndim() - 1] == 0 {
        let text =
            format!("[istft] expected an array (.., frequencies, frames) with frames, got {}", x.aval());
        return Err(Error::value(text));
    }
    let onesided = frames.onesided.unwrap_or(true);
    let frequencies = if onesided { n / 2 + 1 } else { n };
    let x = swap_last(x)?;
    let [lead @ .., count, found] = &x.shape()[..] else { unreachable!("there are two axes") };
    if *found != frequencies {
        let text =
            format!("[istft] expected {frequencies} frequencies for n_fft = {n}, got {found}; pass n_fft");
        return Err(Error::value(text));
    }
    let parts = match onesided {
        true => fft::irfft(&x, Some(n as isize), -1, frames.norm)?,
        false => fft::ifft(&x, None, -1, frames.norm)?,
    };
    let parts = multiply(&parts, &window)?;
    let (outer, elements) = (lead.iter().product::<usize>(), count * n);
    let total = n + hop * (count - 1);
    let at = reshape(&frames.positions(*count, hop)?, Shape::from([1, elements]))?;
    let summed = |x: &Array, rows: usize| {
        let lines = reshape(x, Shape::from([rows, elements]))?;
        collect_along(&Shape::from([rows, total]), &at, &lines, 1)
    };
    let signal = summed(&parts, outer)?;
    let weights = broadcast_to(&square(&window)?, &Shape::from([*count, n]))?;
    let weights = summed(&weights, 1)?;
    let none = less(&weights, &weights.weak(1e-11))?;
    let signal = divide(&signal, &where_(&none, &weights.weak(1.), &weights)?)?;
    let start = if frames.center { n / 2 } else { 0 };
    let end = match length {
        Some(length) => total.min(start.saturating_add(length)),
        None => total - start.min(total),
    };
    let kept = narrow(&signal, 1, start, end.saturating_sub(start))?;
    let missing = length.map_or(0, |length| length - kept.shape()[1]);
    let kept = pad(&kept, &[(0, 0), (0, missing)], &fill(Scalar::Int(0), &kept))?;
    reshape(&kept, Shape::from([lead, &[kept.shape()[1]]].concat()))
}
