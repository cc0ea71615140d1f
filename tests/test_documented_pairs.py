"""The documented examples in `examples/`, as a class and as a decorated function: the same in every nest."""

import runpy
from pathlib import Path

import numpy as np
import pullback as pb
import pytest
from common import close

EXAMPLES = Path(__file__).parents[1] / "examples"
if not EXAMPLES.exists():
    pytest.skip("not a checkout", allow_module_level=True)

X, ROWS = pb.array([0.5, -1.5, 0.25]), pb.array([[0.5, -1.5, 0.25], [2.0, 0.75, -0.5]])
W, Y = pb.array([3.0, 1.0, -2.0]), pb.array([1.5, 2.0, -0.5])
RUN = lambda x, w: pb.sin(x * w)


def read(stem):
    return runpy.run_path(str(EXAMPLES / f"{stem}.py"), run_name=stem)


FUNCTIONS, ESTIMATORS, HIGHER = read("functions"), read("estimators"), read("higher_order")
DECORATORS, RESIDUALS = read("decorators"), read("residuals")


def twice(symbolic_zeros):
    f = pb.custom_function(FUNCTIONS["twice"].__wrapped__, missing="derive")
    return f.vjp(FUNCTIONS["twice_vjp"], symbolic_zeros=symbolic_zeros)


def square():
    f = pb.CustomVjp(lambda x: x * x, nondiff_argnums=())
    f.defvjp(lambda x: (f(x), x), lambda x, g: (2 * g * x,))
    return f


# Name: the class, the decorated function, and how either is a function of one array.
PAIRS = {
    "sin(x) y": (FUNCTIONS["SinTimes"], DECORATORS["f"], lambda f: lambda x: f(x, Y)),
    "MyFunction": (FUNCTIONS["MyFunction"], FUNCTIONS["my_function"], lambda f: lambda x: f(x, Y, 2.0)),
    "Sort": (FUNCTIONS["Sort"], FUNCTIONS["sort"], lambda f: lambda x: f(x)[0] * Y),
    "materialised": (FUNCTIONS["Twice"], twice(False), lambda f: lambda x: f(x)[0] * Y),
    "unmaterialised": (
        FUNCTIONS["TwiceUnmaterialised"],
        twice(True),
        lambda f: lambda x: f(x)[0] * Y,
    ),
    "CustomReLU": (ESTIMATORS["CustomReLU"], ESTIMATORS["relu"], lambda f: lambda x: f(x) * Y),
    "BinaryQuantize": (ESTIMATORS["BinaryQuantize"], ESTIMATORS["binary"], lambda f: lambda x: f(x) * Y),
    "GradientClip": (ESTIMATORS["GradientClip"], ESTIMATORS["clip"], lambda f: lambda x: f(x, 1.0) * Y),
    "Checkpoint": (HIGHER["Checkpoint"], HIGHER["checkpointed"], lambda f: lambda x: f(RUN, x, W)),
    "Exp": (HIGHER["Exp"], HIGHER["exp"], lambda f: lambda x: f(x) * Y),
    "once": (HIGHER["Once"], HIGHER["once"], lambda f: lambda x: f(x) * Y),
    "Mul": (HIGHER["Mul"], HIGHER["mul"], lambda f: lambda x: f(x, Y)),
}
# The derivative of each, by hand.
SLOPES = {
    "sin(x) y": lambda x: np.cos(x) * Y,
    "MyFunction": lambda x: 2 * np.asarray(Y),
    "Sort": lambda x: np.asarray(Y)[np.argsort(np.argsort(x))],
    "materialised": lambda x: np.asarray(Y),
    "unmaterialised": lambda x: np.asarray(Y),
    "CustomReLU": lambda x: np.where(x < 0, 0, Y),
    "BinaryQuantize": lambda x: np.asarray(Y) * (np.abs(x) <= 1),
    "GradientClip": lambda x: np.asarray(Y) / np.linalg.norm(Y),
    "Checkpoint": lambda x: np.cos(x * W) * W,
    "Exp": lambda x: np.exp(x) * Y,
    "once": lambda x: np.exp(x) * Y,
    "Mul": lambda x: np.asarray(Y),
}
SECOND = {
    "sin(x) y": lambda x: -np.sin(x) * Y,
    "Checkpoint": lambda x: -np.sin(x * W) * np.asarray(W) ** 2,
    "Exp": SLOPES["Exp"],
}
NESTS = {
    "grad": lambda f: pb.grad(lambda x: f(x).sum())(X),
    "compile(grad": lambda f: pb.compile(pb.grad(lambda x: f(x).sum()))(X),
    "grad(compile": lambda f: pb.grad(lambda x: pb.compile(f)(x).sum())(X),
    "grad(checkpoint": lambda f: pb.grad(lambda x: pb.checkpoint(f)(x).sum())(X),
    "grad(scan": lambda f: pb.grad(lambda x: pb.scan(lambda c, _: (f(x).sum(), None), 0.0, length=1)[0])(X),
    "vmap(grad": lambda f: pb.vmap(pb.grad(lambda x: f(x).sum()))(ROWS),
    "grad(vmap": lambda f: pb.grad(lambda x: pb.vmap(f)(x).sum())(ROWS),
    "compile(grad(vmap": lambda f: pb.compile(pb.grad(lambda x: pb.vmap(f)(x).sum()))(ROWS),
}
both = pytest.mark.parametrize("form", ["class", "decorated"])


