"""Which nodes of a plan a run performs."""

from __future__ import annotations

from collections.abc import Sequence

from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import UsageError
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.subplans import expanded


def select(plan: Plan, only: Sequence[str]) -> list[PlannedNode]:
    """The nodes that `--only` names with all that they need, in the plan's order; all nodes without it.

    A name inside a sub-pipeline, as `deploy.build`, chooses the node that runs it; `subplans.chosen` says what of that.
    Raises UsageError for a name that is no node. Handlers belong to a whole run: they are left out unless named.
    """
    if not only:
        return list(plan.nodes)
    by_id = plan.by_id()
    known = {node.id for node in expanded(plan.nodes, plan.subplans)} if plan.subplans else by_id
    unknown = [name for name in only if name not in known]
    if unknown:
        near = did_you_mean(unknown[0], known)
        repeated = by_id.get(unknown[0].partition(".")[0])
        if repeated is not None and repeated.pipeline is not None and repeated.fan_out is not None:
            near = repeated.id
        raise UsageError(
            f"--only: there is no node {', '.join(unknown)} in {plan.path}",
            hint=f"did you mean {near}?" if near else f"the nodes are: {', '.join(list(by_id)[:20])}",
        )
    chosen: set[int] = set()
    stack = [by_id[name.partition(".")[0]].index for name in only]
    while stack:
        index = stack.pop()
        if index not in chosen:
            chosen.add(index)
            stack.extend(plan.nodes[index].needs)
    return [node for node in plan.nodes if node.index in chosen]
