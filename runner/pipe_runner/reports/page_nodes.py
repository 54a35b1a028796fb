"""The nodes of a run as sections of its page: what is wrong first and open, what is long in `<details>`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipe_runner.console.words import plural, seconds, short
from pipe_runner.plan import PlannedNode
from pipe_runner.reports.flat import owner_of
from pipe_runner.reports.marks import MARKS, one, shown
from pipe_runner.reports.planned import how, paths_read
from pipe_runner.reports.run_graph import Known
from pipe_runner.reports.story import MANY, Story, Told, Try
from pipe_runner.run import NodeState
from pipe_runner.types import ENDED_WELL, NodeStatus

ORDER: Final = tuple(
    NodeStatus(name)
    for name in (
        "failed", "unknown", "waiting", "running", "queued", "cancelled", "blocked", "skipped", "pending", "cached",
        "succeeded",
    )
)  # fmt: skip
"""In which order people want to hear of nodes."""
_NEEDS_A_LOOK: Final = frozenset(ORDER[:6])
_MOST_OPEN: Final = 12
_MOST_WHOLE: Final = 200
"""Nodes that have a whole section in the page of a large run; the others have a line of a table."""
_FOLDED_FROM: Final = 30
"""Nodes of one status from which their sections stand in a `<details>` of their own."""
_MOST_NAMED: Final = 40
_MOST_TRIES: Final = 50
_MOST_ITEMS: Final = 200
_LINES: Final = 40


class View(NamedTuple):
    """What every section is made from. `places` gives the anchor of each node, `blobs` the folder of large outputs."""

    story: Story
    known: Known
    live: bool
    """Somebody works on the run."""
    places: Mapping[str, str]
    blobs: str

    def state(self, node: str) -> NodeState:
        return self.story.run.nodes[node]

    def word(self, state: NodeState) -> str:
        """A node's status for people: the log's word, and what it doesn't say by itself."""
        if state.status is NodeStatus.FAILED and state.tolerated:
            return "failed, tolerated"
        if state.status in (NodeStatus.RUNNING, NodeStatus.QUEUED) and not self.live:
            return "interrupted"
        return str(state.status)

    def word_of_try(self, attempt: Try) -> str:
        return self.story.word(attempt, live=self.live)

    def place_of(self, node: str) -> str:
        """The section of a node, or of the one whose item it is."""
        whole = node.rpartition("[")[0]
        return self.places.get(node) or self.places.get(whole) or self.places[node.partition("[")[0]]

    def link(self, node: str) -> str:
        """A node's name, with a link to its section where it has one."""
        place = self.places.get(node)
        return f'<a href="#{place}"><code>{shown(node)}</code></a>' if place else f"<code>{shown(node)}</code>"

    def links(self, nodes: Sequence[str], more: int = 0) -> str:
        text = ", ".join(self.link(node) for node in nodes[:_MOST_NAMED])
        more += max(0, len(nodes) - _MOST_NAMED)
        return text + (f" and {more} more" if more else "")


def nodes(view: View) -> Iterator[str]:
    """All sections, by status."""
    run = view.story.run
    by_status: dict[NodeStatus, list[str]] = {}
    for node, state in run.nodes.items():
        by_status.setdefault(state.status, []).append(node)
    large = len(run.nodes) > MANY
    room = {"open": _MOST_OPEN, "whole": _MOST_WHOLE if large else len(run.nodes)}
    for status in ORDER:
        names = by_status.get(status, [])
        if not names:
            continue
        look = status in _NEEDS_A_LOOK
        folded = not look and len(names) >= _FOLDED_FROM
        heading = f'<span class="mark s-{status}">{MARKS[status]}</span> {status} <small>{len(names)}</small>'
        if folded:
            yield f'<details class="group" id="g-{status}"><summary><h3>{heading}</h3></summary>\n'
        else:
            yield f'<section class="group" id="g-{status}"><h3>{heading}</h3>\n'
        whole = min(room["whole"], len(names)) if look or not large else 0
        room["whole"] -= whole
        for node in names[:whole]:
            opened = status is NodeStatus.FAILED and room["open"] > 0
            room["open"] -= opened
            yield _section(view, node, opened=opened)
        if names[whole:]:
            yield from _compact(view, names[whole:])
        yield "</details>\n" if folded else "</section>\n"


def _compact(view: View, names: Sequence[str]) -> Iterator[str]:
    """One line of a table for each node."""
    yield '<div class="scroll"><table class="many"><thead><tr><th>node<th>attempts<th>time<th></thead><tbody>\n'
    for node in names:
        state, told = view.state(node), view.story.told(node)
        if state.error is not None:
            about = one(_message(state.error), 160)
        elif why := _why(view, state, told):
            about = why
        else:
            about = f"<samp>{one(told.output, 100)}</samp>" if told.output else ""
        yield (
            f'<tr id="{view.places[node]}"><td><code>{shown(node)}</code><td>{state.attempts or ""}'
            f"<td>{seconds(state.duration_s) if state.duration_s is not None else ''}<td>{about}\n"
        )
    yield "</tbody></table></div>\n"


