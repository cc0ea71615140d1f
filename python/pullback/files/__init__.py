"""Arrays in files: NumPy's `.npy` and `.npz`, `.safetensors` and `.gguf`.

`elements` is what the formats share, `npy`, `npz`, `safetensors` and `gguf` are the formats, `blocks` the
quantised tensors of the last, `opened` the files.
NumPy is not needed, nothing in a file is executed, and memory is taken only for bytes that are there. A
format is imported when it is asked for: archives and JSON take as long as much of the package.
"""

import contextlib
import os
from typing import IO, Any

from pullback import _core
from pullback.files.opened import reading, writing

File = str | os.PathLike[str] | IO[bytes]
FORMATS = ("npy", "npz", "safetensors", "gguf")
WITH_METADATA = ("safetensors", "gguf")

__all__ = ["load", "save", "save_gguf", "save_safetensors", "savez", "savez_compressed"]


def save(file: File, arr: _core.array) -> None:
    """Writes an array to a file in NumPy's `.npy` format.

    `file` is a path, to which `.npy` is added if it does not end so, or a binary file to write to. `bfloat16`
    is written as MLX has it, as elements of two bytes that NumPy shows as `V2`.

    >>> import io
    >>> file = io.BytesIO()
    >>> pb.save(file, pb.arange(3))
    >>> pb.load(io.BytesIO(file.getvalue()), format="npy")
    array([0, 1, 2], dtype=int32)
    """
    from pullback.files import npy

    _arrays("save", [arr])
    with writing(file, ".npy", "save") as out:
        npy.write(out, arr)


def savez(file: File, *args: _core.array, **kwargs: _core.array) -> None:
    """Writes several arrays to a file in NumPy's uncompressed `.npz` format.

    `file` is as for `save`, with `.npz`. Arrays without a name are called `arr_0`, `arr_1`, ..., the others
    by their keywords.

    >>> import io
    >>> file = io.BytesIO()
    >>> pb.savez(file, pb.ones(2), bias=pb.array(0.5))
    >>> pb.load(io.BytesIO(file.getvalue()), format="npz")
    {'arr_0': array([1., 1.], dtype=float32), 'bias': array(0.5, dtype=float32)}
    """
    _savez("savez", file, args, kwargs, compressed=False)


def savez_compressed(file: File, *args: _core.array, **kwargs: _core.array) -> None:
    """As `savez`, with the arrays compressed.

    >>> import io
    >>> file = io.BytesIO()
    >>> pb.savez_compressed(file, x=pb.zeros(10_000))
    >>> len(file.getvalue()) < 1000
    True
    """
    _savez("savez_compressed", file, args, kwargs, compressed=True)


def save_safetensors(
    file: File, arrays: dict[str, _core.array], metadata: dict[str, str] | None = None
) -> None:
    """Writes named arrays to a file in the `.safetensors` format.

    `file` is a path, to which `.safetensors` is added if it does not end so, or a binary file to write to;
    `metadata` are texts by name.

    >>> import io
    >>> file = io.BytesIO()
    >>> pb.save_safetensors(file, {"w": pb.ones(2)}, {"format": "mlx"})
    >>> pb.load(io.BytesIO(file.getvalue()), format="safetensors", return_metadata=True)
    ({'w': array([1., 1.], dtype=float32)}, {'format': 'mlx'})
    """
    from pullback.files import safetensors

    safetensors.check_names(arrays, metadata)
    _arrays("save_safetensors", list(arrays.values()))
    with writing(file, ".safetensors", "save_safetensors") as out:
        safetensors.write(out, arrays, metadata)


def save_gguf(file: File, arrays: dict[str, _core.array], metadata: dict[str, Any] | None = None) -> None:
    """Writes named arrays to a file in the `.gguf` format of ggml.

    `file` is a path, to which `.gguf` is added if it does not end so, or a binary file to write to. Arrays
    are of a float type or of signed integers, with at most four axes; `metadata` are, by name, texts, lists
    of texts, and arrays of numbers of at most one axis.

    >>> import io
    >>> file = io.BytesIO()
    >>> pb.save_gguf(file, {"w": pb.ones(2)}, {"general.name": "one", "one.layers": pb.array(1)})
    >>> pb.load(io.BytesIO(file.getvalue()), format="gguf", return_metadata=True)
    ({'w': array([1., 1.], dtype=float32)}, {'general.name': 'one', 'one.layers': array(1, dtype=int32)})
    """
    from pullback.files import gguf

    metadata = {} if metadata is None else metadata
    gguf.check(arrays, metadata)
    _arrays("save_gguf", [*arrays.values(), *(x for x in metadata.values() if isinstance(x, _core.array))])
    with writing(file, ".gguf", "save_gguf") as out:
        gguf.write(out, arrays, metadata)


def load(
    file: File,
    /,
    format: str | None = None,
    return_metadata: bool = False,
    *,
    stream: _core.Device | _core.Stream | str | None = None,
) -> Any:
    """Reads the arrays in a file of one of the formats in which `save` and its like, NumPy and MLX write.

    `file` is a path or a binary file to read from, `format` one of `"npy"`, `"npz"`, `"safetensors"` and
    `"gguf"`; without it, the file's name says. The result is an array for `.npy` and a dictionary for the
    others; with `return_metadata`, for `.safetensors` and `.gguf`, a pair of the dictionary and the file's
    metadata.

    Of `.gguf`, tensors of the types Q4_0, Q4_1 and Q8_0 are three arrays, as `pb.quantize` makes them:
    `x.weight`, with `x.scales` and `x.biases` of groups of 32. Those of the types Q5_0, Q5_1, Q2_K, Q4_K,
    Q5_K and Q6_K become `float16`.

    A file that is not what it claims to be is a `ValueError`, one that cannot be read an `OSError`. Python
    objects in files of NumPy are refused.
    """
    name = file if isinstance(file, str | os.PathLike) else getattr(file, "name", None)
    if format is None and isinstance(name, str | os.PathLike):
        format = os.path.splitext(os.fspath(name))[1].removeprefix(".")
    if format not in FORMATS:
        raise ValueError(
            f"[load] expected a file named .npy, .npz, .safetensors or .gguf, or format=, got {format!r}"
        )
    if return_metadata and format not in WITH_METADATA:
        raise ValueError(
            f"[load] expected format 'safetensors' or 'gguf' with return_metadata, got {format!r}"
        )
    from pullback.files import gguf, npy, npz, safetensors

    with reading(file) as source, contextlib.nullcontext() if stream is None else _core.stream(stream):
        if format == "npy":
            return npy.read(source)
        if format == "npz":
            return npz.read(source)
        arrays, metadata = (safetensors if format == "safetensors" else gguf).read(source)
    return (arrays, metadata) if return_metadata else arrays


def _savez(op: str, file: File, args: tuple, kwargs: dict, *, compressed: bool) -> None:
    named = {f"arr_{i}": arr for i, arr in enumerate(args)}
    if twice := named.keys() & kwargs.keys():
        raise ValueError(f"[{op}] expected keywords that are not names of other arrays, got {min(twice)}")
    named |= kwargs
    from pullback.files import npz

    _arrays(op, list(named.values()))
    with writing(file, ".npz", op) as out:
        npz.write(out, named, compressed=compressed)


def _arrays(op: str, arrays: list[Any]) -> None:
    """Computes them before a file is opened: one that is there already survives an error."""
    for arr in arrays:
        if not isinstance(arr, _core.array):
            raise TypeError(f"[{op}] expected arrays, got {type(arr).__name__}: use pb.array")
    _core.eval(arrays)
