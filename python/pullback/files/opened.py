"""Files to read from and write to: a path, which is opened and closed here, or an open file, which is not."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# At most this much memory is taken for bytes that a file only claims to have.
CHUNK = 1 << 24


@contextmanager
def writing(file, suffix: str, op: str) -> Iterator[Any]:
    """A file to write bytes to; a path gets the suffix unless it has it."""
    if hasattr(file, "write"):
        yield file
        return
    path = path_of(file, op, "write to")
    with open(path if path.endswith(suffix) else path + suffix, "wb") as out:
        yield out


@contextmanager
def reading(file, op: str = "load") -> Iterator[Any]:
    """A file to read bytes from."""
    if hasattr(file, "read"):
        yield file
        return
    with open(path_of(file, op, "read from"), "rb") as source:
        yield source


def path_of(file, op: str, use: str) -> str:
    """A path as text, whatever names it."""
    try:
        return os.fsdecode(file)
    except TypeError:
        raise TypeError(f"[{op}] expected a path or a file to {use}, got {type(file).__name__}") from None


def take(source, length: int, what: str) -> bytearray:
    """The next bytes of a file, in pieces: a length that is not there costs no memory."""
    content = bytearray()
    while len(content) < length:
        piece = source.read(min(CHUNK, length - len(content)))
        if not isinstance(piece, bytes | bytearray):
            got = "nothing yet" if piece is None else type(piece).__name__
            raise ValueError(f"[load] expected a file opened for bytes, got {got}")
        if not piece:
            raise ValueError(f"[load] expected {length} bytes of {what}, got {len(content)}: truncated file")
        content += piece
    return content


@contextmanager
def mapped(source, length: int) -> Iterator[memoryview]:
    """The next bytes of a file, which then stands behind them: where it is one on a disk, without a copy."""
    found = memory(source, length)
    if found is None:
        with memoryview(take(source, length, "elements")) as content:
            yield content
        return
    whole, start = found
    source.seek(start + length)
    with whole, memoryview(whole) as view, view[start : start + length] as content:
        yield content


def memory(source, length: int) -> tuple[mmap.mmap, int] | None:
    """A file in memory and where in it we are, if it is one on a disk and has as many bytes left."""
    try:
        start = source.tell()
        left = os.fstat(source.fileno()).st_size - start
        plain = isinstance(source.fileno(), int) and 0 < length <= left
        return (mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ), start) if plain else None
    except (OSError, ValueError, AttributeError, TypeError):
        return None
