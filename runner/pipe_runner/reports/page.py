"""A run as one HTML page: no script, no request, whatever names and outputs say (S7); in pieces, from its story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipe_runner import __version__
from pipe_runner.console.words import counts, plural, seconds, short
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.reports.graph_svg import Look, drawing
from pipe_runner.reports.layers import layered
from pipe_runner.reports.marks import MARKS, one, shown
from pipe_runner.reports.page_nodes import ORDER, View, nodes, usage_text
from pipe_runner.reports.page_spending import spending
from pipe_runner.reports.page_style import STYLE
from pipe_runner.reports.run_graph import MOST_DRAWN, known
from pipe_runner.reports.story import Story
from pipe_runner.reports.timeline import bars_of, timeline
from pipe_runner.run import NodeState
from pipe_runner.types import NodeStatus, RunStatus

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_GRAPH_WIDTH: Final = 1000.0
_FEW: Final = 12
_LONG: Final = 400
_MANY_EDGES: Final = 150
_FEW_ITEMS: Final = 6
"""Items of a node that are named in the graph."""
_LAST_LINES: Final = 3


def page(
    story: Story, plan: Plan | None, *, missing: str = "", live: bool = False, blobs: str = "blobs"
) -> Iterator[str]:
    """The document in pieces.

    `plan` is that of the pipeline file as it is now, or None, and then `missing` says why. `live`: somebody works on
    the run. `blobs` is the folder of its large outputs, as people would write it.
    """
    run = story.run
    places = {node: f"n{number}" for number, node in enumerate(run.nodes, 1)}
    view = View(story, known(run, plan, missing), live, places, blobs)
    title = shown(f"{run.pipeline or run.id}: {_status(view)}")
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style></head>\n<body><main>\n"
    )
    yield from _head(view)
    yield from _totals(view)
    yield from spending(story.run)
    yield from _failures(view)
    yield from _values("Inputs", {name: _text(value) for name, value in run.inputs.items()})
    yield from _outputs(view)
    yield from _graph(view)
    yield from _times(view)
    if run.nodes:
        yield "<h2>Nodes</h2>\n"
    yield from nodes(view)
    yield (
        f"<footer><p>Made by pipe-runner {shown(__version__)} from the log of run <code>{shown(run.id)}</code>, up to "
        f"its event {run.seq}{shown(f' of {_time(story.last_ts)}') if story.last_ts else ''}. All times are UTC.</p>"
        "</footer>\n"
        "</main></body></html>\n"
    )


def _status(view: View) -> str:
    run = view.story.run
    if run.interrupted:
        return "running" if view.live else "interrupted"
    return str(run.status)


def _head(view: View) -> Iterator[str]:
    story, run, status = view.story, view.story.run, _status(view)
    mark = {"interrupted": "■", "waiting": "‖"}.get(status) or MARKS.get(status, "")
    style = "cancelled" if status == "interrupted" else status
    yield (
        f'<header><h1>{shown(run.pipeline or "a run")}</h1><span class="badge s-{style}">{mark} {shown(status)}</span>'
        f'<p class="sub">run <code>{shown(run.id)}</code>{shown(f" of {run.path}") if run.path else ""}</p></header>\n'
    )
    facts = [("Started", _time(run.started_at or "")), ("Duration", _duration(view))]
    if run.finished_at:
        facts.append(("Ended", _time(run.finished_at)))
    facts.append(("Commit", (run.git_sha or "none")[:12]))
    facts.append(
        ("Attempt", str(run.attempt) if run.attempt < 2 else f"{run.attempt}, resumed {_times_over(run.attempt - 1)}")
    )
    if run.only:
        facts.append(("Only", ", ".join(run.only)))
    yield (
        '<dl class="facts">' + "".join(f"<div><dt>{k}</dt><dd>{one(v) or '-'}</dd></div>" for k, v in facts) + "</dl>\n"
    )
    if run.error is not None:
        kind, message = str(run.error.get("kind", "")), str(run.error.get("message", ""))
        yield f'<p class="error"><b>{shown(kind)}</b> {shown(message[:2000])}</p>\n'
    if run.interrupted or run.status is RunStatus.WAITING:
        what = "still under way" if view.live else ("waiting for a person" if run.status is RunStatus.WAITING else "")
        said = f"The run is {what}" if what else "The run was interrupted: its log ends before it did"
        yield f'<p class="note">{said}. This is how it stood at {shown(_time(story.last_ts) or "its start")}.</p>\n'
    for note in view.known.notes:
        yield f'<p class="note">{shown(note)}</p>\n'


def _times_over(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _time(ts: str) -> str:
    return f"{ts[:10]} {ts[11:19]}" if ts else ""


def _duration(view: View) -> str:
    run, parts = view.story.run, view.story.parts
    if run.duration_s is not None:
        return seconds(run.duration_s) + (" (after the last resume)" if run.attempt > 1 else "")
    return f"{seconds(parts[-1][1] - parts[-1][0])} so far" if parts else "-"


def _totals(view: View) -> Iterator[str]:
    run = view.story.run
    count: dict[NodeStatus, int] = {}
    acting = (run.state(node) for node in view.story.names() if view.story.acts(node))
    attempts, spent = sum(state.attempts for state in acting), 0.0
    usage: dict[str, float] = {}
    for state in run.nodes.values():
        count[state.status] = count.get(state.status, 0) + 1
        for name, value in (state.usage or {}).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                usage[name] = usage.get(name, 0) + value
    for node, told in view.story.nodes.items():
        spent += sum(attempt.duration or 0.0 for attempt in told.tries) if view.story.acts(node) else 0.0
    there = [status for status in ORDER if status in count]
    yield '<div class="share" aria-hidden="true">'
    yield "".join(f'<i class="s-{s}" style="flex:{count[s]}"></i>' for s in reversed(there)) + "</div>\n"
    yield '<ul class="counts">'
    for status in reversed(there):
        mark = f'<span class="mark s-{status}">{MARKS[status]}</span>'
        yield f'<li><a href="#g-{status}">{mark} {count[status]} {status}</a>'
    yield "</ul>\n"
    said = f"{plural(len(run.nodes), 'node')}, {plural(attempts, 'attempt')}, {seconds(spent)} of work"
    tolerated = sum(state.tolerated for state in run.nodes.values())
    said += f"; {plural(tolerated, 'failure')} tolerated" if tolerated else ""
    if run.ledger is not None:
        usage = {}  # the calls of the log are told apart
    yield f'<p class="note">{said}{f"; used {usage_text(usage)}" if usage else ""}</p>\n'


def _failures(view: View) -> Iterator[str]:
    """What failed, in a line each; the rest stands in the nodes' sections."""
    run = view.story.run
    names = run.failures
    if not names:
        return
    yield '<h2>What failed</h2>\n<ul class="failures">'
    for node in names[:_FEW]:
        error = run.nodes[node].error or {}
        yield f"<li>{view.link(node)} {one(str(error.get('message') or error.get('kind') or ''), 300)}"
        printed = view.story.told(node).lines.strip() or str(error.get("tail") or "").strip()
        lines = printed.split("\n")[-_LAST_LINES:]
        yield f"<br><samp>{'<br>'.join(shown(line[:200]) for line in lines)}</samp>" if printed else ""
    yield "</ul>\n"
    if len(names) > _FEW:
        yield f'<p class="note">and <a href="#g-failed">{len(names) - _FEW} more</a></p>\n'


