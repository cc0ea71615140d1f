"""Solutions of equations, with derivatives by the implicit function theorem.

How a solution was found does not matter to its derivative: solvers are never differentiated, and may loop
over values, call the host, or anything else. Names and meaning are those of `jax.lax`. Gradients reach what
the functions that make the equation captured.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pullback import _carry, _core
from pullback._callback import ShapeDtypeStruct
from pullback._core import TreeDef, _Custom, array, closure_convert
from pullback._dtypes import INEXACT

__all__ = ["custom_linear_solve", "custom_root"]

Arrays = Sequence[array]


class _Equation(NamedTuple):
    """A function of the leaves of a tree and of what it captured, and the solvers for it."""

    op: str
    fun: Callable[..., tuple[array, ...]]
    structure: TreeDef
    count: int
    solve: Callable[..., Any]
    other: Callable[..., Any] | None
    has_aux: bool
    symmetric: bool = False

    @classmethod
    def of(
        cls, op: str, fun: Callable, like: tuple[list[array], TreeDef], *rest: Any
    ) -> tuple["_Equation", Arrays]:
        """The equation of a function of trees, and what the function captured."""
        leaves, structure = like
        types = [ShapeDtypeStruct(x.shape, x.dtype) for x in leaves]

        def flat(*x: array) -> tuple[array, ...]:
            out = fun(structure.unflatten(x))
            return tuple(_carry.alike(op, "what the function returns", out, types, structure))

        call, consts = closure_convert(flat, *leaves)
        return cls(op, lambda *each: tuple(call(*each)), structure, len(leaves), *rest), consts

    def at(self, consts: Arrays) -> Callable[[Any], Any]:
        """The function of trees."""
        return lambda tree: self.structure.unflatten(
            self.fun(*_carry.read(self.op, "the argument of the function", tree)[0], *consts)
        )

    def solved(self, consts: Arrays, start: Arrays) -> tuple[tuple[array, ...], Any]:
        """What the solver finds, as leaves, and what else it says."""
        out, aux = self.solve(self.at(consts), self.structure.unflatten(start)), None
        if self.has_aux:
            if not (isinstance(out, tuple) and len(out) == 2):
                raise TypeError(
                    f"[{self.op}] expected solve to return (solution, aux), got a {type(out).__name__}"
                )
            out, aux = out
        return tuple(_carry.alike(self.op, "the solution", out, start, self.structure)), aux

    def pushed(self, x: Arrays, consts: Arrays, tangents: Arrays) -> tuple[array, ...] | None:
        """How the function's value at `x` changes with what it captured; `None` where it captured nothing."""
        moving = [i for i, c in enumerate(consts) if c.dtype in INEXACT]
        if not moving:
            return None
        fun = self._of_captured(x, consts, moving)
        return tuple(_core.jvp(fun, [consts[i] for i in moving], [tangents[i] for i in moving])[1])

    def pulled(self, x: Arrays, consts: Arrays, cotangents: Arrays) -> list[Any]:
        """The cotangents of what the function captured, by those of its value at `x`."""
        moving = [i for i, c in enumerate(consts) if c.dtype in INEXACT]
        found: list[Any] = [None] * len(consts)
        if moving:
            fun = self._of_captured(x, consts, moving)
            pulled = _core.vjp(fun, [consts[i] for i in moving], list(cotangents))[1]
            for i, g in zip(moving, pulled, strict=True):
                found[i] = g
        return found

    def _of_captured(self, x: Arrays, consts: Arrays, moving: list[int]) -> Callable[..., tuple[array, ...]]:
        def fun(*each: array) -> tuple[array, ...]:
            captured = list(consts)
            for i, c in zip(moving, each, strict=True):
                captured[i] = c
            return self.fun(*x, *captured)

        return fun

    def transposed(self, like: Arrays) -> "_Equation":
        """The equation of a linear function's transpose."""
        if self.symmetric:
            return self
        if self.other is None:
            raise _core.RuleError(
                "[custom_linear_solve] expected transpose_solve for derivatives in reverse mode, got None: "
                "give transpose_solve(vecmat, b), or symmetric=True"
            )
        zeros = [_core.zeros_like(x) for x in like]

        def fun(*each: array) -> tuple[array, ...]:
            y, consts = each[: self.count], each[self.count :]
            return tuple(_core.vjp(lambda *x: self.fun(*x, *consts), zeros, list(y))[1])

        return self._replace(fun=fun, solve=self.other, other=self.solve)


