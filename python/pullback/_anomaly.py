"""Where the first NaN comes from."""

import contextlib
from typing import Any

from pullback._core import AnomalyError, AnomalyWarning, _watch_start, _watch_stop

__all__ = ["AnomalyError", "AnomalyWarning", "detect_anomaly"]


class detect_anomaly(contextlib.ContextDecorator):
    """While it is active, the first operation that makes a NaN raises `AnomalyError`.

    A context manager or a decorator. The error names the operation, the types of its operands, the line that
    made it and, if that was in a rule of a custom function, the rule; of an operation in a derivative, the
    operation that was differentiated. An operation that gets a NaN does not make one. With `check_inf`
    infinities count as well; with `mode="warn"` there are warnings, and the computation goes on.

    Operations count if they are computed while it is active; what was built and is still pending at the end
    of the block is computed then. Every operation is computed by itself, which takes time and memory.

    >>> with pb.debug.detect_anomaly():
    ...     x = pb.array([1.0, -1.0])
    ...     pb.log(x).sum().item()
    Traceback (most recent call last):
    ...
    pullback.AnomalyError: [log] expected no NaN, got one in float32[2] from (float32[2])
      made at ...
    """

    def __init__(self, *, check_inf: bool = False, mode: str = "raise") -> None:
        if mode not in ("raise", "warn"):
            raise ValueError(f"[detect_anomaly] expected mode to be 'raise' or 'warn', got {mode!r}")
        self.check_inf = check_inf
        self.mode = mode

    def __enter__(self) -> "detect_anomaly":
        _watch_start(self.check_inf, self.mode == "warn")
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        _watch_stop(kind is None)
