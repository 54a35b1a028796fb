"""What the nodes of a pipeline gave in its earlier runs, from their logs; bounded, and read when it is asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Final, NamedTuple

from pipe_runner.errors import PipeError, StorageError
from pipe_runner.ports import Earlier, Event
from pipe_runner.run import Run
from pipe_runner.runlog.blobs import read_blob
from pipe_runner.runlog.lines import MAX_LINE, BadLine, decode_line
from pipe_runner.runlog.reader import LogReader, fold_into, open_log
from pipe_runner.runlog.rundir import RunDir
from pipe_runner.stores import open_store
from pipe_runner.stores.scan import DAMAGED, UNREADABLE
from pipe_runner.types import EventKind, Json, NodeStatus

LAST: Final = 20
"""Runs of the pipeline that are looked at."""
_MOST_BYTES: Final = 256 * 2**20
"""Of all logs that are read."""
_LARGEST: Final = 16 * 2**20
"""Bytes of an output that is given."""
_GAVE: Final = frozenset({EventKind.NODE_SUCCEEDED, EventKind.NODE_FAILED, EventKind.NODE_CACHED})


class _Place(NamedTuple):
    """Where a log says that a node has succeeded."""

    at: int
    """Byte offset of the line."""
    seq: int
    ts: str


class EarlierRuns:
    """The runs of one pipeline file before another of it. Each log is read once, and not before a node is looked for
    that no newer one has. May be called from any thread."""

    def __init__(self, state_dir: str, path: str, run: str) -> None:
        """`path`: what logs call the file; `run`: the one that asks, which doesn't count."""
        self._state_dir, self._path, self._run = state_dir, path, run
        self._lock = threading.Lock()
        self._read: list[tuple[RunDir, dict[str, _Place]]] = []
        self._unread: Iterator[RunDir] | None = None

    def of(self, node: str) -> Earlier | None:
        """What a node or an item gave when it last succeeded; raises nothing: what can't be read is passed over."""
        with self._lock:
            for rundir, places in self._all():
                place = places.get(node)
                if place is None:
                    continue
                try:
                    return Earlier(rundir.id, place.ts, _output(rundir, place))
                except (PipeError, BadLine, OSError, KeyError, TypeError, ValueError, AttributeError):
                    continue
        return None

    def _all(self) -> Iterator[tuple[RunDir, dict[str, _Place]]]:
        """Those that were read, then the others as they are."""
        yield from self._read
        if self._unread is None:
            self._unread = self._found()
        for rundir in self._unread:
            try:
                places = _places(rundir)
            except (PipeError, OSError):
                continue
            self._read.append((rundir, places))
            yield rundir, places

    def _found(self) -> Iterator[RunDir]:
        """The runs of the pipeline, newest first."""
        store = open_store(self._state_dir)
        try:
            runs = store.runs()
        except PipeError:
            return
        finally:
            store.close()
        others = [one for one in runs if one.path == self._path and one.run != self._run]
        size = 0
        for one in others[:LAST]:
            if one.status in (DAMAGED, UNREADABLE):
                continue
            try:
                rundir = RunDir.open(self._state_dir, one.run)
                size += os.lstat(rundir.log_path).st_size
            except (PipeError, OSError):
                continue
            if size > _MOST_BYTES:
                return
            yield rundir


class _Successes:
    """A run, folded without what its nodes gave, and where the log has that."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self.run = Run()
        self.places: dict[str, _Place] = {}

    def apply(self, event: Event) -> None:
        if event.event in _GAVE:
            if event.event == EventKind.NODE_SUCCEEDED and event.node is not None:
                self.places[event.node] = _Place(self._reader.at, event.seq, event.ts)
            event = event._replace(data={name: value for name, value in event.data.items() if name != "output"})
        self.run.apply(event)


def _places(rundir: RunDir) -> dict[str, _Place]:
    """Of each node that has succeeded, as far as that counts at the end of the log; raises PipeError."""
    reader = LogReader(rundir.log_path, rundir.id)
    found = fold_into(_Successes(reader), reader)
    counts = {}
    for node, place in found.places.items():
        state = found.run.known(node)
        if state.status is NodeStatus.SUCCEEDED and state.ended_at == place.ts:
            counts[node] = place
    return counts


def _output(rundir: RunDir, place: _Place) -> Json:
    """What the line at that place says the node gave; raises PipeError, and what damaged lines raise."""
    with open_log(rundir.log_path) as file:
        file.seek(place.at)
        line = file.readline(MAX_LINE + 1)
    data = decode_line(line.removesuffix(b"\n"), rundir.id, place.seq).data
    if "output_ref" not in data:
        output: Json = data["output"]
        return output
    ref = data["output_ref"]
    if ref["bytes"] > _LARGEST:
        raise StorageError(f"{rundir.log_path}: an output of {ref['bytes']} bytes is more than is given")
    return read_blob(rundir, ref)
