"""What is said where a budget keeps a call from going out: figures, and what to do."""

from __future__ import annotations

from pipe_runner.spending.scopes import Scope
from pipe_runner.spent import SetAside, Spent
from pipe_runner.text import dollars


def price_unknown(scope: Scope, provider: str, model: str) -> str:
    """Nobody knows what the model costs, and the budget doesn't allow that."""
    assert scope.budget.max_cost is not None
    return (
        f"{scope.title} may cost {dollars(scope.budget.max_cost)} at most, and the price of model {model} of provider "
        f"{provider} is not known: give it in pipe.yml (`providers: {{{provider}: {{prices: {{{model}: {{input: …, "
        "output: …}}}}`, US dollars per million tokens), or let unknown prices pass with "
        "`budget: {unknown_cost: allow}`"
    )


def over_budget(scope: Scope, spent: Spent, most: SetAside, *, resumes: bool = True) -> str:
    """The call can't fit any more. `resumes`: the run can be resumed, and is no sample of an evaluation."""
    budget = scope.budget
    tokens = budget.max_tokens is not None and spent.tokens + most.tokens > budget.max_tokens
    if tokens:
        assert budget.max_tokens is not None
        left = max(0, budget.max_tokens - spent.tokens)
        has = f"{left:,} of {budget.max_tokens:,} tokens"
        needs, key = f"{most.tokens:,}", "max_tokens"
    else:
        assert budget.max_cost is not None
        has = f"{dollars(max(0, budget.max_cost - spent.cost))} of {dollars(budget.max_cost)}"
        needs, key = dollars(most.cost or 0), "max_cost"
    after = f" after {spent.calls} call{'' if spent.calls == 1 else 's'}" if spent.calls else ""
    cut = f" ({spent.whole} of them counted at their bound, since nobody knows what they used)" if spent.whole else ""
    again = "`pipe resume`" if resumes else "run the evaluation again"
    return (
        f"the budget of {scope.title} has {has} left{after}{cut}, and the call may use {needs}: raise "
        f"`budget.{key}` and {again}, or lower what a call may use (a shorter prompt, `with.max_tokens`)"
    )
