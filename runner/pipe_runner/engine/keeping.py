"""Opens the cache of results for a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipe_runner.engine.settings import RunSettings
from pipe_runner.plan import Plan
from pipe_runner.ports import Clock
from pipe_runner.resultcache.bound import Bound
from pipe_runner.resultcache.keeper import CacheSettings, Keeper
from pipe_runner.runlog import RunDir
from pipe_runner.types import Durability

if TYPE_CHECKING:
    from pipe_runner.engine.place import Granted
    from pipe_runner.scope import Scope


def open_keeper(
    plan: Plan,
    rundir: RunDir,
    settings: RunSettings,
    granted: Granted,
    scope: Scope,
    clock: Clock,
    note: Callable[[str], None],
    bound: Bound | None,
) -> Keeper:
    """What keeps the results of this run's nodes, and finds those of earlier ones; within `bound`, if there is one."""
    kept = CacheSettings(
        os.path.realpath(settings.state_dir),
        rundir.id,
        rundir.path,
        settings.durability is Durability.FULL,
        settings.cache_domain,
        settings.explain,
        granted.pins,
    )
    return Keeper(plan, kept, granted.secrets, granted.masker, scope, clock, note, bound)
