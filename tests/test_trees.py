"""Registered nodes and modules, wherever trees go."""

import copy
import dataclasses

import pullback as pb
import pytest
from nodes import Box, Layer, Model, Pair, Sub


def pair(a=2.0, b=3.0, tag="t"):
    return Pair(pb.array(a), pb.array(b), tag)


def test_grad_of_a_node():
    g = pb.grad(lambda p: p.a * p.b)(pair())
    assert type(g) is Pair and (g.a.item(), g.b.item(), g.tag) == (3.0, 2.0, "t")


def test_grad_of_a_model_is_a_model():
    model, made = Model(), Layer.made
    value, g = pb.value_and_grad(lambda m, x: m(x))(model, pb.array(5.0))
    assert value.item() == 126.0
    assert type(g) is Model and Layer.made == made
    assert g.layers[0].weight.item() == 60.0 and g.layers[0].bias.item() == 6.0
    assert g.layers[1].bias is None and g.layers[1].name == "last" and g.layers[1].scale == 2.0
    assert g.act is pb.tanh and g.table["kind"] == "mlp" and g.table["gain"].item() == 126.0
    updated = pb.tree.tree_map(lambda p, d: p - 0.5 * d, model, g)
    assert updated.layers[0].weight.item() == -28.0 and updated.layers[0].name == "first"


def test_modules_are_inherited_and_may_decline():
    class Child(Layer):
        pass

    class Not(Layer):
        __pullback_module__ = False

    assert len(pb.tree.tree_leaves(Child(pb.array(1.0)))) == 1
    one = Not(pb.array(1.0))
    assert pb.tree.tree_leaves(one) == [one]


def test_slots():
    @pb.register_module
    class Slim:
        __slots__ = ("unset", "w")

        def __init__(self, w):
            self.w = w

    g = pb.grad(lambda s: s.w * s.w)(Slim(pb.array(3.0)))
    assert g.w.item() == 6.0 and not hasattr(g, "unset")


def test_plain_objects_and_subclasses_stay_static():
    class Plain:
        def __init__(self):
            self.x = pb.array(1.0)

    plain, sub = Plain(), Sub(pb.array(1.0), pb.array(2.0))
    for thing in (plain, sub):
        assert pb.tree.tree_leaves([thing]) == [thing]
        with pytest.raises(TypeError, match="expected an array or a tree"):
            pb.grad(lambda t: pb.array(1.0))(thing)


def test_vjp_and_jvp():
    outs, back = pb.vjp(lambda p: Pair(p.a * p.b, p.a), [pair()], [pair(1.0, 10.0)])
    assert outs[0].a.item() == 6.0 and (back[0].a.item(), back[0].b.item()) == (13.0, 2.0)
    outs, tangents = pb.jvp(lambda p: Box(p.a * p.b), pair(), pair(1.0, 0.0))
    assert outs[0].value.item() == 6.0 and tangents[0].value.item() == 3.0
    with pytest.raises(ValueError, match="aux 't', got one with 'u'"):
        pb.jvp(lambda p: p.a, [pair()], [pair(tag="u")])


def test_vmap():
    batch = Pair(pb.array([1.0, 2.0]), pb.array(10.0))
    axes = Pair(0, None)
    out = pb.vmap(lambda p: Pair(p.a * p.b, p.a), in_axes=(axes,))(batch)
    assert out.a.tolist() == [10.0, 20.0] and out.b.tolist() == [1.0, 2.0]
    assert pb.vmap(lambda p: p.a + p.b, in_axes=(0,))(pair([1.0, 2.0], [3.0, 4.0])).tolist() == [4.0, 6.0]
    out = pb.vmap(lambda p: p, in_axes=(axes,), out_axes=Pair(0, None))(batch)
    assert out.b.item() == 10.0
    with pytest.raises(ValueError, match="expected an integer, None or a Pair, got a tuple of 2"):
        pb.vmap(lambda p: p.a, in_axes=((0, None),))(batch)
    with pytest.raises(ValueError, match="with aux 't', got one with 'u'"):
        pb.vmap(lambda p: p.a, in_axes=(Pair(0, None, "u"),))(batch)


