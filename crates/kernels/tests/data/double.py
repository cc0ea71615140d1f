"""Writes double.txt: functions of doubles, correctly rounded by mpmath. Run it in this folder."""

import random
import struct

import mpmath as mp

mp.mp.prec = 400
random.seed(1)


def word(x):
    return struct.pack(">d", x).hex()


def spread(low, high, n=60):
    """Points of all magnitudes, of both signs where low is negative."""
    points = []
    for _ in range(n):
        x = mp.mpf(10) ** random.uniform(-12, float(mp.log10(max(high, -low))))
        x = float(x) if low >= 0 or random.random() < 0.5 else -float(x)
        points.append(min(max(x, low), high))
    return points + [random.uniform(low, high) for _ in range(n)]


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


FUNCTIONS = {
    "Exp": (mp.exp, -700, 700), "Exp2": (lambda x: mp.mpf(2) ** x, -1000, 1000), "Expm1": (mp.expm1, -40, 700),
    "Log": (mp.log, 1e-300, 1e6), "Log2": (lambda x: mp.log(x, 2), 1e-300, 1e6),
    "Log10": (mp.log10, 1e-300, 1e6), "Log1p": (mp.log1p, -0.999999, 1e6),
    "Sin": (mp.sin, -1e5, 1e5), "Cos": (mp.cos, -1e5, 1e5), "Tan": (mp.tan, -1e4, 1e4),
    "Asin": (mp.asin, -1, 1), "Acos": (mp.acos, -1, 1), "Atan": (mp.atan, -1e6, 1e6),
    "Sinh": (mp.sinh, -700, 700), "Cosh": (mp.cosh, -700, 700), "Tanh": (mp.tanh, -25, 25),
    "Asinh": (mp.asinh, -1e9, 1e9), "Acosh": (mp.acosh, 1, 1e9), "Atanh": (mp.atanh, -0.999999999, 0.999999999),
    "Sigmoid": (sigmoid, -700, 700), "Erf": (mp.erf, -6, 6), "Erfinv": (mp.erfinv, -0.9999999, 0.9999999),
    "Sqrt": (mp.sqrt, 0, 1e9), "Rsqrt": (lambda x: 1 / mp.sqrt(x), 1e-300, 1e9),
}

PAIRS = {
    "Pow": (mp.power, 1e-3, 1e3, -30, 30), "Atan2": (mp.atan2, -1e3, 1e3, -1e3, 1e3),
}

with open("double.txt", "w") as out:
    for name, (function, a, b, c, d) in PAIRS.items():
        for x, y in zip(spread(a, b), spread(c, d)):
            if mp.mpf(x) ** 2 + mp.mpf(y) ** 2 > 0:
                out.write(f"{name} {word(x)} {word(y)} {word(float(function(mp.mpf(x), mp.mpf(y))))}\n")
    for name, (function, low, high) in FUNCTIONS.items():
        for x in spread(low, high):
            out.write(f"{name} {word(x)} {word(float(function(mp.mpf(x))))}\n")
        for k in range(20) if low < 1 < high or low == 1 else []:
            x = 1 + (random.random() if low == 1 else random.random() - 0.5) * 2.0 ** -k
            if low <= x <= high:
                out.write(f"{name} {word(x)} {word(float(function(mp.mpf(x))))}\n")
