"""A run waits until no other run of its group is under way, or has the other one cancelled."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pipe_runner.errors import ExpressionFault
from pipe_runner.plan import Plan
from pipe_runner.runlog import RunDir

if TYPE_CHECKING:
    from pipe_runner.runlog.grouplock import GroupLock, Holder
    from pipe_runner.scope import Scope

_POLL: Final = 0.1


def name_of(plan: Plan, scope: Scope) -> str:
    """The group of this run; raises ExpressionFault."""
    assert plan.group is not None
    name = str(scope.render(plan.group, scope.names(())))
    if not name.strip():
        raise ExpressionFault("its name is empty")
    return name


async def enter(
    rundir: RunDir,
    group: str,
    since: str,
    *,
    cancel: bool,
    note: Callable[[str], None],
    stopped: Callable[[], bool],
) -> GroupLock | None:
    """The right to run, once nobody else of the group has it; None when the run was stopped before. `since` is when it
    began to want it: with `cancel` a run that wanted it earlier is asked to stop."""
    from pipe_runner.runlog.grouplock import GroupLock

    told: Holder | None = None
    asked = False
    while True:
        found = GroupLock.acquire(rundir, group, since)
        if isinstance(found, GroupLock):
            return found
        if found is not None and found != told:
            told, older = found, found.since < since
            ask = cancel and older and _ask(rundir, found.run)
            more = "; it is asked to stop, as `pipe cancel` does" if ask else ""
            note(f"waits for run {found.run}, which has the group `{group[:200]}`{more}")
        elif found is None and not asked:
            asked = True
            note(f"waits for another run, which has the group `{group[:200]}`")
        if stopped():
            return None
        await asyncio.sleep(_POLL)


def _ask(rundir: RunDir, run: str) -> bool:
    """Ask another run to stop; False where nobody works on it any more, or its directory can't be written."""
    from pipe_runner.runlog import RunLock

    other = RunDir(run, os.path.join(os.path.dirname(rundir.path), run))
    if RunLock.held(other) is None:
        return False
    try:
        with open(other.cancel_path, "a", encoding="ascii"):
            return True
    except OSError:
        return False
