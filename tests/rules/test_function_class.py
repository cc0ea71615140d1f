"""A `Function` as a class: how it looks, its heirs, methods that are replaced, its context as an object."""

import abc
import gc
import inspect
import pickle
import weakref

import pullback as pb
import pytest
from samples import near
from test_door_function import THREE, TWO, Legacy, tangent


def test_it_looks_like_its_class():
    assert (Legacy.__name__, Legacy.__doc__) == ("Legacy", "x², the context handed to `forward`.")
    assert pickle.loads(pickle.dumps(Legacy)) is Legacy
    assert pickle.loads(pickle.dumps(Legacy.apply))(TWO).item() == 4
    assert str(inspect.signature(Legacy.forward)) == "(ctx, x, scale=1, *, mode='a')"
    f = Legacy.apply
    with pytest.raises(TypeError, match="unexpected keyword argument 'strange'"):
        pb.grad(lambda x: f(x, strange=1))(THREE)


def test_methods_that_are_replaced():
    class Tenfold(pb.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 10 * g

    class Heir(Tenfold, abc.ABC):
        pass

    class Last(Heir):
        pass

    all_of_them = [Tenfold.apply, Heir.apply, Last.apply]
    compiled = [pb.compile(pb.grad(f)) for f in all_of_them]
    held = pb.grad(lambda x: Tenfold.apply(x))

    def slopes():
        found = [f(THREE).item() for f in compiled]
        assert found == [pb.grad(f)(THREE).item() for f in all_of_them]
        assert held(THREE).item() == found[0]
        return found

    assert slopes() == [10, 10, 10]
    Heir.backward = staticmethod(lambda ctx, g: 20 * g)
    assert slopes() == [10, 20, 20]
    Tenfold.forward = staticmethod(lambda ctx, x, k=2: k * x)
    near([f(THREE) for f in all_of_them], [6.0] * 3)
    assert str(inspect.signature(Last.apply)) == "(x, k=2)"
    Heir.jvp = staticmethod(lambda ctx, t, _: 7 * t)
    near([tangent(f) for f in all_of_them], [10.0, 7.0, 7.0])
    del Heir.jvp, Heir.backward, Tenfold.backward
    assert slopes() == [2, 2, 2]
    Tenfold.setup_context = staticmethod(lambda ctx, inputs, output: ctx.save_for_backward(*inputs))
    Tenfold.forward = staticmethod(lambda x: x * x)
    Tenfold.backward = staticmethod(lambda ctx, g: (30 * g * ctx.saved_tensors[0],))
    assert slopes() == [90, 90, 90]


def test_a_policy_that_is_replaced():
    class Times(pb.Function):
        @staticmethod
        def forward(ctx, x):
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return 10 * g

    def slope(y):
        def loss(y):
            nonlocal factor
            factor = y
            return Times.apply(THREE)

        return pb.grad(loss)(y)

    factor = TWO
    with pytest.raises(pb.RuleError, match="captured"):
        slope(TWO)
    Times.captured = "differentiate"
    near(slope(TWO), 3.0)
    Times.captured = "constant"
    near(slope(TWO), 0.0)


def test_apply_belongs_to_its_class():
    class Model:
        square = Legacy.apply

    near(pb.grad(Model().square)(THREE), 30.0)
    near(pb.grad(Legacy().apply)(THREE), 30.0)
    assert Legacy.apply is Legacy.apply and Legacy.apply is not type("Heir", (Legacy,), {}).apply
    assert str(inspect.signature(Legacy.apply)) == "(x, scale=1, *, mode='a')"

    class Doubled(Legacy):
        @classmethod
        def apply(cls, x):
            return 2 * super().apply(x)

        @staticmethod
        def backward(ctx, g):
            return 7 * g, None

    near(pb.grad(Doubled.apply)(THREE), 14.0)


def test_a_context_that_holds_itself_is_collected():
    class Own:
        pass

    class Round(pb.Function):
        @staticmethod
        def forward(ctx, x):
            own = Own()
            refs.append(weakref.ref(own))
            own.ctx, ctx.own = ctx, own
            ctx.save_for_backward(x)
            return x * x

    refs = []
    near(Round.apply(THREE), 9.0)
    gc.collect()
    assert refs and all(ref() is None for ref in refs)


def test_the_context_holds_what_is_the_users_own():
    class Keeping(pb.Function):
        @staticmethod
        def forward(ctx, x):
            assert vars(ctx) == {} and not hasattr(ctx, "gone") and ctx.saved_tensors == ()
            ctx.kept, ctx.gone = x * 3, 1
            ctx.itself = [ctx.needs_input_grad]
            del ctx.gone
            with pytest.raises(AttributeError, match="gone"):
                del ctx.gone
            with pytest.raises(AttributeError, match="saved_tensors"):
                ctx.saved_tensors = ()
            return x * x

        @staticmethod
        def backward(ctx, g):
            assert sorted(vars(ctx)) == ["itself", "kept"] and ctx.itself == [(True,)]
            with pytest.raises(AttributeError, match="gone"):
                print(ctx.gone)
            return g * ctx.kept

    near((pb.grad(Keeping.apply)(THREE), pb.grad(pb.grad(Keeping.apply))(THREE)), (9.0, 3.0))


def test_a_subclass_has_rules_of_its_own():
    class Other(Legacy):
        @staticmethod
        def backward(ctx, g):
            return 7 * g, None

    near((pb.grad(Legacy.apply)(THREE), pb.grad(Other.apply)(THREE)), (30.0, 7.0))
