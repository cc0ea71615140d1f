"""Small data that comes with the package; where it is from stands in the README beside it."""

import gzip
from importlib import resources

import pullback as pb

__all__ = ["digits"]

PIXELS = 64


def digits() -> tuple[pb.array, pb.array]:
    """Return the handwritten digits: images, `float32 [1797, 64]` from 0 to 1, and labels, `int32 [1797]`.

    >>> from pullback.data import digits
    >>> images, labels = digits()
    >>> images.shape, labels[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    packed = resources.files(__name__).joinpath("digits.gz").read_bytes()
    rows = pb.array(memoryview(gzip.decompress(packed))).reshape(-1, PIXELS + 1)
    return rows[:, :PIXELS].astype(pb.float32) / 16, rows[:, PIXELS].astype(pb.int32)
