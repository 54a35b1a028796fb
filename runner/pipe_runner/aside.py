"""Work that waits, done beside the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def aside(work: Callable[[], Result]) -> Result:
    """What the work gives or raises; where the system has no thread for it the loop does it, and waits so long."""
    from asyncio import to_thread

    begun = done_here = False

    def perform() -> Result:
        nonlocal begun
        begun = True
        if done_here:
            raise RuntimeError("it was done in the loop")
        return work()

    try:
        return await to_thread(perform)
    except RuntimeError:
        if begun:
            raise
        done_here = True  # asyncio keeps it all the same, for the next thread that there is
    return work()
