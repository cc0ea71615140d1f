"""Writes subscripts.txt: reads and writes between brackets, with what NumPy makes of them.

Of equal positions NumPy sets the last, and `ufunc.at` combines all, as the engine does.
"""

import pathlib
import random

import numpy as np

random.seed(7)
np.random.seed(7)


def pick(shape):
    items, tokens, axis = [], [], 0
    spot = random.choice([(), (2,), (3,), (2, 3)])
    ellipsis = random.random() < 0.3
    while axis < len(shape):
        n, r = shape[axis], random.random()
        if r < 0.15:
            items.append(None)
            tokens.append("n")
            continue
        if r < 0.25 and axis > 0:
            break
        if ellipsis and r < 0.4:
            ellipsis = False
            items.append(Ellipsis)
            tokens.append("e")
            axis += random.randint(0, len(shape) - axis)
            continue
        if r < 0.55:
            at = random.randint(-n, n - 1)
            items.append(at)
            tokens.append(f"i{at}")
        elif r < 0.8:
            ends = [random.choice([None, random.randint(-n - 1, n + 1)]) for _ in range(2)]
            step = random.choice([None, 1, 2, -1, -2, 3])
            items.append(slice(*ends, step))
            tokens.append("s" + ":".join("" if e is None else str(e) for e in [*ends, step]))
        else:
            own = random.choice([spot, spot[-1:], (1,) * len(spot)])
            at = np.random.randint(-n, n, own)
            items.append(at)
            tokens.append("a" + ",".join(map(str, own)) + "=" + ",".join(map(str, at.ravel())))
        axis += 1
    return tuple(items), tokens


def show(x):
    return ",".join(map(str, x.shape)) + "=" + ",".join(str(int(v)) for v in x.ravel())


def main():
    lines = []
    while len(lines) < 600:
        shape = tuple(random.choice([2, 3, 4, 5]) for _ in range(random.randint(1, 4)))
        index, tokens = pick(shape)
        x = np.arange(np.prod(shape)).reshape(shape)
        try:
            part = x[index]
        except IndexError:
            continue
        how = random.choice(["get", "get", "set", "add", "multiply", "maximum", "minimum"])
        value, result = np.zeros((0,)), part
        if how != "get":
            own = random.choice([part.shape, part.shape[-1:], ()])
            value = np.random.randint(-9, 60, own)
            result = x.copy()
            if how == "set":
                result[index] = value
            else:
                getattr(np, how).at(result, index, value)
        lines.append(" | ".join([how, ",".join(map(str, shape)), " ".join(tokens), show(value), show(result)]))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(lines) + "\n")


main()
