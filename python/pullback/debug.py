"""What is going on inside: values printed on the way, graphs to look at, and where a NaN comes from."""

import builtins
from typing import Any

from pullback import _core
from pullback._anomaly import AnomalyError, AnomalyWarning, detect_anomaly
from pullback._callback import ShapeDtypeStruct
from pullback._graph import Graph, graph

__all__ = ["AnomalyError", "AnomalyWarning", "Graph", "detect_anomaly", "graph", "print"]

# What a call returns that is made for its effect: something to wait for.
_TOKEN = ShapeDtypeStruct((), _core.int32)


def print(fmt: str, *args: Any, **kwargs: Any) -> None:
    """Print `fmt.format(*args, **kwargs)`, with arrays as NumPy shows them, under every transform.

    It is printed now, if there are values: also under `grad`, and under `vmap` once for each example. While a
    compiled function is traced there are none: then it is printed in each call whose results are computed,
    when the first of them is. What depends on no argument of a compiled function is printed when that is
    traced.

    >>> x = pb.array([1.0, 2.0])
    >>> pb.debug.print("x is {x}, its sum {}", x.sum(), x=x)
    x is [1. 2.], its sum 3.0
    >>> def square(x):
    ...     pb.debug.print("at {}", x)
    ...     return x * x
    >>> y = pb.vmap(square)(x)
    at 1.0
    at 2.0
    >>> pb.compile(square)(pb.array(3.0)).item()
    at 3.0
    9.0
    """
    if not isinstance(fmt, str):
        raise TypeError(f"[debug.print] expected a format string, got {type(fmt).__name__}")

    def emit(*args: Any, **kwargs: Any) -> int:
        builtins.print(fmt.format(*args, **kwargs))
        return 0

    _core._debug_print(emit, _TOKEN, args, kwargs)
