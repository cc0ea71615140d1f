"""The `.gguf` format of ggml: a header with metadata and a list of tensors, then their elements.

After https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian. Names, types
of metadata and what becomes of quantised tensors are as in MLX. A tensor's sizes are in the file in reverse
order.
"""

import math
import struct
from typing import Any, NamedTuple

from pullback import _core
from pullback.files import blocks, elements
from pullback.files.opened import mapped, take

MAGIC = b"GGUF"
VERSION = 3
VERSIONS = (2, 3)
ALIGNMENT = "general.alignment"
# Where the metadata do not say otherwise.
USUAL_ALIGNMENT = 32
# As many axes as the format has now.
AXES = 4
# Types of metadata, by their numbers; a text is 8 and a list 9.
KINDS = {
    0: ("<B", _core.uint8),
    1: ("<b", _core.int8),
    2: ("<H", _core.uint16),
    3: ("<h", _core.int16),
    4: ("<I", _core.uint32),
    5: ("<i", _core.int32),
    6: ("<f", _core.float32),
    7: ("<?", _core.bool_),
    10: ("<Q", _core.uint64),
    11: ("<q", _core.int64),
    12: ("<d", _core.float64),
}
TEXT, LIST = 8, 9
NUMBERS = {dtype: number for number, (_, dtype) in KINDS.items()}
# Types of tensors that arrays have too.
PLAIN = {
    0: _core.float32,
    1: _core.float16,
    24: _core.int8,
    25: _core.int16,
    26: _core.int32,
    27: _core.int64,
    28: _core.float64,
    30: _core.bfloat16,
}
CODES = {dtype: number for number, dtype in PLAIN.items()}


class Tensor(NamedTuple):
    """What the header says of a tensor."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def bytes(self) -> int:
        """How many bytes it takes."""
        if self.kind in PLAIN:
            return elements.length(self.shape, PLAIN[self.kind])
        block = blocks.BLOCKS[self.kind]
        return math.prod(self.shape) // block.elements * block.bytes


def check(arrays, metadata) -> None:
    """Refuses what the format cannot say."""
    if not isinstance(arrays, dict) or not all(isinstance(name, str) for name in arrays):
        raise TypeError(f"[save_gguf] expected arrays by name, got {type(arrays).__name__}")
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        raise TypeError(f"[save_gguf] expected metadata by name, got {type(metadata).__name__}")
    if ALIGNMENT in metadata:
        raise ValueError(f"[save_gguf] expected metadata other than {ALIGNMENT!r}, got it: it is chosen here")
    for name, arr in arrays.items():
        if not isinstance(arr, _core.array):
            raise TypeError(f"[save_gguf] expected arrays, got {type(arr).__name__}: use pb.array")
        if arr.dtype not in CODES:
            names = ", ".join(dtype.name for dtype in CODES)
            raise ValueError(f"[save_gguf] expected a dtype of {names} for {name!r}, got {arr.dtype.name}")
        if arr.ndim > AXES:
            raise ValueError(f"[save_gguf] expected at most {AXES} axes for {name!r}, got {arr.ndim}")
    for key, value in metadata.items():
        check_value(key, value)


def check_value(key: str, value: Any) -> None:
    """Refuses metadata of other types than there are."""
    if isinstance(value, str):
        return
    if isinstance(value, list | tuple):
        if all(isinstance(text, str) for text in value):
            return
    elif isinstance(value, _core.array):
        if value.dtype in NUMBERS and value.ndim < 2:
            return
        got = f"{value.dtype.name}{list(value.shape)}"
        raise ValueError(f"[save_gguf] expected numbers of at most one axis for {key!r}, got {got}")
    got = type(value).__name__
    raise TypeError(f"[save_gguf] expected an array, a text or a list of texts for {key!r}, got {got}")


def text(words: str) -> bytes:
    """A text as the format has it."""
    content = words.encode("utf-8")
    return struct.pack("<Q", len(content)) + content


def value_bytes(value: Any) -> bytes:
    """A value of the metadata, with its type."""
    if isinstance(value, str):
        return struct.pack("<I", TEXT) + text(value)
    if isinstance(value, list | tuple):
        return struct.pack("<IIQ", LIST, TEXT, len(value)) + b"".join(map(text, value))
    kind = struct.pack("<I", NUMBERS[value.dtype])
    if value.ndim:
        kind = struct.pack("<I", LIST) + kind + struct.pack("<Q", value.size)
    return kind + bytes(elements.content(value))


def write(out, arrays: dict[str, _core.array], metadata: dict[str, Any]) -> None:
    """Writes arrays by name, and metadata."""
    header = bytearray(MAGIC + struct.pack("<IQQ", VERSION, len(arrays), len(metadata)))
    for key, value in metadata.items():
        header += text(key) + value_bytes(value)
    at = 0
    for name, arr in arrays.items():
        header += text(name) + struct.pack("<I", arr.ndim) + struct.pack(f"<{arr.ndim}Q", *arr.shape[::-1])
        header += struct.pack("<IQ", CODES[arr.dtype], at)
        at += arr.nbytes + -arr.nbytes % USUAL_ALIGNMENT
    out.write(header + bytes(-len(header) % USUAL_ALIGNMENT))
    for arr in arrays.values():
        out.write(elements.content(arr))
        out.write(bytes(-arr.nbytes % USUAL_ALIGNMENT))


class Header:
    """The bytes of a header, one value after the other, and how many they were."""

    def __init__(self, source) -> None:
        self.source = source
        self.at = 0

    def take(self, length: int, what: str) -> bytearray:
        """The next bytes."""
        content = take(self.source, length, what)
        self.at += length
        return content

    def number(self, form: str, what: str) -> Any:
        """A number of a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form), what))[0]

    def text(self, what: str) -> str:
        """A text."""
        content = self.take(self.number("<Q", f"the length of {what}"), what)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"[load] expected {what} in UTF-8, got: {error}") from error

    def value(self, key: str) -> Any:
        """A value of the metadata."""
        what = f"the value of {key[:200]!r}"
        kind = self.number("<I", what)
        if kind == TEXT:
            return self.text(what)
        if kind in KINDS:
            return self.numbers(kind, (), what)
        if kind != LIST:
            raise ValueError(f"[load] expected {what} of types 0 to 12, got {kind}")
        kind, count = self.number("<I", what), self.number("<Q", what)
        if kind == TEXT:
            # Each has its length in eight bytes: a claim of many ends where the file does.
            texts = []
            while len(texts) < count:
                texts.append(self.text(what))
            return texts
        if kind not in KINDS:
            raise ValueError(f"[load] expected {what} of numbers or texts, got a list of type {kind}")
        return self.numbers(kind, (count,), what)

    def numbers(self, kind: int, shape: tuple[int, ...], what: str) -> _core.array:
        """An array of numbers."""
        dtype = KINDS[kind][1]
        elements.check_shape(shape, what)
        return elements.build(self.take(elements.length(shape, dtype), what), shape, dtype)

    def tensor(self) -> Tensor:
        """What it says of the next tensor."""
        name = self.text("a tensor's name")
        what = repr(name[:200])
        count = self.number("<I", f"axes of {what}")
        if count > elements.AXES:
            raise ValueError(
                f"[load] expected a shape of at most {elements.AXES} sizes for {what}, got {count}"
            )
        sizes = struct.unpack(f"<{count}Q", self.take(8 * count, f"the shape of {what}"))
        elements.check_shape(sizes, what)
        kind, offset = self.number("<I", f"the type of {what}"), self.number("<Q", f"the place of {what}")
        tensor = Tensor(name, sizes[::-1], kind, offset)
        if kind not in PLAIN and kind not in blocks.BLOCKS:
            known = sorted([*PLAIN, *blocks.BLOCKS])
            raise ValueError(f"[load] expected a tensor type of {known} for {what}, got {kind}")
        if kind in blocks.BLOCKS and (not sizes or sizes[0] % blocks.BLOCKS[kind].elements):
            count = blocks.BLOCKS[kind].elements
            raise ValueError(
                f"[load] expected rows of whole blocks of {count} for {what}, got {tensor.shape}"
            )
        return tensor


