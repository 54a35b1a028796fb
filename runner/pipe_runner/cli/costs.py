"""What a run's calls of models would cost: the part of `pipe plan` that tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipe_runner.console.words import plural, safe
from pipe_runner.registry import asks_models
from pipe_runner.spent import NANO
from pipe_runner.subplans import members
from pipe_runner.text import dollars

if TYPE_CHECKING:
    from pipe_runner.plan import Plan, PlannedNode
    from pipe_runner.registry import Registry
    from pipe_runner.spending.outlook import Bound
    from pipe_runner.stores.costs import PastCosts

_NAMED: Final = 20


class Costs(NamedTuple):
    """At most, and in the runs that were."""

    bound: Bound
    past: PastCosts


def costs(plan: Plan, nodes: Sequence[PlannedNode], registry: Registry, state: str, within: str | None) -> Costs | None:
    """None where none of these nodes asks a model."""
    repeated = members([node for node in nodes if node.fan_out is not None], plan.subplans)
    asking = {
        node.agent: type(registry.get(node.agent)).__module__.startswith("pipe_agents.")
        for node in (*nodes, *repeated)
        if node.pipeline is None and asks_models(registry.get(node.agent), node.options.data)
    }
    if not asking:
        return None
    from pipe_runner.spending.outlook import bound
    from pipe_runner.stores.costs import past_costs

    return Costs(bound(plan, nodes, asking, os.environ), past_costs(state, plan.path, within))


def costs_text(costs: Costs | None) -> Iterator[str]:
    """Lines for people."""
    if costs is None:
        return
    bound, past = costs
    yield ""
    yield "cost: " + _most(bound.most, bound.by_budget, "the run's budget")
    for node in bound.nodes[:_NAMED]:
        calls = f", {plural(node.calls, 'call')}" if node.calls is not None else ""
        most = f"no bound: {node.why}" if node.why else _most(node.most, node.by_budget, "its budget")
        yield safe(f"  {node.node}: {most}{calls}")
    if len(bound.nodes) > _NAMED:
        yield f"  and {len(bound.nodes) - _NAMED} more; `--output json` has them all"
    if past.runs:
        half, nearly = _shares(past.runs)
        which = f"in the last {plural(len(past.runs), 'run')} that succeeded"
        yield f"  {which}: p50 {dollars(half)}, p95 {dollars(nearly)}"


def _most(most: int | None, by_budget: bool, whose: str) -> str:
    if most is None:
        return "no upper bound; `budget: {max_cost: …}` sets one"
    return f"at most {dollars(most)}" + (f" ({whose})" if by_budget else "")


def _shares(costs: tuple[int, ...]) -> tuple[int, int]:
    from pipe_runner.stores.costs import share

    return share(costs, 0.5), share(costs, 0.95)


def costs_json(costs: Costs | None) -> dict[str, Any] | None:
    """US dollars; null for what nothing bounds, or nothing is known of."""
    if costs is None:
        return None
    bound, past = costs

    def dollars_of(nanos: int | None) -> float | None:
        return None if nanos is None else nanos / NANO

    def shares(runs: tuple[int, ...]) -> dict[str, Any]:
        half, most = _shares(runs) if runs else (None, None)
        return {"p50": dollars_of(half), "p95": dollars_of(most), "runs": len(runs)}

    return {
        "most": dollars_of(bound.most),
        **shares(past.runs),
        "nodes": {
            one.node: {
                "most": dollars_of(one.most),
                "calls": one.calls,
                "why": one.why or None,
                **shares(past.nodes.get(one.node, ())),
            }
            for one in bound.nodes
        },
    }
