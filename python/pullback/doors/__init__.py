"""Doors for custom rules in the idioms of JAX, PyTorch and TensorFlow.

Each is a thin layer over the one kind of node that `pb.custom_function` makes: a door says how its rules are
called, and knows nothing of transforms. So what holds for one idiom holds for all: a rule that is defined is
used under every composition of transforms, a missing derivative is derived from the one that is there, and
what a rule returns is checked.
"""

from pullback.doors.function import Function, once_differentiable
from pullback.doors.gradient import custom_gradient
from pullback.doors.jvp import custom_jvp
from pullback.doors.vjp import CustomVjp, custom_vjp
from pullback.doors.vmap import custom_vmap, sequential_vmap
from pullback.doors.zeros import CustomVJPPrimal, SymbolicZero

__all__ = [
    "CustomVJPPrimal",
    "CustomVjp",
    "Function",
    "SymbolicZero",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "custom_vmap",
    "once_differentiable",
    "sequential_vmap",
]
