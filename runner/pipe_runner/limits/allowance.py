"""So much of something in a minute: requests, tokens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

MINUTE: Final = 60.0


class Allowance:
    """Refills evenly, up to what a minute has; who comes first is served first.

    `per_minute` units; more than that at once is taken as that. `now` is a clock in seconds that never jumps.
    """

    def __init__(self, per_minute: float, now: Callable[[], float]) -> None:
        self._most = per_minute
        self._each = per_minute / MINUTE
        self._now = now
        self._left = per_minute
        self._at = now()
        self._turn = asyncio.Lock()
        self._more = asyncio.Event()

    async def take(self, units: float) -> float:
        """Take so many, and say how many these are; waits until they are there."""
        units = min(units, self._most)
        async with self._turn:
            while (lack := units - self._level()) > 0:
                self._more.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(lack / self._each + 0.001):
                        await self._more.wait()
            self._left -= units
            return units

    def give_back(self, units: float) -> None:
        """What was taken and not used."""
        self._left = min(self._most, self._level() + max(units, 0.0))
        self._more.set()

    def _level(self) -> float:
        now = self._now()
        self._left = min(self._most, self._left + (now - self._at) * self._each)
        self._at = now
        return self._left
