"""`pb.fast`: norms, the loss of classification, rotary positions, the gated delta rule."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import near, numpy, values

HALVES = [pb.float16, pb.bfloat16]
FLOATS = [*HALVES, pb.float32]
fast = pb.fast


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype("f")


def uniform(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).random(shape).astype("f")


def tolerance(dtype):
    return {"float16": 4e-3, "bfloat16": 3e-2}.get(dtype.name, 2e-5)


def steps(x):
    """The same elements in other layouts."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), "f")
    wide[..., ::2] = x
    return [pb.array(x), pb.array(wide)[..., ::2], pb.array(np.ascontiguousarray(x[::-1]))[::-1]]


# Norms.


def layer_norm(x, weight=1.0, bias=0.0, eps=1e-5):
    apart = x - x.mean(-1, keepdims=True)
    return apart / np.sqrt((apart**2).mean(-1, keepdims=True) + eps) * weight + bias


def rms_norm(x, weight=1.0, eps=1e-5):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weight


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 3, 5), (0, 5), (2, 1)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_norms_are_their_formulas(device, shape, dtype):
    x, weight, bias = normal(*shape), normal(shape[-1]), normal(shape[-1], seed=1)
    for view in steps(x):
        a, w, b = view.astype(dtype), pb.array(weight).astype(dtype), pb.array(bias).astype(dtype)
        tol = tolerance(dtype)
        x, weight, bias = (numpy(one).astype("d") for one in (a, w, b))
        for got, want in [
            (fast.layer_norm(a, w, b, 1e-5), layer_norm(x, weight, bias)),
            (fast.layer_norm(a, w, None, 1e-5), layer_norm(x, weight)),
            (fast.layer_norm(a, None, b, 1e-5), layer_norm(x, bias=bias)),
            (fast.layer_norm(a, None, None, 1e-5), layer_norm(x)),
            (fast.rms_norm(a, w, 1e-5), rms_norm(x, weight)),
            (fast.rms_norm(a, None, 0.5), rms_norm(x, eps=0.5)),
        ]:
            assert got.dtype == dtype
            near(got, want, tol)


NORMS = {
    "layer": lambda x, w, b: fast.layer_norm(x, w, b, 1e-5),
    "layer without bias": lambda x, w, b: fast.layer_norm(x, w, None, 1e-5),
    "layer without weight": lambda x, w, b: fast.layer_norm(x, None, b, 1e-5),
    "rms": lambda x, w, b: fast.rms_norm(x, w, 1e-5),
    "rms without weight": lambda x, w, b: fast.rms_norm(x, None, 1e-5),
}


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_norms_have_derivatives_under_all_transforms(norm):
    x, w, b = pb.array(normal(3, 5)), pb.array(normal(5)), pb.array(normal(5, seed=1))
    testing.check_grads(norm, [x, w, b], order=2)
    near(pb.vmap(norm, (0, None, None))(x, w, b), norm(x, w, b))
    many = pb.vmap(norm)(x, pb.stack([w, b, w]), pb.stack([b, w, b]))
    near(many, pb.stack([norm(x[0], w, b), norm(x[1], b, w), norm(x[2], w, b)]))
    near(pb.compile(norm)(x, w, b), norm(x, w, b))
    slope = pb.grad(lambda *a: (norm(*a) ** 2).sum(), (0, 1, 2))
    near(list(pb.compile(slope)(x, w, b)), list(slope(x, w, b)), 1e-4)
    outer = pb.grad(lambda w, b: (pb.vmap(norm, (0, None, None))(x, w, b) ** 2).sum(), (0, 1))
    near(list(outer(w, b)), list(slope(x, w, b))[1:], 1e-4)
    each = pb.vmap(pb.grad(lambda x: (norm(x, w, b) ** 3).sum()))(x)
    near(each, pb.grad(lambda x: (norm(x, w, b) ** 3).sum())(x), 1e-4)


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_of_norms_have_the_types_of_arguments(device, dtype):
    x, w, b = pb.array(normal(4, 6)).astype(dtype), pb.array(normal(6)), pb.array(normal(6, seed=1))
    cotangent = pb.array(normal(4, 6, seed=2))
    _, grads = pb.vjp(NORMS["layer"], [x, w, b], [cotangent])
    assert [g.dtype for g in grads] == [dtype, pb.float32, pb.float32]
    exact = pb.vjp(NORMS["layer"], [pb.array(numpy(x)), w, b], [cotangent])[1]
    near(list(grads), list(exact), tolerance(dtype))


