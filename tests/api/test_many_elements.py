"""Arrays with more elements than 31 bits count, on the CPU: nothing is wrapped, and the end is where it is.

Only with `PULLBACK_TESTS=slow`: up to three arrays of 2 GiB are there at once.
"""

import os

import pullback as pb
import pytest

pytestmark = pytest.mark.skipif(os.environ.get("PULLBACK_TESTS") != "slow", reason="PULLBACK_TESTS=slow")

N = 2**31 + 10


@pytest.fixture(autouse=True)
def on_the_cpu():
    with pb.stream(pb.cpu):
        yield
    pb.clear_cache()


@pytest.fixture
def marked():
    """Zeros but for one element behind those that 31 bits count."""
    x = pb.zeros(N, pb.uint8).at[N - 2].set(7)
    pb.eval(x)
    return x


def test_what_is_at_the_end(marked):
    assert marked.shape == (N,) and marked.size == N and marked.nbytes == N
    assert [marked[i].item() for i in (0, N - 3, N - 2, -2, -1)] == [0, 0, 7, 7, 0]
    assert marked[N - 4 :].tolist() == [0, 0, 7, 0]
    assert marked[::-1][:3].tolist() == [0, 7, 0]
    assert marked[:: 2**30].tolist() == [0, 0, 0]
    with pytest.raises(IndexError, match=rf"got {N}"):
        marked[N]


def test_places_by_an_array_are_refused(marked):
    """They are read as int32, which does not count so far."""
    places = pb.array([0, N - 2, -1, -2], pb.int64)
    for call in (lambda: pb.take(marked, places), lambda: marked[places]):
        with pytest.raises(MemoryError, match=rf"expected fewer than 2 \*\* 31 rows, got .*{N}"):
            call()


def test_sums():
    # Counted in int32, as in MLX, which is too narrow here.
    assert pb.sum(pb.ones(N, pb.bool_)).item() == N - 2**32
    assert pb.sum(pb.ones(N, pb.bool_).reshape(2, -1), axis=1).tolist() == [N // 2, N // 2]


def test_reductions(marked):
    assert pb.max(marked).item() == 7
    assert pb.argmax(marked).item() == N - 2
    assert pb.any(marked == 7).item() and not pb.all(marked == 0).item()


def test_comparison(marked):
    found = marked == 7
    pb.eval(found)
    assert found[-3:].tolist() == [False, True, False]


def test_concatenation():
    halves = pb.zeros(2**30 + 5, pb.uint8), pb.ones(2**30 + 5, pb.uint8)
    both = pb.concatenate(halves)
    pb.eval(both)
    assert both.shape == (N,)
    assert both[2**30 + 3 : 2**30 + 7].tolist() == [0, 0, 1, 1] and both[-1].item() == 1


def test_rows_and_columns(marked):
    table = marked.reshape(2, -1)
    assert table[1, -2].item() == 7 and table.T[-2].tolist() == [0, 7]
    assert pb.max(table, axis=1).tolist() == [0, 7]
