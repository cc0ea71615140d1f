"""Einstein's summation, against NumPy."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import NUMPY_DTYPES, close, exactly, numpy, same, values

CASES = [
    ("i->", (3,)),
    ("ij->ji", (2, 3)),
    ("ij->j", (2, 3)),
    ("ba", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iji->ji", (3, 2, 3)),
    ("iii->i", (3, 3, 3)),
    ("i,i", (3,), (3,)),
    ("i,j", (2,), (3,)),
    ("i,i->i", (3,), (3,)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 2, 3), (2, 3, 4)),
    ("bij,bkj->kbi", (2, 2, 3), (2, 4, 3)),
    ("ij,kl->", (2, 3), (2, 2)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("ijk,k->ij", (2, 3, 4), (4,)),
    (",i", (), (3,)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("a,ab,abc->abc", (2,), (2, 3), (2, 3, 4)),
    ("ij,jk,ki,i->", (2, 3), (3, 4), (4, 2), (2,)),
    ("...i->...", (2, 3, 4)),
    ("i...->...", (2, 3, 4)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
    ("...,...", (2, 3), (3,)),
    ("i...j,j->...i", (2, 4, 3), (3,)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("ij,jk->ik", (0, 2), (2, 3)),
    ("ij,ij->ij", (2, 1), (1, 3)),
]


@pytest.mark.parametrize("dtype", [dtype for dtype in NUMPY_DTYPES if dtype != "bool"])
@pytest.mark.parametrize(("subscripts", "shapes"), [(case[0], case[1:]) for case in CASES])
def test_einsum_is_numpys(dtype, subscripts, shapes):
    arrays = [values(dtype, shape, seed, high=4) for seed, shape in enumerate(shapes)]
    if np.dtype(dtype).kind == "i":
        arrays = [x % 4 for x in arrays]
    got = pb.einsum(subscripts, *map(exactly, arrays))
    assert got.dtype.name == dtype
    close(got, np.einsum(subscripts, *arrays), ulps=64)
    if arrays[0].ndim > 1:
        turned = [exactly(np.ascontiguousarray(x.T)).T for x in arrays]
        close(pb.einsum(subscripts, *turned), numpy(got), ulps=16)


def test_truth_values_meet_as_and_and_or():
    x, y = values("bool_", (3, 4)), values("bool_", (4, 2), seed=1)
    same(pb.einsum("ij,jk->ik", exactly(x), exactly(y)), (x[:, :, None] & y).any(1))


def test_types_are_promoted():
    assert pb.einsum("i,i", pb.ones(2, pb.int32), pb.ones(2, pb.float16)).dtype == pb.float16


def test_the_path_takes_the_cheap_products_first():
    matrix, vector = pb.zeros((50, 50)), pb.zeros(50)
    steps, text = pb.einsum_path("ij,jk,k->i", matrix, matrix, vector)
    assert steps == [(1, 2), (0, 1)]
    assert "products in steps: 5.000e3" in text and "products at once: 1.250e5" in text
    assert pb.einsum_path("ii", matrix)[0] == [(0,)]
    want = np.einsum_path("ab,bc,cd,de->ae", *[np.zeros((n, m)) for n, m in [(9, 2), (2, 8), (8, 3), (3, 7)]])
    shapes = [(9, 2), (2, 8), (8, 3), (3, 7)]
    assert pb.einsum_path("ab,bc,cd,de->ae", *map(pb.zeros, shapes))[0] == want[0][1:]


@pytest.mark.parametrize(("subscripts", "shapes"), [(c[0], c[1:]) for c in CASES if all(map(np.prod, c[1:]))])
def test_derivatives_and_maps(subscripts, shapes):
    arrays = [pb.array(values("float32", shape, seed)) for seed, shape in enumerate(shapes)]
    testing.check_grads(lambda *arrays: pb.einsum(subscripts, *arrays), arrays, order=2)
    rows = [pb.stack([x, 2 * x, -x]) for x in arrays]
    got = pb.vmap(lambda *arrays: pb.einsum(subscripts, *arrays))(*rows)
    for i in range(3):
        close(got[i], numpy(pb.einsum(subscripts, *[x[i] for x in rows])), ulps=64)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "text"),
    [
        ("ij,jk", [(2, 3)], "an operand for each of 2 terms of 'ij,jk', got 1"),
        ("ij", [(2,)], r"a label for each of 1 axes of shape \(2,\), got 'ij'"),
        ("i,i", [(2,), (3,)], "one size of 'i' in 'i,i', got 2 and 3"),
        ("i->j", [(2,)], "labels of operands, each once, behind '->', got 'j'"),
        ("i->ii", [(2,)], "labels of operands, each once, behind '->', got 'i'"),
        ("i1", [(2, 2)], "letters, '...', ',' and one '->', got '1' in 'i1'"),
        ("i->i->i", [(2,)], "got '-'"),
        ("...ij->ij", [(2, 3, 4)], "'...' behind '->' as before it"),
        ("......i", [(2,)], "one ellipsis in a term"),
        ("", [], "an operand for each of 1 terms of '', got 0"),
    ],
)
def test_einsum_refuses(subscripts, shapes, text):
    operands = [pb.zeros(shape) for shape in shapes]
    for fun in (pb.einsum, pb.einsum_path):
        with pytest.raises(ValueError, match=rf"\[einsum\] expected .*{text}"):
            fun(subscripts, *operands)
