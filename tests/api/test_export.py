"""Functions in files: what is called again is what was exported, and what a file tells of it."""

import io
import json
import re
import subprocess
import sys

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import DTYPES, numpy


def exported(fun, *args, **kwargs):
    """`fun` by way of a file."""
    file = io.BytesIO()
    pb.export_function(file, fun, *args, **kwargs)
    return pb.import_function(io.BytesIO(file.getvalue()))


def layer(x, w, b):
    return pb.softmax(pb.relu(x @ w + b), axis=-1)


WEIGHTS = pb.array(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))


@pb.custom_function
def clipped(x):
    return pb.clip(x, -1, 1)


@clipped.vjp
def _(primals, cotangents, outputs):
    return cotangents * 100


FUNCTIONS = {
    "a layer": (lambda x: layer(x, WEIGHTS, pb.ones(3)), [pb.array(np.arange(8.0).reshape(2, 4) / 8)]),
    "several results": (
        lambda x, y: (x + y, [x * y][0], pb.divmod(x, y)[1]),
        [pb.array([7, 8]), pb.array([2, 3])],
    ),
    "a list": (lambda x: [x, x], [pb.array(1.0)]),
    "what is given": (lambda x: x, [pb.array([1.0, 2.0])]),
    "a constant": (lambda x: pb.array([1.0, 2.0]), [pb.array(1.0)]),
    "nothing": (lambda x: [], [pb.array(1.0)]),
    "no arguments": (lambda: pb.arange(3), []),
    "rows with params": (
        lambda x: (
            pb.cumsum(x[::-1, 1:], axis=1, reverse=True),
            pb.pad(x, 1),
            pb.sort(x.T, axis=0),
            pb.argmax(x, axis=1),
            pb.concatenate([x, x], 1).astype(pb.int16),
            x.reshape(-1)[pb.array([0, 5, -1])],
            pb.einsum("ij,kj->ik", x, x),
            pb.max(x, axis=(0, 1)),
        ),
        [pb.array(np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32))],
    ),
    "a gradient": (pb.grad(lambda x: (pb.sin(x) * pb.stop_gradient(x)).sum()), [pb.array([1.0, 2.0])]),
    "a map": (pb.vmap(lambda x: pb.checkpoint(pb.sin)(x) * 2), [pb.array([[1.0, 2.0]])]),
    "a custom function": (lambda x: clipped(3 * x), [pb.array([0.1, 2.0])]),
    "a gradient by a rule": (pb.grad(lambda x: clipped(x).sum()), [pb.array([0.1, 2.0])]),
    "a compiled function": (pb.compile(lambda x: pb.exp(x) + 1), [pb.array([0.1, 2.0])]),
    "a loop": (lambda x: pb.scan(lambda c, y: (c + y, c * y), pb.array(0.0), x), [pb.array([1.0, 2.0, 3.0])]),
    "random numbers": (lambda x: x + pb.random.normal((3,), key=pb.random.key(3)), [pb.array(1.0)]),
    "a name": (lambda x: pb.checkpoint_name(pb.sin(x), "y"), [pb.array(1.0)]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_there_and_back(name, device):
    fun, args = FUNCTIONS[name]
    want = fun(*args)
    want = list(want) if isinstance(want, list | tuple) else [want]
    got = exported(fun, *args)(*args)
    assert isinstance(got, tuple)
    assert len(got) == len(want)
    for x, y in zip(got, want, strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        np.testing.assert_array_equal(numpy(x), numpy(y))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 1, 3)])
def test_constants_of_all_types(dtype, shape):
    kept = (pb.arange(6)[: int(np.prod(shape))].reshape(shape) * 3 - 4).astype(getattr(pb, dtype))
    pb.eval(kept)
    x = pb.zeros(shape, getattr(pb, dtype))
    f = exported(lambda x: (pb.where(x == x, kept, x), kept), x)
    for got in f(x):
        assert got.dtype == kept.dtype
        np.testing.assert_array_equal(numpy(got), numpy(kept))


def test_what_is_imported_is_a_function_like_any():
    def fun(x, y):
        return pb.sin(x) * y

    x, y = pb.array([1.0, 2.0, 3.0]), pb.array([2.0, 1.0, 0.5])
    # Derivatives are checked in double precision.
    double = exported(fun, x.astype(pb.float64), y.astype(pb.float64))
    testing.check_grads(lambda x, y: double(x, y)[0], [x, y], order=2)
    f = exported(fun, x, y)
    np.testing.assert_allclose(
        numpy(pb.grad(lambda x: f(x, y)[0].sum())(x)), np.cos(numpy(x)) * numpy(y), rtol=1e-6
    )
    rows = pb.stack([x, y])
    np.testing.assert_allclose(
        numpy(pb.vmap(lambda x: f(x, y)[0])(rows)), np.sin(numpy(rows)) * numpy(y), rtol=1e-6
    )
    np.testing.assert_array_equal(numpy(pb.compile(lambda x: f(x, y)[0])(x)), numpy(f(x, y)[0]))
    again = exported(lambda x: f(x, y)[0], x)
    np.testing.assert_array_equal(numpy(again(x)[0]), numpy(f(x, y)[0]))


