"""Which nodes of a plan a run or a resume performs, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import UsageError
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.run import Run
from pipe_runner.types import NodeStatus, Phase


def select(plan: Plan, only: Sequence[str]) -> list[PlannedNode]:
    """The nodes that `--only` names with all that they need, in the plan's order; all nodes without it.

    Raises UsageError for a name that is no node. Handlers belong to a whole run: they are left out unless named.
    """
    if not only:
        return list(plan.nodes)
    by_id = plan.by_id()
    unknown = [name for name in only if name not in by_id]
    if unknown:
        near = did_you_mean(unknown[0], by_id)
        raise UsageError(
            f"--only: there is no node {', '.join(unknown)} in {plan.path}",
            hint=f"did you mean {near}?" if near else f"the nodes are: {', '.join(list(by_id)[:20])}",
        )
    chosen: set[int] = set()
    stack = [by_id[name].index for name in only]
    while stack:
        index = stack.pop()
        if index not in chosen:
            chosen.add(index)
            stack.extend(plan.nodes[index].needs)
    return [node for node in plan.nodes if node.index in chosen]


_UNDONE = {
    NodeStatus.PENDING: "not started",
    NodeStatus.QUEUED: "interrupted",
    NodeStatus.RUNNING: "interrupted",
    NodeStatus.FAILED: "failed",
    NodeStatus.BLOCKED: "blocked",
    NodeStatus.CANCELLED: "cancelled",
    NodeStatus.UNKNOWN: "interrupted",
}

SETTLED = "settled: it is to run again"
DECIDED = "its items were decided"


def reasons_to_rerun(run: Run, nodes: Sequence[PlannedNode], plan: Plan) -> dict[str, str]:
    """Which of these nodes a resume performs, and why, in an order in which needs stand before what needs them.

    What succeeded stays done (D1), unless it changed or depends on something that did (D11). A skipped node is decided
    again when one of its needs runs again. Handlers depend on how the run went: they run again when any node does.
    What a person decides is left to them: `effect: once` never runs again by itself, and a refusal stands.
    """
    from pipe_runner.deciding import acted_of

    reasons: dict[str, str] = {}
    changed: set[int] = set()
    any_node = False
    for node in _in_order(nodes, plan):
        state = run.nodes.get(node.id)
        if state is not None and state.status is not NodeStatus.WAITING and acted_of(run, node.id):
            any_node = any_node or node.phase is Phase.NODES
            continue
        if node.phase is not Phase.NODES and state is not None and state.once and state.status is NodeStatus.SUCCEEDED:
            continue
        if node.phase is not Phase.NODES and any_node:
            reasons[node.id] = "the run goes on"
            continue
        why = _why(run, node, reasons, changed, plan)
        if why is not None:
            reasons[node.id] = why
        elif state is None or state.status is not NodeStatus.WAITING:
            continue
        any_node = any_node or node.phase is Phase.NODES
    return reasons


def run_anew(nodes: Sequence[PlannedNode], reasons: Mapping[str, str]) -> list[str]:
    """Repeated nodes of which a resume runs every item: those that changed, not those that were only not done."""
    undone = {*_UNDONE.values(), SETTLED, DECIDED}
    return [node.id for node in nodes if node.fan_out is not None and reasons.get(node.id, "failed") not in undone]


def _why(run: Run, node: PlannedNode, reasons: dict[str, str], changed: set[int], plan: Plan) -> str | None:
    before = run.digests.get(node.id)
    if before is None:
        changed.add(node.index)
        return "new"
    if before != node.digest:
        changed.add(node.index)
        return "changed"
    for need in node.needs:
        if need in changed:
            changed.add(node.index)
            return f"needs {plan.nodes[need].id}, which changed"
    from pipe_runner.deciding import goes_on

    state = run.nodes[node.id]
    status = state.status
    if status is NodeStatus.SKIPPED or status is NodeStatus.WAITING:
        again = next((plan.nodes[n].id for n in node.needs if plan.nodes[n].id in reasons), None)
        if again:
            return f"needs {again}, which runs again"
        return DECIDED if status is NodeStatus.WAITING and node.fan_out is not None and goes_on(run, node.id) else None
    if status is NodeStatus.FAILED and (state.decided is not None or (state.once and state.tolerated)):
        return None
    if status is NodeStatus.QUEUED and state.decided is not None:
        return SETTLED
    return _UNDONE.get(status)


def _in_order(nodes: Iterable[PlannedNode], plan: Plan) -> list[PlannedNode]:
    """Phase by phase, needs first: a longer chain to the end always starts earlier."""
    phases = list(Phase)
    return sorted(nodes, key=lambda n: (phases.index(n.phase), -n.priority, n.index))
