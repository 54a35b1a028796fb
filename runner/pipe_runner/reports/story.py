"""What a log tells of a run, with every attempt and an excerpt of all that is large: bounded, however much was printed.

Beside the fold (`run`, which here holds no outputs) it keeps what only readers for people want: when attempts began and
ended, the last lines of a node, the beginning of its output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pipe_runner.deciding import decided_as
from pipe_runner.ports import Event
from pipe_runner.run import Run
from pipe_runner.runlog.steady import Steady
from pipe_runner.types import EventKind, Json, NodeStatus

MANY: Final = 500
"""Nodes above which each gets less room."""
_ROOM: Final = 4096
_LITTLE_ROOM: Final = 1024
_DECISIONS: Final = 100
_SLACK: Final = 2.0
"""Seconds that the end of an attempt may stand in the log before or behind the time that it took; above it somebody has
set the clock."""
_LAST_SECOND: Final = 253402300799.0
"""Of the year 9999: what is behind it, as its fractions are when they are rounded, is no date."""
_MESSAGE: Final = 500
"""Characters of the message that an attempt keeps."""

_BEGINNINGS: Final = frozenset({EventKind.RUN_STARTED, EventKind.RUN_RESUMED})
_ENDS: Final = {
    EventKind.NODE_SUCCEEDED: NodeStatus.SUCCEEDED,
    EventKind.NODE_CACHED: NodeStatus.CACHED,
    EventKind.NODE_FAILED: NodeStatus.FAILED,
    EventKind.NODE_RETRYING: NodeStatus.FAILED,
    EventKind.NODE_CANCELLED: NodeStatus.CANCELLED,
    EventKind.NODE_UNKNOWN: NodeStatus.UNKNOWN,
    EventKind.NODE_SKIPPED: NodeStatus.SKIPPED,
    EventKind.NODE_BLOCKED: NodeStatus.BLOCKED,
}


class Try:
    """One attempt of a node. Times in seconds since the epoch; `status` is None where the log has no end of it."""

    __slots__ = ("at", "began", "delay", "duration", "ended", "error", "number", "part", "status")

    def __init__(self, number: int, part: int, began: float, at: float) -> None:
        self.number, self.part, self.began, self.at = number, part, began, at
        """`part` counts the run's start and its resumes, from 0; `at` and `ended` are times
        as they were if nobody had set the clock since that part began."""
        self.ended: float | None = None
        self.duration: float | None = None
        self.status: NodeStatus | None = None
        self.error: Mapping[str, Any] | None = None
        self.delay: float | None = None
        """Seconds until the next attempt, where one followed."""


class Told:
    """What a log tells of one node, beside its state."""

    __slots__ = ("blob", "calls", "lines", "lost", "output", "reason", "tries")

    def __init__(self) -> None:
        self.tries: list[Try] = []
        self.calls: list[Mapping[str, Any]] = []
        """What `model.called` said, without what is large; the last few."""
        self.forget()

    def forget(self) -> None:
        """The node is decided again: only its attempts stay."""
        self.lines = ""
        self.lost = False
        """`lines` are the last ones of more."""
        self.output: str | None = None
        """The beginning of its output, as text; JSON is written out. None where there is none."""
        self.blob: Mapping[str, Any] | None = None
        self.reason = ""


class Story:
    """The story of a run, told event by event; with `whole`, its fold has the run's outputs whole."""

    def __init__(self, run_id: str, *, whole: bool = False) -> None:
        self.run = Run(id=run_id)
        self._whole = whole
        self.nodes: dict[str, Told] = {}
        self.parts: list[tuple[float, float]] = []
        """When the run started, and each resume of it, and the last that is known of each."""
        self.decisions: list[tuple[str, str, str, Mapping[str, Any]]] = []
        """What persons decided, the last ones: when, on which node, what, and `{by, reason}`."""
        self.outputs: dict[str, str] = {}
        self.last_ts = ""
        self._steady = Steady(_SLACK, 0.0)

    @property
    def room(self) -> int:
        """Characters that an excerpt of one node may have."""
        return _ROOM if len(self.run.nodes) <= MANY and len(self.nodes) <= MANY else _LITTLE_ROOM

    def names(self) -> Iterator[str]:
        """All nodes in the order of the file, each with its items behind it."""
        for node in self.run.nodes:
            yield node
            for key in self.run.items.get(node, ()):
                yield f"{node}[{key}]"

    def acts(self, node: str) -> bool:
        """Whether it does something itself: what a repeated one does, or one that runs a sub-pipeline, others do."""
        state = self.run.find(node)
        return node not in self.run.items and (state is None or state.pipeline is None)

    def told(self, node: str) -> Told:
        found = self.nodes.get(node)
        if found is None:
            found = self.nodes[node] = Told()
        return found

    def word(self, attempt: Try, *, live: bool) -> str:
        """How an attempt ended, for people; `live`: somebody works on the run."""
        if attempt.status is not None:
            return str(attempt.status)
        return "running" if live and attempt.part == len(self.parts) - 1 else "interrupted"

    def apply(self, event: Event) -> None:
        """Take one event in."""
        kind, told = event.event, instant(event.ts)
        begins = kind in _BEGINNINGS
        if begins:
            self._steady = Steady(_SLACK, 0.0)
        self.last_ts = event.ts
        now = self._steady.at(told, self._expected(event) if kind in _ENDS else None)
        if begins:
            self.parts.append((now, now))
            for node in event.data.get("rerun", ()):
                self.told(node).forget()
        elif self.parts:
            began, until = self.parts[-1]
            self.parts[-1] = (began, max(until, now))
        if kind == EventKind.RUN_FINISHED:
            outputs = event.data.get("outputs") or {}
            self.outputs = {name: excerpt(value, _ROOM) for name, value in outputs.items()}
            if not self._whole:
                event = event._replace(data={**event.data, "outputs": {}})
        elif event.node is not None:
            if kind == EventKind.NODE_OUTPUT:
                self._printed(event.node, event.data.get("text", ""))
            else:
                event = self._of_node(event, event.node, told, now)
        self.run.apply(event)

    def _expected(self, event: Event) -> float | None:
        """When an attempt has ended by the time that it took, for an event that ends it."""
        node = self.nodes.get(event.node or "")
        if event.attempt is None or node is None or not node.tries:
            return None
        last, took = node.tries[-1], event.data.get("duration_s")
        if took is None or last.part != len(self.parts) - 1 or last.number != event.attempt:
            return None
        return last.at + float(took)

    def _printed(self, node: str, text: str) -> None:
        """Keep the last lines of what a node prints."""
        told, room = self.told(node), self.room
        lines = told.lines + text
        if len(lines) > room:
            told.lost, lines = True, lines[-room:]
        told.lines = lines

    def _of_node(self, event: Event, node: str, began: float, now: float) -> Event:
        """Keep what is to be told; gives the event without what is large. `began` is `now` by the clock as it was."""
        told, data = self.told(node), event.data
        if "decided" in data and (word := decided_as(event.event, data)) is not None:
            self.decisions = [*self.decisions[1 - _DECISIONS :], (event.ts, node, word, data["decided"])]
        if event.event == EventKind.NODE_STARTED:
            told.lines, told.lost = "", False
            told.tries.append(Try(event.attempt or 1, len(self.parts) - 1, began, now))
            for name in data.get("gone", ()):
                self.nodes.pop(name, None)
        elif event.event == EventKind.MODEL_RESERVED:
            return self._of_call(event, (int,))
        elif event.event == EventKind.MODEL_CALLED:
            event = self._of_call(event, (dict, type(None)))
            told.calls = [*told.calls[-9:], {k: v for k, v in data.items() if isinstance(v, (str, int, float))}]
        elif event.event == EventKind.NODE_WAITING and told.tries:
            self._end(told.tries[-1], NodeStatus.WAITING, data, now)  # it is decided, or gone on with in another one
        status = _ENDS.get(event.event)  # type: ignore[call-overload]
        if status is None:
            return event
        if event.attempt is not None and told.tries and self._is_open(node, told.tries[-1]):
            self._end(told.tries[-1], status, data, now)
        if event.event == EventKind.NODE_RETRYING:
            return event
        told.reason = str(data.get("reason") or "")
        told.blob = data.get("output_ref")
        if told.blob is not None:
            told.output = str(told.blob.get("excerpt", ""))[: self.room]
        elif data.get("output") is not None or status is NodeStatus.SUCCEEDED:
            told.output = excerpt(data.get("output"), self.room, pretty=len(self.run.nodes) <= MANY)
        if "output" in data:
            return event._replace(data={name: value for name, value in data.items() if name != "output"})
        return event

    @staticmethod
    def _of_call(event: Event, tokens: tuple[type, ...]) -> Event:
        """The event, or one that counts nothing where it isn't what we write."""
        from pipe_runner.spent import well_formed

        right = well_formed(event.data) and isinstance(event.data.get("tokens"), tokens)
        return event if right else event._replace(event="unknown")

    def _is_open(self, node: str, attempt: Try) -> bool:
        """Whether the next end of the node is that of this attempt."""
        return attempt.status is None or (attempt.status is NodeStatus.WAITING and not self._goes_on(node))

    def _goes_on(self, node: str) -> bool:
        """Whether it waits for what it consists of: items, or a sub-pipeline."""
        state = self.run.find(node)
        return node in self.run.items or (state is not None and state.pipeline is not None)

    @staticmethod
    def _end(attempt: Try, status: NodeStatus, data: Mapping[str, Any], now: float) -> None:
        attempt.status = status
        attempt.ended = now
        attempt.duration = data.get("duration_s")
        error = data.get("error")
        if error is not None:  # without the end of stderr, which the node's state has
            attempt.error = {name: str(error[name])[:_MESSAGE] for name in ("kind", "message") if name in error}
        attempt.delay = data.get("delay_s")


def excerpt(value: Json, room: int, *, pretty: bool = True) -> str:
    """The beginning of a value as text: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        text = value
    else:
        indent = 2 if pretty and isinstance(value, (dict, list)) else None
        try:
            text = json.dumps(value, ensure_ascii=False, indent=indent)
        except RecursionError:
            text = "(JSON that is nested too deeply to be shown)"
    if len(text) <= room:
        return text
    return f"{text[:room]}\n… {len(text) - room} more characters"


def instant(ts: str) -> float:
    """A log's time in seconds since the epoch; raises ValueError for what is no time."""
    return min(datetime.fromisoformat(ts).timestamp(), _LAST_SECOND)
