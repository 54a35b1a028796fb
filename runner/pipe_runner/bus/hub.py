"""The bus of one run: writes messages, gives them to those who read, and knows when nobody is left who could publish.

Everything here happens in the run's event loop. A message is an event of the log; those who read have a place in it, so
one who is slow costs nothing but the time of publishers, who wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipe_runner.bus.context import BusContext
from pipe_runner.bus.reading import Party, Reader
from pipe_runner.bus.topics import check_topic
from pipe_runner.bus.values import sized, well_formed
from pipe_runner.commits import GroupCommit
from pipe_runner.errors import NodeFault
from pipe_runner.run import INLINE_OUTPUT_LIMIT
from pipe_runner.runlog import output_fields
from pipe_runner.types import ErrorKind, EventKind, Json

_SOON, _SELDOM = 0.005, 0.2
"""Seconds between looks whether anybody is left who could publish."""


class Hub:
    """Implements what the port Bus promises, for all attempts of a run."""

    def __init__(self, context: BusContext) -> None:
        self.context = context
        self.durable = context.run.last_message
        """Messages up to this number may be seen."""
        self.parties: set[Party] = set()
        self.readers: set[Reader] = set()
        self._held: list[asyncio.Future[None]] = []
        self._unsafe: dict[int, asyncio.Future[None]] = {}
        """Those that published, by the number of their message, until it is durable."""
        self._commits = GroupCommit(context.journal, self._safe, self._fail)
        self._failed: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delay = _SOON

    def enter(self, node: str, attempt: int) -> Party:
        party = Party(node, attempt)
        self.parties.add(party)
        return party

    # ------------------------------------------------------------ publishing

    async def publish(self, party: Party, topic: str, message: Json) -> int:
        """Write a message; gives its number once it is durable. Raises NodeFault, StorageError."""
        masker, run = self.context.masker, self.context.run
        if masker.mask_text(check_topic(topic)) != topic:
            raise NodeFault(ErrorKind.REFUSED, "a topic can't hold a secret: a message may, and hides it")
        message, size = sized(masker.mask_json(well_formed(message)))
        self._check(party)
        await self._room(party, topic)
        data = {"topic": topic, **await self._fields(message, size)}
        self._check(party)
        self.context.emit(EventKind.MESSAGE_PUBLISHED, party.node, party.attempt, data)
        number = run.last_message
        for one in self.readers:
            if one.matches(topic):
                one.count(number, size)
        safe = self._unsafe[number] = self.context.loop.create_future()
        self._commits.add(number)
        self._commits.soon()
        await asyncio.shield(safe)
        return number

    async def _fields(self, message: Json, size: int) -> dict[str, Any]:
        if size <= INLINE_OUTPUT_LIMIT:
            return {"message": message}
        fields = await asyncio.to_thread(output_fields, message, self.context.journal)
        return {name.replace("output", "message"): value for name, value in fields.items()}

    def _check(self, party: Party) -> None:
        if self._failed is not None:
            raise self._failed
        if party.closed:
            raise NodeFault(ErrorKind.REFUSED, f"the attempt at {party.node} is over: it can't publish any more")

    def _safe(self, numbers: list[int]) -> None:
        """Messages are durable: those who wait for them may have them, and those who published go on."""
        self.durable = max(self.durable, *numbers)
        for number in numbers:
            safe = self._unsafe.pop(number, None)
            if safe is not None and not safe.done():
                safe.set_result(None)
        for one in self.readers:
            if one.owed:
                one.wake()

    def _fail(self, error: Exception) -> None:
        self._failed = error
        for safe in self._unsafe.values():
            if not safe.done():
                safe.set_exception(error)
        self._unsafe.clear()
        for one in list(self.readers):
            one.end()
        self.let_go()

    # ------------------------------------------------------------ waiting for those who read

    async def _room(self, party: Party, topic: str) -> None:
        """Wait while somebody who reads the topic is too far behind."""
        if not self._full(party, topic):
            return
        party.held += 1
        if party.held == 1 and any(one.full for one in party.readers):
            self.let_go()  # who is held reads nothing, and so holds nobody
        try:
            while self._full(party, topic):
                gate = self.context.loop.create_future()
                self._held.append(gate)
                await gate
        finally:
            party.held -= 1
        self._check(party)

    def _full(self, party: Party, topic: str) -> bool:
        """Whether one is behind that comes back to read: who waits for another message, or is held, may never."""
        if party.closed or party.stopped or self._failed is not None:
            return False
        for one in self.readers:
            if one.full and one.holds and one.party is not party and one.matches(topic):
                reader = one.party
                if not reader.held and not reader.stopped and not reader.waits:
                    return True
        return False

    def let_go(self) -> None:
        """Let those that are held look again."""
        held, self._held = self._held, []
        for gate in held:
            if not gate.done():
                gate.set_result(None)

    # ------------------------------------------------------------ ends

    def leave(self, party: Party) -> None:
        """An attempt is over: it publishes and reads no more."""
        party.closed = True
        self.parties.discard(party)
        for one in list(party.readers):
            one.end()
        self.let_go()
        self.look_soon()

    def stop(self, spared: Callable[[str], bool]) -> None:
        """The run is stopped: nobody waits any more, but for attempts at nodes that go on."""
        for party in self.parties:
            if not spared(party.node):
                party.stopped = True
                for one in list(party.readers):
                    one.end()
        self.let_go()

    def look_soon(self) -> None:
        """See whether anybody is left who could publish."""
        if self._timer is None or self._delay > _SOON:
            if self._timer is not None:
                self._timer.cancel()
            self._delay = _SOON
            self._timer = self.context.loop.call_later(_SOON, self._look)

    def _look(self) -> None:
        self._timer = None
        waiting = [one for one in self.readers if one.waiting]
        if not waiting:
            return
        nodes = {party.node for party in self.parties if party.waits}
        nodes -= {party.node for party in self.parties if not party.waits}  # several tools of a node, say
        if nodes and not self._unsafe and self.context.still(nodes.__contains__):
            for one in waiting:
                one.end()
            return
        self._delay = min(self._delay * 2, _SELDOM)
        self._timer = self.context.loop.call_later(self._delay, self._look)

    def close(self) -> None:
        for party in list(self.parties):
            self.leave(party)
        if self._timer is not None:
            self._timer.cancel()
        self._commits.close()
