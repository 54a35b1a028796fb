"""A log that a loop often wants durable has a process for it, which says so in time, or isn't missed."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from pipe_runner import companions
from pipe_runner.errors import StorageError
from pipe_runner.executors.family import children_of
from pipe_runner.ports import Event
from pipe_runner.runlog import LogWriter, RunDir, syncer
from pipe_runner.runlog import writer as writing
from pipe_runner.types import Durability

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

Told = tuple[float | None, BaseException | None]
WAIT = 20.0
"""Seconds, on a machine that hangs."""


async def soon(true: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(WAIT):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Beside:
    """A log in a loop, and what was told of the commits that were asked for."""

    def __init__(self, folder: Path, durability: Durability = Durability.FULL) -> None:
        self.rundir = RunDir.create(folder / ".pipe", "r1")
        self.log = LogWriter.create(self.rundir, durability)
        self.told: list[Told] = []
        self._seq = 0
        self.append()
        self.log.commit()

    def append(self) -> int:
        """One event more; the length of the log with it."""
        self._seq += 1
        self.log.append(Event(self._seq, "2026-11-24T00:32:15.000000Z", "r1", "node.output", "a", 1, {"text": "x"}))
        return Path(self.rundir.log_path).stat().st_size

    def ask(self) -> bool:
        before = len(self.told)
        done = self.log.commit_beside(lambda took, error: self.told.append((took, error)))
        assert len(self.told) == before, "it was told before the call returned"
        return done

    def asks(self, count: int) -> list[bool]:
        return [self.ask() for _ in range(count)]

    async def asked(self) -> None:
        """Ask until the process does it, and wait for its answer."""
        await soon(self.ask)
        await self.answers(1)
        self.told.clear()

    async def answers(self, count: int) -> None:
        await soon(lambda: len(self.told) >= count)

    @property
    def pids(self) -> list[int]:
        return [pid for pid in children_of(os.getpid()) if pid not in BEFORE]


BEFORE: set[int] = set()


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    """Of processes, zombies too, and of descriptors."""
    BEFORE.clear()
    BEFORE.update(children_of(os.getpid()))
    fds = len(os.listdir("/proc/self/fd"))
    yield
    assert [pid for pid in children_of(os.getpid()) if pid not in BEFORE] == []
    assert len(os.listdir("/proc/self/fd")) == fds


def play(folder: Path, scene: Callable[[Beside], Awaitable[None]], durability: Durability = Durability.FULL) -> None:
    async def main() -> None:
        beside = Beside(folder, durability)
        try:
            await scene(beside)
        finally:
            beside.log.close()

    asyncio.run(main())


def syncing_by(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Have the process call this as `sync_file(fd)`."""
    before = (
        "import sys, os, time; sys.path.append(sys.argv[1]); import pipe_runner.runlog.syncer as syncer\n"
        f"def sync(fd):\n    {body}\n"
        "syncer.sync_file = sync\n"
    )
    monkeypatch.setattr(companions, "_START", before.replace("{", "{{").replace("}", "}}") + companions._START)


def test_who_asks_seldom_gets_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(beside: Beside) -> None:
        times = iter([0.0, 0.5, *(0.2 * n for n in range(4, 30))])
        monkeypatch.setattr(writing, "monotonic", lambda: next(times))
        assert beside.asks(28) == [False] * 28
        assert beside.pids == []

    play(tmp_path, scene)


def test_the_eighth_that_asks_within_a_second_starts_a_process_and_it_is_used_once_it_is_there(tmp_path: Path) -> None:
    async def scene(beside: Beside) -> None:
        assert beside.asks(7) == [False] * 7
        assert beside.pids == []
        assert not beside.ask()
        assert len(beside.pids) == 1
        await beside.asked()
        assert beside.asks(100) == [True] * 100
        await beside.answers(100)
        assert all(took is not None and took >= 0 and error is None for took, error in beside.told)
        assert len(beside.pids) == 1

    play(tmp_path, scene)


