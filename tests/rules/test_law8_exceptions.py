"""Law 8: exceptions keep type and frames through every transform, name the call and leave no state behind."""

import traceback

import pullback as pb
import pytest
from samples import near

X = pb.array([1.0, 2.0, 3.0])


class OwnError(Exception):
    """An error that only these tests raise."""


def raising(*where):
    """A function of which the named callbacks raise."""

    def call(name, result):
        if name in where:
            raise OwnError(f"in {name}", 17)
        return result

    f = pb.custom_function(lambda x: call("body", x * x))
    f.vjp(lambda x, g, y: call("vjp", 10 * g * x))
    f.jvp(lambda x, t: call("jvp", 100 * t * x))
    if "vmap" in where:
        f.vmap(lambda x, axis: call("vmap", (x * x, axis)))
    return f


def grad(f):
    return pb.grad(lambda x: f(x).sum())


def jvp(f):
    return lambda x: pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


def both(f):
    return lambda x: pb.vjp(f, [x], [pb.ones_like(x)])[1][0]


WAYS = {
    "grad": ({"body", "vjp"}, grad),
    "vjp": ({"body", "vjp"}, both),
    "value_and_grad": ({"body", "vjp"}, lambda f: pb.value_and_grad(lambda x: f(x).sum())),
    "jvp": ({"body", "jvp"}, jvp),
    "vmap": ({"body", "vmap"}, pb.vmap),
    "compile": ({"body"}, pb.compile),
    "checkpoint": ({"body", "vjp"}, lambda f: grad(pb.checkpoint(f))),
    "grad(vmap)": ({"body", "vjp", "vmap"}, lambda f: grad(pb.vmap(f))),
    "vmap(grad)": ({"body", "vjp", "vmap"}, lambda f: pb.vmap(pb.grad(f))),
    "jvp(vmap)": ({"body", "jvp", "vmap"}, lambda f: jvp(pb.vmap(f))),
    "vmap(jvp)": ({"body", "jvp", "vmap"}, lambda f: pb.vmap(jvp(f))),
    "compile(grad)": ({"body", "vjp"}, lambda f: pb.compile(grad(f))),
    "grad(compile)": ({"body", "vjp"}, lambda f: grad(pb.compile(f))),
    "compile(vmap(grad))": ({"body", "vjp", "vmap"}, lambda f: pb.compile(pb.vmap(pb.grad(f)))),
    "compile(jvp)": ({"body", "jvp"}, lambda f: pb.compile(jvp(f))),
    "jvp(grad)": ({"body", "vjp"}, lambda f: jvp(grad(f))),
    "grad(jvp)": ({"body", "jvp"}, lambda f: grad(jvp(f))),
    "grad(grad)": ({"body", "vjp"}, lambda f: grad(grad(f))),
    "checkpoint(vmap)": ({"body", "vjp", "vmap"}, lambda f: grad(pb.checkpoint(pb.vmap(f)))),
    "vmap(checkpoint)": ({"body", "vjp", "vmap"}, lambda f: pb.vmap(pb.grad(pb.checkpoint(f)))),
}
CASES = [(way, where) for way, (places, _) in WAYS.items() for where in sorted(places)]


@pytest.mark.parametrize(("way", "where"), CASES)
def test_type_frames_note_and_state(way, where):
    f = raising(where)
    fun = WAYS[way][1](f)
    with pytest.raises(OwnError) as caught:
        fun(X)
    error = caught.value
    assert error.args == (f"in {where}", 17)
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    # This function, the callback, and what raised in it.
    assert frames[0] == "test_type_frames_note_and_state"
    assert frames[-2:] == ["<lambda>", "call"]
    notes = getattr(error, "__notes__", [])
    assert any(note.startswith("called at ") and __file__ in note for note in notes), notes
    assert len(notes) == len(set(notes))
    # The engine works on: the same, with a function that does not raise.
    fine = WAYS[way][1](raising())
    again = WAYS[way][1](raising())
    near(fine(X), again(X))
    near(grad(lambda x: x * x)(X), [2.0, 4, 6])


def test_the_note_names_the_line_of_the_call():
    f = raising("vjp")

    def model(x):
        return f(x)  # this line

    with pytest.raises(OwnError) as caught:
        pb.grad(model)(pb.array(1.0))
    line = model.__code__.co_firstlineno + 1
    assert caught.value.__notes__ == [f"called at {__file__}:{line}"]


def test_causes_and_tracebacks_of_python_survive():
    f = pb.custom_function(lambda x: x)

    @f.vjp
    def rule(x, g, y):
        try:
            return {}["missing"]
        except KeyError as error:
            raise OwnError("wrapped") from error

    with pytest.raises(OwnError) as caught:
        pb.vmap(pb.grad(f))(X)
    assert isinstance(caught.value.__cause__, KeyError)
    assert any(frame.name == "rule" for frame in traceback.extract_tb(caught.value.__traceback__))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions_that_are_no_errors_pass_through(kind):
    f = pb.custom_function(lambda x: x)

    @f.vjp
    def rule(x, g, y):
        raise kind

    with pytest.raises(kind):
        pb.grad(f)(pb.array(1.0))
    near(pb.grad(lambda x: x * x)(pb.array(1.0)), 2.0)


def test_an_exception_may_be_caught_inside_the_function_that_is_traced():
    f = raising("vjp")

    def model(x):
        try:
            inner = pb.grad(f)(x)
        except OwnError:
            inner = x * 3
        return inner * x

    near(pb.grad(model)(pb.array(2.0)), 12.0)
    near(pb.vmap(pb.grad(model))(X), [6.0, 12, 18])
    near(pb.compile(pb.grad(model))(pb.array(2.0)), 12.0)


def test_compiled_again_after_an_exception():
    state = {"raise": True}
    f = pb.custom_function(lambda x: x * x)

    @f.vjp
    def rule(x, g, y):
        if state["raise"]:
            raise OwnError
        return 10 * g * x

    compiled = pb.compile(pb.grad(f))
    for _ in range(3):
        with pytest.raises(OwnError):
            compiled(pb.array(3.0))
    state["raise"] = False
    near(compiled(pb.array(3.0)), 30.0)
