"""Fourier transforms beside NumPy's, and SciPy's and JAX's where they are installed: milliseconds per call.

python benches/fft.py [seconds per figure]
"""

import importlib.util
import platform
import sys
import time

import numpy as np
import pullback as pb

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
CASES = [
    ("256", (256,), "fft"),
    ("1024", (1024,), "fft"),
    ("1009, a prime", (1009,), "fft"),
    ("65536", (65536,), "fft"),
    ("2 ** 20", (1 << 20,), "fft"),
    ("512 x 512", (512, 512), "fft2"),
    ("1000 of 1024", (1000, 1024), "fft"),
    ("65536, real", (65536,), "rfft"),
    ("1000 of 1024, real", (1000, 1024), "rfft"),
]


def best(call):
    """The shortest of the calls that fit into the time, in milliseconds."""
    call()
    found, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(found) < 3:
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return 1e3 * min(found)


def competitors(name, x):
    """Other libraries' functions of `x`, by their names."""
    yield "numpy", lambda: getattr(np.fft, name)(x)
    if importlib.util.find_spec("scipy"):
        import scipy.fft

        yield "scipy", lambda: getattr(scipy.fft, name)(x)
    if importlib.util.find_spec("jax"):
        import jax

        transform, y = jax.jit(getattr(jax.numpy.fft, name)), jax.numpy.asarray(x)
        yield "jax", lambda: transform(y).block_until_ready()


def main():
    """Prints a line for each case."""
    print(platform.processor() or platform.machine(), "numpy", np.__version__)
    rng = np.random.default_rng(0)
    for title, shape, name in CASES:
        x = rng.standard_normal(shape).astype("float32")
        if name != "rfft":
            x = x + 1j * rng.standard_normal(shape).astype("float32")
        y = pb.array(x)
        pb.eval(y)
        own = best(lambda name=name, y=y: pb.eval(getattr(pb.fft, name)(y)))
        others = [f"{other} {best(call):9.3f}" for other, call in competitors(name, x)]
        print(f"{title:20} pullback {own:9.3f}   " + "   ".join(others))


if __name__ == "__main__":
    main()
