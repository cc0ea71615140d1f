"""Rows of functions that lay elements out anew, pick, sort or make them."""

import numpy as np
import pullback as pb
from calls import COUNTS, NO_ARRAYS, A, Row

X, EMPTY, ZERO = A((2, 3)), ((0, 3),), ((),)
BY_SIZE = "the shape of its result is the matter of elements"
BITS = "bits have no derivative"
CONSTANTS = "it does not depend on elements"


def laid(want, call=None, args=(X,), shapes=(EMPTY,), diff=None, **rest):
    """A function that only moves elements, of any type; derivatives are by all arguments unless told."""
    diff = diff or tuple(range(len(args)))
    return Row(args, want, diff, dtypes="all", call=call or (lambda fun, *x: fun(*x)), shapes=shapes, **rest)


def made(want, call, dtypes="none"):
    """A function that makes an array of numbers."""
    return Row((), want, NO_ARRAYS, NO_ARRAYS, dtypes, call)


def like(want, call):
    return Row((X,), want, CONSTANTS, dtypes="all", call=call, shapes=(EMPTY, ZERO))


def strided(x, shape, strides):
    flat = np.ascontiguousarray(x).reshape(-1)
    index = sum(np.indices(shape)[i] * s for i, s in enumerate(strides))
    return flat[index]


def replaced(x, indices, values):
    y = x.copy()
    np.put_along_axis(y, indices, np.broadcast_to(values, indices.shape), -1)
    return y


def updated(x, update):
    y = x.copy()
    y[:, 1:3] = update
    return y


