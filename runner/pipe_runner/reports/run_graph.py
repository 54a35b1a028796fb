"""The graph of a run as far as it is known: its nodes from the log, the edges from the file where it still fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipe_runner.console.words import plural
from pipe_runner.plan import NO_VALUES, Plan, PlannedNode
from pipe_runner.reports.flat import flat
from pipe_runner.run import Run
from pipe_runner.types import Phase

MOST_DRAWN: Final = 300
"""Nodes above which a drawing says nothing to anybody."""


class Known(NamedTuple):
    """`nodes` are those of the plan that are as they were when the run read the file; `notes` say what isn't known."""

    nodes: Mapping[str, PlannedNode]
    drawn: Plan
    """The run's nodes with the edges that are known; for drawing and for nothing else."""
    needs: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    files: Mapping[str, str]
    """The file of each of `nodes`, from the root."""


def known(run: Run, plan: Plan | None, missing: str = "") -> Known:
    """Hold the plan of the file as it is now against the run; `missing` says why there is no plan."""
    plan = flat(plan) if plan is not None else None
    planned = plan.by_id() if plan is not None else {}
    same = {name: planned[name] for name, digest in run.digests.items() if _is(planned.get(name), digest)}
    drawn = _drawn(run, planned, same)
    needs = {node.id: tuple(drawn.nodes[need].id for need in node.needs) for node in drawn.nodes}
    files = {name: plan.file_of(node.part) for name, node in same.items()} if plan is not None else {}
    return Known(same, drawn, needs, tuple(_notes(run, plan, same, missing)), files)


def _is(node: PlannedNode | None, digest: str) -> bool:
    return node is not None and node.digest == digest


def _drawn(run: Run, planned: Mapping[str, PlannedNode], same: Mapping[str, PlannedNode]) -> Plan:
    index = {name: at for at, name in enumerate(run.digests or run.nodes)}
    ids = {node.index: name for name, node in planned.items()}
    nodes = []
    for name, at in index.items():
        node = same.get(name)
        if node is None:
            there = planned.get(name)
            phase, priority = (there.phase, there.priority) if there is not None else (Phase.NODES, 1)
            nodes.append(PlannedNode(name, at, phase, "", NO_VALUES, (), (), "", 0, 0, priority=priority))
            continue
        needs = sorted(index[ids[need]] for need in node.needs if ids.get(need) in index)
        nodes.append(node._replace(index=at, needs=tuple(needs)))
    return Plan(run.pipeline, run.path, run.root, run.digest, tuple(nodes))


def _notes(run: Run, plan: Plan | None, same: Mapping[str, PlannedNode], missing: str) -> list[str]:
    if not run.digests:
        return ["The log says nothing of the run's nodes yet."]
    if plan is None:
        return [
            f"{missing or 'The pipeline file can not be read'}: the nodes are shown as the log has them, "
            "without their commands and without the edges between them."
        ]
    changed = len(run.digests) - len(same)
    if changed:
        which = plural(changed, "node") if changed < len(run.digests) else "every node"
        return [
            f"The pipeline file has changed since the run: {which} of it {'are' if changed > 1 else 'is'} no longer "
            "what it was, and shown without command and without what it needs."
        ]
    return []
