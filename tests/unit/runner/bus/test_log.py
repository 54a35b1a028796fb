"""What is read from the log: history, after a resume, after a cut, and by one who is slow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest
from tests.unit.runner.bus.conftest import World, in_loop, read

from pipe_runner.types import Durability, EventKind


def test_history_gives_the_last_ones_whatever_stands_between(world: World) -> None:
    async def main() -> None:
        bus = world.begin("n")
        world.stream.emit(EventKind.NODE_STARTED, "n", 1)
        for number in range(50):
            await bus.publish("a" if number % 2 else "b", number)
            event = {"event": "message.published", "topic": "a", "message": "no message"}
            world.stream.emit(EventKind.NODE_SUCCEEDED, "m", 1, {"output": event})
        assert [m.message for m in await bus.history("a", limit=3)] == [45, 47, 49]
        assert len(await bus.history()) == 50
        assert await bus.history("c") == []
        world.running.clear()
        assert await read(bus, "a") == list(range(1, 50, 2))

    in_loop(world, main)


def test_what_was_published_before_a_resume_is_seen_after_it(tmp_path: Path) -> None:
    from pipe_runner.runlog import LogWriter, repair

    world = World(tmp_path)

    async def before() -> None:
        bus = world.begin("p")
        for number in range(3):
            await bus.publish("t", number)

    in_loop(world, before)
    world.journal.close()
    with open(world.rundir.log_path, "ab") as log:
        log.write(b'{"v":1,"seq":5,"ts":"2026-')
    repaired = repair(world.rundir)
    world.run, world.running = repaired.run, {}
    world.journal = LogWriter.append_to(world.rundir, Durability.OS, repaired)
    world.stream = type(world.stream)(world.run, world.journal, (), world.stream._now_ns.__self__)  # type: ignore[attr-defined]

    async def after() -> None:
        reader = world.begin("r")
        subscription = reader.subscribe("t")
        assert [(await anext(subscription)).message for _ in range(3)] == [0, 1, 2]
        await world.begin("p", 2).publish("t", 3)
        assert (await anext(subscription)).attempt == 2
        assert [m.message for m in await reader.history()] == [0, 1, 2, 3]

    in_loop(world, after)


def test_a_log_that_was_cut_anywhere_gives_the_messages_before_the_cut(tmp_path: Path) -> None:
    from pipe_runner.bus.cursor import last_messages
    from pipe_runner.bus.topics import check_pattern
    from pipe_runner.runlog import RunDir, repair

    world = World(tmp_path)

    async def main() -> None:
        bus = world.begin("n")
        for number in range(4):
            await bus.publish("a.b", {"number": number, "message.published": '"event":"message.published"'})

    in_loop(world, main)
    world.journal.close()
    whole = Path(world.rundir.log_path).read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    near = {end + by for end in ends for by in (-3, -2, -1, 0, 1, 2) if ends[0] <= end + by <= len(whole)}
    for cut in sorted(near | set(range(ends[0], len(whole), 29))):
        other = RunDir("r", str(tmp_path / "cut"))
        Path(other.path).mkdir(exist_ok=True)
        Path(other.log_path).write_bytes(whole[:cut])
        run = repair(other).run
        kept = sum(end - 1 <= cut for end in ends) - 1  # whose newline alone is missing is whole
        found = last_messages(other.log_path, other, check_pattern("a.#"), run.seq, 10)
        assert [message.message["number"] for message in found] == list(range(kept)), cut  # type: ignore[index, call-overload]
        assert (run.messages, run.last_message) == (kept, found[-1].seq if found else 0)
        Path(other.torn_path).unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_messages_to_one_that_reads_slowly_cost_no_memory_and_none_is_lost(world: World) -> None:
    import tracemalloc

    count = 100_000

    async def main() -> None:
        publisher, reader = world.begin("p"), world.begin("r")
        most = 0

        async def publish() -> None:
            nonlocal most
            for number in range(count):
                await publisher.publish("t", {"number": number, "text": "x" * 200})
                most = max(most, tracemalloc.get_traced_memory()[0])
            world.end("p")

        subscription = reader.subscribe("t")
        first = await asyncio.gather(publisher.publish("t", {"number": -1}), anext(subscription))
        assert first[1].message == {"number": -1}
        tracemalloc.start()
        task = asyncio.create_task(publish())
        expected = 0
        async for message in subscription:
            assert message.message["number"] == expected  # type: ignore[index, call-overload]
            expected += 1
            if expected % 1000 == 0:
                await asyncio.sleep(0.001)
        assert expected == count
        await task
        tracemalloc.stop()
        assert most < 8 * 2**20

    async def run() -> None:
        world.open()
        await main()
        world.hub.close()

    anyio.run(run)
