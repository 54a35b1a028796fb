"""kill -9 of the runner, of the warden, and of both."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import RunBusy
from pipe_runner.executors.leftovers import end_leftovers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a subreaper")

DRIVER = Path(__file__).with_name("driver.py")
STUBBORN = "trap '' TERM HUP INT; echo $$ > $1.new; mv $1.new $1; while :; do sleep 0.1 || :; done"
WAYS = {
    "a command": "exec sh left.sh p0",
    "in the background": "sh left.sh p0 & sh left.sh p1",
    "in a session of its own": "setsid sh left.sh p0 & sleep 60",
    "forked twice": "setsid sh -c '(setsid sh left.sh p0 &) &'; sleep 60",
    "without an environment": "setsid env -i PATH=/usr/bin:/bin sh -c '(setsid sh left.sh p0 &) &'; sleep 60",
    "after its command": "setsid sh left.sh p0 & while [ ! -e p0 ]; do sleep 0.01; done",
}

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(machine: Any) -> Iterator[Start]:
    """Start a runner with these commands."""
    (machine.folder / "left.sh").write_text(STUBBORN)
    runners = []

    def run(*scripts: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(DRIVER), str(machine.folder), machine.run_id, *scripts]
        runners.append(subprocess.Popen(command))
        return runners[-1]

    yield run
    for runner in runners:
        runner.kill()
        runner.wait()


def warden_of(runner: int) -> int:
    children = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
    assert len(children) == 1, "the warden is the runner's only child"
    return int(children[0])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.few(2)
def test_x2_five_seconds_after_kill_9_of_the_runner_nothing_of_the_run_is_alive(
    machine: Any, start: Start, way: str
) -> None:
    runner = start(way, "sleep 60")
    pids = [machine.pid("p0"), *([machine.pid("p1")] if "p1" in way else [])]
    warden = warden_of(runner.pid)
    runner.kill()
    runner.wait()
    began = time.monotonic()
    assert all(machine.ends(pid, 5) for pid in (*pids, warden))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("way", ["after its command", "without an environment"])
def test_x2_nothing_is_left_of_a_runner_that_is_killed_while_the_warden_is_stopped(
    machine: Any, start: Start, way: str
) -> None:
    runner = start(WAYS[way], "sleep 60")
    pids = (machine.pid("p0"), warden_of(runner.pid))
    os.kill(pids[1], signal.SIGSTOP)
    runner.kill()
    runner.wait()
    assert all(machine.ends(pid, 5) for pid in pids)


def test_x2_polite_processes_get_term_and_end_at_once(machine: Any, start: Start) -> None:
    text = "trap 'echo bye > bye; exit' TERM; echo $$ > new; mv new p0; while :; do sleep 0.02 || :; done"
    runner = start(f"exec 2>/dev/null; {text}")  # what a shell says of killed children would end it: nobody reads it
    pid = machine.pid("p0")
    runner.kill()
    runner.wait()
    assert machine.ends(pid, 1)
    assert (machine.folder / "bye").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT])
@pytest.mark.few(2)
def test_x2_the_runner_may_end_by_any_signal(machine: Any, start: Start, number: int) -> None:
    runner = start("sh left.sh p0")
    pid = machine.pid("p0")
    runner.send_signal(number)
    runner.wait()
    assert machine.ends(pid, 5)


def test_d4_leftovers_wait_for_the_warden_of_the_killed_runner(machine: Any, start: Start) -> None:
    runner = start("sh left.sh p0")
    pid = machine.pid("p0")
    runner.kill()
    runner.wait()
    assert end_leftovers(machine.run_id, machine.lock) == []
    assert not machine.alive(pid)


def test_d4_what_is_left_when_the_warden_was_killed_too_is_found_and_ended(machine: Any, start: Start) -> None:
    runner = start("setsid sh left.sh p0 & sh left.sh p1", "sh left.sh p2")
    pids = {machine.pid(f"p{i}") for i in range(3)}
    os.kill(warden_of(runner.pid), signal.SIGSTOP)
    os.kill(warden_of(runner.pid), signal.SIGKILL)
    runner.kill()
    runner.wait()
    assert any(machine.alive(pid) for pid in pids)
    ended = end_leftovers(machine.run_id, machine.lock)
    assert pids <= {left.pid for left in ended}
    assert {left.node for left in ended} == {"n0", "n1"} and {left.attempt for left in ended} == {"1"}
    assert not any(machine.alive(pid) for pid in pids)
    assert end_leftovers(machine.run_id, machine.lock) == []


def test_d4_another_run_with_the_same_id_elsewhere_is_left_alone(machine: Any, start: Start) -> None:
    start("sh left.sh p0")
    pid = machine.pid("p0")
    elsewhere = machine.folder / "elsewhere"
    elsewhere.mkdir()
    assert end_leftovers(machine.run_id, str(elsewhere / "warden.lock")) == []
    assert machine.alive(pid)


def test_d8_while_a_warden_watches_its_run_is_busy(machine: Any, start: Start) -> None:
    start("sh left.sh p0")
    machine.pid("p0")
    with pytest.raises(RunBusy, match="still being ended"):
        end_leftovers(machine.run_id, machine.lock, timeout=0.2)


def test_leftovers_never_include_the_one_who_asks_or_its_ancestors(machine: Any) -> None:
    code = f"from pipe_runner.executors.leftovers import end_leftovers as e; print(e('x', {machine.lock!r}), end='')"
    env = {**os.environ, "PIPE_RUN_ID": "x", "PIPE_RUN_DIR": os.path.realpath(machine.folder)}
    done = subprocess.run(["sh", "-c", f'"$0" -c "{code}"; echo', sys.executable], env=env, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"[]\n")


def test_when_the_warden_is_killed_attempts_are_lost_ended_and_the_next_ones_go_on(machine: Any) -> None:
    (machine.folder / "left.sh").write_text(STUBBORN)

    async def scene() -> None:
        doing = [asyncio.ensure_future(machine.sh(f"setsid sh left.sh p{i} & sleep 60", node=f"n{i}")) for i in (0, 1)]
        pids = [await machine.pid_soon(f"p{i}") for i in (0, 1)]
        began = time.monotonic()
        os.kill(warden_of(os.getpid()), signal.SIGKILL)
        ends = await asyncio.gather(*doing)
        assert all(end.lost and end.exit_code is None for end in ends)
        assert not any(machine.alive(pid) for pid in pids)
        assert time.monotonic() - began < 2
        assert (await machine.sh("echo on")).stdout == b"on\n"

    machine.play(scene())


def test_an_unforeseen_fault_while_a_dead_warden_is_cleaned_up_after_keeps_no_command_waiting(machine: Any) -> None:
    class Broken:
        async def end_orphans(self) -> None:
            raise RuntimeError("on purpose")

    async def scene() -> None:
        doing = asyncio.ensure_future(machine.sh("echo $$ > new; mv new p0; exec sleep 60"))
        await machine.pid_soon("p0")
        machine.processes.strangers = Broken()
        os.kill(warden_of(os.getpid()), signal.SIGKILL)
        assert (await doing).lost
        assert (await machine.sh("echo on")).stdout == b"on\n"

    machine.play(asyncio.wait_for(scene(), 10))


def test_a_warden_that_died_before_it_was_given_a_command_takes_none_with_it(machine: Any) -> None:
    def kill() -> None:
        pid = machine.processes.warden
        os.kill(pid, signal.SIGKILL)
        assert machine.ends(pid, 5)

    async def scene() -> None:
        for _ in range(2):
            assert (await machine.sh("echo on")).stdout == b"on\n"
            kill()
        ends = await asyncio.gather(*(machine.sh("echo on", node=f"n{i}") for i in range(3)))
        assert [end.stdout for end in ends] == [b"on\n"] * 3

    machine.processes.start()
    kill()
    machine.play(scene())


def test_a_command_that_could_not_be_sent_is_given_to_another_warden(machine: Any) -> None:
    async def scene() -> None:
        await machine.sh("true")
        machine.processes._connection._socket.shutdown(socket.SHUT_WR)
        ends = await asyncio.gather(*(machine.sh("echo on; cat", node=f"n{i}", stdin=b"in") for i in range(3)))
        assert [end.stdout for end in ends] == [b"on\nin"] * 3

    machine.play(scene())


def test_what_starts_while_a_dead_warden_is_cleaned_up_after_is_not_ended_with_the_rest(machine: Any) -> None:
    async def scene() -> None:
        doing = asyncio.ensure_future(machine.sh("sleep 60"))
        await asyncio.sleep(0.1)
        os.kill(warden_of(os.getpid()), signal.SIGKILL)
        later = []
        for i in range(20):
            later.append(asyncio.ensure_future(machine.sh("sleep 0.2; echo ok", node=f"later{i}")))
            await asyncio.sleep(0.002)
        assert (await doing).lost
        ends = [await end for end in later]
        # Those that were on their way to the dead warden are lost; what was started after it is not.
        assert ends[-1].stdout == b"ok\n"
        assert all(end.lost or end.stdout == b"ok\n" for end in ends)

    machine.play(scene())


def test_the_runner_has_no_zombies(machine: Any) -> None:
    async def scene() -> None:
        for _ in range(5):
            await machine.sh("(true &) ; setsid true & true")
        os.kill(warden_of(os.getpid()), signal.SIGKILL)
        await machine.sh("true")
        await machine.sh("true")

    machine.play(scene())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
