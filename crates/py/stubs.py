"""Writes `python/pullback/_core.pyi` from the compiled module: what the op table and the signatures say.

python crates/py/stubs.py           writes the file
python crates/py/stubs.py --check   fails if it is not what would be written
"""

import inspect
import pathlib
import sys

from pullback import _core
from stub_texts import KERNEL, TREES, WRAPPERS
from stub_types import AXES, AXIS, INT_AXIS, LOCAL, MANY_AXES, RETURNS, TYPES

TARGET = pathlib.Path(__file__).parents[2] / "python" / "pullback" / "_core.pyi"

HEAD = """# Written by crates/py/stubs.py from the op table: do not edit.
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, final, overload

from pullback._devices import DeviceType
from typing_extensions import disjoint_base

_P = ParamSpec("_P")
_R = TypeVar("_R")

class _SupportsArray(Protocol):
    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...

class _SupportsBuffer(Protocol):
    def __buffer__(self, flags: int, /) -> memoryview: ...

class _SupportsDLPack(Protocol):
    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...

_Scalar = bool | int | float | complex
_ArrayLike = array | _Scalar | _SupportsArray | _SupportsBuffer | _SupportsDLPack | Sequence[Any]
_DtypeLike = Dtype | str | type
_StreamOrDevice = Device | DeviceType | Stream | ThreadLocalStream | str | None
"""

TREE_FUNCTIONS = ["register_tree_node", "register_tree_node_class", "register_module"]
WRAPPED = ["grad", "value_and_grad", "vmap", "checkpoint", "compile"]


def text(member, indent: str) -> str:
    """The docstring as the body of a stub."""
    doc = inspect.cleandoc(member.__doc__ or "").replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if not doc:
        return " ..."
    lines = doc.splitlines()
    if len(lines) == 1:
        return f'\n{indent}    """{lines[0]}"""'
    body = "\n".join(f"{indent}    {line}".rstrip() for line in lines)
    return f'\n{indent}    """\n{body}\n{indent}    """'


def kind(function: str, parameter: inspect.Parameter) -> str:
    """The type of a parameter."""
    name = parameter.name
    starred = name + "*" if parameter.kind is parameter.VAR_POSITIONAL else name
    for key in ((function, starred), (function, name)):
        if key in LOCAL:
            return LOCAL[key]
    if name == "axis":
        return AXES if function in MANY_AXES else "int" if function in INT_AXIS else AXIS
    return TYPES.get(name, "_ArrayLike")


def signature(function: str, member) -> str:
    """The parameters, with types."""
    found = inspect.signature(member)
    parameters = []
    for parameter in found.parameters.values():
        if parameter.name != "self":
            parameter = parameter.replace(annotation=Bare(kind(function, parameter)))
        if parameter.default is not parameter.empty and not isinstance(
            parameter.default, int | float | str | tuple | type(None)
        ):
            parameter = parameter.replace(default=None)
        parameters.append(parameter)
    return str(found.replace(parameters=parameters))


