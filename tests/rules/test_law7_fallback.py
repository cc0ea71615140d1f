"""Law 7: a fallback differentiates the body that was recorded, and never runs the Python body again."""

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near

ONE = pb.array(1.0)


@pytest.mark.filterwarnings("ignore::pullback.RuleFallbackWarning")
class TestOnce:
    def make(self, rule):
        body = Counted(lambda x: pb.sin(x) * x)
        f = pb.custom_function(lambda x: body(x))
        if rule == "vjp":
            f.vjp(lambda x, g, y: 10 * g)
        else:
            f.jvp(lambda x, t: 10 * t)
        return f, body

    def test_jvp_by_the_body(self):
        f, body = self.make("vjp")
        near(pb.jvp(f, [pb.array(2.0)], [ONE])[1][0], np.cos(2.0) * 2 + np.sin(2.0))
        assert body.calls == 1

    def test_vjp_by_the_body(self):
        f, body = self.make("jvp")
        near(pb.grad(f)(pb.array(2.0)), np.cos(2.0) * 2 + np.sin(2.0))
        assert body.calls == 1

    def test_batched(self):
        f, body = self.make("jvp")
        x = np.array([1.0, 2.0])
        near(pb.vmap(pb.grad(f))(pb.array([1.0, 2.0])), np.cos(x) * x + np.sin(x))
        near(pb.grad(lambda x: pb.vmap(f)(x).sum())(pb.array([1.0, 2.0])), np.cos(x) * x + np.sin(x))
        assert body.calls == 2


@pytest.mark.filterwarnings("ignore::pullback.RuleFallbackWarning")
@pytest.mark.parametrize("mode", ["none", "vjp", "jvp"])
def test_value_and_derivative_see_the_same_random_numbers(mode, device):
    f = pb.custom_function(lambda x: x * pb.random.normal((16,)))
    if mode == "vjp":
        f.vjp(lambda x, g, y: g)
    if mode == "jvp":
        f.jvp(lambda x, t: t)
    x = pb.ones(16)
    (y,), (t,) = pb.jvp(f, [x], [pb.ones(16)])
    near(t, np.ones(16) if mode == "jvp" else y)
    (y,), (g,) = pb.vjp(f, [x], [pb.ones(16)])
    near(g, np.ones(16) if mode == "vjp" else y)
    assert np.std(np.asarray(y)) > 0.1


def test_the_warning_names_the_function_and_points_at_the_call():
    def distance(x):
        return x * x

    f = pb.custom_function(distance)
    f.vjp(lambda x, g, y: g)
    with pytest.warns(pb.RuleFallbackWarning, match="distance") as caught:
        pb.jvp(f, [ONE], [ONE])
    assert caught[0].filename == __file__
    assert issubclass(pb.RuleFallbackWarning, UserWarning)


def test_the_warning_as_an_error_leaves_nothing_behind():
    f = pb.custom_function(lambda x: x * x)
    f.vjp(lambda x, g, y: 10 * g * x)
    with pytest.raises(pb.RuleFallbackWarning):
        pb.jvp(f, [ONE], [ONE])
    near(pb.grad(f)(pb.array(3.0)), 30.0)