INDICES = np.array([2, 0, -1], np.int32)
PAIRS = np.array([[2, 0], [1, 1]], np.int32)
ONE = np.array(1, np.int32)
LAYOUTS = {
    "atleast_1d": laid(np.atleast_1d, shapes=(EMPTY, ZERO)),
    "atleast_2d": laid(np.atleast_2d, shapes=(EMPTY, ZERO)),
    "atleast_3d": laid(np.atleast_3d, shapes=(EMPTY, ZERO)),
    "as_strided": laid(
        lambda x: strided(x, (2, 2), (2, 1)), lambda fun, x: fun(x, (2, 2), (2, 1)), shapes=()
    ),
    "broadcast_arrays": laid(np.broadcast_arrays, args=(X, A((3,))), shapes=(((0, 3), (3,)), ((), (2,)))),
    "broadcast_to": laid(
        lambda x: np.broadcast_to(x, (2, *x.shape)),
        lambda fun, x: fun(x, (2, *x.shape)),
        shapes=(EMPTY, ZERO),
    ),
    "concatenate": laid(
        lambda x, y: np.concatenate([x, y], -1),
        lambda fun, x, y: fun([x, y], -1),
        (X, A((2, 1))),
        (((0, 3), (0, 1)),),
    ),
    "contiguous": laid(lambda x: x, shapes=(EMPTY, ZERO)),
    "diag": laid(np.diag, shapes=(((0,),), ((3,),))),
    "diagonal": laid(np.diagonal),
    "expand_dims": laid(lambda x: np.expand_dims(x, -1), lambda fun, x: fun(x, -1), shapes=(EMPTY, ZERO)),
    "flatten": laid(lambda x: x.reshape(-1), shapes=(EMPTY, ZERO)),
    "flip": laid(lambda x: np.flip(x, -1), lambda fun, x: fun(x, -1)),
    "matrix_transpose": laid(np.matrix_transpose),
    "meshgrid": laid(np.meshgrid, args=(A((2,)), A((3,))), shapes=(((0,), (2,)),)),
    "moveaxis": laid(lambda x: np.moveaxis(x, 0, -1), lambda fun, x: fun(x, 0, -1)),
    "pad": laid(lambda x: np.pad(x, 1), lambda fun, x: fun(x, 1)),
    "transpose": laid(np.transpose, shapes=(EMPTY, ZERO)),
    "repeat": laid(lambda x: np.repeat(x, 2, -1), lambda fun, x: fun(x, 2, -1)),
    "reshape": laid(lambda x: x.reshape(3, -1), lambda fun, x: fun(x, (3, -1))),
    "roll": laid(lambda x: np.roll(x, 1, -1), lambda fun, x: fun(x, 1, -1)),
    "split": laid(lambda x: np.split(x, 3, -1), lambda fun, x: fun(x, 3, -1)),
    "squeeze": laid(np.squeeze, lambda fun, x: fun(x, 1), (A((2, 1)),), (((0, 1),),)),
    "stack": laid(
        lambda x, y: np.stack([x, y], -1),
        lambda fun, x, y: fun([x, y], -1),
        (X, X),
        (((0, 3), (0, 3)), ((), ())),
    ),
    "swapaxes": laid(lambda x: np.swapaxes(x, 0, -1), lambda fun, x: fun(x, 0, -1)),
    "tile": laid(lambda x: np.tile(x, (2, 1)), lambda fun, x: fun(x, (2, 1)), shapes=(EMPTY, ZERO)),
    "tril": laid(np.tril),
    "triu": laid(np.triu),
    "unflatten": laid(lambda x: x.reshape(2, 3, 1), lambda fun, x: fun(x, -1, (3, 1)), shapes=()),
    "unstack": laid(lambda x: list(x), shapes=(((2, 0),),)),
    "slice": laid(
        lambda x, i: x[:, 1:3],
        lambda fun, x, i: fun(x, i, (1,), (x.shape[0], 2)),
        (X, ONE),
        (((0, 3), None),),
        (0,),
    ),
    "slice_update": laid(
        lambda x, y, i: updated(x, y),
        lambda fun, x, y, i: fun(x, y, i, (1,)),
        (X, A((2, 2)), ONE),
        (((0, 3), (0, 2), None),),
        (0, 1),
    ),
    "depends": laid(lambda x, y: x, lambda fun, x, y: fun(x, y), (X, X), (((), ()), ((0,), (0,))), (0,)),
}
PICKED = {
    "take": Row((X, INDICES), lambda x, i: np.take(x, i, -1), dtypes="all", call=lambda f, x, i: f(x, i, -1)),
    "take_along_axis": Row(
        (X, PAIRS), lambda x, i: np.take_along_axis(x, i, -1), dtypes="all", call=lambda f, x, i: f(x, i, -1)
    ),
    "put_along_axis": Row(
        (X, PAIRS[:, :1], A((2, 1))),
        replaced,
        (0, 2),
        dtypes="all",
        call=lambda f, x, i, v: f(x, i, v, -1),
    ),
    "searchsorted": Row(
        (A((5,), made=np.sort), A((2,))),
        np.searchsorted,
        COUNTS,
        dtypes="all",
        shapes=(((0,), (2,)), ((5,), ())),
    ),
    "sort": Row((X,), np.sort, dtypes="real", shapes=(EMPTY,)),
    "argsort": Row((X,), lambda x: np.argsort(x, stable=True), COUNTS, dtypes="real", shapes=(EMPTY,)),
    "partition": Row(
        (X,),
        lambda x: np.sort(x)[..., 1],
        dtypes="real",
        call=lambda fun, x: fun(x, 1),
        told=lambda x, y: np.asarray(y)[..., 1],
    ),
    "argpartition": Row(
        (X,),
        lambda x: np.sort(x)[..., 1],
        COUNTS,
        dtypes="real",
        call=lambda fun, x: fun(x, 1),
        told=lambda x, i: np.take_along_axis(x, np.asarray(i), -1)[..., 1],
    ),
    "topk": Row(
        (X,),
        lambda x: np.sort(x)[..., 1:],
        dtypes="real",
        call=lambda fun, x: fun(x, 2),
        told=lambda x, y: np.sort(y),
    ),
    "unique": Row((A((5,)),), np.unique, BY_SIZE, BY_SIZE, "all", compile=BY_SIZE, shapes=(((0,),), ((),))),
    "diff": Row((X,), lambda x: np.diff(x), dtypes="number", shapes=(((0, 3),), ((2, 1),))),
    "trace": Row((A((3, 3)),), np.trace, dtypes="number", shapes=(((0, 0),),)),
}
TYPES = {
    "astype": Row(
        (X,),
        lambda x: x.astype(np.float32),
        dtypes="real",
        call=lambda fun, x: fun(x, pb.float32),
        shapes=(EMPTY, ZERO),
    ),
    "view": Row(
        (X,),
        lambda x: x.view(f"u{x.itemsize}"),
        BITS,
        dtypes="of NumPy",
        exact=True,
        call=lambda fun, x: fun(x, f"uint{8 * x.itemsize}"),
        shapes=(EMPTY,),
    ),
}
MADE = {
    "arange": made(lambda: np.arange(1, 7, 2), lambda fun: fun(1, 7, 2)),
    "bartlett": made(lambda: np.bartlett(5), lambda fun: fun(5)),
    "blackman": made(lambda: np.blackman(5), lambda fun: fun(5)),
    "hamming": made(lambda: np.hamming(5), lambda fun: fun(5)),
    "hanning": made(lambda: np.hanning(5), lambda fun: fun(5)),
    "empty": made(lambda: np.zeros(0), lambda fun: fun((0,))),
    "eye": made(lambda: np.eye(2, 3, 1), lambda fun: fun(2, 3, 1)),
    "identity": made(lambda: np.identity(3), lambda fun: fun(3)),
    "linspace": made(lambda: np.linspace(0, 1, 5), lambda fun: fun(0, 1, 5)),
    "ones": made(lambda: np.ones((2, 0)), lambda fun: fun((2, 0))),
    "tri": made(lambda: np.tri(2, 3), lambda fun: fun(2, 3)),
    "zeros": made(lambda: np.zeros((2, 3)), lambda fun: fun((2, 3))),
    "full": Row((A(()),), lambda x: np.full((2, 3), x), dtypes="all", call=lambda fun, x: fun((2, 3), x)),
    "full_like": like(lambda x: np.full_like(x, 1), lambda fun, x: fun(x, 1)),
    "ones_like": like(np.ones_like, lambda fun, x: fun(x)),
    "zeros_like": like(np.zeros_like, lambda fun, x: fun(x)),
    "empty_like": Row(
        (X,),
        lambda x: np.zeros(x.shape),
        CONSTANTS,
        dtypes="all",
        told=lambda x, y: np.zeros(y.shape),
        shapes=(EMPTY, ZERO),
    ),
}
ROWS = LAYOUTS | PICKED | TYPES | MADE
