"""What every public function is given wrongly.

Parameters have kinds, and each kind has what it does not take; a row is needed only where a call with small
square matrices does not do.
"""

import inspect
import math

import pullback as pb

ROOMS = {"": pb, "linalg": pb.linalg, "fft": pb.fft, "random": pb.random, "fast": pb.fast, "array": pb.array}

# They take nothing, or functions, trees, files, devices, limits and names: their own tests give them what
# they do not take.
NAMES = """
array.eval array.item array.reshape array.to_device array.tolist asarray associative_scan
async_eval broadcast_shapes
can_cast checkpoint checkpoint_name clear_cache clear_streams closure_convert compile cond
custom_linear_solve custom_root default_device default_stream depends device_count device_info
disable_compile einsum einsum_path enable_compile eval explain export_function export_to_dot
exporter fast.wgsl_kernel fori_loop from_dlpack get_active_memory get_array_buffer_size
get_cache_memory get_memory_limit get_peak_memory get_printoptions grad hessian import_function
info io_callback is_available isdtype issubdtype jacfwd jacobian jacrev jvp linear_transpose
linearize load new_stream new_thread_local_stream new_thread_unsafe_stream once_differentiable
printoptions pure_callback random.seed register_module register_tree_node register_tree_node_class
remat reset_peak_memory result_type save save_gguf save_safetensors savez savez_compressed scan
sequential_vmap set_cache_limit set_default_device set_default_stream set_memory_limit
set_printoptions stop_gradient stream switch synchronize table value_and_grad vjp vjp_fun vmap
while_loop
"""
ELSEWHERE = set(NAMES.split())

# The kind of a parameter, by its name.
KINDS = {
    "array": "a b c x y v w q input weight bias values indices sorted_sequence condition xp fp scales "
    "biases bins array logits low high lower upper mean cov loc scale targets gamma beta "
    "initial_state mask sinks freqs stft_matrix window mask_out mask_lhs mask_rhs lhs_indices "
    "rhs_indices segments global_scale global_scale_x global_scale_w update start_indices vals "
    "constant_values a_min a_max fill_value weights left right",
    "arrays": "arrays",
    "axis": "axis axis1 axis2 source destination start_axis end_axis",
    "axes": "axes",
    "shape": "shape s slice_size",
    "dtype": "dtype",
    "integer": "n m k num size length minlength offset decimals kth repeats groups block_size group_size "
    "bits M hop_length win_length n_fft num_samples seed dims",
    "number": "rtol atol ddof correction alpha nan posinf neginf d eps base",
    "flag": "keepdims reverse inclusive equal_nan precise sparse transpose full_matrices compute_uv "
    "center onesided flip allow_col_major sorted_indices traditional force_fused density "
    "return_index return_inverse return_counts endpoint",
    "word": "mode norm UPLO indexing side pad_mode",
    "integers": "stride padding dilation kernel_dilation input_dilation output_padding reps shift strides "
    "pad_width indices_or_sections",
    "scalar": "start stop step",
    "order": "ord p",
    "pair": "range",
    "key": "key",
    "stream": "stream device",
}
KIND = {name: kind for kind, names in KINDS.items() for name in names.split()}

X = pb.eye(4) + 1
# What a parameter without a default gets.
GOOD = {
    **{"array": X, "arrays": [X, X], "axis": 0, "axes": 0, "shape": (4, 4), "dtype": pb.float32},
    **{"integer": 1, "number": 1e-5, "flag": False, "integers": 1, "key": pb.random.key(0), "stream": pb.cpu},
}

EVEN, ROW_OF_8, POSITIONS = pb.ones((4, 4), pb.int32), pb.arange(8), pb.zeros((4, 4), pb.int32)
CODES, SCALES, WIDE = pb.zeros((4, 8), pb.uint32), pb.ones((4, 1)), pb.ones((4, 64))
BITS = {"a": EVEN, "b": EVEN}


def convolved(axes):
    return {"input": pb.ones((1, *[4] * axes, 2)), "weight": pb.ones((2, *[2] * axes, 2))}


def packed(**others):
    return {"x": WIDE, "w": CODES, "scales": SCALES, "biases": SCALES, "bits": 4, "group_size": 64, **others}


