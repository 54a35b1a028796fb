"""Which nodes of a run that goes on are decided again, and why; of a whole run, or of a sub-pipeline in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipe_runner.deciding import acted_of, goes_on, goes_on_in_handlers
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.run import NodeState, Run
from pipe_runner.subplans import chosen, expanded, instance
from pipe_runner.types import NodeStatus, Phase, RunStatus

_UNDONE: Final = {
    NodeStatus.PENDING: "not started",
    NodeStatus.QUEUED: "interrupted",
    NodeStatus.RUNNING: "interrupted",
    NodeStatus.FAILED: "failed",
    NodeStatus.BLOCKED: "blocked",
    NodeStatus.CANCELLED: "cancelled",
    NodeStatus.UNKNOWN: "interrupted",
}

SETTLED: Final = "settled: it is to run again"
DECIDED: Final = "its items were decided"
_INSIDE: Final = "goes on inside"
_GOES_ON: Final = "the run goes on"


def reasons_to_rerun(
    run: Run, nodes: Sequence[PlannedNode], plan: Plan, subplans: Mapping[str, Plan] | None = None
) -> dict[str, str]:
    """Which of these nodes a resume performs, and why, in an order in which needs stand before what needs them.

    What succeeded stays done (D1), unless it changed or depends on something that did (D11). A skipped node is decided
    again when one of its needs runs again. Handlers depend on how the run went: they run again when any node does.
    While a person decides on a handler the run has not ended, and no node runs again that has.
    What a person decides is left to them: `effect: once` never runs again by itself, and a refusal stands. Nodes of
    sub-pipelines are held to the same, each within its own.
    """
    return _Look(run, plan, plan.subplans if subplans is None else subplans, run.digests).reasons(nodes, run.status)


def left_inside(
    run: Run, owner: str, nodes: Sequence[PlannedNode], plan: Plan, subplans: Mapping[str, Plan]
) -> dict[str, str]:
    """As `reasons_to_rerun`, for another attempt at a sub-pipeline in the same process: nothing has changed meanwhile.

    Nodes that did not run since their owner did not are decided anew, whatever became of it."""
    every = expanded(nodes, subplans, run.only)
    status = (run.find(owner) or NodeState()).status
    reasons = _Look(run, plan, subplans, {node.id: node.digest for node in every}).reasons(nodes, status)
    for node in nodes:
        state = run.nodes.get(node.id)
        if state is not None and state.status is NodeStatus.SKIPPED and state.by and not node.needs:
            reasons.setdefault(node.id, "not started")
    return reasons


def run_anew(nodes: Sequence[PlannedNode], reasons: Mapping[str, str]) -> list[str]:
    """Repeated nodes of which a resume runs every item: those that changed, not those that were only not done."""
    undone = {*_UNDONE.values(), SETTLED, DECIDED, _INSIDE}
    return [node.id for node in nodes if node.fan_out is not None and reasons.get(node.id, "failed") not in undone]


class _Look:
    """One file's nodes, or those of one instance of a subplan."""

    def __init__(self, run: Run, plan: Plan, subplans: Mapping[str, Plan], digests: Mapping[str, str]) -> None:
        self._run, self._plan, self._subplans, self._digests = run, plan, subplans, digests
        self._reasons: dict[str, str] = {}
        self.changed: set[int] = set()
        """Nodes that changed, or need one that did, by index."""

    def reasons(self, nodes: Sequence[PlannedNode], whole: RunStatus | NodeStatus) -> dict[str, str]:
        """`whole` is the status of what these nodes are all of."""
        run, reasons = self._run, self._reasons
        as_they_ended = self._same(nodes) and goes_on_in_handlers(run, nodes, whole)
        any_node = False
        for node in _in_order(nodes, self._plan):
            if as_they_ended and node.phase is Phase.NODES:
                continue
            state = run.nodes.get(node.id)
            if state is not None and state.status is not NodeStatus.WAITING and acted_of(run, node.id):
                any_node = any_node or node.phase is Phase.NODES
                continue
            if node.phase is not Phase.NODES and _had_once(state):
                continue
            if node.phase is not Phase.NODES and any_node:
                self._again(node, _GOES_ON)
                continue
            why = self._why(node)
            if node.pipeline is not None and node.fan_out is None:
                why = self._inside(node, why)
            elif why is not None:
                reasons[node.id] = why
            if why is None and (state is None or state.status is not NodeStatus.WAITING):
                continue
            any_node = any_node or node.phase is Phase.NODES
        return reasons

    def _same(self, nodes: Sequence[PlannedNode]) -> bool:
        return all(self._digests.get(node.id) == node.digest for node in nodes if node.phase is Phase.NODES)

    def _why(self, node: PlannedNode) -> str | None:
        before, changed, nodes = self._digests.get(node.id), self.changed, self._plan.nodes
        if before is None:
            changed.add(node.index)
            return "new"
        if before != node.digest:
            changed.add(node.index)
            return "changed"
        for need in node.needs:
            if need in changed:
                changed.add(node.index)
                return f"needs {nodes[need].id}, which changed"
        state = self._run.nodes.get(node.id) or NodeState()
        status = state.status
        if status is NodeStatus.SKIPPED or (status is NodeStatus.WAITING and state.pipeline is None):
            again = next((nodes[n].id for n in node.needs if nodes[n].id in self._reasons), None)
            if again is None and status is NodeStatus.WAITING and node.fan_out is not None:
                return None if not goes_on(self._run, node.id) else DECIDED if node.pipeline is None else _INSIDE
            return f"needs {again}, which runs again" if again else None
        if status is NodeStatus.FAILED and (state.decided is not None or (state.once and state.tolerated)):
            return None
        if status is NodeStatus.QUEUED and state.decided is not None:
            return SETTLED
        if status is NodeStatus.PENDING and state.attempts and node.phase is not Phase.NODES:
            return _GOES_ON  # it ran at an earlier end
        return _INSIDE if status is NodeStatus.WAITING else _UNDONE.get(status)

    def _inside(self, node: PlannedNode, why: str | None) -> str | None:
        """Note why the node of a sub-pipeline runs again, and what of it does."""
        before = self._digests.get(node.id, "")
        if node.index in self.changed and (why != "changed" or _given(before) != _given(node.digest)):
            self._again(node, str(why))
            return why
        assert node.pipeline is not None
        plan = instance(self._subplans[node.pipeline], node.id, node.priority)
        look = _Look(self._run, plan, self._subplans, self._digests)
        status = (self._run.nodes.get(node.id) or NodeState()).status
        found = look.reasons(chosen(plan, node.id, self._run.only), status)
        if why is None and look.changed:
            self.changed.add(node.index)
            why = f"runs {plan.nodes[min(look.changed)].id}, which changed"
        if why is not None:
            self._reasons[node.id] = why
            self._reasons.update(found)
        return why

    def _again(self, node: PlannedNode, why: str) -> None:
        """The node runs again, and all that it runs."""
        self._reasons[node.id] = why
        for each in expanded([node], self._subplans, self._run.only)[1:]:
            if acted_of(self._run, each.id):
                continue
            if each.phase is Phase.NODES or not _had_once(self._run.nodes.get(each.id)):
                self._reasons[each.id] = f"{node.id} runs again"


def _had_once(state: NodeState | None) -> bool:
    return state is not None and state.once and state.status is NodeStatus.SUCCEEDED


def _given(digest: str) -> str:
    """The part of a pipeline node's digest that what it runs depends on."""
    return digest.partition("+")[0]


def _in_order(nodes: Iterable[PlannedNode], plan: Plan) -> list[PlannedNode]:
    """Phase by phase, needs first: a longer chain to the end always starts earlier."""
    phases = list(Phase)
    return sorted(nodes, key=lambda n: (phases.index(n.phase), -n.priority, n.index))
