"""Keeps runs in the order in which they began, also where the clock was set back between two of them.

The directory of runs was changed when the last run was made, and remembers when. A run that begins before that, by the
clock, stands a moment behind it in the order, and leaves that moment as the directory's time.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

from pipe_runner.errors import PipeError
from pipe_runner.runlog.rundir import LOG, RUNS, RunDir

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
        with contextlib.suppress(OSError, OverflowError):
            os.utime(os.path.dirname(rundir.path), ns=(self.at, self.at))


def order_of_next(state_dir: str | os.PathLike[str], now_ns: int) -> Order | None:
    """Where a run stands that begins now; None where that is what the clock says, as nearly always."""
    runs = os.path.join(state_dir, RUNS)
    try:
        last = os.stat(runs).st_mtime_ns
    except OSError:
        return None
    if last <= now_ns:
        return None
    began = _last_beginning(runs, now_ns)  # a run begins a little after its directory was made
    return Order(max(last, began) + _MOMENT)


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
