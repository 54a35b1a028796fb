"""How commands end: by themselves, by their time, and with all that they started."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a subreaper")

STUBBORN = "trap '' TERM HUP INT; echo $$ > new; mv new left; while :; do sleep 0.1 || :; done"
"""Tells its pid in the file `left`, and is ended by nothing but KILL."""
WAYS = {
    "in the background": "sh left.sh & ",
    "in a session of its own": "setsid sh left.sh & ",
    "forked twice": "setsid sh -c '(setsid sh left.sh &) &' & ",
    "without an environment": "env -i /bin/sh left.sh & ",
    "without an environment in a session of its own": "setsid env -i PATH=/usr/bin:/bin /bin/sh left.sh & ",
    "forked twice without an environment": "setsid env -i PATH=/usr/bin:/bin sh -c '(setsid sh left.sh &) &' &",
}
QUIET = ">/dev/null 2>&1 "
MANY = """
import os
from pipe_runner.executors.family import Family
family = Family()
started = [os.fork() or os._exit(0) for _ in range(1200)]
assert sorted(map(int, family.children())) == sorted(started), len(family.children())
"""


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def leaves(request: pytest.FixtureRequest, machine: Any) -> str:
    """Shell text that leaves a stubborn process behind, in each of the ways."""
    (machine.folder / "left.sh").write_text(STUBBORN)
    return str(request.param)


def test_exit_codes_and_signals_are_told_apart(machine: Any) -> None:
    async def scene() -> None:
        assert (await machine.sh("exit 0")).exit_code == 0
        assert (await machine.sh("exit 75")).exit_code == 75
        ended = await machine.sh("kill -SEGV $$")
        assert (ended.exit_code, ended.signal) == (None, signal.SIGSEGV)
        assert not ended.timed_out and not ended.stopped and not ended.lost

    machine.play(scene())


@pytest.mark.few(3)
def test_what_a_command_leaves_behind_ends_with_it_also_after_success(machine: Any, leaves: str) -> None:
    async def scene() -> None:
        end = await machine.sh(f"({leaves}) {QUIET}; while [ ! -e left ]; do sleep 0.01; done; echo done")
        assert (end.exit_code, end.stdout) == (0, b"done\n")
        assert not machine.alive(machine.pid("left"))

    machine.play(scene())


@pytest.mark.few(2)
def test_d4_nothing_of_an_attempt_is_left_when_the_next_could_start(machine: Any, leaves: str) -> None:
    async def scene() -> None:
        for number in range(1, 4):
            text = f"({leaves}) {QUIET}; while [ ! -e left ]; do sleep 0.01; done; exit 3"
            end = await machine.sh(text, number=number)
            assert end.exit_code == 3
            assert not machine.alive(machine.pid("left"))
            (machine.folder / "left").unlink()

    machine.play(scene())


def test_a_process_that_cannot_be_told_apart_ends_with_the_last_attempt_that_it_may_belong_to(machine: Any) -> None:
    (machine.folder / "left.sh").write_text(STUBBORN)

    async def scene() -> None:
        other = asyncio.ensure_future(machine.sh("sleep 0.6", node="other"))
        await asyncio.sleep(0.1)
        text = f"setsid env -i PATH=$PATH /bin/sh left.sh {QUIET} & while [ ! -e left ]; do sleep 0.01; done"
        await machine.sh(text, node="hides")
        await other
        pid = machine.pid("left")
        for _ in range(100):
            if not machine.alive(pid):
                break
            await asyncio.sleep(0.01)
        assert not machine.alive(pid)

    machine.play(scene())


def test_d4_a_process_that_shows_late_whose_it_is_ends_with_that_attempt(machine: Any) -> None:
    late = "sleep 0.4; PIPE_RUN_ID=$R PIPE_NODE=hides PIPE_ATTEMPT=1 exec sh left.sh"
    (machine.folder / "left.sh").write_text(STUBBORN)
    (machine.folder / "late.sh").write_text(late)

    async def scene() -> None:
        other = asyncio.ensure_future(machine.sh("while [ ! -e go ]; do sleep 0.05; done", node="other"))
        text = (
            f"setsid -f env -i PATH=$PATH R=$PIPE_RUN_ID sh late.sh {QUIET}; while [ ! -e left ]; do sleep 0.01; done"
        )
        hides = asyncio.ensure_future(machine.sh(text, node="hides"))
        await asyncio.sleep(0.2)
        await machine.sh("true", node="brief")  # when it is found, it shows nothing
        await hides
        assert not machine.alive(machine.pid("left"))
        assert not other.done()
        (machine.folder / "go").touch()
        await other

    machine.play(scene())


def test_attempts_side_by_side_leave_each_other_alone(machine: Any) -> None:
    async def scene() -> None:
        long = [asyncio.ensure_future(machine.sh("sleep 0.5; echo ok", node=f"long{i}")) for i in range(5)]
        daemon = asyncio.ensure_future(machine.sh("setsid sleep 0.5; echo ok", node="daemon"))
        for i in range(5):
            await machine.sh("sleep 30 & true", node=f"short{i}", timeout=0.2)
        assert [(await end).stdout for end in [*long, daemon]] == [b"ok\n"] * 6

    machine.play(scene())


def test_output_that_a_grandchild_holds_open_is_waited_for_one_second_and_let_go(machine: Any) -> None:
    async def scene() -> None:
        began = time.monotonic()
        end = await machine.sh("sleep 30 & echo $! > pid; echo out")
        assert 0.95 < time.monotonic() - began < 2
        assert (end.exit_code, end.stdout, end.timed_out) == (0, b"out\n", False)
        assert not machine.alive(machine.pid("pid"))

    machine.play(scene())


def test_what_a_grandchild_prints_within_the_second_is_kept(machine: Any) -> None:
    async def scene() -> None:
        began = time.monotonic()
        end = await machine.sh("(sleep 0.3; echo late) & echo early")
        assert end.stdout == b"early\nlate\n"
        assert time.monotonic() - began < 0.9

    machine.play(scene())


def test_x3_a_timeout_counts_from_the_start_and_holds_against_a_process_that_ignores_term(machine: Any) -> None:
    async def scene() -> None:
        began = time.monotonic()
        end = await machine.sh("trap '' TERM; echo a; while :; do sleep 0.05 || :; done", timeout=0.4)
        assert 0.4 <= time.monotonic() - began < 2
        assert end.timed_out and end.signal == signal.SIGKILL and end.stdout == b"a\n"

    machine.play(scene())


@pytest.mark.few(2)
def test_x3_a_timeout_holds_although_a_grandchild_keeps_the_pipe_open(machine: Any, leaves: str) -> None:
    async def scene() -> None:
        began = time.monotonic()
        end = await machine.sh(f"({leaves}); sleep 30", timeout=0.5)
        assert end.timed_out
        assert time.monotonic() - began < 2.5
        assert not machine.alive(machine.pid("left"))

    machine.play(scene())


def test_x3_draining_is_within_the_timeout_and_the_exit_code_counts(machine: Any) -> None:
    async def scene() -> None:
        began = time.monotonic()
        end = await machine.sh("sleep 30 & exit 4", timeout=0.3)
        assert (end.exit_code, end.timed_out) == (4, False)
        assert time.monotonic() - began < 0.8

    machine.play(scene())


def test_a_stopped_process_is_ended_too(machine: Any) -> None:
    async def scene() -> None:
        end = await machine.sh("kill -STOP $$", timeout=0.3)
        assert end.timed_out and end.duration < 2

    machine.play(scene())


def test_a_command_gets_term_first_and_time_for_its_own_end(machine: Any) -> None:
    async def scene() -> None:
        end = await machine.sh("trap 'echo bye; exit 7' TERM; while :; do sleep 0.05 || :; done", timeout=0.3)
        assert end.timed_out and end.exit_code == 7 and end.stdout == b"bye\n"

    machine.play(scene())


@pytest.mark.few(3)
def test_cancelling_kills_the_attempt_and_waits_until_nothing_is_left(machine: Any, leaves: str) -> None:
    async def scene() -> None:
        text = f"trap '' TERM; ({leaves}) {QUIET}; sleep 30"
        doing = asyncio.ensure_future(machine.sh(text))
        pid = await machine.pid_soon("left")
        began = time.monotonic()
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert time.monotonic() - began < 1
        assert not machine.alive(pid)
        assert (await machine.sh("echo on")).stdout == b"on\n"

    machine.play(scene())


def test_cancelling_by_a_scope_of_anyio_waits_just_so(machine: Any) -> None:
    import anyio

    async def scene() -> None:
        with anyio.move_on_after(0.3) as scope:
            await machine.sh("trap '' TERM; echo $$ > pid; while :; do sleep 0.1 || :; done")
        assert scope.cancelled_caught
        assert not machine.alive(machine.pid("pid"))

    machine.play(scene())


def test_processes_that_start_others_and_exit_are_caught_at_the_end(machine: Any) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.environ.clear()\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "while True:\n"
        "    if os.fork(): os._exit(0)\n"
        "    with open('count', 'ab', 0) as file: file.write(b'x')\n"
    )
    (machine.folder / "chain.py").write_text(code)

    async def scene() -> None:
        await machine.run(sys.executable, "chain.py")
        await asyncio.sleep(0.2)

    machine.play(scene())
    count = (machine.folder / "count").stat().st_size
    time.sleep(0.1)
    assert (machine.folder / "count").stat().st_size == count > 0


def test_what_one_of_a_thousand_leaves_behind_is_seen() -> None:
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
