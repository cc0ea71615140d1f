"""Kernels in the text of users: what they see, what they are refused, and how they go through transforms."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pullback as pb
import pytest
from samples import near, numpy

wgsl = pb.fast.wgsl_kernel
pytestmark = pytest.mark.skipif(not pb.is_available(pb.gpu), reason="no gpu here")
EXP = wgsl("exponential", ["x"], ["y"], "let i = global_invocation_id.x; y[i] = exp(x[i]);")


def run(kernel, inputs, shape=None, dtype=pb.float32, grid=None, **more):
    """One output, a thread for each of its elements."""
    shape = inputs[0].shape if shape is None else shape
    grid = grid or (int(np.prod(shape)), 1, 1)
    how = {"threadgroup": (64, 1, 1)} | more
    (y,) = kernel(inputs=inputs, grid=grid, output_shapes=[shape], output_dtypes=[dtype], **how)
    return y


def body(source, inputs=("x",), **more):
    return wgsl("test", list(inputs), ["y"], "let i = global_invocation_id.x;\n" + source, **more)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype("f")


# What a kernel sees.


def test_elements_wherever_they_are(device):
    x = normal(3, 5)
    got = run(EXP, [pb.array(x)])
    assert got.shape == (3, 5) and got.dtype == pb.float32
    near(got, np.exp(x))
    near(run(EXP, [pb.array(x).T]), np.exp(x.T))
    near(run(EXP, [pb.broadcast_to(pb.array(x[0]), (4, 5))]), np.exp(np.broadcast_to(x[0], (4, 5))))
    near(run(EXP, [2.0], ()), np.exp(2.0, dtype="f"))
    near(pb.sum(run(EXP, [pb.array(x) * 2]) + 1, 0), (np.exp(2 * x) + 1).sum(0))
    near(run(EXP, [run(EXP, [pb.array(x)])]), np.exp(np.exp(x)), 1e-4)


DTYPES = {
    "bool_": "u32",
    "uint8": "u32",
    "uint16": "u32",
    "uint32": "u32",
    "uint64": "u64",
    "int8": "i32",
    "int16": "i32",
    "int32": "i32",
    "int64": "i64",
    "float16": "f32",
    "bfloat16": "f32",
    "float32": "f32",
}


@pytest.mark.parametrize(("name", "ty"), DTYPES.items(), ids=DTYPES)
def test_every_dtype_has_its_type(name, ty):
    dtype = getattr(pb, name)
    x = pb.array([0, 1, 1, 0, 5, 100]).astype(dtype)
    copy = body(f"let e: {ty} = x[i]; let t: T = e; y[i] = t;")
    got = run(copy, [x], dtype=dtype, template=[("T", dtype)])
    assert got.dtype == dtype
    near(got, numpy(x))


def test_what_is_between_elements_is_brought_to_the_nearest():
    """Narrow types are words on the device: what a kernel leaves in them is made one of theirs."""
    x = pb.array([300, 2, 65537], pb.uint32)
    assert run(body("y[i] = x[i];"), [x], dtype=pb.uint8).tolist() == [44, 2, 1]
    assert run(body("y[i] = x[i];"), [x], dtype=pb.bool_).tolist() == [True, True, True]
    assert (run(body("y[i] = i32(x[i]);"), [x], dtype=pb.int8) + pb.array(0, pb.int32)).tolist() == [44, 2, 1]
    third = run(body("y[i] = 1.0 / 3.0;"), [pb.zeros(1)], dtype=pb.float16)
    assert (third.astype(pb.float32) * 3).item() == numpy(third).astype("f") * 3 != 1


def test_shapes_strides_and_axes():
    source = """
        if (i == 0u) {
            for (var k = 0u; k < x_ndim; k++) { y[k] = x_shape[k]; y[3u + k] = x_strides[k]; }
            y[6] = y_shape[0];
            y[7] = z_ndim;
        }
    """
    x, z = pb.swapaxes(pb.zeros((2, 4, 3)), 1, 2), pb.array(1.0)
    kernel = wgsl("sizes", ["x", "z"], ["y"], "let i = global_invocation_id.x;" + source)
    got = run(kernel, [x, z], (8,), pb.uint32)
    assert got.tolist() == [2, 3, 4, 12, 4, 1, 8, 0], "operands are laid out in order"


def test_threads_know_who_they_are():
    source = """
        let at = global_invocation_id;
        let i = (at.z * grid_size.y + at.y) * grid_size.x + at.x;
        let id = workgroup_id * workgroup_size + local_invocation_id;
        let l = local_invocation_id;
        let flat = (l.z * workgroup_size.y + l.y) * workgroup_size.x + l.x;
        let right = all(id == at) && flat == local_invocation_index;
        y[i] = select(0u, 1u, right) + 10u * num_workgroups.x + 100u * num_workgroups.y;
    """
    kernel = wgsl("who", [], ["y"], source)
    got = run(kernel, [], (2, 3, 10), pb.uint32, (10, 3, 2), threadgroup=(4, 2, 1))
    near(got, np.full((2, 3, 10), 1 + 30 + 200))


def test_the_grid_is_in_threads():
    """No thread is outside of the grid, and none of it is left out: not in many workgroups either."""
    count = wgsl("count", [], ["y"], "atomicAdd(&y[0], 1u);", atomic_outputs=True)
    for grid, size in [((1, 1, 1), (64, 1, 1)), ((100, 3, 2), (8, 2, 2)), ((0, 1, 1), (1, 1, 1))]:
        got = run(count, [], (1,), pb.uint32, grid, threadgroup=size)
        assert got.item() == np.prod(grid)
    n = 70_000
    far = body("y[i] = i;")
    got = run(far, [pb.zeros(n)], dtype=pb.uint32, threadgroup=(1, 1, 1))
    near(got, np.arange(n))


def test_template_constants():
    kernel = body("if (ON) { y[i] = T(N) * T(x[i]); } else { y[i] = T(-1); }")
    x = pb.array([1.5, 2.5])
    assert run(kernel, [x], template=[("T", pb.float32), ("N", 3), ("ON", True)]).tolist() == [4.5, 7.5]
    how = {"dtype": pb.int32, "template": [("T", pb.int32), ("N", 3), ("ON", True)]}
    assert run(kernel, [x], **how).tolist() == [3, 6]
    assert run(kernel, [x], template=[("T", pb.float32), ("N", 3), ("ON", False)]).tolist() == [-1, -1]


def test_several_outputs_and_what_they_are_full_of():
    kernel = wgsl(
        "two",
        ["x"],
        ["y", "z"],
        "let i = global_invocation_id.x; y[i] = 2.0 * x[i]; if (i == 1u) { z[i] = 7; }",
    )
    x = pb.array([1.0, 2.0, 3.0])
    how = {"inputs": [x], "grid": (3, 1, 1), "workgroup": (4, 1, 1), "output_shapes": [(3,), (3,)]}
    how["output_dtypes"] = [pb.float32, pb.int32]
    for value, want in [(None, [0, 7, 0]), (-2, [-2, 7, -2])]:
        y, z = kernel(**how, init_value=value)
        assert (y.tolist(), z.tolist()) == ([2, 4, 6], want)
    nothing = wgsl("nothing", [], ["y"], "")
    for dtype in (pb.int64, pb.uint8, pb.int8, pb.float16, pb.bool_):
        assert run(nothing, [], (2,), dtype, init_value=1).tolist() == [1, 1]
    assert run(nothing, [], (1,), pb.int64, init_value=-3).item() == -3
    assert run(nothing, [], (1,), pb.float32, init_value=float("inf")).item() == float("inf")


def test_header_workgroup_memory_and_barriers():
    header = """
        var<workgroup> part: array<f32, 64>;
        fn plus(a: f32, b: f32) -> f32 { return a + b; }
    """
    source = """
        let l = local_invocation_index;
        part[l] = x[global_invocation_id.x];
        workgroupBarrier();
        for (var half = 32u; half > 0u; half /= 2u) {
            if (l < half) { part[l] = plus(part[l], part[l + half]); }
            workgroupBarrier();
        }
        if (l == 0u) { y[workgroup_id.x] = part[0]; }
    """
    kernel = wgsl("sums", ["x"], ["y"], source, header)
    x = normal(256)
    near(run(kernel, [pb.array(x)], (4,), grid=(256, 1, 1)), x.reshape(4, 64).sum(1), 1e-4)
    with pytest.raises(ValueError, match=r"expected a grid of whole workgroups, since there is a barrier"):
        run(kernel, [pb.array(x)], (4,), grid=(250, 1, 1))


def test_atomic_outputs():
    kernel = wgsl(
        "histogram", ["x"], ["y"], "atomicAdd(&y[x[global_invocation_id.x]], 1);", atomic_outputs=True
    )
    x = np.random.default_rng(0).integers(0, 5, 1000)
    got = run(kernel, [pb.array(x, pb.int32)], (5,), pb.int32, grid=(1000, 1, 1))
    near(got, np.bincount(x, minlength=5))
    with pytest.raises(
        TypeError, match=r"expected integers of at most 32 bits as atomic outputs, got float32\[5\] for 'y'"
    ):
        run(kernel, [pb.array(x, pb.int32)], (5,), pb.float32)


def test_what_is_out_of_bounds_is_not_touched():
    x, other = pb.array(normal(5)), pb.array(normal(64))
    pb.eval(x, other)
    before = numpy(other).copy()
    got = run(body("y[i] = x[i + 1000000u]; y[i + 100000u] = 3.0;"), [x])
    assert np.isfinite(numpy(got)).all() and set(numpy(got)) <= {*numpy(x), 0.0, 3.0}
    for _ in range(3):
        pb.eval(run(body("y[i + 5u] = 9.0; y[i + 64u] = 9.0;"), [x]))
    near(other, before, 0)
    assert run(body("y[i] = arrayLength(&x);"), [x], dtype=pb.uint32).tolist() == [5] * 5
    assert run(body("y[i] = x[i] / (x[i] - x[i]);"), [pb.array([1, 2])], dtype=pb.int32).shape == (2,)


def test_empty_arrays():
    assert run(EXP, [pb.zeros((0, 3))]).shape == (0, 3)
    near(run(body("y[i] = f32(x_shape[0]);"), [pb.zeros((0, 3))], (2,)), [0, 0])


# Mistakes.


@pytest.mark.parametrize(
    ("source", "place", "why"),
    [
        ("\nlet i = 0u;\ny[i] = foo;", "line 3 of the source, `y[i] = foo;`", "no definition in scope"),
        ("y[0] = 1u;", "line 1 of the source, `y[0] = 1u;`", "`u32` to `f32`"),
        ("let a = 1;\n  x[0] = 2.0;\n", "line 2 of the source, `x[0] = 2.0;`", "inputs are only read"),
        ("y[0] = x[0];\ny[1] = x[1]", "line 2 of the source, `y[1] = x[1]`", "expected `;`"),
        ("if (true) {\n y[0] = 1.0;", "line 2 of the source", "expected"),
        ("y[0] = 1.0;\n}\n}", "line 3 of the source, `}`", "expected"),
        ("y[0] = half(x[0]);", "line 1 of the source", "`half`"),
        ("textureLoad(x);", "line 1 of the source", ""),
        ("", "line 2 of the header, `fn g() -> f32 { return 1u; }`", ""),
    ],
)
def test_mistakes_are_found_before_anything_runs(source, place, why):
    header = "\nfn g() -> f32 { return 1u; }" if not source else ""
    kernel = wgsl("wrong", ["x"], ["y"], source, header)
    with pytest.raises(ValueError) as caught:
        run(kernel, [pb.zeros(2)])
    text = str(caught.value)
    assert text.startswith(f"[wgsl_kernel] expected valid WGSL in 'wrong', got in {place}"), text
    assert why in text, text


def test_a_header_declares_no_arrays_and_no_more_memory_than_there_is():
    other = "@group(0) @binding(0) var<storage, read_write> other: array<f32>;"
    for header, why in [
        (other, "line 1 of the header, .*: a kernel declares no bindings"),
        (
            "\noverride q: f32;",
            "line 2 of the header, `override q: f32;`: nobody gives an override its value",
        ),
    ]:
        with pytest.raises(ValueError, match=r"\[wgsl_kernel\] expected valid WGSL in 'k', got in " + why):
            run(wgsl("k", ["x"], ["y"], "y[0] = 1.0;", header), [pb.zeros(2)])
    escaping = "} }\n" + other + "\nfn g() { {"
    with pytest.raises(ValueError, match=r"line 2 of the source, .*: a kernel declares no bindings"):
        run(wgsl("k", ["x"], ["y"], escaping), [pb.zeros(2)])
    kernel = wgsl("k", ["x"], ["y"], "", "var<workgroup> a: array<f32, 1000000>;")
    with pytest.raises(ValueError, match=r"bytes of workgroup memory in 'k', got 4000000"):
        run(kernel, [pb.zeros(2)])


def test_names():
    for word in ("1x", "a b", "", "_", "__x", "é"):
        with pytest.raises(ValueError, match=r"\[wgsl_kernel\] expected a name of letters, digits and _"):
            wgsl("k", [word], ["y"], "")
    for word in ("global_invocation_id", "pb_x", "main"):
        with pytest.raises(
            ValueError, match=rf"\[wgsl_kernel\] expected a name that is not taken, got '{word}'"
        ):
            wgsl("k", ["x"], [word], "")
    with pytest.raises(ValueError, match=r"expected names that differ, got 'x' twice"):
        wgsl("k", ["x"], ["x"], "")
    with pytest.raises(ValueError, match=r"expected at least one output, got none"):
        wgsl("k", ["x"], [], "")
    with pytest.raises(ValueError, match=r"expected names that differ, got 'x' twice"):
        run(body(""), [pb.zeros(2)], template=[("x", 1)])
    with pytest.raises(ValueError, match=r"got in its declarations"):
        run(wgsl("k", ["loop"], ["y"], ""), [pb.zeros(2)])


def test_arguments():
    x = pb.zeros(2)
    how = {
        "inputs": [x],
        "grid": (2, 1, 1),
        "threadgroup": (1, 1, 1),
        "output_shapes": [(2,)],
        "output_dtypes": [pb.float32],
    }
    EXP(**how)
    for change, what in [
        ({"inputs": []}, "1 inputs, for"),
        ({"inputs": [x, x]}, "1 inputs, for"),
        ({"output_shapes": []}, "1 output_shapes"),
        ({"output_dtypes": [pb.float32, pb.float32]}, "1 output_dtypes"),
        ({"threadgroup": (0, 1, 1)}, "a workgroup of 1 to"),
        ({"threadgroup": (1 << 20, 1, 1)}, "a workgroup of 1 to"),
        ({"threadgroup": (1, 1)}, r"three sizes from 0 to 2\^31 - 1 as workgroup, got \[1, 1\]"),
        ({"grid": (-1, 1, 1)}, r"three sizes from 0 to 2\^31 - 1 as grid, got \[-1, 1, 1\]"),
        ({"grid": (1 << 31, 1, 1)}, r"three sizes from 0 to 2\^31 - 1 as grid"),
        ({"threadgroup": None}, "either threadgroup or workgroup, got neither"),
        ({"workgroup": (1, 1, 1)}, "either threadgroup or workgroup, got both"),
        ({"vmap_method": "expand_dims"}, "vmap_method None or 'sequential', got 'expand_dims'"),
        ({"stream": pb.cpu}, "the GPU as stream, got cpu"),
    ]:
        with pytest.raises(ValueError, match=rf"\[wgsl_kernel\] expected {what}"):
            EXP(**how | change)
    with pytest.raises(TypeError, match=r"expected a bool, an int or a dtype for 'T' in template, got"):
        EXP(**how, template=[("T", [])])
    with pytest.raises(TypeError, match="expected types that the GPU has, got 'exponential': float64 does"):
        EXP(**how | {"output_dtypes": [pb.float64]})
    with pytest.raises(TypeError, match="inputs"):
        EXP()
    assert repr(EXP) == "WgslKernel(exponential: x -> y)"


def test_copies_are_the_same_kernel():
    again = pickle.loads(pickle.dumps(EXP))
    near(run(again, [pb.zeros(2)]), [1.0, 1.0])
    assert repr(copy.deepcopy(EXP)) == repr(again) == repr(EXP)


def test_verbose_prints_the_text(capsys):
    run(EXP, [pb.zeros(2)], verbose=True)
    text = capsys.readouterr().out
    assert "y[i] = exp(x[i]);" in text and "@compute @workgroup_size(64, 1, 1)" in text


def test_without_a_gpu_it_says_so():
    code = "import pullback as pb\nk = pb.fast.wgsl_kernel('k', [], ['y'], '')\n"
    code += "k(inputs=[], grid=(1, 1, 1), workgroup=(1, 1, 1), output_shapes=[1], output_dtypes=[pb.int32])"
    environment = {**os.environ, "PULLBACK_ADAPTER": "there is none"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "DeviceError: [gpu] expected an adapter" in done.stderr


# Laziness, plans and transforms.


def kernels():
    """How many are compiled."""
    return int(pb.info().split("kernels kept: ")[1].split()[0])


def test_it_is_lazy_and_compiled_once():
    with pb.stream(pb.gpu):
        x = pb.array(normal(7)) * 1
    y = run(EXP, [x])
    assert "call 0 of the host" in pb.explain(y + 1)

    pb.eval(y)
    before = kernels()
    for n in (7, 7, 7):
        pb.eval(run(EXP, [pb.array(normal(n, seed=3))]))
    assert kernels() == before
    f = pb.compile(lambda x: run(EXP, [x * 2]) + 1)
    for seed in (1, 2):
        near(f(pb.array(normal(7, seed=seed))), np.exp(2 * normal(7, seed=seed)) + 1)


def test_other_sizes_take_no_other_kernel():
    scale = body("y[i] = x[i] * f32(x_shape[0]);")
    counts = set()
    for n in (64, 128, 192):
        pb.eval(run(scale, [pb.array(normal(n))]))
        counts.add(kernels())
    assert len(counts) == 1


def test_there_is_no_derivative_of_its_own():
    x = pb.array(normal(3))
    for slope in (
        pb.grad(lambda x: run(EXP, [x]).sum()),
        lambda x: pb.jvp(lambda x: run(EXP, [x]), [x], [x]),
    ):
        with pytest.raises(
            pb.RuleError, match=r"'wgsl_kernel' has no derivative: wrap it in a custom function"
        ):
            slope(x)


PRODUCT = wgsl("product", ["a", "b"], ["y"], "let i = global_invocation_id.x; y[i] = a[i] * b[i];")


def by_custom_function():
    @pb.custom_function
    def f(x):
        return run(EXP, [x], vmap_method="sequential")

    @f.vjp
    def f_vjp(primals, cotangents, outputs):
        return run(PRODUCT, [cotangents, f(primals)], vmap_method="sequential")

    return f


def by_custom_vjp():
    @pb.custom_vjp
    def f(x):
        return run(EXP, [x], vmap_method="sequential")

    def forward(x):
        y = f(x)
        return y, y

    def backward(y, g):
        return (run(PRODUCT, [g, y], vmap_method="sequential"),)

    f.defvjp(forward, backward)
    return f


def by_custom_jvp():
    @pb.custom_jvp
    def f(x):
        return run(EXP, [x], vmap_method="sequential")

    @f.defjvp
    def f_jvp(primals, tangents):
        y = f(primals[0])
        return y, y * tangents[0]

    return f


def by_function():
    class Exp(pb.Function):
        @staticmethod
        def forward(ctx, x):
            y = run(EXP, [x], vmap_method="sequential")
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return run(PRODUCT, [g, y], vmap_method="sequential")

    return Exp.apply


def by_custom_gradient():
    @pb.custom_gradient
    def f(x):
        y = run(EXP, [x], vmap_method="sequential")
        return y, lambda g: run(PRODUCT, [g, y], vmap_method="sequential")

    return f


@pytest.mark.parametrize(
    "door", [by_custom_function, by_custom_vjp, by_custom_jvp, by_function, by_custom_gradient]
)
def test_within_every_door(door):
    f, x = door(), normal(2, 3)
    total = lambda x: (f(x) * pb.array([1.0, 2.0, 3.0])).sum()
    want = np.exp(x) * [1, 2, 3]
    near(pb.grad(total)(pb.array(x)), want)
    near(pb.compile(pb.grad(total))(pb.array(x)), want)
    near(pb.vmap(pb.grad(total))(pb.array(x)), want)
    near(pb.grad(lambda x: pb.vmap(total)(x).sum())(pb.array(x)), want)
    near(pb.grad(pb.checkpoint(total))(pb.array(x)), want)


def test_second_derivatives_go_by_the_rules():
    f, x = by_custom_jvp(), pb.array(normal(3))
    near(pb.grad(lambda x: pb.grad(lambda x: f(x).sum())(x).sum())(x), np.exp(numpy(x)))


def test_vmap():
    x = pb.array(normal(4, 3))
    with pytest.raises(
        pb.RuleError, match=r"\[wgsl_kernel\] expected vmap_method='sequential' under vmap, got None"
    ):
        pb.vmap(lambda x: run(EXP, [x]))(x)
    each = lambda x, y: run(PRODUCT, [x, y], vmap_method="sequential")
    near(pb.vmap(each)(x, 2 * x), 2 * numpy(x) ** 2)
    near(pb.vmap(each, (0, None))(x, x[0]), numpy(x) * numpy(x[0]))
    near(
        pb.vmap(pb.vmap(each), (1, None), 1)(x[:, None] * pb.ones((1, 2, 1)), x),
        numpy(x)[:, None] ** 2 * np.ones((1, 2, 1)),
    )
    near(pb.compile(pb.vmap(each))(x, x), numpy(x) ** 2)


def test_in_a_loop():
    step = lambda x: run(body("y[i] = 0.5 * x[i] + 1.0;"), [x])
    near(pb.fori_loop(0, 5, lambda _, x: step(x), pb.zeros(3)), np.full(3, 1.9375))
    x = pb.zeros(3)
    for _ in range(50):
        x = step(x)
    near(x, np.full(3, 2.0))