def test_rules_stay_behind():
    x = pb.array([0.5])
    f = exported(clipped, x)
    assert f(x)[0].item() == 0.5
    assert pb.vmap(lambda x: f(x)[0])(pb.array([[0.5], [7.0]])).tolist() == [[0.5], [1.0]]
    # The body's derivative would be another one.
    for transform in (pb.grad, lambda f: lambda x: pb.jvp(f, [x], [x])):
        with pytest.raises(pb.RuleError, match="its rule was not exported; export the derivative as well"):
            transform(lambda x: f(x)[0].sum())(x)
    # Where the derivative was taken before, the rule is in it.
    both = exported(lambda x: (clipped(x), pb.grad(lambda x: clipped(x).sum())(x)), x)
    assert [y.item() for y in both(x)] == [0.5, 100.0]
    # By another argument, no rule is asked.
    f = exported(lambda x, y: clipped(x) * y, x, x)
    assert pb.grad(lambda y: f(x, y)[0].sum())(x).item() == 0.5


def test_functions_without_rules_for_derivatives_and_checkpoints_are_differentiated():
    @pb.custom_function
    def plain(x):
        return pb.sin(x)

    @plain.vmap
    def _(inputs, axes):
        return pb.sin(inputs[0]), axes[0]

    x = pb.array(2.0)
    for fun in (plain, pb.checkpoint(pb.sin), lambda x: pb.checkpoint(pb.checkpoint(plain))(x)):
        f = exported(fun, x)
        assert pb.grad(lambda x, f=f: f(x)[0])(x).item() == pytest.approx(np.cos(2), rel=1e-6)


def test_the_device_is_that_of_the_call(device):
    with pb.stream(pb.cpu):
        f = exported(lambda x: x * WEIGHTS, pb.ones(3))
    got = f(pb.ones(3))[0]
    np.testing.assert_array_equal(numpy(got), numpy(WEIGHTS))


def test_forms_of_arguments():
    x, y = pb.array(3.0), pb.array(2.0)

    def fun(x, y):
        return x - y

    for args, kwargs in (([x, y], {}), ([x], {"y": y}), ([], {"x": x, "y": y}), ([], {"y": y, "x": x})):
        forms = [(args, kwargs)]
        if args and kwargs:
            forms += [([tuple(args), kwargs], {}), ([list(args), kwargs], {})]
        elif args:
            forms += [([tuple(args)], {}), ([list(args)], {}), ([tuple(args), {}], {})]
        else:
            forms += [([kwargs], {}), ([(), kwargs], {})]
        for given, named in forms:
            f = exported(fun, *given, **named)
            for again, by_name in forms:
                assert f(*again, **by_name)[0].item() == 1
    with pytest.raises(
        ValueError, match=r"\[import_function\] expected arguments that it was exported for, \(float"
    ):
        exported(fun, x, y)(x, y=y)


def test_arguments_that_are_none():
    f = exported(lambda x: x, pb.array(1.0))
    for wrong in (
        (1.0,),
        (np.ones(2),),
        ([1.0],),
        ({"x": 1.0},),
        ((pb.ones(2),), {"x": 3}),
        (None,),
        (pb.ones(2), 3),
    ):
        for call in (f, lambda *args: pb.export_function(io.BytesIO(), lambda *x: x[0], *args)):
            with pytest.raises(
                ValueError, match=r"_function\] expected arrays, positional and by keyword, or a t"
            ):
                call(*wrong)
    match = re.escape("arguments that it was exported for, (float32[]); got (float32[2], y=int32[])")
    with pytest.raises(ValueError, match=match):
        f(pb.ones(2), y=pb.array(1))
    with pytest.raises(ValueError, match=r"got \(int32\[\]\)"):
        f(pb.array(1))
    assert repr(f) == "<imported function of (float32[])>"


