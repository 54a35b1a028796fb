"""Models that a budget lets nobody ask, since nobody knows their price: for `pipe check` and `pipe plan`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from pipe_runner.plan import Budget, Plan, PlannedNode
from pipe_runner.spending.outlook import Unbounded, choices, prices_of

_LISTED: Final = frozenset({"openai", "bedrock"})
"""Types whose prices stand in pipe.yml or in the list; others may know them themselves."""


_MOST: Final = 100
"""Models that are told."""


class Unpriced(NamedTuple):
    """A model that a node names and never asks. `plan` is that of the node's file."""

    plan: Plan
    node: PlannedNode
    provider: str
    model: str
    others: int = 0
    """Nodes beside this one, the first, that never ask it either."""


def unpriced(plan: Plan, asks: Callable[[PlannedNode], bool], environ: Mapping[str, str]) -> list[Unpriced]:
    """Each model once, sub-pipelines included. `asks`: whether a node asks models."""
    found: dict[tuple[str, str], Unpriced] = {}
    known: dict[tuple[str, str], bool] = {}
    seen: set[tuple[str, str]] = set()
    for one, node in _bounded(plan, plan, False, set()):
        if node.pipeline is not None or (one.path, node.id) in seen or not asks(node):
            continue
        seen.add((one.path, node.id))
        for named in _named(plan, node):
            if named not in known:
                known[named] = len(found) >= _MOST or not _unknown(plan, *named, environ)
            if named in found:
                found[named] = found[named]._replace(others=found[named].others + 1)
            elif not known[named]:
                found[named] = Unpriced(one, node, *named)
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


def _named(plan: Plan, node: PlannedNode) -> list[tuple[str, str]]:
    """Providers with models, as far as the file says them."""
    options = node.options.data if isinstance(node.options.data, dict) else {}
    try:
        return [(name, model) for name, model in dict.fromkeys(choices(plan, options)) if model]
    except Unbounded:
        return []


def _unknown(plan: Plan, name: str, model: str, environ: Mapping[str, str]) -> bool:
    """Whether a price is surely not known: not where the address is the run's to say."""
    prices = prices_of(plan, name, environ)
    if prices.type not in _LISTED or (prices.type == "openai" and not prices.address):
        return False
    return prices.most(model, 1, 1) is None
