"""Several wardens of one run: none holds the others up, and none takes the others with it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.executors.leftovers import end_leftovers
from pipe_runner.executors.pool import Pool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a subreaper")


def wardens() -> list[int]:
    us = os.getpid()
    return [int(pid) for pid in Path(f"/proc/{us}/task/{us}/children").read_text().split()]


@pytest.fixture
def pool(machine: Any) -> Iterator[Any]:
    machine.processes = Pool(machine.run_id, machine.lock, 3)
    yield machine
    assert wardens() == []


async def until(count: int) -> None:
    for _ in range(500):
        if len(wardens()) == count:
            await asyncio.sleep(0.1)
            return
        await asyncio.sleep(0.01)


def test_one_command_after_the_other_needs_one_warden(pool: Any) -> None:
    async def scene() -> None:
        for _ in range(5):
            await pool.sh("true")
        assert len(wardens()) == 1

    pool.play(scene())


def test_commands_side_by_side_are_shared_out_and_none_waits_for_a_warden_to_come_up(pool: Any) -> None:
    async def scene() -> None:
        await pool.sh("true")
        began = time.monotonic()
        first = [asyncio.ensure_future(pool.sh("sleep 3; echo $PIPE_WARDEN", node=f"n{i}")) for i in range(3)]
        end = await pool.sh("echo $PIPE_WARDEN", node="quick")
        assert end.stdout == b"0\n" and time.monotonic() - began < 1
        await until(2)
        more = [asyncio.ensure_future(pool.sh("sleep 3; echo $PIPE_WARDEN", node=f"m{i}")) for i in range(2)]
        await until(3)
        used: set[bytes] = set()
        for _ in range(50):  # a warden that isn't up yet is passed over, and a busy machine takes its time
            ends = await asyncio.gather(*(pool.sh("echo $PIPE_WARDEN", node=f"q{i}") for i in range(6)))
            used |= {end.stdout for end in ends}
            if used >= {b"1\n", b"2\n"}:
                break
            await asyncio.sleep(0.1)
        assert used >= {b"1\n", b"2\n"}
        pool.processes.stop(0)
        await asyncio.gather(*first, *more)

    pool.play(scene())


def test_a_warden_that_dies_takes_only_its_own_commands(pool: Any) -> None:
    async def scene() -> None:
        await pool.sh("true")
        doing = [asyncio.ensure_future(pool.sh("sleep 3", node=f"n{i}")) for i in range(3)]
        await until(2)
        for _ in range(500):
            if not pool.processes._members[1].ready:
                await asyncio.sleep(0.02)
        doing += [asyncio.ensure_future(pool.sh("sleep 1; echo ok", node=f"m{i}")) for i in range(3)]
        await asyncio.sleep(0.2)
        os.kill(wardens()[1], signal.SIGKILL)
        ends = await asyncio.gather(*doing)
        lost = [end for end in ends if end.lost]
        assert 0 < len(lost) < 6
        assert all(end.exit_code == 0 for end in ends if not end.lost)
        assert all(end.exit_code == 0 for end in await asyncio.gather(*(pool.sh("true") for _ in range(6))))

    pool.play(scene())


def test_d4_leftovers_wait_for_every_warden(pool: Any) -> None:
    async def scene() -> list[int]:
        doing = [asyncio.ensure_future(pool.sh("trap '' TERM; sleep 30", node=f"n{i}")) for i in range(2)]
        await until(2)
        doing.append(asyncio.ensure_future(pool.sh("trap '' TERM; echo $$ > new; mv new pid; sleep 30; :", node="m")))
        pid = await pool.pid_soon("pid")
        # As a runner that is gone leaves them: with their sockets closed.
        for member in pool.processes._members:
            member._connection.close()
        assert await asyncio.to_thread(end_leftovers, pool.run_id, pool.lock) == []
        assert not pool.alive(pid)
        for done in doing:
            done.cancel()
        return []

    pool.play(scene())


def test_where_no_second_warden_can_be_had_the_first_does(pool: Any) -> None:
    (pool.folder / "warden.lock.1").mkdir()

    async def scene() -> None:
        ends = await asyncio.gather(*(pool.sh("sleep 0.1; echo ok", node=f"n{i}") for i in range(6)))
        assert [end.stdout for end in ends] == [b"ok\n"] * 6
        assert len(wardens()) == 1

    pool.play(scene())
    (pool.folder / "warden.lock.1").rmdir()