ROWS = {
    **dict.fromkeys(
        ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "bitwise_invert"], BITS
    ),
    **dict.fromkeys(["bitwise_left_shift", "bitwise_right_shift"], BITS),
    **{f"conv{n}d": convolved(n) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": convolved(n) for n in (1, 2, 3)},
    "conv_general": convolved(1),
    "convolve": {"a": ROW_OF_8, "v": ROW_OF_8},
    "arange": {"start": 3},
    "linspace": {"start": 0, "stop": 1},
    "dequantize": {"w": CODES, "scales": SCALES, "biases": SCALES, "bits": 4, "group_size": 64},
    "digitize": {"bins": ROW_OF_8},
    "from_fp8": {"x": pb.ones((4, 4), pb.uint8)},
    "gather_qmm": packed(),
    "gather_qqmm": {"x": pb.ones((4, 64)), "w": WIDE},
    "qqmm": {"x": WIDE, "w": WIDE},
    "quantize": {"w": WIDE},
    "quantized_matmul": packed(),
    "interp": {"xp": ROW_OF_8, "fp": ROW_OF_8},
    "put_along_axis": {"indices": POSITIONS, "axis": 0},
    "searchsorted": {"sorted_sequence": ROW_OF_8},
    "segmented_mm": {"segments": pb.zeros((1, 2), pb.int32)},
    "slice": {"start_indices": pb.array([0]), "axes": (0,), "slice_size": (2, 4)},
    "slice_update": {"start_indices": pb.array([0]), "axes": (0,)},
    "take": {"indices": POSITIONS},
    "take_along_axis": {"indices": POSITIONS, "axis": 0},
    "unflatten": {"shape": (2, 2)},
    "bincount": {"x": pb.arange(3)},
    "squeeze": {"a": pb.ones((1, 4)), "self": pb.ones((1, 4))},
    "linalg.cross": {"a": pb.ones((2, 3)), "b": pb.ones((2, 3))},
    "fft.fft2": {"s": (4, 4)},
    "fft.stft": {"x": ROW_OF_8, "n_fft": 4},
    "fft.istft": {"stft_matrix": pb.ones((3, 4), pb.complex64), "n_fft": 4},
    "random.categorical": {"shape": (4,)},
    "fast.cross_entropy": {"targets": pb.zeros(4, pb.int32)},
    "fast.layer_norm": {"weight": pb.ones(4), "bias": pb.ones(4)},
    "fast.rms_norm": {"weight": pb.ones(4)},
    "fast.rope": {"a": pb.ones((1, 1, 2, 4)), "dims": 4, "base": 100.0, "scale": 1.0, "offset": 0},
    "fast.scaled_dot_product_attention": dict.fromkeys("qkv", pb.ones((1, 1, 2, 4))) | {"scale": 1.0},
    "fast.gated_delta_update": dict.fromkeys("qkv", pb.ones((1, 2, 1, 32)))
    | dict.fromkeys(["gamma", "beta"], pb.ones((1, 2, 1))),
}

# Names that mean something else there.
OTHER_KINDS = {
    **dict.fromkeys(["fast.gated_delta_update k", "fast.scaled_dot_product_attention k"], "array"),
    **{"fast.scaled_dot_product_attention mask": "mask", "random.bernoulli p": "array"},
    **{"linalg.vector_norm ord": "number"},
}


def kind(name, key):
    """The kind of a parameter of a function; none if the table has none."""
    return OTHER_KINDS.get(f"{name} {key}", KIND.get(key))


FOREIGN = [("text", TypeError), (object(), TypeError), ({"a": 1}, TypeError)]
HUGE = (2**70, OverflowError)
NO_INTEGERS = [HUGE, (1.5, TypeError), (math.nan, TypeError), *FOREIGN]
AXIS = [(9, ValueError), (-9, ValueError), *NO_INTEGERS]
WRONG = {
    "array": FOREIGN,
    # A word may stand for one.
    "mask": [("text", ValueError), *FOREIGN[1:]],
    "arrays": [(3, TypeError), (["text"], TypeError), (object(), TypeError), ([], ValueError)],
    "axis": AXIS,
    "axes": [
        *AXIS,
        ((0, 0), ValueError),
        ((0, 9), ValueError),
        ((0, 1.5), TypeError),
        ((0, 2**70), OverflowError),
    ],
    "shape": [
        *(((2, -3), ValueError), ((2**40, 2**40), MemoryError), ((2, 1.5), TypeError), *NO_INTEGERS),
        ((2, 2**70), OverflowError),
    ],
    "dtype": [("float31", TypeError), (3, TypeError), (object, TypeError), (object(), TypeError)],
    "integer": NO_INTEGERS,
    "integers": NO_INTEGERS,
    "number": FOREIGN,
    "flag": [(2, TypeError), *FOREIGN],
    "scalar": FOREIGN,
    "order": [("nonsense", ValueError), (object(), TypeError), ({"a": 1}, TypeError)],
    "pair": [(3, TypeError), ((1, 2, 3), ValueError), (object(), TypeError)],
    "word": [("nonsense", ValueError), (3, TypeError), (object(), TypeError)],
    "key": [("text", TypeError), (pb.ones(2), TypeError), (pb.zeros((2, 2), pb.uint32), ValueError)],
    "stream": [("nowhere", TypeError), (1.5, TypeError), (object(), TypeError)],
}


def functions():
    """The public functions by their names with the room; an alias is the same function again."""
    found = {}
    for room, home in ROOMS.items():
        for name in pb.__all__ if home is pb else [name for name in dir(home) if name[0] != "_"]:
            fun = getattr(home, name)
            full = f"{room}.{name}".lstrip(".")
            if callable(fun) and not inspect.isclass(fun) and full not in ELSEWHERE:
                found[full] = fun
    return found


def parameters(fun):
    """What can be given, without `*args`."""
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in inspect.signature(fun).parameters.values() if p.kind not in loose]


def right(name, fun):
    """Arguments that are right, by their names."""
    row = ROWS.get(name, ROWS.get(name.removeprefix("array."), {}))
    given = {p.name: row[p.name] for p in parameters(fun) if p.name in row}
    for p in parameters(fun):
        if p.default is inspect.Parameter.empty and p.name not in given:
            given[p.name] = GOOD.get(kind(name, p.name), X)
    return given


def called(name, fun, **wrong):
    """A call that is right but for what is `wrong`."""
    given = right(name, fun) | wrong
    first = [given.pop(p.name) for p in parameters(fun) if p.kind is p.POSITIONAL_ONLY and p.name in given]
    return fun(*first, **given)
