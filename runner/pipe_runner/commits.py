"""Group commit: many events become durable with one fdatasync, and what waits for them is released after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pipe_runner.ports import Journal

SLOW_COMMIT = 0.002
"""Seconds from which a commit is made in a thread, so that a slow disk doesn't hold up the loop."""


class GroupCommit:
    """Collects what waits for durability and releases it in batches.

    On a quick disk the commit is made at once, in the loop (a thread costs more than the fdatasync); on a slow one in
    a thread, while the loop goes on and the next batch collects.
    """

    def __init__(
        self,
        journal: Journal,
        release: Callable[[list[int]], None],
        fail: Callable[[Exception], None],
        *,
        slow_from: float = SLOW_COMMIT,
    ) -> None:
        """`slow_from`: seconds from which a disk counts as slow; 0: always."""
        self._journal = journal
        self._release = release
        self._fail = fail
        self._waiting: list[int] = []
        self._scheduled = False
        self._in_thread = False
        self._slow_from = slow_from
        self._slow = slow_from <= 0
        self._pool: ThreadPoolExecutor | None = None

    @property
    def busy(self) -> bool:
        """Something waits for the disk."""
        return bool(self._waiting) or self._in_thread

    def add(self, index: int) -> None:
        self._waiting.append(index)

    def soon(self) -> None:
        """Commit when the loop next turns: what else ends until then shares the commit."""
        if not self._scheduled and self._waiting:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def now(self) -> None:
        """Commit what waits, now, unless the disk is slow or a commit is under way already."""
        if not self._waiting or self._in_thread:
            return
        if self._slow:
            self._start_thread()
            return
        batch, self._waiting = self._waiting, []
        began = time.perf_counter()
        self._journal.commit()
        self._slow = time.perf_counter() - began > self._slow_from
        self._release(batch)

    def _turn(self) -> None:
        self._scheduled = False
        try:
            self.now()
        except Exception as error:
            self._fail(error)

    def _start_thread(self) -> None:
        self._in_thread = True
        batch, self._waiting = self._waiting, []
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="commit")
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._timed_commit)
        future.add_done_callback(lambda done: self._committed(done, batch))

    def _timed_commit(self) -> float:
        began = time.perf_counter()
        self._journal.commit()
        return time.perf_counter() - began

    def _committed(self, done: asyncio.Future[float], batch: list[int]) -> None:
        self._in_thread = False
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._fail(error if isinstance(error, Exception) else RuntimeError(str(error)))
            return
        self._slow = done.result() > self._slow_from / 2
        try:
            self._release(batch)
            self.now()
        except Exception as failure:
            self._fail(failure)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
