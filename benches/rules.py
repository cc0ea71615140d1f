"""What custom rules cost, by door, and beside whatever of MLX, JAX, PyTorch and autograd is installed.

    python benches/rules.py [--json] [--only pullback,jax] [--seconds 0.1]

One process for each system, so none inherits another's threads or memory.
A figure is the smallest of several repeats; a difference is one of two such figures.
Costs per operation are those of a chain of 100 on one number, divided by 100.
Machines differ from day to day: compare ratios, and name the processor with every figure.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from compare import best, environment, processor, ramp, threads_available

LENGTH, SHORT, LARGE = 100, 20, 1_000_000
FORWARD, CALL, RULE = "forward beyond the body", "call under a trace, per op", "rule call, per op"
EXTRA, PUSHED, MAPPED = "extra in a gradient, per op", "extra in a jvp, per op", "extra in a vmap, per op"
SCALAR, SCALAR_PLAIN = "gradient of one", "gradient of one plain"
IDENTITY = "gradient of identities, per op"
COMPILED, COMPILED_SLOPE = "compiled chain of 20 / plain", "its gradient / plain"
KERNELS, MEMORY = "kernels beyond plain", "peak memory / plain"
# Microseconds, or ratios, that the project allows itself.
TARGETS = {FORWARD: 2.0, RULE: 1.0, EXTRA: 1.5, SCALAR: 10.0, COMPILED: 1.05, KERNELS: 0, MEMORY: 1.0}
RATIOS = {COMPILED, COMPILED_SLOPE, MEMORY}

Figures = dict[str, float]


def chain(f: Callable[[Any], Any], length: int) -> Callable[[Any], Any]:
    """The function applied many times."""

    def run(x: Any) -> Any:
        for _ in range(length):
            x = f(x)
        return x

    return run


def apart(task: Callable[[], object], base: Callable[[], object], seconds: float) -> float:
    """Microseconds that one task takes longer than another: of each the smallest of alternating repeats."""
    pairs = [(best(task, seconds / 4), best(base, seconds / 4)) for _ in range(4)]
    return (min(a for a, _ in pairs) - min(b for _, b in pairs)) * 1e6


def ratio(task: Callable[[], object], base: Callable[[], object], seconds: float) -> float:
    """How many times as long one task takes as another."""
    pairs = [(best(task, seconds / 4), best(base, seconds / 4)) for _ in range(4)]
    return min(a for a, _ in pairs) / min(b for _, b in pairs)


def pullback_doors(pb: Any) -> dict[str, tuple[Any, Any]]:
    """A sine with its true rule, and an identity whose rule is one, by door."""

    def mlx(kind: str) -> tuple[Any, Any]:
        sine, same = (pb.custom_function(body, missing="derive") for body in (pb.sin, lambda x: x))
        if kind == "vjp":
            sine.vjp(lambda x, g, y: g * pb.cos(x))
            same.vjp(lambda x, g, y: g)
        else:
            sine.jvp(lambda x, t: t * pb.cos(x))
            same.jvp(lambda x, t: t)
        for f in (sine, same):
            f.vmap(lambda x, axis, f=f: (pb.sin(x) if f is sine else x, axis))
        return sine, same

    def jax_vjp() -> tuple[Any, Any]:
        sine, same = pb.custom_vjp(lambda x: pb.sin(x)), pb.custom_vjp(lambda x: x)
        sine.defvjp(lambda x: (pb.sin(x), x), lambda x, g: (g * pb.cos(x),))
        same.defvjp(lambda x: (x, None), lambda kept, g: (g,))
        return sine, same

    def jax_jvp() -> tuple[Any, Any]:
        sine, same = pb.custom_jvp(lambda x: pb.sin(x)), pb.custom_jvp(lambda x: x)
        sine.defjvp(lambda p, t: (pb.sin(p[0]), t[0] * pb.cos(p[0])))
        same.defjvp(lambda p, t: (p[0], t[0]))
        return sine, same

    def jax_vmap() -> tuple[Any, Any]:
        sine, same = pb.custom_vmap(lambda x: pb.sin(x)), pb.custom_vmap(lambda x: x)
        sine.def_vmap(lambda size, batched, x: (pb.sin(x), batched[0]))
        same.def_vmap(lambda size, batched, x: (x, batched[0]))
        return sine, same

    class Sine(pb.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return pb.sin(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * pb.cos(x)

    class Same(pb.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g

    return {
        "custom_function": mlx("vjp"),
        "custom_function, jvp": mlx("jvp"),
        "custom_vjp": jax_vjp(),
        "custom_jvp": jax_jvp(),
        "Function": (Sine.apply, Same.apply),
        "custom_gradient": (
            pb.custom_gradient(lambda x: (pb.sin(x), lambda g: g * pb.cos(x))),
            pb.custom_gradient(lambda x: (x, lambda g: g)),
        ),
        # It has no rule for derivatives: its body is differentiated.
        "custom_vmap": jax_vmap(),
    }


def kernels(pb: Any, fun: Callable[..., Any], x: Any) -> int:
    """How many kernels a function is computed by."""
    return int(pb.explain(fun, x).split()[0])


def peak(pb: Any, task: Callable[[], object]) -> float:
    """The most bytes that arrays had while it ran."""
    pb.reset_peak_memory()
    task()
    return float(pb.get_peak_memory())


def door_of_pullback(pb: Any, sine: Any, same: Any, seconds: float) -> Figures:
    """What one door costs: without evaluation, but for what is compiled or is a gradient of one."""
    x, xs = pb.array(0.5), pb.array([0.5, 0.25])

    def plain(x: Any) -> Any:
        return pb.sin(x)

    def push(f: Callable[[Any], Any]) -> Callable[[], object]:
        return lambda: pb.jvp(f, [x], [x])

    long, base = chain(sine, LENGTH), chain(plain, LENGTH)
    slope, slope_plain = pb.grad(long), pb.grad(base)
    identities = pb.grad(chain(same, LENGTH))
    # The rules of what has no gradient are not called: what is left is the way forward.
    there = pb.grad(lambda x: pb.stop_gradient(chain(same, LENGTH)(x)) + x)
    nothing = pb.grad(lambda x: pb.stop_gradient(x) + x)
    one, one_plain = pb.grad(sine), pb.grad(plain)
    found = {
        FORWARD: apart(lambda: sine(x), lambda: plain(x), seconds),
        CALL: apart(lambda: there(x), lambda: nothing(x), seconds) / LENGTH,
        RULE: apart(lambda: identities(x), lambda: there(x), seconds) / LENGTH,
        IDENTITY: best(lambda: identities(x), seconds) * 1e6 / LENGTH,
        EXTRA: apart(lambda: slope(x), lambda: slope_plain(x), seconds) / LENGTH,
        PUSHED: apart(push(long), push(base), seconds) / LENGTH,
        MAPPED: apart(lambda: pb.vmap(long)(xs), lambda: pb.vmap(base)(xs), seconds) / LENGTH,
        SCALAR: best(lambda: pb.eval(one(x)), seconds) * 1e6,
        SCALAR_PLAIN: best(lambda: pb.eval(one_plain(x)), seconds) * 1e6,
    }
    return found | compiled_on_pullback(pb, sine, plain, seconds)


def compiled_on_pullback(pb: Any, sine: Any, plain: Any, seconds: float) -> Figures:
    """A compiled chain on many numbers, as fast as the plain one, in as many kernels, in as much memory."""
    many = pb.array(ramp(LARGE))
    pb.eval(many)
    pairs = {}
    for name, wrap in ((COMPILED, lambda f: f), (COMPILED_SLOPE, lambda f: pb.grad(lambda x: f(x).sum()))):
        pairs[name] = [wrap(chain(f, SHORT)) for f in (sine, plain)]
    found: Figures = {}
    for name, (custom, base) in pairs.items():
        fast, fast_base = pb.compile(custom), pb.compile(base)
        run, run_base = (lambda f=f: pb.eval(f(many)) for f in (fast, fast_base))
        found[name] = ratio(run, run_base, seconds)
        more = kernels(pb, fast, many) - kernels(pb, fast_base, many)
        found[KERNELS] = found.get(KERNELS, 0) + more
        if hasattr(pb, "get_peak_memory"):
            found[MEMORY] = max(found.get(MEMORY, 0), peak(pb, run) / peak(pb, run_base))
    return found


def on_pullback(seconds: float) -> dict[str, Figures]:
    """Every door."""
    import pullback as pb

    pb.set_default_device(pb.cpu)
    return {
        name: door_of_pullback(pb, sine, same, seconds) for name, (sine, same) in pullback_doors(pb).items()
    }


def figures(
    forward: tuple[Callable[[], object], Callable[[], object]],
    slope: Callable[[Callable[[Any], Any]], Callable[[], object]],
    functions: tuple[Any, Any, Any],
    seconds: float,
) -> Figures:
    """The same of a system: `slope(f)` takes a gradient; the functions are custom, plain, and an identity."""
    sine, plain, same = functions
    return {
        FORWARD: apart(*forward, seconds),
        IDENTITY: best(slope(chain(same, LENGTH)), seconds) * 1e6 / LENGTH,
        EXTRA: apart(slope(chain(sine, LENGTH)), slope(chain(plain, LENGTH)), seconds) / LENGTH,
        SCALAR: best(slope(sine), seconds) * 1e6,
        SCALAR_PLAIN: best(slope(plain), seconds) * 1e6,
    }


def on_jax(seconds: float) -> dict[str, Figures]:
    """Its eager library, and the chain under jit."""
    import jax
    import jax.numpy as jnp

    x, many = jnp.float32(0.5), jnp.asarray(ramp(LARGE))
    sine, same = jax.custom_vjp(lambda x: jnp.sin(x)), jax.custom_vjp(lambda x: x)
    sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))
    same.defvjp(lambda x: (x, None), lambda kept, g: (g,))

    def slope(f: Callable[[Any], Any]) -> Callable[[], object]:
        taken = jax.grad(f)
        return lambda: taken(x).block_until_ready()

    forward = (lambda: sine(x).block_until_ready(), lambda: jnp.sin(x).block_until_ready())
    found = figures(forward, slope, (sine, jnp.sin, same), seconds)
    fast, base = (jax.jit(chain(f, SHORT)) for f in (sine, jnp.sin))
    runs = [lambda f=f: f(many).block_until_ready() for f in (fast, base)]
    return {"jax": found | {COMPILED: ratio(*runs, seconds)}}


def on_mlx(seconds: float) -> dict[str, Figures]:
    """Without evaluation, as pullback, but for the gradient of one and what is compiled."""
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    x, many = mx.array(0.5), mx.array(ramp(LARGE))
    sine, same = mx.custom_function(lambda x: mx.sin(x)), mx.custom_function(lambda x: x)
    sine.vjp(lambda x, g, y: g * mx.cos(x))
    same.vjp(lambda x, g, y: g)

    def slope(f: Callable[[Any], Any]) -> Callable[[], object]:
        taken = mx.grad(f)
        return lambda: taken(x)

    found = figures((lambda: sine(x), lambda: mx.sin(x)), slope, (sine, mx.sin, same), seconds)
    for name, f in ((SCALAR, sine), (SCALAR_PLAIN, mx.sin)):
        taken = mx.grad(f)
        found[name] = best(lambda taken=taken: mx.eval(taken(x)), seconds) * 1e6
    fast, base = (mx.compile(chain(f, SHORT)) for f in (sine, mx.sin))
    runs = [lambda f=f: mx.eval(f(many)) for f in (fast, base)]
    return {"mlx": found | {COMPILED: ratio(*runs, seconds)}}


def on_torch(seconds: float) -> dict[str, Figures]:
    """Eager."""
    import torch

    x = torch.tensor(0.5, requires_grad=True)

    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.sin(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * torch.cos(x)

    class Same(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, g):
            return g

    def slope(f: Callable[[Any], Any]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(f(x), x)

    forward = (lambda: Sine.apply(x), lambda: torch.sin(x))
    return {"torch": figures(forward, slope, (Sine.apply, torch.sin, Same.apply), seconds)}


def on_autograd(seconds: float) -> dict[str, Figures]:
    """HIPS autograd, which computes with NumPy."""
    import autograd
    import autograd.numpy as np
    from autograd.extend import defvjp, primitive

    sine, same = primitive(lambda x: np.sin(x)), primitive(lambda x: x)
    defvjp(sine, lambda y, x: lambda g: g * np.cos(x))
    defvjp(same, lambda y, x: lambda g: g)

    def slope(f: Callable[[Any], Any]) -> Callable[[], object]:
        taken = autograd.grad(f)
        return lambda: taken(0.5)

    forward = (lambda: sine(0.5), lambda: np.sin(0.5))
    return {"autograd": figures(forward, slope, (sine, np.sin, same), seconds)}


SYSTEMS = {"pullback": on_pullback, "mlx": on_mlx, "jax": on_jax, "torch": on_torch, "autograd": on_autograd}


def child(system: str, seconds: float) -> dict[str, Figures]:
    """One system in a process of its own."""
    command = [sys.executable, __file__, "--child", system, "--seconds", str(seconds)]
    done = subprocess.run(
        command, env=environment(threads_available()), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(f"{system} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def spell(row: str, figure: float | None) -> str:
    """A figure with its unit."""
    if figure is None:
        return ""
    return f"{figure:.0f}" if row == KERNELS else f"{figure:.2f}" + ("×" if row in RATIOS else " µs")


def table(results: dict[str, Figures]) -> str:
    """Markdown: a row for each cost, a column for each door or system."""
    rows = [SCALAR, SCALAR_PLAIN, FORWARD, CALL, RULE, IDENTITY, EXTRA, PUSHED, MAPPED]
    rows += [COMPILED, COMPILED_SLOPE, KERNELS, MEMORY]
    there = [row for row in rows if any(row in found for found in results.values())]
    lines = ["| cost | at most | " + " | ".join(results) + " |", "|---" * (len(results) + 2) + "|"]
    for row in there:
        cells = [spell(row, found.get(row)) for found in results.values()]
        lines.append(f"| {row} | {spell(row, TARGETS.get(row))} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def missed(results: dict[str, Figures]) -> list[str]:
    """Which doors of pullback cost more than the project allows itself."""
    return [
        f"{door}: {row} {spell(row, figure)}, at most {spell(row, TARGETS[row])}"
        for door, found in results.items()
        for row, figure in found.items()
        if figure > TARGETS.get(row, figure)
    ]


def main() -> None:
    """Parent and child."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")
    parser.add_argument("--only", default="", help="systems to measure, separated by commas")
    parser.add_argument("--seconds", type=float, default=0.1, help="how long to repeat each task")
    parser.add_argument("--child", choices=SYSTEMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(SYSTEMS[arguments.child](arguments.seconds)))
        return
    there = [name for name in SYSTEMS if importlib.util.find_spec(name) is not None]
    chosen = [name for name in there if not arguments.only or name in arguments.only.split(",")]
    results = {name: child(name, arguments.seconds) for name in chosen}
    versions = {name: importlib.metadata.version(name) for name in chosen}
    if arguments.json:
        print(json.dumps({"processor": processor(), "versions": versions, "figures": results}, indent=1))
        return
    print(f"{processor()}; Python {platform.python_version()}")
    print(", ".join(f"{name} {version}" for name, version in versions.items()) + "\n")
    ours = results.get("pullback", {})
    if ours:
        print(table(ours) + "\n")
        print("\n".join(["Missed:", *missed(ours)] if missed(ours) else ["Every target is met."]) + "\n")
    others = [found for name, found in results.items() if name != "pullback"]
    beside = {f"pullback, {name}": ours[name] for name in ("custom_function", "custom_vjp") if name in ours}
    print(table({**beside, **{name: row for found in others for name, row in found.items()}}))


if __name__ == "__main__":
    main()
