"""A clock on which nobody waits: when all that could happen now has happened, it jumps to whoever wakes first."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush

from pipe_runner.testing import FakeClock

_TURNS = 4
"""Turns of the loop in which what needs no time comes to its end before the clock jumps."""


class JumpingClock(FakeClock):
    """Sleepers wake in the order of their times, each at its time; time stands still in between."""

    def __init__(self) -> None:
        super().__init__()
        self._asleep: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._turning = False

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        loop = asyncio.get_running_loop()
        awake = loop.create_future()
        self._count += 1
        heappush(self._asleep, (self.seconds + seconds, self._count, awake))
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn, _TURNS)
        await awake

    def _turn(self, left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(self._turn, left - 1)
            return
        while self._asleep:
            at, _, awake = heappop(self._asleep)
            if not awake.done():
                self.advance(max(at - self.seconds, 0.0))
                awake.set_result(None)
                break
        self._turning = bool(self._asleep)
        if self._turning:
            asyncio.get_running_loop().call_soon(self._turn, _TURNS)