class Bare:
    """An annotation that prints as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def function(name: str, member, indent: str = "") -> str:
    """The stub of a function."""
    returns = RETURNS.get(name, "array")
    return f"{indent}def {name}{signature(name, member)} -> {returns}:{text(member, indent)}\n"


OPERATORS = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
]


def array_class() -> str:
    """The stub of the array."""
    cls = _core.array
    out = [f"@final\nclass array:{text(cls, '')}\n"]
    out.append("    __array_priority__: float\n")
    out.append("    def __new__(cls, value: _ArrayLike, dtype: _DtypeLike | None = None) -> Self: ...\n")
    getters = {
        "shape": "tuple[int, ...]",
        "ndim": "int",
        "size": "int",
        "dtype": "Dtype",
        "nbytes": "int",
        "itemsize": "int",
        "T": "array",
        "mT": "array",
        "real": "array",
        "imag": "array",
        "at": "ArrayAt",
        "device": "Device",
    }
    for name, returns in getters.items():
        out.append(f"    @property\n    def {name}(self) -> {returns}:{text(getattr(cls, name), '    ')}\n")
    for name in OPERATORS:
        for form in ("", "r", "i"):
            if name == "pow":
                out.append(f"    def __{form}pow__(self, other: Any, mod: Any = None, /) -> array: ...\n")
                continue
            out.append(f"    def __{form}{name}__(self, other: Any, /) -> array: ...\n")
    for name in ["lt", "le", "gt", "ge"]:
        out.append(f"    def __{name}__(self, other: Any, /) -> array: ...\n")
    for name in ["eq", "ne"]:
        out.append(f"    def __{name}__(self, other: Any, /) -> array: ...  # type: ignore[override]\n")
    for name in ["neg", "pos", "abs", "invert", "copy"]:
        out.append(f"    def __{name}__(self) -> array: ...\n")
    out.append("    def __deepcopy__(self, memo: Any, /) -> array: ...\n")
    out.append("    def __getitem__(self, key: Any, /) -> array: ...\n")
    out.append("    def __setitem__(self, key: Any, value: Any, /) -> None: ...\n")
    for name in ["iter", "reversed"]:
        out.append(f"    def __{name}__(self) -> Iterator[array]: ...\n")
    for form in ("", "r"):
        out.append(f"    def __{form}divmod__(self, other: Any, /) -> tuple[array, array]: ...\n")
    out.append("    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: ...\n")
    out.append(
        "    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any: ...\n"
    )
    out.append("    def __array_namespace__(self, *, api_version: str | None = None) -> Any:")
    out.append(text(cls.__array_namespace__, "    ") + "\n")
    out.append("    def _repr_html_(self) -> str: ...\n")
    out.append("    def __dlpack_device__(self) -> tuple[int, int]: ...\n")
    out.append("    def __contains__(self, value: Any, /) -> bool: ...\n")
    out.append("    def __bytes__(self) -> bytes: ...\n")
    out.append("    def __setstate__(self, state: tuple[bytes, list[int], Dtype], /) -> None: ...\n")
    out.append("    def __buffer__(self, flags: int, /) -> memoryview: ...\n")
    for name, returns in {
        "len": "int",
        "bool": "bool",
        "int": "int",
        "float": "float",
        "complex": "complex",
        "index": "int",
        "hash": "int",
    }.items():
        out.append(f"    def __{name}__(self) -> {returns}: ...\n")
    out.append("    def eval(self) -> None:" + text(cls.eval, "    ") + "\n")
    for name in sorted(vars(cls)):
        member = getattr(cls, name)
        if not name.startswith("_") and name not in getters and name != "eval":
            out.append(function(name, member, "    "))
    return "".join(out)


SMALL = """
@final
class Dtype:{Dtype}
    def __new__(cls, name: _DtypeLike) -> Self: ...
    @property
    def size(self) -> int: ...
    @property
    def name(self) -> str: ...
    def __hash__(self) -> int: ...

@final
class finfo:{finfo}
    def __new__(cls, arg: _DtypeLike, /) -> Self: ...
    @property
    def bits(self) -> int: ...
    @property
    def min(self) -> float: ...
    @property
    def max(self) -> float: ...
    @property
    def eps(self) -> float: ...
    @property
    def smallest_normal(self) -> float: ...
    @property
    def dtype(self) -> Dtype: ...

@final
class iinfo:{iinfo}
    def __new__(cls, arg: _DtypeLike, /) -> Self: ...
    @property
    def bits(self) -> int: ...
    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int: ...
    @property
    def dtype(self) -> Dtype: ...

@final
class Device:{Device}
    def __new__(cls, kind: _StreamOrDevice, index: int = 0, /) -> Self: ...
    @property
    def type(self) -> DeviceType: ...
    def __hash__(self) -> int: ...

@final
class Stream:{Stream}
    @property
    def device(self) -> Device: ...
    @property
    def index(self) -> int: ...
    def __hash__(self) -> int: ...

@final
class ThreadLocalStream:{ThreadLocalStream}
    @property
    def device(self) -> Device: ...
    @property
    def _device(self) -> Device: ...
    def __hash__(self) -> int: ...

@final
class StreamContext:{StreamContext}
    def __new__(cls, s: _StreamOrDevice) -> Self: ...
    def __enter__(self) -> StreamContext: ...
    def __exit__(self, *exception: Any) -> None: ...

@final
class ArrayAt:{ArrayAt}
    def __getitem__(self, key: Any, /) -> ArrayAtIndices: ...

