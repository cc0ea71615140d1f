"""The array API standard, version 2024.12, over the arrays of this package.

`x.__array_namespace__()` returns this module. Its functions have the standard's names, parameters and types
of results, where those of `pb` have MLX's; derivatives, `vmap` and `compile` go through both alike.

What is not as the standard has it:

- there is no `complex128`: `dtypes()` lacks it, and what would be it is `complex64`;
- a function whose result's shape is data (`nonzero`, `unique_all`, a mask as an index) computes its operand.

Results are on the device of the operands, or on the one that `device=` names, and stay there: operators and
subscripts of such arrays run on it too, whatever device is current.
Two of them on different devices are a `ValueError`; `to_device` moves one.
What functions of `pb` made is built for the device that is current, as in MLX, and joins what is placed.

Integers default to `int32`, which is the type of indices too, and floats to `float32`.

>>> xp = pb.array([1.0, 2.0]).__array_namespace__()
>>> xp.std(xp.asarray([1.0, 3.0]), correction=1)
array(1.4142135, dtype=float32)
"""

import sys as _sys
from math import e, inf, nan, pi
from typing import Any

from pullback._core import bool_ as bool
from pullback._core import (
    complex64,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from pullback.array_api import (
    creation,
    data_types,
    elementwise,
    fft,
    linalg,
    manipulation,
    ordering,
    reductions,
)
from pullback.array_api._info import Info
from pullback.array_api.creation import *  # noqa: F403
from pullback.array_api.data_types import *  # noqa: F403
from pullback.array_api.elementwise import *  # noqa: F403
from pullback.array_api.linalg import matmul, matrix_transpose, tensordot, vecdot
from pullback.array_api.manipulation import *  # noqa: F403
from pullback.array_api.ordering import *  # noqa: F403
from pullback.array_api.reductions import *  # noqa: F403

newaxis = None
__array_api_version__ = "2024.12"
# Earlier versions ask for less of the same.
VERSIONS = ("2021.12", "2022.12", "2023.12", __array_api_version__)


def __array_namespace_info__() -> Info:
    """What this namespace can do, and its devices and dtypes.

    >>> pb.array_api.__array_namespace_info__().capabilities()["boolean indexing"]
    True
    """
    return Info()


def _namespace(api_version: str | None) -> Any:
    """This module, if it serves a version of the standard."""
    if api_version is not None and api_version not in VERSIONS:
        raise ValueError(
            f"[array_namespace] expected a version among {', '.join(VERSIONS)}, got {api_version!r}"
        )
    return _sys.modules[__name__]


__all__ = [
    *creation.__all__,
    *elementwise.__all__,
    *manipulation.__all__,
    *ordering.__all__,
    *reductions.__all__,
    *data_types.__all__,
    "__array_api_version__",
    "__array_namespace_info__",
    "bool",
    "complex64",
    "e",
    "fft",
    "float32",
    "float64",
    "inf",
    "int16",
    "int32",
    "int64",
    "int8",
    "linalg",
    "matmul",
    "matrix_transpose",
    "nan",
    "newaxis",
    "pi",
    "tensordot",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "vecdot",
]
