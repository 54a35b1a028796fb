"""Repeated nodes within a scheduler: each item becomes a node of its own while it runs, and their ends end the node."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import evaluate_condition
from pipe_runner.fanout import Fan, Item, make_items, results, verdict
from pipe_runner.plan import PlannedNode
from pipe_runner.ports import Clock, NodeError
from pipe_runner.run import NodeState, Run, is_final
from pipe_runner.scope import Scope
from pipe_runner.stops import WHY, Stop, how_stopped, stop_error, while_waiting
from pipe_runner.types import ErrorKind, EventKind, Json, NodeStatus

NOTHING: Final[Mapping[str, Any]] = {}
_tuple: Any = tuple.__new__  # one for each item: `_replace` takes ten times as long


class Host(Protocol):
    """What a scheduler does for its repeated nodes."""

    stopped: Stop | None

    def emit(self, kind: EventKind, node: str, attempt: int | None, data: Mapping[str, Any]) -> None: ...

    def output_fields(self, output: Json) -> dict[str, Any]:
        """The fields in which an event carries an output."""

    def push(self, node: PlannedNode) -> None:
        """Let a worker take it."""

    def hold(self, index: int) -> None:
        """A person decides on a node first."""

    def final(self, kind: EventKind, node: PlannedNode, number: int | None, data: Mapping[str, Any]) -> None:
        """Write a node's last event."""

    def failed(self, node: PlannedNode, number: int | None, error: NodeError, data: dict[str, Any]) -> None:
        """Write a node's last event, and see to what a failure means for the run."""

    def release(self, index: int) -> None:
        """Decide a node's dependents when its end is durable."""

    def cancel(self, node: PlannedNode) -> None:
        """End a node that is not in flight when the run was stopped."""

    def deadline(self, index: int) -> float | None:
        """When the `max_time` of a node is over, on the clock; None before its first attempt, and without one."""

    def inside(self, node: PlannedNode) -> Collection[str]:
        """Of a node that runs a sub-pipeline: the nodes of that and of what it runs, as `push`, `deploy.push`."""


