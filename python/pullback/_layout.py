"""Drawings of graphs in layers: the longest way down decides the layer, the neighbours the place in it."""

import html
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

# Of one character of the 12-pixel monospaced font, and between boxes.
CHARACTER, LINE, PAD = 7.3, 15, 8
GAP_X, GAP_Y = 22, 34
SWEEPS = 8

COLORS = {
    "input": ("#e3f1e3", "#5b9a5b"),
    "op": ("#f2f4f8", "#8a97ad"),
    "custom": ("#fff1cc", "#c9961a"),
    "data": ("#ececec", "#999999"),
    "outside": ("#ffffff", "#bbbbbb"),
    "output": ("#e6e0f5", "#7a62b3"),
}


@dataclass
class Box:
    """A box with lines of text. `title` is shown when one points at it."""

    lines: list[str]
    kind: str
    title: str = ""
    x: float = 0.0
    y: float = 0.0
    above: list["Box"] = field(default_factory=list)
    below: list["Box"] = field(default_factory=list)

    @property
    def width(self) -> float:
        """Return the width that the text takes."""
        return max(len(line) for line in self.lines) * CHARACTER + 2 * PAD

    @property
    def height(self) -> float:
        """Return the height that the text takes."""
        return len(self.lines) * LINE + 2 * PAD - 3

    @property
    def middle(self) -> float:
        """Return the middle of the box."""
        return self.x + self.width / 2


def _layers(boxes: Mapping[Hashable, Box]) -> list[list[Box]]:
    """Return the boxes by the longest way to them; what has none stands right above what it is for."""
    waiting = {id(box): len(box.above) for box in boxes.values()}
    ready = [box for box in boxes.values() if not box.above]
    level: dict[int, int] = {id(box): 0 for box in ready}
    order = []
    while ready:
        box = ready.pop()
        order.append(box)
        for other in box.below:
            level[id(other)] = max(level.get(id(other), 0), level[id(box)] + 1)
            waiting[id(other)] -= 1
            if waiting[id(other)] == 0:
                ready.append(other)
    for box in order:
        if not box.above and box.below:
            level[id(box)] = min(level[id(other)] for other in box.below) - 1
    found: list[list[Box]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for box in boxes.values():
        found[level[id(box)]].append(box)
    return found


def _packed(layer: list[Box]) -> None:
    """Put the boxes of a layer side by side, as near to where they are as there is room."""
    if not layer:
        return
    wanted = [box.x for box in layer]
    end = layer[0].x
    for box in layer:
        box.x = max(box.x, end)
        end = box.x + box.width + GAP_X
    # All were pushed to the right: half of them go back.
    pushed = sum(box.x - x for box, x in zip(layer, wanted, strict=True)) / len(layer)
    for box in layer:
        box.x -= pushed


def _arranged(layers: list[list[Box]]) -> None:
    for layer in layers:
        _packed(layer)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            for box in layer:
                near = box.above if down else box.below
                if near:
                    box.x = sum(other.middle for other in near) / len(near) - box.width / 2
            layer.sort(key=lambda box: box.middle)
            _packed(layer)
    y = float(PAD)
    for layer in layers:
        for box in layer:
            box.y = y
        y += max((box.height for box in layer), default=0.0) + GAP_Y
    left = min((box.x for layer in layers for box in layer), default=0.0)
    for layer in layers:
        for box in layer:
            box.x += PAD - left


def drawn(boxes: Mapping[Hashable, Box], edges: Sequence[tuple[Hashable, Hashable]]) -> str:
    """Return boxes and the lines between them as SVG."""
    for start, end in edges:
        boxes[start].below.append(boxes[end])
        boxes[end].above.append(boxes[start])
    _arranged(_layers(boxes))
    parts = [_line(boxes[start], boxes[end]) for start, end in edges]
    parts += [_box(box) for box in boxes.values()]
    width = max((box.x + box.width for box in boxes.values()), default=0.0) + PAD
    height = max((box.y + box.height for box in boxes.values()), default=0.0) + PAD
    return _page(width, height, parts)


def written(lines: Sequence[str]) -> str:
    """Return lines of text as SVG."""
    each = enumerate(lines, 1)
    parts = [f'<text x="{PAD}" y="{i * LINE}">{html.escape(line)}</text>' for i, line in each]
    width = max((len(line) for line in lines), default=0) * CHARACTER + 2 * PAD
    return _page(width, (len(lines) + 1) * LINE, parts)


def _page(width: float, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="ui-monospace, Menlo, Consolas, monospace" '
        'font-size="12">'
    )
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#8a8a8a"/></marker></defs>'
    )
    return f"{head}{arrow}{''.join(parts)}</svg>"


def _line(start: Box, end: Box) -> str:
    x, y, to_x, to_y = start.middle, start.y + start.height, end.middle, end.y - 1
    bend = (to_y - y) / 2
    path = f"M{x:.1f} {y:.1f}C{x:.1f} {y + bend:.1f} {to_x:.1f} {to_y - bend:.1f} {to_x:.1f} {to_y:.1f}"
    return f'<path d="{path}" fill="none" stroke="#8a8a8a" marker-end="url(#arrow)"/>'


def _box(box: Box) -> str:
    fill, stroke = COLORS[box.kind]
    dashes = ' stroke-dasharray="4 3"' if box.kind == "outside" else ""
    double = 2 if box.kind == "custom" else 1
    title = f"<title>{html.escape(box.title)}</title>" if box.title else ""
    parts = [
        f'<g>{title}<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="5" fill="{fill}" stroke="{stroke}" stroke-width="{double}"{dashes}/>'
    ]
    for i, line in enumerate(box.lines):
        weight = ' font-weight="bold"' if i == 1 and box.kind != "output" else ""
        y = box.y + PAD + (i + 0.75) * LINE - 2
        parts.append(
            f'<text x="{box.middle:.1f}" y="{y:.1f}" text-anchor="middle"{weight} fill="#222">'
            f"{html.escape(line)}</text>"
        )
    return "".join(parts) + "</g>"
