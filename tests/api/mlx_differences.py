"""Where answers differ from those of MLX: by the name of a call and the type of its operands, and why.

A difference that is gone fails its test, so that no entry outlives what it tells of. What MLX refuses is not
compared, and not listed.
"""

NARROW = ["bool_", "int8", "int16", "uint8", "uint16"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
INTEGERS = ["int8", "int16", "int32", "int64", *UNSIGNED]
HALVES = ["float16", "bfloat16"]

# Complex numbers are sorted and compared, but not floored, nor chosen from as they come: the operations that
# say so.
REFUSED = [
    "isneginf",
    "isposinf",
    "floor_divide",
    "median",
    "cummax",
    "cummin",
    "logcumsumexp",
    "searchsorted",
]
REFUSED += ["unique", "scatter_max"]

_TABLE = [
    (["softmax", "softmax of ()", "softmax of none"], ["bool_", *INTEGERS], "MLX rounds it to integers"),
    (["logsumexp"], ["bool_", *UNSIGNED], "MLX takes the largest off before it lifts, and wraps around"),
    (["sum of ()", "prod of ()"], NARROW, "MLX lifts narrow integers of arrays with axes alone"),
    (["to_fp8", "to_fp8 of ()"], ["float64"], "MLX reads the bytes as those of another type"),
    (["einsum"], NARROW, "sums are of the type of the operands, as with NumPy"),
    (["segmented_mm"], HALVES, "MLX's products of half floats are wrong"),
    (["hadamard_transform", "norm"], ["complex64"], "MLX drops imaginary parts, or keeps those of a size"),
    (["slogdet"], HALVES, "no factorization takes half floats, here or in MLX, whose determinants do"),
    (["cross"], ["bool_"], "differences of booleans are integers"),
    (["fast.cross_entropy"], [*HALVES, "float64"], "MLX computes in half floats, and answers in float32"),
    (["fast.gated_delta_update"], HALVES, "MLX keeps its state in half floats"),
    (["fast.gated_delta_update"], ["bool_", *INTEGERS], "gates are no integers"),
]

DIFFERENCES = {(name, dtype): why for names, dtypes, why in _TABLE for name in names for dtype in dtypes}

# Of gradients, by the name of the call.
GRADIENTS = {
    "divmod": "MLX's is zero in the remainder, whose own it has right",
    "full": "MLX gives the elements of another array",
    "full_like": "MLX gives the elements of another array",
    "conv_general": "MLX's is not of the shape of the input",
}
# Of fp4, MLX drops the sign of what is rounded to zero on the CPU, and takes the first of two that are as
# near; here the sign stays, and the even one is taken.
