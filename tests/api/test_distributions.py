"""How numbers that are drawn are spread: distribution functions, moments, correlations; of fixed keys."""

import math

import numpy as np
import pullback as pb
import pytest
from samples import bfloat16, numpy

COUNT = 40_000
# Of so many numbers one set in a thousand is further away than this over the root of the count (Kolmogorov).
FAR = 1.95
erf = np.vectorize(math.erf, otypes=[np.float64])


def bell(x):
    return (1 + erf(x / math.sqrt(2))) / 2


def double_exponential(x):
    return np.where(x < 0, np.exp(np.minimum(x, 0)) / 2, 1 - np.exp(-np.maximum(x, 0)) / 2)


def cut(x):
    """The bell between -1 and 2."""
    low, high = bell(np.asarray(-1.0)), bell(np.asarray(2.0))
    return np.clip((bell(x) - low) / (high - low), 0, 1)


EULER = 0.5772156649015329
CUT_MEAN = (math.exp(-0.5) - math.exp(-2)) / math.sqrt(2 * math.pi) / float(bell(2.0) - bell(-1.0))
CUT_VARIANCE = (
    1
    + (-math.exp(-0.5) - 2 * math.exp(-2)) / math.sqrt(2 * math.pi) / float(bell(2.0) - bell(-1.0))
    - CUT_MEAN**2
)
# How it is drawn, its distribution function, mean and variance.
CONTINUOUS = {
    "uniform": (
        lambda key, dtype: pb.random.uniform(-1, 3, (COUNT,), dtype, key),
        lambda x: np.clip((x + 1) / 4, 0, 1),
        1.0,
        16 / 12,
    ),
    "normal": (
        lambda key, dtype: pb.random.normal((COUNT,), dtype, 1.0, 2.0, key),
        lambda x: bell((x - 1) / 2),
        1,
        4,
    ),
    "laplace": (
        lambda key, dtype: pb.random.laplace((COUNT,), dtype, 1.0, 2.0, key),
        lambda x: double_exponential((x - 1) / 2),
        1,
        8,
    ),
    "gumbel": (
        lambda key, dtype: pb.random.gumbel((COUNT,), dtype, key),
        lambda x: np.exp(-np.exp(-x)),
        EULER,
        math.pi**2 / 6,
    ),
    "truncated_normal": (
        lambda key, dtype: pb.random.truncated_normal(-1.0, 2.0, (COUNT,), dtype, key),
        cut,
        CUT_MEAN,
        CUT_VARIANCE,
    ),
}


