"""Which function is at fault is known by what its thread does, on a machine that does nothing else or very much."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe_runner.executors import overdue
from pipe_runner.executors.overdue import SURE, Overdue, Thread
from pipe_runner.executors.timetable import Timetable
from pipe_runner.ports import Attempt

RUNNER, STUCK, WAITING, SLEEPING = 100, 101, 102, 103


@pytest.fixture
def table() -> Iterator[Timetable]:
    made = Timetable()
    for node, thread in (("stuck", STUCK), ("waits", WAITING), ("sleeps", SLEEPING)):
        attempt = Attempt("r", node, 1, "python", {}, {}, "/", "key", timeout=1.0)
        made.enter(attempt)
        made.runs_in(attempt, thread)
    yield made
    made.close()


def suspects(table: Timetable, monkeypatch: pytest.MonkeyPatch, uses: dict[int, tuple[float, int]]) -> list[str]:
    """Of two seconds in which threads ran so long, and of ten looks were ready to at so many."""
    watch = Overdue(table.fd, "", -1, RUNNER)
    watch._used = dict.fromkeys(uses, 3.0)
    watch._ready = [{thread for thread, (_, ready) in uses.items() if look < ready} for look in range(10)]
    monkeypatch.setattr(
        overdue, "_threads", lambda pid: {thread: Thread(3.0 + used, False) for thread, (used, _) in uses.items()}
    )
    return [entry.node for entry in watch._suspects(2.0, watch._entries(), 0)]


@pytest.mark.parametrize(
    ("stuck", "waits", "runner"),
    [
        ((1.9, 10), (0.006, 0), (0.003, 0)),  # nothing else to do
        ((0.19, 10), (0.005, 1), (0.003, 4)),  # twelve others on two processors
        ((0.013, 10), (0.003, 6), (0.002, 6)),  # at the lowest priority beside three
        ((0.013, 10), (0.003, 10), (0.002, 10)),
        ((0.06, 9), (0.06, 8), (0.008, 8)),
    ],
)
def test_x3_the_thread_that_holds_the_interpreter_is_known_however_little_of_a_processor_it_gets(
    table: Timetable,
    monkeypatch: pytest.MonkeyPatch,
    stuck: tuple[float, int],
    waits: tuple[float, int],
    runner: tuple[float, int],
) -> None:
    uses = {RUNNER: runner, STUCK: stuck, WAITING: waits, SLEEPING: (0.0, 0)}
    assert suspects(table, monkeypatch, uses) == ["stuck"]


def test_all_are_suspects_where_no_thread_is_at_work(table: Timetable, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = {RUNNER: (0.003, 5), STUCK: (0.0, 0), WAITING: (0.004, 3), SLEEPING: (0.0, 0)}
    assert suspects(table, monkeypatch, idle) == ["stuck", "waits", "sleeps"]
    late = {**idle, RUNNER: (0.01, 10)}
    assert suspects(table, monkeypatch, late) == ["stuck", "waits", "sleeps"]


def test_two_that_work_alike_are_both_suspects(table: Timetable, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = {RUNNER: (0.003, 4), STUCK: (0.1, 10), WAITING: (0.08, 10), SLEEPING: (0.0, 0)}
    assert suspects(table, monkeypatch, uses) == ["stuck", "waits"]


def test_a_runner_that_takes_its_time_to_end_is_told_of_once(table: Timetable, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    told, telling = os.pipe()
    monkeypatch.setattr("pipe_runner.executors.guard.end", ended.append)
    monkeypatch.setattr(overdue, "_threads", lambda pid: {})
    watch = Overdue(table.fd, "", telling, os.getppid())
    for seconds in (10.0, 20.0):
        now = watch._last = time.monotonic() + seconds
        watch._since = now - SURE
        watch._decide(now, watch._entries(), 0.0, 0)
    watch.let_go()
    with open(told, encoding="utf-8") as file:
        assert file.read().count("error: ") == 1
    assert ended == [os.getppid()] * 2


@pytest.mark.parametrize(("state", "flag"), [(".pipe", ""), ("runs of mine", " --state-dir '{}'")])
def test_the_command_that_goes_on_with_the_run_says_where_the_run_is(
    table: Timetable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, flag: str
) -> None:
    told, telling = os.pipe()
    monkeypatch.setattr("pipe_runner.executors.guard.end", lambda pid: None)
    monkeypatch.setattr(overdue, "_threads", lambda pid: {})
    folder = tmp_path / state / "runs" / "r1"
    folder.mkdir(parents=True)
    watch = Overdue(table.fd, str(folder), telling, os.getppid())
    now = watch._last = time.monotonic() + 10
    watch._since = now - SURE
    watch._decide(now, watch._entries(), 0.0, 0)
    watch.let_go()
    with open(told, encoding="utf-8") as file:
        assert f"`pipe resume r1{flag.format(tmp_path / state)}` goes on" in file.read()


def test_several_suspects_are_looked_at_for_longer_than_one(table: Timetable, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("pipe_runner.executors.guard.end", ended.append)
    monkeypatch.setattr(overdue, "_threads", lambda pid: {})
    watch = Overdue(table.fd, "", -1, os.getppid())
    for seconds, ends in ((3.0, 0), (5.9, 0), (6.1, 1)):
        now = watch._last = time.monotonic() + 20
        watch._since = now - seconds
        watch._decide(now, watch._entries(), 0.0, 0)
        assert len(ended) == ends


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_times_of_threads_are_read_from_the_system() -> None:
    thread, ready, stop = [0], threading.Event(), threading.Event()

    def works() -> None:
        thread[0] = threading.get_native_id()
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        ready.set()
        stop.wait()

    worker = threading.Thread(target=works)
    worker.start()
    ready.wait()
    uses = overdue._threads(os.getpid())
    stop.set()
    worker.join()
    assert uses[thread[0]].used >= 0.09
    assert uses[threading.get_native_id()].ready
    assert overdue._ran("/nowhere") == 0.0
