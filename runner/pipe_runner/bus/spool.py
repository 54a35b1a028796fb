"""Keeps the messages of a run that has no log, as a case of `pipe test` is, for those who read them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from pipe_runner.plan import NOTHING
from pipe_runner.ports import Event
from pipe_runner.run import Run
from pipe_runner.runlog import RunDir
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.lines import encode_line
from pipe_runner.types import EventKind


class Stream(Protocol):
    """The part of a run's stream of events that is needed here."""

    def emit(self, kind: EventKind, node: str | None, attempt: int | None, data: Mapping[str, Any]) -> None: ...

    def now(self) -> str: ...


class Spool:
    """A file of the events of messages, in the run's directory, which is about to be removed."""

    def __init__(self, rundir: RunDir, run: Run, stream: Stream) -> None:
        self.path = os.path.join(rundir.path, "messages.jsonl")
        self._run, self._stream = run, stream

    def emit(
        self,
        kind: EventKind,
        node: str | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Write an event, and keep it; raises StorageError."""
        self._stream.emit(kind, node, attempt, data)
        line = encode_line(Event(self._run.last_message, self._stream.now(), self._run.id, kind, node, attempt, data))
        try:
            with open(self.path, "ab") as file:
                file.write(line)
        except OSError as error:
            raise storage_fault("write", self.path, error) from error
