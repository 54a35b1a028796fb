"""Lets calls out within their budgets: what one may use at most is set aside in the log before it goes out.

The books are those of the log (`Run.ledger`). The purse keeps none of its own, so a resume begins with what the log
says.
"""

from __future__ import annotations

import asyncio
import contextlib

from pipe_runner.calls.seams import Held, Most
from pipe_runner.commits import GroupCommit
from pipe_runner.errors import NodeFault, PriceUnknown, StorageError
from pipe_runner.models import Usage
from pipe_runner.plan import Plan
from pipe_runner.ports import Attempt, Emit, Journal
from pipe_runner.run import Run
from pipe_runner.spending.lanes import Lanes, Waiting
from pipe_runner.spending.scopes import Scope, Scopes
from pipe_runner.spending.sentences import over_budget, price_unknown
from pipe_runner.spent import NANO, SetAside, Spent, nanos_up
from pipe_runner.types import ErrorKind, EventKind, Json


class BudgetPurse:
    """`Purse` of one run or resume. Everything in it happens in the loop of the run."""

    def __init__(
        self,
        plan: Plan,
        run: Run,
        journal: Journal,
        *,
        slow_from: float = 0.0,
        title: str = "the run",
        resumes: bool = True,
    ) -> None:
        """`slow_from`: seconds from which a commit is made in a thread; all of them, since calls set aside one by one
        as others end, and in the loop each commit would hold up all that fly. `title`: how the whole is called;
        `resumes`: whether it can be resumed."""
        self._run, self._resumes = run, resumes
        self._scopes = Scopes(plan, run, title)
        self._divided = not self._scopes.any
        self._divide()
        self._calls: dict[tuple[str, int], int] = {}
        self._waiting = Lanes()
        self._pending: dict[int, asyncio.Future[None]] = {}
        self._written = 0
        self._commits = GroupCommit(journal, self._release, self._fail, slow_from=slow_from)

    async def reserve(self, attempt: Attempt, provider: str, model: str, most: Most, emit: Emit) -> Held:
        scopes = self._scopes.of(attempt.node)
        held = SetAside(most.tokens, None if most.cost is None else nanos_up(most.cost))
        asked: dict[str, Json] = {"provider": provider, "model": model}

        def take() -> str:
            key = (attempt.node, attempt.number)
            self._calls[key] = self._calls.get(key, 0) + 1
            call = f"{attempt.number}.{self._calls[key]}"
            cost: dict[str, Json] = {} if held.cost is None else {"cost": held.cost / NANO}
            emit(EventKind.MODEL_RESERVED, {"call": call, **asked, "tokens": held.tokens, **cost})
            self._divide()
            return call

        if not scopes:
            return Held(take(), most)
        for scope in scopes:
            if held.cost is None and scope.budget.max_cost is not None and not scope.budget.unknown_cost:
                raise PriceUnknown(price_unknown(scope, provider, model))
        waiting = self._waiting.add(scopes, held, take)
        self._next()
        try:
            call = await waiting.go
            await self._durable()
        except NodeFault:
            raise
        except BaseException as error:
            if waiting.go.done() and not waiting.go.cancelled() and waiting.go.exception() is None:
                with contextlib.suppress(StorageError):  # nothing has gone out, and nothing will
                    emit(EventKind.MODEL_CALLED, {"call": waiting.go.result(), **asked, "free": True, **_why(error)})
            self._next()
            raise
        return Held(call, most)

    def settle(self, held: Held, usage: Usage | None, cost: float | None, *, sent: bool) -> None:
        """`model.called` has told the ledger; who waits may go."""
        self._next()

    async def close(self) -> None:
        self._commits.close()

    # ------------------------------------------------------------ turns

    def _next(self) -> None:
        """End what can't fit any more; let out what fits, in the order in which it came: nobody overtakes the first of
        those that wait for what it needs, too."""
        for lane in self._waiting.all():
            for waiting in lane.largest():
                self._end_hopeless(waiting)
        lacking: set[str] = set()
        for waiting in self._waiting.in_order():
            short = [scope.key for scope in waiting.scopes if self._over(scope, waiting.most)]
            if short or any(scope.key in lacking for scope in waiting.scopes):
                lacking.update(short)
                continue
            try:
                waiting.go.set_result(waiting.take())
            except Exception as error:  # the log can't be written
                waiting.go.set_exception(error)

    def _end_hopeless(self, waiting: Waiting) -> None:
        hopeless = next((s for s in waiting.scopes if self._over(s, waiting.most, settled=True)), None)
        if hopeless is not None:
            message = over_budget(hopeless, self._of(hopeless), waiting.most, resumes=self._resumes)
            waiting.go.set_exception(NodeFault(ErrorKind.BUDGET, message))

    def _of(self, scope: Scope) -> Spent:
        ledger = self._run.ledger
        return (ledger.scopes.get(scope.key) if ledger is not None else None) or Spent()

    def _divide(self) -> None:
        """Have the ledger keep a tally for each budget; it is there from the first call on."""
        if not self._divided and self._run.ledger is not None:
            self._run.ledger.divide(self._scopes.keys_of)
            self._divided = True

    def _over(self, scope: Scope, most: SetAside, *, settled: bool = False) -> bool:
        """Whether it is too much for a budget, with what calls in flight may use; `settled`: without that."""
        spent, budget = self._of(scope), scope.budget
        if budget.max_tokens is not None:
            used = spent.tokens if settled else spent.all_tokens
            if used + most.tokens > budget.max_tokens:
                return True
        if budget.max_cost is None:
            return False
        return (spent.cost if settled else spent.all_cost) + (most.cost or 0) > budget.max_cost

    # ------------------------------------------------------------ durability

    async def _durable(self) -> None:
        """Until what was set aside is on the disk; calls that set aside together share one fdatasync."""
        self._written += 1
        index = self._written
        self._pending[index] = asyncio.get_running_loop().create_future()
        self._commits.add(index)
        self._commits.soon()
        try:
            await self._pending[index]
        finally:
            self._pending.pop(index, None)

    def _release(self, batch: list[int]) -> None:
        for index in batch:
            pending = self._pending.get(index)
            if pending is not None and not pending.done():
                pending.set_result(None)

    def _fail(self, error: Exception) -> None:
        for pending in self._pending.values():
            if not pending.done():
                pending.set_exception(error)


def _why(error: BaseException) -> dict[str, Json]:
    if isinstance(error, StorageError):
        return {"error": {"kind": str(ErrorKind.STORAGE), "message": error.message}}
    return {"error": {"kind": str(ErrorKind.CANCELLED), "message": "it was stopped before it went out"}}
