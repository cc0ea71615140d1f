"""The context of a `Function`: what its forward pass leaves for its rules."""

from typing import Any

from pullback.doors.zeros import is_inexact


class Context:
    """What `forward` leaves for `backward` and `jvp`: saved arrays, and attributes of any kind."""

    # What is not the user's own has a slot: the object's dict holds the user's attributes and no more. Each
    # call makes two of these, so what few say has no value until it is said: `_said` tells whether any was.
    __slots__ = (
        "__dict__",
        "_dirty",
        "_fixed",
        "_materialize",
        "_needs",
        "_of",
        "_said",
        "_saved",
        "_saved_forward",
    )

    def __init__(self, of: Any):
        # The arguments of a forward pass, or the call that a rule is for: asked only by who wants to know.
        self._of = of
        self._saved: tuple[Any, ...] | None = None
        self._said = False

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """For each argument whether a derivative with respect to it is asked for; in `forward`, whether it
        can be.
        """
        try:
            return self._needs
        except AttributeError:
            of = self._of
            self._needs: tuple[bool, ...] = tuple(map(is_inexact, of)) if isinstance(of, tuple) else of.needs
            return self._needs

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The arrays that were saved."""
        return self._saved if self._saved is not None else self._forward() or ()

    def save_for_backward(self, *arrays: Any) -> None:
        """Keeps arrays (`None` is allowed) for `backward`, as `saved_tensors`."""
        self._saved = arrays

    def save_for_forward(self, *arrays: Any) -> None:
        """Keeps arrays for `jvp`, as `saved_tensors`, where `save_for_backward` has not been called."""
        self._saved_forward: tuple[Any, ...] | None = arrays
        self._said = True

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Says of outputs that they have no derivative."""
        self._fixed = outputs
        self._said = True

    def mark_dirty(self, *inputs: Any) -> None:
        """Says of arguments that they are changed in place, and returned: so is what the caller passed."""
        self._dirty = inputs
        self._said = True

    def set_materialize_grads(self, value: bool) -> None:
        """Whether cotangents and tangents that are zero arrive as zeros, as they do unless said otherwise,
        or as `None`.
        """
        self._materialize = bool(value)
        self._said = True

    def _marks(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Outputs that have no derivative, and arguments that are changed."""
        return getattr(self, "_fixed", ()), getattr(self, "_dirty", ())

    def _materializes(self) -> bool:
        return getattr(self, "_materialize", True)

    def _forward(self) -> tuple[Any, ...] | None:
        """What was saved for forward mode."""
        return getattr(self, "_saved_forward", None)

    def _packed(self) -> tuple[Any, ...] | list[Any] | None:
        """What rules need of it, as a tree: nearly always the saved arrays; a list where there is more."""
        attributes = vars(self)
        if not attributes and not (self._said and (self._forward() is not None or not self._materializes())):
            return self._saved
        return [self._saved, self._forward(), attributes, self._materializes()]

    @staticmethod
    def _unpacked(call: Any) -> "Context":
        """The context of a call."""
        ctx = Context(call)
        kept = call.residuals
        if isinstance(kept, list):
            ctx._saved, ctx._saved_forward, attributes, ctx._materialize = kept
            vars(ctx).update(attributes)
        else:
            ctx._saved = kept
        return ctx
