"""`budget` of a file or a node, compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from pipe_runner.plan import MOST_OUT, Budget, Plan
from pipe_schemas.durations import parse_duration
from pipe_schemas.fields import BudgetSpec

if TYPE_CHECKING:
    from pipe_runner.compiler.drafts import Draft
    from pipe_runner.compiler.report import Report

_LLM = "llm"
_SMALLER = "raise it, or let answers be shorter with `with.max_tokens`; every byte of a prompt counts as a token"
_HINT = "it bounds calls of models, as the agent `llm` makes them; what programs and functions pay for is not seen"


def budget_of(spec: BudgetSpec | None) -> Budget | None:
    """What calls of models may use; None where nothing is said of that."""
    if spec is None or (spec.max_cost is None and spec.max_tokens is None):
        return None
    cost = None if spec.max_cost is None else round(Decimal(str(spec.max_cost)) * 10**9)
    return Budget(cost, spec.max_tokens, spec.unknown_cost == "allow")


def time_of(max_time: str | None, budget: BudgetSpec | None) -> float | None:
    """Seconds that a node has for all its attempts: the stricter of `max_time` and `budget.max_time`."""
    said = [max_time, None if budget is None else budget.max_time]
    return min((parse_duration(text) for text in said if text is not None), default=None)


def tell_of_budgets(drafts: Sequence[Draft], whole: BudgetSpec | None, report: Report) -> None:
    """Warn of budgets that bound nothing, and of those that let nothing out; `whole` is the file's own."""
    _tell_idle(drafts, whole, report)
    _tell_too_small(drafts, whole, report)


def bounds_cost(drafts: Sequence[Draft], whole: BudgetSpec | None, inner: Mapping[str, Plan]) -> bool:
    """Whether some `max_cost` stands in the files; `whole` is the file's own, `inner` are sub-pipelines."""
    said = [whole, *(draft.spec.budget for draft in drafts)]
    said += [budget for plan in inner.values() for budget in (plan.budget, *(node.budget for node in plan.nodes))]
    return any(budget is not None and budget.max_cost is not None for budget in said)


def asks_models(draft: Draft) -> bool:
    """Whether the node, or something that it runs, asks models; also where nobody knows."""
    if draft.inside is not None:
        return draft.inside.asks
    return draft.agent is None or draft.asks


def _tell_too_small(drafts: Sequence[Draft], whole: BudgetSpec | None, report: Report) -> None:
    """Warn of budgets into which not even one call fits, as far as the file tells what it may use; `whole` is the
    file's own."""
    told = whole is None or whole.max_tokens is None
    for draft in drafts:
        own = draft.spec.budget
        if draft.inside is not None or draft.agent is None or draft.agent.name != _LLM:
            continue
        least = _least_tokens(draft)
        if least is None:
            continue
        says = f"each call of node {draft.id} sets aside {least:,} at least"
        if own is not None and own.max_tokens is not None and own.max_tokens < least:
            message = f"no call fits into {own.max_tokens:,} tokens: {says}"
            draft.part.report.add("W508", message, (*draft.path, "budget", "max_tokens"), hint=_SMALLER)
        if not told and whole is not None and whole.max_tokens is not None and whole.max_tokens < least:
            told = True
            message = f"no call fits into {whole.max_tokens:,} tokens: {says}"
            report.add("W508", message, ("budget", "max_tokens"), hint=_SMALLER)


def _least_tokens(draft: Draft) -> int | None:
    """Tokens that each call of the node sets aside at least: the longest answer, and the bytes of what it is asked as
    far as it stands in the file. None: that is known to the run alone."""
    options = draft.options.data if isinstance(draft.options.data, dict) else {}
    most_out = options.get("max_tokens") or MOST_OUT
    if not isinstance(most_out, int):
        return None
    texts = [text for text in (options.get("system"), options.get("prompt")) if isinstance(text, str)]
    return most_out + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _tell_idle(drafts: Sequence[Draft], whole: BudgetSpec | None, report: Report) -> None:
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
