"""The whole table: rows by name, other names of the same function, methods, and names that have no row."""

import calls_elements
import calls_products
import calls_shapes
import numpy as np
import pullback as pb
from calls import A, Apart, Row
from calls_modules import FAST, FFT, LINALG, RANDOM
from names import ELSEWHERE, NAMES

# Names of one function: the first is asked through the row of the second.
SAME = {
    **{f"a{name}": f"arc{name}" for name in ("cos", "cosh", "sin", "sinh", "tan", "tanh")},
    "atan2": "arctan2",
    "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
    "concat": "concatenate",
    "conj": "conjugate",
    "cumulative_prod": "cumprod",
    "cumulative_sum": "cumsum",
    "permute_dims": "transpose",
    "pow": "power",
}
FILES = "it reads or writes files; `tests/api/test_array_files.py`, `test_gguf.py`"
EXPORTS = "it exports programs; `tests/api/test_export.py`"
DEVICES = "it is about devices and streams; `tests/test_devices.py`, `tests/api/test_streams.py`"
MEMORY = "it is about memory; `tests/test_memory.py`"
DTYPES = "it is about types; `tests/api/test_dtype_families.py`"
TRANSFORMS = "it takes functions; `tests/test_transforms.py` and `tests/rules`"
PRINTS = "it is about text; `tests/api/test_print_options.py`"
QUANTIZED = "both sides are quantized; `tests/api/test_quantized_products.py`"
SHAPES = "it is about shapes, not elements"
APART = {
    FILES: ("load", "save", "save_gguf", "save_safetensors", "savez", "savez_compressed"),
    EXPORTS: ("FunctionExporter", "export_function", "export_to_dot", "exporter", "import_function"),
    DEVICES: (
        *("Device", "DeviceType", "Stream", "StreamContext", "ThreadLocalStream", "clear_streams"),
        *("default_device", "default_stream", "device_count", "device_info", "is_available", "new_stream"),
        *("new_thread_local_stream", "new_thread_unsafe_stream", "set_default_device", "set_default_stream"),
        *("stream", "synchronize", "async_eval", "eval"),
    ),
    MEMORY: (
        *("clear_cache", "get_active_memory", "get_array_buffer_size", "get_cache_memory"),
        *("get_memory_limit", "get_peak_memory", "reset_peak_memory", "set_cache_limit", "set_memory_limit"),
    ),
    DTYPES: ("Dtype", "DtypeCategory", "can_cast", "finfo", "iinfo", "isdtype", "issubdtype", "result_type"),
    TRANSFORMS: (
        *("checkpoint", "compile", "custom_function", "disable_compile", "enable_compile", "grad", "jvp"),
        *("value_and_grad", "vjp", "vmap"),
    ),
    PRINTS: ("PrintOptions", "get_printoptions", "printoptions", "set_printoptions"),
    QUANTIZED: ("qqmm", "gather_qqmm"),
    SHAPES: ("broadcast_shapes", "einsum_path"),
    "what `array.at` gives; its row is there": ("ArrayAt",),
    "it makes arrays; `tests/test_arrays.py`, `tests/test_interop.py`": ("array", "asarray", "from_dlpack"),
}
X = A((2, 3))


def plus_one(x):
    y = x.copy()
    y[:, 1] += np.ones((), x.dtype)
    return y


def prop(name, want, **rest):
    return Row((X,), want, call=lambda fun, x: getattr(x, name), dtypes="all", **rest)


BY_ELEMENTS = "it takes elements out of arrays"
ARRAY = {
    "T": prop("T", np.transpose, shapes=(((0, 3),), ((),))),
    "mT": prop("mT", np.matrix_transpose, shapes=(((0, 3),),)),
    "real": prop("real", np.real, shapes=(((0, 3),), ((),))),
    "imag": prop("imag", np.imag, shapes=(((0, 3),), ((),)), diff="of real numbers it is zero"),
    "at": Row((X,), plus_one, dtypes="number", call=lambda fun, x: x.at[:, 1].add(1), shapes=(((0, 3),),)),
    "item": Row((A(()),), lambda x: x.item(), BY_ELEMENTS, BY_ELEMENTS, "all", compile=BY_ELEMENTS),
    "tolist": Row(
        (X,),
        lambda x: x.tolist(),
        BY_ELEMENTS,
        BY_ELEMENTS,
        "all",
        compile=BY_ELEMENTS,
        shapes=(((0, 3),), ((),)),
    ),
}
ATTRIBUTES = ("dtype", "itemsize", "nbytes", "ndim", "shape", "size")


def top():
    rows = calls_elements.ROWS | calls_shapes.ROWS | calls_products.ROWS
    rows |= {name: Apart(why) for why, names in APART.items() for name in names}
    return rows | {name: rows[same] for name, same in SAME.items()}


def methods(rows):
    """Methods are asked by the rows of the functions of their names."""
    rows = {name: rows[name] for name in NAMES["array"] if name in rows} | ARRAY
    return rows | {name: Apart("an attribute, no array; `tests/test_arrays.py`") for name in ATTRIBUTES}


def table():
    """Rows by module and name."""
    rows = top()
    return {
        "": rows,
        "array": methods(rows),
        "linalg": LINALG,
        "fft": FFT,
        "random": RANDOM,
        "fast": FAST,
    }


def callables(module):
    """Names of a module of MLX that a row is expected of."""
    room = getattr(pb, module) if module else pb
    kept = [name for name in NAMES[module] if name not in ELSEWHERE]
    return [name for name in kept if module == "array" or callable(getattr(room, name))]


TABLE = table()
