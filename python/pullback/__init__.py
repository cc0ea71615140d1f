"""pullback: an array engine in which your own derivative rules hold everywhere.

Arrays are lazy: operations build a graph, which is computed when somebody looks. `grad`, `vmap`, `compile`
and the others turn functions into functions, and compose in any order; a rule given to a `custom_function`
holds under all of them.

>>> x = pb.array([1.0, 2.0, 3.0])
>>> pb.grad(lambda x: (x * x).sum())(x)
array([2., 4., 6.], dtype=float32)
"""

import math as _math
import sys as _sys

from pullback import _core
from pullback import array_api as array_api
from pullback import checkpoint_policies as checkpoint_policies
from pullback import debug as debug
from pullback import tree as tree
from pullback import utils as utils
from pullback._callback import ShapeDtypeStruct, io_callback
from pullback._convert import asarray
from pullback._core import *  # noqa: F403
from pullback._core import __version__, array, concatenate, power, transpose
from pullback._core import fast as fast
from pullback._core import fft as fft
from pullback._core import linalg as linalg
from pullback._core import random as random
from pullback._devices import DeviceType
from pullback._dtypes import (
    DtypeCategory,
    complexfloating,
    floating,
    generic,
    inexact,
    integer,
    isdtype,
    issubdtype,
    number,
    signedinteger,
    unsignedinteger,
)
from pullback._printing import PrintOptions, get_printoptions, printoptions, set_printoptions
from pullback.control import cond, fori_loop, switch, while_loop
from pullback.counts import (
    argwhere,
    bincount,
    flatnonzero,
    histogram,
    nonzero,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from pullback.doors import (
    CustomVjp,
    CustomVJPPrimal,
    Function,
    SymbolicZero,
    custom_gradient,
    custom_jvp,
    custom_vjp,
    custom_vmap,
    once_differentiable,
    sequential_vmap,
)
from pullback.exporting import FunctionExporter, export_function, export_to_dot, exporter, import_function
from pullback.files import load, save, save_gguf, save_safetensors, savez, savez_compressed
from pullback.implicit import custom_linear_solve, custom_root
from pullback.jacobians import hessian, jacfwd, jacobian, jacrev
from pullback.scans import associative_scan, scan

# A submodule of the compiled half is imported by its name as well: `from pullback.random import normal`.
for _room in ("fast", "fft", "linalg", "random"):
    _sys.modules[f"pullback.{_room}"] = vars(_core)[_room]

pi = _math.pi
e = _math.e
inf = _math.inf
nan = _math.nan
euler_gamma = 0.5772156649015329
newaxis = None

# Other names of the same functions: those of the array API, as MLX has them.
acos, acosh, asin, asinh = _core.arccos, _core.arccosh, _core.arcsin, _core.arcsinh
atan, atan2, atanh = _core.arctan, _core.arctan2, _core.arctanh
matrix_norm = vars(_core)["linalg"].norm
bitwise_left_shift, bitwise_right_shift = _core.left_shift, _core.right_shift
concat = concatenate
conj = _core.conjugate
cumulative_prod, cumulative_sum = _core.cumprod, _core.cumsum
empty, empty_like = _core.zeros, _core.zeros_like
permute_dims = transpose
pow = power
remat = _core.checkpoint

Array = array

__all__ = [
    *(name for name in dir(_core) if not name.startswith("_")),
    "Array",
    "CustomVJPPrimal",
    "CustomVjp",
    "DeviceType",
    "DtypeCategory",
    "Function",
    "FunctionExporter",
    "PrintOptions",
    "ShapeDtypeStruct",
    "SymbolicZero",
    "__version__",
    "acos",
    "acosh",
    "argwhere",
    "array_api",
    "asarray",
    "asin",
    "asinh",
    "associative_scan",
    "atan",
    "atan2",
    "atanh",
    "bincount",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "checkpoint_policies",
    "complexfloating",
    "concat",
    "cond",
    "conj",
    "cumulative_prod",
    "cumulative_sum",
    "custom_linear_solve",
    "custom_root",
    "debug",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "custom_vmap",
    "once_differentiable",
    "sequential_vmap",
    "e",
    "empty",
    "empty_like",
    "euler_gamma",
    "flatnonzero",
    "export_function",
    "export_to_dot",
    "exporter",
    "fast",
    "floating",
    "fft",
    "fori_loop",
    "generic",
    "get_printoptions",
    "hessian",
    "histogram",
    "import_function",
    "inexact",
    "inf",
    "integer",
    "io_callback",
    "isdtype",
    "issubdtype",
    "jacfwd",
    "jacobian",
    "jacrev",
    "linalg",
    "load",
    "matrix_norm",
    "nan",
    "newaxis",
    "nonzero",
    "number",
    "permute_dims",
    "pi",
    "pow",
    "printoptions",
    "random",
    "remat",
    "save",
    "save_gguf",
    "save_safetensors",
    "savez",
    "savez_compressed",
    "scan",
    "set_printoptions",
    "signedinteger",
    "switch",
    "tree",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unsignedinteger",
    "utils",
    "while_loop",
]
