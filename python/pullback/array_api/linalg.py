"""The standard's extension for matrices, in the last two axes of an array."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pullback import _core
from pullback._core import array
from pullback._core import linalg as _linalg
from pullback.array_api import reductions
from pullback.array_api._placed import placed
from pullback.array_api.data_types import result_type
from pullback.array_api.manipulation import Axes

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


class EighResult(NamedTuple):
    """Eigenvalues, ascending, and their vectors in columns."""

    eigenvalues: array
    eigenvectors: array


class QRResult(NamedTuple):
    """Orthonormal columns and an upper triangle."""

    Q: array
    R: array


class SlogdetResult(NamedTuple):
    """A determinant's sign and the logarithm of its absolute value."""

    sign: array
    logabsdet: array


class SVDResult(NamedTuple):
    """Left vectors in columns, singular values, descending, and right vectors in rows."""

    U: array
    S: array
    Vh: array


@placed
def cholesky(x: array, /, *, upper: bool = False) -> array:
    """Return the triangle whose product with its conjugate transpose is the matrix.

    >>> pb.array_api.linalg.cholesky(pb.array([[4.0]]))
    array([[2.]], dtype=float32)
    """
    return _linalg.cholesky(x, upper)


@placed
def cross(x1: array, x2: array, /, *, axis: int = -1) -> array:
    """Return the cross products of vectors of three elements.

    >>> pb.array_api.linalg.cross(pb.array([1, 0, 0]), pb.array([0, 1, 0]))
    array([0, 0, 1], dtype=int32)
    """
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"[cross] expected 3 elements along axis {axis}, got {x1.shape} and {x2.shape}")
    return _linalg.cross(x1, x2, axis)


@placed
def det(x: array, /) -> array:
    """Return the determinants.

    >>> pb.array_api.linalg.det(pb.array([[1.0, 2.0], [3.0, 4.0]])).round(3)
    array(-2., dtype=float32)
    """
    return _linalg.det(x)


@placed
def diagonal(x: array, /, *, offset: int = 0) -> array:
    """Return the elements on a diagonal.

    >>> pb.array_api.linalg.diagonal(pb.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
    """
    return _linalg.diagonal(x, offset=offset)


@placed
def eigh(x: array, /) -> EighResult:
    """Return the eigenvalues and eigenvectors of matrices that are equal to their conjugate transposes.

    >>> pb.array_api.linalg.eigh(pb.array([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    array([1., 2.], dtype=float32)
    """
    return EighResult(*_linalg.eigh(x))


@placed
def eigvalsh(x: array, /) -> array:
    """Return the eigenvalues of matrices that are equal to their conjugate transposes.

    >>> pb.array_api.linalg.eigvalsh(pb.array([[2.0, 0.0], [0.0, 1.0]]))
    array([1., 2.], dtype=float32)
    """
    return _linalg.eigvalsh(x)


@placed
def inv(x: array, /) -> array:
    """Return the inverses.

    >>> pb.array_api.linalg.inv(pb.array([[2.0]]))
    array([[0.5]], dtype=float32)
    """
    return _linalg.inv(x)


@placed
def matmul(x1: array, x2: array, /) -> array:
    """Return the products of matrices, or of a vector where an operand has one axis.

    >>> pb.array_api.matmul(pb.array([[1, 2]]), pb.array([[3], [4]]))
    array([[11]], dtype=int32)
    """
    return _core.matmul(x1, x2)