def test_vmap_of_a_module():
    models = Layer(pb.array([1.0, 2.0, 3.0]))
    assert pb.vmap(lambda m, x: m(x), in_axes=(0, None))(models, pb.array(2.0)).tolist() == [4.0, 8.0, 12.0]
    axes = pb.tree.tree_map(lambda w: 0, models)
    assert pb.vmap(lambda m: m(1.0), in_axes=(axes,))(models).tolist() == [2.0, 4.0, 6.0]
    out = pb.vmap(lambda m: Layer(m.weight * 2, name=m.name))(models)
    assert out.weight.tolist() == [2.0, 4.0, 6.0] and out.name == "layer"
    with pytest.raises(ValueError, match="expected an axis for attribute weight"):
        axes = object.__new__(Layer)
        pb.vmap(lambda m: m(1.0), in_axes=(axes,))(models)


def test_compile_keeps_static_data_in_its_key():
    runs = []

    @pb.compile
    def f(p):
        runs.append(p.tag)
        return Pair(p.a * (2 if p.tag == "t" else 3), p.b, p.tag)

    assert f(pair()).a.item() == 4.0 and f(pair(5.0)).a.item() == 10.0
    assert f(pair(tag="u")).a.item() == 6.0
    assert runs == ["t", "u"]

    @pb.compile
    def g(layer, x):
        runs.append(layer.scale)
        return layer(x)

    layer = Layer(pb.array(2.0))
    assert g(layer, pb.array(1.0)).item() == 4.0
    layer.scale = 3.0
    assert g(layer, pb.array(1.0)).item() == 6.0
    assert g(Layer(pb.array(5.0), scale=3.0), pb.array(1.0)).item() == 15.0
    assert runs == ["t", "u", 2.0, 3.0]


@pytest.mark.parametrize("make", [lambda x: Layer(x), lambda x: Pair(x, pb.array(0.0)), lambda x: [Box(x)]])
def test_compiled_state(make):
    state = make(pb.array(1.0))
    cell = state[0] if isinstance(state, list) else state
    name = {Layer: "weight", Pair: "a", Box: "value"}[type(cell)]

    @lambda f: pb.compile(f, inputs=state, outputs=state)
    def step(x):
        setattr(cell, name, getattr(cell, name) + x)
        return getattr(cell, name) * 2

    held = getattr(cell, name)
    assert step(pb.array(1.0)).item() == 4.0
    assert step(pb.array(2.0)).item() == 8.0
    assert getattr(cell, name).item() == 4.0
    if not isinstance(cell, Layer):
        assert held is getattr(cell, name)

    @lambda f: pb.compile(f, inputs=state, outputs=state)
    def fails(x):
        setattr(cell, name, getattr(cell, name) + x)
        raise KeyError("no")

    with pytest.raises(KeyError):
        fails(pb.array(1.0))
    assert getattr(cell, name).item() == 4.0


def test_state_that_cannot_be_written_is_refused():
    class Fresh:
        def __init__(self, x):
            self.x = x

    pb.register_tree_node(Fresh, lambda f: ((f.x * 1,), None), lambda aux, c: Fresh(*c))
    state = Fresh(pb.array(1.0))
    f = pb.compile(lambda x: x, inputs=state, outputs=state)
    with pytest.raises(ValueError, match="children of Fresh to be arrays that it holds"):
        f(pb.array(1.0))


def test_checkpoint():
    f = pb.checkpoint(lambda p, m: Box(m(pb.sin(p.a)) * p.b))
    g, h = pb.grad(lambda p, m: f(p, m).value, argnums=(0, 1))(pair(0.0), Layer(pb.array(3.0)))
    assert (g.a.item(), g.b.item(), h.weight.item()) == (18.0, 0.0, 0.0)


def product():
    @pb.custom_function
    def f(p, x):
        return Pair(p.a * p.b, x)

    return f


@pytest.mark.parametrize(
    "gradient",
    [
        lambda p, c: Pair(c.a * 100, None),
        lambda p, c: (c.a * 100, None),
        lambda p, c: [c.a * 100, None],
        lambda p, c: {"a": c.a * 100, "b": None},
        lambda p, c: Pair(100.0, 0.0),
    ],
)
def test_results_of_a_vjp_rule(gradient):
    f = product()

    @f.vjp
    def rule(primals, cotangent, output):
        assert type(cotangent) is Pair and type(output) is Pair and cotangent.tag == "t"
        return gradient(primals[0], cotangent), None

    g = pb.grad(lambda p: f(p, pb.array(1.0)).a)(pair())
    assert type(g) is Pair and (g.a.item(), g.b.item()) == (100.0, 0.0)


