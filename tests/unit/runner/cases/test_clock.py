"""The clock of a case: nobody waits, and everybody wakes in the order of their times."""

from __future__ import annotations

import asyncio
import time

import anyio

from pipe_runner.cases.clock import JumpingClock


def test_sleepers_wake_in_the_order_of_their_times_and_at_once() -> None:
    clock = JumpingClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.monotonic() - 1000.0))

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper, "long", 3600.0)
            group.start_soon(sleeper, "short", 10.0, 20.0, 40.0)
            group.start_soon(sleeper, "other", 30.0)

    began = time.monotonic()
    anyio.run(all_of_them)
    assert time.monotonic() - began < 5
    assert woken == [("short", 10), ("other", 30), ("short", 30), ("short", 70), ("long", 3600)]


def test_one_who_is_cancelled_moves_no_clock() -> None:
    clock = JumpingClock()

    async def scenario() -> None:
        task = asyncio.ensure_future(clock.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await clock.sleep(1)

    anyio.run(scenario)
    assert clock.monotonic() == 1001.0