def distance(x, distribution):
    """Between the share of numbers up to each, and the chance of that; in units of what is usual."""
    x = np.sort(x)
    chance, share = distribution(x), np.arange(len(x) + 1) / len(x)
    return max(np.max(share[1:] - chance), np.max(chance - share[:-1])) * math.sqrt(len(x))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_numbers_are_spread_as_the_distribution_says(name, seed, device):
    draw, distribution, mean, variance = CONTINUOUS[name]
    x = numpy(draw(pb.random.key(seed), pb.float32)).astype(np.float64)
    assert distance(x, distribution) < FAR
    assert abs(x.mean() - mean) < 4 * math.sqrt(variance / COUNT)
    # Of the heaviest of these, fourth moments are six times the square of the variance.
    assert abs(x.var() / variance - 1) < 4 * math.sqrt(5 / COUNT)
    # Neighbours, and halves, know nothing of each other.
    for a, b in ((x[:-1], x[1:]), (x[: COUNT // 2], x[COUNT // 2 :])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(len(a))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_wrong_distribution_is_found(name):
    draw, distribution, _, _ = CONTINUOUS[name]
    x = numpy(draw(pb.random.key(1), pb.float32)).astype(np.float64)
    assert distance(x + 0.05, distribution) > FAR


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_short_floats_are_rounded_numbers_of_the_same_distribution(name, dtype):
    draw, _, mean, variance = CONTINUOUS[name]
    x = numpy(draw(pb.random.key(4), getattr(pb, dtype))).astype(np.float64)
    assert np.isfinite(x).all()
    assert abs(x.mean() - mean) < 0.02 * math.sqrt(variance) + 4 * math.sqrt(variance / COUNT)
    assert abs(x.var() / variance - 1) < 0.05


def shares(x, count):
    """How often each number came, less than `count`; all of them are."""
    assert x.min() >= 0 and x.max() < count
    return np.bincount(x.astype(np.int64), minlength=count)


def unlikely(seen, chances):
    """The chi-squared sum, in standard deviations from its mean."""
    expected = seen.sum() * np.asarray(chances)
    degrees = len(expected) - 1
    return (((seen - expected) ** 2 / expected).sum() - degrees) / math.sqrt(2 * degrees)


def test_integers_come_equally_often(device):
    x = numpy(pb.random.randint(-3, 8, (COUNT,), key=pb.random.key(5)))
    assert unlikely(shares(x + 3, 11), np.full(11, 1 / 11)) < 4


def test_truth_comes_as_often_as_it_should(device):
    for p in (0.1, 0.5, 0.99):
        x = numpy(pb.random.bernoulli(p, (COUNT,), pb.random.key(6)))
        assert abs(x.mean() - p) < 4 * math.sqrt(p * (1 - p) / COUNT)


def test_categories_come_by_their_weights(device):
    chances = np.array([0.1, 0.2, 0.05, 0.65])
    logits = pb.array(np.log(chances).astype(np.float32) + 3)
    x = numpy(pb.random.categorical(logits, num_samples=COUNT, key=pb.random.key(7)))
    assert unlikely(shares(x, 4), chances) < 4


def test_every_order_comes_equally_often(device):
    keys = pb.random.split(pb.random.key(8), 6000)
    x = numpy(pb.vmap(lambda key: pb.random.permutation(pb.arange(3), key=key))(keys))
    assert (np.sort(x, -1) == np.arange(3)).all()
    # An order by its first two.
    seen = shares(x[:, 0] * 3 + x[:, 1], 9)
    assert unlikely(seen[seen > 0], np.full(6, 1 / 6)) < 4


def test_normal_vectors_have_their_covariances(device):
    mean = np.array([1.0, -2.0, 0.5], np.float32)
    root = np.array([[1.0, 0, 0], [0.5, 1.5, 0], [-0.3, 0.2, 0.7]], np.float32)
    covariance = root @ root.T
    key = pb.random.key(9)
    x = numpy(pb.random.multivariate_normal(pb.array(mean), pb.array(covariance), (COUNT,), key=key))
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert (np.abs(x.mean(0) - mean) < 4 * np.sqrt(np.diag(covariance) / COUNT)).all()
    assert (np.abs(np.cov(x.T) - covariance) / scale < 6 / math.sqrt(COUNT)).all()
    # In the directions of the root they are independent bells.
    for part in np.linalg.solve(root.astype(np.float64), (x - mean).T):
        assert distance(part, bell) < FAR


def test_bits_of_words_are_true_half_the_time(device):
    x = numpy(pb.random.bits((COUNT,), pb.random.key(10)))
    ones = [(x >> np.uint32(i) & 1).mean() for i in range(32)]
    assert np.abs(np.array(ones) - 0.5).max() < 4 * 0.5 / math.sqrt(COUNT)


def test_keys_that_are_split_give_numbers_that_know_nothing_of_each_other(device):
    a, b = (numpy(pb.random.normal((COUNT,), key=key)) for key in pb.random.split(pb.random.key(11)))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(COUNT)


@pytest.mark.parametrize("dtype, below", [("float16", 1 - 2**-11), ("bfloat16", 1 - 2**-8)])
@pytest.mark.parametrize("low, high", [(0, 1), (-1, 2), (0.1, 0.3), (-1e-3, 5), (100, 1000)])
def test_half_floats_are_drawn_from_words_step_by_step(dtype, below, low, high, device):
    """Each step of MLX's formula is rounded to the type, also where all of them are one program."""
    rounded = bfloat16 if dtype == "bfloat16" else lambda x: x.astype("float16").astype("float32")
    words = numpy(pb.random.bits((COUNT,), pb.random.key(12))).astype("float32")
    part = rounded(np.minimum(words * np.float32(2**-32), np.float32(below)))
    start, end = rounded(np.array([low, high], "float32"))
    want = rounded(rounded(part * rounded(end - start)) + start)
    x = pb.random.uniform(low, high, (COUNT,), getattr(pb, dtype), pb.random.key(12))
    np.testing.assert_array_equal(numpy(x), want)
    again = pb.random.uniform(low, high, (COUNT,), getattr(pb, dtype), pb.random.key(12))
    np.testing.assert_array_equal(numpy(again.astype(pb.float32) * 2), want * 2)
