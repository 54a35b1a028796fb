"""A sub-pipeline in one attempt of its node: its phases, its end, and how it is stopped; as a run has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.acted import take_back
from pipe_runner.deciding import acted_of
from pipe_runner.errors import ExpressionFault, UsageError, in_seconds
from pipe_runner.nesting.run_wide import RunWide
from pipe_runner.plan import PlannedNode
from pipe_runner.ports import NodeError, Outcome
from pipe_runner.reruns import left_inside
from pipe_runner.run import NodeState, is_final
from pipe_runner.scope import Scope, placed
from pipe_runner.stops import Stop
from pipe_runner.subplans import chosen, expanded, instance
from pipe_runner.types import ErrorKind, EventKind, Json, NodeStatus, Phase, RunStatus
from pipe_schemas.encoding import canonical_json

if TYPE_CHECKING:
    from pipe_runner.nesting.scheduler import SharingScheduler
    from pipe_runner.resultcache.host import Keeping

_NAMED: Final = 5


class Inner:
    """One instance of a part. `given` is what `with:` gave; `outer_time` is when the
    time of what runs it is up, on the loop's clock, and what is to be told when it is."""

    def __init__(
        self,
        wide: RunWide,
        node: PlannedNode,
        given: Mapping[str, Json],
        outer: Scope,
        timeout: float | None,
        outer_time: tuple[float | None, Callable[[], None]],
    ) -> None:
        assert node.pipeline is not None
        self._wide, self._node, self._given, self._timeout = wide, node, given, timeout
        self._until, self._tell_outside = outer_time
        plan = instance(wide.subplans[node.pipeline], node.id, node.priority)
        self._plan = plan._replace(subplans=wide.subplans)
        self._nodes = chosen(self._plan, node.id, wide.run.only)
        self._inputs: dict[str, Json] = {}
        self._refused: str | None = None
        self._outer = outer
        self._asked: Stop | None = None
        self._kills = 0
        self._first: NodeError | None = None
        """What it fails with when its time is up; None: that of what runs it is up earlier."""
        self._late: NodeError | None = None
        self._closing = self._let_go = False
        self._scheduler: SharingScheduler | None = None
        self._keeper: Keeping | None = None

    def opening(self) -> dict[str, Any]:
        """What `node.started` says of it. With other inputs than before, what is done of it counts no more."""
        run, node = self._wide.run, self._node
        self._take_inputs()
        every = expanded(self._nodes, self._wide.subplans, run.only)
        back = take_back(run, (each.id for each in every))
        given = sha256(canonical_json(self._inputs).encode()).hexdigest()[:16]
        before = (run.find(node.id) or NodeState()).given
        anew: list[str] = []
        if before is not None and before != given:
            again = [each.id for each in every if not acted_of(run, each.id)]
            anew = [each.id for each in every if each.fan_out is not None]
        else:
            again = list(left_inside(run, node.id, self._nodes, self._plan, self._wide.subplans))
        begun = [id for id in again if (s := run.nodes.get(id)) is not None and s.status is not NodeStatus.PENDING]
        data: dict[str, Any] = {"pipeline": self._plan.path, "given": given}
        # The nodes of an instance are known to the run from here on; of others it knew before.
        news = [each.id[len(node.id) + 1 :] for each in every if each.id not in run.nodes]
        more = {"rerun": begun, "anew": anew, "back": back, "inside": news}
        return data | {name: ids for name, ids in more.items() if ids}

    def _take_inputs(self) -> None:
        from pipe_runner.compiler.given import check_handed_on

        try:
            self._inputs = check_handed_on(self._plan, self._given)
        except UsageError as error:
            self._refused = error.message.replace("\n", "; ")

    # ------------------------------------------------------------ doing it

    async def perform(self) -> Outcome:
        """From its first node to its outputs; raises StorageError when the log can't be written."""
        from pipe_runner.nesting.scheduler import SharingScheduler

        if self._refused is not None:
            return _failed(ErrorKind.TEMPLATE, f"the values don't fit what {self._plan.path} takes: {self._refused}")
        wide = self._wide
        scope = self._outer.inside(self._plan, self._node.id, self._inputs)
        try:
            scope.evaluate_pipeline_env()
        except ExpressionFault as fault:
            return _failed(ErrorKind.TEMPLATE, placed(self._plan, fault))
        undecided = set() if self._let_go else wide.undecided(wide.run, self._nodes, wide.emit)
        scheduler = self._scheduler = SharingScheduler(
            wide,
            self._plan,
            scope,
            lambda: self._open_keeper(scope),
            concurrency=min(self._plan.concurrency or wide.concurrency, wide.concurrency),
        )
        scheduler.time_is_up = self._time_is_up
        scheduler.kills = max(0, self._kills - 1)  # the stop that it begins with counts, too
        timer = self._bound(scheduler)
        try:
            if self._asked is not None:
                scheduler.stop_before(self._asked)
            await scheduler.perform(self._of(Phase.NODES), undecided)
            _cancel(timer)
            scheduler.until = None
            wide.journal.commit()  # handlers act on how the nodes ended: that must be durable first (D2)
            await self._handlers(scheduler, scope, undecided)
        finally:
            _cancel(timer)
            scheduler.close()
        return self._outcome(scope)

    async def _handlers(self, scheduler: SharingScheduler, scope: Scope, undecided: set[int]) -> None:
        if self._let_go and self._asked is not None:
            state = self._wide.run.known
            scheduler.stop_before(self._asked)
            await scheduler.perform([node for node in self._nodes if state(node.id).status is NodeStatus.WAITING])
        scope.run_status = status = self._status()
        if status is RunStatus.WAITING:
            return  # handlers run when it ends
        if status is RunStatus.FAILED:
            await scheduler.perform(self._of(Phase.ON_FAILURE), undecided)
            if self._status() is RunStatus.WAITING:
                return
        else:
            self._leave_out(Phase.ON_FAILURE, EventKind.NODE_SKIPPED, f"on_failure: {self._node.id} did not fail")
        if self._kills < 2:
            self._closing = True
            await scheduler.perform(self._of(Phase.FINALLY), undecided)
        else:
            self._leave_out(Phase.FINALLY, EventKind.NODE_CANCELLED, "the run was killed before it started")

    def _bound(self, scheduler: SharingScheduler) -> asyncio.TimerHandle | None:
        """Have it stopped when its time is up: that of the attempt, of the file's budget, or of what runs it."""
        bounds: list[tuple[float, NodeError]] = []
        if self._timeout is not None:
            message = f"the sub-pipeline timed out after {in_seconds(self._timeout)}"
            bounds.append((self._timeout, NodeError(ErrorKind.TIMEOUT, message)))
        if self._plan.max_time is not None:
            message = f"the sub-pipeline took longer than its max_time of {self._plan.max_time:g} s"
            bounds.append((self._plan.max_time, NodeError(ErrorKind.RUN_TIMEOUT, message)))
        scheduler.until = self._until
        seconds, error = min(bounds, default=(None, None), key=lambda bound: bound[0])
        if seconds is None or error is None:
            return None
        loop = asyncio.get_running_loop()  # real seconds count, as for all time-outs, also in tests of a pipeline
        until = loop.time() + seconds
        if self._until is None or until < self._until:
            scheduler.until, self._first = until, error
        return loop.call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        if self._first is None:
            self._tell_outside()  # which stops this one, too
        elif self._late is None and self._scheduler is not None:
            self._late = self._first
            self._scheduler.stop_inside(Stop.TIME_UP)

    def _of(self, phase: Phase) -> list[PlannedNode]:
        return [node for node in self._nodes if node.phase is phase]

    def _leave_out(self, phase: Phase, kind: EventKind, reason: str) -> None:
        wide = self._wide
        skipped: dict[str, Any] = {"when": None, "values": {}, "by": []} if kind is EventKind.NODE_SKIPPED else {}
        for node in expanded(self._of(phase), wide.subplans, wide.run.only):
            if not is_final(wide.run.known(node.id).status):
                wide.emit(kind, node.id, None, {**skipped, "reason": reason})

    def _open_keeper(self, scope: Scope) -> Keeping:
        if self._keeper is None:
            self._keeper = self._wide.keeper(self._plan, scope)
        return self._keeper

    # ------------------------------------------------------------ its end

    def _failures(self) -> list[PlannedNode]:
        states = ((node, self._wide.run.known(node.id)) for node in self._nodes)
        return [node for node, state in states if state.status is NodeStatus.FAILED and not state.tolerated]

    @property
    def _cut(self) -> bool:
        """Something outside has stopped it before all its nodes had ended by themselves."""
        if self._asked is None or self._late is not None:
            return False
        if self._let_go:
            return True
        states = [self._wide.run.known(node.id) for node in self._of(Phase.NODES)]
        return any(state.status is NodeStatus.CANCELLED or _timed_out(state) for state in states)

    def _status(self) -> RunStatus:
        scheduler = self._scheduler
        waits = scheduler is not None and scheduler.holds is not None and scheduler.holds.any
        if self._asked is None and self._late is None and waits:
            return RunStatus.WAITING
        if self._cut and self._asked not in (Stop.RUN_TIMEOUT, Stop.TIME_UP):
            return RunStatus.CANCELLED
        return RunStatus.FAILED if self._cut or self._late is not None or self._failures() else RunStatus.SUCCEEDED

    def _outcome(self, scope: Scope) -> Outcome:
        status = self._status()
        if status is RunStatus.WAITING:
            return Outcome(NodeStatus.WAITING, output="for a person, inside")
        if self._cut:  # the scheduler says by what
            return Outcome(NodeStatus.CANCELLED, error=NodeError(ErrorKind.CANCELLED, "the run was stopped"))
        if self._late is not None:
            return Outcome(NodeStatus.FAILED, error=self._late)
        if status is RunStatus.FAILED:
            return self._failed()
        try:
            return Outcome(NodeStatus.SUCCEEDED, output=scope.outputs())
        except ExpressionFault as fault:
            if len(self._nodes) < len(self._plan.nodes):
                return Outcome(NodeStatus.SUCCEEDED, output={})
            return _failed(ErrorKind.TEMPLATE, placed(self._plan, fault))

    def _failed(self) -> Outcome:
        """It failed as the first of its nodes did."""
        failures = self._failures()
        error: Mapping[str, Any] = self._wide.run.known(failures[0].id).error or {}
        names = ", ".join(node.id for node in failures[:_NAMED])
        more = f" and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
        kind = ErrorKind(error.get("kind") or ErrorKind.EXCEPTION)
        message = f"{names}{more} failed: {error.get('message', '')}"[:4096]
        code = error.get("exit_code")
        return Outcome(NodeStatus.FAILED, error=NodeError(kind, message, code), exit_code=code)

    def stands(self, waits: Callable[[str], bool]) -> bool:
        """Whether nothing in it goes on, where the attempts at those nodes wait for which it is true."""
        return self._scheduler is not None and self._scheduler.stands(waits)

    # ------------------------------------------------------------ stopping

    def stop(self, why: Stop) -> None:
        """Nothing more starts in it; its `finally` runs, and is let to its end where it runs already."""
        if why is Stop.CANCEL:
            self._kills += 1
        if self._closing and self._kills < 2:
            return
        self._asked = self._asked or why
        if self._scheduler is not None:
            self._scheduler.stop_inside(why)

    def let_go(self, why: Stop, kills: int) -> None:
        """It is stopped before it goes on: it has waited for a person, and only its handlers are performed."""
        self._let_go, self._asked, self._kills = True, why, kills

    def closing(self) -> tuple[str, ...]:
        """How the ids of nodes begin that run under its `finally`, or that of what runs in it."""
        if self._closing:
            return (f"{self._node.id}.",)
        return self._scheduler.closing() if self._scheduler is not None else ()

    def abandon(self) -> None:
        if self._scheduler is not None:
            self._scheduler.abandon()


def _timed_out(state: NodeState) -> bool:
    return state.error is not None and state.error.get("kind") == ErrorKind.RUN_TIMEOUT


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _failed(kind: ErrorKind, message: str) -> Outcome:
    return Outcome(NodeStatus.FAILED, error=NodeError(kind, message[:4096]))