def _section(view: View, node: str, *, opened: bool) -> str:
    state, told, planned = view.state(node), view.story.told(node), view.known.nodes.get(node)
    meta = [view.word(state)] if view.word(state) != state.status else []
    if state.attempts > 1:
        meta.append(plural(state.attempts, "attempt"))
    if state.duration_s is not None:
        meta.append(seconds(state.duration_s))
    title = one(planned.title, 90) if planned is not None else ""
    brief = one(_message(state.error), 120) if state.error else _why(view, state, told, plain=True) or title
    parts = [
        f'<details class="node s-{state.status}"{" open" if opened else ""}><summary>'
        f'<span class="mark">{MARKS[state.status]}</span><code class="id">{shown(node)}</code>'
        f'<span class="brief">{brief}</span><span class="meta">{" · ".join(meta)}</span></summary>'
        f'<div class="body" id="{view.places[node]}">'
    ]
    if state.error:
        parts.append(
            f'<p class="error"><b>{shown(str(state.error.get("kind", "failed")))}</b> {_whole_message(state)}</p>'
        )
    parts += _reasons(view, state, told)
    parts += _attempts(view, told)
    parts += _items(view, node)
    if planned is not None:
        parts += _planned(view, node, planned)
    parts += _output(view, state, told)
    parts += _printed(state, told)
    parts += _usage(state, told)
    parts.append("</div></details>\n")
    return "".join(parts)


def _message(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or error.get("kind") or "failed")


def _whole_message(state: NodeState) -> str:
    text = _message(state.error or {})
    return shown(text[:2000] + (" …" if len(text) > 2000 else ""))


def _why(view: View, state: NodeState, told: Told, *, plain: bool = False) -> str:
    """Why a node did not run, in a line; `plain`: without links, for a place that is a link already."""
    if state.status not in (NodeStatus.SKIPPED, NodeStatus.BLOCKED, NodeStatus.CANCELLED):
        return ""
    if state.when:
        return f"when <code>{one(state.when, 100)}</code>"
    by = (
        (", ".join(shown(n) for n in state.by[:5]) + (" …" if len(state.by) > 5 else ""))
        if plain
        else view.links(state.by, state.more)
    )
    said = one(told.reason)
    return f"{said}: {by}" if said and by else said or (f"by {by}" if by else "")


def _reasons(view: View, state: NodeState, told: Told) -> Iterator[str]:
    if state.when:
        values = state.values or {}
        rows = "".join(
            f"<tr><td><code>{shown(name)}</code><td><code>{shown(short(v))}</code>" for name, v in values.items()
        )
        table = f'<table class="values"><tbody>{rows}</tbody></table>' if rows else ""
        said = "The condition was false" if state.status is NodeStatus.SKIPPED else "The condition"
        yield f"<h4>Why</h4><p>{said}: <code>when: {shown(state.when)}</code></p>{table}"
    elif state.by or told.reason:
        said = shown(told.reason[:500])
        if state.by:
            by = view.links(state.by, state.more)
            said = f"{said}: {by}" if said else f"{state.status} by {by}"
        yield f"<h4>Why</h4><p>{said}</p>"


def _attempts(view: View, told: Told) -> Iterator[str]:
    tries = told.tries
    if not tries:
        return
    if len(tries) == 1 and tries[0].status is NodeStatus.SUCCEEDED:
        return
    rows = []
    for attempt in tries[-_MOST_TRIES:]:
        error = attempt.error or {}
        said = one(_message(error), 240) if error else ""
        if attempt.delay is not None:
            said += f' <span class="dim">then {seconds(attempt.delay)} of wait</span>'
        word, mark = view.word_of_try(attempt), MARKS.get(str(attempt.status), "▸")
        rows.append(
            f"<tr><td>{attempt.number}<td>{_clock(attempt.began)}<td>{seconds(attempt.duration)}"
            f'<td class="s-{attempt.status or "running"}"><span class="mark">{mark}</span> {word}<td>{said}'
        )
    lost = len(tries) - len(rows)
    head = f"<h4>Attempts{f' (the last {len(rows)} of {len(tries)})' if lost else ''}</h4>"
    yield (
        f'{head}<div class="scroll"><table class="tries"><thead><tr><th>#<th>began<th>time<th>ended<th></thead><tbody>'
        f"{''.join(rows)}</tbody></table></div>"
    )


