"""Runs the nodes of a plan: integer in-degrees, and a few workers that pull from a heap of ready nodes.

Everything here happens in one event loop. A node is *open* until its final event is written; a phase ends when no node
of it is open. The critical path goes first. A node's dependents are released when its end is durable (D2).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import anyio

from pipe_runner.commits import GroupCommit
from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import evaluate_condition
from pipe_runner.fans import NOTHING, Fans
from pipe_runner.plan import NO_RETRY, Plan, PlannedNode
from pipe_runner.ports import Attempt, Clock, Emit, Executor, Journal, NodeError, Outcome
from pipe_runner.retry import bounded, next_delay, of_max_time
from pipe_runner.run import Run, is_final, resting
from pipe_runner.scope import Scope
from pipe_runner.stops import WHY, EmitEvent, Stop, how_stopped, in_time, measured, stop_error, while_cancelled
from pipe_runner.triggers import Action, decide
from pipe_runner.types import FINAL_NODE_STATUSES, Effect, ErrorKind, EventKind, Json, NodeStatus, Phase, RunOn
from pipe_runner.workers import Workers

if TYPE_CHECKING:
    from pipe_runner.holds import Holds
    from pipe_runner.resultcache.host import Keeping

# Looked up once: a node's fields one by one, and members of enums by name, take a tenth of what a quick node takes.
_at = PlannedNode._fields.index
_of_attempt = itemgetter(*map(_at, ("id", "index", "timeout", "max_time", "effect", "retry", "cache")))
_of_decision = itemgetter(*map(_at, ("id", "needs", "run_on", "when", "fan_out")))
_of_needs = itemgetter(*map(_at, ("index", "needs")))
_STARTED, _ENDED_WELL = EventKind.NODE_STARTED, EventKind.NODE_SUCCEEDED
_SUCCEEDED, _ONCE, _ON_FAILURE = NodeStatus.SUCCEEDED, Effect.ONCE, RunOn.FAILURE


class Scheduler:
    """Performs the phases of one run; `run` is the fold of what was emitted so far."""

    def __init__(
        self,
        plan: Plan,
        run: Run,
        *,
        emit: EmitEvent,
        store_output: Callable[[Json], dict[str, Any]],
        attempt_emit: Callable[[Attempt], Emit],
        journal: Journal,
        executor: Executor,
        keeper: Callable[[], Keeping],
        scope: Scope,
        clock: Clock,
        concurrency: int,
        grace: float,
        random: Callable[[], float],
    ) -> None:
        self._plan, self._run, self.emit = plan, run, emit
        self.output_fields, self._attempt_emit = store_output, attempt_emit
        self._nodes: list[PlannedNode] = list(plan.nodes)
        """Those of the plan, and behind them the items of repeated nodes as they start."""
        self._fans = Fans(self, self._nodes, run, scope, clock, concurrency, plan.output_limit)
        self._planned = len(plan.nodes)  # indexes from here on are of items
        self._journal, self._executor, self._scope, self._clock = journal, executor, scope, clock
        self._grace, self._random, self._keeper = grace, random, keeper
        self._commits = GroupCommit(journal, self._durable, self.fail)
        self._dependents = plan.dependents()
        self.holds: Holds | None = None
        """Those that wait for a person, where there are any."""
        self._waits = [0] * len(plan.nodes)
        self._released: deque[int] = deque()
        self._workers = Workers(self, concurrency, self._nodes, self._released, clock)
        self._phase: Sequence[PlannedNode] = ()
        self._open = 0
        self._made: dict[int, int] = {}
        self._deadline: dict[int, float] = {}
        self._began: dict[int, float] = {}
        self._closed: asyncio.Future[None] | None = None
        self.failure: Exception | None = None
        self._stop_first: Stop | None = None
        self.stopped: Stop | None = None

    # ------------------------------------------------------------ a phase

    async def perform(self, nodes: Sequence[PlannedNode], waiting: Collection[int] = ()) -> None:
        """Run these nodes (one phase; those that are final already stay as they are) until none is open.

        `waiting` are those of them on which a person decides first, by index.
        """
        state, states = self._run.known, self._run.nodes
        self._phase = [
            node for node in nodes if (states.get(node.id) or state(node.id)).status not in FINAL_NODE_STATUSES
        ]
        self.stopped, self._stop_first = self._stop_first, None
        acting = self._holding().begin(nodes, self._phase, waiting) if waiting else self._phase
        self._open = len(acting)
        if not self._open and (self.stopped is None or not self._phase):
            return
        opened = {node.index for node in acting}
        for index, needs in map(_of_needs, acting):
            waits = self._waits[index] = sum([need in opened for need in needs]) if needs else 0
            if not waits:
                self._released.append(index)
        self._closed = asyncio.get_running_loop().create_future()
        async with anyio.create_task_group() as group:
            self._workers.begin(group)
            self._stop(self.stopped) if self.stopped is not None else self.drain()
            self._workers.wake()
            try:
                await self._closed
            finally:
                self._workers.clear()  # else one more would begin in each turn, to be ended at once
            self._workers.end()
            group.cancel_scope.cancel()
        self._workers.forget()
        if self.failure is not None:
            raise self.failure

    def _close(self) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def fail(self, error: Exception) -> None:
        """The log can't be written (or we have a bug): nothing new starts, and what runs is ended (D7)."""
        if self.failure is None:
            self.failure = error
            self._workers.clear()
            self._close()

    # ------------------------------------------------------------ attempts

    async def attempt(self, node: PlannedNode) -> None:
        """Perform the node's next attempt, and write how it ended."""
        monotonic = self._clock.monotonic
        node_id, index, timeout, max_time, effect, retry, cache = _of_attempt(node)
        number = self._run.known(node_id).attempts + 1
        began = self._began[index] = monotonic()
        if max_time is not None:
            whole = self._fans.whole(index)  # all items of a node share its time
            timeout = bounded(timeout, self._deadline.setdefault(whole, began + max_time) - began)
        try:
            names, data = (None, NOTHING) if index < self._planned else self._fans.item(index)
            attempt = self._scope.attempt(node, number, timeout, names)
            if cache is not None and await self._keeper().found(self, node, attempt, names, data):
                return
        except ExpressionFault as fault:
            self.failed(node, None, NodeError(ErrorKind.TEMPLATE, fault.message), {})
            return
        once = effect is _ONCE
        self.emit(_STARTED, node_id, number, {**data, "effect": "once"} if once else data)
        if once:
            self._journal.commit()
        outcome = await self._executor.perform(attempt, self._attempt_emit(attempt))
        if retry is not NO_RETRY:
            self._made[index] = self._made.get(index, 0) + 1
        if cache is not None and outcome.status is NodeStatus.SUCCEEDED and stop_error(self.stopped) is None:
            await self._keeper().keep(self, node, outcome)
        self._conclude(node, number, outcome, monotonic() - began)

    # ------------------------------------------------------------ ends

    def _conclude(self, node: PlannedNode, number: int, outcome: Outcome, duration: float) -> None:
        if self.stopped is not None:
            outcome = in_time(self.stopped, outcome)
        data = measured(outcome, duration)
        status, output = outcome.status, outcome.output
        if status is _SUCCEEDED:
            if output is None:
                data["output"] = None
            else:
                data.update(self.output_fields(output))
            self.final(_ENDED_WELL, node, number, data)
            self.release(node.index)
            return
        if status is NodeStatus.WAITING:
            if self._holding().asked(node, number, outcome):
                self._fans.wait(node.index) if self._fans.is_unit(node.index) else self.hold(node.index)
            return
        error = outcome.error or NodeError(ErrorKind.LOST, "the attempt ended without a word of how")
        if status is NodeStatus.CANCELLED and self.stopped is Stop.CANCEL:
            data.update(reason=WHY[Stop.CANCEL], error=while_cancelled(outcome, error).to_json())
            self.final(EventKind.NODE_CANCELLED, node, number, data)
            return
        delay = self._delay(node, outcome)
        if delay is not None:
            data.update(error=error.to_json(), delay_s=delay)
            self.emit(EventKind.NODE_RETRYING, node.id, number, data)
            self._rest(node.index, delay)
            return
        if node.max_time is not None and self.stopped is None and outcome.error is not None:
            left = self._deadline[self._fans.whole(node.index)] - self._clock.monotonic()
            made, most = self._made.get(node.index, 1), node.max_time
            error = of_max_time(node.retry, outcome, error, made, max_time=most, time_left=left)
        if outcome.output is not None:
            data.update(self.output_fields(outcome.output))
        self.failed(node, number, error, data)

    def _delay(self, node: PlannedNode, outcome: Outcome) -> float | None:
        if self.stopped is not None or node.retry.max_attempts == 1:
            return None
        deadline = self._deadline.get(self._fans.whole(node.index))
        left = None if deadline is None else deadline - self._clock.monotonic()
        return next_delay(node.retry, outcome, self._made[node.index], time_left=left, random=self._random())

    def failed(self, node: PlannedNode, number: int | None, error: NodeError, data: dict[str, Any]) -> None:
        data["error"] = error.to_json()
        if node.continue_on_error:
            data["tolerated"] = True
            if self.stopped is Stop.CANCEL and number is not None:
                data["stopping"] = True
        self.final(EventKind.NODE_FAILED, node, number, data)
        if self._fans.is_unit(node.index):
            return
        self.release(node.index)
        if self._plan.fail_fast and not node.continue_on_error and node.phase is Phase.NODES and self.stopped is None:
            self._stop(Stop.FAIL_FAST)

    def final(self, kind: EventKind, node: PlannedNode, number: int | None, data: Mapping[str, Any]) -> None:
        """Write a node's last event; the phase closes with the last of them."""
        index = node.index
        self.emit(kind, node.id, number, data)
        if index >= self._planned:
            self._fans.ended(index, kind)
            return
        self._open -= 1
        if not self._open:
            self._close()

    def release(self, index: int) -> None:
        """Decide a node's dependents once its end is durable."""
        if index < self._planned and self._dependents[index] and self.stopped is None:
            self._commits.add(index)
            self._commits.soon()  # a worker without work commits at once; but there may be none

    def _durable(self, batch: list[int]) -> None:
        for index in batch:
            self._release(index)
        self.drain()
        self._workers.wake()

    def _release(self, index: int) -> None:
        """Count a final node down in its dependents."""
        for dependent in self._dependents[index]:
            self._waits[dependent] -= 1
            if self._waits[dependent] == 0:
                self._released.append(dependent)

    # ------------------------------------------------------------ decisions

    def settle(self) -> None:
        """Release what waits for the disk, unless that takes long."""
        self._commits.now()

    def drain(self) -> None:
        """Decide every node whose needs are final; a skip may release the next one, so without recursion."""
        state, states, nodes, released = self._run.known, self._run.nodes, self._plan.nodes, self._released
        while released:
            node = nodes[released.popleft()]
            node_id, needs, run_on, when, fan_out = _of_decision(node)
            if (states.get(node_id) or state(node_id)).status in FINAL_NODE_STATUSES:
                continue
            if self.stopped is not None:
                self.cancel(node)
                continue
            if needs or run_on is _ON_FAILURE:
                decision = decide(run_on, ((nodes[n].id, state(nodes[n].id)) for n in needs))
                if decision.action is not Action.RUN:
                    kind, data = decision.last_event()
                    self.final(kind, node, None, data)
                    self._release(node.index)
                    continue
            if when is None or (fan_out is not None and fan_out.when_of_item) or self._condition_holds(node):
                if fan_out is not None:
                    self._fans.begin(node)
                else:
                    self.push(node)

    def _condition_holds(self, node: PlannedNode) -> bool:
        try:
            names = self._scope.names_of(node)
            holds, values = evaluate_condition(self._scope.condition(node), names)
        except ExpressionFault as fault:
            error = NodeError(ErrorKind.CONDITION, f"when: {fault.message}")
            self.failed(node, None, error, {"when": node.when_text})
            return False
        if not holds:
            self.final(EventKind.NODE_SKIPPED, node, None, {"when": node.when_text, "values": values})
            self._release(node.index)
        return holds

    # ------------------------------------------------------------ waits and stops

    def _holding(self) -> Holds:
        if self.holds is None:
            from pipe_runner.holds import Holds

            self.holds = Holds(self, self._dependents)
        return self.holds

    def hold(self, index: int) -> None:
        """A person decides on a node first: it and what needs it are not open any more."""
        self._open -= self._holding().hold(index, self._phase)
        if not self._open:
            self._close()

    def _rest(self, index: int, delay: float) -> None:
        """Wait for the next attempt without holding a slot."""
        assert self._workers.group is not None
        self._workers.group.start_soon(self._wake_after, index, delay)
        if self._fans.is_unit(index):
            self._fans.rest(index)

    async def _wake_after(self, index: int, delay: float) -> None:
        await self._clock.sleep(delay)
        if self.stopped is None and self.failure is None:
            self._fans.wake(index) if self._fans.is_unit(index) else self.push(self._nodes[index])
            self._workers.wake()

    def stop(self, why: Stop, *, kill: bool = False) -> None:
        """Start nothing more; end what is in flight (TERM, grace, KILL; with `kill` at once)."""
        if self._workers.group is None:
            return
        try:
            self._stop(why)
        except Exception as error:
            self.fail(error)
        self._executor.stop(0.0 if kill else self._grace)

    def stop_before(self, why: Stop) -> None:
        """Let the next phase start nothing."""
        self._stop_first = why

    def abandon(self) -> None:
        """Wait no longer for attempts that were killed and don't end."""
        try:
            self._abandon()
        except Exception as error:
            self.fail(error)

    def _abandon(self) -> None:
        for index in sorted(self._workers.in_flight):
            node = self._nodes[index]
            state = self._run.known(node.id)
            if not is_final(state.status):
                data: dict[str, Any] = {"duration_s": round(self._clock.monotonic() - self._began[index], 6)}
                data["reason"] = "the run was killed; how the attempt ended is not known"
                self.final(EventKind.NODE_CANCELLED, node, state.attempts or None, data)

    def _stop(self, why: Stop) -> None:
        if self.stopped is None or self.stopped is Stop.FAIL_FAST:
            self.stopped = why
        self._workers.clear()
        self._released.clear()
        if self.holds is not None:
            self._open += self.holds.let_go(self._phase)
        in_flight = self._workers.in_flight
        self._fans.stop(in_flight)
        for node in self._phase:
            busy = node.index in in_flight or self._fans.is_open(node.index)
            if not busy and not is_final(self._run.known(node.id).status):
                self.cancel(node)

    def cancel(self, node: PlannedNode) -> None:
        """End a node that was not started, or waits for another attempt, when the run was stopped."""
        assert self.stopped is not None
        number, reason, error = how_stopped(self.stopped, self._run.known(node.id))
        if error is not None:
            self.failed(node, number, error, {})
        else:
            self.final(EventKind.NODE_CANCELLED, node, number, {"reason": reason})

    def deadline(self, index: int) -> float | None:
        return self._deadline.get(index)

    def inside(self, node: PlannedNode) -> Collection[str]:
        raise NotImplementedError  # only `SharingScheduler` performs nodes that run something

    def push(self, node: PlannedNode) -> None:
        """Let a worker take it, in its turn."""
        self._workers.push(node)

    def still(self, waits: Callable[[str], bool]) -> bool:
        """Whether nothing goes on, where the attempts at those nodes wait for which it is true."""
        return self._stands(waits) and not (self._workers.can_begin and resting(self._run))

    def _stands(self, waits: Callable[[str], bool]) -> bool:
        nodes, workers = self._nodes, self._workers
        if self._released or self._commits.busy or (workers.any_ready and workers.can_begin):
            return False
        return all(waits(nodes[index].id) for index in workers.in_flight)

    def close(self) -> None:
        self._commits.close()
