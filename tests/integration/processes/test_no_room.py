"""A system that has no room for another thread, or for another descriptor to wait for, or forbids signals."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import StorageError

LEAVES_ONE = "setsid sh -c 'trap \"\" TERM; echo $$ > new; mv new p0; echo here; sleep 60; true' & sleep 60"


def refused(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_d4_where_no_thread_can_be_started_what_a_dead_warden_left_ends_before_the_attempt_does(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        unhandled: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: unhandled.append(told))
        here = asyncio.Event()
        doing = asyncio.ensure_future(machine.sh(LEAVES_ONE, emit=lambda *_: here.set()))
        await here.wait()
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refused)
            os.kill(machine.processes.warden, signal.SIGKILL)
            assert (await doing).lost
            assert not machine.alive(machine.pid("p0"))
        later = asyncio.ensure_future(machine.sh("sleep 0.3; echo on"))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(int)  # a thread that does all that had to wait for one
        assert (await later).stdout == b"on\n"
        assert not unhandled

    machine.play(scene())


def test_a_warden_whose_socket_can_not_be_watched_ends(machine: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def scene() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.add_reader = full
        with pytest.raises(StorageError, match="cannot wait for what commands do"):
            await machine.sh("true")
        del loop.add_reader
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        assert not children.exists() or not children.read_text()
        assert (await machine.sh("echo on")).stdout == b"on\n"

    machine.play(scene())


class Full:
    """A socket for which the system has no memory, for a while."""

    def __init__(self, real: Any) -> None:
        self.real, self.until, self.tried = real, time.monotonic() + 0.5, 0

    def send(self, data: bytes) -> int:
        self.tried += 1
        if time.monotonic() < self.until:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        sent: int = self.real.send(data)
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def test_what_finds_no_room_is_sent_when_there_is_some_and_not_tried_all_the_time(machine: Any) -> None:
    async def scene() -> None:
        await machine.sh("true")
        connection = machine.processes._connection
        connection._socket = full = Full(connection._socket)
        ends = await asyncio.gather(*(machine.sh("echo on", node=f"n{i}") for i in range(3)))
        assert [end.stdout for end in ends] == [b"on\n"] * 3
        assert full.tried < 100

    machine.play(scene())


def test_a_command_that_ended_well_before_its_output_could_be_watched_has_ended_well(machine: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def scene() -> None:
        await machine.sh("true")
        loop: Any = asyncio.get_running_loop()
        loop.add_reader = full
        end = await machine.sh("sleep 0.5 & echo on")  # what holds the pipe open is waited for
        del loop.add_reader
        assert (end.exit_code, end.stdout, end.unavailable) == (0, b"on\n", None)

    machine.play(scene())


def test_a_warden_that_neither_ends_nor_may_be_killed_costs_no_run_its_end(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipe_runner.executors.processes.CLOSE_WAIT", 0.1)
    kill = os.kill

    def forbidden(pid: int, number: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    async def scene() -> int:
        await machine.sh("true")
        warden: int = machine.processes.warden
        kill(warden, signal.SIGSTOP)
        with monkeypatch.context() as sandbox:
            sandbox.setattr(os, "kill", forbidden)
            await machine.processes.close()
        kill(warden, signal.SIGCONT)
        assert await asyncio.to_thread(machine.ends, warden, 5)
        return warden

    os.waitpid(machine.play(scene()), 0)