def test_d2_nobody_is_told_before_what_was_written_until_then_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    syncing_by(
        monkeypatch,
        "size = os.fstat(fd).st_size; time.sleep(0.02); "
        f"note = open({str(note)!r}, 'w'); note.write('%08d' % size); note.close()",
    )

    async def scene(beside: Beside) -> None:
        await beside.asked()
        short: list[int] = []
        done = 0

        def ask() -> None:
            length = beside.append()

            def then(took: float | None, error: BaseException | None) -> None:
                nonlocal done
                done += 1
                if int(note.read_text()) < length:
                    short.append(length)

            assert beside.log.commit_beside(then)

        for _ in range(40):
            ask()
            await asyncio.sleep(0.007)
        await soon(lambda: done == 40)
        assert short == []

    play(tmp_path, scene)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_d7_an_fdatasync_that_fails_there_is_told_as_one_that_fails_here_and_is_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fails = tmp_path / "fails"
    syncing_by(monkeypatch, f"if os.path.exists({str(fails)!r}): raise OSError({number}, '')")

    async def scene(beside: Beside) -> None:
        await beside.asked()
        fails.touch()
        beside.append()
        assert beside.ask()
        assert beside.ask()
        await beside.answers(2)
        fails.unlink()
        assert not beside.ask(), "it would succeed now"
        errors = [error for _, error in beside.told]

        def refused(fd: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(writing, "sync_file", refused)
        here = LogWriter.create(RunDir.create(tmp_path / ".pipe", "r2"), Durability.FULL)
        here.append(Event(1, "t", "r2", "x"))
        with pytest.raises(StorageError) as own:
            here.commit()
        here.close()
        for error in errors:
            assert isinstance(error, StorageError)
            assert error.message == own.value.message.replace("r2", "r1")
            assert error.hint == own.value.hint
        for call in (beside.log.commit, beside.append):
            with pytest.raises(StorageError, match=errno.errorcode[number]):
                call()

    play(tmp_path, scene)


def test_d7_one_that_works_after_one_that_failed_makes_nothing_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails, begun = tmp_path / "fails", tmp_path / "begun"
    wait = f"while os.path.exists({str(begun)!r}): time.sleep(0.001)"
    fail = f"os.rename({str(fails)!r}, {str(begun)!r})\n    {wait}\n    raise OSError({errno.EIO}, '')"
    syncing_by(monkeypatch, f"if not os.path.exists({str(fails)!r}): return\n    {fail}")

    async def scene(beside: Beside) -> None:
        await beside.asked()
        fails.touch()
        assert beside.ask()
        await soon(begun.exists)
        beside.append()
        assert beside.ask()
        begun.unlink()
        await beside.answers(2)
        assert ["(EIO)" in getattr(error, "message", "") for _, error in beside.told] == [True, True]

    play(tmp_path, scene)


def test_a_process_that_is_killed_is_told_of_and_another_way_is_taken(tmp_path: Path) -> None:
    async def scene(beside: Beside) -> None:
        await beside.asked()
        (pid,) = beside.pids
        os.kill(pid, signal.SIGSTOP)
        assert beside.asks(3) == [True] * 3
        os.kill(pid, signal.SIGKILL)
        await beside.answers(3)
        assert beside.told == [(None, None)] * 3
        assert beside.pids == []
        assert beside.asks(20) == [False] * 20
        assert beside.pids == []
        beside.append()
        beside.log.commit()

    play(tmp_path, scene)


def test_a_process_that_does_not_answer_is_ended_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncer, "PATIENCE", 0.2)

    async def scene(beside: Beside) -> None:
        await beside.asked()
        os.kill(beside.pids[0], signal.SIGSTOP)
        assert beside.ask()
        await beside.answers(1)
        assert beside.told == [(None, None)]
        assert beside.pids == []

    play(tmp_path, scene)


def test_patience_is_with_each_that_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncer, "PATIENCE", 1.0)
    syncing_by(monkeypatch, "time.sleep(0.25)")

    async def scene(beside: Beside) -> None:
        await beside.asked()
        for _ in range(8):
            assert beside.ask()
            await beside.answers(len(beside.told) + 1)
        assert all(error is None and took is not None for took, error in beside.told)

    play(tmp_path, scene)


