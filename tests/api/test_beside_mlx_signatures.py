"""Names, order and defaults of parameters, as the typed stubs of the installed MLX have them."""

import ast
import importlib.util
import inspect
from pathlib import Path

import pullback as pb
import pytest
from names import ELSEWHERE, NAMES

if importlib.util.find_spec("mlx") is None:
    pytest.skip("mlx is not installed", allow_module_level=True)

CORE = Path(importlib.util.find_spec("mlx.core").origin).parent / "core"
NAMED = inspect.Parameter.POSITIONAL_OR_KEYWORD  # but for a stream, which is always named here
# Defaults that are written otherwise and mean the same.
ALIKE = {
    "None": {"float32", "int32", "bfloat16", "[]", "0.0", "1.0"},
    "()": {"[]"},
    "(-2, -1)": {"[-2, -1]"},
}


def functions(module):
    """Of a module of stubs, the forms (`ast.arguments`) of each function, methods as `array.name`."""
    found = {}
    for node in ast.parse((CORE / f"{module or '__init__'}.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node.args)
        if isinstance(node, ast.ClassDef) and node.name == "array":
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.decorator_list:
                    found.setdefault(f"array.{method.name}", []).append(method.args)
    return found


def parameters(args):
    """`(name, kind, default)` of the parameters that can be named, and whether more are taken by position."""
    every = args.posonlyargs + args.args
    defaults = [None] * (len(every) - len(args.defaults)) + [ast.unparse(d) for d in args.defaults]
    for arg, default in list(zip(every, defaults, strict=True))[len(args.posonlyargs) :]:
        if arg.arg == "self":
            continue
        yield arg.arg, NAMED, default
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        yield arg.arg, inspect.Parameter.KEYWORD_ONLY, None if default is None else ast.unparse(default)


def rows():
    for module in ["", "linalg", "fft", "random", "fast"]:
        for name, forms in functions(module).items():
            public = NAMES["array"] if name.startswith("array.") else NAMES[module]
            if name.split(".")[-1] in public and name not in ELSEWHERE:
                yield pytest.param(module, name, forms, id=f"{module}.{name}".lstrip("."))


@pytest.mark.parametrize("module, name, forms", list(rows()))
def test_parameters(module, name, forms):
    ours = getattr(pb, module) if module else pb
    for part in name.split("."):
        ours = getattr(ours, part)
    mine = inspect.signature(ours).parameters
    wrong = []
    for args in forms:
        for parameter, kind, default in parameters(args):
            if parameter not in mine:
                wrong.append(f"{parameter} is lacking")
            elif parameter != "stream" and kind == NAMED and mine[parameter].kind != kind:
                wrong.append(f"{parameter} is {mine[parameter].kind.description}")
            elif default is not None:
                value = mine[parameter].default
                shown = repr(value)
                if shown != default and default not in ALIKE.get(shown, ()):
                    wrong.append(f"{parameter} is {shown} by default, not {default}")
    assert not wrong, inspect.signature(ours)
