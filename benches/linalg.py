"""Linear algebra beside NumPy (and its LAPACK): `python benches/linalg.py [float32|float64]`.

For every function and size: milliseconds a call, the best of some runs, and how many times faster or slower.
"""

import sys
import time

import numpy as np
import pullback as pb

SIZES = [(4, 4), (64, 64), (512, 512), (1000, 4, 4)]


def best(run, seconds=0.5):
    """The shortest time of calls that take so long together."""
    run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 2:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def pairs():
    """Names, and the two functions of a matrix that is symmetric and positive definite."""
    la, npla = pb.linalg, np.linalg
    return {
        "cholesky": (la.cholesky, npla.cholesky),
        "solve": (lambda x: la.solve(x, x[..., :1]), lambda x: npla.solve(x, x[..., :1])),
        "inv": (la.inv, npla.inv),
        "qr": (la.qr, npla.qr),
        "svd": (la.svd, npla.svd),
        "svdvals": (la.svdvals, lambda x: npla.svd(x, compute_uv=False)),
        "eigh": (la.eigh, npla.eigh),
        "eig": (la.eig, npla.eig),
    }


def main():
    dtype = sys.argv[1] if len(sys.argv) > 1 else "float32"
    print(f"{dtype}, NumPy {np.__version__}; milliseconds\n")
    print(f"{'':10} {'shape':>15} {'pullback':>10} {'numpy':>10} {'times':>7}")
    for name, (ours, theirs) in pairs().items():
        for shape in SIZES:
            x = np.random.default_rng(0).normal(size=shape)
            x = (x @ np.swapaxes(x, -1, -2) / shape[-1] + np.eye(shape[-1])).astype(dtype)
            y = pb.array(x, dtype)
            pb.eval(y)
            here = best(lambda ours=ours, y=y: pb.eval(ours(y)))
            there = best(lambda theirs=theirs, x=x: theirs(x))
            times = f"{here * 1e3:10.4f} {there * 1e3:10.4f} {there / here:7.2f}"
            print(f"{name:10} {shape!s:>15} {times}", flush=True)


if __name__ == "__main__":
    main()
