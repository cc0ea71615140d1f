"""The standard's extension for Fourier transforms, whose results are `complex64` and `float32`."""

from collections.abc import Sequence
from typing import Any

from pullback._core import array
from pullback._core import fft as _fft
from pullback.array_api._placed import placed

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]


@placed
def fft(x: array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> array:
    """Return the Fourier transform along an axis, of `n` numbers.

    >>> pb.array_api.fft.fft(pb.ones(4)).shape
    (4,)
    """
    return _fft.fft(x, n, axis, norm)


@placed
def ifft(x: array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> array:
    """Return the inverse Fourier transform along an axis, of `n` numbers.

    >>> pb.array_api.fft.ifft(pb.ones(4)).shape
    (4,)
    """
    return _fft.ifft(x, n, axis, norm)


@placed
def rfft(x: array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> array:
    """Return the half of the Fourier transform of real numbers that says all, of `n` numbers.

    >>> pb.array_api.fft.rfft(pb.ones(4)).shape
    (3,)
    """
    return _fft.rfft(x, n, axis, norm)


@placed
def irfft(x: array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> array:
    """Return real numbers from half of their Fourier transform, of `n` numbers.

    >>> pb.array_api.fft.irfft(pb.ones(3)).shape
    (4,)
    """
    return _fft.irfft(x, n, axis, norm)


@placed
def hfft(x: array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> array:
    """Return the Fourier transform, which is real, of numbers of which half says all, of `n` numbers.

    >>> pb.array_api.fft.hfft(pb.ones(3)).shape
    (4,)
    """
    return _fft.hfft(x, n, axis, norm)


@placed
def ihfft(x: array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> array:
    """Return half of the inverse Fourier transform of real numbers, of `n` numbers.

    >>> pb.array_api.fft.ihfft(pb.ones(4)).shape
    (3,)
    """
    return _fft.ihfft(x, n, axis, norm)


@placed
def fftn(
    x: array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> array:
    """Return the Fourier transform along axes, or all, of `s` numbers.

    >>> pb.array_api.fft.fftn(pb.ones((2, 3))).shape
    (2, 3)
    """
    return _fft.fftn(x, s, axes, norm)


@placed
def ifftn(
    x: array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> array:
    """Return the inverse Fourier transform along axes, or all, of `s` numbers.

    >>> pb.array_api.fft.ifftn(pb.ones((2, 3))).shape
    (2, 3)
    """
    return _fft.ifftn(x, s, axes, norm)


@placed
def rfftn(
    x: array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> array:
    """Return the Fourier transform of real numbers along axes, half of it along the last, of `s` numbers.

    >>> pb.array_api.fft.rfftn(pb.ones((2, 3))).shape
    (2, 2)
    """
    return _fft.rfftn(x, s, axes, norm)


@placed
def irfftn(
    x: array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> array:
    """Return real numbers from half of their Fourier transform along axes, of `s` numbers.

    >>> pb.array_api.fft.irfftn(pb.ones((2, 3))).shape
    (2, 4)
    """
    return _fft.irfftn(x, s, axes, norm)


@placed
def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> array:
    """Return the frequencies of a transform's elements, for samples at a distance of `d`.

    >>> pb.array_api.fft.fftfreq(4, d=0.5)
    array([ 0. ,  0.5, -1. , -0.5], dtype=float32)
    """
    found = _fft.fftfreq(n, d, stream=device)
    return found if dtype is None else found.astype(dtype, stream=device)


@placed
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> array:
    """Return the frequencies of the elements of half a transform, for samples at a distance of `d`.

    >>> pb.array_api.fft.rfftfreq(4, d=0.5)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    found = _fft.rfftfreq(n, d, stream=device)
    return found if dtype is None else found.astype(dtype, stream=device)


@placed
def fftshift(x: array, /, *, axes: int | Sequence[int] | None = None) -> array:
    """Return the array with the zero frequency moved to the middle.

    >>> pb.array_api.fft.fftshift(pb.array([0, 1, 2]))
    array([2, 0, 1], dtype=int32)
    """
    return _fft.fftshift(x, axes)


@placed
def ifftshift(x: array, /, *, axes: int | Sequence[int] | None = None) -> array:
    """Return the array with the zero frequency moved back to the front.

    >>> pb.array_api.fft.ifftshift(pb.array([0, 1, 2]))
    array([1, 2, 0], dtype=int32)
    """
    return _fft.ifftshift(x, axes)
