"""Where answers differ from those of MLX: by the name of a call and the type of its operands, and why.

A difference that is gone fails its test, so that no entry outlives what it tells of. What MLX refuses and is
taken here is listed apart; there is nothing that only MLX takes but what is in the first table.
"""

NARROW = ["bool_", "int8", "int16", "uint8", "uint16"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
INTEGERS = ["int8", "int16", "int32", "int64", *UNSIGNED]
HALVES = ["float16", "bfloat16"]

_TABLE = [
    (["softmax", "softmax of ()", "softmax of none"], ["bool_", *INTEGERS], "MLX rounds it to integers"),
    (["logsumexp"], ["bool_", *UNSIGNED], "MLX takes the largest off before it lifts, and wraps around"),
    (["sum of ()", "prod of ()"], NARROW, "MLX lifts narrow integers of arrays with axes alone"),
    (["to_fp8", "to_fp8 of ()"], ["float64"], "MLX reads the bytes as those of another type"),
    (["einsum"], NARROW, "sums are of the type of the operands, as with NumPy"),
    (["segmented_mm"], HALVES, "MLX's products of half floats are wrong"),
    (["hadamard_transform", "norm"], ["complex64"], "MLX drops imaginary parts, or keeps those of a size"),
    (
        ["floor_divide"],
        ["complex64"],
        "MLX divides and floors nothing: 1+2j by 1+1j is 1.5+0.5j; NumPy refuses",
    ),
    (["cross"], ["bool_"], "differences of booleans are integers"),
    (["fast.cross_entropy"], [*HALVES, "float64"], "MLX computes in half floats, and answers in float32"),
    (["fast.gated_delta_update"], HALVES, "MLX keeps its state in half floats"),
    (["fast.gated_delta_update"], ["bool_", *INTEGERS], "gates are no integers"),
]

DIFFERENCES = {(name, dtype): why for names, dtypes, why in _TABLE for name in names for dtype in dtypes}

WHOLE = ["bool_", *INTEGERS]
_PRODUCTS = [
    "addmm",
    "block_masked_mm",
    "einsum",
    "gather_mm",
    "inner",
    "matmul",
    "segmented_mm",
    "tensordot",
]
_CONVOLUTIONS = ["conv1d", "conv2d", "conv3d", "conv_general"]
_FACTORED = ["cholesky", "cholesky_inv", "inv", "lu", "pinv", "qr", "solve", "solve_triangular", "tri_inv"]
_BEYOND = [
    (_PRODUCTS, WHOLE, "products of integers are integers, as in NumPy"),
    (["block_masked_mm", "gather_mm"], [*HALVES, "float64"], "MLX has them of float32 alone"),
    (["block_masked_mm", "gather_mm", "segmented_mm"], ["complex64"], "complex matrices have products"),
    ([*_CONVOLUTIONS, "convolve"], [*WHOLE, "complex64"], "as products, of any numbers, as in NumPy"),
    ([*_FACTORED, "eig", "eigh", "norm", "svd"], WHOLE, "integers are lifted to float32, as in NumPy"),
    ([*_FACTORED, "slogdet"], ["complex64"], "complex matrices have factors, as in NumPy"),
    (["expm1", "sigmoid", "nan_to_num"], ["complex64"], "they have a meaning, as the exponential has"),
    ([*_CONVOLUTIONS, "hadamard_transform", "nan_to_num"], ["float64"], "MLX has them of float32"),
    (["logsumexp of none"], [*WHOLE, "float32", *HALVES, "float64", "complex64"], "it is that of a sum of 0"),
]
# What is taken here and refused by MLX.
BEYOND = {(name, dtype): why for names, dtypes, why in _BEYOND for name in names for dtype in dtypes}

# Of gradients, by the name of the call.
GRADIENTS = {
    "divmod": "MLX's is zero in the remainder, whose own it has right",
    "full": "MLX gives the elements of another array",
    "full_like": "MLX gives the elements of another array",
    "conv_general": "MLX's is not of the shape of the input",
}
# Of complex numbers that are not finite, which no call here has: in MLX a NaN in a running maximum, or in one
# that is written to rows, gives way to a larger number: of 3-1j, 1+nanj, 9+1j the last is 9+1j. Here it stays
# NaN, as in NumPy and of real numbers. MLX's logarithm of e ** (-inf+1j) + e ** (-inf+2j) is NaN, here -inf.
# Of fp4, MLX drops the sign of what is rounded to zero on the CPU, and takes the first of two that are as
# near; here the sign stays, and the even one is taken.