def function(name, form):
    cls, decorated, of_one = PAIRS[name]
    return of_one(cls.apply if form == "class" else decorated)


@both
@pytest.mark.parametrize("nest", NESTS)
@pytest.mark.parametrize("name", PAIRS)
def test_the_gradient_in_every_nest(name, nest, form):
    got = NESTS[nest](function(name, form))
    at = ROWS if "vmap" in nest else X
    rows = np.asarray(at).reshape(-1, 3)
    close(got, np.stack([SLOPES[name](row) for row in rows]).reshape(at.shape))


# Rules of `custom_function` alone: forward mode is the body's, and a warning.
OF_THE_BODY = ["CustomReLU", "Checkpoint", "once"]
# Its rule is for cotangents of one output alone, or it is a clip.
NO_FORWARD_MODE = ["unmaterialised", "GradientClip"]


@both
@pytest.mark.parametrize("name", [name for name in PAIRS if name not in NO_FORWARD_MODE])
def test_forward_mode(name, form):
    push = lambda: pb.jvp(function(name, form), [X], [pb.ones(3)])[1][0]
    if form == "decorated" and name in OF_THE_BODY:
        with pytest.warns(pb.RuleFallbackWarning):
            got = push()
    else:
        got = push()
    # A tangent of ones stays in its order where the values are sorted.
    close(got, np.asarray(Y) if name == "Sort" else SLOPES[name](np.asarray(X)))


@both
def test_a_clip_has_no_forward_mode(form):
    with pytest.raises(pb.RuleError, match="not linear in the cotangent"):
        pb.jvp(function("GradientClip", form), [X], [pb.ones(3)])


@both
@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name, form):
    f = function(name, form)
    slope = lambda x: pb.grad(lambda x: f(x).sum())(x).sum()
    close(pb.grad(slope)(X), SECOND[name](np.asarray(X)))
    want = np.stack([SECOND[name](row) for row in np.asarray(ROWS)])
    close(pb.compile(pb.vmap(pb.grad(slope)))(ROWS), want)


@both
def test_once_is_once(form):
    f = function("once", form)
    with pytest.raises(ValueError, match="once"):
        pb.grad(lambda x: pb.grad(lambda x: f(x).sum())(x).sum())(X)


def test_the_functional_form():
    f = square()
    for nest, run in NESTS.items():
        close(run(f), 2 * np.asarray(ROWS if "vmap" in nest else X))


def test_in_place():
    for f in (FUNCTIONS["InplaceOp"].apply, FUNCTIONS["doubled"]):
        for nest, run in NESTS.items():
            close(run(lambda x, f=f: f(x * 1.0)), np.full(ROWS.shape if "vmap" in nest else X.shape, 2.0))