class Fans:
    """The repeated nodes of one run. `nodes` is the scheduler's list, to which items are added as they start."""

    def __init__(
        self, host: Host, nodes: list[PlannedNode], run: Run, scope: Scope, clock: Clock, limit: int, room: int
    ) -> None:
        self._host, self._nodes, self._run, self._scope, self._clock = host, nodes, run, scope, clock
        self._limit, self._room = limit, room
        self._planned = len(nodes)
        self._open: dict[int, Fan] = {}
        self._units: dict[int, tuple[Fan, Item]] = {}

    # ------------------------------------------------------------ for the scheduler

    def begin(self, node: PlannedNode, *, letting_go: bool = False) -> None:
        """A node whose turn has come: make its items, and let the first ones start. `letting_go`: the run was stopped,
        and only items whose sub-pipeline waits for a person are performed, to their end."""
        assert node.fan_out is not None
        number = self._run.known(node.id).ended_attempts + 1
        try:
            names = self._scope.names_of(node)
            items = make_items(node.fan_out, names, self._scope.render)
        except ExpressionFault as fault:
            self._host.failed(node, None, NodeError(ErrorKind.TEMPLATE, fault.message), {})
            return
        data: dict[str, Any] = {"items": len(items)}
        if node.fan_out.rest:
            data["rest"] = node.fan_out.rest
        if self._run.items.get(node.id):
            from pipe_runner.gone import gone

            inside = None if node.pipeline is None else self._host.inside(node)
            if lost := gone(self._run, node.id, [item.key for item in items], inside):
                data["gone"] = lost
        self._host.emit(EventKind.NODE_STARTED, node.id, number, data)
        fan = Fan(node, number, self._clock.monotonic(), items, self._limit)
        fan.names = names
        if node.fan_out.when_of_item and not letting_go:
            fan.condition = self._scope.condition(node)
        fan.begin(self._run.find)
        if letting_go:
            fan.todo = deque(at for at in fan.todo if self.waits_inside(fan.ids[at]))
        self._open[node.index] = fan
        for at in fan.asked:
            fan.held.add(self._unit(fan, at).index)
        self._go_on(fan)

    def item(self, index: int) -> tuple[Mapping[str, Json], Mapping[str, Any]]:
        """What the templates of a unit may read, and the data of its `node.started`."""
        fan, item = self._units[index]
        return {**fan.names, **item.names}, {"item": item.digest}

    def waits_inside(self, unit: str) -> bool:
        """Whether a node or an item runs a sub-pipeline that waits for a person."""
        state = self._run.find(unit)
        return state is not None and state.pipeline is not None and state.status is NodeStatus.WAITING

    def is_unit(self, index: int) -> bool:
        return index >= self._planned

    def whole(self, index: int) -> int:
        """The node that a unit is an item of; every other node itself."""
        return index if index < self._planned else self._units[index][0].node.index

    def ended(self, index: int, kind: EventKind) -> None:
        """The last event of a unit is written."""
        fan, _ = self._units.pop(index)
        fan.active -= 1
        if kind is EventKind.NODE_FAILED and fan.fan_out.fail_fast:
            self._start_no_more(fan)
        self._go_on(fan)

    def wait(self, index: int) -> None:
        """A person decides on a unit first; the others go on, and the node waits when nothing else of it is left."""
        fan, _ = self._units[index]
        fan.active -= 1
        fan.held.add(index)
        if fan.broken:
            self._start_no_more(fan)
        self._go_on(fan)

    def rest(self, index: int) -> None:
        """A unit waits for another attempt, and holds no slot meanwhile."""
        fan, _ = self._units[index]
        fan.active -= 1
        fan.resting.add(index)
        if fan.broken:
            self._start_no_more(fan)
        self._go_on(fan)

    def wake(self, index: int) -> None:
        """The wait of a unit is over; it starts when there is a slot, if it was not cancelled meanwhile."""
        if index not in self._units:
            return
        fan, _ = self._units[index]
        fan.resting.discard(index)
        fan.again.append(index)
        self._go_on(fan)

    def stop(self, in_flight: Collection[int]) -> None:
        """Nothing more starts: what waits is cancelled, and nodes without an item in flight end."""
        for fan in list(self._open.values()):
            fan.todo.clear()
            fan.releasing = True
            waiting = [index for index, (owner, _) in self._units.items() if owner is fan and index not in in_flight]
            for index in waiting:
                fan.active += index in fan.resting or index in fan.again or index in fan.held
                self._cancel(index)
            fan.again.clear()
            fan.resting.clear()
            fan.held.clear()
            fan.releasing = False
            self._go_on(fan)
        self._ask_no_more()

    def _ask_no_more(self) -> None:
        """Items of nodes that were not performed this time, since they wait for a person."""
        assert self._host.stopped is not None
        for node in self._nodes[: self._planned]:
            if node.fan_out is None or node.index in self._open:
                continue
            for key, state in self._run.items.get(node.id, {}).items():
                if state.status is NodeStatus.WAITING and state.pipeline is None:
                    number, reason, _ = how_stopped(self._host.stopped, state)
                    self._host.emit(EventKind.NODE_CANCELLED, f"{node.id}[{key}]", number, {"reason": reason})

    def is_open(self, index: int) -> bool:
        """Whether a node is a repeated one that has begun; `stop` sees to it."""
        return index in self._open

    # ------------------------------------------------------------ items

    def _go_on(self, fan: Fan) -> None:
        """Start what may start, and end the node when nothing of it is left; never within itself."""
        if fan.releasing or fan.closed:
            return
        fan.releasing = True
        until = self._host.deadline(fan.node.index)
        if until is not None and self._clock.monotonic() >= until:
            fan.late = fan.late or bool(fan.todo)
            fan.todo.clear()
        while fan.may_release:
            fan.active += 1
            if fan.again:
                self._host.push(self._nodes[fan.again.popleft()])
            else:
                self._start(fan, fan.todo.popleft())
        fan.releasing = False
        if fan.done:
            self._conclude(fan)
        elif fan.waits:
            message = f"a person decides on {len(fan.held)} of {len(fan.items)} items"
            self._host.emit(EventKind.NODE_WAITING, fan.node.id, fan.number, {"message": message})
            self._host.hold(fan.node.index)

    def _unit(self, fan: Fan, at: int) -> PlannedNode:
        index = len(self._nodes)
        unit: PlannedNode = _tuple(PlannedNode, (fan.ids[at], index, *fan.same))
        self._nodes.append(unit)
        self._units[index] = (fan, fan.items[at])
        return unit

    def _start_no_more(self, fan: Fan) -> None:
        """An item has failed, and the file says that no further one starts; what waits for a person is not asked, and
        what waits for another attempt has none."""
        fan.broken = True
        fan.todo.clear()
        whats = {**dict.fromkeys(fan.held, "a person"), **dict.fromkeys((*fan.resting, *fan.again), "another attempt")}
        fan.held.clear()
        fan.resting.clear()
        fan.again.clear()
        fan.releasing = True
        fan.active += len(whats)
        for index, what in sorted(whats.items()):
            unit = self._nodes[index]
            reason = f"fail_fast: another item failed while it waited for {what}"
            self._host.final(EventKind.NODE_CANCELLED, unit, self._run.known(unit.id).attempts, {"reason": reason})
        fan.releasing = False

    def _start(self, fan: Fan, at: int) -> None:
        unit = self._unit(fan, at)
        if fan.condition is not None:
            try:
                holds, values = evaluate_condition(fan.condition, {**fan.names, **fan.items[at].names})
            except ExpressionFault as fault:
                error = NodeError(ErrorKind.CONDITION, f"when: {fault.message}")
                self._host.failed(unit, None, error, {"when": unit.when_text})
                return
            if not holds:
                self._host.final(EventKind.NODE_SKIPPED, unit, None, {"when": unit.when_text, "values": values})
                return
        self._host.push(unit)

    def _cancel(self, index: int) -> None:
        assert self._host.stopped is not None
        unit = self._nodes[index]
        state = self._run.find(unit.id)
        if state is not None and state.status is NodeStatus.WAITING:
            self._host.cancel(unit)
            return
        if state is None or state.status is not NodeStatus.QUEUED:  # it was never started: there is nothing to tell
            fan, _ = self._units.pop(index)
            fan.active -= 1
            return
        reason, error = while_waiting(self._host.stopped, state)
        if error is not None:
            self._host.failed(unit, state.attempts, error, {})
        else:
            self._host.final(EventKind.NODE_CANCELLED, unit, state.attempts, {"reason": reason})

    # ------------------------------------------------------------ the end of a node

    def _conclude(self, fan: Fan) -> None:
        node, host = fan.node, self._host
        fan.closed = True
        del self._open[node.index]
        ends = {unit: self._run.find(unit) for unit in fan.ids}
        status, error = verdict(fan, ends.get)
        data: dict[str, Any] = {"duration_s": round(self._clock.monotonic() - fan.began, 6)}
        if status is NodeStatus.SKIPPED:
            why: dict[str, Any] = {"when": node.when_text, "values": {}, "reason": "all items were skipped"}
            host.final(EventKind.NODE_SKIPPED, node, fan.number, why)
            host.release(node.index)
            return
        output = results(fan, ends.get, self._scope.output, self._room)
        if output is None:
            message = f"the results of all items are larger than limits.output, {self._room} bytes"
            host.failed(node, fan.number, NodeError(ErrorKind.OUTPUT_TOO_LARGE, message), data)
            return
        data.update(host.output_fields(output))
        if status is NodeStatus.SUCCEEDED:
            host.final(EventKind.NODE_SUCCEEDED, node, fan.number, data)
            host.release(node.index)
        elif host.stopped is not None and any(map(_was_cut, ends.values())):
            stopped = stop_error(host.stopped)
            if stopped is not None:
                host.failed(node, fan.number, stopped, data)
            else:
                host.final(
                    EventKind.NODE_CANCELLED,
                    node,
                    fan.number,
                    {**data, "reason": f"{WHY[host.stopped]} before all its items had ended"},
                )
        else:
            assert error is not None
            host.failed(node, fan.number, error, data)


def _was_cut(state: NodeState | None) -> bool:
    """Whether an item has not come to an end of its own."""
    return state is None or state.status is NodeStatus.CANCELLED or not is_final(state.status)
