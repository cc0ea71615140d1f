"""Functions that loops and branches call may change what they are given in place, as with NumPy.

Neither the caller's arrays nor what the loop still needs are changed by that.
"""

import numpy as np
import pullback as pb
import pytest
from common import close


def doubled(x):
    x *= 2
    return x


def added(a, b):
    a += b
    return a


def stepped(carry, row):
    carry += row
    row *= 0
    return carry, carry * 1


X = [1.0, 3.0]
LOOPS = {
    "while_loop": (lambda x: pb.while_loop(lambda x: (x < 10).all(), doubled, x), [4.0, 12.0]),
    "fori_loop": (lambda x: pb.fori_loop(0, 3, lambda i, x: doubled(x), x), [8.0, 24.0]),
    "scan": (lambda x: pb.scan(stepped, x[0], x)[1], [2.0, 5.0]),
    "scan, reverse": (lambda x: pb.scan(stepped, x[0], x, reverse=True)[1], [5.0, 4.0]),
    "associative_scan": (lambda x: pb.associative_scan(added, x), [1.0, 4.0]),
    "cond": (lambda x: pb.cond(True, doubled, lambda x: x, x), [2.0, 6.0]),
    "switch": (lambda x: pb.switch(1, [lambda x: x, doubled], x), [2.0, 6.0]),
    "jacfwd": (lambda x: pb.jacfwd(doubled)(x).sum(axis=0), [2.0, 2.0]),
    "jacrev": (lambda x: pb.jacrev(doubled)(x).sum(axis=0), [2.0, 2.0]),
    "jacrev by the other": (lambda x: pb.jacrev(added, argnums=1)(x, x).sum(axis=0), [1.0, 1.0]),
}


@pytest.mark.parametrize("way", ["a call", "grad", "compile"])
@pytest.mark.parametrize("name", LOOPS)
def test_what_the_caller_passed_stays(name, way):
    loop, want = LOOPS[name]
    x = pb.array(X)
    if way == "grad":
        got, _ = pb.vjp(lambda x: [loop(x), x], [x], [pb.zeros(2), pb.zeros(2)])
        close(got[1], X)
        got = got[0]
    else:
        got = (pb.compile(loop) if way == "compile" else loop)(x)
    close(got, want)
    close(x, X)


def test_examples_that_are_done_keep_what_they_have():
    """The step of all is computed in place, and the result of some is not taken."""
    mapped = pb.vmap(lambda x: pb.while_loop(lambda x: x < 10, doubled, x))
    x = pb.array([1.0, 3.0, 20.0])
    close(mapped(x), [16.0, 12.0, 20.0])
    close(x, [1.0, 3.0, 20.0])
    chosen = pb.vmap(lambda x: pb.cond(x < 10, doubled, lambda x: x, x))
    close(chosen(x), [2.0, 6.0, 20.0])
    close(x, [1.0, 3.0, 20.0])


def test_a_step_that_is_begun_again_begins_where_it_did():
    """Numbers take the type of the first result, with which the first step is done again."""

    def halved(x):
        x = x * 1.0
        x *= 0.5
        return x

    close(pb.while_loop(lambda x: x > 1, halved, 8), 1.0)
    close(pb.fori_loop(0, 2, lambda i, x: halved(x), 8), 2.0)

    def step(carry, row):
        row += 1
        return carry * 0.5 + row, row

    last, rows = pb.scan(step, 8, pb.array(X))
    close(rows, [2.0, 4.0])
    close(last, (8 * 0.5 + 2) * 0.5 + 4)


def test_what_is_no_array_is_handed_over_as_it_is():
    seen = []
    given = {"x": pb.array(X), "name": "layer", "f": np.sin}
    pb.cond(True, lambda tree: seen.append(tree) or tree["x"], lambda tree: tree["x"], given)
    assert seen[0]["name"] == "layer" and seen[0]["f"] is np.sin and seen[0]["x"] is not given["x"]
