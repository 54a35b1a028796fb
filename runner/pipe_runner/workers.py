"""A few workers that take nodes from a heap, the longest way to the end first.

A task of the event loop for each node would cost several times what a quick node does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Sized
from heapq import heappop, heappush
from typing import Final, Protocol

import anyio
import anyio.abc

from pipe_runner.plan import PlannedNode
from pipe_runner.ports import Clock

LONGEST_STRETCH = 0.005
"""Seconds that nodes which never wait may keep the loop from signals, timers and the console."""

_PLACES: Final = 2**32
"""More than a plan has nodes. Priority and place in one number: a heap of pairs takes twice as long."""


class Host(Protocol):
    """Whose nodes they are."""

    failure: Exception | None
    """Nothing more is begun once there is one."""

    async def attempt(self, node: PlannedNode) -> None:
        """Perform the node's next attempt."""

    def settle(self) -> None:
        """There is nothing to take: see whether there is, once all that waits for the disk is durable."""

    def drain(self) -> None:
        """Decide what was released."""

    def fail(self, error: Exception) -> None: ...


class Workers:
    """At most `limit` of them, woken as there is work for them.

    `nodes` is the scheduler's list; `released` are those of them that wait to be decided.
    """

    def __init__(self, host: Host, limit: int, nodes: Sequence[PlannedNode], released: Sized, clock: Clock) -> None:
        self._host, self._limit, self._nodes, self._released, self._clock = host, limit, nodes, released, clock
        self.group: anyio.abc.TaskGroup | None = None
        """Where they run; None between phases."""
        self.in_flight: set[int] = set()
        self._ready: list[int] = []
        """A number for each node: less for a longer way to the end, then for an earlier place."""
        self._parked: list[asyncio.Future[None]] = []
        self._count = self._looking = 0
        self._waking = False
        self._last_turn = 0.0

    def begin(self, group: anyio.abc.TaskGroup) -> None:
        """A phase begins: with no worker yet."""
        self.group = group
        self._count = 0
        self._last_turn = self._clock.monotonic()

    def end(self) -> None:
        self.group = None

    def push(self, node: PlannedNode) -> None:
        """Let a worker take it, in its turn."""
        heappush(self._ready, node.index - node.priority * _PLACES)

    def clear(self) -> None:
        """Let none of those be taken that wait."""
        self._ready.clear()

    def forget(self) -> None:
        """Those that were parked are gone with the phase."""
        self._parked.clear()

    def wake(self) -> None:
        """Have enough workers awake for what is ready; a worker that is just deciding looks by itself.

        One in each turn of the loop: of a hundred at once none would have sent what it asks for before all had made it.
        """
        if self._waking or len(self._ready) <= self._looking:
            return
        while self._parked:
            parked = self._parked.pop()
            if not parked.done():
                parked.set_result(None)
                break
        else:
            if self._count >= self._limit or self.group is None:
                return
            self._count += 1
            self.group.start_soon(self._work)
        self._waking = True
        asyncio.get_running_loop().call_soon(self._wake_next)

    def _wake_next(self) -> None:
        self._waking = False
        self.wake()

    @property
    def can_begin(self) -> bool:
        """A worker takes what is ready now, or would; those that run a sub-pipeline have none."""
        return sum(self._nodes[index].pipeline is None for index in self.in_flight) < self._limit

    @property
    def any_ready(self) -> bool:
        return bool(self._ready)

    async def _work(self) -> None:
        host, nodes, monotonic = self._host, self._nodes, self._clock.monotonic
        ready, in_flight = self._ready, self.in_flight
        try:
            while host.failure is None:
                if not ready:
                    self._looking = 1
                    host.settle()
                    self._looking = 0
                if not ready:
                    parked = asyncio.get_running_loop().create_future()
                    self._parked.append(parked)
                    await parked
                    continue
                index = heappop(ready) % _PLACES
                in_flight.add(index)
                try:
                    await host.attempt(nodes[index])
                finally:
                    in_flight.discard(index)
                self._looking = 1
                if self._released:
                    host.drain()
                if self._parked or self._count < self._limit:
                    self.wake()
                self._looking = 0
                if monotonic() - self._last_turn > LONGEST_STRETCH:
                    await asyncio.sleep(0)
                    self._last_turn = monotonic()
        except Exception as error:
            host.fail(error)
