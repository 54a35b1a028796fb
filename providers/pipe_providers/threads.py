"""Threads for a client that blocks: as many as there are calls, up to a bound; none holds the program up at its end."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")
IDLE: Final = 30.0
"""Seconds after which a thread without work ends."""


class Threads:
    """Daemon threads, so that one which waits for a service doesn't keep the process; made when they are needed."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._waiting: deque[Callable[[], None]] = deque()
        self._there, self._idle = 0, 0
        self._changed = threading.Condition()
        self._closed = False

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have a thread perform it; what it returns or raises is the future's. A future that was cancelled before its
        work began never begins."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def perform() -> None:
            if future.cancelled():
                return
            try:
                result, error = work(), None
            except BaseException as raised:
                result, error = None, raised
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                pass  # the loop is gone, and with it whoever waited

        with self._changed:
            self._waiting.append(perform)
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._there < self._most:
                self._there += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def close(self) -> None:
        """Threads end when all is done that was asked of them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting and not self._closed:
                    self._idle += 1
                    self._changed.wait(IDLE)
                    self._idle -= 1
                if not self._waiting:
                    self._there -= 1
                    return
                perform = self._waiting.popleft()
            perform()
            del perform  # it holds a request and its answer


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
