"""Which element types every array parameter of every public function takes: stated here, asked in a test.

What no row names takes every type. Integers and booleans are lifted to what a function computes in, and
`complex64` is taken wherever a complex number has a meaning.
"""

import pullback as pb
from bad_input import GOOD, POSITIONS, X, functions, kind, parameters, right
from samples import DTYPES, INTEGERS

FLOATS = ["float16", "bfloat16", "float32", "float64"]
FAMILIES = {
    # A complex number has no sign and no whole part, and is no place and no probability.
    "real": DTYPES[:-1],
    "number": DTYPES[1:],
    "float": FLOATS,
    "short float": FLOATS[:3],
    # Factorizations are made in three types; half floats would have to be cast, and are not.
    "precise": ["bool_", *INTEGERS, "float32", "float64", "complex64"],
    # Positions, counts and labels.
    "integer": INTEGERS,
    "bits": ["bool_", *INTEGERS],
    # Beside `int32`: with `uint64` it meets in `float32`, which has no bits to speak of.
    "bits beside int32": [dtype for dtype in ["bool_", *INTEGERS] if dtype != "uint64"],
    "mask": DTYPES[:-2],
    "float32": ["float32"],
    "uint32": ["uint32"],
    "uint8": ["uint8"],
}
PARTED = ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "bitwise_left_shift"]
PARTED += ["bitwise_right_shift"]
RANDOM = ["bernoulli", "bits", "categorical", "gumbel", "laplace", "multivariate_normal", "normal"]
RANDOM += ["permutation", "randint", "split", "truncated_normal", "uniform"]
ROWS = {
    "real": """
        arctan2 a, arctan2 b, atan2 a, atan2 b, ceil a, divmod a, divmod b, erf a, erfinv a, floor a,
        floor_divide a, floor_divide b, gather_qmm x, gelu a, interp x, interp xp, interp left,
        interp right, put_along_axis values, quantized_matmul x, remainder a, remainder b,
        slice_update update, trunc a, histogram a, histogram bins, unique fill_value,
        random.bernoulli p, random.categorical logits, random.laplace loc, random.laplace scale,
        random.multivariate_normal mean, random.multivariate_normal cov, random.normal loc,
        random.normal scale, random.randint low, random.randint high, random.truncated_normal lower,
        random.truncated_normal upper, random.uniform low, random.uniform high,
        fast.gated_delta_update q, fast.gated_delta_update k, fast.gated_delta_update v,
        fast.gated_delta_update gamma, fast.gated_delta_update beta,
        fast.gated_delta_update initial_state, fast.layer_norm x, fast.layer_norm weight,
        fast.layer_norm bias, fast.rms_norm x, fast.rms_norm weight, fast.rope scale,
        fast.scaled_dot_product_attention q, fast.scaled_dot_product_attention k,
        fast.scaled_dot_product_attention v, fast.scaled_dot_product_attention scale,
        fft.istft window, fft.stft window
    """,
    "number": "negative a",
    "float": "quantize w, to_fp8 x, fast.cross_entropy logits, fast.rope a",
    "short float": "gather_qqmm x, gather_qqmm w, qqmm x, qqmm w",
    "precise": """
        linalg.cholesky a, linalg.cholesky_inv a, linalg.cond x, linalg.eig a, linalg.eigh a,
        linalg.eigvals a, linalg.eigvalsh a, linalg.inv a, linalg.lu a, linalg.lu_factor a,
        linalg.matrix_rank x, linalg.pinv a, linalg.qr a, linalg.svd a, linalg.svdvals x,
        linalg.tri_inv a
    """,
    "integer": """
        gather_mm lhs_indices, gather_mm rhs_indices, gather_qmm lhs_indices, gather_qmm rhs_indices,
        gather_qqmm lhs_indices, gather_qqmm rhs_indices, put_along_axis indices, segmented_mm segments,
        slice start_indices, slice_update start_indices, take indices, take_along_axis indices, bincount x,
        fast.cross_entropy targets
    """,
    "bits": "bitwise_invert a",
    "bits beside int32": ", ".join(f"{name} {key}" for name in PARTED for key in "ab"),
    "mask": "fast.scaled_dot_product_attention mask, fast.scaled_dot_product_attention sinks",
    "float32": """
        dequantize scales, dequantize biases, gather_qmm scales, gather_qmm biases, quantized_matmul scales,
        quantized_matmul biases
    """,
    "uint32": "dequantize w, gather_qmm w, quantized_matmul w, "
    + ", ".join(f"random.{name} key" for name in RANDOM),
    "uint8": "from_fp8 x",
}
TAKEN = {cell.strip(): FAMILIES[family] for family, cells in ROWS.items() for cell in cells.split(",")}

