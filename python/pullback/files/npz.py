"""NumPy's `.npz`: a zip archive of `.npy` files."""

import zipfile
import zlib

from pullback import _core
from pullback.files import npy

# An archive that claims to hold more bytes than this, and this many for each of its own, is refused: it is
# made to fill the memory of who opens it. Deflate makes at most 1032 of one.
BOMB_BYTES = 1 << 32
BOMB_RATIO = 100
DEFLATE_RATIO = 1032

# What `zipfile` raises for a broken archive; it promises none of it but the first.
BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, LookupError, ArithmeticError, TypeError)


def write(out, arrays: dict[str, _core.array], *, compressed: bool) -> None:
    """Writes arrays by name; equal arrays make equal files, whatever the time."""
    with zipfile.ZipFile(out, "w") as archive:
        for name, arr in arrays.items():
            member = zipfile.ZipInfo(name + ".npy")
            member.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            # The size is not known when the member is opened, and may be above that of the old format.
            with archive.open(member, "w", force_zip64=True) as file:
                npy.write(file, arr)


def read(source) -> dict[str, _core.array]:
    """Reads all arrays."""
    try:
        with zipfile.ZipFile(source) as archive:
            check(archive.infolist())
            return {name(member): content(archive, member) for member in archive.infolist()}
    except BROKEN as error:
        raise ValueError(f"[load] expected a zip archive of .npy files, got: {error}") from error


def name(member: zipfile.ZipInfo) -> str:
    """What the array is called."""
    return member.filename.removesuffix(".npy")


def check(members: list[zipfile.ZipInfo]) -> None:
    """Refuses what is no archive of arrays, and sizes that are lies or attacks, before anything is read."""
    names = set()
    for member in members:
        if not member.filename.endswith(".npy"):
            raise ValueError(f"[load] expected .npy files in an .npz archive, got {member.filename[:200]!r}")
        if name(member) in names:
            raise ValueError(
                f"[load] expected distinct names in an .npz archive, got two of {name(member)!r}"
            )
        names.add(name(member))
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("[load] expected members that are stored or deflated, got one that is neither")
        if member.file_size > DEFLATE_RATIO * max(member.compress_size, 1):
            text = f"{member.file_size} bytes of {member.compress_size}"
            raise ValueError(f"[load] expected sizes that compression can reach, got {text}")
    total, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    if total > BOMB_BYTES and total > BOMB_RATIO * packed:
        text = f"{total} bytes compressed to {packed}: save such arrays uncompressed"
        raise ValueError(f"[load] expected an archive of at most {BOMB_RATIO} times its size, got {text}")


def content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _core.array:
    """The array in a member, which has to fill it."""
    with archive.open(member) as file:
        arr = npy.read(file)
        # The checksum is verified at the end of the member.
        if file.read(1):
            raise ValueError(
                f"[load] expected one array in {member.filename[:200]!r}, got more bytes behind it"
            )
    return arr
