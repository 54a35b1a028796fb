"""`budget` of a file or a node, compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipe_runner.plan import Budget
from pipe_schemas.durations import parse_duration
from pipe_schemas.fields import BudgetSpec

if TYPE_CHECKING:
    from pipe_runner.compiler.drafts import Draft
    from pipe_runner.compiler.report import Report

_HINT = "it bounds calls of models, as the agent `llm` makes them; what programs and functions pay for is not seen"


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


def asks_models(draft: Draft) -> bool:
    """Whether the node, or something that it runs, asks models; also where nobody knows."""
    if draft.inside is not None:
        return draft.inside.asks
    return draft.agent is None or draft.asks


def tell_idle(drafts: Sequence[Draft], whole: BudgetSpec | None, report: Report) -> None:
    """Warn of budgets that count for nothing, since no model is asked where they hold; `whole` is the file's own."""
    bounded = [draft for draft in drafts if draft.spec.budget is not None]
    for key in ("max_cost", "max_tokens"):
        if whole is not None and getattr(whole, key) is not None and not any(map(asks_models, drafts)):
            report.add(
                "W507", f"`{key}` counts for nothing: no node asks a model", ("budget", key), at="key", hint=_HINT
            )
        for draft in bounded:
            budget = draft.spec.budget
            if getattr(budget, key) is not None and not asks_models(draft):
                message = f"`{key}` counts for nothing: the node asks no model"
                draft.part.report.add("W507", message, (*draft.path, "budget", key), at="key", hint=_HINT)
