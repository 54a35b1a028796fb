"""What is kept to hear of signals, of one run after the other in a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipe_runner.cli.signals import Signals
from pipe_runner.executors.pool import Pool


class Guarded:
    """As much of a run as signals need; `guards` are the pipes that it gave away."""

    grace = 1.0
    busy = False

    def __init__(self) -> None:
        self.guards: list[tuple[int, int]] = []

    @property
    def processes(self) -> Guarded:
        return self

    def guard(self, grace: float) -> tuple[int, int]:
        told, tell = os.pipe()
        os.set_blocking(tell, False)
        self.guards.append((told, tell))
        return told, tell


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_run_s_guard_is_closed_when_the_next_one_has_its_own() -> None:
    signals, run, loop = Signals(), Guarded(), asyncio.new_event_loop()
    signals.attach(loop, cast("Any", run))
    signals.detach()
    signals.attach(loop, cast("Any", run))
    signals.detach()
    first, second = run.guards
    assert [*map(is_open, first), *map(is_open, second)] == [False, False, True, True]
    signals.restore()
    assert not any(map(is_open, second))
    loop.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="starts a warden")
def test_s11_a_signal_after_the_warden_has_ended_is_taken_without_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = Pool("r", str(tmp_path / "warden.lock"), functions=True)
    pool.start()
    signals, loop = Signals(), asyncio.new_event_loop()
    signals.install()
    try:
        signals.attach(loop, cast("Any", SimpleNamespace(grace=60.0, processes=pool, stop=lambda why: None)))
        pool.abandon()
        signal.raise_signal(signal.SIGTERM)
    finally:
        signals.restore()
        loop.close()
    assert signals.received == [signal.SIGTERM]
    assert capfd.readouterr().err == ""


class Left(Signals):
    """Tells that it would end the process."""

    def __init__(self) -> None:
        super().__init__()
        self.left = threading.Event()

    def leave(self) -> None:  # type: ignore[override]
        self.left.set()


@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_of_a_command_that_is_over_does_not_end_the_process_of_who_called_it(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipe_runner.cli.signals.LAST_RESORT", 0.05)
    signals, loop = Left(), asyncio.new_event_loop()
    run = SimpleNamespace(grace=0.0, processes=Guarded(), stop=lambda why: None)
    signals.install()
    try:
        signals.attach(loop, cast("Any", run))
        for _ in range(times):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signals.restore()
        loop.close()
    signals._run = None  # which has nothing else to let go
    signals.let_go_on()
    assert not signals.left.wait(0.5)


@pytest.mark.parametrize("times", [1, 2])
def test_x1_a_loop_that_takes_no_signal_is_left(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_runner.cli.signals.LAST_RESORT", 0.05)
    signals, loop = Left(), asyncio.new_event_loop()
    signals.install()
    try:
        signals.attach(loop, cast("Any", SimpleNamespace(grace=0.0, processes=Guarded(), stop=lambda why: None)))
        for _ in range(times):
            signal.raise_signal(signal.SIGTERM)
        assert signals.left.wait(20)
    finally:
        signals.restore()
        loop.close()
