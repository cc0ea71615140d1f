"""Random numbers: the words of MLX for the same key on every device, keys, state, statistics."""

import math

import numpy as np
import pullback as pb
import pytest
from samples import near, numpy

KEY = 42

# Recorded from mlx 0.32.4 on the CPU with the key 42.
SPLIT = [[2465931498, 3679230171], [255383827, 267815257]]
SPLIT3 = [[3134548294, 3733159049], [3746501087, 894150801], [801545058, 2363201431]]
UNIFORM = [1060820329, 1063158653, 1044981518, 1045769890, 1044322926]
UNIFORM7 = [
    0.6878003478050232,
    0.5995789766311646,
    0.26520177721977234,
    0.3914102613925934,
    0.7629221677780151,
    0.28484806418418884,
    0.040389541536569595,
]
UNIFORM23 = [
    [0.7298188805580139, 0.8691938519477844, 0.8723002672195435],
    [0.20818570256233215, 0.18662425875663757, 0.5502257347106934],
]
BETWEEN = [[0.8707220554351807, 2.2831878662109375], [-1.702694058418274, -1.6882219314575195]]
NORMAL = [
    0.612265408039093,
    1.1225886344909668,
    -0.8544130325317383,
    -0.8127323985099792,
    -0.8904047012329102,
]
SHIFTED = [1.3738713264465332, -1.56130051612854, -2.1186254024505615]
LAPLACE = [-0.1605079025030136, -1.2492321729660034, 2.129283905029297, 2.081753969192505]
TRUNCATED = [0.12722188234329224, 0.6540887951850891, -0.8443074822425842, -0.8372542858123779]
GUMBEL = [0.5890136957168579, 1.8660064935684204, -1.037598729133606, -1.0206153392791748]
BERNOULLI = [0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 1]
# Two rows of probabilities.
CHANCES = [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]


def key():
    return pb.random.key(KEY)


def test_keys(device):
    assert pb.random.key(0).tolist() == [0, 0]
    assert key().tolist() == [0, 42]
    assert pb.random.key(2**40 + 7).tolist() == [256, 7]
    assert key().dtype == pb.uint32
    assert pb.random.split(key()).tolist() == SPLIT
    assert pb.random.split(key(), 3).tolist() == SPLIT3


def test_uniform(device):
    drawn = pb.random.uniform(shape=(5,), key=key())
    assert drawn.dtype == pb.float32
    assert pb.view(drawn, pb.uint32).tolist() == UNIFORM
    assert pb.random.uniform(shape=(7,), key=key()).tolist() == UNIFORM7
    assert pb.random.uniform(shape=(2, 3), key=key()).tolist() == UNIFORM23
    assert pb.random.uniform(key=key()).item() == 0.4267275631427765
    near(pb.random.uniform(-2, 3, shape=(2, 2), key=key()), BETWEEN, 1e-6)


@pytest.mark.parametrize(
    ("dtype", "words"),
    [("float16", [14488, 15066, 11164, 11259]), ("bfloat16", [16147, 16219, 15732, 15743])],
)
def test_uniform_of_two_bytes(dtype, words, device):
    drawn = pb.random.uniform(shape=(4,), dtype=getattr(pb, dtype), key=key())
    assert pb.view(drawn, pb.uint16).tolist() == words


def test_normal(device):
    near(pb.random.normal((5,), key=key()), NORMAL, 2e-6)
    near(pb.random.normal((3,), loc=1.0, scale=2.0, key=key()), SHIFTED, 2e-6)
    halves = pb.random.normal((4,), dtype=pb.float16, key=key())
    assert halves.dtype == pb.float16
    want = np.array([12795, 15427, 48700, 48676], "u2").view("f2").astype("f4")
    near(halves, want, 2e-3)


