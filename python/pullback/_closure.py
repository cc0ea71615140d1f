"""Functions that captured arrays, as functions of those arrays.

The engine finds what a function captured where it has `closure_convert`. Without it the cells, defaults and
bound objects of the function are read, and those of functions in them; what is elsewhere, such as in a
global, stays.
"""

import functools
import types
from collections.abc import Callable
from typing import Any

from pullback import _core
from pullback._core import _tree_flatten, array


def converted(fun: Callable[..., Any], *examples: Any) -> tuple[Callable[..., Any], list[array]]:
    """`(call, consts)`, where `call(*args, *consts)` is `fun(*args)`; it is called once, on examples."""
    engine = getattr(_core, "closure_convert", None)
    if engine is not None:
        return engine(fun, *examples)
    # What is wrong with the function is said here, and not where the result is computed.
    fun(*examples)
    found: list[array] = []
    _walk(fun, lambda x: (found.append(x), x)[1], {})
    return _Converted(fun, len(examples)), found


class _Converted:
    """A function of arguments and of what it captured. As a closure it would be found to capture it still."""

    def __init__(self, fun: Callable[..., Any], count: int):
        self.fun, self.count = fun, count

    def __call__(self, *args: Any) -> Any:
        given = iter(args[self.count :])
        return _walk(self.fun, lambda _: next(given), {})(*args[: self.count])


def _walk(value: Any, replace: Callable[[array], array], seen: dict[int, Any]) -> Any:
    """`value`, with what `replace` gives for each array that a function or a tree in it captured."""
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, types.FunctionType):
        if not value.__closure__ and not value.__defaults__ and not value.__kwdefaults__:
            return value
        cells = tuple(types.CellType() for _ in value.__closure__ or ())
        made = types.FunctionType(value.__code__, value.__globals__, value.__name__, None, cells)
        # A function may be in its own cells: it is known before they are filled.
        seen[id(value)] = made
        for cell, old in zip(cells, value.__closure__ or (), strict=True):
            try:
                cell.cell_contents = _walk(old.cell_contents, replace, seen)
            except ValueError:
                continue
        made.__defaults__ = _walk(value.__defaults__, replace, seen)
        made.__kwdefaults__ = _walk(value.__kwdefaults__, replace, seen)
        made.__dict__.update(value.__dict__)
        return made
    if isinstance(value, types.MethodType):
        return types.MethodType(_walk(value.__func__, replace, seen), _walk(value.__self__, replace, seen))
    if isinstance(value, functools.partial):
        parts = (_walk(part, replace, seen) for part in (value.func, value.args, value.keywords))
        func, args, keywords = parts
        return functools.partial(func, *args, **keywords)
    if isinstance(value, array):
        seen[id(value)] = made = replace(value)
        return made
    if isinstance(value, type | types.ModuleType):
        return value
    leaves, structure = _tree_flatten(value)
    if len(leaves) == 1 and leaves[0] is value:
        return value
    seen[id(value)] = made = structure.unflatten([_walk(leaf, replace, seen) for leaf in leaves])
    return made
