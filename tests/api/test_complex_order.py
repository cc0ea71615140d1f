"""What follows from the order of complex numbers: running and middle ones, and places among others."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import close, exactly, numpy, same, values

NAN, INF = np.nan, np.inf
# NumPy's ufunc, and what is before the first element.
EXTREMES = {"cummax": (np.maximum, complex(-INF, -INF)), "cummin": (np.minimum, complex(INF, INF))}


def ties(shape, seed=0):
    """Numbers among which are equal ones, and ones with an equal part."""
    rng = np.random.default_rng([seed, *shape])
    return (rng.integers(-2, 3, shape) + 1j * rng.integers(-2, 3, shape)).astype("complex64")


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("shape", [(7,), (4, 30), (1, 700), (3, 300, 2), (0,), (2, 0, 3), (0, 4)])
def test_running_extremes(name, shape, device):
    z = ties(shape)
    ufunc, before = EXTREMES[name]
    for axis in range(-len(shape), len(shape)):
        want = ufunc.accumulate(z, axis)
        back = np.flip(ufunc.accumulate(np.flip(z, axis), axis), axis)
        start = np.full([1 if i == axis % z.ndim else n for i, n in enumerate(shape)], before, "complex64")
        later = np.delete(np.concatenate([start, want], axis), -1, axis)
        same(getattr(pb, name)(exactly(z), axis=axis), want)
        same(getattr(pb, name)(exactly(z), axis=axis, reverse=True), back)
        same(getattr(pb, name)(exactly(z), axis=axis, inclusive=False), later if 0 not in shape else z)
    same(getattr(pb, name)(exactly(z)), ufunc.accumulate(z.reshape(-1)))


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("nan", [complex(NAN, 1), complex(1, NAN)])
def test_a_running_extreme_stays_at_the_first_nan(name, nan, device):
    z = ties((2, 400))
    z[0, 150] = nan
    z[1, [3, 300]] = nan
    want = EXTREMES[name][0].accumulate(z, 1)
    assert np.isnan(want[0, 150:]).all() and not np.isnan(want[0, :150]).any()
    same(getattr(pb, name)(exactly(z), axis=1), want)


@pytest.mark.parametrize("name", EXTREMES)
def test_derivatives_of_running_extremes(name, device):
    z = np.array([1 + 2j, 3 - 1j, 3 + 1j, -2, 3 + 1j, 5j, -2], "complex64")
    weights = np.arange(1, 8) * (1 + 0.5j)
    x, w = exactly(z), exactly(weights.astype("complex64"))
    # Of equal elements the latest is the record.
    held = {"cummax": [0, 1, 2, 2, 4, 4, 4], "cummin": [0, 0, 0, 3, 3, 3, 6]}[name]
    want = np.zeros(7, "complex64")
    np.add.at(want, held, weights)
    fun = getattr(pb, name)
    (y,), (g,) = pb.vjp(fun, [x], [w])
    same(y, z[held])
    same(g, want)
    _, (t,) = pb.jvp(fun, [x], [w])
    same(t, weights.astype("complex64")[held])
    rows = ties((3, 9))
    same(pb.vmap(fun)(exactly(rows)), EXTREMES[name][0].accumulate(rows, 1))
    same(pb.compile(fun)(exactly(rows)), EXTREMES[name][0].accumulate(rows.reshape(-1)))


@pytest.mark.parametrize("shape", [(6,), (3, 5), (2, 3, 4), (0, 2)])
def test_running_sums_of_powers(shape, device):
    z = values("complex64", shape) * 2
    for axis in range(len(shape)):
        sums = np.cumsum(np.exp(z.astype("complex128")), axis)
        back = np.flip(np.cumsum(np.flip(np.exp(z.astype("complex128")), axis), axis), axis)
        got = pb.logcumsumexp(exactly(z), axis=axis)
        assert got.dtype == pb.complex64
        for y, want in ((got, sums), (pb.logcumsumexp(exactly(z), axis=axis, reverse=True), back)):
            np.testing.assert_allclose(np.exp(numpy(y).astype("complex128")), want, rtol=2e-5, atol=2e-5)
        if z.size:
            late = numpy(pb.logcumsumexp(exactly(z), axis=axis, inclusive=False)).astype("complex128")
            first, rest = np.split(late, [1], axis)
            assert (first == complex(-INF, 0)).all()
            np.testing.assert_allclose(np.exp(rest), np.delete(sums, -1, axis), rtol=2e-5, atol=2e-5)
    huge = pb.array([1000 + 1j, 1000 + 1j, complex(-INF, 0)])
    close(pb.logcumsumexp(huge), np.array([1000 + 1j, *[1000 + np.log(2) + 1j] * 2], "complex64"))


def parted(fun):
    """A function of complex numbers as one of their parts, with a real result."""

    def of(re, im):
        y = fun(re.astype(pb.complex64) + 1j * im)
        return y.real * 0.7 + y.imag * 0.3

    return of


SMOOTH = {
    "logcumsumexp": lambda z: pb.logcumsumexp(z, axis=0),
    "median": lambda z: pb.median(z * z, axis=0),
    "sort": lambda z: pb.sort(z * z, axis=0) * pb.arange(4)[:, None],
    "unique": lambda z: pb.unique(z, 6) ** 2,
    "at maximum": lambda z: z[:2].at[pb.array([1, 1, 0])].maximum(z[1:] * 2),
    "at minimum": lambda z: z[:2].at[pb.array([1, 1, 0])].minimum(z[1:] * 2),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_maps_and_compiled_functions(name, device):
    fun, x = SMOOTH[name], exactly(values("complex64", (4, 3), 5))
    testing.check_grads(parted(fun), [x.real, x.imag], order=1)
    batch = exactly(values("complex64", (2, 4, 3), 6))
    close(pb.vmap(fun)(batch), np.stack([numpy(fun(row)) for row in batch]), ulps=64)
    close(pb.compile(fun)(x), numpy(fun(x)), ulps=64)


@pytest.mark.parametrize("shape", [(1,), (6,), (7,), (4, 5), (2, 3, 4)])
def test_the_middle_one(shape, device):
    z = ties(shape)
    for axis in [None, *range(-len(shape), len(shape)), tuple(range(len(shape)))]:
        for keepdims in (False, True):
            same(
                pb.median(exactly(z), axis=axis, keepdims=keepdims),
                np.median(z, axis=axis, keepdims=keepdims),
            )
    z.reshape(-1)[-1] = complex(1, NAN)
    assert np.isnan(pb.median(exactly(z)).item())
    with pytest.raises(ValueError, match=r"\[median\] expected an element to choose"):
        pb.median(pb.zeros((0, 2), pb.complex64), axis=0)


NANS = np.array([1 + 2j, 3 - 1j, complex(NAN, 1), complex(1, NAN), 9 + 1j, 5j], "complex64")


def test_nan_is_last_in_order(device):
    order = [5, 0, 1, 4, 2, 3]
    assert pb.argsort(exactly(NANS)).tolist() == order
    same(pb.sort(exactly(NANS)), NANS[order])
    places = {"left": [1, 2, 4, 4, 3, 0], "right": [2, 3, 6, 6, 4, 1]}
    for side, want in places.items():
        assert pb.searchsorted(exactly(NANS[order]), exactly(NANS), side=side).tolist() == want
    # As with real numbers, each differs from all others.
    twice = pb.unique(exactly(np.concatenate([NANS, NANS])), None, False, False, True)
    assert twice[1].tolist() == [2, 2, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("side", ["left", "right"])
def test_places_among_others(side, device):
    ordered = np.sort(ties((40,)))
    for other in (ties((3, 5), 1), np.complex64(1 - 1j), ties((0,)), np.arange(-3, 3, dtype="float32")):
        got = pb.searchsorted(exactly(ordered), exactly(other), side=side)
        same(got, np.searchsorted(ordered, other, side=side).astype("uint32"))
    assert pb.searchsorted(pb.zeros((0,), pb.complex64), pb.array([1j]), side=side).tolist() == [0]


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize("nan", [None, complex(NAN, 1), complex(1, NAN)])
def test_extremes_where_rows_are_written(name, nan, device):
    z, updates, at = ties((5, 3)), ties((6, 3), 1), np.array([1, 4, 1, 0, -1, 1])
    if nan is not None:
        updates[2, 1], z[3, 0], updates[3, 2] = nan, nan, nan
    want = z.copy()
    getattr(np, name).at(want, at, updates)
    same(getattr(exactly(z).at[pb.array(at)], name)(exactly(updates)), want)
    same(getattr(exactly(z).at[1:3, None, 0], name)(1 + 1j), written(z, name))


def written(z, name):
    want = z.copy()
    want[1:3, 0] = getattr(np, name)(want[1:3, 0], 1 + 1j)
    return want


def test_equal_ones_share_what_is_written(device):
    x, u = pb.array([1 + 1j, 2j]), pb.array([1 + 1j, 1 + 1j, 3j])
    call = lambda x, u: x.at[pb.array([0, 0, 1])].maximum(u)
    _, (gx, gu) = pb.vjp(call, [x, u], [pb.array([3 + 0j, 5j])])
    close(gx, np.array([1, 0], "complex64"))
    close(gu, np.array([1, 1, 5j], "complex64"))