def test_norms_of_far_elements_keep_their_digits():
    """The mean is taken away before squares are summed, and in float32."""
    x = normal(2, 64)
    near(
        fast.layer_norm(pb.array(x + 4096), None, None, 0.0),
        layer_norm(numpy(pb.array(x + 4096)).astype("d"), eps=0.0),
        3e-4,
    )
    large = pb.array(x * 300).astype(pb.float16)
    near(fast.rms_norm(large, None, 0.0), rms_norm(numpy(large).astype("d"), eps=0.0), 4e-3)
    slope = pb.grad(lambda x: fast.layer_norm(x, None, None, 1e-6)[0, 0])(pb.array(x + 4096))
    assert abs(slope[0].sum().item()) < 1e-4, "moving all elements changes nothing"


def test_norms_take_few_kernels():
    """Forward: one for each reduction, one over rows for each, one for the result."""
    x, w, b = pb.array(normal(64, 32)), pb.array(normal(32)), pb.array(normal(32, seed=1))

    def kernels(*arrays):
        return int(pb.explain(*arrays).split(" kernels")[0])

    assert kernels(fast.rms_norm(x, w, 1e-5)) == 3
    assert kernels(fast.layer_norm(x, w, b, 1e-5)) == 5
    cotangent = pb.array(normal(64, 32, seed=3))
    assert kernels(*pb.vjp(NORMS["rms"], [x, w, b], [cotangent])[1][:2]) <= 6
    assert kernels(*pb.vjp(NORMS["layer"], [x, w, b], [cotangent])[1]) <= 9


@pytest.mark.parametrize("norm", [fast.rms_norm, lambda x, w, eps: fast.layer_norm(x, w, None, eps)])
def test_norms_refuse(norm):
    with pytest.raises(
        ValueError, match=r"_norm\] expected an array with at least one axis, got float32\[\]"
    ):
        norm(pb.array(1.0), None, 1e-5)
    with pytest.raises(
        ValueError, match=r"_norm\] expected weight of shape \[3\] \(that of the last axis of x\), got"
    ):
        norm(pb.zeros((2, 3)), pb.zeros(2), 1e-5)
    with pytest.raises(ValueError, match=r"_norm\] expected weight of shape \[3\]"):
        norm(pb.zeros((2, 3)), pb.zeros((1, 3)), 1e-5)
    for dtype in (pb.int32, pb.complex64):
        with pytest.raises(
            TypeError, match=rf"_norm\] expected a float type, got {dtype.name}: cast with astype"
        ):
            norm(pb.zeros((2, 3), dtype), None, 1e-5)


# The loss of classification.


def cross_entropy(logits, targets):
    top = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(-1)) + top[..., 0]
    return total - np.take_along_axis(logits, targets[..., None], -1)[..., 0]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7), (0, 7), (4, 1)])
def test_cross_entropy_is_its_formula(device, dtype, shape):
    logits = pb.array(20 * normal(*shape)).astype(dtype)
    targets = np.random.default_rng(1).integers(0, shape[-1], shape[:-1])
    for kind in ("int32", "uint8", "int64"):
        got = fast.cross_entropy(logits, pb.array(targets.astype(kind), getattr(pb, kind)))
        assert got.dtype == pb.float32
        near(got, cross_entropy(numpy(logits).astype("d"), targets), 2e-5)


def test_cross_entropy_has_derivatives_under_all_transforms():
    logits, targets = pb.array(normal(2, 3, 5)), pb.array([[0, 4, 2], [1, -1, 3]])
    loss = lambda logits: fast.cross_entropy(logits, targets)
    testing.check_grads(loss, [logits], order=2)
    near(pb.vmap(fast.cross_entropy)(logits, targets), loss(logits))
    near(
        pb.vmap(fast.cross_entropy, (None, 0))(logits[0], targets),
        pb.stack([fast.cross_entropy(logits[0], t) for t in targets]),
    )
    near(pb.compile(pb.grad(lambda x: loss(x).sum()))(logits), pb.grad(lambda x: loss(x).sum())(logits))
    half = logits.astype(pb.float16)
    assert pb.grad(lambda x: loss(x).sum())(half).dtype == pb.float16


