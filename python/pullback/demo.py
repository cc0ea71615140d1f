"""The demo: a classifier of handwritten digits, trained with two derivative rules of its own.

`quantise` rounds, so its true derivative is zero nearly everywhere; its rule passes the gradient straight through.
`clipped` is the identity on the parameters; its rule clips the norm of the gradient. It stands inside `vmap`, and one
`grad` is around the whole: so every example's gradient is clipped by itself, before they are summed. That is right
only because rules survive batching.
"""

import gzip
import sys
import time
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import pullback as pb
from pullback.testing import check_grads, map_arrays

SIZES = (64, 64, 10)
LEVELS = 15
LIMIT = 2.0
BATCH = 100
RATE = 4e-3

Params = dict[str, pb.array]


def digits() -> tuple[pb.array, pb.array]:
    """Return the images, `float32 [1797, 64]` from 0 to 1, and what digits they show."""
    packed = resources.files("pullback").joinpath("data", "digits.gz").read_bytes()
    rows = pb.array(memoryview(gzip.decompress(packed))).reshape(-1, 65)
    return rows[:, :64].astype(pb.float32) / 16, rows[:, 64].astype(pb.int32)


@pb.custom_function
def quantise(x: pb.array) -> pb.array:
    """Round to one of 16 levels from 0 to 1."""
    return pb.round(pb.clip(x, 0, 1) * LEVELS) / LEVELS


@quantise.vjp
def _quantise_vjp(x: pb.array, cotangent: pb.array, _output: pb.array) -> pb.array:
    return pb.where((x > 0) & (x < 1), cotangent, 0)


@pb.custom_function
def clipped(params: Params) -> Params:
    """Return the parameters as they are; their gradient has at most the norm `LIMIT`."""
    return params


@clipped.vjp
def _clipped_vjp(_params: Params, cotangents: Params, _outputs: Params) -> Params:
    norm = pb.sqrt(sum((pb.square(g).sum() for g in cotangents.values()), pb.array(0.0)))
    scale = pb.minimum(1, LIMIT / pb.maximum(norm, 1e-12))
    return {name: g * scale for name, g in cotangents.items()}


def start(key: pb.array) -> Params:
    """Return random weights and zero biases."""
    params = {}
    for i, (n, m) in enumerate(zip(SIZES, SIZES[1:], strict=False)):
        key, own = pb.random.split(key)
        params[f"w{i}"] = pb.random.normal((n, m), key=own) * (2 / n) ** 0.5
        params[f"b{i}"] = pb.zeros(m)
    return params


def logits(params: Params, x: pb.array) -> pb.array:
    """Return the scores of the ten digits, for an image or a batch of them."""
    hidden = quantise(x @ params["w0"] + params["b0"])
    return hidden @ params["w1"] + params["b1"]


def example_loss(params: Params, x: pb.array, y: pb.array) -> pb.array:
    """Return the cross entropy of one example."""
    scores = logits(clipped(params), x)
    return pb.logsumexp(scores) - scores[y]


def loss(params: Params, x: pb.array, y: pb.array) -> pb.array:
    """Return the sum over a batch: what each example gives to the gradient is clipped by itself."""
    return pb.vmap(example_loss, in_axes=(None, 0, 0))(params, x, y).sum()