@pytest.mark.parametrize("result", [lambda g: Pair(g, g), lambda g: (g, g), lambda g: (Pair(g, g),)])
def test_a_node_as_the_only_argument(result):
    @pb.custom_function
    def f(p):
        return p.a * p.b

    f.vjp(lambda p, g: result(g * 7))
    g = pb.grad(f)(pair())
    assert (g.a.item(), g.b.item()) == (7.0, 7.0)
    f.vjp(lambda p, g: None)
    with pytest.raises(pb.RuleError, match="returned None"):
        pb.grad(f)(pair())


@pytest.mark.parametrize(
    "result,text",
    [
        (lambda g: Box(g), r"argument p: expected a Pair of 2, got a Box"),
        (lambda g: Pair(g, g, "u"), r"argument p: expected a Pair with aux 't', got one with 'u'"),
        (lambda g: (g, g, g), r"argument p: expected a Pair of 2, got a tuple of 3"),
        (lambda g: {"a": g}, r"argument p: expected a Pair of 2, got a dict"),
        (lambda g: (Pair(g, g), g), r"argument p: expected a Pair of 2, got a tuple of 2"),
        (lambda g: Pair(g, pb.zeros(3)), r"argument p\.b: expected float32\[\], got float32\[3\]"),
    ],
)
def test_misfits_name_the_place(result, text):
    f = product()
    f.vjp(lambda primals, c, out: (result(c.a), None))
    with pytest.raises(pb.RuleError, match=text):
        pb.grad(lambda p: f(p, pb.array(1.0)).a)(pair())


def test_a_rule_for_a_model():
    @pb.custom_function
    def f(model, x):
        return model(x)

    @f.vjp
    def rule(primals, c, out):
        model = primals[0]
        grads = copy.copy(model)
        grads.layers = [{"weight": c * 5, "bias": None}, None]
        grads.table = {"kind": None, "gain": c}
        return grads, None

    g = pb.grad(f)(Model(), pb.array(1.0))
    assert (g.layers[0].weight.item(), g.layers[1].weight.item(), g.table["gain"].item()) == (5.0, 0.0, 1.0)

    def wrong(grads):
        f.vjp(lambda primals, c, out: (grads(primals[0]), None))
        with pytest.raises(pb.RuleError) as error:
            pb.grad(f)(Model(), pb.array(1.0))
        return str(error.value)

    def bad_shape(model):
        model.layers[0].weight = pb.zeros(3)
        return model

    assert "argument model.layers[0].weight: expected float32[], got float32[3]" in wrong(bad_shape)
    assert "argument model: expected a Model, got a Pair" in wrong(lambda m: pair())
    assert "argument model: expected a Model with attribute table, got a dict" in wrong(
        lambda m: {"layers": None}
    )
    assert "without attribute w, got a dict" in wrong(lambda m: {"w": None})


def test_jvp_rule_with_nodes():
    f = product()

    @f.jvp
    def rule(primals, tangents):
        (p, x), (dp, dx) = primals, tangents
        assert type(dp) is Pair
        return Pair(p.a * p.b, x), Pair(dp.a * 50 + dp.b, dx)

    outs, ts = pb.jvp(lambda p: f(p, pb.array(1.0)), [pair()], [pair(1.0, 0.0)])
    assert outs[0].a.item() == 6.0 and ts[0].a.item() == 50.0
    f.jvp(lambda primals, tangents: (tangents[0].a * 51, None))
    assert pb.jvp(lambda p: f(p, pb.array(1.0)), [pair()], [pair(1.0, 0.0)])[1][0].a.item() == 51.0


def test_vmap_rule_with_nodes():
    f = product()
    seen = []

    @f.vmap
    def rule(inputs, axes):
        seen.append((axes[0].a, axes[0].b, axes[0].tag, axes[1]))
        p, x = inputs
        return Pair(p.a * p.b + 1000, x), Pair(0, None)

    out = pb.vmap(lambda p: f(p, pb.array(4.0)), in_axes=(Pair(0, None),))(pair([1.0, 2.0], 10.0))
    assert seen == [(0, None, "t", None)]
    assert out.a.tolist() == [1010.0, 1020.0] and out.b.tolist() == [4.0, 4.0]
    f.vmap(lambda inputs, axes: (Pair(inputs[0].a, inputs[1]), Box(0)))
    with pytest.raises(pb.RuleError, match="axes: expected an integer, None or a Pair, got a Box"):
        pb.vmap(lambda p: f(p, pb.array(4.0)), in_axes=(Pair(0, None),))(pair([1.0, 2.0], 10.0))