def test_cross_entropy_does_not_overflow():
    logits = pb.array([[1e4, -1e4, 0.0], [-np.inf, 1.0, 1.0]])
    near(fast.cross_entropy(logits, pb.array([1, 1])), [2e4, np.log(2)])
    near(
        pb.grad(lambda x: fast.cross_entropy(x, pb.array([1, 1])).sum())(logits), [[1, -1, 0], [0, -0.5, 0.5]]
    )


def test_cross_entropy_refuses():
    with pytest.raises(ValueError, match=r"\[cross_entropy\] expected logits with an axis"):
        fast.cross_entropy(pb.array(1.0), pb.array(0))
    with pytest.raises(ValueError, match=r"\[cross_entropy\] expected targets of shape \[2\]"):
        fast.cross_entropy(pb.zeros((2, 3)), pb.zeros((2, 3), pb.int32))
    with pytest.raises(ValueError, match=r"\[cross_entropy\] expected logits of at least one class"):
        fast.cross_entropy(pb.zeros((2, 0)), pb.zeros(2, pb.int32))
    with pytest.raises(TypeError, match=r"\[cross_entropy\] expected integer class indices as targets"):
        fast.cross_entropy(pb.zeros((2, 3)), pb.zeros(2))
    with pytest.raises(TypeError, match=r"\[cross_entropy\] expected a float type, got int32"):
        fast.cross_entropy(pb.zeros((2, 3), pb.int32), pb.zeros(2, pb.int32))


# Rotary positions.


def rope(x, dims, traditional, scale, offset, base=None, freqs=None):
    """By complex numbers, pair by pair."""
    half = dims // 2
    turn = base ** (-np.arange(half) / half) if freqs is None else 1 / freqs
    offset = np.reshape(offset, (-1, *[1] * (x.ndim - 2)))
    theta = ((np.arange(x.shape[-2]) + offset) * scale)[..., None] * turn
    out = x.astype("d")
    first, second = (
        (slice(0, dims, 2), slice(1, dims, 2)) if traditional else (slice(0, half), slice(half, dims))
    )
    pairs = (out[..., first] + 1j * out[..., second]) * np.exp(1j * theta)
    out[..., first], out[..., second] = pairs.real, pairs.imag
    return out


