"""Against the real MLX, where it is installed; its random numbers are kept as constants besides."""

import importlib.util

import numpy as np
import pullback as pb
import pytest
from common import close

have = importlib.util.find_spec("mlx") is not None
with_mlx = pytest.mark.skipif(not have, reason="mlx is not installed")

DTYPES = [
    "bool_",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "complex64",
]


def test_known_words():
    key = pb.random.key(0)
    assert pb.random.key(2**33 + 5).tolist() == [2, 5]
    assert pb.random.split(key).tolist() == [[4146024105, 967050713], [2718843009, 1272950319]]
    close(
        pb.random.uniform(shape=(3,), key=key),
        [0.9653214812278748, 0.3146817088127136, 0.6330299973487854],
        0,
    )


@with_mlx
@pytest.mark.parametrize("seed", [0, 1, 12345, 2**40])
def test_random_is_bit_identical(seed):
    import mlx.core as mx

    mine, theirs = pb.random.key(seed), mx.random.key(seed)

    def same(a, b):
        assert np.array_equal(np.asarray(a), np.array(b))

    same(mine, theirs)
    same(pb.random.split(mine, 3), mx.random.split(theirs, 3))
    for shape in [(), (1,), (3,), (2, 5)]:
        same(pb.random.uniform(shape=shape, key=mine), mx.random.uniform(shape=shape, key=theirs))
        same(
            pb.random.uniform(-2, 3, shape=shape, key=mine), mx.random.uniform(-2, 3, shape=shape, key=theirs)
        )
        same(
            pb.random.randint(0, 100, shape=shape, key=mine),
            mx.random.randint(0, 100, shape=shape, key=theirs),
        )
        same(pb.random.bernoulli(0.3, shape, mine), mx.random.bernoulli(0.3, shape, theirs))
        close(pb.random.normal(shape, key=mine), np.array(mx.random.normal(shape, key=theirs)), 1e-5, 1e-6)
        close(pb.random.gumbel(shape, key=mine), np.array(mx.random.gumbel(shape, key=theirs)), 1e-5, 1e-5)
    same(pb.random.permutation(10, key=mine), mx.random.permutation(10, key=theirs))
    logits = np.log(np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], np.float32))
    same(
        pb.random.categorical(pb.array(logits), key=mine),
        mx.random.categorical(mx.array(logits), key=theirs),
    )


@with_mlx
def test_global_state_is_bit_identical():
    import mlx.core as mx

    pb.random.seed(9)
    mx.random.seed(9)
    for _ in range(3):
        assert pb.random.uniform(shape=(4,)).tolist() == mx.random.uniform(shape=(4,)).tolist()


@with_mlx
@pytest.mark.parametrize("a", DTYPES)
def test_promotion(a):
    import mlx.core as mx

    def name(x):
        return str(x.dtype).split(".")[-1].rstrip("_")

    for b in DTYPES:
        mine = pb.array([1], getattr(pb, a)) + pb.array([1], getattr(pb, b))
        theirs = mx.array([1], getattr(mx, a)) + mx.array([1], getattr(mx, b))
        assert name(mine) == name(theirs)
    for number in [True, 1, 1.5]:
        mine, theirs = pb.array([1], getattr(pb, a)) * number, mx.array([1], getattr(mx, a)) * number
        assert name(mine) == name(theirs)


FUNCTIONS = [
    lambda m, x: m.softmax(x, axis=-1),
    lambda m, x: m.logsumexp(x, axis=0),
    lambda m, x: m.erf(x),
    lambda m, x: m.erfinv(x * 0.3),
    lambda m, x: m.sigmoid(x),
    lambda m, x: m.rsqrt(x * x + 1),
    lambda m, x: m.topk(x, 2),
    lambda m, x: m.cummax(x, axis=1),
    lambda m, x: m.cummin(x, axis=0),
    lambda m, x: m.logaddexp(x, x[0]),
    lambda m, x: m.mean(x, axis=(0, 1)),
    lambda m, x: m.var(x, axis=0, ddof=1),
    lambda m, x: m.flatten(x, 0, 1),
    lambda m, x: m.unflatten(x, 1, (2, 2)),
    lambda m, x: m.cumsum(x, axis=1, reverse=True),
    lambda m, x: m.cumsum(x, axis=1, inclusive=False),
    lambda m, x: m.addmm(x[:, :3], x, m.transpose(x), alpha=2.0, beta=0.5),
    lambda m, x: m.isclose(x, x + 1e-9),
    lambda m, x: x.at[m.array([0, 0])].add(1.0),
    lambda m, x: m.put_along_axis(x, m.array([[0], [1], [2]]), m.array(9.0), 1),
    lambda m, x: m.grad(lambda x: (m.exp(x) * x).sum())(x),
    lambda m, x: m.vmap(lambda v: v / v.sum(), in_axes=1, out_axes=1)(x),
    lambda m, x: m.value_and_grad(lambda x: m.softmax(x)[0, 0])(x)[1],
]


@with_mlx
@pytest.mark.parametrize("fun", FUNCTIONS)
def test_functions(fun):
    import mlx.core as mx

    a = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    close(fun(pb, pb.array(a)), np.array(fun(mx, mx.array(a))), 1e-5, 1e-5)
