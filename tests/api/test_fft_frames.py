"""Short-time Fourier transforms: by their definition, and there and back."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import exactly, numpy, values

pytestmark = pytest.mark.filterwarnings("ignore:.*(GPU programs|GPU kernel):RuntimeWarning")


def by_definition(x, n_fft, hop, window, center, pad_mode, onesided):
    if center:
        width = [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)]
        x = np.pad(x, width, mode=pad_mode)
    before = (n_fft - len(window)) // 2
    window = np.pad(window, (before, n_fft - len(window) - before))
    starts = range(0, x.shape[-1] - n_fft + 1, hop)
    transform = np.fft.rfft if onesided else np.fft.fft
    return np.stack([transform(x[..., at : at + n_fft] * window) for at in starts], -1)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("pad_mode", ["reflect", "constant", "edge"])
@pytest.mark.parametrize(("n_fft", "hop", "win"), [(8, 2, 8), (7, 3, 5), (16, 16, 16), (4, 5, 1), (1, 1, 1)])
def test_stft_is_frames_transformed(center, pad_mode, n_fft, hop, win):
    window = np.hanning(win + 2)[1:-1].astype("float32")
    for shape in [(37,), (2, 37)]:
        x = values("float32", shape)
        for onesided in (True, False):
            args = {"center": center, "pad_mode": pad_mode, "onesided": onesided}
            got = pb.fft.stft(exactly(x), n_fft, hop, win, exactly(window), **args)
            want = by_definition(x.astype("float64"), n_fft, hop, window.astype("float64"), **args)
            assert got.dtype == pb.complex64
            np.testing.assert_allclose(numpy(got), want, atol=1e-4)


def test_defaults_and_complex_signals():
    assert pb.fft.stft(pb.ones(4096)).shape == (1025, 9)
    x = values("complex64", (40,))
    got = pb.fft.stft(exactly(x), 8)
    assert got.shape == (8, 21)
    np.testing.assert_allclose(numpy(pb.fft.istft(got, onesided=False)), x, atol=1e-5)
    np.testing.assert_allclose(numpy(pb.fft.istft(got, onesided=False, norm="forward")), 8 * x, atol=1e-4)


@pytest.mark.parametrize("n_fft", [8, 9, 16])
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_there_and_back(device, n_fft, norm):
    x = exactly(values("float32", (2, 48)))
    window = pb.hanning(n_fft)
    args = {"n_fft": n_fft, "hop_length": n_fft // 4, "window": window, "norm": norm}
    there = pb.fft.stft(x, **args)
    np.testing.assert_allclose(numpy(pb.fft.istft(there, length=48, **args)), numpy(x), atol=1e-4)
    assert pb.fft.istft(there, length=50, **args).shape == (2, 50)
    assert pb.fft.istft(there, length=3, **args).shape == (2, 3)


def test_what_no_window_reaches_is_zero():
    frames = pb.fft.stft(pb.ones(20), 4, 8, center=False)
    back = pb.fft.istft(frames, 4, 8, center=False, length=20)
    np.testing.assert_allclose(numpy(back), [1] * 4 + [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4, atol=1e-6)


def test_derivatives_and_transforms():
    x = exactly(values("float32", (24,)))
    window = pb.hanning(8) + 0.1

    def energy(x, window):
        y = pb.fft.stft(x, 8, 3, window=window)
        back = pb.fft.istft(y * y, 8, 3, window=window)
        return (back * back).sum() / 100

    testing.check_grads(energy, [x, window], dtype=pb.float32, eps=1e-2, atol=2e-2, rtol=2e-2)
    rows = exactly(values("float32", (3, 24)))
    f = lambda x: pb.real(pb.fft.stft(x, 8))
    np.testing.assert_allclose(numpy(pb.vmap(f)(rows)), numpy(f(rows)), atol=1e-5)
    np.testing.assert_array_equal(numpy(pb.compile(f)(rows)), numpy(f(rows)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f.stft(pb.ones(3), 8), r"\[stft\] expected more than 4 samples to mirror, got 3"),
        (
            lambda f: f.stft(pb.ones(3), 8, center=False),
            r"\[stft\] expected at least n_fft = 8 samples, got 3",
        ),
        (lambda f: f.stft(pb.array(1.0)), r"\[stft\] expected a signal with at least one axis"),
        (lambda f: f.stft(pb.ones(9), 0), r"\[stft\] expected n_fft of at least 1"),
        (lambda f: f.stft(pb.ones(9), -1), r"\[stft\] expected n_fft that is not negative"),
        (lambda f: f.stft(pb.ones(9), 8, 0), r"\[stft\] expected hop_length of at least 1"),
        (lambda f: f.stft(pb.ones(9), 8, win_length=9), r"\[stft\] expected win_length of at most n_fft"),
        (
            lambda f: f.stft(pb.ones(9), 8, win_length=4, window=pb.ones(5)),
            r"\[stft\] expected a window of shape",
        ),
        (lambda f: f.stft(pb.ones(9), 8, pad_mode="wrap"), r"\[stft\] expected pad_mode"),
        (lambda f: f.stft(pb.ones(9) + 1j, 8, onesided=True), r"\[stft\] expected a real signal"),
        (lambda f: f.istft(pb.ones(5)), r"\[istft\] expected"),
        (lambda f: f.istft(pb.ones((5, 3)), 7), r"\[istft\] expected 4 frequencies for n_fft = 7, got 5"),
        (lambda f: f.istft(pb.ones((5, 0)), 8), r"\[istft\] expected an array"),
    ],
)
def test_misuse_is_an_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(pb.fft)
