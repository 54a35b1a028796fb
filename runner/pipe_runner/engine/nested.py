"""Makes the scheduler of a run that has sub-pipelines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipe_runner.engine.unknown import tell_unknown
from pipe_runner.nesting.run_wide import RunWide
from pipe_runner.nesting.scheduler import SharingScheduler
from pipe_runner.plan import Plan
from pipe_runner.resultcache.host import Keeping
from pipe_runner.run import Run
from pipe_runner.scope import Scope


def sharing(open_keeper: Callable[[Plan, Scope], Keeping]) -> Any:
    """What makes it, of the same arguments as the scheduler of a run that has none."""

    def make(
        plan: Plan, run: Run, *, scope: Scope, keeper: Callable[[], Keeping], concurrency: int, **shared: Any
    ) -> SharingScheduler:
        wide = RunWide(
            run=run,
            subplans=plan.subplans,
            keeper=open_keeper,
            undecided=tell_unknown,
            concurrency=concurrency,
            slots=asyncio.Semaphore(concurrency),
            **shared,
        )
        return SharingScheduler(wide, plan, scope, keeper, concurrency=concurrency)

    return make
