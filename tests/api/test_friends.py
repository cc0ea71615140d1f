"""Arrays among others: NumPy, DLPack, ml_dtypes, pickle, notebooks, plots and tables."""

import copy
import io
import operator
import pickle
import sys

import numpy as np
import pullback as pb
import pytest

HALVES = [1.0, -2.5, float("inf"), 3.140625]


OPERATORS = "add sub mul truediv floordiv mod pow lt le eq ne gt ge"


@pytest.mark.parametrize("name", OPERATORS.split())
@pytest.mark.parametrize(
    "other", [np.array([4.0, 5.0, 6.0]), np.float32(2), np.float64(2), np.int64(2), np.array(2)], ids=repr
)
def test_operators_beside_numpy(name, other):
    x = pb.array([1.0, 2.0, 3.0])
    op = getattr(operator, name)
    for got, expected in ((op(other, x), op(other, np.asarray(x))), (op(x, other), op(np.asarray(x), other))):
        assert type(got) is pb.array
        np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-6)


def test_products_beside_numpy():
    x, a = pb.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    assert type(a @ x) is type(x @ a) is pb.array and (a @ x).tolist() == (a @ np.asarray(x)).tolist()
    assert type(np.array([True]) & pb.array([True])) is pb.array


def test_derivatives_go_through_operators_with_numpy():
    weights = np.array([1.0, 2.0], np.float32)
    assert pb.grad(lambda x: (weights * x + np.float32(1) - x).sum())(pb.array([1.0, 1.0])).tolist() == [
        0.0,
        1.0,
    ]


def test_numpys_functions_give_numpys_arrays():
    x = pb.array([0.5, 1.0])
    assert type(np.sin(x)) is type(np.add(np.ones(2), x)) is type(np.concatenate([x, x])) is np.ndarray
    assert np.sin(x).dtype == np.float32
    with pytest.raises(ValueError, match="tracer"):
        pb.compile(lambda x: pb.array(np.sin(x)))(x)


def test_asarray():
    x = pb.array([1.0, 2.0])
    assert not np.asarray(x).flags.writeable and np.shares_memory(np.asarray(x), np.asarray(x, copy=False))
    owned = np.asarray(x, copy=True)
    owned[0] = 7
    assert x.tolist() == [1.0, 2.0] and np.asarray(x, dtype="int8").tolist() == [1, 2]
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype="float64", copy=False)
    # A file reads into a buffer that it may write to.
    with pytest.raises(TypeError, match="read-write"):
        io.BytesIO(bytes(8)).readinto(x)


class Foreign:
    """The DLPack side of an array, and nothing else; `asked` is what its consumer wanted."""

    def __init__(self, x, copied=None, versions=True):
        self.x, self.copied, self.versions, self.asked = x, copied, versions, []

    def __dlpack__(self, **kwargs):
        self.asked.append(kwargs)
        if not self.versions and kwargs:
            raise TypeError("no versions here")
        return self.x.__dlpack__(copy=self.copied, **kwargs)

    def __dlpack_device__(self):
        return self.x.__dlpack_device__()


@pytest.mark.parametrize("versions", [True, False])
@pytest.mark.parametrize("copied", [None, True, False])
@pytest.mark.parametrize("dtype", ["bool_", "uint8", "int64", "float16", "bfloat16", "float64", "complex64"])
def test_dlpack_of_both_kinds(dtype, copied, versions):
    x = pb.array([[0, 1, 1], [1, 0, 1]], getattr(pb, dtype)).T
    foreign = Foreign(x, copied, versions)
    back = pb.from_dlpack(foreign)
    assert back.dtype == x.dtype and back.tolist() == x.tolist()
    assert foreign.asked[0]["max_version"][0] == 1


def test_dlpack_says_who_may_write():
    x = pb.array([1.0, 2.0])
    assert not np.from_dlpack(x).flags.writeable and np.shares_memory(np.from_dlpack(x), np.asarray(x))
    owned = np.from_dlpack(x, copy=True)
    owned[0] = 7
    assert x.tolist() == [1.0, 2.0] and owned.tolist() == [7.0, 2.0]
    capsules = [x.__dlpack__(), x.__dlpack__(max_version=(1, 1), dl_device=(1, 0), copy=True)]
    assert ["dltensor_versioned" in repr(capsule) for capsule in capsules] == [False, True]
    with pytest.raises(BufferError, match=r"^\[dlpack\]"):
        x.__dlpack__(dl_device=(2, 0))


def test_ml_dtypes_there_and_back():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    a = np.array([HALVES, HALVES[::-1]], ml_dtypes.bfloat16)
    x = pb.array(a)
    assert x.dtype == pb.bfloat16 and x.tolist() == a.tolist() and pb.array(a.T).tolist() == a.T.tolist()
    assert pb.array(a, dtype=pb.float32).dtype == pb.float32
    back = np.asarray(x)
    assert back.dtype == ml_dtypes.bfloat16 and back.tolist() == a.tolist() and not back.flags.writeable
    assert np.asarray(x, copy=False).dtype == back.dtype and np.array(x).flags.writeable
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    assert np.asarray(pb.zeros((0, 2), pb.bfloat16)).shape == (0, 2)
    assert type(np.ones(4, ml_dtypes.bfloat16) * x) is pb.array
    nan = pb.view(pb.array([0x7FC1], pb.uint16), pb.bfloat16)
    assert np.asarray(nan).view(np.uint16).tolist() == [0x7FC1]


