"""Models that a budget lets nobody ask, since nobody knows their price: for `pipe check` and `pipe plan`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from pipe_runner.plan import Budget, Plan, PlannedNode
from pipe_runner.spending.outlook import Unbounded, choices, prices_of

_LISTED: Final = frozenset({"openai", "bedrock"})
"""Types whose prices stand in pipe.yml or in the list; others may know them themselves."""


class Unpriced(NamedTuple):
    """A model that the node names and never asks. `plan` is that of the node's file."""

    plan: Plan
    node: PlannedNode
    provider: str
    model: str


def unpriced(plan: Plan, asks: Callable[[PlannedNode], bool], environ: Mapping[str, str]) -> list[Unpriced]:
    """Each once, sub-pipelines included. `asks`: whether a node asks models."""
    found: dict[tuple[str, str, str, str], Unpriced] = {}
    for one, node in _bounded(plan, plan, False, set()):
        if node.pipeline is None and asks(node):
            for name, model in _unknown(one._replace(services=plan.services), node, environ):
                found.setdefault((one.path, node.id, name, model), Unpriced(one, node, name, model))
    return list(found.values())


def _bounded(whole: Plan, plan: Plan, outer: bool, seen: set[tuple[str, bool]]) -> Iterator[tuple[Plan, PlannedNode]]:
    """Nodes that stand in a budget which refuses unknown prices, each with the plan of its file."""
    if (plan.path, outer) in seen:
        return
    seen.add((plan.path, outer))
    for node in plan.nodes:
        bounded = outer or _refuses(plan.budget) or _refuses(node.budget)
        if node.pipeline is not None:
            yield from _bounded(whole, whole.subplans[node.pipeline], bounded, seen)
        elif bounded:
            yield plan, node


def _refuses(budget: Budget | None) -> bool:
    return budget is not None and budget.max_cost is not None and not budget.unknown_cost


def _unknown(plan: Plan, node: PlannedNode, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Providers with models whose price is surely not known: not where the address is the run's to say."""
    options = node.options.data if isinstance(node.options.data, dict) else {}
    try:
        named = list(choices(plan, options))
    except Unbounded:
        return
    for name, model in named:
        prices = prices_of(plan, name, environ)
        if not model or prices.type not in _LISTED or (prices.type == "openai" and not prices.address):
            continue
        if prices.most(model, 1, 1) is None:
            yield name, model
