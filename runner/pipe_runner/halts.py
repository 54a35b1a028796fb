"""Work in a thread that ends when its time is up or the run stops, which nothing can do to a thread from outside."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, Final

LEAST: Final = 0.05
"""Seconds that there are at least: what ended in time may be heard of late."""
_LINGER: Final = 1.0
"""Seconds after which one that doesn't look is left behind, such as one that waits for a disk."""


class Halted(Exception):
    """Work was told to end: the run stops."""


class Late(Halted):
    """Its time was up."""


def is_stop(error: BaseException) -> bool:
    """Somebody has cancelled the task; what an agent cancels by itself raises the same exception."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


class Halt:
    """For one piece of work, which looks at `halted` again and again. Lives on one event loop."""

    def __init__(self, seconds: float | None) -> None:
        """It has so many seconds; None: all the time that it wants."""
        self.late = False
        """Its time was up."""
        self.stopped = False
        self._ended: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        if seconds is not None:
            self._timers.append(self._loop.call_later(max(seconds, LEAST), self._too_late))

    def halted(self) -> bool:
        """Whether the work is to end. From any thread."""
        return self.late or self.stopped

    def stop(self, grace: float) -> None:
        """End it once so many seconds have passed."""
        if grace > 0:
            self._timers.append(self._loop.call_later(grace, self._stop))
        else:
            self._stop()

    async def run(self, work: Callable[[], Any]) -> Any:
        """What the work gives or raises; Late and Halted also where it was left behind."""
        loop = self._loop
        self._ended = ended = loop.create_future()
        found: list[Any] = []
        fault: list[BaseException] = []

        def perform() -> None:
            try:
                found.append(work())
            except BaseException as error:
                fault.append(error)
            with contextlib.suppress(RuntimeError):  # the loop is closed: it was left behind
                loop.call_soon_threadsafe(self._let_go)

        # A daemon: at the end of the process nobody waits for it.
        threading.Thread(target=perform, name="pipe-copying", daemon=True).start()
        try:
            await ended
        finally:
            for timer in self._timers:
                timer.cancel()
            if not ended.done():  # nobody waits for it any more
                self.stopped = True
        if found:
            return found[0]
        if fault and not isinstance(fault[0], Halted):
            raise fault[0]
        raise Late if self.late else Halted

    def _too_late(self) -> None:
        if not self.stopped:
            self.late = True
            self._linger()

    def _stop(self) -> None:
        if not self.late:
            self.stopped = True
            self._linger()

    def _linger(self) -> None:
        self._timers.append(self._loop.call_later(_LINGER, self._let_go))

    def _let_go(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
