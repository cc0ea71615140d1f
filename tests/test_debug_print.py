"""`pb.debug.print` under every transform."""

import pullback as pb
import pytest
from common import close


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_print_now(capsys, device):
    x = pb.array([1.0, 2.0])
    pb.debug.print("{} and {n:.1f}, {}", x, "text", n=x.sum())
    pb.debug.print("nothing")
    assert lines(capsys) == ["[1. 2.] and 3.0, text", "nothing"]
    with pytest.raises(TypeError, match="format string"):
        pb.debug.print(x)
    with pytest.raises(KeyError):
        pb.debug.print("{missing}", x)


def test_print_under_transforms(capsys):
    def f(x):
        pb.debug.print("x={}", x)
        return x * x

    x = pb.array([1.0, 2.0])
    one = pb.array(3.0)
    close(pb.grad(f)(one), 6)
    assert lines(capsys) == ["x=3.0"]
    close(pb.vmap(f)(x), [1, 4])
    assert lines(capsys) == ["x=1.0", "x=2.0"]
    close(pb.vmap(pb.grad(f))(x), [2, 4])
    assert lines(capsys) == ["x=1.0", "x=2.0"]
    close(pb.grad(lambda x: pb.vmap(f)(x).sum())(x), [2, 4])
    assert lines(capsys) == ["x=1.0", "x=2.0"]
    pb.eval(pb.vmap(pb.vmap(f))(pb.stack([x, x + 2])))
    assert lines(capsys) == ["x=1.0", "x=2.0", "x=3.0", "x=4.0"]
    pb.jvp(f, [one], [one])
    assert lines(capsys) == ["x=3.0"]
    pb.eval(pb.grad(pb.checkpoint(f))(one))
    assert lines(capsys)[0] == "x=3.0"
    g = pb.custom_function(f)
    close(pb.grad(g)(one), 6)
    assert lines(capsys) == ["x=3.0"]


def test_print_under_compile(capsys):
    def f(x, y):
        z = x + y
        pb.debug.print("z={}", z)
        return z * 2, y

    g = pb.compile(f)
    for i in range(3):
        out, same = g(pb.array(1.0), pb.array(float(i)))
        assert lines(capsys) == []
        close(out, 2 * (1 + i))
        assert lines(capsys) == [f"z={1.0 + i}"]
        close(same, i)
        assert lines(capsys) == []
    assert g._entries == 1
    mapped = pb.compile(pb.vmap(lambda x: f(x, x)[0]))
    pb.eval(mapped(pb.array([1.0, 2.0])))
    assert lines(capsys) == ["z=2.0", "z=4.0"]
    pb.eval(pb.compile(pb.grad(lambda x: f(x, x)[0]))(pb.array(1.0)))
    assert lines(capsys) == ["z=2.0"]
    pb.eval(pb.vmap(pb.compile(lambda x: f(x, x)[0]))(pb.array([1.0, 2.0])))
    assert lines(capsys) == ["z=2.0", "z=4.0"]
    with pytest.raises(ValueError, match="that returns an array"):
        pb.compile(lambda x: pb.debug.print("{}", x))(pb.array(1.0))
    assert pb.compile(lambda x: x + 1)(pb.array(1.0)).item() == 2


def test_print_in_a_callback_and_in_a_rule(capsys):
    @pb.custom_function
    def f(x):
        return x * 2

    @f.vjp
    def f_vjp(primals, cotangents, outputs):
        pb.debug.print("g={}", cotangents)
        return cotangents * 3

    x = pb.array([1.0, 2.0])
    close(pb.grad(lambda x: f(x).sum())(x), [3, 3])
    assert lines(capsys) == ["g=[1. 1.]"]
    close(pb.vmap(pb.grad(f))(x), [3, 3])
    assert lines(capsys) == ["g=1.0"]  # no example has another

    def called(x):
        pb.debug.print("in {}", pb.array(x))
        return x

    pb.eval(pb.compile(lambda x: pb.pure_callback(called, x, x))(x))
    assert lines(capsys) == ["in [1. 2.]"]
