"""What must not break: threads, forks, signals, deep graphs, exceptions in the middle, memory over time."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pullback as pb
import pytest
from common import close
from samples import together


def run(code, **env):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **env},
    )


def test_deep_chains():
    x = pb.array(0.0)
    for _ in range(100_000):
        x = x + 1.0
    assert x.item() == 100_000
    y = pb.array(0.0)
    for _ in range(100_000):
        y = y + 1.0
    del y

    def f(x):
        for _ in range(5_000):
            x = x * 1.0
        return x

    assert pb.grad(f)(pb.array(2.0)).item() == 1


def test_threads_do_not_see_each_other():
    def work(seed):
        rng = np.random.default_rng(seed)
        f = pb.custom_function(lambda x: x * x)
        f.vjp(lambda x, g, y: g * (seed + 1))
        for _ in range(30):
            a = rng.normal(size=(4, 5)).astype(np.float32)
            got = pb.grad(lambda x: pb.vmap(f)(x).sum())(pb.array(a))
            close(got, np.full((4, 5), seed + 1))
            close(pb.compile(lambda x: pb.sin(x) @ x.T)(pb.array(a)), np.sin(a) @ a.T, 1e-4, 1e-4)

    together(work)


def test_streams_belong_to_threads():
    inside, done = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait()
        seen.append(pb.default_device())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with pb.stream(pb.cpu):
        inside.set()
        done.wait()
    thread.join()
    assert seen == [pb.cpu]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_is_noticed():
    result = run("""
        import os, sys, warnings
        warnings.simplefilter("ignore")
        import pullback as pb
        pb.eval(pb.zeros(3) + 1)
        child = os.fork()
        if child == 0:
            try:
                pb.eval(pb.zeros(3) + 2)
            except RuntimeError as error:
                os._exit(7 if "fork" in str(error) else 1)
            os._exit(2)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert result.returncode == 7, result.stderr


def test_ctrl_c_stops_an_evaluation():
    result = run("""
        import os, signal, threading, time
        import pullback as pb
        # What runs in the background of a script ignores Ctrl-C, and hands that down.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        a = pb.random.normal((700, 700)) * 0.01
        pb.eval(a)
        for _ in range(1000):
            x = a @ a
            for _ in range(400):
                x = x @ a
            began = time.time()
            threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            try:
                pb.eval(x)
            except KeyboardInterrupt:
                print("stopped", time.time() - began < 20, (pb.array(1.0) + 1).item())
                break
    """)
    assert result.stdout.split() == ["stopped", "True", "2.0"], result.stderr


TRANSFORMS = {
    "grad": lambda f: lambda x: pb.grad(lambda x: f(x).sum())(x),
    "jvp": lambda f: lambda x: pb.jvp(f, [x], [pb.ones_like(x)]),
    "vmap": lambda f: lambda x: pb.vmap(f)(x),
    "compile": lambda f: lambda x: pb.compile(f)(x),
    "checkpoint": lambda f: lambda x: pb.grad(lambda x: pb.checkpoint(f)(x).sum())(x),
    "nested": lambda f: lambda x: pb.vmap(pb.grad(lambda x: pb.checkpoint(f)(x).sum()))(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_exceptions_leave_no_state(name):
    class Mine(Exception):
        pass

    def fail(x):
        raise Mine

    for _ in range(3):
        with pytest.raises(Mine):
            TRANSFORMS[name](fail)(pb.ones(3))
    assert pb.custom_function(lambda x: x)(pb.ones(3)) is not None
    close(TRANSFORMS["grad"](pb.sin)(pb.zeros(3)), np.ones(3))
    close(pb.vmap(pb.sin)(pb.zeros(3)), np.zeros(3))


def test_generators_and_reentry():
    f = pb.custom_function(lambda x: x * x)

    @f.vjp
    def rule(x, g, y):
        inner = pb.grad(lambda z: pb.vmap(lambda w: w * w)(z).sum())(pb.ones(2))
        return g * 2 * x * inner[0].item() / 2

    assert pb.grad(f)(pb.array(3.0)).item() == 6
    assert pb.compile(pb.grad(lambda x: x * 2))(pb.array(1.0)).item() == 2


def test_memory_is_flat_over_training():
    w = pb.random.normal((8, 4))
    data = pb.random.normal((16, 8))
    f = pb.custom_function(lambda w: w)
    f.vjp(lambda w, g, y: pb.clip(g, -1, 1))

    def loss(w):
        return pb.square(pb.vmap(lambda x: pb.tanh(x @ f(w)))(data)).sum()

    def train(steps):
        nonlocal w
        for _ in range(steps):
            w = w - 0.01 * pb.grad(loss)(w)
            pb.eval(w)

    train(20)
    gc.collect()
    before = pb._core._live_nodes()
    train(300)
    gc.collect()
    assert pb._core._live_nodes() <= before + 5


def test_signals_between_calls():
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1)) if hasattr(signal, "SIGALRM") else None
    if before is None:
        pytest.skip("this system has no alarm")
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    end = time.time() + 0.3
    while time.time() < end:
        pb.eval(pb.random.normal((100, 100)) @ pb.ones((100, 100)))
    signal.signal(signal.SIGALRM, before)
    assert seen


def test_import_is_quick_and_brings_no_numpy():
    result = run("""
        import sys, time
        began = time.perf_counter()
        import pullback
        print(time.perf_counter() - began < 0.5, "numpy" in sys.modules)
    """)
    assert result.stdout.split() == ["True", "False"], result.stderr
