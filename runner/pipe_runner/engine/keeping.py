"""Opens the cache of results for a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pipe_runner.engine.settings import RunSettings
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.ports import Attempt, Clock, Outcome
from pipe_runner.resultcache.keeper import CacheSettings, Host, Keeper
from pipe_runner.runlog import RunDir
from pipe_runner.types import Durability, Json

if TYPE_CHECKING:
    from pipe_runner.engine.active import Granted
    from pipe_runner.scope import Scope


class NoKeeper(Keeper):
    """For a run of which nothing is kept: a test of a pipeline, in which other things stand in for nodes."""

    def __init__(self) -> None:
        pass

    async def found(
        self,
        host: Host,
        node: PlannedNode,
        attempt: Attempt,
        names: Mapping[str, Json] | None,
        data: Mapping[str, Any],
    ) -> bool:
        return False

    async def keep(self, host: Host, node: PlannedNode, outcome: Outcome) -> None:
        pass


def open_keeper(
    plan: Plan,
    rundir: RunDir,
    settings: RunSettings,
    granted: Granted,
    scope: Scope,
    clock: Clock,
    note: Callable[[str], None],
) -> Keeper:
    """What keeps the results of this run's nodes, and finds those of earlier ones."""
    if not settings.keeps:
        return NoKeeper()
    kept = CacheSettings(
        os.path.realpath(settings.state_dir),
        rundir.id,
        rundir.path,
        settings.durability is Durability.FULL,
        settings.cache_domain,
        settings.explain,
    )
    return Keeper(plan, kept, granted.secrets, granted.masker, scope, clock, note)