def step(params: Params, state: list, x: pb.array, y: pb.array) -> tuple[Params, list, pb.array]:
    """Return parameters and state after one step of Adam, and the loss before it."""
    value, gradients = pb.value_and_grad(loss)(params, x, y)
    count, first, second = state
    count = count + 1
    gradients = map_arrays(lambda g: g / len(x), gradients)
    first = map_arrays(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = map_arrays(lambda v, g: 0.99 * v + 0.01 * g * g, second, gradients)
    near, far = 1 - pb.power(0.9, count), 1 - pb.power(0.99, count)
    moved = map_arrays(lambda p, m, v: p - RATE * (m / near) / (pb.sqrt(v / far) + 1e-8), params, first, second)
    return moved, [count, first, second], value / len(x)


def check_rules(params: Params, x: pb.array, y: pb.array) -> list[tuple[str, float]]:
    """Return how far the rules are from what they should be: names and largest differences."""
    loop = map_arrays(pb.zeros_like, params)
    for i in range(len(x)):
        one = pb.grad(lambda p, i=i: example_loss(p, x[i], y[i]))(params)
        loop = map_arrays(lambda a, b: a + b, loop, one)
    mapped = pb.grad(loss)(params, x, y)
    apart = max(pb.max(pb.abs(loop[name] - mapped[name])).item() for name in params)
    points = pb.linspace(-0.5, 1.5, 41)
    straight = pb.grad(lambda x: quantise(x).sum())(points)
    smooth = pb.grad(lambda x: pb.clip(x, 0, 1).sum())(points)
    inside = pb.abs(pb.abs(points - 0.5) - 0.5) > 1e-3
    off = pb.max(pb.where(inside, pb.abs(straight - smooth), 0)).item()
    wide = {name: p * 1.0 for name, p in params.items()}
    check_grads(lambda p: pb.square(clipped(p)["b1"] + 0.01).sum(), [wide], modes=["rev"])
    return [("clipping, grad of vmap against a loop", apart), ("quantiser against the gradient of clip", off)]


def _bar(done: int, total: int, text: str) -> None:
    """Draw a bar over the last one, where there is a terminal to draw on."""
    if not sys.stdout.isatty():
        if done == total:
            print(text)
        return
    full = 30 * done // total
    print(f"\r[{'#' * full}{'.' * (30 - full)}] {text}", end="\n" if done == total else "", flush=True)


def batches(x: pb.array, y: pb.array, key: pb.array) -> Iterator[tuple[pb.array, pb.array]]:
    """Yield an epoch in random order, in batches of one size."""
    order = pb.random.permutation(len(x), key=key)
    for i in range(0, len(x) - BATCH + 1, BATCH):
        rows = order[i : i + BATCH]
        yield x[rows], y[rows]


def accuracy(params: Params, x: pb.array, y: pb.array) -> float:
    """Return the share of right answers."""
    return pb.mean(pb.argmax(logits(params, x), axis=-1) == y).item()


def train(epochs: int, seed: int) -> tuple[float, float]:
    """Train on the current device; the accuracy on the held-out third, and milliseconds per step."""
    x, y = digits()
    key = pb.random.key(seed)
    order = pb.random.permutation(len(x), key=key)
    held = len(x) // 3
    (x_test, y_test), (x, y) = (x[order[:held]], y[order[:held]]), (x[order[held:]], y[order[held:]])
    params = start(key)
    pb.eval(params, x, y, x_test, y_test)
    for what, apart in check_rules(params, x[:20], y[:20]):
        print(f"  rule check: {what}: {apart:.1e} apart")
        if not apart < 1e-3:
            raise SystemExit(f"the rule check failed: {what}")
    state: list[Any] = [pb.array(0.0), map_arrays(pb.zeros_like, params), map_arrays(pb.zeros_like, params)]
    fast: Callable = pb.compile(step)
    times: list[float] = []
    for epoch in range(epochs):
        total = []
        key, own = pb.random.split(key)
        for rows in batches(x, y, own):
            pb.eval(*rows)
            began = time.perf_counter()
            params, state, value = fast(params, state, *rows)
            pb.eval(params, state, value)
            pb.synchronize()
            times.append(time.perf_counter() - began)
            total.append(value.item())
        right = accuracy(params, x_test, y_test)
        text = f"epoch {epoch + 1}/{epochs}  loss {sum(total) / len(total):.4f}  held-out accuracy {right:.1%}"
        _bar(epoch + 1, epochs, text)
    times.sort()
    return accuracy(params, x_test, y_test), 1e3 * times[len(times) // 2] if times else 0.0


def run(device: str | None, epochs: int, seed: int) -> int:
    """Run the demo on a device, or on all there are; the exit status."""
    named = {"cpu": pb.cpu, "gpu": pb.gpu}
    chosen = [device] if device else [name for name in named if pb.is_available(named[name])]
    for name in chosen:
        print(f"{name}: {' -> '.join(map(str, SIZES))}, activations of {LEVELS + 1} levels, gradients of examples")
        print(f"  clipped to norm {LIMIT}, {epochs} epochs, seed {seed}")
        with pb.stream(named[name]):
            right, milliseconds = train(epochs, seed)
        print(f"  {right:.1%} of the held-out third are right; {milliseconds:.2f} ms per step of {BATCH} examples")
    return 0
