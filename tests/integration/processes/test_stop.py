"""Stopping what is in flight: TERM, grace, KILL."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a subreaper")

STUBBORN = "trap '' TERM; echo $$ > new; mv new pid; while :; do sleep 0.05 || :; done"


def test_x1_a_command_that_ends_within_the_grace_keeps_its_result(machine: Any) -> None:
    async def scene() -> None:
        text = "trap 'sleep 0.2; echo saved; exit 0' TERM; echo $$ > new; mv new pid; while :; do sleep 0.02 || :; done"
        doing = asyncio.ensure_future(machine.sh(text))
        await machine.pid_soon("pid")
        machine.processes.stop(5)
        end = await doing
        assert (end.exit_code, end.stdout, end.stopped) == (0, b"saved\n", True)
        assert end.duration < 2

    machine.play(scene())


def test_x1_what_ignores_term_is_killed_after_the_grace(machine: Any) -> None:
    async def scene() -> None:
        doing = asyncio.ensure_future(machine.sh(STUBBORN))
        pid = await machine.pid_soon("pid")
        began = time.monotonic()
        machine.processes.stop(0.5)
        end = await doing
        assert end.stopped and end.signal == signal.SIGKILL
        assert 0.5 <= time.monotonic() - began < 1.5
        assert not machine.alive(pid)

    machine.play(scene())


@pytest.mark.parametrize("second", [0.0, 30.0])
def test_x1_stopping_again_skips_the_grace(machine: Any, second: float) -> None:
    async def scene() -> None:
        doing = asyncio.ensure_future(machine.sh(STUBBORN))
        await machine.pid_soon("pid")
        machine.processes.stop(30)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        machine.processes.stop(second)
        assert (await doing).signal == signal.SIGKILL
        assert time.monotonic() - began < 0.5

    machine.play(scene())


def test_a_stop_reaches_every_attempt_and_only_those_in_flight(machine: Any) -> None:
    async def scene() -> None:
        doing = [asyncio.ensure_future(machine.sh("sleep 30", node=f"n{i}")) for i in range(20)]
        await asyncio.sleep(0.2)
        machine.processes.stop(5)
        ends = await asyncio.gather(*doing)
        assert all(end.stopped and end.signal == signal.SIGTERM for end in ends)
        later = await machine.sh("echo finally")
        assert (later.stdout, later.stopped) == (b"finally\n", False)

    machine.play(scene())


def test_what_is_started_after_a_stop_gets_a_grace_of_its_own(machine: Any) -> None:
    async def scene() -> None:
        machine.processes.stop(5)
        text = "trap 'exit 0' TERM; echo $$ > new; mv new pid; while :; do sleep 0.02 || :; done"
        doing = asyncio.ensure_future(machine.sh(text))
        await machine.pid_soon("pid")
        machine.processes.stop(5)
        assert (await doing).exit_code == 0

    machine.play(scene())


def test_a_command_that_was_over_before_the_stop_was_not_stopped(machine: Any) -> None:
    async def scene() -> None:
        doing = asyncio.ensure_future(machine.sh("sleep 30 & echo $! > pid; exit 0"))
        await machine.pid_soon("pid")
        await asyncio.sleep(0.1)
        machine.processes.stop(5)
        end = await doing
        assert (end.exit_code, end.stopped) == (0, False)
        assert end.duration < 0.9

    machine.play(scene())


def test_closing_ends_everything_and_the_warden(machine: Any) -> None:
    async def scene() -> int:
        doing = asyncio.ensure_future(machine.sh(STUBBORN))
        pid: int = await machine.pid_soon("pid")
        began = time.monotonic()
        await machine.processes.close()
        assert time.monotonic() - began < 1
        assert (await doing).lost
        return pid

    pid = machine.play(scene())
    assert not machine.alive(pid)


def test_abandoning_needs_no_loop(machine: Any) -> None:
    machine.processes.start()
    machine.processes.abandon()
    machine.processes.abandon()

    async def scene() -> None:
        asyncio.ensure_future(machine.sh(STUBBORN)).add_done_callback(lambda done: done.exception())
        pid = await machine.pid_soon("pid")
        machine.processes.abandon()
        assert not machine.alive(pid)

    machine.play(scene())


def test_a_launcher_that_started_nothing_closes_at_once(machine: Any) -> None:
    async def scene() -> None:
        machine.processes.start()
        began = time.monotonic()
        await machine.processes.close()
        assert time.monotonic() - began < 0.5
        await machine.processes.close()

    machine.play(scene())
