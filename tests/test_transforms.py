"""grad, value_and_grad, vjp, jvp, vmap, checkpoint, compile: over trees, and nested."""

import dataclasses
import pickle
from collections import namedtuple

import numpy as np
import pullback as pb
import pytest
from common import close
from pullback.testing import check_grads

x3 = pb.array([1.0, 2.0, 3.0])
Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass(frozen=True)
class Layer:
    weight: pb.array
    bias: pb.array
    name: str = "layer"


def test_grad_of_a_scalar():
    assert pb.grad(lambda x: x**3)(pb.array(2.0)).item() == 12
    assert pb.grad(pb.grad(lambda x: x**3))(pb.array(2.0)).item() == 12
    assert pb.grad(pb.grad(pb.grad(lambda x: x**3)))(pb.array(2.0)).item() == 6
    assert pb.grad(lambda x: x * x)(3.0).item() == 6


def test_argnums_and_argnames():
    def f(x, y, *, z=None):
        return (x * y * (z if z is not None else 1)).sum()

    a, b, c = pb.array(2.0), pb.array(3.0), pb.array(5.0)
    assert pb.grad(f)(a, b).item() == 3
    assert pb.grad(f, 1)(a, b).item() == pb.grad(f, argnums=-1)(a, b).item() == 2
    assert [g.item() for g in pb.grad(f, (0, 1))(a, b)] == [3, 2]
    assert [g.item() for g in pb.grad(f, [1, 0])(a, b)] == [2, 3]
    none, named = pb.grad(f, argnames="z")(a, b, z=c)
    assert none is None and named["z"].item() == 6
    first, named = pb.grad(f, 0, ["z"])(a, b, z=c)
    assert (first.item(), named["z"].item()) == (15, 6)
    value, (_, named) = pb.value_and_grad(f, argnames=["z"])(a, b, z=c)
    assert (value.item(), named["z"].item()) == (30, 6)


@pytest.mark.parametrize(
    "make",
    [
        lambda a, b: {"a": a, "b": b},
        lambda a, b: [a, b],
        lambda a, b: (a, [b]),
        lambda a, b: Pair(a, b),
        lambda a, b: {"x": Pair(a, {"y": (b, None)})},
        lambda a, b: Layer(a, b),
        lambda a, b: [None, Layer(a, [b])],
    ],
)
def test_trees(make):
    def leaves(tree):
        if isinstance(tree, pb.array):
            return [tree]
        if isinstance(tree, dict):
            return [x for child in tree.values() for x in leaves(child)]
        if isinstance(tree, list | tuple):
            return [x for child in tree for x in leaves(child)]
        if dataclasses.is_dataclass(tree):
            return leaves([tree.weight, tree.bias])
        return []

    def loss(tree):
        a, b = leaves(tree)
        return (a * b).sum()

    tree = make(x3, x3 + 1)
    value, grads = pb.value_and_grad(loss)(tree)
    assert type(grads) is type(tree)
    got = leaves(grads)
    close(value, 20)
    close(got[0], x3 + 1)
    close(got[1], x3)
    close(leaves(pb.vmap(lambda t: t)(tree))[0], x3)
    close(leaves(pb.compile(lambda t: t)(tree))[1], x3 + 1)
    close(leaves(pb.grad(pb.checkpoint(loss))(tree))[0], x3 + 1)
    close(leaves(pb.stop_gradient(tree))[0], x3)


def test_aux():
    def f(x):
        return (x * x).sum(), x + 1, "text"

    (loss, more, text), g = pb.value_and_grad(f)(x3)
    assert loss.item() == 14 and text == "text"
    close(more, x3 + 1)
    close(g, 2 * x3)
    close(pb.grad(f)(x3), 2 * x3)
    g, aux = pb.grad(lambda x: (x.sum(), {"k": x}), has_aux=True)(x3)
    close(g, [1, 1, 1])
    close(aux["k"], x3)
    with pytest.raises(ValueError, match=r"expected \(loss, aux\)"):
        pb.grad(f, has_aux=True)(x3)


def test_vjp_and_jvp():
    outs, pulled = pb.vjp(lambda x, y: (x * y, x + y), [x3, x3], [pb.ones(3), pb.ones(3) * 2])
    close(outs[0], x3 * x3)
    close(pulled[0], x3 + 2)
    outs, pushed = pb.jvp(lambda x, y: x * y, [x3, x3], [pb.ones(3), pb.zeros(3)])
    close(pushed[0], x3)
    outs, pulled = pb.vjp(pb.sin, [x3], [pb.ones(3)])
    close(pulled[0], pb.cos(x3))
    outs, pulled = pb.vjp(lambda p: {"y": p["x"] * 2}, [{"x": x3}], [{"y": pb.ones(3)}])
    close(pulled[0]["x"], [2, 2, 2])
    with pytest.raises(ValueError, match=r"\[vjp\] expected 1 cotangent"):
        pb.vjp(pb.sin, [x3], [x3, x3])
    with pytest.raises(ValueError, match=r"\[vjp\]"):
        pb.vjp(pb.sin, [x3], [pb.ones(2)])
    with pytest.raises(ValueError, match=r"\[jvp\]"):
        pb.jvp(pb.sin, [x3], [])


