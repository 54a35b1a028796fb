"""What waits for a slow disk shares commits that are made beside the loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import pytest

from pipe_runner.commits import GroupCommit
from pipe_runner.ports import Committed
from pipe_runner.testing import MemoryJournal

ASKED: ContextVar[str] = ContextVar("asked", default="")


def _released(commit: Callable[[], None]) -> tuple[list[list[int]], list[Exception], list[str], int]:
    """Batches, faults, in whose context they were told, and how many commits were made in the loop's own thread."""

    async def main() -> tuple[list[list[int]], list[Exception], list[str], int]:
        batches: list[list[int]] = []
        faults: list[Exception] = []
        contexts: list[str] = []
        here = threading.get_ident()
        in_loop = 0
        over = asyncio.Event()

        def committing() -> None:
            nonlocal in_loop
            in_loop += threading.get_ident() == here
            commit()

        def release(batch: list[int]) -> None:
            batches.append(batch)
            contexts.append(ASKED.get())
            if len(batches) == 2:
                over.set()

        def fail(error: Exception) -> None:
            faults.append(error)
            over.set()

        journal = MemoryJournal()
        journal.commit = committing  # type: ignore[method-assign]
        commits = GroupCommit(journal, release, fail, slow_from=0)
        ASKED.set("run")
        commits.add(1)
        commits.soon()
        await asyncio.sleep(0)
        for number in (2, 3):
            commits.add(number)
            commits.soon()
        await asyncio.wait_for(over.wait(), 20)
        commits.close()
        return batches, faults, contexts, in_loop

    return asyncio.run(main())


def test_what_comes_while_a_commit_is_made_shares_the_next_one() -> None:
    batches, faults, contexts, in_loop = _released(lambda: time.sleep(0.05))
    assert batches == [[1], [2, 3]]
    assert not faults
    assert contexts == ["run", "run"]
    assert in_loop == 0


def test_a_commit_that_fails_is_told_in_the_loop() -> None:
    def fail() -> None:
        raise OSError("no disk")

    batches, faults, _, _ = _released(fail)
    assert batches == []
    assert [str(fault) for fault in faults] == ["no disk"]


def test_a_loop_that_is_closed_before_a_commit_is_done_leaves_no_thread() -> None:
    go = threading.Event()
    held: list[GroupCommit] = []

    def wait() -> None:
        go.wait(20)

    async def main() -> None:
        journal = MemoryJournal()
        journal.commit = wait  # type: ignore[method-assign]
        commits = GroupCommit(journal, lambda batch: None, lambda error: None, slow_from=0)
        held.append(commits)
        commits.add(1)
        commits.now()

    asyncio.run(main())
    go.set()
    held[0].close()
    assert "commit" not in [thread.name for thread in threading.enumerate()]


def test_where_no_thread_can_be_started_the_loop_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    batches, faults, _, in_loop = _released(lambda: None)
    assert (batches, faults, in_loop) == ([[1], [2, 3]], [], 2)


class _Beside(MemoryJournal):
    """Commits beside the loop by means of its own: what is asked waits until the test tells."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Committed] = []
        self.takes = True

    def commit_beside(self, then: Committed) -> bool:
        if self.takes:
            self.asked.append(then)
        return self.takes


def _by_own_means(scene: Callable[[_Beside, GroupCommit, list[list[int]], list[Exception]], None]) -> None:
    async def main() -> None:
        batches: list[list[int]] = []
        faults: list[Exception] = []
        journal = _Beside()
        commits = GroupCommit(journal, batches.append, faults.append, slow_from=0)
        scene(journal, commits, batches, faults)
        commits.close()
        assert "commit" not in [thread.name for thread in threading.enumerate()]

    asyncio.run(main())


def test_d2_the_journal_s_own_means_release_what_was_there_when_they_were_asked_and_no_more() -> None:
    def scene(journal: _Beside, commits: GroupCommit, batches: list[list[int]], faults: list[Exception]) -> None:
        commits.add(1)
        commits.now()
        commits.add(2)
        commits.now()
        assert (len(journal.asked), batches, commits.busy) == (1, [], True)
        journal.asked[0](0.01, None)
        assert (len(journal.asked), batches, commits.busy) == (2, [[1]], True)
        journal.asked[1](0.01, None)
        assert (batches, commits.busy, faults) == ([[1], [2]], False, [])

    _by_own_means(scene)


def test_d7_a_failure_of_the_journal_s_own_means_releases_nothing_and_is_told_once() -> None:
    def scene(journal: _Beside, commits: GroupCommit, batches: list[list[int]], faults: list[Exception]) -> None:
        commits.add(1)
        commits.now()
        commits.add(2)
        error = OSError("no disk")
        journal.asked[0](0.01, error)
        assert (batches, faults, len(journal.asked)) == ([], [error], 1)

    _by_own_means(scene)


def test_d2_what_the_journal_s_own_means_left_undone_is_committed_again_and_in_order() -> None:
    async def main() -> None:
        batches: list[list[int]] = []
        over = asyncio.Event()

        def release(batch: list[int]) -> None:
            batches.append(batch)
            over.set()

        def fail(error: Exception) -> None:
            raise error

        journal = _Beside()
        commits = GroupCommit(journal, release, fail, slow_from=0)
        for number in (1, 2):
            commits.add(number)
        commits.now()
        commits.add(3)
        journal.takes = False
        journal.asked[0](None, None)
        assert (batches, commits.busy) == ([], True)
        await asyncio.wait_for(over.wait(), 20)
        assert (batches, journal.commits) == ([[1, 2, 3]], 1)
        commits.close()

    asyncio.run(main())
