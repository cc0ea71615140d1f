"""Calls from a graph back to Python: under every transform, in order, with errors, on every device."""

import traceback
import warnings
from collections import namedtuple

import numpy as np
import pullback as pb
import pytest
from common import close
from pullback import _core

F32 = pb.float32
SCALAR = pb.ShapeDtypeStruct((), F32)


def like(x):
    return pb.ShapeDtypeStruct(x.shape, x.dtype)


def host_sin(x, method="sequential"):
    return pb.pure_callback(np.sin, like(x), x, vmap_method=method)


def with_rule(method="sequential"):
    """`sin` by the host, whose derivative is ours."""

    @pb.custom_function
    def f(x):
        return host_sin(x, method)

    @f.vjp
    def f_vjp(primals, cotangents, outputs):
        return pb.cos(primals) * cotangents

    @f.jvp
    def f_jvp(primals, tangents):
        return pb.cos(primals) * tangents

    return f


class Counted:
    """A function that counts its calls, and keeps the shapes that it saw."""

    def __init__(self, fun):
        self.fun = fun
        self.shapes = []

    def __call__(self, *args, **kwargs):
        self.shapes.append(tuple(np.shape(x) for x in args))
        return self.fun(*args, **kwargs)

    @property
    def count(self):
        return len(self.shapes)


# Values and structures.


def test_value(device):
    x = pb.array([0.0, 1.0, 2.0])
    y = host_sin(x * 2) + 1
    close(y, np.sin([0, 2, 4]) + 1)


def test_it_is_called_when_somebody_looks_and_once():
    f = Counted(np.exp)
    x = pb.array([0.0, 1.0])
    y = pb.pure_callback(f, x, x)
    z = y + 1
    assert f.count == 0
    close(z, np.exp([0, 1]) + 1)
    close(y, np.exp([0, 1]))
    assert f.count == 1


def test_arguments_are_numpy_arrays_that_cannot_be_written_to(device):
    def f(x, scale, pair, *, named):
        assert all(isinstance(part, np.ndarray) for part in (x, scale, named["k"]))
        assert isinstance(pair, tuple) and pair[1] == "text" and x.dtype == np.float32
        assert not x.flags.writeable
        with pytest.raises(ValueError):
            x[0] = 1
        return x * scale + pair[0] + named["k"]

    x = pb.array([[1.0, 2.0], [3.0, 4.0]])
    y = pb.pure_callback(f, x, x.T, 2.0, (np.float32(1), "text"), named={"k": x})
    close(y, np.array([[1, 3], [2, 4]]) * 2 + 1 + np.array([[1, 2], [3, 4]]))


def test_trees_of_results(device):
    Pair = namedtuple("Pair", ["a", "b"])
    shape = {"n": pb.ShapeDtypeStruct((), "int32"), "p": Pair(SCALAR, [np.zeros((2, 2), np.float32)])}

    def f(x):
        return {"p": Pair(x.sum(), [np.outer(x, x)]), "n": np.int32(7)}

    out = pb.pure_callback(f, shape, pb.array([1.0, 2.0]))
    assert isinstance(out["p"], Pair)
    assert out["n"].item() == 7 and out["n"].dtype == pb.int32
    close(out["p"].a, 3)
    close(out["p"].b[0], [[1, 2], [2, 4]])
    assert pb.pure_callback(f, (), pb.array(1.0)) == ()


def test_zero_size(device):
    x = pb.zeros((0, 3))
    assert host_sin(x).shape == (0, 3)
    y = pb.pure_callback(lambda x: x.sum(axis=0), pb.ShapeDtypeStruct((3,), F32), x) + 1
    close(y, np.ones(3))
    assert pb.vmap(host_sin)(x).tolist() == []


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "int64", "float16", "float64", "complex64", "bfloat16"]
)
def test_dtypes(dtype, device):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        x = pb.array([1, 0, 1]).astype(dtype)
        y = pb.pure_callback(lambda x: x, x, x)
        assert y.dtype == x.dtype
        assert y.tolist() == x.tolist()


