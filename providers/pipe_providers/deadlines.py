"""Bounds what many calls wait for by one timer of the loop: one for each would be put into its heap, and out again."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadlines:
    """Those of the calls of one wire. For one event loop."""

    def __init__(self) -> None:
        self._bounds: set[Bound] = set()
        self._timer: asyncio.TimerHandle | None = None

    def by(self, when: float | None) -> Bound:
        """To be entered with `with`: what is awaited in it ends with TimeoutError then, on the loop's clock."""
        return Bound(self, when)

    def add(self, bound: Bound, when: float) -> None:
        self._bounds.add(bound)
        if self._timer is None or when < self._timer.when():
            self._wait(when)

    def _wait(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        now, self._timer = asyncio.get_running_loop().time(), None
        for bound in sorted([one for one in self._bounds if one.when <= now], key=lambda one: one.when):
            self._bounds.discard(bound)
            bound.cancel()
        if self._bounds:
            self._wait(min(bound.when for bound in self._bounds))

    def discard(self, bound: Bound) -> None:
        self._bounds.discard(bound)

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Bound:
    """Of one wait, as `asyncio.timeout_at`."""

    __slots__ = ("_all", "_before", "_over", "_task", "when")

    def __init__(self, all: Deadlines, when: float | None) -> None:
        self._all, self.when = all, float("inf") if when is None else when
        self._over = False

    def __enter__(self) -> None:
        if self.when == float("inf"):
            return
        task = asyncio.current_task()
        assert task is not None
        self._task, self._before = task, task.cancelling()
        self._all.add(self, self.when)

    def cancel(self) -> None:
        """It is time."""
        self._over = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._over:
            self._all.discard(self)
        elif self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error
