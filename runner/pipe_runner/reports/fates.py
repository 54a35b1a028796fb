"""What can be said of each node before a run: that it runs, that it does not, or that only the run can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import Compiled, evaluate_condition
from pipe_runner.plan import NOTHING, Plan, PlannedNode
from pipe_runner.run import NodeState
from pipe_runner.triggers import Action, decide
from pipe_runner.types import Json, NodeStatus, Phase, RunOn


class Verdict(StrEnum):
    RUNS = "runs"
    """Unless something fails."""
    OPEN = "open"
    """The run decides."""
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    FAILS = "fails"
    """Its condition can't be evaluated."""


class Fate(NamedTuple):
    """A verdict and why; `values` are what a condition that is decided has read, `by` the nodes that it comes from."""

    verdict: Verdict
    why: str = ""
    values: Mapping[str, Json] = NOTHING
    by: tuple[str, ...] = ()

    @property
    def may_run(self) -> bool:
        return self.verdict in (Verdict.RUNS, Verdict.OPEN)


RUNS: Final = Fate(Verdict.RUNS)
_STATES: Final = {
    Verdict.RUNS: NodeStatus.SUCCEEDED,
    Verdict.OPEN: NodeStatus.SUCCEEDED,
    Verdict.SKIPPED: NodeStatus.SKIPPED,
    Verdict.BLOCKED: NodeStatus.BLOCKED,
    Verdict.FAILS: NodeStatus.FAILED,
}


def fates(plan: Plan, nodes: Sequence[PlannedNode], inputs: Mapping[str, Json]) -> dict[int, Fate]:
    """The fate of each node by its index; `nodes` in an order in which needs stand before what needs them."""
    found: dict[int, Fate] = {}
    states: dict[int, NodeState] = {}
    for node in nodes:
        fate = found[node.index] = _fate(plan, node, found, states, inputs)
        state = NodeState(_STATES[fate.verdict], by=fate.by)
        state.tolerated = node.continue_on_error
        states[node.index] = state
    return found


def _fate(
    plan: Plan,
    node: PlannedNode,
    found: Mapping[int, Fate],
    states: Mapping[int, NodeState],
    inputs: Mapping[str, Json],
) -> Fate:
    for need in node.needs if "." in node.id else ():
        owner = plan.nodes[need].id
        if node.id.startswith(f"{owner}.") and not found[need].may_run:
            return Fate(Verdict.SKIPPED, f"{owner} does not run", by=(owner,))
    if node.phase is Phase.ON_FAILURE:
        return Fate(Verdict.OPEN, "if the run fails")
    if node.run_on is RunOn.FAILURE:
        return Fate(Verdict.OPEN, "if something that it needs fails")
    inside = node.id.count(".")
    # What a sub-pipeline runs decides nothing outside of it: the node that runs it does.
    needs = [n for n in node.needs if plan.nodes[n].id.count(".") <= inside]
    decision = decide(node.run_on, ((plan.nodes[n].id, states[n]) for n in needs))
    by = ", ".join(decision.by) + (f" and {decision.more} more" if decision.more else "")
    if decision.action is Action.BLOCK:
        return Fate(Verdict.BLOCKED, f"by {by}", by=decision.by)
    if decision.action is Action.SKIP:
        return Fate(Verdict.SKIPPED, f"{decision.reason}: {by}" if by else decision.reason, by=decision.by)
    fate = RUNS if node.when is None else _condition(plan, node, inputs)
    if fate.verdict is Verdict.RUNS and node.run_on is RunOn.SUCCESS:
        unsure = [plan.nodes[n].id for n in needs if found[n].verdict is Verdict.OPEN]
        if unsure:
            return Fate(Verdict.OPEN, f"if {', '.join(unsure)} {'runs' if len(unsure) == 1 else 'run'}")
    return fate


def _plain_env(plan: Plan, part: int) -> dict[str, Json] | None:
    """The environment of a file's nodes, where no value of it is an expression."""
    own, around = plan.env, None
    if part:
        own, around = plan.parts[part - 1].env, _plain_env(plan, plan.parts[part - 1].within)
        if around is None:
            return None
    return {**(around or {}), **own.data} if own.static and isinstance(own.data, dict) else None


def _condition(plan: Plan, node: PlannedNode, inputs: Mapping[str, Json]) -> Fate:
    """Decided now where it reads nothing but inputs and a plain environment; evaluating runs no code (S2)."""
    if "." in node.id:  # its inputs are made by the run
        return Fate(Verdict.OPEN, f"when {node.when_text}")
    compiled = Compiled.from_json(node.when)
    scope: dict[str, Json] = {"inputs": dict(plan.parts[node.part - 1].inputs if node.part else inputs)}
    env = _plain_env(plan, node.part)
    if env is not None:
        scope["env"] = env
    if any(reference.path[0] not in scope for reference in compiled.references):
        return Fate(Verdict.OPEN, f"when {node.when_text}")
    try:
        holds, values = evaluate_condition(compiled, scope)
    except ExpressionFault as fault:
        return Fate(Verdict.FAILS, f"when: {fault.message}")
    return Fate(Verdict.RUNS if holds else Verdict.SKIPPED, f"when {node.when_text}", values)
