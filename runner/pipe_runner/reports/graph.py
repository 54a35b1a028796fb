"""A plan as a picture: text, mermaid, dot and svg; the same layers in all of them."""

from __future__ import annotations

from typing import Final

from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.reports.flat import drawn_needs, flat, own_needs
from pipe_runner.reports.layers import layered
from pipe_runner.text import printable
from pipe_runner.types import Phase, RunOn

FORMATS: Final = ("text", "mermaid", "dot", "svg")
_TITLE: Final = 60


def render(plan: Plan, format: str) -> str:
    """The plan in one of `FORMATS`; ends with a line end."""
    plan = flat(plan)
    if format == "text":
        return _text(plan)
    if format == "mermaid":
        return _mermaid(plan)
    if format == "dot":
        return _dot(plan)
    if format == "svg":
        from pipe_runner.reports.graph_svg import svg

        return svg(plan, layered(plan))
    raise ValueError(f"unknown format {format!r}")


def _text(plan: Plan) -> str:
    """One line a node, layer by layer, with what it waits for."""
    width = min(max((len(node.id) for node in plan.nodes), default=0), 40)
    many = "" if len(plan.nodes) == 1 else "s"
    lines = [f"{printable(plan.name)}: {len(plan.nodes)} node{many}"]
    for part in layered(plan):
        for number, layer in enumerate(part.layers, 1):
            lines.append("")
            lines.append(f"{part.phase} · layer {number}" if part.phase is not Phase.NODES else f"layer {number}")
            for node in layer:
                needs = ", ".join(own_needs(plan, node))
                marks = _marks(node)
                tail = f"  ← {needs}" if needs else ""
                title = printable(node.title)
                title = title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"
                lines.append(f"  {node.id:<{width}}  {title}{marks}{tail}".rstrip())
    return "\n".join(lines) + "\n"


def _marks(node: PlannedNode) -> str:
    marks = []
    if node.fan_out is not None:
        marks.append(repeated(node))
    if node.when_text is not None:
        marks.append(f"when {printable(node.when_text)[:60]}")
    if node.run_on is not RunOn.SUCCESS:
        marks.append(f"on {node.run_on}")
    if node.continue_on_error:
        marks.append("may fail")
    return f"  [{'; '.join(marks)}]" if marks else ""


def repeated(node: PlannedNode) -> str:
    """`for each of 4 items`, `for each item`, `matrix of 6`: what a repeated node is repeated over."""
    assert node.fan_out is not None
    items = node.fan_out.items
    size = len(items.data) if items.static and isinstance(items.data, list) else None
    if node.fan_out.matrix:
        return f"matrix of {size}"
    return "for each item" if size is None else f"for each of {size} items"


def _mermaid(plan: Plan) -> str:
    lines = ["flowchart TD"]
    for part in layered(plan):
        indent = "  "
        if part.phase is not Phase.NODES:
            lines.append(f"  subgraph {part.phase}")
            indent = "    "
        for layer in part.layers:
            for node in layer:
                shape = ("{{", "}}") if node.when_text is not None else ("[", "]")
                label = node.id if node.fan_out is None else f"{node.id} × {repeated(node)}"
                lines.append(f'{indent}n{node.index}{shape[0]}"{label}"{shape[1]}')
        for layer in part.layers:
            for node in layer:
                arrow = "-.->" if node.run_on is not RunOn.SUCCESS else "-->"
                lines.extend(f"{indent}n{need} {arrow} n{node.index}" for need in drawn_needs(plan, node))
        if part.phase is not Phase.NODES:
            lines.append("  end")
    return "\n".join(lines) + "\n"


def _dot(plan: Plan) -> str:
    lines = [
        f"digraph {_quoted(printable(plan.name))} {{",
        "  rankdir=TB;",
        '  node [shape=box, style=rounded, fontname="sans-serif"];',
    ]
    for part in layered(plan):
        indent = "  "
        if part.phase is not Phase.NODES:
            lines.append(f"  subgraph cluster_{part.phase} {{")
            lines.append(f"    label={_quoted(str(part.phase))};")
            indent = "    "
        for layer in part.layers:
            for node in layer:
                label = node.id if node.fan_out is None else f"{node.id} × {repeated(node)}"
                tooltip = _quoted(printable(node.title))
                lines.append(f"{indent}{_name(node)} [label={_quoted(label)}, tooltip={tooltip}];")
        for layer in part.layers:
            for node in layer:
                style = " [style=dashed]" if node.run_on is not RunOn.SUCCESS else ""
                for need in drawn_needs(plan, node):
                    lines.append(f"{indent}{_name(plan.nodes[need])} -> {_name(node)}{style};")
        if part.phase is not Phase.NODES:
            lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _name(node: PlannedNode) -> str:
    return f"{node.id.replace('.', '_')}_{node.index}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