def test_results_may_be_numbers_doubles_and_arrays_of_ours():
    x = pb.array([1.0, 2.0])
    assert pb.pure_callback(lambda x: 3, SCALAR, x).item() == 3
    assert pb.pure_callback(lambda x: np.float64(2.5), SCALAR, x).item() == 2.5
    close(pb.pure_callback(lambda x: x.astype(np.float64) / 3, x, x), [1 / 3, 2 / 3])
    close(pb.pure_callback(lambda x: pb.array(x) * 2, x, x), [2, 4])
    wide = pb.ShapeDtypeStruct((), "float64")
    assert pb.pure_callback(lambda x: np.float64(0.1), wide, x).item() == 0.1
    assert pb.pure_callback(lambda x: np.array(0.1), wide, x).item() == 0.1


@pytest.mark.parametrize(
    "fun, text",
    [
        (lambda x: x[:2], "[pure_callback] expected float32[3] for result 0, got float32[2]"),
        (lambda x: x.astype(np.int32), "[pure_callback] expected float32[3] for result 0, got int32[3]"),
        (lambda x: 1.0, "[pure_callback] expected float32[3] for result 0, got float32[]"),
        (lambda x: None, "[pure_callback] expected an array for result 0, got None"),
        (lambda x: (x,), "[pure_callback] expected an array for result 0, got a sequence of 1"),
        (lambda x: "text", "[pure_callback] expected an array for result 0, got a str"),
        (lambda x: pb.array(x, dtype=pb.float64), "expected float32[3] for result 0, got float64[3]"),
    ],
)
def test_wrong_results(fun, text):
    x = pb.array([1.0, 2.0, 3.0])
    with pytest.raises((ValueError, TypeError)) as caught:
        pb.eval(pb.pure_callback(fun, x, x))
    assert text in str(caught.value)
    close(host_sin(x), np.sin([1, 2, 3]))


def test_wrong_structures():
    x = pb.array(1.0)
    with pytest.raises(ValueError, match=r"\[pure_callback\] result: expected a dict with keys 'a', got 'b'"):
        pb.eval(pb.pure_callback(lambda x: {"b": x}, {"a": x}, x))
    with pytest.raises(ValueError, match=r"\[pure_callback\] result: expected a sequence of 2"):
        pb.eval(pb.pure_callback(lambda x: (x,), (x, x), x))
    with pytest.raises(TypeError, match="a shape and a dtype for result 0, got a str"):
        pb.pure_callback(lambda x: x, "float32", x)
    with pytest.raises(TypeError, match="expected a function"):
        pb.pure_callback(3, x, x)
    with pytest.raises(ValueError, match="'broadcast_all', got 'loop'"):
        pb.pure_callback(lambda x: x, x, x, vmap_method="loop")


# Exceptions.


class Own(Exception):
    pass


def test_exceptions_keep_type_and_frames_and_the_engine_works_on(device):
    fail = [True]

    def raiser(x):
        if fail[0]:
            raise Own("not today")
        return x

    x = pb.array([1.0, 2.0])
    y = pb.pure_callback(raiser, x, x + 1)
    z = y * 2
    for _ in range(2):
        with pytest.raises(Own, match="not today") as caught:
            pb.eval(z)
        assert "raiser" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert any("pure_callback called at" in note for note in caught.value.__notes__)
    fail[0] = False
    close(z, [4, 6])


@pytest.mark.parametrize("transform", [pb.compile, pb.vmap, lambda f: pb.grad(lambda x: f(x).sum())])
def test_exceptions_through_transforms(transform):
    def raiser(x):
        raise Own("no")

    @pb.custom_function
    def f(x):
        return pb.pure_callback(raiser, like(x), x, vmap_method="sequential")

    @f.vjp
    def f_vjp(primals, cotangents, outputs):
        return cotangents * outputs

    with pytest.raises(Own):
        pb.eval(transform(f)(pb.array([1.0, 2.0])))
    assert pb.array(1.0).item() == 1


def test_numpy_asks_once_for_what_fails():
    calls = []

    def raiser(x):
        calls.append(x)
        raise KeyboardInterrupt if len(calls) == 1 else Own(len(calls))

    x = pb.array(1.0)
    y = pb.pure_callback(raiser, x, x)
    with pytest.raises(KeyboardInterrupt):
        np.asarray(y)
    for count in (2, 3):
        with pytest.raises(Own, match=str(count)):
            np.array(y)
    with pytest.raises(Own, match="4"):
        y.__array__()
    with pytest.raises(Own, match="5"):
        y.__array__()


def test_keyboard_interrupt_comes_out():
    def stop(x):
        raise KeyboardInterrupt

    x = pb.array(1.0)
    with pytest.raises(KeyboardInterrupt):
        pb.eval(pb.pure_callback(stop, x, x))


