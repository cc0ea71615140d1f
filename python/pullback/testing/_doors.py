"""The functions of every door, as a check of rules sees them: a call, a body, what has a derivative."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import pullback as pb
from pullback._core import _Custom
from pullback.doors.arguments import positional


class Door(NamedTuple):
    """A function with rules: how it is called, and what the rules stand for."""

    call: Callable
    body: Callable
    name: str
    nondiff: tuple[int, ...]

    @classmethod
    def of(cls, fun: Any) -> "Door":
        """The door of a function, a bound method, a `Function` or its `apply`."""
        if isinstance(fun, type) and issubclass(fun, pb.Function):
            return cls.of(fun.apply)
        if isinstance(fun, _Custom):
            nondiff = tuple(getattr(fun, "_nondiff", ()))
            return cls(fun, fun.__wrapped__, getattr(fun, "__name__", "?"), nondiff)
        if inspect.ismethod(fun) and isinstance(fun.__func__, _Custom):
            whole = cls.of(fun.__func__)
            body = functools.partial(whole.body, fun.__self__)
            return cls(fun, body, whole.name, tuple(i - 1 for i in whole.nondiff if i))
        raise TypeError(
            "[check_rules] expected a function with rules (custom_function, custom_vjp, custom_jvp, "
            "custom_vmap, custom_gradient, a Function or its apply), "
            f"got {type(fun).__name__}: pb.custom_function(f)"
        )

    def parameters(self, count: int) -> list[str]:
        """Names for so many arguments."""
        names = (positional(self.body) or [])[:count]
        return names + [f"args[{i}]" for i in range(len(names), count)]
