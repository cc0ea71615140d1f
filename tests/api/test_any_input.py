"""Every public function, given anything: an exception that says what is wrong, and never a crash."""

import contextlib
import inspect
import io
import os
import random
import warnings
import zlib

import numpy as np
import pullback as pb
import pytest

# They write files, change what others rely on, wait for something, or call what they are given without end.
SKIPPED = {
    *("save", "savez", "savez_compressed", "save_safetensors", "save_gguf", "load"),
    *("export_function", "export_to_dot", "exporter", "import_function", "synchronize", "compile", "seed"),
    *("set_memory_limit", "set_cache_limit", "set_default_device", "set_default_stream", "clear_streams"),
    *("set_printoptions", "printoptions", "disable_compile", "enable_compile", "stream"),
    *("io_callback", "while_loop", "fori_loop", "custom_root", "custom_linear_solve"),
    *("register_module", "register_tree_node", "register_tree_node_class"),
}
EXPECTED = (
    *(TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError, ZeroDivisionError),
    *(MemoryError, RecursionError, NotImplementedError, pb.RuleError),
)
DTYPES = [pb.float32, pb.float64, pb.float16, pb.bfloat16, pb.int32, pb.uint8, pb.int64, pb.uint64]
DTYPES += [pb.bool_, pb.complex64]
SHAPES = [(), (0,), (3,), (2, 3), (3, 3), (0, 3), (2, 0, 2), (1, 2, 3), (2, 2, 3, 3), (1, 1, 1, 1, 1)]
THINGS = [
    *(0, 1, -1, 2, 5, -7, 10**6, 2**31, 2**63, -(2**70), 2**200, 1.5, float("nan"), float("inf"), -0.0, 1j),
    *(True, None, "x", "full", "linear", b"a", [], [1, 2], (1, 1), (0, -1), (5,), (0, 0), [[1], [2, 3]], {}),
    *({"a": 1}, object, len, slice(None), ..., pb.float32, pb.int8, np.zeros((2, 2)), (2**40, 2**40), (-1,)),
    *((3, 0), lambda x: x, np.float32, 1e300),
]
MODULES = {
    "": pb,
    "linalg": pb.linalg,
    "fft": pb.fft,
    "fast": pb.fast,
    "random": pb.random,
    "array": pb.array,
}
# Repeats per function; a slow run takes more of them, and others.
MANY = os.environ.get("PULLBACK_TESTS") == "slow"


def functions(module):
    room = MODULES[module]
    names = pb.__all__ if room is pb else [name for name in dir(room) if name[0] != "_"]
    found = {name: getattr(room, name) for name in names if name not in SKIPPED}
    return {name: fun for name, fun in found.items() if callable(fun) and not inspect.isclass(fun)}


CASES = [(module, name) for module in MODULES for name in functions(module)]


def parameters(fun):
    """What may be given by name."""
    with contextlib.suppress(TypeError, ValueError):
        kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [p.name for p in inspect.signature(fun).parameters.values() if p.kind in kinds]
    return []


def drawn(rng):
    def some_array():
        x = np.random.default_rng(rng.randrange(1000)).normal(size=rng.choice(SHAPES)) * 3
        return pb.array(x.astype(np.float32)).astype(rng.choice(DTYPES))

    return some_array() if rng.random() < 0.55 else rng.choice(THINGS)


def computed(result):
    """What is small enough is computed: some faults show only then."""
    results = result if isinstance(result, tuple | list) else [result]
    pb.eval([x for x in results if isinstance(x, pb.array) and x.size < 10**6])


@pytest.mark.parametrize(("module", "name"), CASES)
def test_any_input_is_answered(module, name):
    fun = functions(module)[name]
    rng = random.Random(random.randrange(2**30) if MANY else zlib.crc32(f"{module}.{name}".encode()))
    names = parameters(fun)
    for _ in range(500 if MANY else 25):
        args = [drawn(rng) for _ in range(rng.randrange(5))]
        if module == "array":
            args.insert(0, pb.ones(rng.choice(SHAPES), rng.choice(DTYPES)))
        named = {key: drawn(rng) for key in names if rng.random() < 0.15}
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
                computed(fun(*args, **named))
        except EXPECTED:
            pass
        except BaseException as error:
            pytest.fail(f"{name}(*{args!r}, **{named!r}): {type(error).__name__}: {error}")
    assert (pb.array([1.0, 2.0]) + 1).tolist() == [2.0, 3.0]


def test_sizes_that_no_machine_has():
    """Found by the test above: each of these took the process down, or was a fault of ours."""
    x = pb.ones((3, 3))
    with pytest.raises(ValueError, match=r"\[tensordot\] expected axes from 0 to 2, .* got 2147483648"):
        pb.tensordot(x, x, 2**31)
    with pytest.raises(MemoryError, match=r"\[pad\]"):
        pb.pad(x, 2**63)
    with pytest.raises(MemoryError, match=r"\[broadcast_to\]"):
        pb.broadcast_to(pb.array([1.0]), (2**40, 2**40))
    with pytest.raises(MemoryError, match=r"\[repeat\]"):
        pb.repeat(x, 2**63)
    with pytest.raises(MemoryError, match=r"\[tile\]"):
        pb.tile(x, 2**62)
    with pytest.raises(
        MemoryError, match=r"\[split\] expected at most 65536 parts of nothing, got 2147483648"
    ):
        pb.split(pb.zeros((0,)), 2**31)
    assert len(pb.split(pb.zeros((0,)), 5)) == 5
