"""What attempts find beside them: what their node gave in an earlier run. Costs nothing until one asks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipe_runner.engine.place import Place
    from pipe_runner.engine.settings import RunSettings
    from pipe_runner.plan import Plan
    from pipe_runner.ports import Earlier
    from pipe_runner.stores.earlier import EarlierRuns


class Beside:
    """Of one run."""

    def __init__(self, place: Place, plan: Plan, settings: RunSettings) -> None:
        self._place, self._plan, self._settings = place, plan, settings
        self._runs: EarlierRuns | None = None

    def earlier(self, node: str) -> Earlier | None:
        """What the node gave in the last other run of its pipeline in which it succeeded; reads files.

        Nothing in a run that must go as it is told: a case of a test, one of an evaluation, one that is recorded."""
        settings = self._settings
        if not settings.keeps or settings.shared is not None or settings.record or settings.replay:
            return None
        if self._runs is None:
            from pipe_runner.stores.earlier import EarlierRuns

            rundir = self._place.rundir
            state_dir = os.path.dirname(os.path.dirname(rundir.path))
            self._runs = EarlierRuns(state_dir, self._plan.path, rundir.id)
        return self._runs.of(node)