# Transforms.


def test_no_derivative_without_a_rule():
    x = pb.array(1.0)
    with pytest.raises(pb.RuleError, match="'pure_callback' has no derivative: wrap it in a custom function"):
        pb.grad(host_sin)(x)
    with pytest.raises(pb.RuleError, match="wrap it in a custom function with a rule"):
        pb.jvp(host_sin, [x], [x])


def test_constants_of_a_derivative():
    x = pb.array(0.5)
    f = lambda x: x * host_sin(pb.stop_gradient(x))
    close(pb.grad(f)(x), np.sin(0.5))
    close(pb.jvp(f, [x], [x])[1][0], 0.5 * np.sin(0.5))

    def steered(x):
        sign = pb.pure_callback(lambda x: np.sign(x).astype(np.int32), pb.ShapeDtypeStruct((), "int32"), x)
        return x * sign

    close(pb.grad(steered)(-x), -1)
    close(pb.jvp(steered, [-x], [x])[1][0], -0.5)


def test_rules_replace_the_callback(device):
    calls = Counted(np.sin)

    @pb.custom_function
    def f(x):
        return pb.pure_callback(calls, like(x), x)

    @f.vjp
    def f_vjp(primals, cotangents, outputs):
        return pb.cos(primals) * cotangents

    x = pb.array(0.3)
    close(pb.grad(f)(x), np.cos(0.3))
    assert calls.count == 0
    value, slope = pb.value_and_grad(f)(x)
    close(value, np.sin(0.3))
    close(slope, np.cos(0.3))
    assert calls.count == 1
    close(pb.grad(pb.grad(f))(x), -np.sin(0.3))


@pytest.mark.parametrize("method", ["sequential", "expand_dims", "broadcast_all"])
def test_compositions(method, device):
    f = with_rule(method)
    x = pb.array([0.1, 0.2, 0.3])
    s, c = np.sin([0.1, 0.2, 0.3]), np.cos([0.1, 0.2, 0.3])
    close(pb.vmap(f)(x), s)
    close(pb.vmap(pb.grad(f))(x), c)
    close(pb.grad(lambda x: pb.vmap(f)(x).sum())(x), c)
    close(pb.compile(f)(x), s)
    close(pb.compile(pb.vmap(f))(x), s)
    close(pb.vmap(pb.compile(f))(x), s)
    close(pb.compile(pb.vmap(pb.grad(f)))(x), c)
    close(pb.grad(lambda x: pb.checkpoint(f)(x).sum())(x), c)
    close(pb.grad(lambda x: pb.checkpoint(lambda x: f(f(x)))(x).sum())(x), np.cos(s) * c)
    close(pb.jvp(lambda x: pb.vmap(f)(x), [x], [x])[1][0], c * [0.1, 0.2, 0.3])
    grid = pb.stack([x, x + 1])
    close(pb.vmap(pb.vmap(f))(grid), np.sin(np.asarray(grid)))
    close(pb.vmap(pb.vmap(pb.grad(f)), in_axes=1)(grid), np.cos(np.asarray(grid).T))


def test_vmap_methods():
    x, y = pb.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), pb.array([10.0, 20.0])
    want = np.asarray(x) + np.asarray(y)
    shapes = {
        "sequential": [((2,), (2,))] * 3,
        "expand_dims": [((3, 2), (1, 2))],
        "broadcast_all": [((3, 2), (3, 2))],
    }
    for method, seen in shapes.items():
        f = Counted(np.add)
        g = lambda x, y: pb.pure_callback(f, like(x), x, y, vmap_method=method)
        close(pb.vmap(g, in_axes=(0, None))(x, y), want)
        assert f.shapes == seen
        close(pb.vmap(g, in_axes=(1, None), out_axes=1)(x.T, y), want.T)
    with pytest.raises(pb.RuleError, match="give vmap_method='sequential', 'expand_dims' or 'broadcast_all'"):
        pb.vmap(lambda x: pb.pure_callback(np.sin, like(x), x))(x)
    # Where nothing is mapped there is nothing to say.
    close(pb.vmap(lambda x: x + pb.pure_callback(np.sin, y, y))(x), np.asarray(x) + np.sin([10, 20]))


