"""The layered graph as SVG: no script, no request, light and dark by the reader's own setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.reports.flat import drawn_needs
from pipe_runner.reports.layers import Layered
from pipe_runner.reports.marks import shown
from pipe_runner.types import Phase, RunOn

_CHARACTER: Final = 7.3
_BOX: Final = 34.0
_GAP_X: Final = 18.0
_GAP_Y: Final = 52.0
_MARGIN: Final = 24.0
_LONGEST_LABEL: Final = 28
ROW_WIDTH: Final = 1800.0
"""A layer wider than this is broken into rows, so that a hundred nodes side by side stay readable."""

_STYLE: Final = """
:root{color-scheme:light dark}
.bg{fill:#ffffff}.box{fill:#f4f6fa;stroke:#5b6b8c;stroke-width:1.2}.cond{stroke-dasharray:5 3}
.edge{fill:none;stroke:#8a94a8;stroke-width:1.2}.maybe{stroke-dasharray:5 4}
.tip{fill:#8a94a8}.label{fill:#1b2333;font:13px ui-monospace,Menlo,Consolas,monospace;text-anchor:middle}
.phase{fill:#5b6b8c;font:600 13px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.bg{fill:#12161f}.box{fill:#1d2433;stroke:#8fa3c8}.edge{stroke:#6b778f}
.tip{fill:#6b778f}.label{fill:#e6eaf2}.phase{fill:#8fa3c8}}
"""


class Look(NamedTuple):
    """How a node is drawn in a picture of a run: a class for its colour, marks beside its name, text, a link."""

    style: str
    mark: str
    hover: str
    href: str


Looks = Callable[[PlannedNode], Look]


def svg(plan: Plan, parts: Sequence[Layered]) -> str:
    """A whole SVG document; every text in it is escaped."""
    return drawing(plan, parts, style=_STYLE) + "\n"


def drawing(
    plan: Plan,
    parts: Sequence[Layered],
    *,
    style: str | None = None,
    looks: Looks | None = None,
    row_width: float = ROW_WIDTH,
) -> str:
    """The `<svg>` element; without `style` it is for a page that has styles of its own for the classes."""
    boxes: dict[int, tuple[float, float, float]] = {}
    headings: list[tuple[float, str]] = []
    y = _MARGIN
    width = 240.0
    for part in parts:
        if part.phase is not Phase.NODES:
            headings.append((y + 14, str(part.phase)))
            y += 30
        for layer in part.layers:
            for row in _rows(layer, row_width, looks):
                x = 0.0
                for node in row:
                    wide = _width(node, looks)
                    boxes[node.index] = (x, y, wide)
                    x += wide + _GAP_X
                width = max(width, x - _GAP_X)
                y += _BOX + 14
            y += _GAP_Y - 14
    height = y - _GAP_Y + _BOX / 2 + _MARGIN
    _centre(boxes, width)
    drawn = [
        *(f'<text class="phase" x="{_MARGIN:.0f}" y="{at:.0f}">{escape(name)}</text>' for at, name in headings),
        *_edges(plan, boxes),
        *(_box(plan.nodes[index], looks, *box) for index, box in boxes.items()),
    ]
    total = width + 2 * _MARGIN
    title = shown(plan.name)
    inner = f"<title>{title}</title>\n<style>{style}</style>\n" if style is not None else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.0f} {height:.0f}" '
        f'width="{total:.0f}" height="{height:.0f}" role="img" aria-label="{title}">\n{inner}'
        f'<rect class="bg" width="100%" height="100%"/>\n' + "\n".join(drawn) + "\n</svg>"
    )


def _width(node: PlannedNode, looks: Looks | None) -> float:
    mark = len(looks(node).mark) + 2 if looks is not None else 0
    return max(64.0, (min(len(node.id), _LONGEST_LABEL) + mark) * _CHARACTER + 24)


def _rows(layer: Sequence[PlannedNode], row_width: float, looks: Looks | None) -> list[list[PlannedNode]]:
    rows: list[list[PlannedNode]] = [[]]
    used = 0.0
    for node in layer:
        wide = _width(node, looks) + _GAP_X
        if rows[-1] and used + wide > row_width:
            rows.append([])
            used = 0.0
        rows[-1].append(node)
        used += wide
    return rows


def _centre(boxes: dict[int, tuple[float, float, float]], width: float) -> None:
    by_row: dict[float, list[int]] = {}
    for index, (_, y, _) in boxes.items():
        by_row.setdefault(y, []).append(index)
    for row in by_row.values():
        end = max(boxes[i][0] + boxes[i][2] for i in row)
        for i in row:
            x, y, wide = boxes[i]
            boxes[i] = (x + _MARGIN + (width - end) / 2, y, wide)


def _edges(plan: Plan, boxes: dict[int, tuple[float, float, float]]) -> list[str]:
    lines = []
    for index, (x, y, wide) in boxes.items():
        node = plan.nodes[index]
        for need in drawn_needs(plan, node):
            from_x, from_y, from_wide = boxes[need]
            x1, y1 = from_x + from_wide / 2, from_y + _BOX
            x2, y2 = x + wide / 2, y - 5
            bend = (y2 - y1) / 2
            maybe = " maybe" if node.run_on is not RunOn.SUCCESS else ""
            lines.append(
                f'<path class="edge{maybe}" d="M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} '
                f'{x2:.1f} {y2:.1f}"/>'
            )
        if node.needs:
            lines.append(f'<path class="tip" d="M{x + wide / 2 - 4:.1f} {y - 7:.1f}h8l-4 7z"/>')
    return lines


def _box(node: PlannedNode, looks: Looks | None, x: float, y: float, wide: float) -> str:
    label = node.id if len(node.id) <= _LONGEST_LABEL else node.id[: _LONGEST_LABEL - 1] + "…"
    style = "box cond" if node.when_text is not None else "box"
    before, after, hover = "<g>", "</g>", f"{node.id}: {node.title}"
    if looks is not None:
        look = looks(node)
        before, after, hover = f'<a href="{escape(look.href)}">', "</a>", look.hover
        style, label = f"{style} {look.style}", f"{look.mark} {label}"
    return (
        f'{before}<title>{shown(hover)}</title><rect class="{style}" x="{x:.1f}" y="{y:.1f}" '
        f'width="{wide:.1f}" height="{_BOX:.0f}" rx="6"/><text class="label" x="{x + wide / 2:.1f}" '
        f'y="{y + _BOX / 2 + 4.5:.1f}">{shown(label)}</text>{after}'
    )