@final
class ArrayAtIndices:{ArrayAtIndices}
    def set(self, value: _ArrayLike) -> array: ...
    def add(self, value: _ArrayLike) -> array: ...
    def subtract(self, value: _ArrayLike) -> array: ...
    def multiply(self, value: _ArrayLike) -> array: ...
    def divide(self, value: _ArrayLike) -> array: ...
    def maximum(self, value: _ArrayLike) -> array: ...
    def minimum(self, value: _ArrayLike) -> array: ...

class RuleError(ValueError):{RuleError}
class DeviceError(RuntimeError):{DeviceError}
class InternalError(RuntimeError):{InternalError}
class AnomalyError(ValueError):{AnomalyError}
class AnomalyWarning(UserWarning):{AnomalyWarning}
class RuleFallbackWarning(UserWarning):{RuleFallbackWarning}

__version__: str
cpu: Device
gpu: Device

def _category(dtype: _DtypeLike) -> str:{_category}
def _from_bytes(content: _SupportsBuffer, shape: int | Sequence[int], dtype: _DtypeLike, /) -> array:{_from_bytes}
def _precision() -> int:{_precision}
def _set_precision(precision: int, /) -> None:{_set_precision}
def _host_call(fn: Callable[..., Any], result_shape: Any, args: tuple[Any, ...], vmap_method: str | None = None) -> Any:{_host_call}
def _debug_print(fn: Callable[..., Any], token: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:{_debug_print}
def _placed(function: Callable[..., _R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _R:{_placed}
"""


def written() -> str:
    """The whole file."""
    out = [HEAD]
    names = [
        "Dtype",
        "finfo",
        "iinfo",
        "Device",
        "Stream",
        "ThreadLocalStream",
        "StreamContext",
        "ArrayAt",
        "ArrayAtIndices",
        "RuleError",
        "DeviceError",
        "InternalError",
        "AnomalyError",
        "AnomalyWarning",
        "RuleFallbackWarning",
        "_category",
        "_from_bytes",
        "_precision",
        "_set_precision",
        "_host_call",
        "_debug_print",
        "_placed",
    ]
    out.append(SMALL.format(**{name: text(getattr(_core, name), "") for name in names}))
    members = {name: getattr(_core, name) for name in sorted(dir(_core)) if not name.startswith("_")}
    out += [f"{name}: Dtype\n" for name, member in members.items() if isinstance(member, _core.Dtype)]
    out.append("\n" + array_class())
    docs = {name: text(members[name], "") for name in [*WRAPPED, "custom_function"]}
    out.append(WRAPPERS.format(axes=AXES, **docs) + "\n")
    docs = {name: text(members[name], "") for name in ["TreeDef", *TREE_FUNCTIONS]}
    out.append(TREES.format(**docs) + "\n")
    for name, member in members.items():
        if name not in [*WRAPPED, *TREE_FUNCTIONS] and inspect.isbuiltin(member):
            out.append(function(name, member))
    out.append("\nclass random:\n    state: list[array]\n")
    for name in sorted(dir(_core.random)):
        member = getattr(_core.random, name)
        if inspect.isbuiltin(member):
            stub = function(name if name != "split" else "split", member, "    ")
            if name == "split":
                stub = stub.replace("list[array]", "array")
            out.append("    @staticmethod\n" + stub)
    out.append("\nclass fft:\n")
    for name in sorted(dir(_core.fft)):
        if inspect.isbuiltin(member := getattr(_core.fft, name)):
            out.append(
                "    @staticmethod\n" + function(f"fft.{name}", member, "    ").replace("def fft.", "def ")
            )
    out.append("\nclass linalg:\n")
    for name in sorted(dir(_core.linalg)):
        member = getattr(_core.linalg, name)
        if inspect.isbuiltin(member):
            out.append("    @staticmethod\n" + function(name, member, "    "))
    out.append("\nclass fast:\n")
    kernel = _core.fast.WgslKernel
    out.append(KERNEL.format(WgslKernel=text(kernel, "    ")))
    for name in sorted(dir(_core.fast)):
        member = getattr(_core.fast, name)
        if inspect.isbuiltin(member):
            out.append("    @staticmethod\n" + function(name, member, "    "))
    return "".join(out)


if __name__ == "__main__":
    fresh = written()
    if "--check" in sys.argv:
        if not TARGET.exists() or TARGET.read_text() != fresh:
            sys.exit(f"{TARGET.name} is not what the table says: run python crates/py/stubs.py")
    else:
        TARGET.write_text(fresh)
