"""What `custom_vjp` and `custom_jvp` share: options, non-differentiable arguments, a rule for batches."""

from collections.abc import Callable
from typing import Any

from pullback._core import _Custom
from pullback.doors import arguments
from pullback.doors.vmap import batched


class Ruled(_Custom):
    """A function with non-differentiable arguments, and with rules that a subclass defines."""

    _door: str
    _nondiff: list[int]

    def __new__(
        cls,
        fun: Callable[..., Any] | None = None,
        nondiff_argnums: Any = (),
        nondiff_argnames: Any = (),
        *,
        missing: str = "derive",
        captured: str = "error",
    ) -> Any:
        """Of `fun`; without one a decorator that waits for it."""
        if fun is None:
            return lambda fun: cls(fun, nondiff_argnums, nondiff_argnames, missing=missing, captured=captured)
        self: Any = super().__new__(cls, fun, missing=missing, captured=captured)
        self._nondiff = arguments.positions(cls._door, fun, nondiff_argnums, nondiff_argnames)
        return self

    def def_vmap(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Gives a rule for batches besides, as that of `custom_vmap`."""
        self._define(vmap=batched(arguments.name(self), rule), nondiff=self._nondiff)
        return rule
