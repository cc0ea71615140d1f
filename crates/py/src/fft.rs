//! Fourier transforms: the functions of `pullback.fft`.

use pullback::fun::fft::{self as make, Norm};
use pullback::fun::stft::{self as short, Border, Frames};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::args::{Axes, Ints};
use crate::array::{PyArray, build};
use crate::convert::Arg;
use crate::device::On;
use crate::error::OrRaise;

fn normed(op: &str, norm: Option<&str>) -> PyResult<Norm> {
    Norm::named(op, norm.unwrap_or("backward")).or_raise()
}

macro_rules! along_one {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (a, n=None, axis=-1, norm=Some("backward"), *, stream=On::default()), text_signature = "(a, n=None, axis=-1, norm='backward', *, stream=None)")]
        pub fn $name(
            py: Python<'_>,
            a: Arg,
            n: Option<isize>,
            axis: isize,
            norm: Option<&str>,
            stream: On,
        ) -> PyResult<PyArray> {
            let norm = normed(stringify!($name), norm)?;
            build(py, stream, || make::$name(&a.0, n, axis, norm))
        }
    )*};
}

along_one! {
    /// The discrete Fourier transform along an axis: `sum_j a[j] exp(-2 pi i j k / n)`, as `complex64`.
    ///
    /// Of the axis `n` elements are taken, with zeros behind them if there are fewer; all that there are by default.
    /// The inverse transform is divided by `n` with the norm `"backward"`, this one with `"forward"`, and both by the
    /// square root of `n` with `"ortho"`.
    ///
    /// Any length is fast but large primes, and all types are taken; `float64` is rounded to `float32` first, since there
    /// is no complex type of its precision. The error is within a few `eps log2(n)` of the norm of the result.
    /// On a GPU, lengths with a prime factor above 5 are computed on the CPU.
    ///
    /// Raises `ValueError` for an axis that does not exist, or `n` below 1.
    ///
    /// >>> pb.fft.fft(pb.array([1.0, 2.0, 3.0, 4.0]))
    /// array([10.+0.j, -2.+2.j, -2.+0.j, -2.-2.j], dtype=complex64)
    fft;
    /// The inverse of `fft`: `sum_k a[k] exp(2 pi i j k / n) / n`.
    ///
    /// >>> pb.fft.ifft(pb.array([10.0, -2 + 2j, -2.0, -2 - 2j]))
    /// array([1.+0.j, 2.+0.j, 3.+0.j, 4.+0.j], dtype=complex64)
    ifft;
    /// The first `n // 2 + 1` elements of `fft` of real numbers, at half its cost: the others are their conjugates. Of
    /// complex numbers the real parts are taken.
    ///
    /// >>> pb.fft.rfft(pb.array([1.0, 2.0, 3.0, 4.0]))
    /// array([10.+0.j, -2.+2.j, -2.+0.j], dtype=complex64)
    rfft;
    /// The inverse of `rfft`, as `float32`: `n` elements, by default `2 * (a.shape[axis] - 1)`, from the first
    /// `n // 2 + 1` of `a`. An odd length cannot be told from those: pass it.
    ///
    /// >>> pb.fft.irfft(pb.array([10.0, -2 + 2j, -2.0]))
    /// array([1., 2., 3., 4.], dtype=float32)
    irfft;
    /// The transform of `n` numbers whose second half are the conjugates of the first, which is given: it is real. By
    /// default `n` is `2 * (a.shape[axis] - 1)`.
    ///
    /// >>> pb.fft.hfft(pb.array([1.0, 1j, 2.0]))
    /// array([ 3.,  1.,  3., -3.], dtype=float32)
    hfft;
    /// The inverse of `hfft`: the first `n // 2 + 1` numbers, of which the others are conjugates.
    ///
    /// >>> pb.fft.ihfft(pb.array([3.0, 1.0, 3.0, -3.0])).shape
    /// (3,)
    ihfft;
}

macro_rules! along_many {
    ($axes:expr, $text:literal; $($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (a, s=None, axes=$axes, norm=Some("backward"), *, stream=On::default()), text_signature = $text)]
        pub fn $name(
            py: Python<'_>,
            a: Arg,
            s: Option<Ints>,
            axes: Axes,
            norm: Option<&str>,
            stream: On,
        ) -> PyResult<PyArray> {
            let norm = normed(stringify!($name), norm)?;
            let s = s.as_ref().map(|s| &s.0[..]);
            build(py, stream, || make::$name(&a.0, s, axes.list(), norm))
        }
    )*};
}