def _text(value: Any) -> str:
    return value if isinstance(value, str) else short(value)


def _values(heading: str, values: Mapping[str, str]) -> Iterator[str]:
    """A short table, or one that opens when it is long."""
    if not values:
        return
    rows = []
    for name, text in values.items():
        value = (
            f"<code>{shown(text)}</code>"
            if len(text) <= _LONG and "\n" not in text
            else f"<pre>{shown(text[:4200])}</pre>"
        )
        rows.append(f"<tr><td><code>{shown(name)}</code><td>{value}")
    table = f'<div class="scroll"><table class="values"><tbody>{"".join(rows)}</tbody></table></div>'
    if len(values) > _FEW:
        table = f'<details class="fold"><summary>{plural(len(values), "value")}</summary>{table}</details>'
    yield f"<h2>{heading}</h2>\n{table}\n"


def _outputs(view: View) -> Iterator[str]:
    ref = view.story.run.outputs_ref
    if ref is not None:
        where = f"{view.blobs}/{ref.get('sha256')}"
        yield (
            f'<h2>Outputs</h2><p class="note">{shown(str(ref.get("bytes")))} bytes, too large for the log: '
            f"<code>{shown(where)}</code></p><pre>{shown(str(ref.get('excerpt', ''))[:4200])}</pre>\n"
        )
        return
    yield from _values("Outputs", view.story.outputs)


