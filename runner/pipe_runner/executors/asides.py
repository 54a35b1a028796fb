"""Attempts of plugins' agents, each in a task of its own: one that goes on when it is to end is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from pipe_runner.errors import in_seconds
from pipe_runner.ports import Attempt, NodeError, Outcome
from pipe_runner.types import ErrorKind, NodeStatus

_PATIENCE: Final = 1.0
"""Seconds that an attempt has to end, once it is cancelled."""


class Asides:
    """Those of one run, on its event loop."""

    def __init__(self) -> None:
        self._told: dict[asyncio.Task[Any], asyncio.Future[str]] = {}
        self._left: dict[str, asyncio.Task[Any]] = {}
        """Those left behind, by their nodes."""
        self.busy = False
        """One was left behind, which nothing could end."""

    async def perform(self, coming: Coroutine[Any, Any, Outcome], attempt: Attempt) -> Outcome:
        """How the attempt ended, by itself or in vain."""
        loop = asyncio.get_running_loop()
        task: Any = loop.create_task(_caught(coming))
        told = self._told[task] = loop.create_future()
        try:
            await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task}, timeout=_PATIENCE)
            raise
        finally:
            del self._told[task]
            if not task.done():
                self.busy, task._log_destroy_pending = True, False
                self._left[attempt.node] = task
                asyncio.tasks._unregister_task(task)  # else the loop's end would wait for it
        if task.done():
            ended = task.result()
            if isinstance(ended, BaseException):
                raise ended
            return ended  # type: ignore[no-any-return]
        why = f"agent {attempt.agent} goes on all the same"
        if told.result() != "timeout":
            return Outcome(NodeStatus.CANCELLED, error=NodeError(ErrorKind.CANCELLED, f"the run was stopped; {why}"))
        message = f"timed out after {in_seconds(attempt.timeout or 0)}; {why}"
        return Outcome(NodeStatus.FAILED, error=NodeError(ErrorKind.TIMEOUT, message))

    async def wait_for_earlier(self, node: str) -> None:
        """Two attempts of a node never overlap (D4): wait for the one that was left behind."""
        left = self._left.get(node)
        if left is not None and not left.done():
            try:
                await asyncio.wait({left})
            except asyncio.CancelledError as cancelled:
                cancelled.add_note("the attempt before it goes on still, and two never do at once")
                raise

    def ending(self, task: asyncio.Task[Any], why: str) -> None:
        """The task was cancelled: `timeout`, or `stop`; any other is none of these."""
        told = self._told.get(task)
        if told is not None:
            asyncio.get_running_loop().call_later(_PATIENCE, _tell, told, why)


async def _caught(coming: Coroutine[Any, Any, Outcome]) -> Outcome | BaseException:
    """With what would end the loop as a value."""
    try:
        return await coming
    except (SystemExit, KeyboardInterrupt) as error:
        return error


def _tell(told: asyncio.Future[str], why: str) -> None:
    if not told.done():
        told.set_result(why)
