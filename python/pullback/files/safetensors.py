"""The `.safetensors` format: the length of a header in eight bytes, the header as JSON, the elements.

The header says for each name the dtype, the shape and where the elements are, counted from its end; together
they have to fill the rest of the file, as the format wants it.
"""

import json
from typing import Any

from pullback import _core
from pullback.files import elements
from pullback.files.opened import mapped, take

# The format's own limit.
HEADER = 100_000_000
ALIGNMENT = 8
METADATA = "__metadata__"

LETTERS = {
    "generic": "BOOL",
    "unsignedinteger": "U",
    "signedinteger": "I",
    "floating": "F",
    "complexfloating": "C",
}
CODES = elements.codes(LETTERS, 8) | {_core.bool_: "BOOL", _core.bfloat16: "BF16"}
DTYPES = {code: dtype for dtype, code in CODES.items()}
KEYS = {"dtype", "shape", "data_offsets"}


def check_names(arrays, metadata) -> None:
    """Refuses what the header cannot say."""
    if not isinstance(arrays, dict) or not all(isinstance(name, str) for name in arrays):
        raise TypeError(f"[save_safetensors] expected arrays by name, got {type(arrays).__name__}")
    if METADATA in arrays:
        raise ValueError(f"[save_safetensors] expected names other than {METADATA!r}, got it: use metadata")
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(
        isinstance(text, str) for item in metadata.items() for text in item
    ):
        raise TypeError("[save_safetensors] expected metadata of texts by name, got others: use str")


def write(out, arrays: dict[str, _core.array], metadata: dict[str, str] | None) -> None:
    """Writes arrays by name, those of wide elements first, which aligns every array to its elements."""
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.size)
    offsets, at = {}, 0
    for name in order:
        offsets[name] = [at, at + arrays[name].nbytes]
        at += arrays[name].nbytes
    header: dict[str, Any] = {METADATA: metadata} if metadata else {}
    for name, arr in arrays.items():
        header[name] = {"dtype": CODES[arr.dtype], "shape": list(arr.shape), "data_offsets": offsets[name]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % ALIGNMENT)
    out.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        out.write(elements.content(arrays[name]))


def read(source) -> tuple[dict[str, _core.array], dict[str, str]]:
    """Reads all arrays, and the metadata."""
    length = int.from_bytes(take(source, 8, "a header's length"), "little")
    if length > HEADER:
        raise ValueError(f"[load] expected a safetensors header of at most {HEADER} bytes, got {length}")
    entries, metadata = parsed(take(source, length, "a safetensors header"))
    end = check(entries)
    with mapped(source, end) as content:
        if source.read(1):
            raise ValueError(f"[load] expected {end} bytes of elements, got more")
        return built(entries, content), metadata


def built(entries: dict[str, Any], content: memoryview) -> dict[str, _core.array]:
    """The arrays, each a copy of its part."""
    arrays = {}
    for name, entry in entries.items():
        start, end = entry["data_offsets"]
        with content[start:end] as part:
            arrays[name] = elements.build(part, entry["shape"], DTYPES[entry["dtype"]])
    return arrays


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no key may come twice."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ValueError(f"two values of {name[:200]!r}")
        made[name] = value
    return made


def parsed(header: bytearray) -> tuple[dict[str, Any], dict[str, str]]:
    """The entries by name, and the metadata."""
    try:
        found = json.loads(header.decode("utf-8"), object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"[load] expected a safetensors header of JSON, got: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"[load] expected a safetensors header of entries, got {str(found)[:200]}")
    # MLX writes null where there is none.
    metadata = found.pop(METADATA, None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError(f"[load] expected metadata of texts by name, got {str(metadata)[:200]}")
    return found, metadata


def check(entries: dict[str, Any]) -> int:
    """Refuses entries that are not right in themselves or leave gaps; how many bytes they take."""
    for name, entry in entries.items():
        name = name[:200]
        if not isinstance(entry, dict) or entry.keys() != KEYS:
            raise ValueError(f"[load] expected {sorted(KEYS)} for {name!r}, got {str(entry)[:200]}")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            got = str(dtype)[:200]
            raise ValueError(f"[load] expected a dtype of {', '.join(DTYPES)} for {name!r}, got {got}")
        if not isinstance(shape, list):
            raise ValueError(f"[load] expected a list of sizes for {name!r}, got {str(shape)[:200]}")
        elements.check_shape(shape, repr(name))
        pair = isinstance(offsets, list) and len(offsets) == 2
        if not pair or not all(type(offset) is int and offset >= 0 for offset in offsets):
            raise ValueError(f"[load] expected two offsets for {name!r}, got {str(offsets)[:200]}")
        size = elements.length(shape, DTYPES[dtype])
        if offsets[1] - offsets[0] != size:
            text = f"{size} bytes of {dtype}{shape} for {name!r}, got offsets {offsets}"
            raise ValueError(f"[load] expected {text[:300]}")
    at = 0
    for start, end in sorted(entry["data_offsets"] for entry in entries.values()):
        if start != at:
            text = "elements overlap" if start < at else "bytes between elements"
            raise ValueError(f"[load] expected elements from byte {at}, got {start}: {text}")
        at = end
    return at
