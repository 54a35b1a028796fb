"""The journal of a run of which nothing is kept, as a case of `pipe test` is: no file, no lock, nothing durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner.errors import StorageError
from pipe_runner.ports import Committed, Event
from pipe_runner.runlog.lines import encode_line

if TYPE_CHECKING:
    from pipe_runner.runlog.rundir import RunDir


class UnkeptLog:
    """A Journal that refuses what a log refuses, and forgets the rest: who wants the events listens.

    Large outputs are files all the same, in the run's directory: a run may have more of them than memory.
    """

    def __init__(self, rundir: RunDir) -> None:
        self._rundir = rundir
        self._next_seq = 1
        self._blobs: set[str] = set()
        self._closed = False

    def append(self, event: Event) -> None:
        if self._closed:
            raise StorageError(f"cannot write an event of run {self._rundir.id}: the log is closed")
        if event.seq != self._next_seq or event.run != self._rundir.id:
            raise ValueError(f"event {event.seq} of run {event.run!r} can't follow: {self._next_seq} is next")
        encode_line(event)
        self._next_seq += 1

    def commit(self) -> None:
        """Do nothing."""

    def commit_beside(self, then: Committed) -> bool:
        """Leave it to `commit`, which takes no time."""
        return False

    def put_blob(self, data: bytes) -> str:
        from pipe_runner.runlog.blobs import write_blob

        return write_blob(self._rundir.blobs, data, durable=False, known=self._blobs)

    def check(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        self._closed = True
