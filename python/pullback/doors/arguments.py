"""What doors with non-differentiable arguments have in common: which positions those are."""

import inspect
import operator
from collections.abc import Callable
from typing import Any

from pullback._carry import kind
from pullback._core import array


def positions(op: str, fun: Callable[..., Any], argnums: Any, argnames: Any) -> list[int]:
    """The positions of non-differentiable arguments, given by number and by name."""
    numbers = [argnums] if hasattr(argnums, "__index__") else list(argnums)
    names = [argnames] if isinstance(argnames, str) else list(argnames)
    parameters = positional(fun)
    found = {_position(op, fun, number, parameters) for number in numbers}
    for argname in names:
        if parameters is None or argname not in parameters:
            have = (
                "none that can be read" if parameters is None else ", ".join(map(repr, parameters)) or "none"
            )
            raise ValueError(
                f"[{op}] expected nondiff_argnames to name positional parameters of {name(fun)!r} ({have}), "
                f"got {argname!r}"
            )
        found.add(parameters.index(argname))
    return sorted(found)


def _position(op: str, fun: Callable[..., Any], number: Any, parameters: list[str] | None) -> int:
    at = operator.index(number)
    if at < 0 and parameters is not None:
        at += len(parameters)
    if at < 0 or (parameters is not None and at >= len(parameters) and not _takes_more(fun)):
        count = "an unknown number of" if parameters is None else str(len(parameters))
        raise ValueError(
            f"[{op}] expected nondiff_argnums to be positions of {name(fun)!r}, which takes {count} "
            f"positional arguments, got {number}"
        )
    return at


def signature(fun: Callable[..., Any]) -> inspect.Signature | None:
    """The signature of a function, if it has one that can be read."""
    try:
        return inspect.signature(fun)
    except (TypeError, ValueError):
        return None


def positional(fun: Callable[..., Any]) -> list[str] | None:
    """The names of the positional parameters of a function, if they can be read."""
    found = signature(fun)
    if found is None:
        return None
    parameters = found.parameters.values()
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _takes_more(fun: Callable[..., Any]) -> bool:
    found = signature(fun)
    return found is None or any(p.kind is p.VAR_POSITIONAL for p in found.parameters.values())


def name(fun: Callable[..., Any]) -> str:
    """The name of a function, for messages."""
    return getattr(fun, "__name__", type(fun).__name__)


def described(value: Any) -> str:
    """What something is, for messages."""
    if isinstance(value, array):
        return kind(value)
    name = type(value).__name__
    return f"a {name} of {len(value)}" if isinstance(value, tuple | list) else f"a {name}"
