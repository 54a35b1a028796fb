"""A task that waits for a command goes on at once, in its own context, whatever else waits."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from pipe_runner.executors.waking import wake

HERE: ContextVar[str] = ContextVar("HERE", default="outside")


async def ends(future: asyncio.Future[int], seen: list[object]) -> None:
    HERE.set("inside")
    seen.append(await future)
    seen.append(HERE.get())
    await asyncio.sleep(0)
    seen.append("later")


def test_who_waits_goes_on_before_the_call_returns() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        seen: list[object] = []
        task = asyncio.ensure_future(ends(future, seen))
        await asyncio.sleep(0)

        def callback() -> None:
            wake(future, 7)
            seen.append("returned")

        loop.call_soon(callback)
        await task
        assert seen == [7, "inside", "returned", "later"]

    asyncio.run(scene())


def test_where_nobody_or_more_than_one_waits_the_loop_wakes_them() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        alone: asyncio.Future[int] = loop.create_future()
        wake(alone, 1)
        assert await alone == 1
        shared: asyncio.Future[int] = loop.create_future()
        seen: list[object] = []
        tasks = [asyncio.ensure_future(ends(shared, seen)) for _ in range(2)]
        await asyncio.sleep(0)
        loop.call_soon(wake, shared, 2)
        await asyncio.gather(*tasks)
        assert seen.count(2) == 2 and seen.count("inside") == 2

    asyncio.run(scene())


def test_a_task_that_ends_by_it_is_done() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()

        async def fails() -> None:
            await future
            raise LookupError("x")

        task = asyncio.ensure_future(fails())
        await asyncio.sleep(0)
        loop.call_soon(wake, future, 0)
        await asyncio.wait([task])
        assert isinstance(task.exception(), LookupError)

    asyncio.run(scene())
