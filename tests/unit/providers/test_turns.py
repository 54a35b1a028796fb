"""Calls that could go on in the same moment do so one by one."""

from __future__ import annotations

import asyncio

from pipe_providers.turns import Turns


def test_one_goes_on_in_each_turn_in_the_order_in_which_they_came() -> None:
    async def main() -> list[int]:
        turns, seen = Turns(), []

        async def call(number: int) -> None:
            await turns.take()
            seen.append(number)

        tasks = [asyncio.create_task(call(number)) for number in range(5)]
        found = []
        for _ in range(12):
            await asyncio.sleep(0)
            found.append(len(seen))
        assert all(task.done() for task in tasks)
        assert seen == [0, 1, 2, 3, 4]
        return found

    counts = asyncio.run(main())
    assert all(after - before <= 1 for before, after in zip([0, *counts], counts, strict=False))


def test_who_is_alone_waits_for_nobody() -> None:
    async def main() -> None:
        turns = Turns()
        for _ in range(3):
            taking = turns.take()
            try:
                taking.send(None)
            except StopIteration:
                pass
            else:
                raise AssertionError("it waited")
            await asyncio.sleep(0)

    asyncio.run(main())


def test_who_was_given_up_takes_nobodys_turn() -> None:
    async def main() -> list[int]:
        turns, seen = Turns(), []

        async def call(number: int) -> None:
            await turns.take()
            seen.append(number)

        tasks = [asyncio.create_task(call(number)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen

    assert asyncio.run(main()) == [0, 2, 3]