GATHERED = ["gather_mm", "gather_qmm", "gather_qqmm"]
# What is given where there is a default.
ONE = pb.array(1.0)
OPTIONAL = {
    "bincount weights": pb.ones(3),
    "block_masked_mm mask_out": pb.ones((1, 1)),
    "block_masked_mm mask_lhs": pb.ones((1, 1)),
    "block_masked_mm mask_rhs": pb.ones((1, 1)),
    "clip a_min": ONE,
    "clip a_max": ONE,
    "fast.gated_delta_update initial_state": pb.ones((1, 1, 32, 32)),
    "fast.gated_delta_update mask": pb.ones((1, 2), pb.bool_),
    "fast.layer_norm weight": pb.ones(4),
    "fast.layer_norm bias": pb.ones(4),
    "fast.scaled_dot_product_attention mask": pb.ones((2, 2)),
    "fast.scaled_dot_product_attention sinks": pb.ones(1),
    "fft.istft window": pb.ones(4),
    "fft.stft window": pb.ones(4),
    **{f"{name} {side}_indices": POSITIONS for name in GATHERED for side in ("lhs", "rhs")},
    "histogram bins": pb.arange(3.0),
    "histogram weights": X,
    "interp left": ONE,
    "interp right": ONE,
    "pad constant_values": ONE,
    "random.bernoulli p": ONE,
    "random.laplace loc": ONE,
    "random.laplace scale": ONE,
    "random.normal loc": ONE,
    "random.normal scale": ONE,
    "random.uniform low": ONE,
    "random.uniform high": ONE,
    "unique fill_value": ONE,
}
# No arrays, for all that their names say, or arguments that others have to go with: `test_quantize.py`,
# `test_quantized_products.py`, `test_blocks.py` and `test_fast.py` have them.
APART = {
    *("addmm beta", "digitize right", "hadamard_transform scale", "fast.rope freqs"),
    *(f"linalg.{name} upper" for name in ("cholesky", "cholesky_inv", "solve_triangular", "tri_inv")),
    *(f"{name} global_scale" for name in ("dequantize", "gather_qmm", "quantize")),
    *(f"{name} {key}" for name in ("qqmm", "gather_qqmm") for key in ("global_scale_x", "global_scale_w")),
    *("qqmm scales", "gather_qqmm scales", "linalg.pinv rtol", "linalg.matrix_rank rtol"),
}
# Results that are those of the type: its bits, its range, its sign, or vectors of which many will do.
OTHER_ELEMENTS = {
    *("view a", "array.view self", "bitwise_invert a", "negative a", "diff a"),
    # What is written is of the type of the array; the spectrum of complex numbers has both halves.
    *("full_like a", "put_along_axis a", "slice_update a", "fft.stft x"),
    *("linalg.eig a", "linalg.eigh a", "linalg.svd a", "linalg.eigvals a", "linalg.pinv a", "linalg.qr a"),
}


def cells():
    """What is right for every array parameter, by function and parameter."""
    found = {}
    for name, fun in functions().items():
        given = right(name, fun)
        for p in parameters(fun):
            sort = "array" if p.name == "self" else kind(name, p.name)
            if sort in ("array", "arrays", "mask", "key") and f"{name} {p.name}" not in APART:
                base = OPTIONAL.get(f"{name} {p.name}", given.get(p.name))
                found[name, p.name] = GOOD["key" if sort == "key" else "array"] if base is None else base
    return found


CELLS = cells()


def taken(name, key):
    """The types that a parameter takes."""
    return TAKEN.get(f"{name} {key}", DTYPES)
