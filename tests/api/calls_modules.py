"""Rows of linear algebra, Fourier transforms, random numbers and fused functions."""

import numpy as np
import pullback as pb
from calls import COUNTS, NO_ARRAYS, A, Apart, Row

S = A((3, 3), -1, 1, made=lambda x: x + 3 * np.eye(3))
P = A((3, 3), -1, 1, made=lambda x: x @ np.conj(x.T) + 2 * np.eye(3))
L = A((3, 3), -1, 1, made=lambda x: np.tril(x) + 3 * np.eye(3))
NONE = ((0, 0),)


def solved(want, args=(S,), shapes=(NONE,), diff=None, dtypes="solved", **rest):
    diff = diff or tuple(range(len(args)))
    return Row(args, want, diff, dtypes=dtypes, shapes=shapes, ulps=256, **rest)


def rebuilt(*makes):
    """Products of the parts of a decomposition, which must be the matrix again."""
    return lambda x, *parts: makes[0](x, *(np.asarray(part) for part in parts))


def absolute(values, vectors):
    """Vectors are unique only up to a phase."""
    return values, pb.abs(vectors)


def transformed(want, real=False, shape=(3, 4), call=None):
    args = (A(shape),)
    return Row(args, want, dtypes="float32" if real else "solved", call=call or (lambda f, x: f(x)), ulps=64)


LINALG = {
    "cholesky": solved(np.linalg.cholesky, (P,)),
    "cholesky_inv": solved(lambda x: np.linalg.inv(x @ np.conj(x.T)), (L,)),
    "cross": Row((A((2, 3)), A((2, 3))), np.cross, (0, 1), dtypes="number", shapes=(((0, 3), (0, 3)),)),
    "det": solved(np.linalg.det, dtypes="inexact"),
    "eig": solved(lambda x: x, told=rebuilt(lambda x, w, v: (v * w) @ np.linalg.inv(v)), smooth=absolute),
    "eigh": solved(lambda x: x, (P,), told=rebuilt(lambda x, w, v: (v * w) @ np.conj(v.T))),
    "eigvals": solved(
        lambda x: np.sort_complex(np.linalg.eigvals(x)), told=lambda x, w: np.sort_complex(np.asarray(w))
    ),
    "eigvalsh": solved(np.linalg.eigvalsh, (P,)),
    "inv": solved(np.linalg.inv),
    "lu": solved(
        lambda x: x,
        told=rebuilt(lambda x, p, low, up: (low @ up)[np.argsort(p)] if p.ndim == 1 else p @ low @ up),
    ),
    "lu_factor": solved(
        lambda x: np.abs(np.linalg.det(x)), told=lambda x, f, p: np.abs(np.prod(np.diagonal(f))), shapes=()
    ),
    "norm": Row((A((2, 3)),), np.linalg.norm, dtypes="inexact", shapes=(((0,),),)),
    "pinv": solved(np.linalg.pinv, (A((3, 2), made=lambda x: x + 3 * np.eye(3, 2)),), ()),
    "qr": solved(lambda x: x, told=rebuilt(lambda x, q, r: q @ r)),
    "slogdet": solved(lambda x: list(np.linalg.slogdet(x)), dtypes="inexact"),
    "solve": solved(np.linalg.solve, (S, A((3, 2))), ((*NONE, (0, 2)),)),
    "solve_triangular": solved(np.linalg.solve, (L, A((3, 2))), ((*NONE, (0, 2)),)),
    "svd": solved(lambda x: x, told=rebuilt(lambda x, u, s, vt: (u * s) @ vt)),
    "tri_inv": solved(np.linalg.inv, (L,)),
}
FFT = {
    "fft": transformed(np.fft.fft),
    "fft2": transformed(np.fft.fft2),
    "fftn": transformed(np.fft.fftn),
    "ifft": transformed(np.fft.ifft),
    "ifft2": transformed(np.fft.ifft2),
    "ifftn": transformed(np.fft.ifftn),
    "rfft": transformed(np.fft.rfft, real=True),
    "rfft2": transformed(np.fft.rfft2, real=True),
    "rfftn": transformed(np.fft.rfftn, real=True),
    "irfft": transformed(np.fft.irfft),
    "irfft2": transformed(np.fft.irfft2),
    "irfftn": transformed(np.fft.irfftn),
    "fftshift": Row((A((3, 4)),), np.fft.fftshift, dtypes="all", shapes=(((0, 3),),)),
    "ifftshift": Row((A((3, 4)),), np.fft.ifftshift, dtypes="all", shapes=(((0, 3),),)),
    "fftfreq": Row((), lambda: np.fft.fftfreq(5), NO_ARRAYS, NO_ARRAYS, "none", lambda f: f(5)),
    "rfftfreq": Row((), lambda: np.fft.rfftfreq(5), NO_ARRAYS, NO_ARRAYS, "none", lambda f: f(5)),
    "stft": transformed(
        lambda x: np.stack([np.fft.rfft(x[i : i + 4] * np.hanning(5)[:4]) for i in (0, 2, 4)], -1),
        real=True,
        shape=(8,),
        call=lambda f, x: f(x, 4, 2, center=False, window=pb.hanning(5)[:4]),
    ),
    "istft": transformed(
        lambda x: np.fft.irfft(x.T).reshape(-1),
        real=False,
        shape=(3, 3),
        call=lambda f, x: f(x, 4, 4, center=False, window=pb.ones(4)),
    ),
}
DRAWN = "its numbers are drawn; `tests/api/test_distributions.py` asks how they are spread"
KEY = np.array([0, 7], np.uint32)
NOTHING = "what is drawn does not depend on it smoothly"


