"""Group commit: many events become durable with one fdatasync, and what waits for them is released after it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue

from pipe_runner.ports import Committed, Journal

SLOW_COMMIT = 0.002
"""Seconds from which a commit is made in a thread, so that a slow disk doesn't hold up the loop."""


class GroupCommit:
    """Collects what waits for durability and releases it in batches.

    On a quick disk the commit is made at once, in the loop (a thread costs more than the fdatasync); on a slow one
    beside it, in a thread or by the journal's own means, while the loop goes on and the next batch collects.
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
        self._beside = False
        self._slow_from = slow_from
        self._slow = slow_from <= 0
        self._thread: _Thread | None = None

    @property
    def busy(self) -> bool:
        """Something waits for the disk."""
        return bool(self._waiting) or self._beside

    def add(self, index: int) -> None:
        self._waiting.append(index)

    def soon(self) -> None:
        """Commit when the loop next turns: what else ends until then shares the commit."""
        if not self._scheduled and self._waiting:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def now(self) -> None:
        """Commit what waits, now, unless the disk is slow or a commit is under way already."""
        if not self._waiting or self._beside:
            return
        if self._slow and self._start():
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

    def _start(self) -> bool:
        """Commit beside the loop; False where the system has no thread for it."""
        batch, self._waiting, self._beside = self._waiting, [], True
        then = partial(self._committed, batch)
        if self._journal.commit_beside(then):
            return True
        if self._thread is None:
            try:
                self._thread = _Thread(self._journal.commit)
            except RuntimeError:
                self._waiting, self._beside = batch, False
                return False
        self._thread.commit(then)
        return True

    def _committed(self, batch: list[int], took: float | None, error: BaseException | None) -> None:
        self._beside = False
        if error is not None:
            self._fail(error if isinstance(error, Exception) else RuntimeError(str(error)))
            return
        try:
            if took is None:
                self._waiting[:0] = batch
            else:
                self._slow = took > self._slow_from / 2
                self._release(batch)
            self.now()
        except Exception as failure:
            self._fail(failure)

    def close(self) -> None:
        if self._thread is not None:
            self._thread.close()


class _Thread:
    """Commits one after the other beside the loop. An executor does so too, and takes the loop twice as long."""

    def __init__(self, commit: Callable[[], None]) -> None:
        self._commit = commit
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[tuple[Committed, Context] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def commit(self, then: Committed) -> None:
        """`then` is called in the loop, with the seconds that it took and what it raised."""
        self._asked.put((then, copy_context()))

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            then, context = asked
            error: BaseException | None = None
            began = time.perf_counter()
            try:
                self._commit()
            except BaseException as raised:
                error = raised
            try:
                self._loop.call_soon_threadsafe(then, time.perf_counter() - began, error, context=context)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def close(self) -> None:
        """Wait until the last one is done."""
        self._asked.put(None)
        self._thread.join()
