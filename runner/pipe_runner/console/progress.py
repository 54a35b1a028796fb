"""What a console needs to know of a run that is under way, kept up to date at little cost per event."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from pipe_runner.ports import Event
from pipe_runner.types import EventKind

_TAIL: Final = 4096
"""Characters of a running node's output that are remembered."""
_FAILED: Final = 200
"""Failed nodes whose last lines are remembered."""

ENDINGS: Final[Mapping[str, str]] = {
    EventKind.NODE_SUCCEEDED: "succeeded",
    EventKind.NODE_CACHED: "cached",
    EventKind.NODE_FAILED: "failed",
    EventKind.NODE_SKIPPED: "skipped",
    EventKind.NODE_BLOCKED: "blocked",
    EventKind.NODE_CANCELLED: "cancelled",
    EventKind.NODE_UNKNOWN: "unknown",
}


class Running:
    """A node that is running: since when (monotonic seconds), and the end of what it printed."""

    __slots__ = ("announced", "attempt", "items", "items_done", "since", "stream", "tail")

    def __init__(self, since: float, attempt: int) -> None:
        self.since = since
        self.attempt = attempt
        self.tail = ""
        self.stream = ""
        self.announced = False
        self.items = self.items_done = 0


class Progress:
    """Fed with every event by `accept`; read by another thread, which may see it between two events."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.pipeline = ""
        self.total = 0
        self.kept = 0
        """Nodes that an earlier attempt of the run has done."""
        self.began = clock()
        self.running: dict[str, Running] = {}
        self.resting: dict[str, float] = {}
        """Nodes that wait for another attempt, and until when."""
        self.ended: dict[str, int] = {}
        """How many nodes ended how."""
        self.recent: deque[tuple[str, str, float | None]] = deque(maxlen=50)
        self.failed: deque[tuple[str, str]] = deque(maxlen=50)
        """Id and error message of the nodes that failed last."""
        self.tails: dict[str, str] = {}
        """The end of what failed nodes printed."""

    def accept(self, event: Event) -> None:
        kind, node = event.event, event.node
        if node is None:
            if kind == EventKind.RUN_STARTED or kind == EventKind.RUN_RESUMED:
                self._begin(event)
        elif kind == EventKind.NODE_STARTED:
            self.resting.pop(node, None)
            running = self.running[node] = Running(self._clock(), event.attempt or 1)
            if event.data:
                running.items = event.data.get("items") or 0
        elif kind == EventKind.NODE_OUTPUT:
            self._output(node, event)
        elif kind == EventKind.NODE_RETRYING:
            self.running.pop(node, None)
            self.resting[node] = self._clock() + float(event.data.get("delay_s") or 0)
        elif kind == EventKind.NODE_WAITING:
            self.running.pop(node, None)
        else:
            status = ENDINGS.get(kind)
            if status is not None:
                self._end(node, status, event)

    def _begin(self, event: Event) -> None:
        data = event.data
        self.pipeline = data.get("pipeline", self.pipeline)
        self.total = len(data.get("nodes", ()))
        if event.event == EventKind.RUN_RESUMED:
            self.kept = self.total - len(data.get("rerun", ()))
        self.began = self._clock()

    def _output(self, node: str, event: Event) -> None:
        running = self.running.get(node)
        if running is None:
            return
        text, stream = event.data.get("text", ""), event.data.get("stream", "")
        if stream != running.stream:
            if running.tail and not running.tail.endswith("\n"):
                running.tail += "\n"
            running.stream = stream
        running.tail = (running.tail + text)[-_TAIL:]

    def _end(self, node: str, status: str, event: Event) -> None:
        running = self.running.pop(node, None)
        self.resting.pop(node, None)
        if node[-1:] == "]":
            self._item_ended(node.rpartition("[")[0] if "]." in node else node.partition("[")[0])
        elif "[" not in node:  # nodes in items count with these
            self.ended[status] = self.ended.get(status, 0) + 1
        self.recent.append((node, status, event.data.get("duration_s")))
        if status == "failed":
            error = event.data.get("error") or {}
            self.failed.append((node, str(error.get("message", ""))))
            if running is not None and running.tail and not running.items and len(self.tails) < _FAILED:
                self.tails[node] = running.tail

    def _item_ended(self, node: str) -> None:
        """An item of a repeated node has ended: the node's own line says how many have."""
        whole = self.running.get(node)
        if whole is not None:
            whole.items_done += 1
            whole.tail = f"{whole.items_done} of {whole.items} items have ended"

    def done(self) -> int:
        return self.kept + sum(self.ended.values())


def last_line(text: str) -> str:
    """The last line of a text that has anything on it."""
    for line in reversed(text.splitlines()):
        if line.strip():
            return line
    return ""