along_many! {
    Axes(None), "(a, s=None, axes=None, norm='backward', *, stream=None)";
    /// `fft` along several axes: all of them, or the last `len(s)`, if none are named. `s` has a length for each.
    ///
    /// Raises `ValueError` for axes that do not exist or are named twice, lengths below 1 or not one per axis, and an
    /// array without axes.
    ///
    /// >>> pb.fft.fftn(pb.ones((2, 2)))
    /// array([[4.+0.j, 0.+0.j],
    ///        [0.+0.j, 0.+0.j]], dtype=complex64)
    fftn;
    /// The inverse of `fftn`.
    ///
    /// >>> pb.fft.ifftn(pb.fft.fftn(pb.ones((2, 2))))
    /// array([[1.+0.j, 1.+0.j],
    ///        [1.+0.j, 1.+0.j]], dtype=complex64)
    ifftn;
    /// `rfft` along the last of the axes, then `fft` along the others; axes and lengths as for `fftn`.
    ///
    /// >>> pb.fft.rfftn(pb.ones((4, 6))).shape
    /// (4, 4)
    rfftn;
    /// The inverse of `rfftn`; the last length is that of the real result, as for `irfft`.
    ///
    /// >>> pb.fft.irfftn(pb.fft.rfftn(pb.ones((4, 6)))).shape
    /// (4, 6)
    irfftn;
}

along_many! {
    Axes(Some(vec![-2, -1])), "(a, s=None, axes=(-2, -1), norm='backward', *, stream=None)";
    /// `fftn` along two axes.
    ///
    /// >>> pb.fft.fft2(pb.ones((3, 2, 2))).shape
    /// (3, 2, 2)
    fft2;
    /// `ifftn` along two axes.
    ///
    /// >>> pb.fft.ifft2(pb.ones((3, 2, 2))).shape
    /// (3, 2, 2)
    ifft2;
    /// `rfftn` along two axes.
    ///
    /// >>> pb.fft.rfft2(pb.ones((3, 4, 4))).shape
    /// (3, 4, 3)
    rfft2;
    /// `irfftn` along two axes.
    ///
    /// >>> pb.fft.irfft2(pb.ones((3, 4, 3))).shape
    /// (3, 4, 4)
    irfft2;
}

macro_rules! frequencies {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (n, d=1.0, *, stream=On::default()), text_signature = "(n, d=1.0, *, stream=None)")]
        pub fn $name(py: Python<'_>, n: isize, d: f64, stream: On) -> PyResult<PyArray> {
            build(py, stream, || make::$name(n, d))
        }
    )*};
}

frequencies! {
    /// The frequencies of the elements of `fft` of `n` samples that are `d` apart, as `float32`: 0 first, those that are
    /// negative in the second half.
    ///
    /// >>> pb.fft.fftfreq(5, 0.1)
    /// array([ 0.,  2.,  4., -4., -2.], dtype=float32)
    fftfreq;
    /// The frequencies of the elements of `rfft` of `n` samples that are `d` apart, as `float32`.
    ///
    /// >>> pb.fft.rfftfreq(5, 0.1)
    /// array([0., 2., 4.], dtype=float32)
    rfftfreq;
}

macro_rules! shifts {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (a, axes=Axes(None), *, stream=On::default()), text_signature = "(a, axes=None, *, stream=None)")]
        pub fn $name(py: Python<'_>, a: Arg, axes: Axes, stream: On) -> PyResult<PyArray> {
            build(py, stream, || make::$name(&a.0, axes.list()))
        }
    )*};
}

shifts! {
    /// What has frequency 0 moved from the start to the middle, along some axes or all.
    ///
    /// >>> pb.fft.fftshift(pb.array([0, 1, 2, -2, -1]))
    /// array([-2, -1,  0,  1,  2], dtype=int32)
    fftshift;
    /// The inverse of `fftshift`.
    ///
    /// >>> pb.fft.ifftshift(pb.array([-2, -1, 0, 1, 2]))
    /// array([ 0,  1,  2, -2, -1], dtype=int32)
    ifftshift;
}

/// A length that is not negative; what is 0 is refused where it is known what it would mean.
fn size(op: &str, name: &str, value: Option<isize>) -> PyResult<Option<usize>> {
    let fits = |value: isize| {
        usize::try_from(value).map_err(|_| {
            PyValueError::new_err(format!("[{op}] expected {name} that is not negative, got {value}"))
        })
    };
    value.map(fits).transpose()
}

