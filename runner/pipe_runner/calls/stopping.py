"""Attempts that wait for a model, so that a stop needn't wait for them: a call has nothing to clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Askers:
    """Who waits for a model now, by the tasks of their attempts."""

    def __init__(self) -> None:
        self._inside: set[asyncio.Task[Any] | None] = set()
        self._ends: dict[asyncio.Task[Any] | None, Callable[[], None]] = {}
        """Of attempts that were told to end while they did something else."""

    async def inside(self, asking: Coroutine[Any, Any, T]) -> T:
        """What `asking` gives; it doesn't begin where the attempt has to end."""
        task = asyncio.current_task()
        self._inside.add(task)
        try:
            end = self._ends.pop(task, None) if self._ends else None
            if end is not None:
                end()
                await asyncio.sleep(0)  # where it is cancelled
            return await asking
        finally:
            self._inside.discard(task)
            asking.close()

    def hurry(self, task: asyncio.Task[Any], end: Callable[[], None]) -> None:
        """The attempt of this task has to end: `end` is called now if it waits for a model, or when it is about to."""
        if task in self._inside:
            end()
        else:
            self._ends[task] = end
