"""Removes runs that nobody needs any more: whole directories, never a part of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from pipe_runner.clearing import clear
from pipe_runner.errors import RunBusy, StorageError
from pipe_runner.ports import RunSummary
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.lock import RunLock
from pipe_runner.runlog.rundir import RunDir
from pipe_runner.types import RunStatus

_GONE: Final = ".gone-"
"""No run can be called so: what is under such a name is on its way out, and nobody sees it."""


def to_remove(newest_first: Sequence[RunSummary], before: str | None, keep: int) -> list[RunSummary]:
    """The runs that are beyond the newest `keep` and ended before a time (RFC 3339, UTC), if there is one; none that
    waits for a person."""
    return [
        one
        for one in newest_first[keep:]
        if one.status != RunStatus.WAITING and (before is None or (one.finished_at or one.started_at) < before)
    ]


def remove(rundir: RunDir, still: Callable[[], bool] = lambda: True) -> int | None:
    """Remove a run; gives the bytes that its files had, and None where somebody else has removed it meanwhile. `still`
    says, once nobody can go on with it any more, whether it is to go. Raises RunBusy while somebody works on it, or
    where it is to stay, and StorageError."""
    try:
        lock = RunLock.acquire(rundir)
    except (RunBusy, StorageError):
        if not os.path.lexists(rundir.path):
            return None
        raise
    try:
        if not still():
            raise RunBusy(f"run {rundir.id} has changed meanwhile")
        gone = os.path.join(os.path.dirname(rundir.path), f"{_GONE}{rundir.id}")
        size = size_of(rundir)
        clear(gone)  # of one that was killed midway
        try:
            os.rename(rundir.path, gone)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_fault("remove", rundir.path, error) from error
    finally:
        lock.release()
    clear(gone)
    if os.path.lexists(gone):
        clear(gone)  # somebody else did so at the same time
    if os.path.lexists(gone):
        raise storage_fault("remove", gone, OSError(0, "some of it can't be removed"))
    return size


def remove_leftovers(runs_dir: str) -> None:
    """Remove what somebody who removed runs, and was killed, has left."""
    for name in _listed(runs_dir):
        if name.startswith(_GONE):
            clear(os.path.join(runs_dir, name))


def remove_evaluations(state_dir: str, before: float) -> int:
    """Remove the evaluations that nobody has written to since; gives how many. Raises StorageError."""
    home, found = os.path.join(state_dir, "evals"), 0
    for name in _listed(home):
        path = os.path.join(home, name)
        if not name.startswith(".") and os.path.isdir(path) and not os.path.islink(path) and _changed(path) < before:
            clear(path)
            if os.path.lexists(path):
                raise storage_fault("remove", path, OSError(0, "some of it can't be removed"))
            found += 1
    return found


def _changed(evaluation: str) -> float:
    """When something was last written for an evaluation, in seconds since 1970; infinite while a run of it goes on."""
    runs = os.path.join(evaluation, "runs")
    times = [os.lstat(evaluation).st_mtime]
    for run in _listed(runs):
        rundir = RunDir(run, os.path.join(runs, run))
        try:
            if RunLock.held(rundir) is not None:
                return float("inf")
            times.append(os.lstat(rundir.path).st_mtime)
        except OSError:
            continue
    return max(times)


def _listed(folder: str) -> Iterable[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise storage_fault("read", folder, error) from error


def size_of(rundir: RunDir) -> int:
    """The bytes of a run's files."""
    size = 0
    for folder, _, names in os.walk(rundir.path):
        for name in names:
            try:
                size += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return size