def _graph(view: View) -> Iterator[str]:
    drawn = view.known.drawn
    if not drawn.nodes:
        return
    yield "<h2>Graph</h2>\n"
    if len(drawn.nodes) > MOST_DRAWN:
        yield (
            f'<p class="note">The graph is left out: with {len(drawn.nodes)} nodes nobody could read it. '
            f"<code>pipe graph {shown(drawn.path)} --format svg</code> draws it.</p>\n"
        )
        return

    def look(node: PlannedNode) -> Look:
        state = view.story.run.state(node.id)
        style = "s-tolerated" if state.tolerated else f"s-{state.status}"
        again = f" ×{state.attempts}" if state.attempts > 1 else ""
        time = f", {seconds(state.duration_s)}" if state.duration_s is not None else ""
        items = view.story.run.items.get(node.id, {})
        said = f"; {_counted(items)}" if items else ""
        hover = f"{node.id}: {view.word(state)}{time}{again}{said}"
        return Look(style, MARKS[state.status], hover, f"#{view.places[node.id]}", list(_item_lines(items)))

    there = {view.story.run.state(node.id).status for node in drawn.nodes}
    legend = "".join(
        f'<span><span class="mark s-{s}">{MARKS[s]}</span> {s}</span>' for s in reversed(ORDER) if s in there
    )
    dense = " dense" if sum(len(node.needs) for node in drawn.nodes) > _MANY_EDGES else ""
    yield f'<p class="note legend">{legend}</p>\n<div class="graph scroll{dense}">'
    yield drawing(drawn, layered(drawn), looks=look, row_width=_GRAPH_WIDTH)
    yield "</div>\n"


def _counted(items: Mapping[str, NodeState]) -> str:
    return f"{plural(len(items), 'item')}: {counts(str(one.status) for one in items.values())}"


def _item_lines(items: Mapping[str, NodeState]) -> Iterator[tuple[str, str]]:
    """A repeated node in the graph: its items where they are few, else how many there are and how they ended."""
    if 0 < len(items) <= _FEW_ITEMS:
        yield from ((f"s-{one.status}", f"{MARKS[one.status]} {key}") for key, one in items.items())
    elif items:
        yield "", plural(len(items), "item")
        number = {status: sum(one.status is status for one in items.values()) for status in ORDER}
        yield from ((f"s-{s}", f"{MARKS[s]} {number[s]} {s}") for s in ORDER if number[s])


def _times(view: View) -> Iterator[str]:
    parts = bars_of(view.story, view.word_of_try)
    if not any(parts):
        return
    yield "<h2>Timeline</h2>\n"
    for number, bars in enumerate(parts):
        if len(parts) > 1:
            what = "Start" if number == 0 else f"Resume {number}"
            yield f"<h3>{what} <small>{shown(_clock(view.story.parts[number][0]))}</small></h3>\n"
        if bars:
            yield '<div class="times">'
            yield from timeline(bars, lambda node: f"#{view.place_of(node)}")
            yield "</div>\n"
        else:
            yield '<p class="note">No attempt was made.</p>\n'


def _clock(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
