"""Keeps runs in the order in which they began, also where the clock was set back between two of them.

A file beside the runs says where the last one stands. A run that begins before that, by the clock, stands a moment
behind it. The time of the directory of runs, which was changed when the last run was made, counts, too; whoever removes
runs changes it.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

from pipe_runner.errors import PipeError
from pipe_runner.flags import READ, REWRITE
from pipe_runner.runlog.rundir import LOG, RUNS, RunDir

LAST = "last-run"
"""In the state directory: where the last run stands, as twenty digits, so that it is written over at one stroke."""
_MOMENT = 1000
"""Nanoseconds; times are told in microseconds."""


class Order(NamedTuple):
    """Where a run stands among the others, in nanoseconds since 1970."""

    at: int

    def __str__(self) -> str:
        """RFC 3339, UTC, microseconds, as the times of events."""
        second, rest = divmod(self.at, 10**9)
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{rest // 1000:06}Z"

    def keep(self, rundir: RunDir) -> None:
        """Remember it for the next run; where that can't be done, the clock decides between the two."""
        runs = os.path.dirname(rundir.path)
        path = os.path.join(os.path.dirname(runs), LAST)
        with contextlib.suppress(OSError, OverflowError):
            if _kept(path) < self.at:
                _write(path, b"%020d\n" % self.at)
            os.utime(runs, ns=(self.at, self.at))


def order_of_next(state_dir: str | os.PathLike[str], now_ns: int) -> Order | None:
    """Where a run stands that begins now; None where that is what the clock says, as nearly always."""
    runs = os.path.join(state_dir, RUNS)
    try:
        made = os.stat(runs).st_mtime_ns
    except OSError:
        return None
    last = max(made, _kept(os.path.join(state_dir, LAST)))
    if last <= now_ns:
        return None
    began = _last_beginning(runs, now_ns)  # a run begins a little after its directory was made
    return Order(max(last, began) + _MOMENT)


def _kept(path: str) -> int:
    """Where the last run stood, as the file says; 0 where it says nothing that can be."""
    try:
        fd = os.open(path, READ)
        try:
            digits = os.read(fd, 21)
        finally:
            os.close(fd)
    except OSError:
        return 0
    return int(digits) if len(digits) == 21 and digits[:20].isdigit() else 0


def _write(path: str, text: bytes) -> None:
    fd = os.open(path, REWRITE, 0o666)
    try:
        os.write(fd, text)
    finally:
        os.close(fd)


def _last_beginning(runs: str, now_ns: int) -> int:
    """When the last run began, of those whose logs were written after now; nanoseconds, 0 without any."""
    from pipe_runner.runlog.reader import LogReader

    found = ""
    with contextlib.suppress(OSError):
        for name in os.listdir(runs):
            log = os.path.join(runs, name, LOG)
            try:
                if os.stat(log).st_mtime_ns > now_ns:
                    first = next(iter(LogReader(log, name)), None)
                    found = max(found, "" if first is None else str(first.data.get("order") or first.ts))
            except (OSError, PipeError):
                continue
    try:
        from datetime import datetime

        moment = datetime.fromisoformat(found)
        return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000
    except ValueError:
        return 0
