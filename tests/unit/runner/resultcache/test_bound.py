"""What stores leave is within the bound in the end, in whatever order stores, shrinking and ends come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipe_runner.resultcache.bound import Bound
from pipe_runner.resultcache.entries import Entries, Entry
from pipe_runner.resultcache.key import Parts


class Watched(Entries):
    """Entries that do something when somebody has shrunk them, or refuse to be shrunk."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.after: list[Callable[[], None]] = []
        self.refuse = 0
        self.shrunk = 0

    def shrink(self, most: int, *, down_to: int | None = None, patience: float | None = None) -> tuple[int, int]:
        self.shrunk += 1
        if self.refuse:
            self.refuse -= 1
            raise BlockingIOError
        found = super().shrink(most, down_to=down_to, patience=patience)
        if self.after:
            self.after.pop(0)()
        return found


@pytest.fixture
def entries(tmp_path: Path) -> Watched:
    found = Watched(tmp_path)
    found.remove()
    return found


def put(entries: Entries, *names: str) -> int | None:
    total = None
    for name in names:
        parts = Parts("", "r", "n", "shell 1", name, {}, {}, {})
        total = entries.room.add(entries.write(Entry(parts.digest(), parts, "p.yml", name, "run1", 100.0, "x")))
    return total


def room_for(entries: Entries, number: int) -> int:
    total = put(entries, "first")
    assert total is not None
    return total * number + 40


def test_what_is_stored_while_somebody_removes_is_seen_to_by_that_one(entries: Watched) -> None:
    bound = Bound(entries, room_for(entries, 3))
    loop_runs = asyncio.Event()

    async def run() -> None:
        async def other() -> None:
            await loop_runs.wait()
            await bound.stored(put(entries, *"efghi"))  # is told that somebody is at it, and goes on

        beside = asyncio.ensure_future(other())
        loop = asyncio.get_running_loop()
        entries.after.append(lambda: loop.call_soon_threadsafe(loop_runs.set))  # done, and nobody has heard of it
        await bound.stored(put(entries, *"abcd"))
        await beside

    asyncio.run(run())
    assert 0 < entries.total() <= bound.most


def test_what_others_store_while_somebody_removes_is_seen_to(entries: Watched) -> None:
    bound = Bound(entries, room_for(entries, 3))
    entries.after.append(lambda: put(entries, *"efghi") and None)
    asyncio.run(bound.stored(put(entries, *"abcd")))
    assert 0 < entries.total() <= bound.most
    assert entries.shrunk == 2


def test_who_gave_up_since_others_used_it_removes_at_the_end(entries: Watched) -> None:
    bound = Bound(entries, room_for(entries, 3))
    entries.refuse = 1
    asyncio.run(bound.stored(put(entries, *"abcd")))
    assert entries.total() > bound.most
    asyncio.run(bound.end())
    assert 0 < entries.total() <= bound.most


def test_who_only_read_removes_what_others_could_not_because_of_that(entries: Watched) -> None:
    most = room_for(entries, 3)
    put(entries, *"abcd")
    asyncio.run(Bound(entries, most).end())
    assert 0 < entries.total() <= most


def test_within_the_bound_nothing_is_counted(entries: Watched) -> None:
    bound = Bound(entries, room_for(entries, 3))
    asyncio.run(bound.stored(put(entries, "a")))
    asyncio.run(bound.end())
    assert entries.shrunk == 0


def test_where_the_sum_can_t_be_known_it_is_counted_once_for_each(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/size").mkdir()
    entries = Watched(tmp_path)
    bound = Bound(entries, 10**6)
    asyncio.run(bound.stored(put(entries, "a")))
    asyncio.run(bound.end())
    assert entries.shrunk == 1


def test_a_system_without_a_thread_for_it_costs_no_run_its_end(
    entries: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def end() -> None:
        monkeypatch.setattr(threading.Thread, "start", refused)
        await bound.end()
        monkeypatch.undo()
        await asyncio.to_thread(int)  # a thread does now what had to wait for one

    bound = Bound(entries, room_for(entries, 3))
    put(entries, *"abcd")
    asyncio.run(end())
    assert 0 < entries.total() <= bound.most
    assert entries.shrunk == 1