def drawn(call, *args, diff=NO_ARRAYS, dtypes="none"):
    return Row((KEY, *args), DRAWN, diff, dtypes=dtypes, call=call)


RANDOM = {
    "bernoulli": drawn(lambda f, k, p: f(p, key=k), A((4,), 0, 1), diff=NOTHING, dtypes="float32"),
    "categorical": drawn(lambda f, k, x: f(x, key=k), A((2, 4)), diff=NOTHING, dtypes="float32"),
    "gumbel": drawn(lambda f, k: f((4,), key=k)),
    "laplace": drawn(lambda f, k, m: f((4,), loc=m, key=k), A((4,)), diff=(1,), dtypes="float32"),
    "multivariate_normal": drawn(
        lambda f, k, m: f(m, pb.eye(3), key=k), A((3,)), diff=(1,), dtypes="float32"
    ),
    "normal": drawn(lambda f, k, m: f((4,), loc=m, key=k), A((4,)), diff=(1,), dtypes="float32"),
    "permutation": drawn(lambda f, k, x: f(x, key=k), A((5,)), diff=(1,), dtypes="all"),
    "randint": drawn(lambda f, k, x: f(0, x, (4,), key=k), A((4,), 3, 9), diff=COUNTS, dtypes="integer"),
    "split": drawn(lambda f, k: f(k)),
    "truncated_normal": drawn(lambda f, k, x: f(x, 2.0, key=k), A((4,), -1, 1), diff=(1,), dtypes="float32"),
    "uniform": drawn(lambda f, k, x: f(x, 5.0, (4,), key=k), A((4,), -1, 1), diff=(1,), dtypes="float32"),
    "key": Row((), lambda: np.array([0, 7]), NO_ARRAYS, NO_ARRAYS, "none", lambda f: f(7)),
    "seed": Apart("it sets a state, and gives nothing"),
}


def attention(q, k, v):
    s = q @ np.swapaxes(k, -1, -2) * 0.5
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


def layer_norm(x, w, b):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * w + b


def rms_norm(x, w):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w


def rope(x):
    """Halves of the last axis turn by the place along the axis before it."""
    a, b = np.split(x, 2, -1)
    angle = np.arange(x.shape[-2])[:, None] * 10000.0 ** (-np.arange(2) / 2)
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], -1)


def cross_entropy(x, targets):
    return np.log(np.exp(x).sum(-1)) - np.take_along_axis(x, targets[:, None], -1)[:, 0]


def delta(q, k, v, gamma, beta):
    """A step at a time, as its documentation says."""
    state, out = np.zeros((*v.shape[::2][:1], v.shape[2], v.shape[3], k.shape[3])), []
    for t in range(q.shape[1]):
        state = state * gamma[:, t, :, None, None]
        left = v[:, t] - np.einsum("bhvk,bhk->bhv", state, k[:, t])
        state = state + np.einsum("bh,bhv,bhk->bhvk", beta[:, t], left, k[:, t])
        out.append(np.einsum("bhvk,bhk->bhv", state, q[:, t]))
    return [np.stack(out, 1), state]


HEAD = A((1, 2, 3, 4), -1, 1)
STEPS = A((1, 3, 2, 2), -1, 1)
FAST = {
    "cross_entropy": Row((A((3, 4)), np.array([0, 3, 1], np.int32)), cross_entropy, dtypes="float"),
    "gated_delta_update": Row(
        (STEPS, STEPS, STEPS, A((1, 3, 2), 0.3, 1), A((1, 3, 2), 0, 1)),
        delta,
        (0, 1, 2, 3, 4),
        dtypes="float32",
        ulps=64,
    ),
    "layer_norm": Row(
        (A((2, 4)), A((4,)), A((4,))),
        layer_norm,
        (0, 1, 2),
        dtypes="float",
        call=lambda f, *x: f(*x, 1e-5),
        ulps=64,
    ),
    "rms_norm": Row(
        (A((2, 4)), A((4,))), rms_norm, (0, 1), dtypes="float", call=lambda f, *x: f(*x, 1e-5), ulps=64
    ),
    "rope": Row(
        (A((2, 3, 4)),),
        rope,
        dtypes="float",
        call=lambda f, x: f(x, 4, traditional=False, base=10000.0, scale=1.0, offset=0),
        ulps=64,
    ),
    "scaled_dot_product_attention": Row(
        (HEAD, HEAD, HEAD), attention, (0, 1, 2), dtypes="float", call=lambda f, *x: f(*x, scale=0.5), ulps=64
    ),
}