def test_other_distributions(device):
    near(pb.random.laplace((4,), key=key()), LAPLACE, 1e-5)
    near(pb.random.truncated_normal(-1.0, 1.0, (4,), key=key()), TRUNCATED, 1e-5)
    near(pb.random.gumbel((4,), key=key()), GUMBEL, 1e-5)
    assert pb.random.bernoulli(0.3, (12,), key=key()).tolist() == [bool(x) for x in BERNOULLI]
    assert pb.random.randint(-5, 100, (6,), key=key()).tolist() == [71, 86, 86, 16, 14, 52]
    assert pb.random.randint(0, 1000, (2, 3), key=key()).tolist() == [[729, 869, 872], [208, 186, 550]]


def test_choices(device):
    logits = pb.log(pb.array(CHANCES))
    assert pb.random.categorical(logits, key=key()).tolist() == [2, 2]
    assert pb.random.categorical(logits, key=key()).dtype == pb.uint32
    assert pb.random.categorical(logits, num_samples=5, key=key()).tolist() == [[2] * 5, [0, 2, 1, 0, 0]]
    assert pb.random.categorical(logits, shape=(4, 2), key=key()).tolist() == [[2, 2], [2, 2], [2, 0], [2, 1]]
    assert pb.random.categorical(logits, axis=0, key=key()).tolist() == [1, 0, 0]


def test_permutations(device):
    assert pb.random.permutation(8, key=key()).tolist() == [7, 6, 3, 2, 5, 1, 0, 4]
    rows = pb.array([[1, 2], [3, 4], [5, 6]])
    assert pb.random.permutation(rows, key=key()).tolist() == [[5, 6], [3, 4], [1, 2]]
    columns = pb.random.permutation(pb.arange(6).reshape(2, 3), axis=1, key=key())
    assert columns.tolist() == [[2, 1, 0], [5, 4, 3]]


def test_the_global_state(device):
    pb.random.seed(7)
    near(pb.random.normal((2,)), [0.037024036049842834, -1.4152934551239014], 1e-6)
    assert pb.random.uniform(shape=(2,)).tolist() == [0.8012937307357788, 0.18442964553833008]
    assert pb.random.state[0].tolist() == [3874823782, 2507669382]


def test_the_same_key_gives_the_same_numbers_and_another_others():
    for draw in (pb.random.normal, pb.random.gumbel, pb.random.laplace):
        a, b, c = (draw((50,), key=pb.random.key(k)).tolist() for k in (1, 1, 2))
        assert a == b and a != c


def test_draws_move_the_state():
    seen = [tuple(pb.random.uniform(shape=(3,)).tolist()) for _ in range(20)]
    assert len(set(seen)) == 20
    pb.random.seed(0)
    assert tuple(pb.random.uniform(shape=(3,)).tolist()) == seen[0]


N = 40_000


def moments(x):
    x = numpy(x).astype("f8")
    return x.mean(), x.var()


def test_statistics(device):
    k = pb.random.split(key(), 8)
    euler = 0.5772156649015329
    cases = [
        (pb.random.uniform(-1, 3, (N,), key=k[0]), 1.0, 16 / 12),
        (pb.random.normal((N,), loc=2.0, scale=3.0, key=k[1]), 2.0, 9.0),
        (pb.random.laplace((N,), loc=1.0, scale=2.0, key=k[2]), 1.0, 8.0),
        (pb.random.gumbel((N,), key=k[3]), euler, math.pi**2 / 6),
        (pb.random.bernoulli(0.3, (N,), key=k[4]), 0.3, 0.21),
        (pb.random.randint(0, 10, (N,), key=k[5]), 4.5, 99 / 12),
    ]
    for drawn, mean, variance in cases:
        got_mean, got_variance = moments(drawn)
        # Five standard errors.
        assert abs(got_mean - mean) < 5 * math.sqrt(variance / N)
        assert abs(got_variance / variance - 1) < 0.1
    x = numpy(pb.random.truncated_normal(-0.5, 2.0, (N,), key=k[6]))
    assert x.min() >= -0.5 and x.max() <= 2.0
    counts = np.bincount(numpy(pb.random.randint(0, 10, (N,), key=k[7])), minlength=10)
    chi = (np.square(counts - N / 10) / (N / 10)).sum()
    # The 99.9 % quantile of nine degrees of freedom.
    assert chi < 27.9


