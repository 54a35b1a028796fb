"""A runner that looks late, since it was stopped or a function kept the interpreter: the time of the end counts."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from looking import held_up

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no warden")


async def late(machine: Any, text: str, timeout: float) -> Any:
    doing = asyncio.ensure_future(machine.sh(f"echo $$ > began; {text}", timeout=timeout))
    await machine.pid_soon("began")
    await asyncio.sleep(0.02)
    held_up(1.5)
    return await doing


def test_what_ended_before_its_time_was_up_is_not_timed_out(machine: Any) -> None:
    async def scene() -> None:
        end = await late(machine, "sleep 0.4; echo done", 1)
        assert (end.exit_code, end.timed_out, end.stdout) == (0, False, b"done\n")

    machine.play(scene())


def test_its_own_exit_code_counts_and_what_it_left_ends(machine: Any) -> None:
    async def scene() -> None:
        end = await late(machine, "sleep 60 & echo $! > left; sleep 0.4; exit 3", 1)
        assert (end.exit_code, end.timed_out) == (3, False)
        assert not machine.alive(machine.pid("left"))

    machine.play(scene())


def test_x3_what_ended_by_itself_after_its_time_is_timed_out_however_late_that_is_seen(machine: Any) -> None:
    async def scene() -> None:
        end = await late(machine, "sleep 1; echo done", 0.5)
        assert (end.exit_code, end.timed_out) == (0, True)

    machine.play(scene())
