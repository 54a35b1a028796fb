"""What waits for a slow disk shares commits that are made beside the loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import pytest

from pipe_runner.commits import GroupCommit
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
