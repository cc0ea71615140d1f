"""NumPy's `.npy`: a magic word, a version, the length of a header, the header, the elements.

The header is a dictionary as Python would print it. It is read by a grammar of its three values, and nothing
in it is evaluated.
"""

import re
import sys
from array import array as words

from pullback import _core
from pullback.files import elements
from pullback.files.opened import take

MAGIC = b"\x93NUMPY"
# The length of a header takes two bytes in the first version and four in the later ones.
WIDTHS = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
# As in NumPy, which reads no longer one unasked.
HEADER = 10_000
# Elements start at a multiple of it.
ALIGNMENT = 64

LETTERS = {
    "generic": "b",
    "unsignedinteger": "u",
    "signedinteger": "i",
    "floating": "f",
    "complexfloating": "c",
}
# MLX writes the bits of bfloat16, as does NumPy with the types of ml_dtypes.
CODES = elements.codes(LETTERS, 1) | {_core.bfloat16: "V2"}
DTYPES = {code: dtype for dtype, code in CODES.items()}
ITEM = re.compile(r"""\s*(['"])(\w+)\1\s*:\s*(True|False|\([\dL,\s]*\)|'[^']*'|"[^"]*"|\[.*\])\s*(,\s*|$)""")
KEYS = {"descr", "fortran_order", "shape"}


def write(out, arr: _core.array) -> None:
    """Writes an array, row-major; the same bytes as NumPy's, where NumPy has the type."""
    order = "<" if arr.dtype.size > 1 else "|"
    header = f"{{'descr': '{order}{CODES[arr.dtype]}', 'fortran_order': False, 'shape': {arr.shape}, }}"
    before = len(MAGIC) + 4
    # NumPy leaves room for the first size to grow, up to 21 digits.
    header += " " * (21 - len(str(arr.shape[0])) if arr.ndim else 0)
    header += " " * (-(before + len(header) + 1) % ALIGNMENT) + "\n"
    out.write(MAGIC + b"\x01\x00" + len(header).to_bytes(2, "little") + header.encode("ascii"))
    out.write(elements.content(arr))


def read(source) -> _core.array:
    """Reads an array; the file then stands behind it."""
    start = bytes(take(source, len(MAGIC) + 2, "an .npy file's magic word"))
    if not start.startswith(MAGIC) or start[len(MAGIC) :] not in WIDTHS:
        raise ValueError(f"[load] expected an .npy file of version 1, 2 or 3, got one that starts {start!r}")
    width = WIDTHS[start[len(MAGIC) :]]
    length = int.from_bytes(take(source, width, "a header's length"), "little")
    if length > HEADER:
        raise ValueError(f"[load] expected an .npy header of at most {HEADER} bytes, got {length}")
    order, dtype, columns, shape = parsed(take(source, length, "an .npy header").decode("latin1"))
    content = take(source, elements.length(shape, dtype), f"elements {dtype.name}{list(shape)}")
    if order == ">" or (order == "=" and sys.byteorder == "big"):
        content = swapped(content, dtype)
    if not columns:
        return elements.build(content, shape, dtype)
    return elements.build(content, shape[::-1], dtype).T


def parsed(header: str) -> tuple[str, _core.Dtype, bool, tuple[int, ...]]:
    """Byte order, type, whether the first axis is the fastest, and the shape."""
    found: dict[str, str] = {}
    whole = re.fullmatch(r"\{(.*)\}\s*", header, re.DOTALL)
    rest = whole[1].strip() if whole else header
    while (item := ITEM.match(rest)) and item[2] not in found:
        found[item[2]] = item[3]
        rest = rest[item.end() :]
    if whole is None or rest or found.keys() != KEYS or found["fortran_order"] not in ("True", "False"):
        raise ValueError(f"[load] expected an .npy header with {sorted(KEYS)}, got {header[:200]!r}")
    descr, shape = found["descr"], found["shape"]
    code = re.fullmatch(r"""['"]([<>=|]?)(\w+)['"]""", descr)
    if code is None or code[2] not in DTYPES:
        fix = ": Python objects are never loaded" if "O" in descr else ""
        raise ValueError(f"[load] expected a dtype of {', '.join(DTYPES)}, got {descr[:200]}{fix}")
    sizes = re.fullmatch(r"\(((?:\d{1,20}L?,)*)(\d{1,20}L?)?\)", re.sub(r"\s", "", shape))
    # A number in brackets without a comma is a number.
    if sizes is None or (sizes[2] and not sizes[1]):
        raise ValueError(f"[load] expected a shape in an .npy header, got {shape[:200]}")
    shape = tuple(int(size) for size in re.findall(r"\d+", shape))
    elements.check_shape(shape, "an .npy file")
    return code[1], DTYPES[code[2]], found["fortran_order"] == "True", shape


def swapped(content: bytearray, dtype: _core.Dtype) -> bytes:
    """The bytes of each number in the other order; a complex one is two."""
    size = dtype.size // 2 if dtype == _core.complex64 else dtype.size
    numbers = words({1: "B", 2: "H", 4: "I", 8: "Q"}[size], bytes(content))
    numbers.byteswap()
    return numbers.tobytes()