def test_bfloat16_without_ml_dtypes(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    x = pb.array(HALVES, pb.bfloat16)
    assert np.asarray(x).dtype == np.float32 and np.asarray(x).tolist() == HALVES
    with pytest.raises(ValueError, match=r"^\[array\] expected that a copy may be made"):
        x.__array__(copy=False)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64", "bool_"])
def test_copies_and_pickles(dtype):
    x = pb.array([[1, 0], [1, 1]], getattr(pb, dtype)).T
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps({"x": x}, protocol))["x"]
        assert back.dtype == x.dtype and back.tolist() == x.tolist()
    for again in (copy.copy(x), copy.deepcopy([x])[0]):
        again += x
        assert x.tolist() != again.tolist() or dtype == "bool_"


def test_as_a_sequence():
    x = pb.array([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.tolist() for row in x] == x.tolist() and 3.0 in x and 7 not in x
    first, second = x
    assert second.tolist() == [3.0, 4.0] and first[::-1].tolist() == [2.0, 1.0]
    for bad in (len, iter, list, reversed):
        with pytest.raises(TypeError):
            bad(pb.array(1.0))


def test_from_the_last_row():
    x = pb.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    back = reversed(x)
    assert type(next(back)) is pb.array and [row.tolist() for row in back] == [[3.0, 4.0], [1.0, 2.0]]
    assert [n.item() for n in reversed(pb.arange(3))] == [2, 1, 0] and list(reversed(pb.zeros((0, 2)))) == []
    last_wins = lambda x: sum(row * k for k, row in enumerate(reversed(x)))
    assert pb.compile(last_wins)(x).tolist() == last_wins(x).tolist() == [5.0, 8.0]
    assert pb.grad(lambda x: last_wins(x).sum())(x).tolist() == [[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("way", ["array", "asarray", "dlpack", "buffer", "pickle", "callback"])
def test_whatever_is_not_zero_is_true(way):
    bytes_ = np.array([[2, 0, 1], [255, 0, 128]], np.uint8)
    bad = bytes_.view(np.bool_)
    x = {
        "array": lambda: pb.array(bad),
        "asarray": lambda: pb.asarray(bad),
        "dlpack": lambda: pb.from_dlpack(bad),
        "buffer": lambda: pb.array(memoryview(bytes_).cast("B").cast("?", (2, 3))),
        "pickle": lambda: pickle.loads(pickle.dumps(pb.array(bad))),
        "callback": lambda: pb.pure_callback(lambda: bad, pb.ShapeDtypeStruct((2, 3), pb.bool_)),
    }[way]()
    want = bytes_ != 0
    assert x.dtype == pb.bool_ and np.asarray(x).view(np.uint8).tolist() == want.astype("u1").tolist()
    assert pb.sum(x).item() == 4 and pb.sum(x, axis=1).tolist() == [2, 2]
    assert (x == True).tolist() == want.tolist() and (~x).tolist() == (~want).tolist()  # noqa: E712
    assert (
        pb.array_equal(x, pb.array(want)).item() and x.astype(pb.int32).tolist() == want.astype(int).tolist()
    )
    assert pb.argmax(x.T).item() == 0 and pb.view(x, pb.uint8).max().item() == 1
    assert pb.where(x, 1.0, 2.0).tolist() == np.where(want, 1.0, 2.0).tolist()


def test_page():
    page = pb.array([[1.5, 2], [3, 4]])._repr_html_()
    assert "(2, 2), float32" in page and "Device(cpu, 0)" in page
    assert "<tr><td>1.5</td><td>2</td></tr><tr><td>3</td><td>4</td></tr>" in page
    assert (
        "<td>True</td>" in pb.array(True)._repr_html_()
        and "<td>1+2j</td>" in pb.array([1 + 2j])._repr_html_()
    )
    assert "(0, 3)" in pb.zeros((0, 3))._repr_html_() and "<td>" not in pb.zeros((0, 3))._repr_html_()
    large = pb.arange(10**6).reshape(10, 100, 1000)._repr_html_()
    assert large.count("<tr>") == 9 and large.count("…") == 8 + 11 and "[0, :, :]" in large
    with pb.printoptions(precision=2):
        assert "<td>3.1</td>" in pb.array([3.14159])._repr_html_()


@pytest.mark.parametrize("transform", ["compile", "vmap", "grad", "checkpoint"])
def test_page_of_a_tracer(transform):
    pages = []

    def fun(x):
        pages.extend([x._repr_html_(), (x * 2)._repr_html_()])
        return (x * x).sum()

    x = pb.array([[1.0, 2.0], [3.0, 4.0]])
    getattr(pb, transform)(fun)(x)
    assert len(pages) >= 2 and all(page.startswith("<div>") and "float32" in page for page in pages)
    assert transform not in ("compile", "vmap") or all("traced" in page for page in pages)


def test_plots():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    x = pb.linspace(0, 1, 5)
    figure, axes = plt.subplots()
    (line,) = axes.plot(x, x * x)
    assert line.get_ydata().tolist() == (x * x).tolist() and line.get_xdata().tolist() == x.tolist()
    assert axes.scatter(x, x).get_offsets().shape == (5, 2)
    assert axes.imshow(pb.ones((2, 3))).get_array().shape == (2, 3)
    assert axes.hist(x)[0].sum() == 5
    figure.canvas.draw()
    plt.close(figure)


def test_tables():
    pandas = pytest.importorskip("pandas")
    x = pb.array([1.0, 2.0, 3.0])
    series = pandas.Series(x)
    assert series.dtype == np.float32 and series.tolist() == x.tolist()
    frame = pandas.DataFrame({"a": x, "b": pb.array([1, 2, 3])})
    assert frame.dtypes.tolist() == [np.float32, np.int32] and frame["b"].sum() == 6
    assert pandas.DataFrame(pb.ones((2, 3))).shape == (2, 3)
    assert pb.array(frame["a"]).tolist() == x.tolist()
    assert pb.array(frame.to_numpy()).shape == (3, 2)