@pytest.mark.parametrize("traditional", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "dims"), [((2, 5, 8), 8), ((2, 3, 5, 8), 4), ((2, 2, 3, 5, 8), 6), ((2, 1, 0, 4), 4)]
)
def test_rope_is_a_rotation(device, traditional, dtype, shape, dims):
    freqs = np.linspace(1.0, 20.0, dims // 2).astype("f")
    for view in steps(normal(*shape)):
        a = view.astype(dtype)
        x = numpy(a)
        for offset in (0, 7, [3, 11]):
            given = offset if isinstance(offset, int) else pb.array(offset)
            got = fast.rope(a, dims, traditional=traditional, base=100.0, scale=0.5, offset=given)
            assert got.dtype == dtype
            near(got, rope(x, dims, traditional, 0.5, offset, 100.0), tolerance(dtype))
            got = fast.rope(
                a, dims, traditional=traditional, base=None, scale=2.0, offset=given, freqs=pb.array(freqs)
            )
            near(got, rope(x, dims, traditional, 2.0, offset, freqs=freqs), 2 * tolerance(dtype))


@pytest.mark.parametrize("traditional", [False, True])
@pytest.mark.parametrize("offset", [2, [1, 5]])
def test_rope_has_derivatives_under_all_transforms(traditional, offset):
    x, freqs = pb.array(normal(2, 2, 4, 6)), pb.array([1.0, 7.0])
    offset = offset if isinstance(offset, int) else pb.array(offset)
    by_base = lambda x: fast.rope(x, 4, traditional=traditional, base=50.0, scale=0.5, offset=offset)
    by_freqs = lambda x, f: fast.rope(
        x, 4, traditional=traditional, base=None, scale=0.5, offset=offset, freqs=f
    )
    testing.check_grads(by_base, [x], order=2)
    testing.check_grads(by_freqs, [x, freqs], order=2)
    xs = pb.stack([x, 2 * x, x - 1])
    near(pb.vmap(by_base)(xs), pb.stack([by_base(x) for x in xs]))
    near(
        pb.vmap(by_freqs, (None, 0))(x, pb.stack([freqs, 2 * freqs])),
        pb.stack([by_freqs(x, freqs), by_freqs(x, 2 * freqs)]),
    )
    near(pb.compile(by_freqs)(x, freqs), by_freqs(x, freqs))
    if isinstance(offset, pb.array):
        moved = pb.vmap(
            lambda x, o: fast.rope(x, 4, traditional=traditional, base=50.0, scale=0.5, offset=o), 0
        )
        near(moved(x[:, None], offset), by_base(x)[:, None])


def test_rope_is_one_kernel_over_features():
    x = pb.array(normal(2, 3, 16, 8))
    text = pb.explain(fast.rope(x, 8, traditional=False, base=1e4, scale=1.0, offset=0))
    assert (
        sum(
            "float32[2, 3, 16, 8]" in line or "float32[2, 3, 16, 2, 4]" in line
            for line in text.splitlines()
            if " = group" in line
        )
        == 1
    ), text
    assert "Concatenate" not in text


def test_rope_refuses():
    x = pb.zeros((2, 5, 8))
    how = {"traditional": False, "base": 1e4, "scale": 1.0, "offset": 0}
    with pytest.raises(ValueError, match=r"\[rope\] expected at least 3 axes"):
        fast.rope(pb.zeros((5, 8)), 8, **how)
    for dims in (0, 3, 10):
        with pytest.raises(
            ValueError, match=rf"\[rope\] expected an even number of dims from 2 to 8, got {dims}"
        ):
            fast.rope(x, dims, **how)
    with pytest.raises(ValueError, match=r"\[rope\] expected either base or freqs, got neither"):
        fast.rope(x, 8, **how | {"base": None})
    with pytest.raises(ValueError, match=r"\[rope\] expected either base or freqs, got both"):
        fast.rope(x, 8, **how, freqs=pb.ones(4))
    with pytest.raises(ValueError, match=r"\[rope\] expected freqs of shape \[4\] \(half of dims\)"):
        fast.rope(x, 8, **how | {"base": None}, freqs=pb.ones(8))
    with pytest.raises(ValueError, match=r"\[rope\] expected an offset of shape \[2\]"):
        fast.rope(x, 8, **how | {"offset": pb.array([1, 2, 3])})
    with pytest.raises(TypeError, match=r"\[rope\] expected integers as offset"):
        fast.rope(x, 8, **how | {"offset": pb.array(1.0)})
    with pytest.raises(TypeError, match=r"\[rope\] expected a float type, got int32"):
        fast.rope(x.astype(pb.int32), 8, **how)


# The gated delta rule.


def gated_delta(q, k, v, gamma, beta, state=None, mask=None):
    """Step by step."""
    q, k, v, gamma, beta = (np.asarray(x, "d") for x in (q, k, v, gamma, beta))
    shared = v.shape[2] // q.shape[2]
    q, k = np.repeat(q, shared, 2), np.repeat(k, shared, 2)
    state = np.zeros((*v.shape[0::2], v.shape[3], k.shape[3])) if state is None else np.asarray(state, "d")
    outputs = [np.zeros((v.shape[0], 0, *v.shape[2:]))]
    for t in range(q.shape[1]):
        faded = state * gamma[:, t, :, None, None]
        written = (v[:, t] - np.einsum("bhvk,bhk->bhv", faded, k[:, t])) * beta[:, t, :, None]
        new = faded + written[..., None] * k[:, t, :, None, :]
        state = new if mask is None else np.where(mask[:, t, None, None, None], new, state)
        outputs.append(np.einsum("bhvk,bhk->bhv", state, q[:, t])[:, None])
    return np.concatenate(outputs, 1), state


def delta_arguments(steps, heads=2, shared=2):
    q, k = normal(2, steps, heads, 4), 0.5 * normal(2, steps, heads, 4, seed=1)
    v = normal(2, steps, heads * shared, 3, seed=2)
    gamma, beta = uniform(2, steps, heads * shared), uniform(2, steps, heads * shared, seed=1)
    return q, k, v, gamma, beta, normal(2, heads * shared, 3, 4, seed=3), uniform(2, steps) > 0.3


@pytest.mark.parametrize("steps", [0, 1, 3, 32, 75])
def test_gated_delta_update_is_the_recurrence(device, steps):
    *rest, state, mask = delta_arguments(steps)
    arrays = [pb.array(x) for x in rest]
    for more in [(None, None), (state, None), (None, mask), (state, mask)]:
        got = fast.gated_delta_update(*arrays, *(None if x is None else pb.array(x) for x in more))
        near(list(got), list(gated_delta(*rest, *more)), 1e-4)


def test_gated_delta_update_at_the_edges():
    """A gamma of 0 forgets all, equal keys write over each other; halves are computed on in float32."""
    q, k, v, gamma, beta, state, _ = delta_arguments(64)
    gamma[:, ::5] = 0
    k[:] = k[:, :1] / np.linalg.norm(k[:, :1], axis=-1, keepdims=True)
    beta[:] = 1
    arrays = [pb.array(x) for x in (q, k, v, gamma, beta, state)]
    near(list(fast.gated_delta_update(*arrays)), list(gated_delta(q, k, v, gamma, beta, state)), 1e-4)
    ones = pb.ones_like(arrays[3])
    near(
        list(fast.gated_delta_update(*arrays[:3], ones, *arrays[4:])),
        list(gated_delta(q, k, v, ones, beta, state)),
        1e-3,
    )
    halves = [x.astype(pb.bfloat16) for x in arrays[:5]]
    y, last = fast.gated_delta_update(*halves)
    assert (y.dtype, last.dtype) == (pb.bfloat16, pb.float32)
    near(last, gated_delta(*(numpy(x) for x in halves))[1], 1e-4)


def test_gated_delta_update_has_derivatives_under_all_transforms():
    *rest, state, mask = delta_arguments(3)
    arrays, mask = [pb.array(x) for x in (*rest, state)], pb.array(mask)
    testing.check_grads(lambda *a: fast.gated_delta_update(*a, mask), arrays, order=2)
    update = lambda *a: list(fast.gated_delta_update(*a))
    near(pb.vmap(update)(*(x[:, None] for x in arrays)), [x[:, None] for x in update(*arrays)], 1e-4)
    near(pb.compile(update)(*arrays), update(*arrays), 1e-5)


def test_gated_delta_update_refuses():
    arrays = [pb.array(x) for x in delta_arguments(3)[:5]]
    refuse = lambda at, x, **more: fast.gated_delta_update(*arrays[:at], x, *arrays[at + 1 :], **more)
    for at, what in enumerate(["q of shape", "k of shape", "v of shape", "gamma of shape", "beta of shape"]):
        with pytest.raises(ValueError, match=rf"\[gated_delta_update\] expected {what}"):
            refuse(at, pb.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"expected a number of heads in v that is a multiple of 2"):
        fast.gated_delta_update(*arrays[:2], pb.zeros((2, 3, 3, 3)), pb.zeros((2, 3, 3)), pb.zeros((2, 3, 3)))
    with pytest.raises(
        ValueError, match=r"expected initial_state of shape \[2, 4, 3, 4\] \(\(B, Hv, Dv, Dk\)\)"
    ):
        fast.gated_delta_update(*arrays, pb.zeros((2, 4, 4, 3)))
    with pytest.raises(ValueError, match=r"expected mask of shape \[2, 3\]"):
        fast.gated_delta_update(*arrays, None, pb.zeros((2, 4), pb.bool_))
    with pytest.raises(TypeError, match=r"\[gated_delta_update\] expected a float type"):
        fast.gated_delta_update(*(x.astype(pb.int32) for x in arrays))


def test_keywords_are_those_of_mlx():
    x = pb.array(values("float32", (2, 3, 4)))
    near(fast.rms_norm(x=x, weight=None, eps=1e-5, stream=pb.cpu), fast.rms_norm(x, None, 1e-5))
    near(fast.layer_norm(x=x, weight=None, bias=None, eps=1e-5), fast.layer_norm(x, None, None, 1e-5))
    near(
        fast.rope(a=x, dims=4, traditional=True, base=10.0, scale=1.0, offset=0, freqs=None, stream=pb.cpu),
        fast.rope(x, 4, traditional=True, base=10.0, scale=1.0, offset=pb.array(0)),
    )
    for name in ("traditional", "base", "scale", "offset"):
        how = {"traditional": True, "base": 10.0, "scale": 1.0, "offset": 0}
        del how[name]
        with pytest.raises(TypeError, match=name):
            fast.rope(x, 4, **how)
    from pullback.fast import rms_norm as imported

    assert imported is fast.rms_norm
