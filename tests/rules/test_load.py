"""Custom functions from many threads at once, and what thousands of calls of rules leave behind."""

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pullback as pb
import pytest
from compositions import FALSE
from samples import near, together

SLOW = os.environ.get("PULLBACK_TESTS") == "slow"
THREADS = 8
ROUNDS = 500 if SLOW else 50


def loss(f):
    return lambda x, y: pb.sin(pb.vmap(f, in_axes=(0, None))(x, y)).sum()


def inputs(i):
    rng = np.random.default_rng(i)
    return pb.array(rng.normal(size=(4, 3)), pb.float64), pb.array(rng.normal(size=3), pb.float64)


@pytest.mark.parametrize("name", FALSE)
def test_eight_threads_share_a_function(name):
    f = FALSE[name]
    slope = pb.grad(loss(f), argnums=(0, 1))
    compiled = pb.compile(slope)
    want = [slope(*inputs(i)) for i in range(THREADS)]

    def work(i):
        x, y = inputs(i)
        for _ in range(ROUNDS):
            near(slope(x, y), want[i], 1e-10)
            near(compiled(x, y), want[i], 1e-10)

    together(work)


def test_threads_with_errors_among_them():
    """A rule that raises on one thread is no matter of the others."""
    f = pb.custom_vjp(lambda x: x * 2)

    def backward(kept, g):
        if threading.current_thread().name == "odd":
            raise KeyError("of this thread")
        return (g * 10,)

    f.defvjp(lambda x: (f(x), None), backward)
    x = pb.array([1.0, 2.0])

    def work(i):
        threading.current_thread().name = "odd" if i % 2 else "even"
        for _ in range(ROUNDS):
            if i % 2:
                with pytest.raises(KeyError, match="of this thread"):
                    pb.grad(lambda x: pb.vmap(f)(x).sum())(x)
            else:
                near(pb.grad(lambda x: pb.vmap(f)(x).sum())(x), [10.0, 10])

    together(work)


def test_rules_are_registered_while_others_use_them():
    """Every gradient is of one of the rules, the old one or the new one."""
    f = pb.custom_function(lambda x: x * x)
    f.vjp(lambda x, g, y: g * 1)
    compiled = pb.compile(pb.grad(f))

    def work(i):
        for k in range(5 * ROUNDS):
            if i == 0:
                f.vjp(lambda x, g, y, k=k: g * (k % 7))
            else:
                for got in (pb.grad(f)(pb.array(3.0)), compiled(pb.array(3.0))):
                    assert got.item() in range(7)

    together(work)
    f.vjp(lambda x, g, y: g * 70)
    assert compiled(pb.array(3.0)).item() == pb.grad(f)(pb.array(3.0)).item() == 70


def alive():
    """How many nodes and objects there are."""
    gc.collect()
    return pb._core._live_nodes(), len(gc.get_objects())


def run_gradient(f, x, y):
    pb.eval(pb.grad(loss(f), argnums=(0, 1))(x, y))


@pytest.mark.parametrize("name", FALSE)
def test_many_gradients_leave_no_more_than_one(name):
    f = FALSE[name]
    x, y = inputs(0)
    for _ in range(3):
        run_gradient(f, x, y)
    nodes, objects = alive()
    for _ in range(2000):
        run_gradient(f, x, y)
    after, more = alive()
    assert after <= nodes, f"{after - nodes} nodes are left"
    assert more <= objects + 20, f"{more - objects} objects are left"


def test_two_thousand_gradients_leave_no_more_than_one():
    f = pb.custom_function(lambda x: pb.sin(x))
    f.vjp(lambda x, g, y: g * pb.cos(x))
    f.jvp(lambda x, t: t * pb.cos(x))
    x = pb.array(0.5)

    def once():
        pb.eval(pb.grad(f)(x), pb.grad(pb.grad(f))(x), pb.jvp(f, [x], [x])[1][0])

    once()
    nodes, objects = alive()
    for _ in range(2000):
        once()
    after, more = alive()
    assert after <= nodes and more <= objects + 20


def test_errors_of_rules_leave_nothing():
    f = pb.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (f(x), x), lambda kept, g: "gradient")

    def once():
        with pytest.raises(pb.RuleError):
            pb.grad(lambda x: pb.vmap(f)(x).sum())(pb.ones(3))

    once()
    nodes, objects = alive()
    for _ in range(300):
        once()
    after, more = alive()
    assert after <= nodes and more <= objects + 20


def resident():
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux says of the process")
def test_a_hundred_thousand_calls_of_rules_take_no_more_memory():
    f = pb.custom_function(lambda x: x)
    f.vjp(lambda x, g, y: g)

    def chain(x):
        for _ in range(100):
            x = f(x)
        return x

    slope, x = pb.grad(chain), pb.array(1.0)
    for _ in range(100):
        slope(x).item()
    before = resident()
    for _ in range(1000):
        assert slope(x).item() == 1
    assert resident() - before < 8 << 20


FIRST = """
import sys, threading
import pullback as pb

sys.setswitchinterval(1e-6)
x = pb.array(2.0)


class Kept(pb.Function):
    @staticmethod
    def forward(ctx, x, y=1):
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g, None


def ruled(door):
    f = door(lambda x, y=1: x * x)
    if door is pb.custom_function:
        f.vjp(lambda x, g, out: g)
    elif door is pb.custom_vjp:
        f.defvjp(lambda x, y: (x * x, None), lambda kept, g: (g, None))
    elif door is pb.custom_jvp:
        f.defjvp(lambda x, t: (x[0] * x[0], t[0]))
    return f


MAKERS = {
    "Function": lambda: type("Fresh", (Kept,), {}).apply,
    "custom_gradient": lambda: pb.custom_gradient(lambda x, y=1: (x * x, lambda g: (g, None))),
}
make = MAKERS.get(sys.argv[1]) or (lambda: ruled(getattr(pb, sys.argv[1])))
for _ in range(60):
    f = make()
    together = threading.Barrier(8)

    def work():
        together.wait()
        pb.eval(pb.grad(f)(x), pb.vmap(pb.grad(f))(pb.stack([x, x])))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.mark.parametrize(
    "maker",
    ["custom_function", "custom_vjp", "custom_jvp", "custom_gradient", "Function", "compile", "checkpoint"],
)
def test_the_first_calls_of_a_function_come_from_many_threads(maker):
    """What is found out about a function when it is called first needs the interpreter, and no thread may
    wait for another one with that in its hand. In a process of its own: it would never end.
    """
    result = subprocess.run([sys.executable, "-c", FIRST, maker], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0 and not result.stderr, result.stderr
