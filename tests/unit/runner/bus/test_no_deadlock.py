"""Whatever attempts publish and read, in whatever order: all of them end, and none misses a message."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.runner.bus.conftest import World

TOPICS = ["a", "b", "a.b"]
PATTERNS = ["#", "a", "a.#", "*.b", "b"]
steps = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(TOPICS), st.integers(1, 8)),
    st.tuples(st.just("read"), st.sampled_from(PATTERNS), st.integers(1, 5)),
    st.tuples(st.just("take"), st.sampled_from(PATTERNS), st.integers(1, 3)),
    st.tuples(st.just("turn"), st.just(""), st.integers(1, 5)),
    st.tuples(st.just("drain"), st.sampled_from(PATTERNS), st.just(0)),
)
scripts = st.lists(st.lists(steps, max_size=6), min_size=1, max_size=5)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishers wait soon."""
    monkeypatch.setattr("pipe_runner.bus.reading.MOST_BEHIND", 3)


async def act(world: World, node: str, script: list[tuple[str, str, int]], seen: list[Any]) -> None:
    bus, open_ = world.running[node], {}
    for do, what, times in script:
        if do == "publish":
            for number in range(times):
                await bus.publish(what, [node, number])
        elif do == "take":
            taken = [await bus.take(what) for _ in range(times)]
            seen.append((f"take {what}", [message for _, message in taken if message is not None]))
        elif do == "turn":
            for _ in range(times):
                await asyncio.sleep(0)
        else:
            subscription = open_.setdefault(what, bus.subscribe(what))
            while do == "drain" or times:
                times -= 1
                message = await subscription.next()
                if message is None:
                    break
                seen.append((what, [message]))
    world.end(node)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scripts)
def test_all_end_and_see_what_was_published_in_its_order(scripts: list[list[tuple[str, str, int]]]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder, anyio.fail_after(20):
            world = World(Path(folder))
            hub = world.open()
            nodes = [f"n{number}" for number in range(len(scripts))]
            saw: dict[str, list[Any]] = {node: [] for node in nodes}
            for node in nodes:
                world.begin(node)
            await asyncio.gather(*(act(world, n, s, saw[n]) for n, s in zip(nodes, scripts, strict=True)))
            reader = world.begin("reader")
            for node in nodes:
                for pattern in {pattern for pattern, _ in saw[node]}:
                    got = [message for what, messages in saw[node] if what == pattern for message in messages]
                    everything = await reader.history(pattern.removeprefix("take "))
                    assert got == list(everything)[: len(got)]
            hub.close()
            world.journal.close()

    anyio.run(main)
