"""Lets calls go on one by one, where many could in the same moment."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """One call in each turn of the event loop; who comes first is first.

    A loop does for all that are ready what is next, and then for all what comes after that: of a hundred calls that are ready at
    once, none is sent before all are made, they are answered at once, too, and so it stays. One by one, the first is on its
    way while others are made, and answers come when there is time for them.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for a turn that no other call has."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            loop.call_soon(self._next, loop)
            return
        mine = loop.create_future()
        self._waiting.append(mine)
        await mine

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                loop.call_soon(self._next, loop)
                return
        self._taken = False