@placed
def matrix_norm(x: array, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> array:
    """Return norms of matrices.

    >>> pb.array_api.linalg.matrix_norm(pb.array([[3.0, 4.0]]))
    array(5., dtype=float32)
    """
    return _linalg.matrix_norm(x, keepdims=keepdims, ord="fro" if ord is None else ord)


@placed
def matrix_power(x: array, n: int, /) -> array:
    """Return the matrices multiplied with themselves.

    >>> pb.array_api.linalg.matrix_power(pb.array([[2.0]]), 3)
    array([[8.]], dtype=float32)
    """
    return _linalg.matrix_power(x, n)


@placed
def matrix_rank(x: array, /, *, rtol: float | array | None = None) -> array:
    """Return how many singular values are above `rtol` times the largest.

    >>> pb.array_api.linalg.matrix_rank(pb.ones((2, 2)))
    array(1, dtype=int32)
    """
    return _linalg.matrix_rank(x, rtol=rtol)


@placed
def matrix_transpose(x: array, /) -> array:
    """Return the array with its last two axes exchanged.

    >>> pb.array_api.matrix_transpose(pb.ones((2, 3, 4))).shape
    (2, 4, 3)
    """
    return _linalg.matrix_transpose(x)


@placed
def outer(x1: array, x2: array, /) -> array:
    """Return the products of all pairs of elements of two vectors.

    >>> pb.array_api.linalg.outer(pb.array([1, 2]), pb.array([3, 4]))
    array([[3, 4],
           [6, 8]], dtype=int32)
    """
    return _linalg.outer(x1, x2)


@placed
def pinv(x: array, /, *, rtol: float | array | None = None) -> array:
    """Return the pseudo-inverses, for which smaller singular values are zeros.

    >>> pb.array_api.linalg.pinv(pb.array([[2.0], [0.0]]))
    array([[0.5, 0. ]], dtype=float32)
    """
    return _linalg.pinv(x, rtol)


@placed
def qr(x: array, /, *, mode: str = "reduced") -> QRResult:
    """Return the matrices as products of orthonormal columns and an upper triangle.

    >>> pb.array_api.linalg.qr(pb.ones((3, 2)), mode="complete").Q.shape
    (3, 3)
    """
    return QRResult(*_linalg.qr(x, mode))


@placed
def slogdet(x: array, /) -> SlogdetResult:
    """Return the signs of determinants and the logarithms of their absolute values.

    >>> pb.array_api.linalg.slogdet(pb.array([[-1.0]])).sign
    array(-1., dtype=float32)
    """
    return SlogdetResult(*_linalg.slogdet(x))


@placed
def solve(x1: array, x2: array, /) -> array:
    """Return what matrices are to be multiplied with to give the second operand, a vector if it has one axis.

    >>> pb.array_api.linalg.solve(pb.array([[2.0]]), pb.array([1.0]))
    array([0.5], dtype=float32)
    """
    if x2.ndim != 1:
        return _linalg.solve(x1, x2)
    # A vector is the same for every matrix of a batch.
    return _linalg.solve(x1, x2[:, None])[..., 0]


@placed
def svd(x: array, /, *, full_matrices: bool = True) -> SVDResult:
    """Return the singular values of matrices, and the vectors of both sides.

    >>> [part.shape for part in pb.array_api.linalg.svd(pb.ones((3, 2)), full_matrices=False)]
    [(3, 2), (2,), (2, 2)]
    """
    return SVDResult(*_linalg.svd(x, True, full_matrices))


@placed
def svdvals(x: array, /) -> array:
    """Return the singular values, descending.

    >>> pb.array_api.linalg.svdvals(pb.array([[1.0, 0.0], [0.0, 2.0]]))
    array([2., 1.], dtype=float32)
    """
    return _linalg.svdvals(x)


@placed
def tensordot(x1: array, x2: array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> array:
    """Return the sum of products over some axes of both.

    >>> pb.array_api.tensordot(pb.ones((2, 3)), pb.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    return _core.tensordot(x1, x2, axes)


@placed
def trace(x: array, /, *, offset: int = 0, dtype: Any = None) -> array:
    """Return the sums of a diagonal, in the dtype of `sum`.

    >>> pb.array_api.linalg.trace(pb.array([[1, 2], [3, 4]]))
    array(5, dtype=int32)
    """
    return reductions.sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


@placed
def vecdot(x1: array, x2: array, /, *, axis: int = -1) -> array:
    """Return the sums of products along an axis, of the first's conjugates.

    >>> pb.array_api.vecdot(pb.array([1, 2]), pb.array([3, 4]))
    array(11, dtype=int32)
    """
    # The engine's sums are wider.
    return _core.vecdot(x1, x2, axis=axis).astype(result_type(x1, x2))


@placed
def vector_norm(x: array, /, *, axis: Axes | None = None, keepdims: bool = False, ord: float = 2) -> array:
    """Return norms of vectors.

    >>> pb.array_api.linalg.vector_norm(pb.array([3.0, 4.0]))
    array(5., dtype=float32)
    """
    return _linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
