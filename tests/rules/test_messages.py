"""What a rule returns is checked: whatever is malformed raises an error that names function and argument."""

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import near

Q, K = pb.ones(3), {"w": pb.ones((8, 64)), "b": pb.zeros(2)}
V = pb.array([1, 2, 3])


def attention(returned):
    """A function of an array, a dict and integers, whose vjp rule returns what it is told."""

    @pb.custom_function
    def attention(q, k, v):
        return q.sum() + k["w"].sum() + k["b"].sum() + v.sum()

    attention.vjp(lambda primals, g, y: returned(g) if callable(returned) else returned)
    return attention


def gradients(returned):
    return pb.grad(attention(returned), argnums=(0, 1))(Q, K, V)


ZERO_K = {"w": pb.zeros((8, 64)), "b": pb.zeros(2)}
REFUSED = {
    "too few": ((Q, ZERO_K), " returned 2 gradients for 3 arguments (q, k, v)"),
    "too many": ((Q, ZERO_K, None, None), " returned 4 gradients for 3 arguments (q, k, v)"),
    "one array": (Q, " returned 1 gradient for 3 arguments (q, k, v)"),
    "nothing": (None, " returned None: did it forget to return? (return pb.zeros_like(x) for zero)"),
    "shape": ((pb.ones(2), None, None), ", argument q: expected float32[3], got float32[2]"),
    "more axes": ((pb.ones((1, 3)), None, None), ", argument q: expected float32[3], got float32[1, 3]"),
    "shape in a dict": (
        (None, {"w": pb.ones((8, 32)), "b": None}, None),
        ", argument k['w']: expected float32[8, 64], got float32[8, 32]",
    ),
    "missing key": (
        (None, {"w": ZERO_K["w"]}, None),
        ", argument k: expected a dict with keys 'w', 'b', got 'w'",
    ),
    "strange key": (
        (None, {**ZERO_K, "z": 1}, None),
        ", argument k: expected a dict with keys 'w', 'b', got 'w', 'b', 'z'",
    ),
    "no dict": ((None, [ZERO_K["w"], ZERO_K["b"]], None), ", argument k: expected a dict, got a list of 2"),
    "a number for a dict": ((None, 1.0, None), ", argument k: expected a dict, got a float"),
    "text": (("zero", None, None), ", argument q: expected float32[3], got a str"),
    "object": ((object(), None, None), ", argument q: expected float32[3], got a object"),
    "integers": ((pb.array([1, 2, 3]), None, None), ", argument q: expected float32[3], got int32[3]"),
    "booleans": ((pb.array([True] * 3), None, None), ", argument q: expected float32[3], got bool[3]"),
    "complex": ((pb.array([1j] * 3), None, None), ", argument q: expected float32[3], got complex64[3]"),
    "a tuple inside": (((Q, Q), None, None), ", argument q: expected float32[3], got a tuple of 2"),
    "a function": (
        (pb.sin, None, None),
        ", argument q: expected float32[3], got a builtin_function_or_method",
    ),
    "numpy of text": ((np.array(["a"] * 3), None, None), ", argument q: expected float32[3], got"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_gradients_that_are_refused(what):
    returned, text = REFUSED[what]
    with pytest.raises(pb.RuleError) as caught:
        gradients(returned)
    assert str(caught.value).startswith("vjp rule of 'attention'" + text)
    assert f"called at {__file__}:" in str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    near(gradients((pb.zeros(3), ZERO_K, None))[0], [0.0, 0, 0])


ACCEPTED = {
    "arrays": ((Q * 2, {"w": pb.ones((8, 64)), "b": pb.ones(2)}, None), (2.0, 1.0, 1.0)),
    "a list": ([Q * 2, None, None], (2.0, 0.0, 0.0)),
    "None": ((None, None, None), (0.0, 0.0, 0.0)),
    "None in a dict": ((None, {"w": None, "b": pb.ones(2)}, None), (0.0, 0.0, 1.0)),
    "other order of keys": ((None, {"b": pb.ones(2), "w": pb.full((8, 64), 2.0)}, None), (0.0, 2.0, 1.0)),
    "Python numbers": ((3.0, {"w": 1, "b": True}, 0), (3.0, 1.0, 1.0)),
    "NumPy": ((np.float32(3), {"w": np.ones((8, 64), "f4"), "b": np.float64(2)}, None), (3.0, 1.0, 2.0)),
    "broadcasting": ((pb.ones(1), {"w": pb.ones(64), "b": pb.array(5.0)}, None), (1.0, 1.0, 5.0)),
    "other widths": (
        (pb.ones(3, pb.float16), {"w": np.ones((8, 64)), "b": pb.ones(2, pb.bfloat16)}, None),
        (1, 1, 1),
    ),
    "without the integers": ((Q, ZERO_K, pb.array([7, 8, 9])), (1.0, 0.0, 0.0)),
    "zeros for integers": ((Q, ZERO_K, pb.zeros(3)), (1.0, 0.0, 0.0)),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_gradients_that_are_converted(what):
    returned, (q, w, b) = ACCEPTED[what]
    got_q, got_k = gradients(returned)
    assert (got_q.dtype, got_k["w"].dtype) == (pb.float32, pb.float32)
    near(got_q, np.full(3, q))
    near(got_k, {"w": np.full((8, 64), w), "b": np.full(2, b)})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_widths_are_those_of_the_input(dtype):
    f = pb.custom_function(lambda x: x)
    f.vjp(lambda x, g, y: g.astype(pb.float32) * 3)
    f.jvp(lambda x, t: t.astype(pb.float32) * 5)
    x = pb.ones(2, getattr(pb, dtype))
    got = pb.grad(lambda x: f(x).sum())(x)
    assert got.dtype.name == dtype and got.tolist() == [3, 3]
    (_,), (t,) = pb.jvp(f, [x], [x])
    assert t.dtype.name == dtype and t.tolist() == [5, 5]


# Anything a rule might return by mistake.

LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.floats(-9, 9, width=32),
    st.text(max_size=3),
    st.builds(object),
    st.lists(st.integers(0, 4), max_size=3).map(lambda shape: pb.ones(shape)),
    st.lists(st.integers(0, 3), max_size=2).map(lambda shape: pb.ones(shape, pb.int32)),
    st.lists(st.integers(0, 3), max_size=2).map(lambda shape: np.ones(shape)),
)
TREE = st.recursive(
    LEAF,
    lambda each: st.one_of(
        st.lists(each, max_size=4),
        st.lists(each, max_size=4).map(tuple),
        st.dictionaries(st.sampled_from(["w", "b", "z"]), each, max_size=3),
    ),
    max_leaves=6,
)


@given(TREE)
def test_any_gradient_fits_or_is_refused_by_name(returned):
    x, p = pb.ones(3), {"w": pb.ones((2, 3)), "b": pb.array(1.0)}
    f = pb.custom_function(lambda x, p: x.sum() + p["w"].sum() + p["b"])
    f.vjp(lambda primals, g, y: returned)
    try:
        gx, gp = pb.grad(f, argnums=(0, 1))(x, p)
    except pb.RuleError as error:
        assert str(error).startswith("vjp rule of '<lambda>'")
        return
    # What was accepted has the shape of the arguments, and every element was returned for that argument.
    assert (gx.shape, gp["w"].shape, gp["b"].shape) == ((3,), (2, 3), ())
    first, second = returned
    same_as(gx, first)
    for key in ("w", "b"):
        same_as(gp[key], None if second is None else second[key])


def same_as(got, returned):
    returned = 0.0 if returned is None else returned
    value = np.asarray(returned if not isinstance(returned, pb.array) else np.asarray(returned))
    near(got, np.broadcast_to(value, got.shape).astype("f4"))


@given(TREE)
def test_any_tangent_fits_or_is_refused_by_name(returned):
    f = pb.custom_function(lambda x: (x, x.sum()))
    f.jvp(lambda x, t: returned)
    try:
        _, (a, b) = pb.jvp(f, [pb.ones(3)], [pb.ones(3)])
    except pb.RuleError as error:
        assert str(error).startswith("jvp rule of '<lambda>'")
        return
    assert (a.shape, b.shape) == ((3,), ())


@given(TREE, TREE)
def test_any_batch_fits_or_is_refused_by_name(outputs, axes):
    f = pb.custom_function(lambda x: x)
    f.vmap(lambda x, axis: (outputs, axes))
    try:
        got = pb.vmap(f)(pb.ones((3, 2)))
    except pb.RuleError as error:
        assert str(error).startswith("vmap rule of '<lambda>'")
        return
    for x in leaves(got):
        assert x.shape[0] == 3


def leaves(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [x for child in tree for x in leaves(child)]
    return [tree] if isinstance(tree, pb.array) else []


BATCHES = {
    "size": ((pb.ones((2, 4)), 1), ": output 0 has size 4 on axis 1, the batch has 3"),
    "axis": ((pb.ones((3, 4)), 2), ": output 0 is float32[3, 4], and has no axis 2"),
    "negative axis": ((pb.ones((3, 4)), -3), ": output 0 is float32[3, 4], and has no axis -3"),
    "no pair": (pb.ones(3), " returned float32[3]: expected (outputs, axes)"),
    "none": (None, " returned None: expected (outputs, axes)"),
    "three": ((pb.ones(3), 0, 0), " returned a tuple of 3: expected (outputs, axes)"),
    "more axes than outputs": ((pb.ones(3), (0, 0)), ", axes: expected an integer or None, got a tuple of 2"),
    "fewer axes": (((pb.ones(3), pb.ones(3)), (0,)), ", axes: expected an integer, None or a sequence of 2"),
    "text as axis": ((pb.ones(3), "0"), ", axes: expected an integer or None, got a str"),
}


@pytest.mark.parametrize("what", BATCHES)
def test_batches_that_are_refused(what):
    returned, text = BATCHES[what]

    @pb.custom_function
    def sort2(x):
        return x

    sort2.vmap(lambda x, axis: returned)
    with pytest.raises(pb.RuleError) as caught:
        pb.vmap(sort2)(pb.ones((3, 2)))
    assert str(caught.value).startswith("vmap rule of 'sort2'" + text)
    near(pb.vmap(lambda x: x + 1)(pb.ones(3)), [2.0, 2, 2])


TANGENTS = {
    "shape": ((pb.ones(2), 0.0), ", output 0: expected float32[3], got float32[2]"),
    "too few": ((pb.ones(3),), ": output: expected a sequence of 2, got a tuple of 1"),
    "too many": ((pb.ones(3), 0.0, 0.0), ": output: expected a sequence of 2, got a tuple of 3"),
    "one array": (pb.ones(3), ": output: expected a sequence of 2, got float32[3]"),
    "None": (None, " returned None: did it forget to return?"),
    "text": ((pb.ones(3), "x"), ", output 1: expected float32[], got a str"),
    "integers": ((V, 0.0), ", output 0: expected float32[3], got int32[3]"),
}


@pytest.mark.parametrize("what", TANGENTS)
def test_tangents_that_are_refused(what):
    returned, text = TANGENTS[what]

    @pb.custom_function
    def two(x):
        return x, x.sum()

    two.jvp(lambda x, t: returned)
    with pytest.raises(pb.RuleError) as caught:
        pb.jvp(two, [pb.ones(3)], [pb.ones(3)])
    assert str(caught.value).startswith("jvp rule of 'two'" + text)


def test_outputs_and_tangents_only_where_there_is_no_doubt():
    pair = pb.custom_function(lambda x: (x, x * 2))
    # Two outputs: a pair of arrays is the tangents, a pair of pairs is both.
    pair.jvp(lambda x, t: (t * 3, t * 5))
    near(pb.jvp(pair, [pb.array(1.0)], [pb.array(1.0)])[1], [3.0, 5.0])
    pair.jvp(lambda x, t: ((x, x * 2), (t * 3, t * 5)))
    near(pb.jvp(pair, [pb.array(1.0)], [pb.array(1.0)])[1], [3.0, 5.0])
    pair.jvp(lambda x, t: ((x, x * 2), t))
    with pytest.raises(pb.RuleError):
        pb.jvp(pair, [pb.array(1.0)], [pb.array(1.0)])


@pytest.mark.parametrize("rule", [3, "text", None, pb.ones(3)], ids=repr)
@pytest.mark.parametrize("kind", ["vjp", "jvp", "vmap"])
def test_what_is_no_rule_is_refused_when_it_is_registered(kind, rule):
    f = pb.custom_function(lambda x: x)
    if rule is None:
        # Without a rule it is a decorator that waits for one.
        assert getattr(f, kind)()(lambda *args: args[-1]) is f
        return
    with pytest.raises(TypeError, match=rf"\[custom_function\] expected a function as {kind} rule, got"):
        getattr(f, kind)(rule)


@pytest.mark.parametrize("rule", [lambda: 0, lambda a: 0, lambda a, b, c, d: 0])
def test_a_rule_with_the_wrong_number_of_parameters(rule):
    f = pb.custom_function(lambda x: x)
    f.vjp(rule)
    with pytest.raises(TypeError, match=r"positional argument"):
        pb.grad(f)(pb.array(1.0))
    near(pb.grad(pb.sin)(pb.array(0.0)), 1.0)


def test_rule_error_is_a_value_error():
    assert issubclass(pb.RuleError, ValueError)
    assert issubclass(pb.DeviceError, RuntimeError)
