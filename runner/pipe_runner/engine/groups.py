"""A run waits until no other run of its group is under way, or has the other one cancelled."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pipe_runner.errors import ExpressionFault, RunBusy, StorageError
from pipe_runner.plan import Plan
from pipe_runner.runlog import RunDir

if TYPE_CHECKING:
    from pipe_runner.runlog.grouplock import GroupLock, Holder
    from pipe_runner.scope import Scope

_POLL: Final = 0.1


def name_of(plan: Plan, scope: Scope) -> str:
    """The group of this run; raises ExpressionFault."""
    assert plan.group is not None
    at = 0, ("concurrency", "group")
    try:
        name = str(scope.render(plan.group, scope.names(())))
    except ExpressionFault as fault:
        raise ExpressionFault(f"concurrency.group: {fault.message}", at=at) from None
    if not name.strip():
        raise ExpressionFault("concurrency.group: its name is empty", at=at)
    return name


async def enter(
    rundir: RunDir,
    group: str,
    *,
    cancel: bool,
    note: Callable[[str], None],
    stopped: Callable[[], bool],
) -> GroupLock | None:
    """The right to run, once nobody else of the group has it; None when the run was stopped before. With `cancel` a run
    that wanted it earlier is asked to stop, and those that wait stop by themselves."""
    from pipe_runner.runlog.grouplock import GroupLock, Turns

    def gone(run: str) -> bool:
        return _gone(RunDir(run, os.path.join(os.path.dirname(rundir.path), run)))

    told: Holder | None = None
    asked = passed = False
    while (turns := Turns.take(rundir, group, cancel=cancel)) is None:
        if stopped():
            return None
        await asyncio.sleep(_POLL)
    while True:
        if not passed and turns.passed():
            passed = True
            note(f"is cancelled by a later run, which wants the group `{group[:200]}`")
            _cancel(rundir)
        found = None if passed else GroupLock.acquire(rundir, group, turns.turn, gone)
        if isinstance(found, GroupLock):
            if not turns.passed():  # it may have come in between
                return found
            found.release()
            continue
        if found is not None and found != told:
            told, older = found, found.turn < turns.turn
            ask = cancel and older and _ask(rundir, found.run)
            more = "; it is asked to stop, as `pipe cancel` does" if ask else ""
            note(f"waits for run {found.run}, which has the group `{group[:200]}`{more}")
        elif found is None and not asked and not passed:
            asked = True
            note(f"waits for another run, which has the group `{group[:200]}`")
        if stopped():
            return None
        await asyncio.sleep(_POLL)


def _gone(killed: RunDir) -> bool:
    """Whether nothing acts any more of a run that was killed while it had the group; what no warden ends is ended here.
    Not while another process works on it, which goes on with it and wants the group, too."""
    from pipe_runner.executors.leftovers import end_leftovers
    from pipe_runner.runlog import RunLock

    if not os.path.isdir(killed.path):
        return True
    try:
        with RunLock.acquire(killed):
            end_leftovers(killed.id, killed.warden_lock_path, timeout=0.0)
    except RunBusy:
        return False
    return True


def _cancel(rundir: RunDir) -> None:
    """Stop a run as `pipe cancel` does. Raises StorageError."""
    from pipe_runner.runlog.faults import storage_fault

    try:
        with open(rundir.cancel_path, "a", encoding="ascii"):
            pass
    except OSError as error:
        raise storage_fault("write", rundir.cancel_path, error) from error


def _ask(rundir: RunDir, run: str) -> bool:
    """Ask another run to stop; False where nobody works on it any more, or its directory can't be written."""
    from pipe_runner.runlog import RunLock

    other = RunDir(run, os.path.join(os.path.dirname(rundir.path), run))
    if RunLock.held(other) is None:
        return False
    try:
        _cancel(other)
    except StorageError:
        return False
    return True
