"""A scheduler that shares its slots with those of sub-pipelines, and begins one where a node runs one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import ExpressionFault
from pipe_runner.fans import NOTHING
from pipe_runner.nesting.inner import Inner
from pipe_runner.nesting.run_wide import RunWide
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.ports import NodeError, Outcome
from pipe_runner.retry import bounded
from pipe_runner.run import NodeState, is_final
from pipe_runner.scheduler import Scheduler
from pipe_runner.scope import Scope
from pipe_runner.stops import WHY, Stop, how_stopped, in_time, measured
from pipe_runner.subplans import inner
from pipe_runner.types import ErrorKind, EventKind, NodeStatus

if TYPE_CHECKING:
    from pipe_runner.resultcache.host import Keeping

_MOMENT: Final = 0.01
"""Seconds within which an attempt counts as ended by its bound."""
_NOT_RUN = (EventKind.NODE_SKIPPED, EventKind.NODE_BLOCKED, EventKind.NODE_CANCELLED, EventKind.NODE_FAILED)


class SharingScheduler(Scheduler):
    """Performs the phases of a run that has sub-pipelines, or of one of these. A node that runs one holds no slot."""

    def __init__(
        self, wide: RunWide, plan: Plan, scope: Scope, keeper: Callable[[], Keeping], *, concurrency: int
    ) -> None:
        super().__init__(
            plan,
            wide.run,
            emit=wide.emit,
            store_output=wide.store_output,
            attempt_emit=wide.attempt_emit,
            journal=wide.journal,
            executor=wide.executor,
            keeper=keeper,
            scope=scope,
            clock=wide.clock,
            concurrency=concurrency,
            grace=wide.grace,
            random=wide.random,
        )
        self._wide = wide
        self._inside: dict[int, Inner] = {}
        """What runs, by the index of its node."""
        self._queue: set[int] = set()
        """Those that wait for a slot."""
        self._late: set[int] = set()
        """Nodes whose attempt has no more time than `until` leaves."""
        self.until: float | None = None
        """When the time of the sub-pipeline is up, on the loop's clock; None: never, or its handlers run."""
        self.kills = 0
        """How often the run was cancelled: the second time kills."""
        self.time_is_up: Callable[[], None] = lambda: None
        """Called when an attempt ended since it was."""

    # ------------------------------------------------------------ slots

    def push(self, node: PlannedNode) -> None:
        if node.pipeline is None:
            super().push(node)
        elif self._workers.group is not None:
            self._workers.in_flight.add(node.index)
            self._workers.group.start_soon(self._beside, node)

    async def attempt(self, node: PlannedNode) -> None:
        self._queue.add(node.index)
        async with self._wide.slots:
            self._queue.discard(node.index)
            if self.stopped is not None:  # while it waited for a slot
                if not is_final(self._run.known(node.id).status):
                    self.cancel(node)
                return
            if self.until is not None:
                left = bounded(node.timeout, self.until - asyncio.get_running_loop().time())
                if left != node.timeout:
                    self._late.add(node.index)
                    node = node._replace(timeout=left)
            try:
                await super().attempt(node)
            finally:
                self._late.discard(node.index)

    def stands(self, waits: Callable[[str], bool]) -> bool:
        """Whether it waits whole; between two of its phases it doesn't."""
        return bool(self._workers.in_flight) and self._stands(waits)

    def _stands(self, waits: Callable[[str], bool]) -> bool:
        if self._queue and not self._wide.slots.locked():
            return False
        queue, inside, nodes = self._queue, self._inside, self._nodes
        for index in self._workers.in_flight:
            if index in inside:
                if not inside[index].stands(waits):
                    return False
            elif index not in queue and not waits(nodes[index].id):
                return False
        return super()._stands(lambda node: True)  # of its own nodes nothing is left to start, either

    def _conclude(self, node: PlannedNode, number: int, outcome: Outcome, duration: float) -> None:
        error = outcome.error
        if error is not None and error.kind is ErrorKind.TIMEOUT and self._was_late(node):
            self.time_is_up()
            outcome = in_time(Stop.TIME_UP, outcome._replace(status=NodeStatus.CANCELLED))
        super()._conclude(node, number, outcome, duration)

    def _was_late(self, node: PlannedNode) -> bool:
        """Whether `until` ended an attempt: not a bound of its own that was earlier, and not what it met by itself."""
        over = self.until is not None and asyncio.get_running_loop().time() >= self.until - _MOMENT
        return over and node.index in self._late

    # ------------------------------------------------------------ sub-pipelines

    def inside(self, node: PlannedNode) -> set[str]:
        cut = len(node.id) + 1
        return {each.id[cut:] for each in inner(node, self._wide.subplans, repeated=True)}

    async def _beside(self, node: PlannedNode) -> None:
        """An attempt at a sub-pipeline, in no worker and no slot."""
        try:
            try:
                await self._run_inside(node)
            finally:
                self._workers.in_flight.discard(node.index)
            if self._released:
                self.drain()
            self._workers.wake()
        except Exception as error:
            self.fail(error)

    async def _run_inside(self, node: PlannedNode) -> None:
        index, clock = node.index, self._clock
        stopped = self.stopped
        if stopped is not None and not self._fans.waits_inside(node.id):
            self.cancel(node)
            return
        before = self._run.known(node.id)
        number, made = before.ended_attempts + 1, self._made.get(index, before.retried)
        began = self._began[index] = clock.monotonic()
        timeout = node.timeout
        if node.max_time is not None:
            whole = self._fans.whole(index)
            timeout = bounded(timeout, self._deadline.setdefault(whole, began + node.max_time) - began)
        try:
            names, data = self._fans.item(index) if self._fans.is_unit(index) else (None, NOTHING)
            attempt = self._scope.attempt(node, number, timeout, names)
        except ExpressionFault as fault:
            self.failed(node, None, NodeError(ErrorKind.TEMPLATE, fault.message), {})
            return
        if self._wide.stands_in(attempt):
            self.emit(EventKind.NODE_STARTED, node.id, number, data)
            emit = self._wide.attempt_emit(attempt)
            outcome = await self._wide.executor.perform(attempt._replace(validate=False), emit)
            self._leave_inside(node, EventKind.NODE_SKIPPED, {"reason": f"something stands in for {node.id}"})
        else:
            inside = Inner(self._wide, node, attempt.options, self._scope, timeout, (self.until, self.time_is_up))
            self.emit(EventKind.NODE_STARTED, node.id, number, {**data, **inside.opening()})
            self._inside[index] = inside
            if stopped is not None:
                inside.let_go(stopped, self.kills)
            try:
                outcome = await inside.perform()
            finally:
                del self._inside[index]
        self._made[index] = made + 1
        duration = clock.monotonic() - began
        if stopped is not None:
            reason = how_stopped(stopped, NodeState(NodeStatus.WAITING))[1]
            self.final(EventKind.NODE_CANCELLED, node, number, {**measured(outcome, duration), "reason": reason})
            return
        if outcome.status is NodeStatus.CANCELLED and self._fails_fast():
            reason = f"{WHY[Stop.FAIL_FAST]} before all of it had run"
            self.final(EventKind.NODE_CANCELLED, node, number, {**measured(outcome, duration), "reason": reason})
            return
        self._conclude(node, number, outcome, duration)

    def _fails_fast(self) -> bool:
        return self.stopped is Stop.FAIL_FAST

    def final(self, kind: EventKind, node: PlannedNode, number: int | None, data: Mapping[str, Any]) -> None:
        if node.pipeline is not None and kind in _NOT_RUN:
            self._leave_inside(node, kind, data)
        super().final(kind, node, number, data)

    def _leave_inside(self, node: PlannedNode, kind: EventKind, data: Mapping[str, Any]) -> None:
        """Say of what it runs that it does not run, where nothing was said of it."""
        more: dict[str, Any] = {"by": list(data.get("by") or [node.id])}
        if data.get("more"):
            more["more"] = data["more"]
        if kind is EventKind.NODE_FAILED:
            kind, more = EventKind.NODE_BLOCKED, {"by": [node.id]}
        elif kind is EventKind.NODE_CANCELLED:
            more = {"reason": data.get("reason")}
        elif kind is EventKind.NODE_SKIPPED:
            reason = data.get("reason") if "when" not in data else None
            more = {"when": None, "values": {}, "reason": reason or "its sub-pipeline was skipped", "by": [node.id]}
        for each in inner(node, self._wide.subplans, self._run.only):
            state = self._run.nodes.get(each.id)
            if state is None:
                continue
            if state.status is NodeStatus.PENDING:
                self.emit(kind, each.id, None, more)
            elif state.status is NodeStatus.WAITING and kind is EventKind.NODE_CANCELLED:
                self._ask_no_more(each, more)

    def _ask_no_more(self, node: PlannedNode, data: Mapping[str, Any]) -> None:
        """It has waited for a person, and so have items of it."""
        for key, state in self._run.items.get(node.id, {}).items():
            if state.status is NodeStatus.WAITING:
                self.emit(EventKind.NODE_CANCELLED, f"{node.id}[{key}]", state.attempts, data)
        self.emit(EventKind.NODE_CANCELLED, node.id, self._run.known(node.id).attempts, data)

    # ------------------------------------------------------------ stops

    def _close(self) -> None:
        """Let the phase end when nothing of it is open then: the failure of the last one may let go what waits."""
        asyncio.get_running_loop().call_soon(self._close_if_done)

    def _close_if_done(self) -> None:
        if self.failure is not None or not self._open:
            super()._close()

    def cancel(self, node: PlannedNode) -> None:
        """As for every node; but of a sub-pipeline that waits for a person `finally` runs first."""
        items = self._run.items.get(node.id, {}) if node.pipeline is not None else {}
        if self._fans.waits_inside(node.id):
            self.push(node)
        elif any(self._fans.waits_inside(f"{node.id}[{key}]") for key in items):
            self._fans.begin(node, letting_go=True)
        else:
            super().cancel(node)

    def stop(self, why: Stop, *, kill: bool = False) -> None:
        """As for every scheduler, but the `finally` of a sub-pipeline is let to its end, unless killed."""
        if self._workers.group is None:
            return
        spare = () if kill else self.closing()
        self.stop_inside(why)
        self._executor.stop(0.0 if kill else self._grace, spare)

    def closing(self) -> tuple[str, ...]:
        """How the ids of nodes begin that run under `finally` of what runs inside."""
        return tuple(each for inside in self._inside.values() for each in inside.closing())

    def stop_inside(self, why: Stop) -> None:
        """Start nothing more; what is in flight is not this one's to end."""
        if self._workers.group is None or (self.stopped is why and why is not Stop.CANCEL):
            return
        try:
            self._stop(why)
        except Exception as error:
            self.fail(error)

    def _stop(self, why: Stop) -> None:
        self.kills += why is Stop.CANCEL
        super()._stop(why)
        for inside in list(self._inside.values()):
            inside.stop(why)

    def _abandon(self) -> None:
        for index in self._workers.in_flight:  # some only wait for a slot
            self._began.setdefault(index, self._clock.monotonic())
        for inside in list(self._inside.values()):
            inside.abandon()
        super()._abandon()
