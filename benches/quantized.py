"""Products with quantised matrices beside our own dense ones, and MLX where that is installed, on the CPU.

    python benches/quantized.py [--seconds 0.5] [--only 2048]

A row of the table is a matrix, a number of bits and a number of rows of x, in float32 and groups of 64;
values, then gradients by x. Times are the best of several calls of compiled functions, all processors.
Ratios are to pullback's quantised product; above 1, that is faster.
"""

import argparse
import platform

import numpy as np
import pullback as pb
from compare import best, processor, spell, version

try:
    import mlx.core as mx
except ImportError:
    mx = None

SIZES = (2048, 4096)
BITS = (4, 8)
ROWS = (1, 8, 64, 512)
GROUP = 64


def functions(library, x, w, bits):
    """What is measured of one library, by name: no arguments, and elements are there when it returns."""
    x, w = library.array(x), library.array(w)
    q = library.quantize(w, group_size=GROUP, bits=bits)
    library.eval(x, *q)

    def quantised(x):
        return library.quantized_matmul(x, *q, transpose=True, group_size=GROUP, bits=bits)

    def dense(x):
        return x @ w.T

    def timed(function):
        run = library.compile(function)
        return lambda: library.eval(run(x))

    def gradient(function):
        # A cotangent that is no constant.
        return library.grad(lambda x: library.square(function(x)).sum())

    return {
        "value": timed(quantised),
        "dense value": timed(dense),
        "gradient": timed(gradient(quantised)),
        "dense gradient": timed(gradient(dense)),
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="how long to repeat each task")
    parser.add_argument("--only", default="", help="tasks with this in their names")
    arguments = parser.parse_args()
    pb.set_default_device(pb.cpu)
    if mx is not None:
        mx.set_default_device(mx.cpu)
    print(f"{processor()}; Python {platform.python_version()}; mlx {version('mlx')}\n")
    print("| task | quantised | dense | mlx, quantised | mlx, dense |\n|---|---|---|---|---|")
    normal = np.random.default_rng(0).standard_normal
    for size in SIZES:
        for bits in BITS:
            w = normal((size, size), dtype="f")
            for rows in ROWS:
                name = f"{size} x {size}, {bits} bits, {rows} rows"
                if arguments.only not in name:
                    continue
                x = normal((rows, size), dtype="f")
                found = [functions(library, x, w, bits) for library in (pb, mx) if library is not None]
                for kind in ("value", "gradient"):
                    runs = [one[key] for one in found for key in (kind, f"dense {kind}")]
                    times = [best(run, arguments.seconds) for run in runs]
                    cells = [spell(times[0], name)]
                    cells += [f"{spell(time, name)} ({time / times[0]:.2f}×)" for time in times[1:]]
                    cells += [""] * (4 - len(cells))
                    print(f"| {name}, {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
