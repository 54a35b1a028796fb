"""Who reads messages: attempts, and for each subscription a place in the log, and how far it is behind."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final, Protocol

from pipe_runner.bus.context import BusContext
from pipe_runner.bus.cursor import Cursor
from pipe_runner.bus.topics import check_pattern
from pipe_runner.messages import Message

MOST_BEHIND: Final = 1000
"""Messages that a subscriber may have before it when others publish more of them."""
BYTES_BEHIND: Final = 4 * 2**20
"""And bytes of them."""


class Readership(Protocol):
    """What a reader needs of the hub."""

    context: BusContext
    durable: int
    readers: set[Reader]

    def let_go(self) -> None: ...

    def look_soon(self) -> None: ...


class Party:
    """One attempt on the bus, as a publisher and as one that reads."""

    __slots__ = ("attempt", "closed", "held", "node", "readers", "stopped")

    def __init__(self, node: str, attempt: int) -> None:
        self.node, self.attempt = node, attempt
        self.closed = self.stopped = False
        self.held = 0
        """How many of its messages wait until others have read."""
        self.readers: set[Reader] = set()

    @property
    def waits(self) -> bool:
        """It goes on when a message comes, and there is none for it."""
        waiting = [one for one in self.readers if one.waiting]
        return bool(waiting) and not any(one.owed for one in waiting)


class Reader:
    """Gives messages one by one, those of the past first; to one task at a time."""

    def __init__(self, hub: Readership, party: Party, pattern: str, since: int, *, holds: bool) -> None:
        """`holds`: publishers wait for it."""
        matches = check_pattern(pattern)
        self.matches = matches.match
        self.party, self.holds = party, holds
        self.waiting = self.ended = self.full = False
        self.behind = 0
        """Messages that were published since it began, and that it has not given."""
        self._bytes = 0
        self._hub = hub
        self._began = hub.context.run.last_message
        self._counts_from = max(self._began, since)
        self._cursor = Cursor(hub.context.log, hub.context.rundir, matches, since)
        self._ready: deque[Message] = deque()
        self._awake: asyncio.Future[None] | None = None
        if party.closed or party.stopped:
            self.ended = True
        else:
            hub.readers.add(self)
            party.readers.add(self)

    @property
    def owed(self) -> bool:
        """There is a message that it has not given, or may be: one that was not yet durable when it began."""
        return self.behind > 0 or self._cursor.seq < self._began

    @property
    def over(self) -> bool:
        """It has ended, and gives nothing more."""
        return self.ended and not self._ready

    @property
    def seen(self) -> int:
        """The number of the last event that it has passed."""
        return self._cursor.seq

    async def next(self) -> Message | None:
        """The next message, once it is there; None when no more come. Raises StorageError."""
        while True:
            if self._ready:
                return self._give(self._ready.popleft())
            if self.ended:
                return None
            if self._cursor.seq < self._hub.durable:
                self._ready.extend(self._cursor.read(self._hub.durable))
                if not self._ready:
                    await asyncio.sleep(0)  # others get their turn: it may read much that is no message for it
            else:
                await self._wait()

    async def _wait(self) -> None:
        self._awake = self._hub.context.loop.create_future()
        self.waiting = True
        if self.party.waits and any(one.full for one in self.party.readers):
            self._hub.let_go()  # it may not come back to those
        self._hub.look_soon()
        try:
            await self._awake
        finally:
            self.waiting = False
            self._awake = None

    def wake(self) -> None:
        if self._awake is not None and not self._awake.done():
            self._awake.set_result(None)

    # ------------------------------------------------------------ how far it is behind

    def count(self, number: int, size: int) -> None:
        """A message for it was published."""
        if number > self._counts_from:
            self.behind += 1
            self._bytes += size
            self.full = self.full or self.behind >= MOST_BEHIND or self._bytes >= BYTES_BEHIND

    def _give(self, message: Message) -> Message:
        if message.seq > self._counts_from and self.behind:
            self._bytes -= self._bytes // self.behind  # of all that are behind, as many bytes each
            self.behind -= 1
            if self.full and self.behind <= MOST_BEHIND // 2 and self._bytes <= BYTES_BEHIND // 2:
                self.full = False
                self._hub.let_go()
        return message

    def take_back(self, message: Message) -> None:
        """Give it once more, next."""
        self._ready.appendleft(message)
        self.count(message.seq, 0)

    # ------------------------------------------------------------ its end

    def end(self) -> None:
        """Nothing more comes: who waits for it is told so. What is read already is still given."""
        if self.ended:
            return
        self.ended = True
        self._hub.readers.discard(self)
        self.party.readers.discard(self)
        self._cursor.close()
        self.wake()
        if self.full:
            self._hub.let_go()

    def drop(self) -> None:
        """Nobody reads any more."""
        self._ready.clear()
        self.end()


class Subscription:
    """What an agent iterates over. The hub knows the reader alone, so that one whom nobody has any more ends."""

    def __init__(self, reader: Reader, loop: asyncio.AbstractEventLoop) -> None:
        self._reader, self._loop = reader, loop

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Message:
        message = await self._reader.next()
        if message is None:
            raise StopAsyncIteration
        return message

    async def next(self) -> Message | None:
        """The next message; None when no more come."""
        return await self._reader.next()

    async def aclose(self) -> None:
        """Read no more; publishers don't wait for it from here on."""
        self._reader.drop()

    def drop_soon(self) -> None:
        """The same, from any thread."""
        if not self._reader.ended:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._reader.drop)

    def __del__(self) -> None:
        self.drop_soon()
