"""Dtypes: conversion, promotion and limits."""

from copy import copy as _copy
from typing import Any

from pullback import _core
from pullback._core import Dtype, array
from pullback._dtypes import complexfloating, inexact, isdtype, issubdtype
from pullback.array_api._placed import placed

__all__ = ["astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]


@placed
def astype(x: array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> array:
    """Return the elements as another dtype; complex numbers do not become real ones, which `real` is for.

    >>> pb.array_api.astype(pb.array([1.5, -1.5]), pb.int32)
    array([ 1, -1], dtype=int32)
    """
    dtype = Dtype(dtype)
    if issubdtype(x.dtype, complexfloating) and not issubdtype(dtype, complexfloating):
        if dtype != _core.bool_:
            raise TypeError(
                f"[astype] expected a complex dtype for complex64, got {dtype.name}: use real or imag"
            )
        return _core.not_equal(x, 0)
    on = x if device is None else x.to_device(device)
    if on.dtype == dtype:
        return _copy(on) if copy else on
    return on.astype(dtype, stream=device)


def _dtype(of: Any) -> Dtype:
    return of.dtype if isinstance(of, array) else Dtype(of)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Return whether a dtype, or an array's, may become another by promotion.

    >>> pb.array_api.can_cast(pb.int8, pb.int32), pb.array_api.can_cast(pb.float32, pb.int32)
    (True, False)
    """
    return _core.can_cast(_dtype(from_), Dtype(to))


def finfo(type: Any, /) -> _core.finfo:
    """Return the limits of a float dtype, of a complex one's parts, or of an array's.

    >>> pb.array_api.finfo(pb.float32).eps
    1.1920928955078125e-07
    """
    return _core.finfo(_dtype(type))


def iinfo(type: Any, /) -> _core.iinfo:
    """Return the limits of an integer dtype, or of an array's.

    >>> pb.array_api.iinfo(pb.int8).max
    127
    """
    return _core.iinfo(_dtype(type))


def result_type(*arrays_and_dtypes: Any) -> Dtype:
    """Return the dtype to which arrays, dtypes and Python's numbers promote; a number has only a kind.

    >>> pb.array_api.result_type(pb.uint8, pb.int16, 1).name
    'int16'
    """
    numbers = [given for given in arrays_and_dtypes if isinstance(given, bool | int | float | complex)]
    typed = [
        _dtype(given) for given in arrays_and_dtypes if not isinstance(given, bool | int | float | complex)
    ]
    if not typed:
        raise ValueError("[result_type] expected an array or a dtype among the arguments, got none")
    result = typed[0]
    for dtype in typed[1:]:
        result = _core.result_type(result, dtype)
    for number in numbers:
        if isinstance(number, complex):
            result = _core.complex64
        elif isinstance(number, float) and not issubdtype(result, inexact):
            result = _core.float32
        elif not isinstance(number, bool | float) and result == _core.bool_:
            result = _core.int32
    return result
