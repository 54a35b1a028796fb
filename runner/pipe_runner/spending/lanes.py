"""Calls that wait for budgets: those that wait for the same ones in a lane, so that a look at all costs a look at each
lane's first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from pipe_runner.spending.scopes import Scope
from pipe_runner.spent import SetAside

_FEW: Final = 64
"""Calls of which it doesn't matter whether they are still kept once they wait no more."""


class Waiting:
    """A call that has not been let out. `take` writes what is set aside for it, and gives the call's name."""

    __slots__ = ("go", "most", "number", "scopes", "take")

    def __init__(self, number: int, scopes: Sequence[Scope], most: SetAside, take: Callable[[], str]) -> None:
        self.number, self.scopes, self.most, self.take = number, scopes, most, take
        """Calls that came earlier have lower numbers."""
        self.go: asyncio.Future[str] = asyncio.get_running_loop().create_future()


class Lane:
    """Those that wait for the same budgets, in the order in which they came."""

    def __init__(self) -> None:
        self._queue: deque[Waiting] = deque()
        self._by_tokens: list[tuple[int, int, Waiting]] = []
        self._by_cost: list[tuple[int, int, Waiting]] = []
        """The largest first."""
        self._room = _FEW

    def add(self, waiting: Waiting) -> None:
        if max(len(self._by_tokens), len(self._by_cost)) >= self._room:
            self._forget()
        self._queue.append(waiting)
        heappush(self._by_tokens, (-waiting.most.tokens, waiting.number, waiting))
        heappush(self._by_cost, (-(waiting.most.cost or 0), waiting.number, waiting))

    def _forget(self) -> None:
        """Drop those that wait no more, wherever they stand, so that a lane which is never empty holds few of them."""
        self._queue = deque(one for one in self._queue if not one.go.done())
        for heap in (self._by_tokens, self._by_cost):
            heap[:] = [one for one in heap if not one[2].go.done()]
            heapify(heap)
        self._room = 2 * max(len(self._by_tokens), len(self._by_cost)) + _FEW

    @property
    def first(self) -> Waiting | None:
        """The one whose turn it is; those that wait no more are dropped."""
        queue = self._queue
        while queue and queue[0].go.done():
            queue.popleft()
        return queue[0] if queue else None

    def largest(self) -> Iterator[Waiting]:
        """Those that may use the most tokens, and those that may cost the most, down to one who still waits then."""
        for heap in (self._by_tokens, self._by_cost):
            while heap:
                waiting = heap[0][2]
                if not waiting.go.done():
                    yield waiting
                if not waiting.go.done():
                    break
                heappop(heap)


class Lanes:
    """All that wait."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, ...], Lane] = {}
        self._count = 0

    def add(self, scopes: Sequence[Scope], most: SetAside, take: Callable[[], str]) -> Waiting:
        self._count += 1
        waiting = Waiting(self._count, scopes, most, take)
        key = tuple(scope.key for scope in scopes)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane()
        lane.add(waiting)
        return waiting

    def all(self) -> list[Lane]:
        """Those in which somebody waits."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.first is not None}
        return list(self._lanes.values())

    def in_order(self) -> Iterator[Waiting]:
        """Who is first in a lane, in the order in which they came; behind one who still waits then, nobody of its
        lane."""
        turns = [(first.number, lane) for lane in self.all() if (first := lane.first) is not None]
        heapify(turns)
        while turns:
            _, lane = heappop(turns)
            first = lane.first
            if first is not None:
                yield first
                if first.go.done() and (following := lane.first) is not None:
                    heappush(turns, (following.number, lane))