/// The Fourier transforms of overlapping frames of a signal: `(.., samples) -> (.., frequencies, frames)`.
///
/// Frames have `n_fft` samples and start `hop_length` apart (a quarter of `n_fft`, by default). They are multiplied by
/// `window`, of `win_length` elements, with zeros on both sides of it if that is less than `n_fft`. With `center` the
/// signal is continued by `n_fft // 2` on both sides: mirrored (`"reflect"`), with zeros (`"constant"`), or with its ends
/// (`"edge"`). With `onesided` there are the `n_fft // 2 + 1` frequencies that are not negative, which is the default
/// for real signals and impossible for complex ones.
///
/// Raises `ValueError` for a signal that is shorter than a frame, or not longer than what is to be mirrored, for lengths
/// below 1, and for a window that does not fit.
///
/// >>> pb.fft.stft(pb.ones(16), n_fft=8).shape
/// (5, 9)
#[pyfunction]
#[pyo3(
    signature = (x, n_fft=2048, hop_length=None, win_length=None, window=None, center=true, pad_mode="reflect", norm=Some("backward"), onesided=None, *, stream=On::default()),
    text_signature = "(x, n_fft=2048, hop_length=None, win_length=None, window=None, center=True, pad_mode='reflect', norm='backward', onesided=None, *, stream=None)"
)]
#[expect(clippy::too_many_arguments, reason = "MLX's")]
pub fn stft(
    py: Python<'_>,
    x: Arg,
    n_fft: isize,
    hop_length: Option<isize>,
    win_length: Option<isize>,
    window: Option<Arg>,
    center: bool,
    pad_mode: &str,
    norm: Option<&str>,
    onesided: Option<bool>,
    stream: On,
) -> PyResult<PyArray> {
    let border = match pad_mode {
        "reflect" => Border::Reflect,
        "constant" => Border::Constant,
        "edge" => Border::Edge,
        _ => {
            let text = format!("[stft] expected pad_mode 'reflect', 'constant' or 'edge', got '{pad_mode}'");
            return Err(PyValueError::new_err(text));
        }
    };
    let frames = Frames {
        n_fft: size("stft", "n_fft", Some(n_fft))?.unwrap_or_default(),
        hop: size("stft", "hop_length", hop_length)?,
        win_length: size("stft", "win_length", win_length)?,
        window: window.map(|window| window.0),
        center,
        norm: normed("stft", norm)?,
        onesided,
    };
    build(py, stream, || short::stft(&x.0, &frames, border))
}

/// The signal whose frames have these transforms: the inverse of `stft`, `(.., frequencies, frames) -> (.., samples)`.
///
/// Frames are transformed back, multiplied by the window and added where they overlap; the sum is divided by that of the
/// squares of the windows, and 0 where no window is. So it is the signal again wherever windows of all frames reach.
/// With `center`, `n_fft // 2` samples on both sides are left out. `n_fft` is found from the number of frequencies;
/// an odd one has to be given. `length` cuts the result off or fills it up with zeros. With `onesided=False` it is
/// complex.
///
/// Raises `ValueError` for an array with fewer than two axes or without frames, and for frequencies that `n_fft` has not.
///
/// >>> x = pb.arange(16.0)
/// >>> pb.allclose(pb.fft.istft(pb.fft.stft(x, n_fft=8)), x, atol=1e-5).item()
/// True
#[pyfunction]
#[pyo3(
    signature = (stft_matrix, n_fft=None, hop_length=None, win_length=None, window=None, center=true, norm=Some("backward"), onesided=None, length=None, *, stream=On::default()),
    text_signature = "(stft_matrix, n_fft=None, hop_length=None, win_length=None, window=None, center=True, norm='backward', onesided=None, length=None, *, stream=None)"
)]
#[expect(clippy::too_many_arguments, reason = "MLX's")]
pub fn istft(
    py: Python<'_>,
    stft_matrix: Arg,
    n_fft: Option<isize>,
    hop_length: Option<isize>,
    win_length: Option<isize>,
    window: Option<Arg>,
    center: bool,
    norm: Option<&str>,
    onesided: Option<bool>,
    length: Option<isize>,
    stream: On,
) -> PyResult<PyArray> {
    let shape = stft_matrix.0.shape();
    let frequencies = shape.len().checked_sub(2).map_or(0, |axis| shape[axis]);
    let found = if onesided == Some(false) { frequencies } else { 2 * frequencies.saturating_sub(1) };
    let frames = Frames {
        n_fft: size("istft", "n_fft", n_fft)?.unwrap_or(found),
        hop: size("istft", "hop_length", hop_length)?,
        win_length: size("istft", "win_length", win_length)?,
        window: window.map(|window| window.0),
        center,
        norm: normed("istft", norm)?,
        onesided,
    };
    let length = size("istft", "length", length)?;
    build(py, stream, || short::istft(&stft_matrix.0, &frames, length))
}
