"""What attempts find beside them: what their node gave in an earlier run, and the bus. Costs nothing until one asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipe_runner.bus.attempts import AttemptBus
    from pipe_runner.bus.door import Door
    from pipe_runner.bus.hub import Hub
    from pipe_runner.engine.place import Granted, Place
    from pipe_runner.engine.settings import RunSettings
    from pipe_runner.engine.stream import EventStream
    from pipe_runner.executors.local import LateBus
    from pipe_runner.plan import Plan
    from pipe_runner.ports import Earlier
    from pipe_runner.run import Run
    from pipe_runner.stops import EmitEvent
    from pipe_runner.stores.earlier import EarlierRuns

Still = Callable[[Callable[[str], bool]], bool]


class Beside:
    """Of one run."""

    def __init__(
        self,
        place: Place,
        plan: Plan,
        settings: RunSettings,
        run: Run,
        stream: EventStream,
        granted: Granted,
        still: Still,
    ) -> None:
        """`still`: whether nothing of the run goes on, where the attempts at those nodes wait for which it is true."""
        self._place, self._plan, self._settings = place, plan, settings
        self._run, self._stream, self._masker, self._still = run, stream, granted.masker, still
        self._runs: EarlierRuns | None = None
        self._hub: Hub | None = None
        self._door: Door | None = None

    def earlier(self, node: str) -> Earlier | None:
        """What the node gave in the last other run of its pipeline in which it succeeded; reads files.

        Nothing in a run that must go as it is told: a case of a test, one of an evaluation, one that is recorded."""
        settings = self._settings
        if settings.shared is not None or not settings.looks_back:
            return None
        if self._runs is None:
            from pipe_runner.stores.earlier import EarlierRuns

            rundir = self._place.rundir
            state_dir = os.path.dirname(os.path.dirname(rundir.path))
            self._runs = EarlierRuns(state_dir, self._plan.path, rundir.id)
        return self._runs.of(node)

    def bus(self, node: str, attempt: int) -> AttemptBus:
        """The bus for one attempt; in the run's event loop."""
        from pipe_runner.bus.attempts import AttemptBus

        if self._hub is None:
            self._hub = self._open_hub()
        return AttemptBus(self._hub, node, attempt)

    def _open_hub(self) -> Hub:
        import asyncio

        from pipe_runner.bus.context import BusContext
        from pipe_runner.bus.hub import Hub

        rundir = self._place.rundir
        log = rundir.log_path
        emit: EmitEvent = self._stream.emit
        if not self._settings.keeps:
            from pipe_runner.bus.spool import Spool

            spool = Spool(rundir, self._run, self._stream)
            log, emit = spool.path, spool.emit
        loop = asyncio.get_running_loop()
        return Hub(BusContext(self._run, emit, self._place.journal, self._masker, rundir, log, self._still, loop))

    def reach(self, bus: LateBus) -> Mapping[str, str]:
        """How a process of an attempt reaches the bus; in the run's event loop."""
        if self._door is None:
            from asyncio import get_running_loop

            from pipe_runner.bus.door import Door

            self._door = Door(self._place.rundir, get_running_loop())
        return self._door.enter(bus)

    def leave(self, bus: LateBus) -> None:
        """The attempt is over: what its processes have of the bus ends."""
        if self._door is not None:
            self._door.leave(bus)

    def stop(self, spare: tuple[str, ...]) -> None:
        """The run is stopped: nobody waits for messages any more, but for nodes whose id begins with one of these."""
        if self._hub is not None:
            self._hub.stop(lambda node: bool(spare) and node.startswith(spare))

    async def close(self) -> None:
        if self._door is not None:
            await self._door.close()
        if self._hub is not None:
            self._hub.close()
