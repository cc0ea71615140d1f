"""Each error names the operation, what it expected and what it got; after any of them the engine works on."""

import numpy as np
import pullback as pb
import pytest

CASES = [
    (
        lambda: pb.zeros(2) + pb.zeros(3),
        ValueError,
        r"\[add\] expected shapes that broadcast, got \(2,\) and \(3,\)",
    ),
    (lambda: pb.zeros((2, 3)) @ pb.zeros((2, 3)), ValueError, r"\[matmul\] expected"),
    (lambda: pb.array(1.0) @ pb.zeros(2), ValueError, r"\[matmul\] expected"),
    (lambda: pb.sum(pb.zeros(2), axis=1), ValueError, r"\[sum\] expected an axis from -1 to 0, got axis 1"),
    (lambda: pb.sum(pb.array(1), axis=0), ValueError, r"\[sum\] expected no axis"),
    (lambda: pb.sum(pb.zeros((2, 2)), axis=(0, 0)), ValueError, "twice"),
    (lambda: pb.max(pb.zeros(0)), ValueError, r"\[max\]"),
    (lambda: pb.reshape(pb.zeros(6), (4, 2)), ValueError, r"\[reshape\]"),
    (lambda: pb.reshape(pb.zeros(6), (-1, -1)), ValueError, r"\[reshape\]"),
    (lambda: pb.transpose(pb.zeros((2, 2)), (0, 0)), ValueError, r"\[transpose\]"),
    (lambda: pb.concatenate([]), ValueError, r"\[concatenate\] expected at least one"),
    (lambda: pb.stack([pb.zeros(2), pb.zeros(3)]), ValueError, r"\[stack\]"),
    (lambda: pb.split(pb.zeros(5), 2), ValueError, r"\[split\]"),
    (lambda: pb.squeeze(pb.zeros(2), 0), ValueError, r"\[squeeze\]"),
    (lambda: pb.broadcast_to(pb.zeros(2), (3,)), ValueError, r"broadcast"),
    (lambda: pb.zeros(-1), ValueError, "not negative"),
    (lambda: pb.zeros("a"), TypeError, "integer"),
    (lambda: pb.zeros(2, "float31"), TypeError, r"\[zeros\] expected one of"),
    (lambda: pb.zeros(2).astype(3), TypeError, r"\[astype\] expected one of"),
    (lambda: pb.exp("a"), TypeError, r"\[exp\] expected a number"),
    (lambda: pb.exp(), TypeError, "takes 1 positional argument but 0"),
    (lambda: pb.add(pb.zeros(2), None), TypeError, r"\[add\]"),
    (lambda: pb.bitwise_and(pb.zeros(2), 1.0), TypeError, r"\[bitwise_and\] expected"),
    (lambda: -pb.array(True), TypeError, r"\[negative\]"),
    (lambda: pb.view(pb.zeros(2, pb.int8), pb.int32), ValueError, r"\[view\]"),
    (lambda: pb.arange(0, 1, 0), ValueError, r"\[arange\]"),
    (lambda: pb.take(pb.zeros(3), pb.zeros(1)), TypeError, r"\[take\]"),
    (lambda: pb.random.normal(key=pb.zeros(2)), TypeError, r"key"),
    (lambda: pb.random.uniform(dtype=pb.int32), TypeError, r"\[random.uniform\]"),
    (lambda: pb.random.split(pb.array([1, 2, 3], pb.uint32)), ValueError, r"\[random.split\]"),
    (lambda: pb.zeros((2**40, 2**40)), MemoryError, r"\[zeros\]"),
    (lambda: (pb.zeros(2**45) + 1).tolist(), MemoryError, "expected"),
    (lambda: pb.pad(pb.zeros(2), 1, "other"), ValueError, r"\[pad\]"),
    (lambda: pb.vmap(lambda x: x.item())(pb.zeros(2)), ValueError, "vmap"),
    (lambda: pb.vmap(lambda x: np.asarray(x))(pb.zeros(2)), ValueError, "vmap"),
    (lambda: pb.vmap(lambda x: x if x > 0 else -x)(pb.zeros(2)), ValueError, "vmap"),
    (lambda: pb.compile(lambda x: x[x > 0])(pb.zeros(2)), ValueError, "mask"),
]


@pytest.mark.parametrize("make, error, text", CASES)
def test_error(make, error, text):
    with pytest.raises(error, match=text):
        make()
    assert pb.grad(lambda x: (x * x).sum())(pb.array([1.0, 2.0])).tolist() == [2, 4]


def test_a_leaked_tracer_names_its_transform():
    leaked = []
    pb.vmap(lambda x: leaked.append(x) or x)(pb.zeros(2))
    with pytest.raises(ValueError, match="vmap"):
        (leaked[0] + 1).item()
    constant = []
    pb.grad(lambda x: constant.append(x * 2) or x)(pb.array(1.0))
    assert constant[0].item() == 2


def test_trees_that_hold_themselves():
    loop = []
    loop.append(loop)
    with pytest.raises(RecursionError):
        pb.grad(lambda x: x)(loop)
    with pytest.raises((RecursionError, ValueError)):
        pb.array(loop)


@pytest.mark.parametrize("name", ["vmap", "compile"])
def test_a_tracer_asked_for_its_value_is_not_called_leaked(name):
    transform = getattr(pb, name)
    with pytest.raises(ValueError, match=f"tracer of {name}.*while it is being traced"):
        transform(lambda x: x * x.item())(pb.ones(3) if name == "vmap" else pb.array(1.0))