def read(source) -> tuple[dict[str, _core.array], dict[str, Any]]:
    """Reads all arrays, and the metadata."""
    header = Header(source)
    magic = bytes(header.take(len(MAGIC), "a magic word"))
    if magic != MAGIC:
        raise ValueError(f"[load] expected a gguf file, got one that starts {magic!r}")
    version = header.number("<I", "a version")
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
        fix = ": its numbers are big-endian" if swapped else ""
        raise ValueError(f"[load] expected a gguf file of version 2 or 3, got {version}{fix}")
    tensors, pairs = header.number("<Q", "a number of tensors"), header.number("<Q", "a number of metadata")
    metadata: dict[str, Any] = {}
    while len(metadata) < pairs:
        key = header.text("a key of the metadata")
        if key in metadata:
            raise ValueError(f"[load] expected distinct keys, got two of {key[:200]!r}")
        metadata[key] = header.value(key)
    found: dict[str, Tensor] = {}
    while len(found) < tensors:
        tensor = header.tensor()
        if tensor.name in found:
            raise ValueError(f"[load] expected distinct names, got two of {tensor.name[:200]!r}")
        found[tensor.name] = tensor
    alignment = alignment_of(metadata)
    header.take(-header.at % alignment if found else 0, "bytes before the elements")
    end = check_places(list(found.values()), alignment)
    with mapped(source, end) as content:
        return built(list(found.values()), content), metadata


def alignment_of(metadata: dict[str, Any]) -> int:
    """Of what the places of elements are multiples."""
    given = metadata.get(ALIGNMENT)
    if given is None:
        return USUAL_ALIGNMENT
    number = given.item() if isinstance(given, _core.array) and not given.ndim else given
    # A number that is no power of two aligns nothing.
    if type(number) is not int or not 0 < number <= 1 << 16 or number & (number - 1):
        raise ValueError(f"[load] expected an alignment that is a power of two, got {str(number)[:200]}")
    return number


def check_places(tensors: list[Tensor], alignment: int) -> int:
    """Refuses tensors that are not aligned, or overlap; where the last one ends."""
    at = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.bytes)):
        what = repr(tensor.name[:200])
        if tensor.offset % alignment:
            text = f"a place that is a multiple of {alignment} for {what}, got {tensor.offset}"
            raise ValueError(f"[load] expected {text}")
        if tensor.offset < at:
            raise ValueError(
                f"[load] expected elements of {what} from byte {at}, got {tensor.offset}: they overlap"
            )
        at = tensor.offset + tensor.bytes
    return at


def built(tensors: list[Tensor], content: memoryview) -> dict[str, _core.array]:
    """The arrays, each a copy of its part; quantised ones are three."""
    arrays: dict[str, _core.array] = {}
    for tensor in tensors:
        with content[tensor.offset : tensor.offset + tensor.bytes] as part:
            if tensor.kind in PLAIN:
                made = {tensor.name: elements.build(part, tensor.shape, PLAIN[tensor.kind])}
            else:
                made = blocks.arrays(tensor.name, tensor.kind, tensor.shape, part)
        if twice := made.keys() & arrays.keys():
            raise ValueError(f"[load] expected distinct names, got two of {min(twice)[:200]!r}")
        arrays |= made
    return arrays
