"""Convolutions by their definition, in double precision."""

import itertools

import numpy as np


def convolved(x, w, stride, padding, dilation, spread, groups=1, flip=False):
    """Sums of products over windows; lists have a number for every spatial axis, `padding` a pair."""
    x, w = (np.asarray(a, "complex128" if np.iscomplexobj(a) else "float64") for a in (x, w))
    r = x.ndim - 2
    every = slice(None)
    if flip:
        w = w[(every, *[slice(None, None, -1)] * r)]
    inner = [(size - 1) * step + 1 if size else 0 for size, step in zip(x.shape[1:-1], spread, strict=True)]
    whole = [low + size + high for size, (low, high) in zip(inner, padding, strict=True)]
    wide = np.zeros((x.shape[0], *whole, x.shape[-1]), x.dtype)
    places = zip(padding, inner, spread, strict=True)
    wide[(every, *[slice(low, low + size, step) for (low, _), size, step in places])] = x
    reach = [(size - 1) * step + 1 for size, step in zip(w.shape[1:-1], dilation, strict=True)]
    kernel = np.zeros((w.shape[0], *reach, w.shape[-1]), w.dtype)
    kernel[(every, *[slice(None, None, step) for step in dilation])] = w
    sizes = zip(whole, reach, stride, strict=True)
    counts = [(size - taken) // step + 1 if size else 0 for size, taken, step in sizes]
    channels, kernels = x.shape[-1] // groups, w.shape[0] // groups
    y = np.zeros((x.shape[0], *counts, w.shape[0]), np.result_type(x, w))
    over = tuple(range(1, r + 2))
    for place in itertools.product(*map(range, counts)):
        starts = zip(place, stride, reach, strict=True)
        window = wide[(every, *[slice(t * step, t * step + taken) for t, step, taken in starts])]
        for g in range(groups):
            mine = slice(g * kernels, (g + 1) * kernels)
            part = window[..., g * channels : (g + 1) * channels]
            y[(every, *place, mine)] = np.tensordot(part, kernel[mine], (over, over))
    return y