def test_numbers_are_arguments_like_others():
    f = Counted(lambda x, s: x * s)
    g = lambda x: pb.pure_callback(f, like(x), x, 3.0, vmap_method="expand_dims")
    close(pb.vmap(g)(pb.array([1.0, 2.0])), [3, 6])
    assert f.shapes == [((2,), (1,))]


def test_nested_maps_of_different_arguments():
    x, y = pb.array([1.0, 2.0, 3.0]), pb.array([10.0, 20.0])
    for method in ["sequential", "expand_dims", "broadcast_all"]:
        f = lambda x, y: pb.pure_callback(np.add, SCALAR, x, y, vmap_method=method)
        got = pb.vmap(lambda y: pb.vmap(lambda x: f(x, y))(x))(y)
        close(got, np.add.outer([10, 20], [1, 2, 3]))


def test_sequential_calls_come_in_order():
    seen = []

    def f(x, y):
        seen.append((float(x), float(y)))
        return x

    g = lambda x, y: pb.pure_callback(f, SCALAR, x, y, vmap_method="sequential")
    inner = lambda x: pb.vmap(lambda y: g(x, y))(pb.array([1.0, 2.0, 3.0]))
    pb.eval(pb.vmap(inner)(pb.array([10.0, 20.0])))
    assert seen == [(x, y) for x in (10, 20) for y in (1, 2, 3)]


def test_many_examples_make_one_plan():
    n = 3000
    close(pb.vmap(host_sin)(pb.arange(n, dtype=F32)), np.sin(np.arange(n, dtype=np.float32)), atol=1e-5)


def test_compiled_functions_call_again():
    f = Counted(np.exp)
    g = pb.compile(lambda x: pb.pure_callback(f, like(x), x) + pb.pure_callback(f, like(x), x))
    for value in (0.0, 1.0, 2.0):
        close(g(pb.array(value)), 2 * np.exp(value))
    # Two calls are two closures here, although they call one function.
    assert f.count == 6 and g._entries == 1


def test_a_body_that_asks_for_elements_is_told_of_pure_callback():
    with pytest.raises(ValueError, match="pure_callback"):
        pb.compile(lambda x: x.item())(pb.array(1.0))


def test_on_the_gpu():
    if not pb.is_available(pb.gpu):
        pytest.skip("no gpu here")
    with pb.stream(pb.gpu):
        x = pb.array([1.0, 2.0, 3.0])
        y = pb.pure_callback(np.sqrt, x, x * 4)
        z = pb.vmap(lambda x: host_sin(x) * 2)(y)
        close(z, 2 * np.sin(2 * np.sqrt([1, 2, 3])))
    w = host_sin(z) + y
    close(w, np.sin(2 * np.sin(2 * np.sqrt([1, 2, 3]))) + 2 * np.sqrt([1, 2, 3]))


# The layer below, and what is refused.


def test_host_calls_give_and_take_arrays_of_ours(device):
    def f(x, tree):
        assert isinstance(x, pb.array) and isinstance(tree["y"], pb.array)
        return {"sum": x + tree["y"], "both": (x, tree["y"] * 2)}

    x, y = pb.array([1.0, 2.0]), pb.array([3.0, 4.0])
    out = _core._host_call(f, {"sum": x, "both": (x, x)}, (x, {"y": y}))
    close(out["sum"], [4, 6])
    close(out["both"][1], [6, 8])
    g = lambda x: _core._host_call(lambda x: pb.sin(x), like(x), (x,), "sequential")
    close(pb.vmap(g)(x), np.sin([1, 2]))
    with pytest.raises(pb.RuleError, match="'host_call' has no derivative"):
        pb.grad(lambda x: g(x).sum())(x)


def test_io_callback_is_refused():
    with pytest.raises(NotImplementedError, match=r"\[io_callback\] .*pure_callback.*debug.print"):
        pb.io_callback(print, None, pb.array(1.0), ordered=True)


def test_shape_dtype_struct():
    one = pb.ShapeDtypeStruct((2, 3), np.float32)
    assert one == pb.ShapeDtypeStruct([2, 3], "float32") and hash(one) == hash(
        pb.ShapeDtypeStruct((2, 3), F32)
    )
    assert one != pb.ShapeDtypeStruct((2, 3), "int32") and one != 3
    assert (one.shape, one.dtype, one.ndim, one.size) == ((2, 3), F32, 2, 6)
    with pytest.raises(ValueError, match="not negative"):
        pb.ShapeDtypeStruct((-1,), F32)
