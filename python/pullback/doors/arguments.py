"""What doors with non-differentiable arguments have in common: which positions those are."""

import inspect
import operator
from collections.abc import Callable, Iterable
from typing import Any

from pullback._core import array


def decorator(
    door: type, fun: Callable[..., Any] | None, options: dict[str, Any]
) -> Callable[..., Any] | None:
    """`@door(option=...)`: a decorator that waits for its function, where none was given."""
    if fun is not None:
        return None
    return lambda fun: door(fun, **options)


def positions(op: str, fun: Callable[..., Any], argnums: Any, argnames: Any) -> list[int]:
    """The positions of non-differentiable arguments, given by number and by name."""
    numbers = [argnums] if hasattr(argnums, "__index__") else list(argnums)
    names = [argnames] if isinstance(argnames, str) else list(argnames)
    parameters = _positional(fun)
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


def _signature(fun: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(fun)
    except (TypeError, ValueError):
        return None


def _positional(fun: Callable[..., Any]) -> list[str] | None:
    signature = _signature(fun)
    if signature is None:
        return None
    return [
        p.name
        for p in signature.parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def _takes_more(fun: Callable[..., Any]) -> bool:
    signature = _signature(fun)
    return signature is None or any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())


def name(fun: Callable[..., Any]) -> str:
    """The name of a function, for messages."""
    return getattr(fun, "__name__", type(fun).__name__)


def described(value: Any) -> str:
    """What something is, for messages."""
    if isinstance(value, array):
        return f"{value.dtype.name}[{', '.join(map(str, value.shape))}]"
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, tuple | list) else f"a {kind}"


def rest(items: Iterable[Any], nondiff: list[int]) -> tuple[Any, ...]:
    """The items at other positions."""
    return tuple(item for i, item in enumerate(items) if i not in nondiff)
