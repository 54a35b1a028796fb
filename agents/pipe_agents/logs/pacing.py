"""How much of each file is read in an attempt with a time-out: what there is time for, and of each of them some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LEAST_TIMEOUT: Final = 5.0
"""Seconds: with less the attempt just ends."""
PART: Final = 0.6
"""The part of the time-out that is for reading; the rest is for all else, and for a machine that gets busier."""
SMALL: Final = 4 << 20
"""Bytes that are read without asking how long they take, while there is time."""
LEAST: Final = 1 << 18
CAREFUL: Final = 0.8


def deadline(began: float, timeout: float | None) -> float | None:
    """Until when there is time to read, by the monotonic clock; None: for ever."""
    return began + PART * timeout if timeout is not None and timeout >= LEAST_TIMEOUT else None


class Pace:
    """Shares the time among files by their size."""

    def __init__(self, now: Callable[[], float], end: float | None, planned: int) -> None:
        self._now, self._end, self._planned = now, end, planned

    @property
    def over(self) -> bool:
        return self._end is not None and self._now() >= self._end

    def most(self, planned: int, measure: Callable[[], float]) -> int | None:
        """How many bytes of the next file there is time for; None: all of it. `measure`: its bytes for a second."""
        all_planned = max(self._planned, planned)
        self._planned -= planned
        if self._end is None:
            return None
        left = self._end - self._now()
        if left <= 0:
            return 0
        if planned <= SMALL:
            return None
        allowed = CAREFUL * measure() * left * planned / all_planned
        return None if allowed >= planned else max(int(allowed), LEAST)