@pytest.mark.parametrize("in_axes", [0, 1, -1, (0, None), (None, 1), (1, 0), [0, 0]])
@pytest.mark.parametrize("out_axes", [0, 1, -1])
def test_vmap_is_a_loop(in_axes, out_axes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(3, 3)).astype(np.float32) for _ in range(2))
    axes = list(in_axes) if isinstance(in_axes, tuple | list) else [in_axes] * 2
    got = pb.vmap(lambda x, y: pb.sin(x) * y, in_axes=in_axes, out_axes=out_axes)(pb.array(a), pb.array(b))

    def pick(v, axis, i):
        return v if axis is None else np.take(v, i, axis)

    want = np.stack([np.sin(pick(a, axes[0], i)) * pick(b, axes[1], i) for i in range(3)], out_axes)
    close(got, want)


def test_vmap_over_trees():
    f = pb.vmap(
        lambda p, x, flag: {"y": p["w"] * x, "k": p["k"]},
        in_axes=({"w": 0, "k": None}, 0, None),
        out_axes={"y": 0, "k": None},
    )
    out = f({"w": x3, "k": pb.array(7.0)}, x3, "static")
    close(out["y"], x3 * x3)
    close(out["k"], 7)
    close(pb.vmap(lambda *, x: x + 1)(x=x3), x3 + 1)
    close(pb.vmap(lambda: pb.array(1.0), axis_size=2)(), [1, 1])
    close(pb.vmap(pb.vmap(lambda a, b: a * b, (None, 0)), (0, None))(x3, x3), np.outer(x3, x3))
    assert pb.vmap(lambda x: (x, 2.0))(x3)[1] == 2.0


@pytest.mark.parametrize(
    "in_axes, out_axes, text",
    [
        (3, 0, "expected an axis of"),
        ((0, 0), 0, "in_axes"),
        ({"a": 0}, 0, "in_axes"),
        (None, 0, "axis_size"),
        (0, 5, "out axis"),
        (0, -5, "out axis"),
        (0, None, "without a mapped axis"),
        (0, (0, 0), "out_axes"),
        ("a", 0, "in_axes"),
    ],
)
def test_vmap_errors(in_axes, out_axes, text):
    with pytest.raises(ValueError, match=text):
        pb.vmap(lambda x: x, in_axes, out_axes)(x3)
    with pytest.raises(ValueError, match="size"):
        pb.vmap(lambda x, y: x + y)(x3, pb.zeros(2))


def test_nesting():
    def f(x):
        return pb.sin(x) * x

    g = pb.grad(f)
    close(pb.vmap(g)(x3), pb.cos(x3) * x3 + pb.sin(x3))
    close(pb.grad(lambda x: pb.vmap(f)(x).sum())(x3), pb.vmap(g)(x3))
    close(pb.compile(pb.vmap(g))(x3), pb.vmap(g)(x3))
    close(pb.vmap(pb.compile(g))(x3), pb.vmap(g)(x3))
    close(pb.grad(pb.compile(lambda x: f(x).sum()))(x3), pb.vmap(g)(x3))
    close(pb.vmap(pb.grad(pb.checkpoint(f)))(x3), pb.vmap(g)(x3))
    hessian = pb.vmap(lambda t: pb.jvp(pb.grad(lambda x: (x**3).sum()), [x3], [t])[1][0])(pb.eye(3))
    close(hessian, np.diag(6 * np.asarray(x3)))
    jacobian = pb.vmap(lambda t: pb.vjp(lambda x: x * x[::-1], [x3], [t])[1][0])(pb.eye(3))
    close(jacobian, [[3, 0, 1], [0, 4, 0], [3, 0, 1]])
    check_grads(f, [x3], order=3)


def test_closures_get_true_gradients():
    for wrap in [pb.checkpoint, pb.compile]:
        close(pb.grad(lambda w, wrap=wrap: wrap(lambda x: (x * w) ** 2)(pb.array(3.0)))(pb.array(2.0)), 36)


def test_values_inside_derivatives():
    def f(x):
        return x * x if x.item() > 0 else -x

    assert pb.grad(f)(pb.array(3.0)).item() == 6
    assert pb.grad(f)(pb.array(-3.0)).item() == -1
    assert pb.grad(lambda x: x * float(x))(pb.array(3.0)).item() == 3


def test_stop_gradient():
    assert pb.grad(lambda x: x * pb.stop_gradient(x * x))(pb.array(3.0)).item() == 9


def test_in_place_within_grad():
    def f(x):
        y = x * 1
        y += x
        y[0] = 5.0
        return (y * y).sum()

    close(pb.grad(f)(x3), [0, 16, 24])


