"""Graphs to look at: what a function makes of its arguments, as text, as a drawing, as a page."""

import html
import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

from pullback import _layout
from pullback._core import _graph

__all__ = ["Graph", "graph"]

# More nodes than this are listed and not drawn: nobody can read such a drawing.
DRAWN_MAX = 2000

STYLE = """
.pullback-graph { font: 14px system-ui, sans-serif; color: #222; background: #fff; padding: 1em; }
.pullback-graph svg { max-width: none; display: block; }
.pullback-graph pre { font: 12px ui-monospace, monospace; overflow-x: auto; }
.pullback-graph details {
  border: 1px solid #c9b06b; border-radius: 6px; margin: .6em 0; padding: .4em .8em; background: #fffaf0;
}
.pullback-graph summary { cursor: pointer; }
.pullback-graph summary code { font-weight: bold; }
.pullback-graph .drawing { overflow: auto; }
"""


def graph(f: Callable[..., Any], *args: Any, **kwargs: Any) -> "Graph":
    """Return the graph that `f` makes of these arguments, with whatever transforms it applies inside.

    `str` of it is a listing, `html()` a page, `svg()` a drawing; notebooks show the page. Calls of custom
    functions are blocks with their bodies inside, the line that called and the rules they offer.

    >>> print(pb.debug.graph(lambda x: pb.sin(x) * 2, pb.array([1.0, 2.0])))
    graph of '<lambda>': 4 nodes
    %0 = input x: float32[2]
    %1 = sin(%0): float32[2]
    %3 = broadcast_to(2.0): float32[2]
    %4 = multiply(%1, %3): float32[2]
    return %4
    """
    try:
        names = [
            parameter.name
            for parameter in inspect.signature(f).parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        names = []
    return Graph(getattr(f, "__name__", type(f).__name__), _graph(f, names, args, kwargs))


class Graph:
    """What a function makes of its arguments; see `graph`.

    >>> drawn = pb.debug.graph(lambda x: x * x, pb.array(1.0))
    >>> drawn.nodes
    {'input': 1, 'multiply': 1}
    >>> drawn.svg().startswith("<svg")
    True
    """

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.data = data
        self.rows: list[dict[str, Any]] = data["nodes"]
        self._below: dict[int | None, list[dict[str, Any]]] = {}
        for row in self.rows:
            self._below.setdefault(row["parent"], []).append(row)

    @property
    def nodes(self) -> dict[str, int]:
        """How many nodes there are of each operation; calls of custom functions by their names.

        >>> pb.debug.graph(lambda x: pb.sin(pb.sin(x)), pb.array(1.0)).nodes
        {'input': 1, 'sin': 2}
        """
        named = (row["name"] if row["kind"] in ("op", "custom") else row["kind"] for row in self.rows)
        return dict(Counter(named))

    def _reference(self, reference: tuple[int | None, int]) -> str:
        at, out = reference
        if at is None:
            return "?"
        row = self.rows[at]
        if row["kind"] == "const":
            return row["name"]
        return f"%{at}" if len(row["types"]) == 1 else f"%{at}.{out}"

    def _references(self, references: list[tuple[int | None, int]]) -> str:
        return ", ".join(map(self._reference, references))

    def _line(self, row: dict[str, Any]) -> str:
        types = ", ".join(row["types"])
        head = f"%{row['id']} = "
        if row["kind"] == "input":
            return f"{head}input {row['name']}: {types}"
        if row["kind"] == "data":
            return f"{head}{row['name']}: {types}"
        custom = row["custom"]
        inputs = row["inputs"][: custom["arity"]] if custom else row["inputs"]
        line = f"{head}{row['name']}({self._references(inputs)}): {types}"
        if row["params"]:
            line += f"  {row['params']}"
        return line

    def _about(self, row: dict[str, Any]) -> str:
        """Return what is said of a call beside its types."""
        custom = row["custom"]
        rules = ", ".join(custom["offers"]) or "none"
        said = f"called at {custom['site']}, rules: {rules}"
        captured = row["inputs"][custom["arity"] :]
        if captured:
            said += f", captured: {self._references(captured)}"
        return said

    def _lines(self) -> list[str]:
        """Return the listing; bodies may be nested deeper than functions may call."""
        lines: list[str] = []
        stack: list[tuple[dict[str, Any] | str, int]] = []

        def push(parent: int | None, depth: int) -> None:
            stack.extend((row, depth) for row in reversed(self._below.get(parent, [])))

        push(None, 0)
        while stack:
            row, depth = stack.pop()
            pad = "    " * depth
            if isinstance(row, str):
                lines.append(pad + row)
            elif row["custom"]:
                lines.append(f"{pad}{self._line(row)}  custom, {self._about(row)}")
                body = row["custom"]["body"]
                stack.append(
                    (f"return {self._references(body)}" if body else "its body has not run", depth + 1)
                )
                push(row["id"], depth + 1)
            elif row["kind"] != "const":
                lines.append(pad + self._line(row))
        return lines

    def __str__(self) -> str:
        count = sum(row["kind"] != "const" for row in self.rows)
        plural = "" if count == 1 else "s"
        head = f"graph of {self.name!r}: {count} node{plural}"
        return "\n".join([head, *self._lines(), f"return {self._references(self.data['outputs'])}"])

    def __repr__(self) -> str:
        return f"<graph of {self.name!r}: {len(self.rows)} nodes>"

    def _is_large(self) -> bool:
        return len(self.rows) > DRAWN_MAX

    def _large(self) -> str:
        return f"{len(self.rows)} nodes are too many to draw (the most is {DRAWN_MAX}): this is the listing"

    def _labels(self, row: dict[str, Any]) -> list[str]:
        name = row["name"]
        if row["kind"] == "op":
            constants = [self._reference(each) for each in row["inputs"] if self._is_const(each)]
            name += f" {', '.join(constants)}" if constants else ""
        return [name, ", ".join(row["types"])]

    def _is_const(self, reference: tuple[int | None, int]) -> bool:
        return reference[0] is not None and self.rows[reference[0]]["kind"] == "const"

    def _drawing(self, parent: int | None) -> str:
        """Return the drawing of one level: what is inside of calls is another."""
        inside = {row["id"]: row for row in self._below.get(parent, []) if row["kind"] != "const"}
        outputs = self.data["outputs"] if parent is None else self.rows[parent]["custom"]["body"] or []
        boxes: dict[Any, _layout.Box] = {}
        edges: list[tuple[Any, Any]] = []

        def source(reference: tuple[int | None, int]) -> int | None:
            at = reference[0]
            if at is None or self.rows[at]["kind"] == "const":
                return None
            if at not in boxes:
                kind = "outside" if at not in inside else self.rows[at]["kind"]
                title = "" if kind != "custom" else self._about(self.rows[at])
                boxes[at] = _layout.Box([f"%{at}", *self._labels(self.rows[at])], kind, title)
            return at

        for at, row in inside.items():
            source((at, 0))
            # What comes from further out through the body's own arguments is drawn once.
            for reference in row["inputs"]:
                if (start := source(reference)) is not None:
                    edges.append((start, at))
        for i, reference in enumerate(outputs):
            key = f"return {i}"
            boxes[key] = _layout.Box(["return" if len(outputs) == 1 else key], "output")
            if (start := source(reference)) is not None:
                edges.append((start, key))
        return _layout.drawn(boxes, edges)

    def svg(self) -> str:
        """Return a drawing of the outermost level as SVG; calls of custom functions are boxes.

        >>> "sin" in pb.debug.graph(pb.sin, pb.array(1.0)).svg()
        True
        """
        if self._is_large():
            return _layout.written([self._large(), *str(self).splitlines()])
        return self._drawing(None)

    def html(self) -> str:
        """Return a page that needs nothing else: the drawing, what is inside of calls to open, the listing.

        >>> pb.debug.graph(pb.sin, pb.array(1.0)).html().startswith("<!doctype html>")
        True
        """
        title = html.escape(f"graph of {self.name!r}")
        return (
            f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>'
            f"</head><body><h1>{title}</h1>{self._repr_html_()}</body></html>"
        )

    def _content(self) -> str:
        listing = html.escape(str(self))
        if self._is_large():
            return f"<p>{html.escape(self._large())}</p><pre>{listing}</pre>"
        parts: list[str] = []
        stack: list[str | int | None] = [None]
        while stack:
            at = stack.pop()
            if isinstance(at, str):
                parts.append(at)
                continue
            if at is not None:
                row = self.rows[at]
                about = html.escape(f"{', '.join(row['types'])} — {self._about(row)}")
                parts.append(
                    f"<details><summary>%{at} <code>{html.escape(row['name'])}</code> {about}</summary>"
                )
                stack.append("</details>")
            parts.append(f'<div class="drawing">{self._drawing(at)}</div>')
            stack.extend(row["id"] for row in reversed(self._below.get(at, [])) if row["custom"])
        return "".join(parts) + f"<details><summary>as text</summary><pre>{listing}</pre></details>"

    def _repr_html_(self) -> str:
        return f'<div class="pullback-graph"><style>{STYLE}</style>{self._content()}</div>'
