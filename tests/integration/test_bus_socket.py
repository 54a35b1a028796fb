"""The socket of a bus, and clients that are wrong, slow, many, or gone."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from tests.unit.runner.bus.conftest import World

from pipe_runner.bus.door import Door
from pipe_runner.executors.local import LateBus


class Side:
    """What lies beside the attempts of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.door = Door(world.rundir, asyncio.get_running_loop())

    def bus(self, node: str, attempt: int) -> Any:
        return self.world.begin(node, attempt)

    def reach(self, bus: LateBus) -> Any:
        return self.door.enter(bus)

    def leave(self, bus: LateBus) -> None:
        self.door.leave(bus)

    def enter(self, node: str) -> tuple[LateBus, str, str]:
        bus = LateBus(self, node, 1)  # type: ignore[arg-type]
        found = bus.environment()
        return bus, found["PIPE_BUS"], found["PIPE_BUS_TOKEN"]


class Talk:
    """A client, line by line."""

    made: ClassVar[list[Talk]] = []

    def __init__(self, path: str) -> None:
        self.made.append(self)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.setblocking(False)
        self.socket.connect(path)
        self.loop = asyncio.get_running_loop()
        self._begun = b""

    async def say(self, *said: Any) -> None:
        for one in said:
            data = one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n"
            await self.loop.sock_sendall(self.socket, data)

    async def hear(self) -> Any:
        """The next answer; None when the connection is closed."""
        while b"\n" not in self._begun:
            try:
                data = await self.loop.sock_recv(self.socket, 65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._begun += data
        line, self._begun = self._begun.split(b"\n", 1)
        return json.loads(line)


Main = Callable[[Side], Awaitable[None]]


def in_world(folder: Path, main: Main) -> None:
    async def run() -> None:
        world = World(folder)
        (Path(world.rundir.path) / "scratch").mkdir()
        with anyio.fail_after(40):
            hub = world.open()
            side = Side(world)
            try:
                await main(side)
            finally:
                while Talk.made:
                    Talk.made.pop().socket.close()
                await side.door.close()
                hub.close()
                world.journal.close()
        assert not list((Path(world.rundir.path) / "scratch").iterdir())

    anyio.run(run)


def test_a_conversation(tmp_path: Path) -> None:
    async def main(side: Side) -> None:
        _, path, token = side.enter("n")
        talk = Talk(path)
        await talk.say({"token": token}, {"do": "publish", "topic": "a.b", "message": {"x": "ü"}})
        assert await talk.hear() == {"node": "n", "attempt": 1}
        seq = (await talk.hear())["seq"]
        await talk.say({"do": "publish", "topic": "a b", "message": 1})
        assert "is no topic" in (await talk.hear())["error"]
        await talk.say({"do": "history"}, {"do": "take", "pattern": "a.*"})
        found = await talk.hear()
        assert found == {**found, "seq": seq, "topic": "a.b", "node": "n", "message": {"x": "ü"}, "attempt": 1}
        assert await talk.hear() == {"end": True}
        assert await talk.hear() == found
        await talk.say({"do": "subscribe", "pattern": "#"})
        assert await talk.hear() == found
        assert await talk.hear() == {"end": True}

    in_world(tmp_path, main)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"\n", "no JSON"),
        (b"garbage\n", "no JSON"),
        (b"\xff\xfe\x00\n", "no JSON"),
        (b"[1]\n", "no object"),
        (b"[" * 900 + b"\n", "no JSON"),
        ({"token": "0" * 32}, "of no attempt"),
        ({"token": None}, "of no attempt"),
        ({"do": "publish"}, "of no attempt"),
        (b"x" * 5000, "longer than 1024"),
        (None, "the last line has no end"),
    ],
)
@pytest.mark.few(5)
def test_who_is_nobody_is_told_so_and_let_go(tmp_path: Path, said: Any, told: str) -> None:
    async def main(side: Side) -> None:
        _, path, _ = side.enter("n")
        talk = Talk(path)
        await talk.say(b"{" if said is None else said)
        if said is None:
            talk.socket.shutdown(socket.SHUT_WR)
        assert told in (await talk.hear())["error"]
        assert await talk.hear() is None
        assert not side.world.running

    in_world(tmp_path, main)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"do": "nothing"}, '"do" is one of'),
        ({"do": ["publish"]}, '"do" is one of'),
        ({"do": "publish", "topic": "a"}, '"message" is missing'),
        ({"do": "history", "limit": "x"}, "limit"),
        ({"do": "history", "limit": 10**9}, "limit"),
        ({"do": "subscribe", "pattern": {}}, "is no pattern"),
        ({"do": "subscribe", "since": "x"}, "since"),
        ({"do": "take", "pattern": "a..b"}, "is no pattern"),
        ({"do": "publish", "topic": 7, "message": 1}, "is no topic"),
        (b"x" * (2**20 + 10_000), "longer than"),
    ],
)
@pytest.mark.few(5)
def test_what_cannot_be_is_answered(tmp_path: Path, said: Any, told: str) -> None:
    async def main(side: Side) -> None:
        _, path, token = side.enter("n")
        talk = Talk(path)
        await talk.say({"token": token})
        await talk.hear()
        try:
            await talk.say(said)
        except ConnectionError:
            pass
        assert told in (await talk.hear())["error"]

    in_world(tmp_path, main)


