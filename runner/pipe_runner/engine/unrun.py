"""The last events of nodes that a run does not perform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.run import Run, is_final
from pipe_runner.stops import EmitEvent
from pipe_runner.subplans import expanded
from pipe_runner.types import EventKind, NodeStatus, Phase


class Unrun:
    """Tells them, with what the nodes would have run, where they are not final yet."""

    def __init__(self, plan: Plan, nodes: Sequence[PlannedNode], run: Run, emit: EmitEvent) -> None:
        self._plan, self._nodes, self._run, self._emit = plan, nodes, run, emit

    def cancel(self, phase: Phase, reason: str) -> None:
        self._end(phase, EventKind.NODE_CANCELLED, {"reason": reason})

    def leave_out(self, phase: Phase, reason: str) -> None:
        self._end(phase, EventKind.NODE_SKIPPED, {"when": None, "values": {}, "reason": reason, "by": []})

    def block(self) -> None:
        """The run can't begin with its nodes; on what waits for a person somebody can still decide."""
        self._end(Phase.NODES, EventKind.NODE_BLOCKED, {"by": [], "reason": "the run could not begin"})

    def never_had_its_group(self, *, failed: bool) -> None:
        """Nothing of the run is performed: its handlers would meet another one. `failed`: it couldn't have it."""
        for phase in Phase:
            if not failed:
                self.cancel(phase, "the run was stopped while it waited for its group")
            elif phase is Phase.NODES:
                self.block()
            else:
                self.leave_out(phase, "the run never had its group")

    def _end(self, phase: Phase, kind: EventKind, data: Mapping[str, Any]) -> None:
        nodes = [node for node in self._nodes if node.phase is phase]
        for node in expanded(nodes, self._plan.subplans, self._run.only):
            status = self._run.state(node.id).status
            if not is_final(status) and not (status is NodeStatus.WAITING and kind is EventKind.NODE_BLOCKED):
                self._emit(kind, node.id, None, data)
