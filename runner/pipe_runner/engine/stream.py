"""The one stream of events of a run: numbered here, folded, logged, then shown to everyone who listens."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pipe_runner.ports import Attempt, Clock, Emit, Event, EventSink, Journal
from pipe_runner.run import Run
from pipe_runner.types import EventKind

_tuple: Any = tuple.__new__  # an event is made twice for each node: without the call that its class would make of it


class EventStream:
    """Emits events; may be called from any thread. Raises StorageError when the log can't be written."""

    def __init__(self, run: Run, journal: Journal, sinks: Sequence[EventSink], clock: Clock) -> None:
        self._run = run
        self._journal, self._append = journal, journal.append
        self._sinks = list(sinks)
        self._now_ns = clock.now_ns
        self._lock = threading.Lock()
        self._since = -1_000_000_000
        """When the second began of which `_second` is the text."""
        self._second = ""

    def emit(
        self,
        kind: EventKind,
        node: str | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        lock = self._lock
        lock.acquire()  # `with` takes twice as long
        try:
            run = self._run
            event = _tuple(Event, (run.seq + 1, self.now(), run.id, kind, node, attempt, data or {}))
            self._append(event)
            run.apply(event)
            if self._sinks:
                self._tell(event)
        finally:
            lock.release()

    def check(self) -> None:
        """Raise StorageError where somebody has removed or changed the log. Between two events: a thread may be just
        writing one."""
        with self._lock:
            self._journal.check()

    def _tell(self, event: Event) -> None:
        for sink in self._sinks:
            try:
                sink.accept(event)
            except Exception as error:
                # Who listens can't fail a run: it is told once, and not again.
                self._sinks = [s for s in self._sinks if s is not sink]
                print(f"warning: {type(sink).__name__} stopped: {error!r}", file=sys.stderr)

    def for_attempt(self, attempt: Attempt) -> Emit:
        """The emitter that an agent is given: its events are its own attempt's."""
        node, number = attempt.node, attempt.number

        def emit(kind: EventKind, data: Mapping[str, Any]) -> None:
            self.emit(kind, node, number, data)

        return emit

    def now(self) -> str:
        """RFC 3339, UTC, microseconds; the date and the time of day are formatted once a second."""
        now: int = self._now_ns()
        rest = now - self._since
        if not 0 <= rest < 1_000_000_000:
            second, rest = divmod(now, 1_000_000_000)
            self._since = now - rest
            self._second = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return "%s%06dZ" % (self._second, rest // 1000)  # noqa: UP031 - in less time than an f-string
