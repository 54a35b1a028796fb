"""Many waits are bounded by one timer, each as if it had its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from pipe_providers.deadlines import Deadlines


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 20))


def test_each_wait_ends_at_its_own_time_whatever_the_order_in_which_they_began() -> None:
    async def main() -> None:
        deadlines, ended = Deadlines(), []
        now = asyncio.get_running_loop().time

        async def wait(seconds: float) -> None:
            began = now()
            with pytest.raises(TimeoutError), deadlines.by(began + seconds):
                await asyncio.Event().wait()
            assert now() - began >= seconds - 0.01
            ended.append(seconds)

        await asyncio.gather(*map(wait, (0.3, 0.1, 0.2, 0.0)))
        assert ended == [0.0, 0.1, 0.2, 0.3]
        deadlines.close()

    run(main())


def test_waits_that_are_all_over_when_the_loop_comes_to_it_end_in_the_order_of_their_times() -> None:
    async def main() -> None:
        deadlines, ended = Deadlines(), []
        began = asyncio.get_running_loop().time()

        async def wait(number: int) -> None:
            with pytest.raises(TimeoutError), deadlines.by(began + number / 1000):
                await asyncio.Event().wait()
            ended.append(number)

        waits = [asyncio.create_task(wait(number)) for number in (7, 3, 9, 1, 8, 2, 6, 4, 5)]
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 - a loop that is held up
        await asyncio.gather(*waits)
        assert ended == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        deadlines.close()

    run(main())


def test_a_wait_that_ended_in_time_is_not_ended_later() -> None:
    async def main() -> None:
        deadlines = Deadlines()
        loop = asyncio.get_running_loop()
        with deadlines.by(loop.time() + 0.05):
            await asyncio.sleep(0)
        with deadlines.by(None), deadlines.by(loop.time() + 30):
            await asyncio.sleep(0.2)

    run(main())


def test_a_task_that_somebody_cancels_is_cancelled_also_where_its_time_is_up() -> None:
    async def main() -> None:
        deadlines, loop = Deadlines(), asyncio.get_running_loop()

        async def wait(seconds: float) -> None:
            me = asyncio.current_task()
            assert me is not None
            with deadlines.by(loop.time() + seconds):
                loop.call_soon(me.cancel)
                await asyncio.Event().wait()

        for seconds in (0, 30):
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(wait(seconds))

    run(main())


def test_what_is_raised_within_is_raised() -> None:
    async def main() -> None:
        deadlines = Deadlines()
        with pytest.raises(KeyError), deadlines.by(asyncio.get_running_loop().time() + 5):
            raise KeyError

    run(main())
