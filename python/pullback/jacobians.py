"""Whole Jacobians and Hessians: one map over the basis vectors of a derivative.

Names and meaning are those of JAX: the result is a tree of outputs whose leaves are trees of arguments, and
each array in it has the axes of the output, then those of the argument.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from pullback import _carry, _core
from pullback._core import TreeDef, _tree_flatten, array
from pullback._dtypes import REAL

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev"]


def jacfwd(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian of `fun`, by forward mode: best where inputs are few.

    `argnums` says by which arguments, one or several for a tuple of Jacobians. Arguments and outputs are
    arrays or trees of them. With `has_aux`, `fun` returns `(output, aux)`, and the result is
    `(jacobian, aux)`.

    >>> pb.jacfwd(lambda x: x * x)(pb.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]], dtype=float32)
    """

    @functools.wraps(fun)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        at = _Point("jacfwd", fun, argnums, has_aux, args, kwargs)

        def column(*direction: array) -> list[array]:
            return _core.jvp(at.outputs, at.leaves, list(direction))[1]

        columns = _core.vmap(column, out_axes=-1)(*_basis(at.leaves))
        blocks = []
        for found in columns:
            parts = _core.split(found, _ends(at.leaves), axis=-1)
            shape = found.shape[:-1]
            blocks.append(
                [part.reshape((*shape, *x.shape)) for part, x in zip(parts, at.leaves, strict=True)]
            )
        return at.filled(blocks)

    return jacobian_of


def jacrev(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian of `fun`, by reverse mode: best where outputs are few.

    `argnums` says by which arguments, one or several for a tuple of Jacobians. Arguments and outputs are
    arrays or trees of them. With `has_aux`, `fun` returns `(output, aux)`, and the result is
    `(jacobian, aux)`. `fun`
    is called twice, the first time to see what it returns.

    >>> pb.jacrev(lambda x, y: {"sum": (x * y).sum()}, argnums=(0, 1))(pb.array([1.0, 2.0]), pb.array(3.0))
    {'sum': (array([3., 3.], dtype=float32), array(3., dtype=float32))}
    """

    @functools.wraps(fun)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        at = _Point("jacrev", fun, argnums, has_aux, args, kwargs)
        outs = at.outputs(*at.leaves)

        def row(*cotangents: array) -> list[array]:
            return _core.vjp(at.outputs, at.leaves, list(cotangents))[1]

        rows = _core.vmap(row)(*_basis(outs))
        parts = [_core.split(found, _ends(outs)) for found in rows]
        blocks = []
        for i, y in enumerate(outs):
            pairs = zip(parts, at.leaves, strict=True)
            blocks.append([found[i].reshape((*y.shape, *x.shape)) for found, x in pairs])
        return at.filled(blocks)

    return jacobian_of


jacobian = jacrev


def hessian(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the Hessian of `fun`: forward mode over reverse mode.

    The result is a tree of outputs of trees of arguments, twice. With `has_aux` it is `(hessian, aux)`.

    >>> pb.hessian(lambda x: x[0] ** 2 * x[1])(pb.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]], dtype=float32)
    """
    return jacfwd(jacrev(fun, argnums, has_aux), argnums, has_aux)


class _Point:
    """A function as one of the arrays to differentiate by, and the structures around them."""

    def __init__(
        self,
        op: str,
        fun: Callable[..., Any],
        argnums: int | Sequence[int],
        has_aux: bool,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ):
        self.op, self.fun, self.has_aux = op, fun, has_aux
        self.args, self.kwargs = args, kwargs
        self.single = hasattr(argnums, "__index__")
        numbers: Any = [argnums] if self.single else argnums
        self.positions = [_position(op, number, len(args)) for number in numbers]
        chosen = tuple(args[i] for i in self.positions)
        leaves, self.structure = _tree_flatten(chosen[0] if self.single else chosen)
        self.leaves = [_real(op, "arguments", x) for x in leaves]
        if not self.leaves:
            raise ValueError(f"[{op}] expected an array among the arguments to differentiate by, got none")
        self.result: TreeDef | None = None
        self.aux: Any = None

    def outputs(self, *leaves: array) -> tuple[array, ...]:
        """The arrays that the function returns; their structure and what else there is are kept."""
        args = list(self.args)
        chosen = self.structure.unflatten(leaves)
        for i, arg in zip(self.positions, (chosen,) if self.single else chosen, strict=True):
            args[i] = arg
        out = self.fun(*_carry.own(tuple(args)), **_carry.own(self.kwargs))
        if self.has_aux:
            if not (isinstance(out, tuple) and len(out) == 2):
                raise ValueError(
                    f"[{self.op}] expected (output, aux) from a function with has_aux, got {_kind(out)}"
                )
            out, self.aux = out
        found, self.result = _tree_flatten(out)
        if not found:
            raise ValueError(f"[{self.op}] expected an array to be returned, got {_kind(out)}")
        return tuple(_real(self.op, "outputs", y) for y in found)

    def filled(self, blocks: list[list[array]]) -> Any:
        """The tree of outputs of trees of arguments."""
        assert self.result is not None
        tree = self.result.unflatten([self.structure.unflatten(block) for block in blocks])
        return (tree, self.aux) if self.has_aux else tree


def _position(op: str, number: Any, count: int) -> int:
    at = operator.index(number)
    if not -count <= at < count:
        raise ValueError(f"[{op}] expected argnums among {count} positional arguments, got {number}")
    return at % count


def _real(op: str, what: str, x: Any) -> array:
    if isinstance(x, float):
        x = array(x)
    if not isinstance(x, array):
        raise TypeError(f"[{op}] expected arrays of real floats as {what}, got {_kind(x)}")
    if x.dtype not in REAL:
        raise TypeError(
            f"[{op}] expected arrays of real floats as {what}, got {_carry.kind(x)}: "
            "convert it by astype, or return it with has_aux"
        )
    return x


def _kind(x: Any) -> str:
    return "None" if x is None else f"a {type(x).__name__}"


def _ends(arrays: Sequence[array]) -> list[int]:
    """Where the rows of all arrays but the last end, in a list of the rows of all."""
    ends, total = [], 0
    for x in arrays[:-1]:
        total += x.size
        ends.append(total)
    return ends


def _basis(arrays: Sequence[array]) -> list[array]:
    """The basis vectors of a space of several arrays, in front of each array's axes."""
    total = sum(x.size for x in arrays)
    rows, before = [], 0
    for x in arrays:
        block = _core.eye(total, x.size, k=-before, dtype=x.dtype)
        rows.append(block.reshape((total, *x.shape)))
        before += x.size
    return rows
