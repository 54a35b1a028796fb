"""Speaks with processes of nodes: JSON lines over the run's socket, each connection for one attempt.

Who connects may be anybody's program: what it sends, and how slowly it reads, costs a bounded part of memory.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.bus.values import LARGEST, why_no_json
from pipe_runner.errors import NodeFault, PipeError

if TYPE_CHECKING:
    from pipe_runner.executors.local import LateBus

_MOST: Final = 256
"""Connections at a time."""
_OF_ONE: Final = 64
"""Of one attempt."""
_HELLO: Final = 1024
"""Bytes of the first line."""
_LINE: Final = LARGEST + 4096
"""Bytes of every other."""
_PATIENCE: Final = 10.0
"""Seconds for the first line."""
_READ: Final = 64 * 1024
_LOOK: Final = 0.5
"""Seconds between looks whether one that has nothing more to say still listens."""


class Refused(Exception):
    """What a client asked for can't be done; the connection is closed."""


class Server:
    """All connections of a run."""

    def __init__(self, known: Mapping[str, LateBus], loop: asyncio.AbstractEventLoop) -> None:
        """`known`: the attempts that are under way, by their tokens."""
        self._known, self._loop = known, loop
        self._open: dict[asyncio.Task[None], LateBus | None] = {}

    def serve(self, connection: socket.socket) -> None:
        """Begin to speak with one who has connected."""
        connection.setblocking(False)
        if len(self._open) >= _MOST:
            with suppress(OSError):
                connection.send(_line({"error": f"there are {_MOST} connections to the bus already"}))
            connection.close()
            return
        task = self._loop.create_task(self._speak(_Line(connection, self._loop)))
        self._open[task] = None
        task.add_done_callback(lambda done: self._open.pop(done, None))

    def leave(self, bus: LateBus) -> None:
        """An attempt is over, and so is what its processes have to say."""
        for task, whose in self._open.items():
            if whose is bus:
                task.cancel()

    async def close(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _speak(self, line: _Line) -> None:
        with suppress(OSError, asyncio.CancelledError):
            try:
                bus = await self._meet(line)
                while (asked := await line.read(_LINE)) is not None:
                    await _answer(bus, line, _object(asked))
            except Refused as refused:
                await line.write({"error": str(refused)})
            except (NodeFault, PipeError) as fault:
                await line.write({"error": fault.message})
            except TimeoutError:
                await line.write({"error": f"nothing was said within {_PATIENCE:g} s"})
            finally:
                line.close()

    async def _meet(self, line: _Line) -> LateBus:
        """Who it is."""
        async with asyncio.timeout(_PATIENCE):
            hello = await line.read(_HELLO)
        if hello is None:
            raise Refused("the first line is missing")
        token = _object(hello).get("token")
        bus = self._known.get(token) if isinstance(token, str) else None
        if bus is None:
            raise Refused('the token is of no attempt that is under way: say {"token": …} with $PIPE_BUS_TOKEN first')
        if sum(whose is bus for whose in self._open.values()) >= _OF_ONE:
            raise Refused(f"this attempt has {_OF_ONE} connections already")
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = bus
        await line.write({"node": bus.node, "attempt": bus.attempt})
        return bus


async def _answer(bus: LateBus, line: _Line, asked: dict[str, Any]) -> None:
    """Do what was asked for; raises Refused, NodeFault, StorageError, OSError."""
    known = {"publish": _publish, "history": _history, "subscribe": _subscribe, "take": _take}
    do = known.get(str(asked.get("do")))
    if do is None:
        raise Refused(f'"do" is one of {", ".join(known)}')
    await do(bus, line, asked)


async def _publish(bus: LateBus, line: _Line, asked: dict[str, Any]) -> None:
    if "message" not in asked:
        raise Refused('"message" is missing; it may be null')
    try:
        number = await bus.publish(asked.get("topic"), asked["message"])  # type: ignore[arg-type]
    except NodeFault as fault:  # what comes next may be right
        await line.write({"error": fault.message})
    else:
        await line.write({"seq": number})


async def _history(bus: LateBus, line: _Line, asked: dict[str, Any]) -> None:
    for message in await bus.history(asked.get("pattern", "#"), limit=asked.get("limit", 1000)):
        await line.write(message.to_json())
    await line.write({"end": True})


async def _subscribe(bus: LateBus, line: _Line, asked: dict[str, Any]) -> None:
    subscription = bus.opened().subscribe(asked.get("pattern", "#"), since=asked.get("since", 0))
    watch = asyncio.ensure_future(line.gone())
    watch.add_done_callback(lambda done: subscription.drop_soon())
    try:
        async for message in subscription:
            await line.write(message.to_json())
    finally:
        subscription.drop_soon()
        watch.cancel()
    await line.write({"end": True})


async def _take(bus: LateBus, line: _Line, asked: dict[str, Any]) -> None:
    taking = asyncio.ensure_future(bus.opened().take(asked.get("pattern", "#")))
    watch = asyncio.ensure_future(line.gone())
    try:
        await asyncio.wait({taking, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not taking.done():
            return
        reader, message = taking.result()
        if message is None:
            await line.write({"end": True})
            return
        try:
            await line.write(message.to_json())
        except BaseException:
            reader.take_back(message)
            raise
    finally:
        taking.cancel()
        watch.cancel()


class _Line:
    """One connection, line by line."""

    def __init__(self, connection: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._socket, self._loop = connection, loop
        self._begun = bytearray()

    async def read(self, most: int) -> bytes | None:
        """The next line, without its end; None where there is none. Raises Refused for one that is too long."""
        looked = 0
        while (end := self._begun.find(b"\n", looked)) < 0:
            looked = len(self._begun)
            if looked > most:
                raise Refused(f"a line is longer than {most} bytes")
            data = await self._loop.sock_recv(self._socket, _READ)
            if not data:
                if self._begun:
                    raise Refused("the last line has no end")
                return None
            self._begun += data
        if end > most:
            raise Refused(f"a line is longer than {most} bytes")
        line = bytes(self._begun[:end])
        del self._begun[: end + 1]
        return line

    async def write(self, said: dict[str, Any]) -> None:
        await self._loop.sock_sendall(self._socket, _line(said))

    async def gone(self) -> None:
        """Returns when nobody is there any more. One that has nothing more to say may still listen."""
        while True:
            poll = select.poll()
            poll.register(self._socket, 0)
            if poll.poll(0):
                return
            await asyncio.sleep(_LOOK)

    def close(self) -> None:
        self._socket.close()


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused(f"a line is no JSON: {why_no_json(error)}") from None
    if not isinstance(found, dict):
        raise Refused("a line is no object of JSON")
    return found


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"
