"""Keeps the cache within `limits.cache`, whoever else stores in it meanwhile."""

from __future__ import annotations

import contextlib
from typing import Final

from pipe_runner.aside import aside
from pipe_runner.resultcache.entries import Entries

_LOW: Final = 0.9
"""Of the bound: what is left when something goes, so that all is not counted again for the next result."""
_PATIENCE: Final = 1.0
"""Seconds that something which has to go waits for those that use the cache."""


class Bound:
    """One for all of a run that store. What was used least recently goes where there is too much.

    Whoever has stored something that is too much either removes it or knows that the one who removes looks once more
    afterwards; whoever gave up, since others used the cache all the time, looks again at the end of the run, as those
    others do at the end of theirs. So all of them together leave no more than the bound, in whatever order they end.
    """

    def __init__(self, entries: Entries, most: int) -> None:
        self.most = most
        self._entries = entries
        self._busy = False

    async def stored(self, total: int | None) -> None:
        """Something was stored, and now there are that many bytes, or nobody knows how many. Raises OSError."""
        if self._busy or (total is not None and total <= self.most):
            return
        self._busy = True
        try:
            over = True
            while over:
                await self._shrink()
                total = self._entries.room.add(0)
                over = total is not None and total > self.most
        except BlockingIOError:  # others are at it: the next result tries again, or the end of the run
            pass
        finally:
            self._busy = False

    async def end(self) -> None:
        """The run that used the cache is over; what can't be removed stays, as its results do."""
        with contextlib.suppress(OSError):
            self._entries.sweep()
        total = self._entries.room.add(0)
        if total is not None:
            try:
                await self.stored(total)
            except OSError:
                pass

    async def _shrink(self) -> None:
        shrink, most = self._entries.shrink, self.most
        await aside(lambda: shrink(most, down_to=int(most * _LOW), patience=_PATIENCE))