def test_a_stopped_process_ends_with_the_log(tmp_path: Path) -> None:
    async def scene(beside: Beside) -> None:
        await beside.asked()
        os.kill(beside.pids[0], signal.SIGSTOP)
        beside.ask()
        beside.log.close()
        assert beside.pids == []
        await asyncio.sleep(0.05)
        assert beside.told == [], "who waits is told nothing of it"

    play(tmp_path, scene)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP])
def test_signals_that_end_a_run_do_not_end_its_process(tmp_path: Path, number: signal.Signals) -> None:
    async def scene(beside: Beside) -> None:
        await beside.asked()
        (pid,) = beside.pids
        os.kill(pid, number)
        beside.ask()
        await beside.answers(1)
        assert beside.told[0][1] is None
        assert os.getpgid(pid) == pid, "keys of a terminal signal a group"

    play(tmp_path, scene)


def test_a_forked_child_has_nothing_of_it(tmp_path: Path) -> None:
    async def scene(beside: Beside) -> None:
        await beside.asked()
        (pid,) = beside.pids
        hold, go = os.pipe()
        child = os.fork()
        if child == 0:
            beside.log.close()  # as at the end of a child that cleans up
            os.close(go)
            os.read(hold, 1)
            os._exit(0)
        try:
            beside.ask()
            await beside.answers(1)
            assert beside.told[0][1] is None
            beside.log.close()
            assert beside.pids == [child], f"{pid} ends although the child goes on"
        finally:
            os.close(go)
            os.close(hold)
            os.waitpid(child, 0)  # noqa: ASYNC222

    play(tmp_path, scene)


def test_where_there_is_no_room_for_a_process_it_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def refused(program: str, *_: object, **__: object) -> int:
        tried.append(program)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "posix_spawn", refused)

    async def scene(beside: Beside) -> None:
        assert beside.asks(50) == [False] * 50
        assert len(tried) == 1
        beside.log.commit()

    play(tmp_path, scene)


def test_where_the_loop_can_watch_nothing_more_no_process_is_left(tmp_path: Path) -> None:
    async def scene(beside: Beside) -> None:
        def refused(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        asyncio.get_running_loop().add_reader = refused  # type: ignore[method-assign, assignment]
        assert beside.asks(20) == [False] * 20
        assert beside.pids == []

    play(tmp_path, scene)


def test_where_no_process_can_be_started_none_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "possible", lambda: False)

    async def scene(beside: Beside) -> None:
        assert beside.asks(20) == [False] * 20
        assert beside.pids == []

    play(tmp_path, scene)


def test_with_durability_os_there_is_none(tmp_path: Path) -> None:
    async def scene(beside: Beside) -> None:
        assert beside.asks(20) == [False] * 20
        assert beside.pids == []

    play(tmp_path, scene, Durability.OS)


def test_another_file_in_the_log_s_place_is_not_made_durable_for_it(tmp_path: Path) -> None:
    async def scene(beside: Beside) -> None:
        os.rename(beside.rundir.log_path, beside.rundir.log_path + ".moved")
        Path(beside.rundir.log_path).touch()
        assert beside.asks(20) == [False] * 20
        assert beside.pids == []

    play(tmp_path, scene)


def test_d7_a_failure_that_the_process_took_with_it_is_told_to_the_next_fdatasync_here_too(tmp_path: Path) -> None:
    """The system tells each opened file of it once, so the process has one of its own: its place is at the start."""

    async def scene(beside: Beside) -> None:
        await beside.asked()
        beside.append()
        (pid,) = beside.pids
        place = Path(f"/proc/{pid}/fdinfo/3").read_text().split()[1]
        assert place == "0"
        assert Path(f"/proc/{pid}/fd/3").samefile(beside.rundir.log_path)
        assert len(os.listdir(f"/proc/{pid}/fd")) == 5

    play(tmp_path, scene)
