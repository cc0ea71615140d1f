"""Calls of Python in calls of Python, on threads, and what is kept of them."""

import gc
import threading
import weakref

import numpy as np
import pullback as pb
import pytest
from common import close
from test_callbacks import host_sin, like, with_rule

# Calls in calls.


def test_a_callback_may_use_pullback(device):
    def f(x):
        x = pb.array(x)
        slope = pb.grad(lambda x: pb.sin(x * x).sum())(x)
        mapped = pb.vmap(pb.compile(lambda x: x + 1))(slope)
        return np.asarray(pb.pure_callback(np.negative, mapped, mapped))

    x = pb.array([0.5, 1.0])
    want = -(2 * np.array([0.5, 1]) * np.cos(np.array([0.25, 1])) + 1)
    close(pb.pure_callback(f, x, x), want)
    close(pb.compile(lambda x: pb.pure_callback(f, x, x))(x), want)


def test_traces_that_are_open_are_none_of_a_callback():
    """A value that is asked for within a vmap: what its callback builds is not mapped."""
    square = with_rule()

    def f(x):
        return np.asarray(pb.grad(lambda x: square(x))(pb.array(x)))

    x = pb.array(0.5)

    def asks(y):
        return y * pb.pure_callback(f, x, x).item()

    close(pb.vmap(asks)(pb.array([1.0, 2.0])), np.cos(0.5) * np.array([1, 2]))
    close(pb.grad(asks)(pb.array(2.0)), np.cos(0.5))


def test_a_callback_that_asks_for_its_own_result():
    held = []

    def f(x):
        return np.asarray(held[0])

    x = pb.array(1.0)
    held.append(pb.pure_callback(f, x, x))
    with pytest.raises(ValueError, match="whose callback asks for it"):
        pb.eval(held[0])
    held.clear()


def test_on_threads():
    errors = []

    def work(k):
        try:
            me = threading.get_ident()

            def f(x):
                assert threading.get_ident() == me
                return x + np.float32(k)

            g = pb.compile(lambda x: pb.pure_callback(f, like(x), x) * 2)
            for i in range(50):
                close(g(pb.array([i, i + 1.0])), 2 * (np.array([i, i + 1]) + k))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not errors


def test_one_array_asked_for_by_several_threads():
    x = pb.array([1.0, 2.0])
    for _ in range(20):
        y = host_sin(x) * 2
        threads = [threading.Thread(target=pb.eval, args=(y,)) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        close(y, 2 * np.sin([1, 2]))


# What is kept.


def test_a_callback_dies_with_its_arrays():
    class Big:
        pass

    def calls(evaluated):
        big = Big()
        x = pb.array(1.0)
        y = pb.pure_callback(lambda x, big=big: x, x, x)
        if evaluated:
            pb.eval(y)
        return y, weakref.ref(big)

    y, alive = calls(False)
    gc.collect()
    assert alive() is not None
    del y
    gc.collect()
    assert alive() is None
    # What has its elements needs no function any more.
    y, alive = calls(True)
    gc.collect()
    assert alive() is None
    close(y, 1)


def test_a_loop_of_callbacks_keeps_nothing():
    x = pb.array([1.0])
    f = lambda y: pb.pure_callback(lambda x, held=y: x + np.asarray(held) * 0, x, y)
    y = f(x)
    pb.eval(y)
    before = pb._core._live_nodes()
    for _ in range(50):
        y = f(y)
        pb.eval(y)
    gc.collect()
    assert pb._core._live_nodes() <= before + 4
