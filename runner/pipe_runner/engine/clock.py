"""The clock of the system."""

from __future__ import annotations

import time


class SystemClock:
    """Wall time for timestamps, the monotonic clock for everything that waits."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
