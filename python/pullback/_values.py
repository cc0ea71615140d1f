"""Answers that a loop needs before it goes on: of values that are there, and of all examples of a map.

A tracer of `vmap` has no elements of its own, but the map knows those of all examples: a custom function is
handed them by its rule for batches, at the call. A tracer of `compile` has none anywhere.
"""

from collections.abc import Sequence
from typing import Any

from pullback import _core
from pullback._core import array

# What an array without elements says when it is asked for them.
_TRACER = "a tracer of"


def value(x: Any) -> Any:
    """The element of a scalar, or `None` if it is not there while this is traced."""
    if not isinstance(x, array):
        return x
    try:
        return x.item()
    except ValueError as error:
        if _TRACER not in str(error):
            raise
        return None


def computed(arrays: Sequence[array]) -> None:
    """Compute arrays now, if they can be: a loop that asks in each step leaves no long graph behind."""
    try:
        _core.eval(*arrays)
    except ValueError as error:
        if _TRACER not in str(error):
            raise


class Answer:
    """Whether a predicate holds for some and for all examples of the open maps; `None` if unknown."""

    def __init__(self) -> None:
        self.some: bool | None = None
        self.all: bool | None = None


def answer(predicate: array, carried: Sequence[array]) -> Answer:
    """Ask a predicate, and compute what is carried along with it."""
    found = Answer()
    _ask(found, predicate, predicate, carried)
    if found.some is None:
        _look(found, predicate, predicate, *carried)
    return found


def _ask(found: Answer, some: array, every: array, carried: Sequence[array]) -> None:
    one = value(some)
    if one is None:
        return
    computed(carried)
    found.some, found.all = bool(one), bool(value(every))


@_core.custom_function
def _look(found: Answer, some: array, every: array, *carried: array) -> array:
    return some


@_look.vmap
def _(inputs: tuple[Any, ...], axes: tuple[Any, ...]) -> Any:
    found, some, every, *carried = inputs
    unmapped = some
    if axes[1] is not None:
        some, every = some.any(axis=axes[1]), every.all(axis=axes[2])
    _ask(found, some, every, carried)
    if found.some is None:
        _look(found, some, every, *carried)
    return unmapped, axes[1]
