"""Attention: values beside NumPy, derivatives, masks, heads, and what it does not keep."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import near, numpy

attend = pb.fast.scaled_dot_product_attention
LEAST = np.finfo("f").min


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype("f")


def attention(q, k, v, scale, mask=None, sinks=None):
    """All products at once, in double precision."""
    q, k, v = (np.asarray(numpy(x), "d") for x in (q, k, v))
    shared = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, shared, 1), np.repeat(v, shared, 1)
    scores = q @ k.swapaxes(-1, -2) * scale
    if isinstance(mask, str):
        last = np.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
        mask = np.arange(k.shape[2]) <= last
    if mask is not None:
        mask = np.asarray(mask)
        scores = np.where(mask, scores, LEAST) if mask.dtype == bool else scores + mask
    if sinks is not None:
        more = np.broadcast_to(np.asarray(sinks)[None, :, None, None], (*scores.shape[:3], 1))
        scores = np.concatenate([more, scores], -1)
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
    return (weights if sinks is None else weights[..., 1:]) @ v


def arrays(queries=5, keys=6, heads=4, of_keys=2, depth=3, values=3):
    shapes = [(2, heads, queries, depth), (2, of_keys, keys, depth), (2, of_keys, keys, values)]
    return [pb.array(normal(*shape, seed=i)) for i, shape in enumerate(shapes)]


def truth(*shape):
    """A mask in which no query sees nothing."""
    mask = np.random.default_rng([9, *shape]).random(shape) > 0.5
    mask[..., 0] = True
    return mask


MASKS = {
    "none": None,
    "causal": "causal",
    "truth of all": truth(2, 4, 5, 6),
    "truth of keys": truth(6),
    "truth of heads": truth(4, 1, 6),
    "truth of a batch": truth(2, 1, 1, 6),
    "numbers": normal(5, 6),
    "numbers of all": normal(2, 4, 5, 6),
    "numbers of keys": normal(2, 1, 1, 6),
    "integers": np.arange(6, dtype="i4"),
}


def given(mask):
    return mask if mask is None or isinstance(mask, str) else pb.array(mask)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (4, 1)])
def test_values_are_those_of_all_products(device, mask, heads):
    q, k, v = arrays(heads=heads[0], of_keys=heads[1], values=2)
    sinks = normal(4)
    near(attend(q, k, v, scale=0.6, mask=given(mask)), attention(q, k, v, 0.6, mask))
    got = attend(q, k, v, scale=0.6, mask=given(mask), sinks=pb.array(sinks))
    near(got, attention(q, k, v, 0.6, mask, sinks))


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_derivatives(mask):
    q, k, v = arrays(queries=3, keys=6)
    if isinstance(mask, np.ndarray) and mask.ndim > 1 and mask.shape[-2] == 5:
        mask = mask[..., :3, :]
    testing.check_grads(lambda *x: attend(*x, scale=0.6, mask=given(mask)), [q, k, v], order=2)
    sinks = pb.array(normal(4))
    if isinstance(mask, np.ndarray) and mask.dtype == np.float32:
        every = lambda q, k, v, m, s: attend(q, k, v, scale=0.6, mask=m, sinks=s)
        testing.check_grads(every, [q, k, v, given(mask), sinks], order=2)
    else:
        testing.check_grads(lambda q, s: attend(q, k, v, scale=0.6, mask=given(mask), sinks=s), [q, sinks])


def plain(q, k, v, mask):
    """The same by rows, all at once."""
    shared = q.shape[1] // k.shape[1]
    k, v = pb.repeat(k, shared, 1), pb.repeat(v, shared, 1)
    scores = 0.3 * q @ pb.swapaxes(k, -1, -2)
    if mask is not None:
        places = pb.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
        scores = pb.where(pb.arange(k.shape[2]) <= places, scores, pb.array(LEAST))
    return pb.softmax(scores, -1) @ v


@pytest.mark.parametrize("mask", [None, "causal"])
@pytest.mark.parametrize("sizes", [(300, 700), (700, 700), (1, 700)])
def test_many_parts_are_one(mask, sizes):
    """More products than one part has, and so many that the derivative computes them again."""
    q, k, v = arrays(*sizes, heads=8, of_keys=4, depth=8, values=8)
    f = lambda q, k, v: (attend(q, k, v, scale=0.3, mask=mask) ** 2).sum()
    g = lambda q, k, v: (plain(q, k, v, mask) ** 2).sum()
    near(attend(q, k, v, scale=0.3, mask=mask), plain(q, k, v, mask), 1e-4)
    near(list(pb.grad(f, (0, 1, 2))(q, k, v)), list(pb.grad(g, (0, 1, 2))(q, k, v)), 1e-4)


@pytest.mark.parametrize("sizes", [(5, 3), (7, 1), (1, 4)])
def test_causal_is_aligned_at_the_end(device, sizes):
    """More queries than keys: the first ones see none, and take the mean of all."""
    q, k, v = arrays(*sizes)
    near(attend(q, k, v, scale=1.0, mask="causal"), attention(q, k, v, 1.0, "causal"))


def test_queries_that_see_nothing(device):
    q, k, v = arrays()
    mask = truth(2, 1, 5, 6)
    mask[0, :, 2], mask[1, :, :] = False, False
    got = attend(q, k, v, scale=0.5, mask=pb.array(mask))
    near(got, attention(q, k, v, 0.5, mask))
    near(got[0, 0, 2], numpy(v)[0, 0].mean(0))
    sunk = attend(q, k, v, scale=0.5, mask=pb.array(mask), sinks=pb.zeros(4))
    near(sunk[1], np.zeros((4, 5, 3)))
    grads = pb.grad(lambda q, k, v: attend(q, k, v, scale=0.5, mask=pb.array(mask)).sum(), (0, 1, 2))(q, k, v)
    assert not numpy(grads[0])[1].any() and not numpy(grads[1])[1].any()
    near(grads[2][1], np.full((2, 6, 3), 2 * 5 / 6))
    testing.check_grads(lambda *x: attend(*x, scale=0.5, mask=pb.array(mask)), [q, k, v])
    with np.errstate(invalid="ignore"):
        near(
            attend(q, k, v, scale=0.5, mask=pb.array(np.full(6, -np.inf, "f"))), np.full((2, 4, 5, 3), np.nan)
        )


def test_large_products_do_not_overflow(device):
    q, k, v = arrays()
    near(attend(100 * q, 100 * k, v, scale=1.0), attention(100 * q, 100 * k, v, 1.0), 1e-4)
    far = attend(q, k, v, scale=0.5, mask=pb.array(normal(6) + 1e4))
    assert np.isfinite(numpy(far)).all()


@pytest.mark.parametrize("dtype", [pb.float16, pb.bfloat16])
def test_halves_are_summed_in_float32(device, dtype):
    q, k, v = (x.astype(dtype) for x in arrays(queries=3, keys=2000, depth=16))
    got = attend(q, k, v, scale=0.25)
    assert got.dtype == dtype
    near(got, attention(q, k, v, 0.25), 1e-3 if dtype == pb.float16 else 8e-3)
    grads = pb.grad(lambda *x: attend(*x, scale=0.25).astype(pb.float32).sum(), (0, 1, 2))(q, k, v)
    assert [g.dtype for g in grads] == [dtype] * 3
    assert attend(q, k.astype(pb.float32), v, scale=0.25).dtype == pb.float32


@pytest.mark.parametrize("shape", [(0, 6, 4, 2), (5, 0, 4, 2), (5, 6, 0, 2)])
def test_empty_arrays(device, shape):
    queries, keys, heads, of_keys = shape
    q, k, v = arrays(queries, keys, heads, of_keys)
    for mask in (None, "causal", pb.zeros((queries, keys), pb.bool_)):
        near(attend(q, k, v, scale=1.0, mask=mask), np.zeros((2, heads, queries, 3)))
        grads = pb.grad(lambda *x, mask=mask: attend(*x, scale=1.0, mask=mask).sum(), (0, 1, 2))(q, k, v)
        near(list(grads), [np.zeros(x.shape) for x in (q, k, v)])
    near(attend(*arrays(depth=0), scale=1.0), attention(*arrays(depth=0), 1.0))


def test_under_transforms():
    q, k, v = arrays()
    sinks, mask = pb.array(normal(4)), pb.array(truth(5, 6))
    f = lambda q, k, v: attend(q, k, v, scale=0.6, mask=mask, sinks=sinks)
    qs, ks = pb.stack([q, -q, 2 * q]), pb.stack([k, k + 1, -k])
    loop = pb.stack([f(q, k, v) for q, k in zip(qs, ks, strict=True)])
    near(pb.vmap(f, (0, 0, None))(qs, ks, v), loop)
    near(pb.vmap(f, (0, None, None))(qs, k, v), pb.stack([f(q, k, v) for q in qs]))
    near(
        pb.vmap(lambda m: attend(q, k, v, scale=1.0, mask=m))(pb.stack([mask, ~mask])),
        pb.stack([attend(q, k, v, scale=1.0, mask=m) for m in (mask, ~mask)]),
    )
    near(pb.compile(f)(q, k, v), f(q, k, v))
    total = lambda q, k, v: (f(q, k, v) ** 2).sum()
    slope = pb.grad(total, (0, 1, 2))
    near(list(pb.compile(slope)(q, k, v)), list(slope(q, k, v)))
    near(
        pb.vmap(pb.grad(total), (0, 0, None))(qs, ks, v),
        pb.stack([pb.grad(total)(q, k, v) for q, k in zip(qs, ks, strict=True)]),
    )
    near(pb.grad(pb.checkpoint(total))(q, k, v), pb.grad(total)(q, k, v))


@pytest.mark.parametrize("mask", [None, "causal"])
def test_probabilities_are_not_kept(mask):
    """Their block would be 64 MiB; neither the value nor the derivative has a quarter of it at any time."""
    q, k, v = arrays(2048, 2048, heads=2, of_keys=2, depth=8, values=8)
    q, k, v = (x[:1] * 1 for x in (q, k, v))
    pb.eval(q, k, v)
    block = 2 * 2048 * 2048 * 4
    slope = pb.grad(lambda *x: (attend(*x, scale=0.3, mask=mask) ** 2).sum(), (0, 1, 2))
    for run in (lambda: attend(q, k, v, scale=0.3, mask=mask), lambda: slope(q, k, v)):
        pb.clear_cache()
        pb.reset_peak_memory()
        before = pb.get_active_memory()
        pb.eval(run())
        assert pb.get_peak_memory() - before < block / 2


def test_refuses():
    q, k, v = arrays()
    start = r"\[scaled_dot_product_attention\] expected "
    for wrong, what in [
        ((q[0], k, v), "q of shape"),
        ((q, k[0], v), "k of shape"),
        ((q, k, v[0]), "v of shape"),
    ]:
        with pytest.raises(ValueError, match=start + what):
            attend(*wrong, scale=1.0)
    with pytest.raises(ValueError, match=start + "k of shape"):
        attend(q, k[..., :2], v, scale=1.0)
    with pytest.raises(ValueError, match=start + "v of shape"):
        attend(q, k, v[:, :, :3], scale=1.0)
    with pytest.raises(ValueError, match=start + "a number of heads in q that is a multiple of 2"):
        attend(q[:, :3], k, v, scale=1.0)
    with pytest.raises(ValueError, match=start + "'causal' or an array as mask, got 'full'"):
        attend(q, k, v, scale=1.0, mask="full")
    for shape in [(5, 5), (3, 4, 5, 6), (1, 2, 4, 5, 6)]:
        with pytest.raises(ValueError, match=start + "a mask that broadcasts to"):
            attend(q, k, v, scale=1.0, mask=pb.zeros(shape))
    with pytest.raises(ValueError, match=start + "sinks of shape"):
        attend(q, k, v, scale=1.0, sinks=pb.zeros(2))
    halves = [x.astype(pb.float16) for x in (q, k, v)]
    with pytest.raises(TypeError, match=start + "a mask of a type that float16 takes in"):
        attend(*halves, scale=1.0, mask=pb.zeros((5, 6)))
    with pytest.raises(TypeError, match=start + "sinks of a type"):
        attend(*halves, scale=1.0, sinks=pb.zeros(4))
    with pytest.raises(TypeError, match=start + "a float type, got int32"):
        attend(*(x.astype(pb.int32) for x in (q, k, v)), scale=1.0)
    with pytest.raises(TypeError, match="scale"):
        attend(q, k, v)


@pytest.mark.parametrize("causal", [False, True])
def test_beside_jax(causal):
    jax = pytest.importorskip("jax")
    q, k, v = arrays(queries=6)
    theirs = lambda *x: jax.nn.dot_product_attention(
        *(jax.numpy.swapaxes(y, 1, 2) for y in x), scale=0.5, is_causal=causal
    )
    ours = lambda *x: attend(*x, scale=0.5, mask="causal" if causal else None)
    near(pb.swapaxes(ours(q, k, v), 1, 2), np.asarray(theirs(*map(numpy, (q, k, v)))))
    want = jax.grad(lambda *x: (theirs(*x) ** 2).sum(), (0, 1, 2))(*map(numpy, (q, k, v)))
    near(
        list(pb.grad(lambda *x: (ours(*x) ** 2).sum(), (0, 1, 2))(q, k, v)),
        [np.asarray(x) for x in want],
        1e-4,
    )
