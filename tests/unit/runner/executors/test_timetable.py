"""The table of functions under way, as the runner writes it and the warden reads it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from math import inf
from types import FunctionType

import pytest

from pipe_runner.executors.overdue import HEAD, ROOM, Entry, Overdue
from pipe_runner.executors.timetable import MOST, Timetable
from pipe_runner.ports import Attempt


def attempt(node: str, timeout: float | None = None, number: int = 1) -> Attempt:
    return Attempt("r", node, number, "python", {}, {}, "/", "key", timeout=timeout)


@pytest.fixture
def table() -> Iterator[Timetable]:
    made = Timetable()
    yield made
    made.close()


def entries(table: Timetable) -> list[Entry]:
    return list(Overdue(table.fd, "", -1, os.getpid())._entries().values())


def head(table: Timetable) -> tuple[float, float, int]:
    beat, until, blocked = HEAD.unpack(os.pread(table.fd, HEAD.size, 0))
    return beat, until, blocked


def test_what_is_under_way_stands_there_until_it_ends(table: Timetable) -> None:
    limited, free = attempt("a", 60.0, 3), attempt("probe[ä]")
    table.enter(limited)
    table.runs_in(limited, 7)
    table.runs_in(free, 8)
    first, second = entries(table)
    assert (first.limit, first.thread, first.attempt, first.node, first.whole) == (60.0, 7, 3, "a", True)
    assert 59 < first.until - time.monotonic() <= 60
    assert (second.until, second.thread, second.node) == (inf, 8, "probe[ä]")
    table.leave(limited)
    assert [entry.node for entry in entries(table)] == ["probe[ä]"]
    table.leave(free)
    table.leave(free)
    assert entries(table) == []


def test_what_has_no_room_is_not_watched(table: Timetable) -> None:
    many = [attempt(f"n{number}", 60.0) for number in range(MOST + 5)]
    for one in many:
        table.enter(one)
    assert len(entries(table)) == MOST
    for one in many:
        table.leave(one)
    table.enter(attempt("last"))
    assert [entry.node for entry in entries(table)] == ["last"]


def test_an_id_that_is_too_long_is_known_to_be_cut(table: Timetable) -> None:
    table.enter(attempt("ö" * ROOM, 1.0))
    (entry,) = entries(table)
    assert not entry.whole
    assert entry.node == "ö" * (ROOM // 2)


def test_a_stop_leaves_the_grace_and_no_more(table: Timetable) -> None:
    table.bound(5.0)
    for name, timeout in (("soon", 1.0), ("late", 60.0), ("never", None)):
        table.enter(attempt(name, timeout))
    table.hurry(10.0)
    left = {entry.node: round(entry.until - time.monotonic()) for entry in entries(table)}
    assert left == {"soon": 1, "late": 10, "never": 10}
    assert head(table)[1] == 0.0


def test_signs_of_life_come_while_there_is_a_limit_to_be_held(table: Timetable) -> None:
    table.enter(attempt("a"))
    assert head(table)[0] == 0.0
    table.enter(attempt("b", 60.0))
    first = head(table)[0]
    end = time.monotonic() + 20
    while head(table)[0] == first and time.monotonic() < end:
        time.sleep(0.02)
    assert head(table)[0] > first
    table.bound(None)
    assert os.fstat(table.fd)


def work(then: Callable[[], None]) -> None:
    then()


def watched(attempt: Attempt, within: str, then: Callable[[], None]) -> None:
    FunctionType(work.__code__, {"__name__": within})(then)


@pytest.mark.parametrize(("within", "blamed"), [("tools", True), ("pipe_runner.runlog.writer", False)])
def test_the_loop_is_held_up_by_a_function_and_not_by_the_runners_own_work(
    table: Timetable, within: str, blamed: bool
) -> None:
    table.watched = watched.__code__
    one = attempt("a", 60.0)
    slot = table.enter(one)
    found: list[int] = []

    def look() -> None:
        thread = threading.Thread(target=lambda: found.append(table._blocker()))
        thread.start()
        thread.join()

    watched(one, within, look)
    assert found == [slot if blamed else 0]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_changes_nothing(table: Timetable) -> None:
    one = attempt("a", 60.0)
    table.enter(one)
    pid = os.fork()
    if not pid:
        table.leave(one)
        os._exit(0)
    os.waitpid(pid, 0)
    assert [entry.node for entry in entries(table)] == ["a"]
