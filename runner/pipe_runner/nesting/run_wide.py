"""What all schedulers of one run share: its state, its log, its executor and its slots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.ports import Attempt, Clock, Emit, Executor, Journal
from pipe_runner.run import Run
from pipe_runner.scope import Scope
from pipe_runner.stops import EmitEvent
from pipe_runner.types import Json

if TYPE_CHECKING:
    from pipe_runner.resultcache.host import Keeping


class RunWide(NamedTuple):
    """One for each run that has sub-pipelines."""

    run: Run
    subplans: Mapping[str, Plan]
    emit: EmitEvent
    store_output: Callable[[Json], dict[str, Any]]
    attempt_emit: Callable[[Attempt], Emit]
    journal: Journal
    executor: Executor
    keeper: Callable[[Plan, Scope], Keeping]
    """Opens the cache of results for the nodes of one instance."""
    undecided: Callable[[Run, Sequence[PlannedNode], EmitEvent], set[int]]
    """Says of what may have acted once that nobody knows; gives those on which a person decides, by index."""
    clock: Clock
    concurrency: int
    grace: float
    random: Callable[[], float]
    slots: asyncio.Semaphore
    """Attempts in flight, of the run's own nodes and of all that are inside."""

    def stands_in(self, attempt: Attempt) -> bool:
        """Whether something else stands in for a sub-pipeline as a whole, in a test."""
        found: Callable[[Attempt], bool] | None = getattr(self.executor, "stands_in", None)
        return found is not None and found(attempt)
