"""Who reads what a command prints: the warden at first, the runner when it takes longer."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from typing import Any

import pytest

from pipe_runner.executors.reading import KEPT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at limits as Linux has them")


def test_what_quick_commands_print_arrives_whole_on_both_streams(machine: Any) -> None:
    async def scene() -> None:
        for size in (1, 4095, 4096, 4097, 60_000, 65_536, 65_537, 200_000):
            end = await machine.sh(f"head -c {size} /dev/zero; head -c {size} /dev/zero >&2")
            assert (len(end.stdout), len(end.stderr_tail)) == (size, min(size, 4096))

    machine.play(scene())


def test_what_was_printed_before_and_after_the_pipes_were_handed_over_is_in_order(machine: Any) -> None:
    async def scene() -> None:
        for wait in ("0.005", "0.01", "0.012", "0.03"):
            for _ in range(5):
                text = f"for i in 1 2 3 4 5; do echo $i; echo e$i >&2; sleep {wait}; done"
                end = await machine.sh(text)
                assert end.stdout == b"1\n2\n3\n4\n5\n"
                assert end.stderr_tail == b"e1\ne2\ne3\ne4\ne5\n"

    machine.play(scene())


def test_one_stream_may_stay_open_after_a_quick_command(machine: Any) -> None:
    async def scene() -> None:
        began = time.monotonic()
        end = await machine.sh("(sleep 0.3; echo late >&2) >/dev/null & echo early")
        assert (end.exit_code, end.stdout, end.stderr_tail) == (0, b"early\n", b"late\n")
        assert time.monotonic() - began < 0.9

    machine.play(scene())


def test_more_commands_than_the_warden_reads_for(machine: Any) -> None:
    async def scene() -> None:
        for text in ("echo $PIPE_NODE", "sleep 0.1; echo $PIPE_NODE"):
            ends = await asyncio.gather(*(machine.sh(text, node=f"n{i}") for i in range(3 * KEPT)))
            assert [end.stdout for end in ends] == [b"n%d\n" % i for i in range(3 * KEPT)]

    machine.play(scene())


def test_a_quick_command_that_is_cancelled_leaves_its_pipes_to_nobody(machine: Any) -> None:
    async def scene() -> None:
        for _ in range(20):
            doing = asyncio.ensure_future(machine.sh("echo x; sleep 5"))
            await asyncio.sleep(0.002)
            doing.cancel()
            await asyncio.wait([doing])
        assert (await machine.sh("echo ok")).stdout == b"ok\n"

    machine.play(scene())


def test_a_warden_without_room_for_pipes_says_so_and_goes_on(machine: Any) -> None:
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (KEPT + 8, old[1]))
    try:
        machine.processes.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)

    async def scene() -> None:
        ends = await asyncio.gather(*(machine.sh("sleep 0.3; echo ok", node=f"n{i}") for i in range(KEPT)))
        refused = [end.unavailable for end in ends if end.unavailable]
        why = "no pipe for the command's output could be opened: Too many open files (raise the limit: `ulimit -n`)"
        assert set(refused) == {why}
        assert [end.stdout for end in ends if not end.unavailable] == [b"ok\n"] * (KEPT - len(refused))
        assert (await machine.sh("echo ok")).stdout == b"ok\n"

    machine.play(scene())
