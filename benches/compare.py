"""pullback beside NumPy and whatever of MLX, JAX and PyTorch is installed, on the CPU.

    python benches/compare.py [--json] [--only pullback,jax] [--seconds 0.2] [--quick]

One process for each system and number of threads, so none inherits another's threads or memory.
A figure is the smallest of several repeats.
Ratios are to pullback in the same run; above 1, pullback is faster.
Machines differ from day to day: compare ratios, and name the processor with every figure.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = {"pullback": "pullback", "numpy": "numpy", "mlx": "mlx", "jax": "jax", "torch": "torch"}
MODULES = {"mlx": "mlx.core"}
SMALL, LARGE = 1_000_000, 16_000_000
SIDE = 1024

Tasks = dict[str, Callable[[], object]]


def names(n: int) -> tuple[str, str]:
    """Names of the tasks on n elements."""
    size = f"{n:.1e}".replace("e+0", "e").replace(".0e", "e")
    return f"gelu, {size} f32", f"x * x + 0.5 * x - 1, {size} f32"


def ramp(n: int):
    """n numbers between -3 and 3, by NumPy."""
    import numpy as np

    return np.linspace(-3, 3, n, dtype=np.float32)


def square(side: int):
    """A matrix."""
    import numpy as np

    return np.random.default_rng(0).standard_normal((side, side), dtype=np.float32)


def gelu(x, tanh):
    """The form with a hyperbolic tangent, which every system has."""
    return 0.5 * x * (1.0 + tanh(0.7978845608 * (x + 0.044715 * (x * x * x))))


def cheap(x):
    """A fused expression that memory bounds, not arithmetic."""
    return x * x + 0.5 * x - 1.0


def three(a, b):
    """Three operations."""
    return (a + b) * a - b


def on_pullback(sizes: list[int]) -> Tasks:
    """Nothing is compiled where it says so not: plans are found by structure."""
    import pullback as pb

    pb.set_default_device(pb.cpu)
    a, b = pb.array(1.5), pb.array(2.5)
    pb.eval(a, b)
    compiled = pb.compile(three)

    @pb.custom_function
    def sine(x):
        return pb.sin(x)

    @sine.vjp
    def sine_vjp(x, cotangent, output):
        return pb.cos(x) * cotangent

    slope = pb.grad(sine)
    m = pb.array(square(SIDE))
    tasks: Tasks = {
        "lazy a + b": lambda: a + b,
        "eval of scalar a + b": lambda: pb.eval(a + b),
        "compiled call of three ops": lambda: pb.eval(compiled(a, b)),
        "grad of a scalar custom function": lambda: pb.eval(slope(a)),
        "matmul 1024, f32": lambda: pb.eval(m @ m),
    }
    for n in sizes:
        x, (first, second) = pb.array(ramp(n)), names(n)
        tasks[first] = lambda x=x: pb.eval(gelu(x, pb.tanh))
        tasks[second] = lambda x=x: pb.eval(cheap(x))
    return tasks


def on_numpy(sizes: list[int]) -> Tasks:
    """Eager."""
    import numpy as np

    a, b, m = np.float32(1.5), np.float32(2.5), square(SIDE)
    tasks: Tasks = {"eval of scalar a + b": lambda: a + b, "matmul 1024, f32": lambda: m @ m}
    for n in sizes:
        x, (first, second) = ramp(n), names(n)
        tasks[first] = lambda x=x: gelu(x, np.tanh)
        tasks[second] = lambda x=x: cheap(x)
    return tasks


def on_mlx(sizes: list[int]) -> Tasks:
    """Elementwise functions are compiled, as its own library does it."""
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    a, b = mx.array(1.5), mx.array(2.5)
    mx.eval(a, b)
    compiled = mx.compile(three)

    @mx.custom_function
    def sine(x):
        return mx.sin(x)

    @sine.vjp
    def sine_vjp(x, cotangent, output):
        return mx.cos(x) * cotangent

    slope = mx.grad(sine)
    m = mx.array(square(SIDE))
    tasks: Tasks = {
        "lazy a + b": lambda: a + b,
        "eval of scalar a + b": lambda: mx.eval(a + b),
        "compiled call of three ops": lambda: mx.eval(compiled(a, b)),
        "grad of a scalar custom function": lambda: mx.eval(slope(a)),
        "matmul 1024, f32": lambda: mx.eval(m @ m),
    }
    fast_gelu, fast_cheap = mx.compile(lambda x: gelu(x, mx.tanh)), mx.compile(cheap)
    for n in sizes:
        x, (first, second) = mx.array(ramp(n)), names(n)
        tasks[first] = lambda x=x: mx.eval(fast_gelu(x))
        tasks[second] = lambda x=x: mx.eval(fast_cheap(x))
    return tasks


def on_jax(sizes: list[int]) -> Tasks:
    """Under jit, but for what is asked of the eager library."""
    import jax
    import jax.numpy as jnp

    a, b, m = jnp.float32(1.5), jnp.float32(2.5), jnp.asarray(square(SIDE))
    compiled, product = jax.jit(three), jax.jit(jnp.matmul)

    @jax.custom_vjp
    def sine(x):
        return jnp.sin(x)

    sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (jnp.cos(x) * g,))
    slope = jax.grad(sine)
    tasks: Tasks = {
        "eval of scalar a + b": lambda: (a + b).block_until_ready(),
        "compiled call of three ops": lambda: compiled(a, b).block_until_ready(),
        "grad of a scalar custom function": lambda: slope(a).block_until_ready(),
        "matmul 1024, f32": lambda: product(m, m).block_until_ready(),
    }
    fast_gelu, fast_cheap = jax.jit(lambda x: gelu(x, jnp.tanh)), jax.jit(cheap)
    for n in sizes:
        x, (first, second) = jnp.asarray(ramp(n)), names(n)
        tasks[first] = lambda x=x: fast_gelu(x).block_until_ready()
        tasks[second] = lambda x=x: fast_cheap(x).block_until_ready()
    return tasks


def on_torch(sizes: list[int]) -> Tasks:
    """Eager; its own gelu."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    a, b, m = torch.tensor(1.5), torch.tensor(2.5), torch.from_numpy(square(SIDE))
    leaf = torch.tensor(1.5, requires_grad=True)

    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.sin(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return torch.cos(x) * g

    tasks: Tasks = {
        "eval of scalar a + b": lambda: a + b,
        "grad of a scalar custom function": lambda: torch.autograd.grad(Sine.apply(leaf), leaf),
        "matmul 1024, f32": lambda: m @ m,
    }
    for n in sizes:
        x, (first, second) = torch.from_numpy(ramp(n)), names(n)
        tasks[first] = lambda x=x: torch.nn.functional.gelu(x, approximate="tanh")
        tasks[second] = lambda x=x: cheap(x)
    return tasks


SYSTEMS = {"pullback": on_pullback, "numpy": on_numpy, "mlx": on_mlx, "jax": on_jax, "torch": on_torch}


def best(task: Callable[[], object], seconds: float) -> float:
    """Seconds of one call: the smallest mean of several runs, each long enough for the clock."""
    task()
    task()
    number = 1
    while True:
        start = time.perf_counter()
        for _ in range(number):
            task()
        taken = time.perf_counter() - start
        if taken > min(0.005, seconds / 10):
            break
        number *= 2
    smallest, deadline = taken / number, time.perf_counter() + seconds
    runs = 1
    while runs < 3 or time.perf_counter() < deadline:
        start = time.perf_counter()
        for _ in range(number):
            task()
        smallest = min(smallest, (time.perf_counter() - start) / number)
        runs += 1
    return smallest


def measure(system: str, threads: int, seconds: float, quick: bool) -> None:
    """What a child does: prints seconds per task."""
    sizes = [SMALL] if quick else [SMALL, LARGE]
    tasks = SYSTEMS[system](sizes)
    large = {name for n in (SMALL, LARGE) for name in names(n)} | {"matmul 1024, f32"}
    # Scalars are measured once, with everything as it is by default.
    wanted = {name: task for name, task in tasks.items() if threads != 1 or name in large}
    print(json.dumps({name: best(task, seconds) for name, task in wanted.items()}))


def environment(threads: int) -> dict[str, str]:
    """Limits for all the ways in which libraries choose their threads."""
    count = str(threads)
    named = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PULLBACK_THREADS")
    return {**os.environ, **dict.fromkeys(named, count), "JAX_PLATFORMS": "cpu"}


def child(system: str, threads: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Measures one system in a process of its own, on as many processors as it may have threads."""
    command = [sys.executable, __file__, "--child", system, "--threads", str(threads)]
    command += ["--seconds", str(arguments.seconds)] + ["--quick"] * arguments.quick
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

    def pin() -> None:
        if processors:
            os.sched_setaffinity(0, processors[:threads])

    done = subprocess.run(command, env=environment(threads), preexec_fn=pin, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{system} on {threads} threads failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def version(system: str) -> str:
    """What is installed; a package on the path alone has no number."""
    try:
        return importlib.metadata.version(PACKAGES[system])
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def import_time(system: str) -> float:
    """Seconds that a fresh process takes for the import alone."""
    module = MODULES.get(system, system)
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True) for _ in range(5)]
    return min(float(run.stdout) for run in runs)


def demo_steps() -> dict[str, float]:
    """Seconds per step of the demo, by device."""
    command = [sys.executable, "-m", "pullback", "demo", "--json", "--epochs", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {}
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    runs = found.get("devices", found) if isinstance(found, dict) else {}
    return {
        device: run["ms_per_step"] / 1e3
        for device, run in runs.items()
        if isinstance(run, dict) and "ms_per_step" in run
    }


def processor() -> str:
    """Its name, how many there are, and how wide its vectors."""
    name, flags = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
        found = {key.strip(): value.strip() for key, _, value in reversed(lines)}
        name, flags = found.get("model name", name), found.get("flags", "")
    wide = next((word for word in ("avx512f", "avx2") if word in flags.split()), "baseline")
    return f"{name}, {threads_available()} processors, {wide}"


def threads_available() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spell(seconds: float, task: str) -> str:
    """A time in the unit that suits it; per element where there are many."""
    for n in (SMALL, LARGE):
        if task.startswith(names(n)):
            return f"{seconds / n * 1e9:.2f} ns/element"
    for unit, factor in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(results: dict[str, dict[str, float]]) -> str:
    """Markdown: a row for each task, a column for each system."""
    systems = list(results)
    tasks = list(dict.fromkeys(task for found in results.values() for task in found))
    lines = ["| task | " + " | ".join(systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for task in tasks:
        ours = results.get("pullback", {}).get(task)
        cells = []
        for system in systems:
            seconds = results[system].get(task)
            cell = "" if seconds is None else spell(seconds, task)
            if seconds is not None and ours is not None and system != "pullback":
                cell += f" ({seconds / ours:.2f}×)"
            cells.append(cell)
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def compare(arguments: argparse.Namespace) -> None:
    """Measures every system that is there."""
    there = [name for name in SYSTEMS if importlib.util.find_spec(PACKAGES[name]) is not None]
    chosen = [name for name in there if not arguments.only or name in arguments.only.split(",")]
    counts = sorted({1, threads_available()})
    results: dict[str, dict[str, float]] = {name: {} for name in chosen}
    for system in chosen:
        results[system]["import"] = import_time(system)
    for threads in counts:
        for system in chosen:
            found = child(system, threads, arguments)
            several = len(counts) > 1 and threads == 1
            results[system] |= {f"{task}, 1 thread" if several else task: s for task, s in found.items()}
    if "pullback" in chosen:
        results["pullback"] |= {f"demo, one step, {device}": s for device, s in demo_steps().items()}
    versions = {name: version(name) for name in chosen}
    if arguments.json:
        print(json.dumps({"processor": processor(), "versions": versions, "seconds": results}, indent=1))
        return
    print(f"{processor()}; Python {platform.python_version()}")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print("Smallest of several repeats; in brackets, times as long as pullback.\n")
    print(table(results))


def main() -> None:
    """Parent and child."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print seconds as JSON instead of a table")
    parser.add_argument("--only", default="", help="systems to measure, separated by commas")
    parser.add_argument("--seconds", type=float, default=0.3, help="how long to repeat each task")
    parser.add_argument("--quick", action="store_true", help="leave out the large arrays")
    parser.add_argument("--child", choices=SYSTEMS, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure(arguments.child, arguments.threads, arguments.seconds, arguments.quick)
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
