"""Where results are: on the device that is named, else on that of the operands."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pullback import _core

P = ParamSpec("P")
R = TypeVar("R")


def placed(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function build its results for `device=`, else for its operands' device, and keep them there."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return _core._placed(function, args, kwargs)

    return call
