"""Attempts that are performed within another one of the same node, by other agents."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from pipe_runner.ports import Attempt, Outcome

LEAST: Final = 0.001
"""Seconds that an attempt gets at least: its time is up then, too."""


def in_time_left(inner: Attempt, timeout: float | None, passed: float) -> Attempt:
    """The inner attempt, in what is left of the outer one's `timeout` when `passed` seconds of it have passed."""
    return inner if timeout is None else inner._replace(timeout=max(timeout - passed, LEAST))


async def apart(performing: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The outcome, from a task of its own: the executor keeps time by tasks, and this one's is the node's."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(performing)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return task.result()
