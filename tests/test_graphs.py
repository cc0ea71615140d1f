"""`pb.debug.graph`."""

import re
import xml.etree.ElementTree

import pullback as pb
import pytest


@pb.custom_function
def inner(x):
    return pb.exp(x) + 1


@inner.vjp
def inner_vjp(x, g):
    return g * pb.cosh(x)


@pb.custom_function
def outer(x, w):
    return inner(x * w) * captured[0]


captured = [1.0]


def test_listing():
    graph = pb.debug.graph(lambda x, p: (pb.sin(x) * p["w"], 2), pb.array([1.0, 2.0]), {"w": pb.array(3.0)})
    assert str(graph).splitlines() == [
        "graph of '<lambda>': 5 nodes",
        "%0 = input x: float32[2]",
        "%1 = input p['w']: float32[]",
        "%2 = sin(%0): float32[2]",
        "%3 = broadcast_to(%1): float32[2]",
        "%4 = multiply(%2, %3): float32[2]",
        "return %4",
    ]
    assert graph.nodes == {"input": 2, "sin": 1, "broadcast_to": 1, "multiply": 1}
    assert repr(graph) == "<graph of '<lambda>': 5 nodes>"


def test_custom_functions_are_blocks():
    graph = pb.debug.graph(lambda x: outer(x, x), pb.array(2.0))
    text = str(graph)
    assert re.search(
        r"^%\d+ = outer\(%0, %0\): float32\[\]  custom, called at .*test_graphs.py:\d+, rules: none$",
        text,
        re.M,
    )
    assert re.search(r"^    %\d+ = multiply\(%0, %0\): float32\[\]$", text, re.M)
    assert re.search(r"^    %\d+ = inner\(%\d+\): float32\[\]  custom, called at .*, rules: vjp$", text, re.M)
    assert re.search(r"^        %\d+ = exp\(%\d+\): float32\[\]$", text, re.M)
    assert graph.nodes["inner"] == 1 and graph.nodes["exp"] == 1


def test_captured_arrays_are_named():
    def f(x):
        captured[0] = pb.sin(x)
        try:
            return outer(x, x)
        finally:
            captured[0] = 1.0

    assert re.search(r"rules: none, captured: %\d+$", str(pb.debug.graph(f, pb.array(2.0))), re.M)


def test_transforms_inside():
    graph = pb.debug.graph(lambda x: pb.value_and_grad(lambda x: inner(x).sum())(x), pb.array([1.0, 2.0]))
    assert graph.nodes["cosh"] == 1 and graph.nodes["inner"] == 1
    mapped = pb.debug.graph(pb.vmap(inner), pb.array([1.0, 2.0]))
    assert mapped.nodes["inner"] == 1 and "rules: vjp" in str(mapped)


def test_values_may_be_asked_for():
    def f(x, n, scale=None):
        y = pb.sin(x)
        return y * scale if y.item() > 0 else n

    graph = pb.debug.graph(f, pb.array(1.0), 3, scale=pb.array(2.0))
    assert graph.nodes == {"input": 2, "sin": 1, "multiply": 1}
    assert "input scale" in str(graph)


def test_errors_come_out_and_leave_nothing():
    with pytest.raises(ZeroDivisionError):
        pb.debug.graph(lambda x: 1 // 0, pb.array(1.0))
    with pytest.raises(TypeError, match="expected a function"):
        pb.debug.graph(pb.array(1.0))
    pb.debug.graph(pb.sin, pb.array(1.0))
    before = pb._core._live_nodes()
    for _ in range(5):
        pb.debug.graph(lambda x: outer(x, x), pb.array(2.0))
    assert pb._core._live_nodes() <= before


def test_drawings():
    evil = "<b>&\"'"
    fun = pb.custom_function(named(lambda x: pb.exp(x), evil))
    graph = pb.debug.graph(named(lambda p: (fun(p[evil]), p[evil]), evil), {evil: pb.array(1.0)})
    root = xml.etree.ElementTree.fromstring(graph.svg())
    boxes = root.findall(".//{http://www.w3.org/2000/svg}rect")
    assert len(boxes) == 4 and all(float(box.get("x")) >= 0 for box in boxes)
    page = graph.html()
    assert page.startswith("<!doctype html>") and page.count("<details>") == 2
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert not re.search(r"(src|href)=|url\((?!#)", page)
    assert graph._repr_html_() in page


def named(fun, name):
    fun.__name__ = name
    return fun


def test_boxes_do_not_overlap():
    def f(x, y):
        a = [pb.sin(x * i) for i in range(1, 8)]
        return sum(a[i] * a[j] for i in range(7) for j in range(i)) + y

    svg = pb.debug.graph(f, pb.array(1.0), pb.array(2.0)).svg()
    found = xml.etree.ElementTree.fromstring(svg).findall(".//{http://www.w3.org/2000/svg}rect")
    boxes = [tuple(float(box.get(k)) for k in ("x", "y", "width", "height")) for box in found]
    for i, (x, y, w, h) in enumerate(boxes):
        for a, b, c, d in boxes[:i]:
            assert x + w <= a or a + c <= x or y + h <= b or b + d <= y


def test_large_graphs_are_listed():
    def f(x):
        for _ in range(3000):
            x = pb.sin(x)
        return x

    graph = pb.debug.graph(f, pb.array(1.0))
    assert "too many to draw" in graph.html() and "<svg" not in graph.html()
    assert "too many to draw" in graph.svg() and "%2999 = sin(%2998)" in graph.svg()


def test_deep_graphs():
    def f(x):
        for _ in range(100_000):
            x = x * 1.5
        return x

    assert pb.debug.graph(f, pb.array(1.0)).nodes["multiply"] == 100_000
