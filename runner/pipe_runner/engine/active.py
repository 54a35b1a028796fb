"""A run in this process: its phases, its end, and how it is stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipe_runner.clearing import clear
from pipe_runner.engine.beside import Beside
from pipe_runner.engine.chance import random_bits
from pipe_runner.engine.marks import Marks
from pipe_runner.engine.place import SCRATCH, WORK, Granted, Place
from pipe_runner.engine.settings import RunSettings
from pipe_runner.engine.stream import EventStream
from pipe_runner.errors import ExpressionFault, StorageError
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.ports import Clock, EventSink, Executor
from pipe_runner.run import Run
from pipe_runner.runlog import LastRead, output_fields
from pipe_runner.stops import Stop
from pipe_runner.subplans import leaves_files
from pipe_runner.types import ErrorKind, EventKind, Json, Phase, RunStatus

if TYPE_CHECKING:
    from pipe_runner.calls.desk import Desk
    from pipe_runner.engine.unrun import Unrun
    from pipe_runner.executors.pool import Pool
    from pipe_runner.registry import Registry
    from pipe_runner.resultcache.bound import Bound
    from pipe_runner.resultcache.host import Keeping
    from pipe_runner.runlog.grouplock import GroupLock
    from pipe_runner.scheduler import Scheduler
    from pipe_runner.scope import Scope
    from pipe_runner.tools.kinds import PerformAttempt

CANCEL_POLL = 0.2
"""Seconds between looks for the file that `pipe cancel` makes."""
LAST_WAIT = 1.5
"""Seconds after a kill until nobody waits any longer for what doesn't end."""


