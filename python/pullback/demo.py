"""The demo: a classifier of handwritten digits, trained with two derivative rules of its own.

`quantise` rounds, so its true derivative is zero nearly everywhere; its rule passes the gradient straight
through. `clipped` is the identity on the parameters; its rule clips the norm of the gradient. It stands
inside `vmap`, and one `grad` is around the whole: so each example's gradient is clipped by itself, before
they are summed. That is right only because rules survive batching.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pullback as pb
from pullback.data import digits
from pullback.testing import map_arrays

SIZES = (64, 64, 10)
LEVELS = 8
LIMIT = 2.0
BATCH = 64
RATE = 4e-3
EPOCHS = 30
ENOUGH = 0.95
NEAR = 1e-4

Params = dict[str, pb.array]
State = dict[str, Any]


@pb.custom_function
def quantise(x: pb.array) -> pb.array:
    """Round to one of a few levels from 0 to 1.

    >>> from pullback.demo import quantise
    >>> pb.grad(lambda x: quantise(x).sum())(pb.array([-0.1, 0.4, 1.1]))
    array([0., 1., 0.], dtype=float32)
    """
    return pb.round(pb.clip(x, 0, 1) * (LEVELS - 1)) / (LEVELS - 1)


@quantise.vjp
def _quantise_vjp(x: pb.array, cotangent: pb.array, _output: pb.array) -> pb.array:
    return pb.where((x > 0) & (x < 1), cotangent, 0)


@pb.custom_function
def clipped(params: Params) -> Params:
    """Return the parameters as they are; the norm of their gradient, all together, is at most `LIMIT`."""
    return params


@clipped.vjp
def _clipped_vjp(_params: Params, cotangents: Params, _outputs: Params) -> Params:
    return clip_norm(cotangents)


def norm(tree: Params) -> pb.array:
    """Return the length of all arrays together."""
    return pb.sqrt(sum((pb.square(x).sum() for x in tree.values()), pb.array(0.0)))


def clip_norm(tree: Params) -> Params:
    """Return the arrays, made shorter if together they are longer than `LIMIT`."""
    scale = pb.minimum(1, LIMIT / pb.maximum(norm(tree), 1e-12))
    return map_arrays(lambda x: x * scale, tree)


def start(key: pb.array) -> Params:
    """Return random weights, and zero biases."""
    params = {}
    for i, (n, m) in enumerate(pairwise(SIZES)):
        key, own = pb.random.split(key)
        params[f"w{i}"] = pb.random.normal((n, m), key=own) * (2 / n) ** 0.5
        params[f"b{i}"] = pb.zeros(m)
    return params


def logits(params: Params, x: pb.array) -> pb.array:
    """Return the scores of the ten digits, for an image or a batch of them."""
    hidden = quantise(x @ params["w0"] + params["b0"])
    return hidden @ params["w1"] + params["b1"]


def cross_entropy(params: Params, x: pb.array, y: pb.array) -> pb.array:
    """Return the loss of one example."""
    scores = logits(params, x)
    return pb.logsumexp(scores) - scores[y]


def loss(params: Params, x: pb.array, y: pb.array) -> pb.array:
    """Return the sum over a batch; what each example gives to the gradient is clipped by itself."""

    def of_example(params: Params, x: pb.array, y: pb.array) -> pb.array:
        return cross_entropy(clipped(params), x, y)

    return pb.vmap(of_example, in_axes=(None, 0, 0))(params, x, y).sum()


def adam(params: Params, state: State, gradients: Params) -> tuple[Params, State]:
    """Return parameters and state after a step of Adam."""
    count = state["count"] + 1
    first = map_arrays(lambda m, g: 0.9 * m + 0.1 * g, state["first"], gradients)
    second = map_arrays(lambda v, g: 0.99 * v + 0.01 * g * g, state["second"], gradients)
    near, far = 1 - pb.power(0.9, count), 1 - pb.power(0.99, count)

    def moved(p: pb.array, m: pb.array, v: pb.array) -> pb.array:
        return p - RATE * (m / near) / (pb.sqrt(v / far) + 1e-8)

    return map_arrays(moved, params, first, second), {"count": count, "first": first, "second": second}


def step(
    params: Params, state: State, x: pb.array, y: pb.array, rows: pb.array
) -> tuple[Params, State, pb.array]:
    """Return parameters and state after a step on these rows of the data, and the mean loss before it."""
    value, gradients = pb.value_and_grad(loss)(params, x[rows], y[rows])
    gradients = map_arrays(lambda g: g / len(rows), gradients)
    return *adam(params, state, gradients), value / len(rows)


def check_quantise() -> float:
    """Return how far the gradient through `quantise` is from the one that is meant: 1 within, 0 outside."""
    points = pb.linspace(-0.5, 1.5, 42)
    meant = [float(0 < x < 1) for x in points.tolist()]
    return pb.max(pb.abs(pb.grad(lambda x: quantise(x).sum())(points) - pb.array(meant))).item()


def check_clipped(params: Params, x: pb.array, y: pb.array) -> dict[str, float]:
    """Compare the gradient of the loss with a loop over examples that clips each gradient itself.

    Returns how far they are apart, relative to the length of the gradient; how far it would be if the rule
    were lost, or applied to the sum; and the share of the examples that are clipped.
    """
    plain = [pb.grad(cross_entropy)(params, x[i], y[i]) for i in range(len(x))]
    total = map_arrays(lambda *gs: sum(gs), *plain)
    loop = map_arrays(lambda *gs: sum(gs), *(clip_norm(g) for g in plain))

    def apart(other: Params) -> float:
        return (norm(map_arrays(lambda a, b: a - b, other, loop)) / norm(loop)).item()

    return {
        "apart": apart(pb.grad(loss)(params, x, y)),
        "if_lost": apart(total),
        "if_on_the_sum": apart(clip_norm(total)),
        "share_clipped": sum(norm(g).item() > LIMIT for g in plain) / len(plain),
    }


class Screen:
    """What the demo says: a bar that is drawn again on a terminal, some lines elsewhere, nothing if quiet."""

    def __init__(self, quiet: bool):
        self.quiet = quiet
        self.live = not quiet and sys.stdout.isatty()
        self.drawn = 0.0

    def line(self, text: str) -> None:
        """Print a line."""
        if not self.quiet:
            print(text, flush=True)

    def bar(self, done: int, total: int, text: str) -> None:
        """Draw the bar, at most twenty times a second."""
        now = time.monotonic()
        if not self.live or (now - self.drawn < 0.05 and done < total):
            return
        self.drawn = now
        full = 20 * done // max(total, 1)
        width = shutil.get_terminal_size().columns - 1
        shown = f"  [{'#' * full}{'.' * (20 - full)}] {text}"[:width].ljust(width)
        print(f"\r{shown}", end="\n" if done == total else "", flush=True)

    def epoch(self, done: int, total: int, text: str) -> None:
        """Print what there is to say after an epoch, ten times in all, where there is no bar."""
        if not self.live and (done == total or done % max(total // 10, 1) == 0):
            self.line(f"  {text}")


def split(seed: int, quick: bool) -> tuple[pb.array, pb.array, pb.array, pb.array, pb.array]:
    """Return images and labels to train with, those of the held-out third, and a key for what follows."""
    x, y = digits()
    key, own = pb.random.split(pb.random.key(seed))
    order = pb.random.permutation(len(x), key=own)
    held = len(x) // 3
    train = order[held : 2 * held] if quick else order[held:]
    return x[train], y[train], x[order[:held]], y[order[:held]], key


def accuracy(params: Params, x: pb.array, y: pb.array) -> float:
    """Return the share of right answers."""
    return pb.mean(pb.argmax(logits(params, x), axis=-1) == y).item()


def check(params: Params, x: pb.array, y: pb.array, screen: Screen) -> dict[str, Any]:
    """Check both rules and say what was found."""
    off, clip = check_quantise(), check_clipped(params, x, y)
    passed = off < NEAR and clip["apart"] < NEAR
    screen.line("  gradient checks of the rules")
    screen.line(f"    straight through, against the derivative that is meant: {off:.1e} apart")
    screen.line(f"    clipping per example, against a loop over {len(x)}: {clip['apart']:.1e} apart")
    screen.line(
        f"      ({clip['share_clipped']:.0%} are clipped; {clip['if_lost']:.1e} apart if the rule were lost,"
        f" {clip['if_on_the_sum']:.1e} if it saw the sum)"
    )
    screen.line("    " + ("both hold" if passed else "WRONG: a rule does not hold"))
    return {"quantise": {"apart": off}, "clipped": clip, "passed": passed}


def train(
    fast: Callable,
    params: Params,
    data: tuple[pb.array, ...],
    epochs: int,
    screen: Screen,
) -> tuple[Params, list[float], list[float], list[float]]:
    """Return trained parameters; losses and accuracies by epoch, and the seconds that each step took."""
    x, y, x_held, y_held, key = data
    state = {
        "count": pb.array(0.0),
        "first": map_arrays(pb.zeros_like, params),
        "second": map_arrays(pb.zeros_like, params),
    }
    pb.eval(params, state, x, y, x_held, y_held)
    losses: list[float] = []
    right: list[float] = []
    seconds: list[float] = []
    steps = len(x) // BATCH
    for epoch in range(epochs):
        key, own = pb.random.split(key)
        order = pb.random.permutation(len(x), key=own)
        pb.eval(order)
        total = 0.0
        for i in range(steps):
            rows = order[i * BATCH : (i + 1) * BATCH]
            began = time.perf_counter()
            params, state, value = fast(params, state, x, y, rows)
            pb.eval(params, state, value)
            pb.synchronize()
            seconds.append(time.perf_counter() - began)
            total += value.item()
            known = f"  held-out accuracy {right[-1]:.1%}" if right else ""
            text = f"epoch {epoch + 1}/{epochs}  loss {total / (i + 1):.4f}{known}"
            if i + 1 < steps:
                screen.bar(epoch * steps + i + 1, epochs * steps, text)
        losses.append(total / steps)
        right.append(accuracy(params, x_held, y_held))
        text = f"epoch {epoch + 1}/{epochs}  loss {losses[-1]:.4f}  held-out accuracy {right[-1]:.1%}"
        screen.bar((epoch + 1) * steps, epochs * steps, text)
        screen.epoch(epoch + 1, epochs, text)
    return params, losses, right, seconds


def run(
    device: str = "cpu", epochs: int = EPOCHS, seed: int = 0, quiet: bool = False, quick: bool = False
) -> dict[str, Any]:
    """Run the demo on a device; return what was measured.

    >>> from pullback import demo
    >>> found = demo.run("cpu", epochs=1, quiet=True, quick=True)
    >>> found["checks"]["passed"], found["ms_per_step"] > 0
    (True, True)
    """
    if device not in ("cpu", "gpu"):
        raise ValueError(f"[demo] expected device 'cpu' or 'gpu', got {device!r}")
    if epochs < 1:
        raise ValueError(f"[demo] expected at least one epoch, got {epochs}")
    screen = Screen(quiet)
    with pb.stream(getattr(pb, device)):
        screen.line(
            f"{device}: {' -> '.join(map(str, SIZES))}, activations of {LEVELS} levels, {epochs} epochs"
        )
        began = time.perf_counter()
        *data, key = split(seed, quick)
        key, own = pb.random.split(key)
        params = start(own)
        checks = check(params, data[0][: 8 if quick else 32], data[1][: 8 if quick else 32], screen)
        data = (*data, key)
        params, losses, right, seconds = train(pb.compile(step), params, data, epochs, screen)
        whole = time.perf_counter() - began
    first, middle, best = (1e3 * t for t in (seconds[0], sorted(seconds)[len(seconds) // 2], min(seconds)))
    screen.line(
        f"  {right[-1]:.1%} of the held-out third are right; {middle:.2f} ms per step of {BATCH} examples"
        f" (the first {first:.0f} ms, the best {best:.2f} ms), {whole:.1f} s in all"
    )
    return {
        "device": device,
        "epochs": epochs,
        "seed": seed,
        "accuracy": right[-1],
        "accuracies": right,
        "losses": losses,
        "ms_per_step": middle,
        "ms_first_step": first,
        "ms_best_step": best,
        "steps": len(seconds),
        "batch": BATCH,
        "seconds": whole,
        "checks": checks,
    }


def main(device: str | None, epochs: int, seed: int, quick: bool, as_json: bool) -> int:
    """Run the demo on a device, or on all there are; return the exit status."""
    chosen = [device] if device else [name for name in ("cpu", "gpu") if pb.is_available(getattr(pb, name))]
    screen = Screen(as_json)
    found: dict[str, dict[str, Any]] = {}
    for name in chosen:
        found[name] = run(name, epochs, seed, as_json, quick)
    if not device and "gpu" not in chosen:
        screen.line("gpu: none here")
    if as_json:
        print(json.dumps({"version": pb.__version__, "devices": found}))
    good = all(one["checks"]["passed"] for one in found.values())
    if epochs >= EPOCHS and not quick:
        low = [name for name, one in found.items() if one["accuracy"] < ENOUGH]
        for name in low:
            screen.line(f"{name}: expected at least {ENOUGH:.0%} of the held-out third to be right")
        good = good and not low
    return 0 if good else 1
