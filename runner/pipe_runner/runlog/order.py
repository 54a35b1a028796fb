"""Keeps runs in the order in which they began, also where the clock was set back between two of them.

The directory of runs was changed when the last run was made, and remembers when. A run that begins before that, by the
clock, stands a moment behind it in the order, and leaves that moment as the directory's time.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

from pipe_runner.runlog.rundir import RUNS, RunDir

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
    try:
        last = os.stat(os.path.join(state_dir, RUNS)).st_mtime_ns
    except OSError:
        return None
    return Order(last + _MOMENT) if last > now_ns else None