class ActiveRun:
    """One run or resume. `run` is what its events tell so far."""

    def __init__(
        self,
        plan: Plan,
        nodes: Sequence[PlannedNode],
        run: Run,
        place: Place,
        opening: tuple[EventKind, Mapping[str, Any]],
        settings: RunSettings,
        registry: Registry,
        granted: Granted,
        sinks: Sequence[EventSink],
        clock: Clock,
    ) -> None:
        self.plan, self.nodes, self.run = plan, nodes, run
        self.rundir = place.rundir
        self.warnings = granted.warnings
        self.reasons: Mapping[str, str] = {}
        """Resume: node id → why it runs again; empty for a new run and where nothing is left to do."""
        self.nothing_to_do = False
        """Resume: the run has succeeded already."""
        self._place, self._opening, self._settings, self._registry = place, opening, settings, registry
        self._granted, self._clock = granted, clock
        self.around: Callable[[Executor], Executor] = lambda executor: executor
        """Puts something around the executor: what stands in for nodes, in tests of a pipeline."""
        self._stream = EventStream(run, place.journal, sinks, clock)
        self.note: Callable[[str], None] = lambda line: None
        """Told what a stop does, in a line for people."""
        self.opened: Callable[[], None] = lambda: None
        """Called when all that it needs is open, before its first event."""
        self.desk: Desk | None = None
        """Its way out, once it is performed, if its nodes have use for one."""
        self._stops = 0
        self.busy = False
        """It has ended while a function still ran, which nothing could end."""
        self._cut = False
        """Somebody's stop ended something, or kept it from starting."""
        self._error: dict[str, Json] | None = None
        self._group: GroupLock | None = None
        self._scheduler: Scheduler | None = None
        self._log_fault: StorageError | None = None
        self._timed_out = False
        self._cache: Keeping | None = None
        self._bound: Bound | None = None
        self._undecided: set[int] = set()
        """Nodes on which a person decides before they go on, by index."""
        self._closing = False
        """`finally` runs: nothing else is left that a first signal could stop."""

    # ------------------------------------------------------------ doing it

    async def perform(self) -> Run:
        """The whole run, to its last event; none if `nothing_to_do`. Raises StorageError where it can't be logged."""
        if self.nothing_to_do:
            self.close()
            return self.run
        from pipe_runner.engine.outside import desk_for, orchestrator_for
        from pipe_runner.executors.local import LocalExecutor

        place = self._place
        performs: PerformAttempt = lambda attempt, emit: local.perform(attempt, emit, own=False)  # noqa: E731
        try:
            self.desk = desk_for(
                self.plan, self.run, place, self._granted, self._registry, performs, self._clock, self._settings.shared
            )
            local = LocalExecutor(
                self._registry,
                place.processes,
                secrets=self._granted.secrets,
                masker=self._granted.masker,
                clock=self._clock,
                policy=self.plan.policy,
                scratch=place.scratch(),
                outside=self.desk,
                orchestrator=orchestrator_for(self.plan, self._registry, performs, self._clock),
                beside=Beside(place, self.plan, self._settings, self.run, self._stream, self._granted, self._still),
            )
            executor = self.around(self._with_files(local))
            self.opened()
            marks = Marks(place.processes.marks)
            try:
                await self._perform(executor)
            finally:
                marks.close()
                await executor.close()
                self.busy = local.busy
        finally:
            self.close()
        return self.run

    def _still(self, waits: Callable[[str], bool]) -> bool:
        return self._scheduler is not None and self._scheduler.still(waits)

    async def _perform(self, executor: Executor) -> None:
        import asyncio

        from pipe_runner.scope import Scope

        began = self._clock.monotonic()
        kind, data = self._opening
        self._stream.emit(kind, None, None, data)
        if kind is EventKind.RUN_RESUMED:
            from pipe_runner.engine.unknown import tell_unknown

            self._undecided = tell_unknown(self.run, self.nodes, self._stream.emit)
        self._place.journal.commit()
        scope = Scope(self.plan, self.run, LastRead(self.rundir), random_bits, self._settings.trace)
        watch = asyncio.ensure_future(self._watch())
        try:
            try:
                scope.evaluate_pipeline_env()
            except ExpressionFault as fault:
                self._fault(fault)
            if self.plan.group is None or (self._error is None and await self._enter_group(scope)):
                await self._phases(scope, executor)
            else:
                self._unrun().never_had_its_group(failed=self._error is not None)
        finally:
            watch.cancel()
        if self._bound is not None and not self._stops:
            await self._bound.end()
        status, outputs = self._end(scope)
        await executor.close()
        end: dict[str, Any] = {
            "status": str(status),
            **outputs,
            "totals": self.run.totals(),
            "duration_s": round(self._clock.monotonic() - began, 6),
        }
        if self._error is not None:
            end["error"] = self._error
        self._stream.check()
        self._stream.emit(EventKind.RUN_FINISHED, data=end)
        self._place.journal.commit()

    async def _enter_group(self, scope: Scope) -> bool:
        """Wait for the other run of the group; False when it never has it. Raises StorageError."""
        from pipe_runner.engine.groups import enter, name_of

        try:
            name = name_of(self.plan, scope)
        except ExpressionFault as fault:
            self._fault(fault)
            return False
        if self._place.lock is None:
            return True  # a run of which nothing is kept is alone in every group
        self._group = await enter(
            self.rundir,
            name,
            cancel=self.plan.cancel_in_progress,
            note=lambda line: self.note(line),
            stopped=lambda: self._stops > 0 or self._log_fault is not None,
        )
        if self._log_fault is not None:
            raise self._log_fault
        return self._group is not None

    async def _phases(self, scope: Scope, executor: Executor) -> None:
        import asyncio

        from pipe_runner.scheduler import Scheduler

        make = Scheduler
        if self.plan.subplans:
            from pipe_runner.engine.nested import sharing

            make = sharing(self._open_keeper)
        scheduler = self._scheduler = make(
            self.plan,
            self.run,
            emit=self._stream.emit,
            store_output=self._output_fields,
            attempt_emit=self._stream.for_attempt,
            journal=self._place.journal,
            executor=executor,
            keeper=lambda: self._keeper(scope),
            scope=scope,
            clock=self._clock,
            concurrency=self._settings.concurrency or self.plan.concurrency,
            grace=self._settings.grace,
            random=lambda: random_bits(53) / 2**53,
        )
        try:
            if self._error is None:
                timer = None
                if self.plan.max_time is not None:
                    timer = asyncio.get_running_loop().call_later(self.plan.max_time, self._time_is_up)
                    self._place.processes.bound(self.plan.max_time)
                if self._stops:
                    scheduler.stop_before(Stop.CANCEL)
                await scheduler.perform(self._of(Phase.NODES), self._undecided)
                if timer is not None:
                    timer.cancel()
                    self._place.processes.bound(None)
            else:
                self._unrun().block()
            if self._timed_out:
                self._error = {
                    "kind": str(ErrorKind.RUN_TIMEOUT),
                    "message": f"the run took longer than its max_time of {self.plan.max_time:g} s",
                }
            # Handlers act on how the nodes ended: that must be durable first (D2).
            self._place.journal.commit()
            scope.run_status = self._status()
            if scope.run_status is RunStatus.WAITING:
                return  # handlers run when the run ends
            if scope.run_status is RunStatus.FAILED:
                await scheduler.perform(self._of(Phase.ON_FAILURE), self._undecided)
                if self._status() is RunStatus.WAITING:
                    return
            elif self._of(Phase.ON_FAILURE):
                self._unrun().leave_out(Phase.ON_FAILURE, "on_failure: the run did not fail")
            if self._stops < 2:
                self._closing = True
                await scheduler.perform(self._of(Phase.FINALLY), self._undecided)
            else:
                self._unrun().cancel(Phase.FINALLY, "the run was killed before it started")
        finally:
            scheduler.close()

    def _unrun(self) -> Unrun:
        from pipe_runner.engine.unrun import Unrun

        return Unrun(self.plan, self.nodes, self.run, self._stream.emit)

    def _keeper(self, scope: Scope) -> Keeping:
        """The cache of results, for runs that have a node which asks for one."""
        if self._cache is None:
            self._cache = self._open_keeper(self.plan, scope)
        return self._cache

    def _open_keeper(self, plan: Plan, scope: Scope) -> Keeping:
        tell = lambda line: self.note(line)  # noqa: E731
        if not self._settings.looks_back:
            from pipe_runner.resultcache.host import NothingKept

            return NothingKept(tell if self._settings.explain else None)
        from pipe_runner.engine.keeping import open_keeper

        keeper = open_keeper(plan, self.rundir, self._settings, self._granted, scope, self._clock, tell, self._bound)
        self._bound = keeper.bound
        return keeper

    def _of(self, phase: Phase) -> list[PlannedNode]:
        return [node for node in self.nodes if node.phase is phase]

    def _fault(self, fault: ExpressionFault) -> None:
        from pipe_runner.scope import placed

        self._error = {"kind": str(ErrorKind.TEMPLATE), "message": placed(self.plan, fault)}

    # ------------------------------------------------------------ its end

    def _status(self) -> RunStatus:
        """How the run has gone so far; a failed handler of `finally` fails it, too.

        It waits when a person is to decide on one of the nodes it has performed, and nobody has cut it short."""
        holds = None if self._scheduler is None else self._scheduler.holds
        if self._error is None and not self._cut and holds is not None and holds.any:
            return RunStatus.WAITING
        if self._cut:
            return RunStatus.CANCELLED
        return RunStatus.FAILED if self._error is not None or self.run.failed else RunStatus.SUCCEEDED

    def _end(self, scope: Scope) -> tuple[RunStatus, dict[str, Any]]:
        status = self._status()
        if status is not RunStatus.SUCCEEDED:
            return status, {"outputs": {}}
        try:
            outputs = scope.outputs()
        except ExpressionFault as fault:
            if self.run.only:
                return status, {"outputs": {}}
            self._fault(fault)
            return RunStatus.FAILED, {"outputs": {}}
        ref = self._output_fields(outputs).get("output_ref")
        return status, {"outputs": outputs} if ref is None else {"outputs": {}, "outputs_ref": ref}

    def _output_fields(self, output: Json) -> dict[str, Any]:
        return output_fields(output, self._place.journal)

    def _with_files(self, executor: Executor) -> Executor:
        """For runs in which nodes leave files or ask for a directory of their own."""
        if not leaves_files(self.plan):
            return executor
        from pipe_runner.engine.files import with_files

        return with_files(executor, self.rundir, self._settings, self._granted)

    def close(self) -> None:
        """Let everything go that the run holds, also of one that is not performed after all; again does nothing.

        The sinks are closed by who gave them: a reader that is slow holds no lock."""
        self._place.processes.abandon()
        for name in (SCRATCH, WORK):
            clear(os.path.join(self.rundir.path, name))
        self._place.let_go()
        if self._group is not None:
            self._group.release()

    # ------------------------------------------------------------ stopping

    @property
    def grace(self) -> float:
        """Seconds between TERM and KILL when it is stopped."""
        return self._settings.grace

    @property
    def processes(self) -> Pool:
        """What starts and ends its processes."""
        return self._place.processes

    def stop(self, why: str) -> None:
        """Stop the run: no new work, TERM, grace, KILL, then `finally`; called again: KILL at once, and no `finally`.

        Where `finally` runs already it is let to its end, and the run ends as it would have, unless this is called
        again. Call it from the event loop. `why` is for people.
        """
        self._stops += 1
        if self._stops == 1 and self._closing:
            self.note(f"{why}: `finally` runs, and is let to its end; once more kills it")
            return
        self._cut = True
        if self._stops == 1:
            self.note(f"{why}: nothing new starts, and what runs has {self.grace:g} s to end; once more kills it")
        if (scheduler := self._scheduler) is None:
            return
        scheduler.stop(Stop.CANCEL, kill=self._stops > 1)
        if self._stops == 2:
            import asyncio

            asyncio.get_running_loop().call_later(LAST_WAIT, scheduler.abandon)

    def fail(self, why: StorageError) -> None:
        """It can't go on: nothing new starts, what runs is ended, and `perform` raises this (D7)."""
        self._log_fault = why
        if self._scheduler is not None:
            self._scheduler.fail(why)

    def _time_is_up(self) -> None:
        if self._scheduler is not None and not self._stops:
            self._timed_out = True
            self._scheduler.stop(Stop.RUN_TIMEOUT)

    async def _watch(self) -> None:
        """See that somebody wants the run cancelled, or has removed its log (D7)."""
        import asyncio

        while True:
            await asyncio.sleep(CANCEL_POLL)
            try:
                self._stream.check()
            except StorageError as error:
                return self.fail(error)
            if not self._stops and os.path.exists(self.rundir.cancel_path):
                self.stop("`pipe cancel`")
