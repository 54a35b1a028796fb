"""Workers begin one after the other, so that what the first one's node asks for is on its way early."""

from __future__ import annotations

import asyncio

import anyio

from pipe_runner.plan import NO_VALUES, PlannedNode
from pipe_runner.testing import FakeClock
from pipe_runner.types import Phase
from pipe_runner.workers import Workers


class Waiting:
    """A host whose nodes all wait, until they are let go."""

    failure: Exception | None = None

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go = asyncio.Event()

    async def attempt(self, node: PlannedNode) -> None:
        self.begun.append(node.index)
        await self.go.wait()

    def settle(self) -> None:
        """Nothing waits for the disk."""

    def drain(self) -> None:
        """Nothing was released."""

    def fail(self, error: Exception) -> None:
        raise error


NODES = [PlannedNode(f"n{i}", i, Phase.NODES, "fake", NO_VALUES, (), (), "x", 1, 1) for i in range(10)]


def _begun(rounds: int, limit: int) -> list[list[int]]:
    """How many nodes had begun after each turn of the loop, in each round of ten."""

    async def main() -> list[list[int]]:
        host = Waiting()
        workers = Workers(host, limit, NODES, (), FakeClock())
        found = []
        async with anyio.create_task_group() as group:
            workers.begin(group)
            for _ in range(rounds):
                host.begun.clear()
                host.go.clear()
                for node in NODES:
                    workers.push(node)
                workers.wake()
                counts = []
                for _ in range(30):
                    await asyncio.sleep(0)
                    counts.append(len(host.begun))
                found.append(counts)
                host.go.set()
                for _ in range(30):
                    await asyncio.sleep(0)
            group.cancel_scope.cancel()
        return found

    return asyncio.run(main())


def test_nodes_that_could_begin_at_once_begin_one_in_each_turn() -> None:
    for counts in _begun(2, 10):  # with new workers, then with those that were parked
        assert counts[-1] == 10
        assert max(after - before for before, after in zip([0, *counts], counts, strict=False)) == 1


def test_no_more_begin_than_may() -> None:
    (counts,) = _begun(1, 3)
    assert counts[-1] == 3
