"""The bus as one attempt has it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pipe_runner.bus.cursor import last_messages
from pipe_runner.bus.reading import Reader, Subscription
from pipe_runner.bus.topics import check_pattern
from pipe_runner.errors import NodeFault
from pipe_runner.messages import Message
from pipe_runner.types import ErrorKind, Json

if TYPE_CHECKING:
    from pipe_runner.bus.hub import Hub

MOST_SUBSCRIPTIONS: Final = 100
"""Of one attempt at a time: each holds the log open."""
MOST_GIVEN: Final = 100_000
"""Messages of one history."""


class AttemptBus:
    """What the port Bus promises, but for `environment`, which needs none of it."""

    def __init__(self, hub: Hub, node: str, attempt: int) -> None:
        self._hub = hub
        self._party = hub.enter(node, attempt)
        self._turns: dict[str, Reader] = {}
        """By pattern: where those stand that take messages one by one."""
        self._locks: dict[str, asyncio.Lock] = {}

    async def publish(self, topic: str, message: Json) -> int:
        return await self._hub.publish(self._party, topic, message)

    def subscribe(self, pattern: str, *, since: int = 0) -> Subscription:
        return Subscription(self._reader(pattern, since, holds=True), self._hub.context.loop)

    def _reader(self, pattern: str, since: int, *, holds: bool) -> Reader:
        if len(self._party.readers) >= MOST_SUBSCRIPTIONS:
            raise NodeFault(
                ErrorKind.REFUSED,
                f"this attempt has {MOST_SUBSCRIPTIONS} subscriptions already: close those that nobody reads any more",
            )
        if type(since) is not int or since < 0:
            raise NodeFault(ErrorKind.REFUSED, f"since: {since!r} is no number of a message")
        return Reader(self._hub, self._party, pattern, since, holds=holds)

    async def history(self, pattern: str = "#", *, limit: int = 1000) -> Sequence[Message]:
        if type(limit) is not int or not 0 < limit <= MOST_GIVEN:
            raise NodeFault(ErrorKind.REFUSED, f"limit: {limit!r} is no number from 1 to {MOST_GIVEN}")
        matches, until, context = check_pattern(pattern), self._hub.durable, self._hub.context
        if not until:
            return []
        return await asyncio.to_thread(last_messages, context.log, context.rundir, matches, until, limit)

    async def take(self, pattern: str) -> tuple[Reader, Message | None]:
        """The next message that this attempt has not taken so far, and where to give it back to. No publisher waits
        for who takes."""
        lock = self._locks.setdefault(pattern, asyncio.Lock())
        async with lock:
            reader = self._turns.get(pattern)
            if reader is None or reader.over:  # others may have published since nobody was left who could
                since = 0 if reader is None else reader.seen
                reader = self._turns[pattern] = self._reader(pattern, since, holds=False)
            return reader, await reader.next()

    def close(self) -> None:
        """The attempt is over."""
        self._hub.leave(self._party)
