"""Control flow as functions: loops and branches over values that may not be there yet.

Names and meaning are those of `jax.lax`. Where a condition has a value, as outside of transforms and under
`grad`, `vjp` and `jvp`, Python runs the loop or the branch, and derivatives follow from the graph. Under
`vmap` a loop goes on until no example goes on, and a branch is chosen from both; under `compile` a loop is
run when the result is computed. Custom functions within keep their rules throughout.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pullback import _carry, _core
from pullback._core import array
from pullback._deferred import deferred
from pullback._values import answer, value

__all__ = ["cond", "fori_loop", "switch", "while_loop"]


def while_loop(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any) -> Any:
    """Return the first of `init_val`, `body_fun(init_val)`, … for which `cond_fun` does not hold.

    What is carried is a tree of arrays, of the same structure, shapes and types in every step; numbers in
    `init_val` take the types of the first result. Under `vmap`,
    the loop goes on while an example does, and examples that are done keep what they have. Under `compile`,
    where the condition depends on arguments, the loop has derivatives in forward mode only.

    >>> pb.while_loop(lambda x: x < 100, lambda x: x * x, pb.array(3.0)).item()
    6561.0
    >>> pb.vmap(lambda x: pb.while_loop(lambda x: x < 100, lambda x: x * x, x))(pb.array([2.0, 3.0, 500.0]))
    array([ 256., 6561.,  500.], dtype=float32)
    >>> pb.grad(lambda x: pb.while_loop(lambda x: x < 100, lambda x: x * x, x))(pb.array(3.0)).item()
    17496.0
    """
    op = "while_loop"
    leaves, structure = _carry.read(op, "init_val", init_val)
    numbers = _carry.numbers(init_val)

    def holds(*carry: array) -> array:
        return _carry.predicate(op, cond_fun(_carry.handed(structure, carry)))

    def step(*carry: array) -> tuple[array, ...]:
        out = body_fun(_carry.handed(structure, carry))
        return tuple(_carry.alike(op, "the result of body_fun", out, carry, structure))

    while True:
        goes_on = holds(*leaves)
        found = answer(goes_on, leaves)
        if found.some is False:
            return structure.unflatten(leaves)
        if found.some is None and not numbers:
            return structure.unflatten(deferred(while_loop, holds, step, leaves))
        carry = _carry.handed(structure, leaves)
        out = body_fun(carry) if found.all else _core._branch(body_fun, goes_on, carry)
        # Types settle with the first step, which is begun again where a number takes another type.
        settled, numbers = _carry.promoted(numbers, leaves, out), []
        if settled is not leaves or found.some is None:
            leaves = settled
            continue
        new = _carry.alike(op, "the result of body_fun", out, leaves, structure)
        leaves = new if found.all else _carry.chosen(goes_on, new, leaves)


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """Return what `for i in range(lower, upper): val = body_fun(i, val)` leaves in `val`.

    Bounds that have values, as numbers do everywhere, make a graph of that many steps, which has derivatives
    in both modes. Others are those of a `while_loop`.

    >>> pb.fori_loop(0, 5, lambda i, x: x + i * i, pb.array(0)).item()
    30
    >>> pb.vmap(lambda n: pb.fori_loop(0, n, lambda i, x: x * 2, 1))(pb.array([0, 1, 5]))
    array([ 1,  2, 32], dtype=int32)
    """
    op = "fori_loop"
    bounds = [_bound(op, bound) for bound in (lower, upper)]
    first, last = (value(bound) for bound in bounds)
    dtype = _core.int32
    for bound in (lower, upper):
        dtype = bound.dtype if isinstance(bound, array) else dtype
    leaves, structure = _carry.read(op, "init_val", init_val)
    if first is None or last is None:
        start = tuple(bound if isinstance(bound, array) else array(bound, dtype) for bound in bounds)

        def step(carry: Any) -> Any:
            i, end, val = carry
            return i + 1, end, body_fun(i, val)

        begun = (*start, init_val)
        return while_loop(lambda carry: carry[0] < carry[1], step, begun)[2]
    numbers = _carry.numbers(init_val)
    for i in range(first, last):
        out = body_fun(array(i, dtype), _carry.handed(structure, leaves))
        settled, numbers = _carry.promoted(numbers, leaves, out), []
        if settled is not leaves:
            leaves = settled
            out = body_fun(array(i, dtype), _carry.handed(structure, leaves))
        leaves = _carry.alike(op, "the result of body_fun", out, leaves, structure)
    return structure.unflatten(leaves)


def _bound(op: str, bound: Any) -> Any:
    if hasattr(bound, "__index__") and not isinstance(bound, array):
        return bound.__index__()
    if not isinstance(bound, array) or bound.shape != () or not _is_integer(bound):
        got = _carry.kind(bound) if isinstance(bound, array) else f"a {type(bound).__name__}"
        raise TypeError(f"[{op}] expected integers as bounds, got {got}")
    return bound


def _is_integer(x: array) -> bool:
    return x.dtype.name.startswith(("int", "uint"))


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """Return `true_fun(*operands)` if `pred` holds, else `false_fun(*operands)`.

    Where `pred` has a value, only one of them is called. Under `vmap` and `compile`, if it depends on
    arguments, both are, and `where` chooses. The branch that is not taken has no derivative: that it would
    be infinite or NaN does not show.

    >>> pb.cond(pb.array(1.0) > 0, lambda x: x * 2, lambda x: -x, pb.array(3.0)).item()
    6.0
    >>> pb.vmap(lambda x: pb.cond(x > 0, lambda x: x * 2, lambda x: -x, x))(pb.array([3.0, -4.0]))
    array([6., 4.], dtype=float32)
    """
    op = "cond"
    holds = _carry.predicate(op, pred)
    known = value(holds)
    if known is not None:
        return _run(op, true_fun if known else false_fun, operands)
    taken = _core._branch(true_fun, holds, *operands)
    yes, structure = _carry.read(op, "the result of true_fun", taken)
    other = _core._branch(false_fun, ~holds, *operands)
    no = _carry.alike(op, "the result of false_fun", other, yes, structure)
    return structure.unflatten(_carry.chosen(holds, yes, no))


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Return `branches[index](*operands)`, with the nearest branch there is for an index out of range.

    Where `index` has a value, only one of them is called. Under `vmap` and `compile`, if it depends on
    arguments, all are, as in `cond`.

    >>> branches = [lambda x: x, lambda x: x * x, lambda x: -x]
    >>> pb.switch(1, branches, pb.array(3.0)).item()
    9.0
    >>> pb.vmap(lambda i: pb.switch(i, branches, pb.array(3.0)))(pb.array([-5, 1, 7]))
    array([ 3.,  9., -3.], dtype=float32)
    """
    op = "switch"
    branches = list(branches)
    if not branches:
        raise ValueError(f"[{op}] expected at least one branch, got none")
    index = _bound(op, index)
    known = value(index)
    if known is not None:
        return _run(op, branches[min(max(known, 0), len(branches) - 1)], operands)
    index = _core.clip(index, 0, len(branches) - 1)
    taken = _core._branch(branches[0], index == 0, *operands)
    result, structure = _carry.read(op, "the result of branch 0", taken)
    for i, branch in enumerate(branches[1:], 1):
        taken = _core._branch(branch, index == i, *operands)
        other = _carry.alike(op, f"the result of branch {i}", taken, result, structure)
        result = _carry.chosen(index == i, other, result)
    return structure.unflatten(result)


def _run(op: str, branch: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    leaves, structure = _carry.read(op, "the result of a branch", branch(*_carry.own(operands)))
    return structure.unflatten(leaves)
