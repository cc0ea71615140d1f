"""Families of types."""

from pullback import _core

REAL = (_core.float16, _core.bfloat16, _core.float32, _core.float64)
INEXACT = (*REAL, _core.complex64)
