"""`budget` of a file or a node, compiled."""

from __future__ import annotations

from pipe_runner.plan import Budget
from pipe_schemas.durations import parse_duration
from pipe_schemas.fields import BudgetSpec


def budget_of(spec: BudgetSpec | None) -> Budget | None:
    """What calls of models may use; None where nothing is said of that."""
    if spec is None or (spec.max_cost is None and spec.max_tokens is None):
        return None
    cost = None if spec.max_cost is None else round(spec.max_cost * 10**9)
    return Budget(cost, spec.max_tokens, spec.unknown_cost == "allow")


def time_of(max_time: str | None, budget: BudgetSpec | None) -> float | None:
    """Seconds that a node has for all its attempts: the stricter of `max_time` and `budget.max_time`."""
    said = [max_time, None if budget is None else budget.max_time]
    return min((parse_duration(text) for text in said if text is not None), default=None)
