"""The clock of the system."""

from __future__ import annotations

import time


class SystemClock:
    """Wall time for timestamps, the monotonic clock for everything that waits."""

    # The functions themselves: they are called several times for each node.
    now_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
