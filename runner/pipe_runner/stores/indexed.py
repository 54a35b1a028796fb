"""An index of the runs in sqlite: only ever derived, so that any trouble with it means to do without.

A row is believed as long as size, modification time and inode of its log are what they were when it was written.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipe_runner.ports import RunSummary
from pipe_runner.stores.scan import UNREADABLE, ScanStore, beginning, newest_first, place, summarise

INDEX: Final = "index.db"
_TABLE: Final = "CREATE TABLE runs (run TEXT PRIMARY KEY, log TEXT NOT NULL, summary TEXT NOT NULL) WITHOUT ROWID"
"""Also what tells our index from that of another version: one of another shape is made anew."""
_PATIENCE: Final = 0.2
"""Seconds to wait for another process that writes the index."""


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "finished_at": (str, type(None)),
    "duration_s": (int, float, type(None)),
    **dict.fromkeys(("nodes", "succeeded", "failed", "attempt"), (int,)),
}
"""Of the fields of a row that aren't text."""


class IndexedStore(ScanStore):
    """The RunStore that folds only the logs which have changed since it, or another process, saw them."""

    def __init__(self, state_dir: str | os.PathLike[str]) -> None:
        super().__init__(state_dir)
        self.index = os.path.join(os.path.abspath(state_dir), INDEX)
        self._connection: sqlite3.Connection | None = None

    def runs(self, limit: int | None = None) -> Sequence[RunSummary]:
        """Of logs that have changed those of the newest alone are folded; of others only when they began is read."""
        if limit is None:
            return newest_first(self.summaries())
        logs = self.logs()
        known = self._load() if logs else {}
        places: dict[str, tuple[str, str]] = {}
        for run, log in logs.items():
            row = known.get(run)
            places[run] = place(row[1]) if row is not None and row[0] == log else place(beginning(self.runs_dir, run))
        newest = sorted(logs, key=places.__getitem__, reverse=True)[:limit]
        return newest_first(self._summaries(newest, logs, known))

    def summaries(self) -> list[RunSummary]:
        logs = self.logs()
        return self._summaries(logs, logs, self._load() if logs else {})

    def _summaries(
        self, runs: Iterable[str], logs: Mapping[str, str], known: Mapping[str, tuple[str, RunSummary]]
    ) -> list[RunSummary]:
        """Those of some runs; `logs` are all that there are, `known` what the index holds."""
        found: dict[str, RunSummary] = {}
        changed: list[RunSummary] = []
        for run in runs:
            log, row = logs[run], known.get(run)
            if row is not None and row[0] == log:
                found[run] = row[1]
            else:
                found[run] = summarise(self.runs_dir, run)
                if found[run].status != UNREADABLE:
                    changed.append(found[run])
        gone = known.keys() - logs.keys()
        if changed or gone:
            self._save([(summary.run, logs[summary.run], summary) for summary in changed], gone)
        return list(found.values())

    def close(self) -> None:
        """Close the index; again does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _load(self) -> dict[str, tuple[str, RunSummary]]:
        """What the index holds; nothing if it can't be used, and then it is made anew if that is possible."""
        try:
            return self._rows()
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            self.close()
            if not isinstance(error, sqlite3.OperationalError):  # that would be locked, not permitted, disk full …
                self._remove()
            return {}

    def _rows(self) -> dict[str, tuple[str, RunSummary]]:
        connection = self._open()
        shape = connection.execute("SELECT sql FROM sqlite_master").fetchall()
        if not shape:
            return {}
        if shape != [(_TABLE,)]:
            raise sqlite3.DatabaseError("an index of another version")
        rows = connection.execute("SELECT run, log, summary FROM runs").fetchall()
        return {run: (log, _row(run, summary)) for run, log, summary in rows}

    def _save(self, changed: Iterable[tuple[str, str, RunSummary]], gone: Iterable[str]) -> None:
        rows = [(run, log, json.dumps(summary._asdict())) for run, log, summary in changed]
        with contextlib.suppress(sqlite3.Error):
            connection = self._open()
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_TABLE.replace("TABLE", "TABLE IF NOT EXISTS", 1))
                connection.executemany("DELETE FROM runs WHERE run = ?", [(run,) for run in gone])
                connection.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISREG(os.lstat(self.index).st_mode):
                    raise sqlite3.OperationalError("the index is no regular file")
            self._connection = sqlite3.connect(self.index, timeout=_PATIENCE, isolation_level=None)
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")  # what a power cut spoils is made anew
        return self._connection

    def _remove(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(self.index + suffix)


def _row(run: str, text: str) -> RunSummary:
    """A run's row of the index; raises ValueError or TypeError for what can't be it."""
    row = RunSummary(**json.loads(text))
    if row.run != run:
        raise ValueError("a row of another run")
    for name, value in zip(row._fields, row, strict=True):
        if type(value) not in _TYPES.get(name, (str,)):
            raise TypeError(f"`{name}` of a row has the wrong type")
    return row