@pytest.mark.parametrize("name", ["grad", "value_and_grad", "vmap", "checkpoint", "compile"])
def test_wrappers_look_like_functions(name):
    import inspect

    def original(x, y=1):
        """Say what it does."""

    wrapped = getattr(pb, name)(original)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.__wrapped__) == (
        "original",
        "Say what it does.",
        original,
    )
    assert str(inspect.signature(wrapped)) == "(x, y=1)"
    with pytest.raises(TypeError, match=rf"\[{name}\] expected a function"):
        getattr(pb, name)(x3)
    again = pickle.loads(pickle.dumps(getattr(pb, name)(pb.sin)))
    assert again.__wrapped__ is pb.sin

    class Model:
        scale = 2.0

        def method(self, x):
            return (x * self.scale).sum()

        more = {"argnums": 1} if "grad" in name else {"in_axes": (None, 0)} if name == "vmap" else {}
        method = getattr(pb, name)(method, **more)

    assert Model().method(x3) is not None


def test_grad_errors():
    with pytest.raises(ValueError, match=r"\[grad\] expected a scalar"):
        pb.grad(lambda x: x)(x3)
    with pytest.raises(TypeError, match=r"\[grad\] expected a float array for argument 0, got int32"):
        pb.grad(lambda x: x)(pb.array(1))
    with pytest.raises(TypeError, match=r"\[grad\] expected a scalar array from the function, got"):
        pb.grad(lambda x: [x.sum()])(x3)
    with pytest.raises(TypeError, match="got <class 'NoneType'>"):
        pb.grad(lambda x: None)(x3)
    with pytest.raises(ValueError, match="argnums"):
        pb.grad(lambda x: x, 1)(x3)
    with pytest.raises(ValueError, match="keyword argument 'z'"):
        pb.grad(lambda x: x, argnames="z")(x3)
    with pytest.raises(TypeError, match="for argument 0"):
        pb.grad(lambda x: x)("text")
    with pytest.raises(ValueError, match="twice"):
        pb.grad(lambda x: x, (0, 0))
    with pytest.raises(TypeError, match="expected a float scalar"):
        pb.grad(lambda x: pb.argmax(x))(x3)
    assert pb.grad(lambda x: x)(pb.array(1.0)).item() == 1


def test_compile_traces_once_for_each_structure():
    calls = []

    @pb.compile
    def f(x, k=1, **more):
        calls.append(1)
        return pb.exp(x) * k + sum(more.values())

    for _ in range(3):
        close(f(x3), np.exp(x3))
    assert len(calls) == 1
    close(f(x3, 2), 2 * np.exp(x3))
    close(f(x3, 2.0), 2 * np.exp(x3))
    close(f(pb.zeros(4)), np.ones(4))
    close(f(pb.zeros(3, pb.float16)), np.ones(3))
    close(f(x3, z=pb.array(1.0)), np.exp(x3) + 1)
    assert len(calls) == 6
    f(x3)
    assert len(calls) == 6


def test_compile_with_state():
    state = {"w": pb.array([1.0, 2.0]), "n": pb.array(0)}

    def step(x):
        state["w"] = state["w"] + x
        state["n"] += 1
        state["new"] = x
        return state["w"].sum()

    fast = pb.compile(step, inputs=state, outputs=state)
    for i in range(1, 4):
        assert fast(pb.array(1.0)).item() == 3 + 2 * i
        assert state["n"].item() == i and state["new"].item() == 1
    assert state["w"].tolist() == [4, 5]


def test_compile_draws_new_numbers_each_time():
    def f():
        return pb.random.uniform(shape=(3,))

    pb.random.seed(3)
    plain = [f().tolist() for _ in range(3)]
    pb.random.seed(3)
    fast = pb.compile(f)
    compiled = [fast().tolist() for _ in range(3)]
    assert plain == compiled and plain[0] != plain[1]


def test_compile_that_fails_leaves_nothing_behind():
    state = {"w": x3}

    def f(x):
        state["w"] = state["w"] + x
        raise KeyError("mine")

    fast = pb.compile(f, inputs=state, outputs=state)
    with pytest.raises(KeyError, match="mine"):
        fast(x3)
    assert state["w"].tolist() == [1, 2, 3]
    assert pb.random.uniform().item() < 1
    with pytest.raises(ValueError):
        pb.compile(lambda x: pb.array(x.item()))(pb.array(1.0))
    assert (x3 + 1).tolist() == [2, 3, 4]


def test_random_is_a_function_of_the_key():
    key = pb.random.key(7)
    assert pb.random.normal((3,), key=key).tolist() == pb.random.normal((3,), key=key).tolist()
    pb.random.seed(5)
    first = pb.random.uniform(shape=(2,)).tolist()
    assert pb.random.uniform(shape=(2,)).tolist() != first
    pb.random.seed(5)
    assert pb.random.uniform(shape=(2,)).tolist() == first
    from pullback.random import normal

    assert normal is pb.random.normal
    f = lambda x: x * pb.random.uniform()
    value, slope = pb.value_and_grad(f)(pb.array(1.0))
    assert value.item() == slope.item()
    value, slope = pb.value_and_grad(pb.checkpoint(f))(pb.array(1.0))
    assert value.item() == slope.item()