def test_uniform_numbers_fill_their_interval(device):
    x = numpy(pb.random.uniform(shape=(N,), key=key()))
    assert x.min() >= 0 and x.max() < 1
    ks = np.abs(np.sort(x) - (np.arange(N) + 0.5) / N).max()
    assert ks < 1.95 / math.sqrt(N)


def test_normal_numbers_are_normal(device):
    x = np.sort(numpy(pb.random.normal((N,), key=key())).astype("f8"))
    cumulated = 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    assert np.abs(cumulated - (np.arange(N) + 0.5) / N).max() < 1.95 / math.sqrt(N)


def test_choices_follow_their_chances(device):
    logits = pb.log(pb.array(CHANCES[0]))
    drawn = numpy(pb.random.categorical(logits, num_samples=N, key=key()))
    shares = np.bincount(drawn, minlength=3) / N
    np.testing.assert_allclose(shares, CHANCES[0], atol=0.01)
    orders = {tuple(pb.random.permutation(3, key=pb.random.key(i)).tolist()) for i in range(60)}
    assert len(orders) == 6


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_numbers_of_every_width_stay_below_the_bound(dtype):
    x = pb.random.uniform(shape=(20_000,), dtype=getattr(pb, dtype), key=key())
    assert pb.max(x).item() < 1 and pb.min(x).item() >= 0


def test_draws_under_transforms(device):
    keys = pb.random.split(key(), 3)
    rows = pb.vmap(lambda k: pb.random.normal((4,), key=k))(keys)
    near(rows, np.stack([numpy(pb.random.normal((4,), key=keys[i])) for i in range(3)]), 1e-6)
    near(pb.compile(lambda k: pb.random.uniform(shape=(7,), key=k))(key()), UNIFORM7)
    near(pb.grad(lambda s: (s * pb.random.normal((5,), key=key())).sum())(pb.array(2.0)), sum(NORMAL), 1e-5)
    loc = pb.grad(lambda m: pb.random.normal((5,), loc=m, key=key()).sum())(pb.array(0.0))
    near(loc, 5.0)


def test_compile_moves_the_state_as_plain_calls_do():
    def step(x):
        return x + pb.random.normal((3,)), pb.random.bernoulli(0.5, (4,))

    pb.random.seed(3)
    plain = [[y.tolist() for y in step(pb.zeros(3))] for _ in range(4)]
    state = pb.random.state[0].tolist()
    pb.random.seed(3)
    compiled = pb.compile(step)
    again = [[y.tolist() for y in compiled(pb.zeros(3))] for _ in range(4)]
    assert plain == again and pb.random.state[0].tolist() == state
    assert plain[0] != plain[1]


@pytest.mark.parametrize(
    ("draw", "error"),
    [
        (lambda: pb.random.normal((2,), key=pb.zeros(2)), TypeError),
        (lambda: pb.random.normal((2,), key=pb.zeros(3, pb.uint32)), ValueError),
        (lambda: pb.random.split(pb.array([1, 2], pb.uint32), -1), (ValueError, OverflowError)),
        (lambda: pb.random.uniform(dtype=pb.int32), TypeError),
        (lambda: pb.random.randint(0, 5, dtype=pb.float32), TypeError),
        (lambda: pb.random.normal((-1,)), ValueError),
        (lambda: pb.random.normal("a"), TypeError),
        (lambda: pb.random.key("a"), TypeError),
        (lambda: pb.random.categorical(pb.array(1.0)), ValueError),
    ],
)
def test_errors(draw, error):
    with pytest.raises(error):
        draw()
    assert 0 <= pb.random.uniform().item() < 1