def test_vmap_rule_with_a_module():
    @pb.custom_function
    def f(layer, x):
        return layer(x)

    @f.vmap
    def rule(inputs, axes):
        assert axes[0].weight == 0 and axes[0].name == "layer"
        return Layer(inputs[0].weight * 2, name="out"), axes[0]

    out = pb.vmap(f, in_axes=(0, None))(Layer(pb.array([1.0, 2.0])), pb.array(1.0))
    assert out.weight.tolist() == [2.0, 4.0] and out.name == "out"


def test_exceptions_come_out_unchanged():
    class Broken(Exception):
        pass

    class Bad:
        def __init__(self, mode):
            self.mode = mode

    def flatten(bad):
        if bad.mode == "flatten":
            raise Broken("flatten")
        return (pb.array([1.0]),), bad.mode

    def unflatten(aux, children):
        raise Broken("unflatten")

    pb.register_tree_node(Bad, flatten, unflatten)
    for mode in ("flatten", "unflatten"):
        for transform in (pb.grad, pb.vmap, pb.compile):
            with pytest.raises(Broken, match=f"^{mode}$"):
                transform(lambda bad: bad)(Bad(mode))


def test_what_flatten_may_return():
    class Odd:
        result = None

    pb.register_tree_node(Odd, lambda odd: Odd.result, lambda aux, children: Odd())
    for result in (None, (1,), [(), None], (pb.array([1.0]), None), ("ab", None), (3, None)):
        Odd.result = result
        with pytest.raises(TypeError, match=r"expected \(children, aux\) from the flatten of Odd, got"):
            pb.tree.tree_leaves(Odd())
    Odd.result = (iter([1, 2]), None)
    assert pb.tree.tree_leaves(Odd()) == [1, 2]


def test_registration_is_checked():
    with pytest.raises(TypeError, match="expected a class, got"):
        pb.register_tree_node(3, id, id)
    with pytest.raises(TypeError, match="expected a function"):
        pb.register_tree_node(int, 3, id)
    with pytest.raises(ValueError, match="class of your own, got list"):
        pb.register_tree_node(list, id, id)
    with pytest.raises(ValueError, match="not registered yet"):
        pb.register_tree_node(Pair, id, id)
    with pytest.raises(TypeError, match="with tree_flatten"):
        pb.register_tree_node_class(Model)
    with pytest.raises(TypeError, match="keeps its arrays in attributes, got a dict"):
        pb.register_module(type("D", (dict,), {}))


def test_registered_containers_and_dataclasses():
    class Stack(list):
        pass

    pb.register_tree_node(Stack, lambda s: (list(s), len(s)), lambda aux, children: Stack(children))
    g = pb.grad(lambda s: s[0] * s[1])(Stack([pb.array(2.0), pb.array(3.0)]))
    assert type(g) is Stack and g[0].item() == 3.0

    @pb.register_module
    @dataclasses.dataclass
    class Both:
        w: pb.array
        name: str

    assert pb.grad(lambda b: b.w * b.w)(Both(pb.array(1.0), "n")).name == "n"


def test_trees_that_hold_themselves():
    model = Model()
    model.me = model
    box = Box(None)
    box.value = [box]
    for tree in (model, box):
        with pytest.raises(RecursionError, match="deeper than 500"):
            pb.grad(lambda t: pb.array(1.0))(tree)
        with pytest.raises(RecursionError, match="deeper than 500"):
            pb.compile(lambda: 1, inputs=[tree])()


def test_checks_of_rules_look_into_nodes():
    from pullback.testing import check_grads, check_rules

    f = product()
    f.vjp(lambda primals, c, out: (Pair(c.a * primals[0].b, c.a * primals[0].a), c.b))
    check_rules(f, (pair(), pb.array(1.0)))
    check_grads(lambda m: m(pb.array(0.5)), (Model(),))
    f.vjp(lambda primals, c, out: (Pair(c.a * primals[0].b, c.a * primals[0].b), c.b))
    with pytest.raises(AssertionError, match=r"p\.b"):
        check_rules(f, (pair(), pb.array(1.0)))
