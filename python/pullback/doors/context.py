"""The context of a `Function`: what its forward pass leaves for its rules."""

from typing import Any


class Hidden:
    """What a context knows besides the user's attributes."""

    saved: tuple[Any, ...] | None = None
    saved_forward: tuple[Any, ...] | None = None
    fixed: tuple[Any, ...] = ()
    dirty: tuple[Any, ...] = ()
    materialize: bool = True


class Context:
    """What `forward` leaves for `backward` and `jvp`: saved arrays, and attributes of any kind."""

    def __init__(self, needs: tuple[bool, ...]):
        self.needs_input_grad = needs
        self._hidden = Hidden()

    def save_for_backward(self, *arrays: Any) -> None:
        """Keeps arrays (`None` is allowed) for `backward`, as `saved_tensors`."""
        self._hidden.saved = arrays

    def save_for_forward(self, *arrays: Any) -> None:
        """Keeps arrays for `jvp`, as `saved_tensors`, where `save_for_backward` has not been called."""
        self._hidden.saved_forward = arrays

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The arrays that were saved."""
        return self._hidden.saved if self._hidden.saved is not None else self._hidden.saved_forward or ()

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Says of outputs that they have no derivative."""
        self._hidden.fixed = outputs

    def mark_dirty(self, *inputs: Any) -> None:
        """Says of arguments that they are changed in place, and returned: so is what the caller passed."""
        self._hidden.dirty = inputs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether cotangents and tangents that are zero arrive as zeros (so they do unless said otherwise),
        or as `None`.
        """
        self._hidden.materialize = bool(value)
