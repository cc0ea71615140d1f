"""Norms, rotary positions and attention beside JAX: values and gradients, seconds and memory, on the CPU.

    python benches/fast.py [--seconds 1] [--long]

Each task runs in a process of its own, compiled by either system, with all processors.
A time is the smallest of several repeats; memory is by how much the process grew over its inputs at the most.
`--long` adds attention over 8192 positions, whose probabilities alone take 2 GiB.
Ratios are to pullback; above 1, pullback is faster or smaller.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys

from compare import best, processor, spell, version

NORM, HEADS, DEPTH = (4096, 1024), 8, 64
SYSTEMS = ("pullback", "jax")
KINDS = ("value", "gradient")
LENGTHS = {"attention 1024": 1024, "causal attention 1024": 1024}
LONG = {"attention 8192": 8192}


def inputs(task: str) -> tuple:
    """The arrays of a task, by NumPy."""
    import numpy as np

    normal = np.random.default_rng(0).standard_normal
    if "norm" in task:
        return normal(NORM, dtype="f"), normal(NORM[1], dtype="f"), normal(NORM[1], dtype="f")
    length = (LENGTHS | LONG).get(task, 1024)
    shape = (1, HEADS, length, DEPTH)
    return tuple(normal(shape, dtype="f") for _ in range(1 if task == "rope" else 3))


def on_pullback(task: str):
    """The function, compiled, and what computes a result."""
    import pullback as pb

    fast = pb.fast
    scale = DEPTH**-0.5
    function = {
        "rms_norm": lambda x, w, b: fast.rms_norm(x, w, 1e-5),
        "layer_norm": lambda x, w, b: fast.layer_norm(x, w, b, 1e-5),
        "rope": lambda x: fast.rope(x, DEPTH, traditional=False, base=1e4, scale=1.0, offset=0),
        "causal attention 1024": lambda q, k, v: fast.scaled_dot_product_attention(
            q, k, v, scale=scale, mask="causal"
        ),
    }.get(task, lambda q, k, v: fast.scaled_dot_product_attention(q, k, v, scale=scale))
    return pb, function, lambda found: pb.eval(found), lambda fun: pb.compile(fun)


def on_jax(task: str):
    """The same, as one writes it there."""
    import jax
    import jax.numpy as jnp

    def rms_norm(x, w, b):
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * w

    def layer_norm(x, w, b):
        apart = x - jnp.mean(x, -1, keepdims=True)
        return apart * jax.lax.rsqrt(jnp.mean(apart * apart, -1, keepdims=True) + 1e-5) * w + b

    def rope(x):
        half = DEPTH // 2
        turn = jnp.exp(jnp.arange(half) * (-jnp.log(1e4) / half))
        theta = jnp.arange(x.shape[-2])[:, None] * turn
        first, second = x[..., :half], x[..., half:]
        cos, sin = jnp.cos(theta), jnp.sin(theta)
        return jnp.concatenate([first * cos - second * sin, first * sin + second * cos], -1)

    def attention(q, k, v):
        q, k, v = (jnp.swapaxes(x, 1, 2) for x in (q, k, v))
        y = jax.nn.dot_product_attention(q, k, v, is_causal="causal" in task)
        return jnp.swapaxes(y, 1, 2)

    function = {"rms_norm": rms_norm, "layer_norm": layer_norm, "rope": rope}.get(task, attention)
    return jax, function, jax.block_until_ready, jax.jit


def measure(system: str, task: str, kind: str, seconds: float) -> None:
    """What a child does: prints seconds and bytes."""
    library, function, wait, compiled = (on_pullback if system == "pullback" else on_jax)(task)
    array = library.array if system == "pullback" else library.numpy.array
    given = [array(x) for x in inputs(task)]
    wait(given)
    if kind == "gradient":
        arguments = tuple(range(len(given) if task != "rms_norm" else 2))
        # A cotangent that differs, and is an argument: a rotation's gradient would otherwise be a constant.
        given.append(array(inputs(task)[0]))
        function = library.grad(lambda *x, f=function: (f(*x[:-1]) * x[-1]).sum(), arguments)
    run = compiled(function)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wait(run(*given))
    fastest = best(lambda: wait(run(*given)), seconds)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps([fastest, grown]))


def child(system: str, task: str, kind: str, seconds: float) -> tuple[float, float] | None:
    """Measures in a process of its own."""
    command = [sys.executable, __file__, "--child", system, task, kind, "--seconds", str(seconds)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        print(f"{system}, {task}: {done.stderr[-500:]}", file=sys.stderr)
        return None
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Parent and child."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to repeat each task")
    parser.add_argument("--long", action="store_true", help="attention over 8192 positions too")
    parser.add_argument("--only", default="", help="tasks with this in their names")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure(*arguments.child, arguments.seconds)
        return
    print(f"{processor()}; Python {platform.python_version()}; jax {version('jax')}\n")
    print("| task | pullback | jax | pullback, memory | jax, memory |\n|---|---|---|---|---|")
    tasks = ["rms_norm", "layer_norm", "rope", *LENGTHS, *(LONG if arguments.long else ())]
    for task in (task for task in tasks if arguments.only in task):
        for kind in KINDS:
            found = [child(system, task, kind, arguments.seconds) for system in SYSTEMS]
            ours = found[0]
            seconds, memory = [], []
            for one in found:
                times = one is not None and ours is not None and one is not ours
                seconds.append("" if one is None else spell(one[0], task))
                memory.append("" if one is None else f"{one[1] / 1024:.0f} MiB")
                if times:
                    seconds[-1] += f" ({one[0] / ours[0]:.2f}×)"
                    # What is below a MiB is no measure.
                    memory[-1] += f" ({one[1] / ours[1]:.1f}×)" if ours[1] >= 1024 else ""
            print(f"| {task}, {kind} | " + " | ".join(seconds + memory) + " |", flush=True)


if __name__ == "__main__":
    main()