def _items(view: View, node: str) -> Iterator[str]:
    """The items of a repeated node: those that did not simply succeed first."""
    items = view.story.run.items.get(node, {})
    if not items:
        return
    ordered = sorted(items.items(), key=lambda pair: pair[1].status in ENDED_WELL and pair[1].attempts < 2)
    rows = []
    for key, state in ordered[:_MOST_ITEMS]:
        told = view.story.told(f"{node}[{key}]")
        about = f"<samp>{one(told.output, 100)}</samp>" if told.output else ""
        if state.error is not None:
            about = one(_message(state.error), 160)
        elif why := _why(view, state, told, plain=True):
            about = why
        took = seconds(state.duration_s) if state.duration_s is not None else ""
        mark = f'<span class="mark">{MARKS[state.status]}</span>'
        rows.append(
            f'<tr><td><code>{shown(key)}</code><td class="s-{state.status}">{mark} '
            f"{view.word(state)}<td>{state.attempts or ''}<td>{took}<td>{about}"
        )
    more = f" ({len(rows)} of {len(items)})" if len(items) > len(rows) else ""
    yield (
        f'<h4>Items{more}</h4><div class="scroll"><table class="tries"><thead><tr><th>key<th>status<th>attempts<th>time'
        f"<th></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _clock(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def _planned(view: View, node: str, planned: PlannedNode) -> Iterator[str]:
    lines = how(planned)
    if lines:
        text = "\n".join(lines)
        more = f"\n… {len(text) - 4000} more characters in the file" if len(text) > 4000 else ""
        what = shown(f"{view.known.files.get(node, view.story.run.path)}:{planned.line}")
        yield f'<h4>{shown(planned.agent)} <span class="dim">{what}</span></h4><pre>{shown(text[:4000] + more)}</pre>'
    needs = view.known.needs.get(node)
    if needs:
        yield f"<p>Needs {view.links(needs)}</p>"
    owner = owner_of(planned.id)
    inputs = {} if owner else view.story.run.inputs
    read = []
    for path in paths_read(planned)[:_MOST_NAMED]:
        if owner and path[0] == "nodes" and len(path) > 1:
            path = (path[0], f"{owner}.{path[1]}", *path[2:])
        name = ".".join(str(step) for step in path)
        if path[0] == "inputs" and len(path) > 1 and str(path[1]) in inputs:
            read.append(f"<tr><td><code>{shown(name)}</code><td><code>{shown(short(_at(inputs, path[1:])))}</code>")
        elif path[0] == "nodes" and len(path) > 1:
            source = view.story.nodes.get(str(path[1]))
            value = one(source.output, 80) if source is not None and source.output and path[2:] == ("output",) else ""
            read.append(
                f"<tr><td>{view.link(str(path[1]))}.{shown('.'.join(str(s) for s in path[2:]))}<td><code>{value}</code>"
            )
    if read:
        yield f'<h4>Read</h4><div class="scroll"><table class="values"><tbody>{"".join(read)}</tbody></table></div>'


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _output(view: View, state: NodeState, told: Told) -> Iterator[str]:
    if told.output is None or (state.status is NodeStatus.FAILED and told.output.strip() in told.lines):
        return
    said = ""
    if told.blob is not None:
        size = told.blob.get("bytes")
        said = f"the beginning of {size} bytes; the whole is {view.blobs}/{told.blob.get('sha256')}"
    if state.truncated:
        said += f"{'; ' if said else ''}cut at its limit: there were {state.truncated.get('bytes')} bytes"
    head = f"<h4>Output{f' <span class=dim>{shown(said)}</span>' if said else ''}</h4>"
    if not told.output:
        yield '<h4>Output</h4><p class="dim">empty</p>'
        return
    yield f"{head}<pre>{shown(told.output)}</pre>"


def _printed(state: NodeState, told: Told) -> Iterator[str]:
    """The last lines that the node printed, unless they are its output; the end of stderr where the log has no more."""
    text = told.lines.rstrip("\n")
    lines = text.split("\n")
    lost = told.lost or len(lines) > _LINES
    text = "\n".join(lines[-_LINES:])
    if text.strip() and text.strip() != (told.output or "").strip():
        yield f"<h4>Printed{' <span class=dim>the last lines</span>' if lost else ''}</h4><pre>{shown(text)}</pre>"
    tail = str((state.error or {}).get("tail") or "").strip()
    if tail and tail.split("\n")[-1] not in text:
        yield f"<h4>End of stderr</h4><pre>{shown(tail)}</pre>"


def _usage(state: NodeState, told: Told) -> Iterator[str]:
    if state.usage:
        yield f"<p>Used {usage_text(state.usage)}</p>"
    if told.calls:
        rows = "".join(f"<li>{usage_text(call)}" for call in told.calls)
        yield f"<h4>Model calls</h4><ul>{rows}</ul>"


def usage_text(usage: Mapping[str, Any]) -> str:
    """`tokens 120 · cost 0.002`, for a page."""
    return " · ".join(f"{shown(str(name))} <b>{shown(short(value))}</b>" for name, value in list(usage.items())[:20])
