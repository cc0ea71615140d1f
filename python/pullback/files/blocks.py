"""Quantised tensors of ggml: blocks of neighbours in a row, each with scales and codes of a few bits.

Their layouts are those of `block_q4_0` and its like in ggml's `ggml-common.h`. Three of them are what
`pb.quantize` makes as well, in another order of bits, and become three arrays, as in MLX: codes that
`pb.dequantize` takes, with scales and biases in `float16`, of groups of 32. The others become numbers, in
`float16`.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from pullback import _core
from pullback.files import elements


class Block(NamedTuple):
    """A layout."""

    elements: int
    bytes: int
    # From blocks `[n, bytes]` in `uint8`: codes `[n, elements]`, a scale and a bias for each; or numbers.
    read: Callable[[_core.array], Any]
    # Bits of codes, where they stay codes.
    bits: int | None = None


def half(raw: _core.array, at: int) -> _core.array:
    """The `float16` at a place of every block, `[n, 1]`."""
    low, high = (raw[:, i : i + 1].astype(_core.uint16) for i in (at, at + 1))
    return (low | (high << 8)).view(_core.float16)


def nibbles(raw: _core.array) -> _core.array:
    """Low halves of bytes, then the high ones."""
    return _core.concatenate([raw & 15, raw >> 4], -1)


def bit(raw: _core.array, count: int) -> _core.array:
    """The bits of bytes, low ones first."""
    each = (raw[:, :, None] >> _core.arange(8, dtype=_core.uint8)) & 1
    return each.reshape(-1, count)


def q4_0(raw: _core.array):
    """A scale, and 32 codes from -8."""
    scale = half(raw, 0)
    return nibbles(raw[:, 2:]), scale, scale * -8


def q4_1(raw: _core.array):
    """A scale, a bias, and 32 codes of four bits."""
    return nibbles(raw[:, 4:]), half(raw, 0), half(raw, 2)


def q8_0(raw: _core.array):
    """A scale, and 32 signed codes."""
    scale = half(raw, 0)
    # From a signed number to one above the smallest.
    return raw[:, 2:] ^ 128, scale, scale * -128


def wide(x: _core.array) -> _core.array:
    """In the type in which scales meet codes; what comes of it becomes `float16`."""
    return x.astype(_core.float32)


def q5_0(raw: _core.array):
    """A scale, the high bits of 32 codes from -16, and the others."""
    codes = nibbles(raw[:, 6:]) | (bit(raw[:, 2:6], 32) << 4)
    return wide(half(raw, 0)) * (wide(codes) - 16)


def q5_1(raw: _core.array):
    """A scale, a bias, the high bits of 32 codes, and the others."""
    codes = nibbles(raw[:, 8:]) | (bit(raw[:, 4:8], 32) << 4)
    return wide(half(raw, 0)) * wide(codes) + wide(half(raw, 2))


def parts(codes: _core.array, scales: _core.array, mins: _core.array | None = None) -> _core.array:
    """Numbers of blocks of 256 codes, with scales `[n, k]` for equal parts, and what is taken from each."""
    n, k = scales.shape
    values = scales[:, :, None] * wide(codes).reshape(n, k, 256 // k)
    return (values if mins is None else values - mins[:, :, None]).reshape(n, 256)


def six_bits(raw: _core.array) -> tuple[_core.array, _core.array]:
    """Eight scales and eight minima of six bits, in twelve bytes: four whole, the others in two pieces."""
    a, b, c = raw[:, :4], raw[:, 4:8], raw[:, 8:12]
    scales = _core.concatenate([a & 63, (c & 15) | ((a >> 6) << 4)], -1)
    mins = _core.concatenate([b & 63, (c >> 4) | ((b >> 6) << 4)], -1)
    return scales, mins


def pairs(raw: _core.array) -> _core.array:
    """128 bytes as 256 halves of them: of each 32 the low ones, then the high ones."""
    quarters = raw.reshape(-1, 4, 1, 32)
    return _core.concatenate([quarters & 15, quarters >> 4], 2).reshape(-1, 256)


def twos(raw: _core.array) -> _core.array:
    """64 bytes as 256 pairs of bits: of each 32 bytes the lowest pairs, then the next."""
    shifts = _core.array([0, 2, 4, 6], _core.uint8)[:, None]
    return ((raw.reshape(-1, 2, 1, 32) >> shifts) & 3).reshape(-1, 256)


def q2_k(raw: _core.array):
    """Scales and minima of four bits, codes of two, and what both are scaled by."""
    scales, codes = raw[:, :16], twos(raw[:, 16:80])
    scale, least = wide(half(raw, 80)), wide(half(raw, 82))
    return parts(codes, scale * wide(scales & 15), least * wide(scales >> 4))


def q4_k(raw: _core.array):
    """What scales and minima are scaled by, these in six bits, and codes of four."""
    scale, least = wide(half(raw, 0)), wide(half(raw, 2))
    scales, mins = six_bits(raw[:, 4:16])
    return parts(pairs(raw[:, 16:]), scale * wide(scales), least * wide(mins))


def q5_k(raw: _core.array):
    """As `q4_k`, with high bits for the codes."""
    scale, least = wide(half(raw, 0)), wide(half(raw, 2))
    scales, mins = six_bits(raw[:, 4:16])
    shifts = _core.arange(8, dtype=_core.uint8)[:, None]
    high = ((raw[:, None, 16:48] >> shifts) & 1).reshape(-1, 256)
    return parts(pairs(raw[:, 48:]) | (high << 4), scale * wide(scales), least * wide(mins))


def q6_k(raw: _core.array):
    """The low and the high bits of codes from -32, signed scales, and what they are scaled by."""
    low, scale = raw[:, :128].reshape(-1, 2, 64), wide(half(raw, 208))
    low = _core.concatenate([low & 15, low >> 4], -1).reshape(-1, 256)
    codes = wide(low | (twos(raw[:, 128:192]) << 4)) - 32
    return parts(codes, scale * wide(raw[:, 192:208].view(_core.int8)))


# By the numbers that ggml gives to types.
BLOCKS = {
    2: Block(32, 18, q4_0, bits=4),
    3: Block(32, 20, q4_1, bits=4),
    6: Block(32, 22, q5_0),
    7: Block(32, 24, q5_1),
    8: Block(32, 34, q8_0, bits=8),
    10: Block(256, 84, q2_k),
    12: Block(256, 144, q4_k),
    13: Block(256, 176, q5_k),
    14: Block(256, 210, q6_k),
}


def words(codes: _core.array, bits: int) -> _core.array:
    """Codes of 4 or 8 bits packed into `uint32`, low bits first, as `pb.quantize` does."""
    each = 32 // bits
    places = _core.arange(0, 32, bits, dtype=_core.uint32)
    return (codes.astype(_core.uint32).reshape(-1, each) << places).sum(-1)


def arrays(name: str, kind: int, shape: tuple[int, ...], content: memoryview) -> dict[str, _core.array]:
    """The arrays of a tensor: its codes by its own name, scales and biases beside it; or its numbers."""
    block = BLOCKS[kind]
    count = math.prod(shape) // block.elements
    raw = elements.build(content, (count, block.bytes), _core.uint8)
    found = block.read(raw)
    if block.bits is None:
        return {name: found.astype(_core.float16).reshape(shape)}
    codes, scales, biases = found
    packed = words(codes, block.bits).reshape(*shape[:-1], shape[-1] * block.bits // 32)
    groups = (*shape[:-1], shape[-1] // block.elements)
    prefix = name.removesuffix(".weight")
    return {
        name: packed,
        f"{prefix}.scales": scales.reshape(groups),
        f"{prefix}.biases": biases.reshape(groups),
    }
