"""Norms, conditions and ranks beside NumPy."""

import numpy as np
import pullback as pb
import pytest
from samples import close, exactly, layouts, values

INF = float("inf")
VECTORS = [None, 0, 1, 2, 3, 0.5, -1, -2.5, INF, -INF]
MATRICES = [None, "fro", "nuc", 1, -1, 2, -2, INF, -INF]


@pytest.mark.parametrize("dtype", ["int32", "float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("ord", VECTORS)
def test_vector_norms_are_numpys(dtype, ord):
    x = values(dtype, (3, 4), low=None if "c" in dtype else 1)
    wide = x.astype(np.complex128 if "c" in dtype else float)
    for axis in (0, 1, -1, (0,)):
        for keepdims in (False, True):
            plain = axis if isinstance(axis, int) else axis[0]
            want = np.linalg.norm(wide, ord, plain, keepdims)
            for _, y in layouts(x):
                got = pb.linalg.norm(y, ord, axis, keepdims)
                assert got.dtype.name == {"int32": "float32", "complex64": "float32"}.get(dtype, dtype)
                close(got, want, ulps=40)
                close(
                    pb.linalg.vector_norm(y, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord),
                    want,
                    ulps=40,
                )
    close(pb.linalg.norm(exactly(x[0]), ord), np.linalg.norm(wide[0], ord), ulps=40)


@pytest.mark.parametrize("dtype", ["int32", "float32", "float64", "complex64"])
@pytest.mark.parametrize("ord", MATRICES)
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (4, 3, 3, 2)])
def test_matrix_norms_are_numpys(dtype, ord, shape):
    x = values(dtype, shape)
    wide = x.astype(np.complex128 if "c" in dtype else float)
    for axis in [(0, 1), (1, 0), (-1, 0), (-2, -1)]:
        for keepdims in (False, True):
            want = np.linalg.norm(wide, ord, axis, keepdims)
            close(pb.linalg.norm(exactly(x), ord, axis, keepdims), want, ulps=100)
    close(pb.linalg.matrix_norm(exactly(x), ord=ord or "fro"), np.linalg.norm(wide, ord, (-2, -1)), ulps=100)
    if len(shape) == 2:
        close(
            pb.linalg.norm(exactly(x), ord, keepdims=True), np.linalg.norm(wide, ord, keepdims=True), ulps=100
        )


def test_norms_of_whole_arrays():
    x = values("float32", (2, 3, 4))
    close(pb.linalg.norm(exactly(x)), np.linalg.norm(x), ulps=40)
    close(pb.linalg.norm(exactly(x), keepdims=True), np.linalg.norm(x, keepdims=True), ulps=40)
    close(pb.linalg.vector_norm(exactly(x), axis=(0, 2), ord=1), np.abs(x).sum((0, 2)), ulps=40)
    assert pb.linalg.norm(pb.array(-3.0)).item() == 3
    assert pb.linalg.norm(pb.zeros(0)).item() == 0
    assert pb.linalg.norm(pb.zeros((0, 3)), axis=0).tolist() == [0, 0, 0]
    assert np.isnan(pb.linalg.norm(pb.array([1.0, np.nan])).item())
    assert pb.linalg.norm(pb.array([1.0, np.inf])).item() == np.inf


def test_norms_refuse():
    x = pb.zeros((2, 3, 4))
    with pytest.raises(ValueError, match=r"\[norm\] expected one axis, or two for matrices, got 3"):
        pb.linalg.norm(x, 2)
    with pytest.raises(ValueError, match=r"\[norm\] expected one axis, or two for matrices, got 3"):
        pb.linalg.norm(x, axis=(0, 1, 2))
    with pytest.raises(ValueError, match=r"\[norm\] expected a matrix for the norms 'fro' and 'nuc', got 1"):
        pb.linalg.norm(x, "fro", axis=0)
    with pytest.raises(ValueError, match=r"\[norm\] expected a number, 'fro' or 'nuc', got 'max'"):
        pb.linalg.norm(x, "max")
    with pytest.raises(ValueError, match=r"\[norm\] expected 1, 2 or inf.*got 3"):
        pb.linalg.norm(x, 3, axis=(0, 1))
    with pytest.raises(ValueError, match=r"\[norm\] expected two different axes"):
        pb.linalg.norm(x, 1, axis=(0, -3))
    with pytest.raises(ValueError, match=r"\[norm\]"):
        pb.linalg.norm(x, axis=3)
    with pytest.raises(TypeError, match=r"\[norm\] expected float32, float64 or complex64, got float16"):
        pb.linalg.norm(pb.zeros((2, 2), pb.float16), "nuc")


@pytest.mark.parametrize("p", [None, 1, -1, 2, -2, INF, -INF, "fro", "nuc"])
def test_conditions_are_numpys(p):
    x = values("float64", (2, 3, 3)) + 3 * np.eye(3)
    close(pb.linalg.cond(exactly(x), p), np.linalg.cond(x, p), ulps=1000)
    if p in (None, 2, -2):
        close(pb.linalg.cond(exactly(x[:, :2]), p), np.linalg.cond(x[:, :2], p), ulps=1000)


def test_ranks_are_numpys():
    u, v = values("float32", (4, 5, 2)), values("float32", (4, 2, 3), seed=1)
    x = np.concatenate([u @ v, values("float32", (1, 5, 3)), np.zeros((1, 5, 3), np.float32)])
    assert (
        pb.linalg.matrix_rank(exactly(x)).tolist() == np.linalg.matrix_rank(x).tolist() == [2, 2, 2, 2, 3, 0]
    )
    assert pb.linalg.matrix_rank(pb.array([[1.0, 0.0], [0.0, 1e-3]]), rtol=0.01).item() == 1
    assert pb.linalg.matrix_rank(pb.zeros((2, 0, 3))).tolist() == [0, 0]
    assert pb.linalg.matrix_rank(pb.eye(2)).dtype == pb.int32
