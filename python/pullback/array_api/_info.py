"""What the namespace can do, and its devices and dtypes."""

from typing import Any

from pullback import _core
from pullback._core import Device, Dtype
from pullback._dtypes import isdtype

# Every dtype of the standard that there is: the standard knows neither half of the short floats.
DTYPES = {
    "bool": _core.bool_,
    "int8": _core.int8,
    "int16": _core.int16,
    "int32": _core.int32,
    "int64": _core.int64,
    "uint8": _core.uint8,
    "uint16": _core.uint16,
    "uint32": _core.uint32,
    "uint64": _core.uint64,
    "float32": _core.float32,
    "float64": _core.float64,
    "complex64": _core.complex64,
}
# Of positions, counts and whatever else says where in an array.
INDEX = _core.int32


class Info:
    """The answers of `__array_namespace_info__`."""

    def capabilities(self) -> dict[str, Any]:
        """What may be done outside of a trace: within one, no shape is data."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> Device:
        """Where arrays are made if nothing else is said."""
        return _core.default_device()

    def default_dtypes(self, *, device: Any = None) -> dict[str, Dtype]:
        """The dtypes of results where nothing else is said."""
        return {
            "real floating": _core.float32,
            "complex floating": _core.complex64,
            "integral": _core.int32,
            "indexing": INDEX,
        }

    def dtypes(self, *, device: Any = None, kind: str | tuple[str, ...] | None = None) -> dict[str, Dtype]:
        """The dtypes by name, all of them or those of a kind.

        >>> sorted(pb.array_api.__array_namespace_info__().dtypes(kind="real floating"))
        ['float32', 'float64']
        """
        return {name: dtype for name, dtype in DTYPES.items() if kind is None or isdtype(dtype, kind)}

    def devices(self) -> list[Device]:
        """The devices that are there."""
        return [device for device in (_core.cpu, _core.gpu) if _core.is_available(device)]