def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[..., Any],
    transpose_solve: Callable[..., Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Return the `x` with `matvec(x) = b` that `solve(matvec, b)` finds, with derivatives by solving again.

    `matvec` is linear; `x` and `b` are trees of one structure. `transpose_solve(vecmat, b)` solves with the
    transpose, for reverse mode; where `symmetric`, `solve` does. With `has_aux` solvers return `(x, aux)`,
    and so does this; `aux` has no derivative.

    >>> def solve(matvec, b):
    ...     return pb.while_loop(
    ...         lambda x: pb.abs(matvec(x) - b).max() > 1e-6, lambda x: x + 0.3 * (b - matvec(x)), b * 0
    ...     )
    >>> def loss(a):
    ...     return pb.custom_linear_solve(lambda x: a * x, pb.array([6.0, 6.0]), solve, symmetric=True).sum()
    >>> pb.grad(loss)(pb.array([2.0, 3.0])).round(2)
    array([-1.5 , -0.67], dtype=float32)
    """
    op = "custom_linear_solve"
    leaves, structure = _carry.read(op, "b", b)
    solvers = (solve, transpose_solve, has_aux, symmetric)
    equation, consts = _Equation.of(op, matvec, (leaves, structure), *solvers)
    x, aux = _linear(equation, *consts, *leaves)
    return (structure.unflatten(x), aux) if has_aux else structure.unflatten(x)


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[..., Any],
    tangent_solve: Callable[..., Any],
    has_aux: bool = False,
) -> Any:
    """Return the `x` with `f(x) = 0` that `solve(f, initial_guess)` finds, with implicit derivatives.

    `x` and `f(x)` are trees of one structure; derivatives are by what `f` captured. `tangent_solve(g, y)`
    returns the `x` with `g(x) = y` for a linear `g`, the derivative of `f`: `y / g(1.0)` for a scalar.
    Reverse mode is its transpose, so that it is a linear function of `y` that can be transposed;
    `custom_linear_solve` is. With `has_aux`, `solve` returns `(x, aux)`, and so does this; `aux` has no
    derivative.

    >>> def newton(f, x):
    ...     step = lambda x: x - f(x) / pb.grad(f)(x)
    ...     return pb.while_loop(lambda x: pb.abs(f(x)) > 1e-5, step, x)
    >>> def root(a):
    ...     return pb.custom_root(lambda x: x * x - a, pb.array(1.0), newton, lambda g, y: y / g(1.0))
    >>> round(root(pb.array(4.0)).item(), 4), round(pb.grad(root)(pb.array(4.0)).item(), 4)
    (2.0, 0.25)
    """
    op = "custom_root"
    leaves, structure = _carry.read(op, "initial_guess", initial_guess)
    equation, consts = _Equation.of(op, f, (leaves, structure), solve, tangent_solve, has_aux)
    x, aux = _root(equation, *consts, *(_core.stop_gradient(x) for x in leaves))
    return (structure.unflatten(x), aux) if has_aux else structure.unflatten(x)


def _given(call: Any) -> tuple[_Equation, Arrays, Arrays, Any]:
    """The equation, what it captured, its solution and what else the solver said."""
    equation, *args = call.args
    split = len(args) - equation.count
    x, aux = call.outputs
    return equation, args[:split], x, aux


def _still(aux: Any) -> Any:
    """Zeros in place of the arrays of a tree."""
    leaves, structure = _core._tree_flatten(aux)
    return structure.unflatten([_core.zeros_like(x) if isinstance(x, array) else None for x in leaves])


def _linear_jvp(call: Any, tangents: tuple[Any, ...]) -> Any:
    equation, consts, x, aux = _given(call)
    along, t = tangents[1 : 1 + len(consts)], tangents[1 + len(consts) :]
    moved = equation.pushed(x, consts, along)
    rhs = t if moved is None else [one - two for one, two in zip(t, moved, strict=True)]
    return _linear(equation, *consts, *rhs)[0], _still(aux)


def _linear_vjp(call: Any, cotangents: Any) -> Any:
    equation, consts, x, _ = _given(call)
    g = [_core.zeros_like(y) if one is None else one for one, y in zip(cotangents[0], x, strict=True)]
    found = _linear(equation.transposed(x), *consts, *g)[0]
    return (None, *equation.pulled(x, consts, [-y for y in found]), *found)


def _root_jvp(call: Any, tangents: tuple[Any, ...]) -> Any:
    equation, consts, x, aux = _given(call)
    moved = equation.pushed(x, consts, tangents[1 : 1 + len(consts)])
    if moved is None:
        return (None,) * len(x), _still(aux)
    structure = equation.structure

    def derivative(tree: Any) -> Any:
        t = _carry.read(equation.op, "the argument of the derivative", tree, x)[0]
        pushed = _core.jvp(lambda *each: equation.fun(*each, *consts), list(x), t)[1]
        return structure.unflatten(pushed)

    assert equation.other is not None
    out = equation.other(derivative, structure.unflatten([-y for y in moved]))
    return tuple(_carry.alike(equation.op, "the result of tangent_solve", out, x, structure)), _still(aux)


def _solution(name: str) -> Callable[..., Any]:
    def body(equation: _Equation, *args: array) -> tuple[tuple[array, ...], Any]:
        split = len(args) - equation.count
        return equation.solved(args[:split], args[split:])

    body.__name__ = body.__qualname__ = name
    return body


# What solvers captured is constant; what the equation captured is an argument.
_linear = _Custom(_solution("custom_linear_solve"), captured="constant")
_linear._define(jvp=_linear_jvp, vjp=_linear_vjp)
_root = _Custom(_solution("custom_root"), captured="constant")
_root._define(jvp=_root_jvp)
