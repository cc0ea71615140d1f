"""Convolutions beside JAX on the CPU, and NumPy's windows and tensordot: `python benches/conv.py`.

Times are the best of several runs, in milliseconds; those of pullback and JAX are of compiled functions.
"""

import platform
import time

import numpy as np
import pullback as pb

try:
    import jax
except ImportError:
    jax = None

# Name, shape of the input, shape of the weight, stride, padding, groups.
SHAPES = [
    ("2d 32x32x16->32 3x3", (8, 32, 32, 16), (32, 3, 3, 16), 1, 1, 1),
    ("2d 56x56x64->64 3x3", (8, 56, 56, 64), (64, 3, 3, 64), 1, 1, 1),
    ("2d 56x56x64->64 3x3 stride 2", (8, 56, 56, 64), (64, 3, 3, 64), 2, 1, 1),
    ("2d 56x56x64->128 1x1", (8, 56, 56, 64), (128, 1, 1, 64), 1, 0, 1),
    ("2d 56x56x64 3x3 depthwise", (8, 56, 56, 64), (64, 3, 3, 1), 1, 1, 64),
    ("1d 4096x32->32 5", (8, 4096, 32), (32, 5, 32), 1, 2, 1),
]


def best(run, least=0.3):
    """Milliseconds of the fastest of several calls."""
    run()
    times, until = [], time.perf_counter() + least
    while len(times) < 3 or time.perf_counter() < until:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def ours(x, w, stride, padding, groups):
    x, w = pb.array(x), pb.array(w)

    def forward(x, w):
        return pb.conv_general(x, w, stride=stride, padding=padding, groups=groups)

    def loss(x, w):
        y = forward(x, w)
        return (y * y).sum()

    forward, gradient = pb.compile(forward), pb.compile(pb.grad(loss, argnums=(0, 1)))
    return best(lambda: pb.eval(forward(x, w))), best(lambda: pb.eval(*gradient(x, w)))


def jaxs(x, w, stride, padding, groups):
    r = x.ndim - 2
    x, w = jax.numpy.asarray(x), jax.numpy.asarray(np.moveaxis(w, 0, -1))
    spatial = "DHW"[3 - r :]
    numbers = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")

    def forward(x, w):
        pads = [(padding, padding)] * r
        return jax.lax.conv_general_dilated(
            x, w, (stride,) * r, pads, dimension_numbers=numbers, feature_group_count=groups
        )

    def loss(x, w):
        y = forward(x, w)
        return (y * y).sum()

    forward, gradient = jax.jit(forward), jax.jit(jax.grad(loss, argnums=(0, 1)))
    ready = jax.block_until_ready
    return best(lambda: ready(forward(x, w))), best(lambda: ready(gradient(x, w)))


def numpys(x, w, stride, padding, groups):
    r = x.ndim - 2
    axes = tuple(range(1, r + 1))

    def forward():
        wide = np.pad(x, [(0, 0), *[(padding, padding)] * r, (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(wide, w.shape[1:-1], axis=axes)
        windows = windows[(slice(None), *[slice(None, None, stride)] * r)]
        over = tuple(range(r + 1, 2 * r + 2))
        if groups == 1:
            return np.tensordot(windows, np.moveaxis(w, -1, 1), (over, tuple(range(1, r + 2))))
        # Depthwise: every channel has a kernel of its own.
        kernels = "ab"[:r]
        return np.einsum(f"...c{kernels},c{kernels}->...c", windows, w[..., 0])

    return best(forward), None


def text(found):
    return "".join(f"{'-' if ms is None else f'{ms:.2f}':>10}" for ms in found)


def main():
    machine = platform.processor() or platform.machine()
    print(f"{machine}, float32, milliseconds: forward, gradient of both operands")
    print(f"{'':32}{'pullback':>20}{'jax':>20}{'numpy':>20}")
    rng = np.random.default_rng(0)
    for name, input_shape, weight_shape, *rest in SHAPES:
        x = rng.normal(size=input_shape).astype("float32")
        w = rng.normal(size=weight_shape).astype("float32")
        found = [ours(x, w, *rest), jaxs(x, w, *rest) if jax else (None, None), numpys(x, w, *rest)]
        print(f"{name:32}" + "".join(text(times) for times in found), flush=True)


if __name__ == "__main__":
    main()
