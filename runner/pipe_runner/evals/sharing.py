"""One budget for all runs of an evaluation, around the budgets that each has itself."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from pipe_runner.calls.seams import Held, Most, Purse
from pipe_runner.errors import NodeFault
from pipe_runner.limits.gates import Gates
from pipe_runner.models import Usage
from pipe_runner.plan import Budget, Plan
from pipe_runner.ports import Attempt, Committed, Emit, Event
from pipe_runner.run import Run
from pipe_runner.spending.purse import BudgetPurse
from pipe_runner.spent import Ledger, Spent
from pipe_runner.types import ErrorKind, EventKind


class Together:
    """What the runs of an evaluation have in common: gates, and the books of all that they spend."""

    def __init__(self, budget: Budget | None) -> None:
        self.gates = Gates()
        self._run = Run(id="evaluation", ledger=Ledger())
        plan = Plan("evaluation", "", "", "", (), budget=budget)
        self._purse = BudgetPurse(plan, self._run, _NoLog(), slow_from=inf, title="the evaluation", resumes=False)
        self.used_up = False
        """A call didn't fit into the budget of the whole: no other sample need begin."""
        self._unpriced: set[tuple[str, str]] = set()
        """Runs, and the nodes in them whose model was refused, since nobody knows its price."""

    @property
    def spent(self) -> Spent:
        """By all runs so far, those too whose samples didn't count."""
        assert self._run.ledger is not None
        return self._run.ledger.total

    def within(self, purse: Purse, run: str) -> Purse:
        """The purse of one run, within the budget of the whole."""
        return _Within(self, purse, run)

    def refused(self, run: str, node: str) -> None:
        """A model was, since its price is not known."""
        self._unpriced.add((run, node))

    def unpriced(self, run: str, node: str) -> bool:
        """Whether a budget refused to have the node ask a model, or its items or what it runs, for want of a price."""
        inside = (f"{node}[", f"{node}.")
        return any(one == run and (at == node or at.startswith(inside)) for one, at in self._unpriced)

    async def reserve(self, attempt: Attempt, provider: str, model: str, most: Most) -> Held:
        def tell(kind: EventKind, data: Mapping[str, Any]) -> None:
            self._tell(kind, attempt.node, data)

        try:
            return await self._purse.reserve(attempt, provider, model, most, tell)
        except NodeFault as fault:
            self.used_up = self.used_up or fault.kind is ErrorKind.BUDGET
            raise

    def settle(self, node: str, held: Held, usage: Usage | None, cost: float | None, *, sent: bool) -> None:
        data: dict[str, Any] = {"call": held.call}
        if usage is not None:
            data["tokens"] = dict(usage._asdict())
        if cost is not None:
            data["cost"] = cost
        if usage is None and cost is None and not sent:
            data["free"] = True
        self._tell(EventKind.MODEL_CALLED, node, data)
        self._purse.settle(held, usage, cost, sent=sent)

    def _tell(self, kind: EventKind, node: str, data: Mapping[str, Any]) -> None:
        assert self._run.ledger is not None
        if kind is EventKind.MODEL_RESERVED:
            self._run.ledger.reserved(node, data)
        elif kind is EventKind.MODEL_CALLED:
            self._run.ledger.called(node, data)


class _Both(Held):
    """What was set aside in a run, and with it in the whole."""

    whole: Held
    node: str


class _Within:
    """`Purse` of one run: the whole sets aside first, since it has more to give back."""

    def __init__(self, together: Together, purse: Purse, run: str) -> None:
        self._together, self._purse, self._run = together, purse, run

    async def reserve(self, attempt: Attempt, provider: str, model: str, most: Most, emit: Emit) -> Held:
        try:
            return await self._reserve(attempt, provider, model, most, emit)
        except NodeFault as fault:
            if fault.kind is ErrorKind.REFUSED:
                self._together.refused(self._run, attempt.node)
            raise

    async def _reserve(self, attempt: Attempt, provider: str, model: str, most: Most, emit: Emit) -> Held:
        outer = attempt._replace(node=f"{self._run}/{attempt.node}")
        whole = await self._together.reserve(outer, provider, model, most)
        try:
            own = await self._purse.reserve(attempt, provider, model, most, emit)
        except BaseException:
            self._together.settle(outer.node, whole, None, None, sent=False)
            raise
        both = _Both(own.call, own.most)
        both.whole, both.node = whole, outer.node
        return both

    def settle(self, held: Held, usage: Usage | None, cost: float | None, *, sent: bool) -> None:
        self._purse.settle(held, usage, cost, sent=sent)
        if isinstance(held, _Both):
            self._together.settle(held.node, held.whole, usage, cost, sent=sent)


class _NoLog:
    """The books of an evaluation end with it: each run's own log has what was spent."""

    def append(self, event: Event) -> None:
        pass

    def commit(self) -> None:
        pass

    def commit_beside(self, then: Committed) -> bool:
        return False

    def check(self) -> None:
        pass

    def put_blob(self, data: bytes) -> str:
        raise NotImplementedError

    def close(self) -> None:
        pass
