"""Order, backpressure, ends, history: the bus of one run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.bus.conftest import World, in_loop, read, soon, until

from pipe_runner.bus.attempts import AttemptBus
from pipe_runner.bus.reading import MOST_BEHIND
from pipe_runner.errors import NodeFault


def test_all_who_read_see_the_same_order_and_each_only_what_it_asked_for(world: World) -> None:
    async def main() -> None:
        a, b, c, d = (world.begin(name) for name in "abcd")
        everything = asyncio.create_task(read(c))
        again = asyncio.create_task(read(d))

        async def say(bus: AttemptBus, node: str) -> None:
            for number in range(300):
                await bus.publish(f"{node}.{number % 3}", [node, number])
            world.end(node)

        await asyncio.gather(say(a, "a"), say(b, "b"))
        seen = await everything
        assert seen == await again
        assert len(seen) == 600
        world.end("c")
        world.end("d")
        for node in "ab":
            assert [one for one in seen if one[0] == node] == [[node, number] for number in range(300)]
        late = world.begin("late")
        assert [m.message for m in await late.history("a.1")] == [["a", n] for n in range(300) if n % 3 == 1]
        assert await read(late, "b.2") == [["b", n] for n in range(300) if n % 3 == 2]

    in_loop(world, main)
    assert world.logged().messages == 600


def test_a_message_says_all_that_its_event_does(world: World) -> None:
    async def main() -> None:
        number = await world.begin("probe[443]", 3).publish("a.b", {"x": 1})
        (found,) = await world.begin("n").history()
        assert found == (number, found.ts, "a.b", "probe[443]", {"x": 1}, 3)
        assert world.run.messages == 1
        assert world.run.last_message == number

    in_loop(world, main)
    assert world.logged().last_message == world.run.last_message


def test_since_leaves_out_what_is_known(world: World) -> None:
    async def main() -> None:
        bus = world.begin("p")
        numbers = [await bus.publish("t", i) for i in range(5)]
        world.end("p")
        reader = world.begin("r")
        assert await read(reader, since=numbers[2]) == [3, 4]
        assert await read(reader, since=numbers[4]) == []
        assert await read(reader, since=10_000) == []

    in_loop(world, main)


def test_a_publisher_waits_for_who_is_too_far_behind_and_nothing_is_lost(world: World) -> None:
    async def main() -> None:
        publisher, reader = world.begin("p"), world.begin("r")
        subscription = reader.subscribe("t")
        count = MOST_BEHIND * 3
        sent = 0

        async def publish() -> None:
            nonlocal sent
            for number in range(count):
                await publisher.publish("t", number)
                sent += 1
            world.end("p")

        task = asyncio.create_task(publish())
        seen = [(await anext(subscription)).message]
        await until(lambda: world.hub._held)
        assert MOST_BEHIND <= sent <= MOST_BEHIND + 1  # it has one in hand, and comes back for more
        await world.begin("q").publish("other", 1)  # who publishes something else doesn't wait
        world.end("q")
        async for message in subscription:
            seen.append(message.message)
            assert sent - len(seen) <= MOST_BEHIND + 1
        assert seen == list(range(count))
        await task

    in_loop(world, main)


def test_bytes_count_too(world: World) -> None:
    async def main() -> None:
        publisher, reader = world.begin("p"), world.begin("r")
        subscription = reader.subscribe("t")
        sent = 0

        async def publish() -> None:
            nonlocal sent
            for number in range(20):
                await publisher.publish("t", [number, "x" * 500_000])
                sent += 1
            world.end("p")

        task = asyncio.create_task(publish())
        await anext(subscription)
        await until(lambda: world.hub._held)
        assert 8 <= sent <= 10
        assert [message.message[0] async for message in subscription] == list(range(1, 20))
        await task

    in_loop(world, main)


def test_one_who_reads_what_it_publishes_itself_is_not_held(world: World) -> None:
    async def main() -> None:
        bus = world.begin("n")
        subscription = bus.subscribe("#")
        for number in range(MOST_BEHIND * 2):
            await bus.publish("t", number)
        seen = []
        async for message in subscription:
            seen.append(message.message)
        assert seen == list(range(MOST_BEHIND * 2))

    in_loop(world, main)


def test_two_that_publish_to_one_another_and_do_not_read_go_on(world: World) -> None:
    async def main() -> None:
        async def flood(bus: AttemptBus, own: str, others: str) -> list[Any]:
            subscription = bus.subscribe(others)
            for number in range(MOST_BEHIND * 2):
                await bus.publish(own, number)
            seen = [message.message async for message in subscription]
            world.end(own)
            return seen

        found = await asyncio.gather(flood(world.begin("a"), "a", "b"), flood(world.begin("b"), "b", "a"))
        assert found == [list(range(MOST_BEHIND * 2))] * 2

    in_loop(world, main)


def test_one_that_waits_for_another_message_holds_nobody(world: World) -> None:
    async def main() -> None:
        publisher, reader = world.begin("p"), world.begin("r")
        ignored = reader.subscribe("bulk")
        go = asyncio.create_task(anext(reader.subscribe("go")))
        await soon()
        for number in range(MOST_BEHIND * 2):
            await publisher.publish("bulk", number)
        await publisher.publish("go", "now")
        assert (await go).message == "now"
        world.end("p")
        assert [message.message async for message in ignored] == list(range(MOST_BEHIND * 2))

    in_loop(world, main)


def test_a_subscription_that_nobody_has_any_more_holds_nobody(world: World) -> None:
    async def main() -> None:
        publisher, reader = world.begin("p"), world.begin("r")
        async for _ in reader.subscribe("t", since=0) if await publisher.publish("t", 0) else ():
            break
        await soon()
        assert not world.hub.readers
        for number in range(MOST_BEHIND * 2):
            await publisher.publish("t", number)

    in_loop(world, main)


def test_it_ends_when_nobody_is_left_who_could_publish(world: World) -> None:
    async def main() -> None:
        one, two = (asyncio.create_task(read(world.begin(name))) for name in ("one", "two"))
        publisher = world.begin("p")
        await asyncio.sleep(0.1)
        assert not one.done()
        await publisher.publish("t", 1)
        await asyncio.sleep(0.1)
        assert not two.done()
        world.end("p")
        assert await one == await two == [1]

    in_loop(world, main)


def test_the_end_of_its_attempt_and_a_stop_end_it(world: World) -> None:
    async def main() -> None:
        world.begin("p")
        gone, stopped, spared = (
            asyncio.create_task(read(world.begin(name))) for name in ("gone", "stopped", "f.spared")
        )
        await soon()
        world.end("gone")
        assert await gone == []
        world.hub.stop(lambda node: node.startswith("f."))
        assert await stopped == []
        assert await read(world.running["stopped"]) == []
        await asyncio.sleep(0.05)
        assert not spared.done()
        assert await world.begin("later").publish("t", 1)
        spared.cancel()

    in_loop(world, main)


def test_one_that_is_held_goes_on_when_the_reader_s_attempt_ends_or_the_run_is_stopped(world: World) -> None:
    async def main() -> None:
        for name in ("r1", "r2"):
            publisher, reader = world.begin(f"p{name}"), world.begin(name)
            subscription = reader.subscribe(name)
            await publisher.publish(name, 0)
            await anext(subscription)

            async def publish(publisher: AttemptBus = publisher, name: str = name) -> None:
                for number in range(MOST_BEHIND + 5):
                    await publisher.publish(name, number)

            task = asyncio.create_task(publish())
            await until(lambda: world.hub._held)
            if name == "r1":
                world.end(name)
            else:
                world.hub.stop(lambda node: False)
            await task

    in_loop(world, main)


def test_an_attempt_that_is_over_publishes_no_more(world: World) -> None:
    async def main() -> None:
        bus = world.begin("n")
        world.end("n")
        with pytest.raises(NodeFault, match="the attempt at n is over"):
            await bus.publish("t", 1)
        assert await read(bus) == []

    in_loop(world, main)


def test_who_takes_gets_each_once_and_goes_on_after_an_end(world: World) -> None:
    async def main() -> None:
        worker, publisher = world.begin("w"), world.begin("p")
        for number in range(4):
            await publisher.publish("t", number)
        taken = await asyncio.gather(*(worker.take("t") for _ in range(3)))
        assert sorted(found.message for _, found in taken if found) == [0, 1, 2]
        reader, last = await worker.take("#")
        assert last is not None
        assert last.message == 0
        reader.take_back(last)
        assert (await worker.take("#"))[1] == last
        world.end("p")
        assert [(await worker.take("t"))[1] for _ in range(2)][1] is None
        await world.begin("q").publish("t", 4)
        found = (await worker.take("t"))[1]
        assert found is not None
        assert found.message == 4
        world.end("q")
        assert (await worker.take("t"))[1] is None

    in_loop(world, main)


def test_what_cannot_be_is_refused_before_it_is_written(world: World) -> None:
    async def main() -> None:
        bus = world.begin("n")
        for topic, message in [("a b", 1), ("a", {1: 2}), ("a", "x" * 2**20), ("a", float("nan"))]:
            with pytest.raises(NodeFault):
                await bus.publish(topic, message)
        for wrong in (lambda: bus.subscribe("a.#.b"), lambda: bus.subscribe("a", since=-1)):
            with pytest.raises(NodeFault):
                wrong()
        with pytest.raises(NodeFault, match="limit"):
            await bus.history(limit=0)
        kept = [bus.subscribe("a") for _ in range(100)]
        with pytest.raises(NodeFault, match="100 subscriptions already"):
            bus.subscribe("a")
        await kept[0].aclose()
        bus.subscribe("a")

    in_loop(world, main)
    assert world.logged().messages == 0


def test_large_messages_are_blobs_and_arrive_whole(world: World) -> None:
    async def main() -> None:
        bus = world.begin("n")
        large = {"text": "ü" * 100_000}
        await bus.publish("t", large)
        await bus.publish("t", "y" * 100_000)
        assert [m.message for m in await bus.history()] == [large, "y" * 100_000]
        subscription = bus.subscribe("t")
        assert (await anext(subscription)).message == large

    in_loop(world, main)
    assert len(list((Path(world.rundir.path) / "blobs").iterdir())) == 2


def test_secrets_are_hidden_and_no_topic_holds_one(tmp_path: Path) -> None:
    world = World(tmp_path, {"T": "very-secret-word"})

    async def main() -> None:
        bus = world.begin("n")
        await bus.publish("t", {"a": ["it is very-secret-word"]})
        assert (await bus.history())[0].message == {"a": ["it is ***"]}
        with pytest.raises(NodeFault, match="a topic can't hold a secret"):
            await bus.publish("x.very-secret-word", 1)

    in_loop(world, main)
    assert b"very-secret" not in Path(world.rundir.log_path).read_bytes()


def test_nobody_sees_a_message_before_it_is_durable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        done = asyncio.Event()
        commits = []
        hub = world.hub
        monkeypatch.setattr(hub._commits, "soon", lambda: commits.append(1))
        publisher, reader = world.begin("p"), world.begin("r")
        got = asyncio.create_task(anext(reader.subscribe("t")))
        sent = asyncio.create_task(publisher.publish("t", 1))
        await asyncio.sleep(0.05)
        assert commits == [1]
        assert not got.done()
        assert not sent.done()
        assert await reader.history() == []
        hub._commits.now()
        assert (await got).message == 1
        await sent
        done.set()

    in_loop(world, main)


def test_one_that_begins_while_a_message_is_not_yet_durable_gets_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        hub = world.hub
        monkeypatch.setattr(hub._commits, "soon", lambda: None)
        sent = asyncio.create_task(world.begin("p").publish("t", 1))
        await soon()
        got = asyncio.create_task(read(world.begin("r"), "t"))
        await asyncio.sleep(0.05)
        hub._commits.now()
        await sent
        world.end("p")
        assert await got == [1]

    in_loop(world, main)