def test_several_structures():
    file = io.BytesIO()
    with pb.exporter(
        file, lambda *args, **kwargs: sum(args) + sum(kwargs.values()), metadata="sums"
    ) as export:
        export(pb.array(1))
        export(pb.array(1), pb.array(2))
        export(pb.array(1.5))
        export(pb.ones(2))
        export(pb.array(1), y=pb.array(2))
        with pytest.raises(
            ValueError, match=r"\[export_function\] expected arguments of another structure, got"
        ):
            export(pb.array(7))
        assert not file.getvalue()
    f, metadata = pb.import_function(io.BytesIO(file.getvalue()), return_metadata=True)
    assert metadata == "sums"
    x = pb.array(3)
    got = [f(x), f(x, x), f(pb.array(2.0)), f(pb.ones(2)), f(x, y=x)]
    assert [x[0].tolist() for x in got] == [3, 6, 2.0, [1.0, 1.0], 6]
    with pytest.raises(
        ValueError, match=r"\(int32\[\]\); or \(int32\[\], int32\[\]\); or .*; got \(int32\[3\]\)"
    ):
        f(pb.arange(3))
    with pytest.raises(
        ValueError, match=r"\[exporter\] expected an exporter that is open, got one that was closed"
    ):
        export(pb.arange(3))
    export.close()
    assert isinstance(export, pb.FunctionExporter)