def test_a_token_is_good_as_long_as_its_attempt(tmp_path: Path) -> None:
    async def main(side: Side) -> None:
        bus, path, token = side.enter("n")
        open_ = Talk(path)
        await open_.say({"token": token}, {"do": "subscribe"})
        await open_.hear()
        side.enter("other")
        await asyncio.sleep(0.05)
        bus.leave()
        assert await open_.hear() in (None, {"end": True})
        late = Talk(path)
        await late.say({"token": token})
        assert "of no attempt" in (await late.hear())["error"]

    in_world(tmp_path, main)


def test_many_connections_are_bounded_and_others_go_on(tmp_path: Path) -> None:
    async def main(side: Side) -> None:
        _, path, token = side.enter("n")
        first = Talk(path)
        await first.say({"token": token})
        await first.hear()
        talks = []
        for _ in range(70):
            talks.append(Talk(path))
            await talks[-1].say({"token": token})
            await asyncio.sleep(0)
        answers = [await talk.hear() for talk in talks]
        assert sum("error" in answer for answer in answers) == 7
        silent = []
        for _ in range(260):
            silent.append(Talk(path))
            await asyncio.sleep(0)
        assert "connections to the bus already" in (await silent[-1].hear())["error"]
        await first.say({"do": "publish", "topic": "t", "message": 1})
        assert "seq" in await first.hear()

    in_world(tmp_path, main)


def test_one_that_reads_slowly_slows_down_who_publishes_and_loses_nothing(tmp_path: Path) -> None:
    async def main(side: Side) -> None:
        _, path, token = side.enter("slow")
        talk = Talk(path)
        await talk.say({"token": token}, {"do": "subscribe"})
        await talk.hear()
        publisher = side.world.begin("p")
        sent = 0

        async def publish() -> None:
            nonlocal sent
            for number in range(200):
                await publisher.publish("t", [number, "x" * 60_000])
                sent += 1
            side.world.end("p")

        task = asyncio.create_task(publish())
        while not side.world.hub._held:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert 60 < sent < 90
        seen = []
        while "end" not in (found := await talk.hear()):
            seen.append(found["message"][0])
        assert seen == list(range(200))
        await task

    in_world(tmp_path, main)


def test_one_that_has_gone_while_it_waited_takes_no_message_with_it(tmp_path: Path) -> None:
    async def main(side: Side) -> None:
        _, path, token = side.enter("worker")
        publisher = side.world.begin("p")
        for _ in range(3):
            gone = Talk(path)
            await gone.say({"token": token}, {"do": "take"})
            await gone.hear()
            await asyncio.sleep(0.02)
            gone.socket.close()
        await asyncio.sleep(1.2)
        for number in range(3):
            await publisher.publish("t", number)
        side.world.end("p")
        talk = Talk(path)
        await talk.say({"token": token}, *[{"do": "take"}] * 4)
        await talk.hear()
        assert [(await talk.hear()).get("message") for _ in range(3)] == [0, 1, 2]
        assert await talk.hear() == {"end": True}

    in_world(tmp_path, main)


def test_one_that_has_nothing_more_to_say_still_listens(tmp_path: Path) -> None:
    async def main(side: Side) -> None:
        _, path, token = side.enter("n")
        publisher = side.world.begin("p")
        talk = Talk(path)
        await talk.say({"token": token}, {"do": "subscribe"})
        talk.socket.shutdown(socket.SHUT_WR)
        await talk.hear()
        await asyncio.sleep(1.2)
        await publisher.publish("t", 1)
        assert (await talk.hear())["message"] == 1
        side.world.end("p")
        assert await talk.hear() == {"end": True}

    in_world(tmp_path, main)