def test_an_error_leaves_no_file(tmp_path):
    path = tmp_path / "f"
    with pytest.raises(ZeroDivisionError), pb.exporter(path, lambda x: x) as export:
        export(pb.array(1))
        raise ZeroDivisionError
    assert not path.exists()
    with pytest.raises(ZeroDivisionError):
        pb.export_function(path, lambda x: x / (1 // 0), pb.array(1))
    assert not path.exists()


def test_files_and_metadata(tmp_path):
    path = tmp_path / "fun.mlxfn"
    metadata = json.dumps({"width": 3, "name": "ä"})
    pb.export_function(str(path), pb.sin, pb.array(1.0), metadata=metadata)
    assert path.exists()
    for file in (str(path), path, io.BytesIO(path.read_bytes())):
        f, text = pb.import_function(file, True)
        assert text == metadata
        assert f(pb.array(0.0))[0].item() == 0
    pb.export_function(path, pb.sin, pb.array(1.0))
    assert pb.import_function(path, return_metadata=True)[1] == ""
    with pytest.raises(FileNotFoundError):
        pb.import_function(tmp_path / "none")
    with pytest.raises(
        TypeError, match=r"\[import_function\] expected a path or a file to read from, got int"
    ):
        pb.import_function(3)
    with pytest.raises(
        TypeError, match=r"\[export_function\] expected a path or a file to write to, got int"
    ):
        pb.export_function(3, pb.sin, pb.array(1.0))
    with pytest.raises(ValueError, match=r"\[import_function\] expected a file opened for bytes, got str"):
        pb.import_function(io.StringIO("x"))
    with pytest.raises(TypeError, match=r"\[exporter\] expected metadata that is a text, got dict"):
        pb.export_function(path, pb.sin, pb.array(1.0), metadata={})


def test_equal_functions_make_equal_files():
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        pb.export_function(file, lambda x: layer(x, WEIGHTS, pb.ones(3)), pb.ones((2, 4)))
    assert files[0].getvalue() == files[1].getvalue()


def test_another_process_imports(tmp_path):
    path = tmp_path / "f"
    pb.export_function(path, lambda x: pb.softmax(x @ WEIGHTS), pb.ones((2, 4)))
    program = f"import pullback as pb; print(pb.import_function({str(path)!r})(pb.ones((2, 4)))[0].tolist())"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == pb.softmax(pb.ones((2, 4)) @ WEIGHTS).tolist()


def test_random_state_is_a_constant():
    f = exported(lambda x: x + pb.random.normal((3,)), pb.array(0.0))
    first, second = f(pb.array(0.0))[0], f(pb.array(0.0))[0]
    assert first.tolist() == second.tolist()
    assert len(set(first.tolist())) == 3
    assert pb.random.normal((3,)).tolist() != first.tolist()


def test_deep_functions():
    def fun(x):
        for _ in range(20_000):
            x = x + 1
        return x

    assert exported(fun, pb.array(0.0))(pb.array(1.0))[0].item() == 20_001


REFUSED = [
    (lambda x: pb.pure_callback(np.sin, pb.ShapeDtypeStruct((), pb.float32), x), ValueError, "pure_callback"),
    (lambda x: (pb.debug.print("{}", x), x)[1], ValueError, "code of the host stays with its program"),
    (lambda x: x.item(), ValueError, "expected an array with elements, got a tracer of compile"),
    (
        lambda x: 3,
        ValueError,
        r"\[export_function\] expected a function that returns an array, or a list or t",
    ),
    (
        lambda x: {"x": x},
        ValueError,
        r"\[export_function\] expected a function that returns an array, or a l",
    ),
    (
        lambda x: [x, 3],
        ValueError,
        r"\[export_function\] expected a function that returns an array, or a list",
    ),
    (3, TypeError, r"\[export_function\] expected a function, got"),
]


@pytest.mark.parametrize(("fun", "error", "match"), REFUSED)
def test_what_is_refused(fun, error, match):
    with pytest.raises(error, match=match):
        pb.export_function(io.BytesIO(), fun, pb.array(1.0))


def test_captured_leaves_are_refused():
    def outer(x):
        pb.export_function(io.BytesIO(), lambda y: y * x, pb.array(1.0))
        return x

    with pytest.raises(ValueError, match="got a tracer of vmap"):
        pb.vmap(outer)(pb.ones(2))
    with pytest.raises(ValueError, match="got a tracer of compile"):
        pb.compile(outer)(pb.ones(2))


def test_shapeless_is_refused():
    for call in (
        lambda: pb.export_function(io.BytesIO(), pb.sin, pb.array(1.0), shapeless=True),
        lambda: pb.exporter(io.BytesIO(), pb.sin, shapeless=True),
    ):
        with pytest.raises(
            ValueError, match=r"expected shapeless=False, got True: recorded operations hold sizes"
        ):
            call()


def test_callbacks_are_told_of_everything():
    said = []
    pb.export_function(
        said.append, lambda x, y: pb.log(pb.abs(x - y)).astype(pb.int32), pb.array(1.0), y=pb.array(1.0)
    )
    assert [entry["type"] for entry in said[:4]] == ["inputs", "keyword_inputs", "outputs", "constants"]
    assert said[0]["inputs"] == [("%0", (), pb.float32), ("%1", (), pb.float32)]
    assert said[1]["keywords"] == [("y", "%1")]
    assert said[2]["outputs"] == [("%5", (), pb.int32)]
    assert said[3]["constants"] == []
    assert [entry["name"] for entry in said[4:]] == ["subtract", "abs", "log", "cast"]
    assert {entry["type"] for entry in said[4:]} == {"primitive"}
    assert said[4]["inputs"] == said[0]["inputs"]
    assert said[4]["outputs"] == said[5]["inputs"] == [("%2", (), pb.float32)]
    said.clear()
    pb.export_function(said.append, lambda x: pb.sum(x * WEIGHTS, axis=1), pb.ones(3))
    (constant,) = said[3]["constants"]
    assert constant[1].tolist() == WEIGHTS.tolist()
    assert said[-1]["arguments"] == ["axes=[1]"]
    with pytest.raises(
        ValueError, match=r"\[export_function\] expected no metadata with a callback, got some"
    ):
        pb.export_function(said.append, pb.sin, pb.array(1.0), metadata="x")


def dot(*args, **kwargs):
    file = io.StringIO()
    pb.export_to_dot(file, *args, **kwargs)
    return file.getvalue().splitlines()


def test_graphs_as_drawings(tmp_path):
    x, y = pb.array([1.0, 2.0]), pb.array([3.0, 4.0])
    z = pb.exp(x * y).sum(axis=0)
    lines = dot(z, x=x, y=y, product=z)
    assert lines[0] == "digraph {" and lines[-1] == "}"
    assert '  leaf0 [label="x\\nfloat32[2]", shape=ellipse];' in lines
    assert '  leaf1 [label="y\\nfloat32[2]", shape=ellipse];' in lines
    assert '  step2 [label="product\\nsum\\naxes=[0]\\nfloat32[]", shape=box];' in lines
    edges = [line.strip() for line in lines if "->" in line]
    assert edges == [
        "leaf0 -> step0;",
        "leaf1 -> step0;",
        "step0 -> step1;",
        "step1 -> step2;",
        "step2 -> out0;",
    ]
    path = tmp_path / "graph.dot"
    pb.export_to_dot(str(path), z, x=x, y=y, product=z)
    assert path.read_text(encoding="utf-8").splitlines() == lines
    # What has been computed has no history.
    pb.eval(z)
    assert sum("step" in line for line in dot(z)) == 0
    assert dot(**{'a "name"': x})[1] == '  leaf0 [label="a \\"name\\"\\nfloat32[2]", shape=ellipse];'
    assert dot() == ["digraph {", "}"]
    with pytest.raises(ValueError, match=r"\[export_to_dot\] expected arrays, got float"):
        pb.export_to_dot(path, 3.0)


def test_drawings_look_through_custom_functions():
    lines = []

    def outer(x):
        lines.extend(dot(clipped(x)))
        return x

    pb.grad(lambda x: outer(x).sum())(pb.array([1.0]))
    assert any("minimum" in line for line in lines)
