"""A service and calls of it, moved by hand, in a world where what was really paid is counted apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipe_runner.calls.seams import Most
from pipe_runner.engine.stream import EventStream
from pipe_runner.errors import NodeFault
from pipe_runner.plan import NO_VALUES, Budget, Plan, PlannedNode
from pipe_runner.ports import Attempt, Event
from pipe_runner.run import fold
from pipe_runner.spending.purse import BudgetPurse
from pipe_runner.spent import NANO, Ledger
from pipe_runner.testing import FakeClock, MemoryJournal
from pipe_runner.types import EventKind, Phase

NODES = dict.fromkeys(("a", "b", "c", "d"), "digest")
STARTED = Event(1, "2026-11-28T00:00:00.000000Z", "r", EventKind.RUN_STARTED, data={"nodes": NODES})
RESUMED = {"digest": "d", "nodes": NODES, "rerun": []}


def node(id: str, budget: Budget | None = None, pipeline: str | None = None) -> PlannedNode:
    made = PlannedNode(id, 0, Phase.NODES, "llm", NO_VALUES, (), (), "x", 1, 1)
    return made._replace(budget=budget, pipeline=pipeline)


def plan(*nodes: PlannedNode, budget: Budget | None = None, subplans: Mapping[str, Plan] | None = None) -> Plan:
    placed = tuple(each._replace(index=index) for index, each in enumerate(nodes))
    made = Plan("p", "p.yml", "/", "d", placed, budget=budget)
    return made._replace(subplans=subplans) if subplans else made


def cents(amount: float) -> int:
    return round(amount * NANO / 100)


class Out(NamedTuple):
    """A call that is out."""

    node: str
    tokens: int
    cost: int
    end: asyncio.Future[dict[str, Any]]


class World:
    """A service, and calls of it that are moved by hand. What it was really paid is counted apart from the ledger."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.journal = plan, MemoryJournal([STARTED])
        self.paid: dict[str, list[int]] = {}
        self.faults: list[NodeFault] = []
        self.begin()

    def begin(self) -> None:
        self.run = fold(self.journal.events)
        self.stream = EventStream(self.run, self.journal, [], FakeClock())
        if self.run.seq > 1:
            self.stream.emit(EventKind.RUN_RESUMED, data=RESUMED)
        self.purse = BudgetPurse(self.plan, self.run, self.journal, slow_from=1e9)
        self.tasks: list[asyncio.Task[None]] = []
        self.out: dict[asyncio.Task[None], Out] = {}

    def ask(self, node: str, tokens: int, cost: int | None) -> asyncio.Task[None]:
        self.tasks.append(asyncio.ensure_future(self._ask(node, tokens, cost)))
        return self.tasks[-1]

    async def _ask(self, node: str, tokens: int, cost: int | None) -> None:
        attempt = Attempt("r", node, self.run.attempt, "llm", {}, {}, "/", "k")
        emit = self.stream.for_attempt(attempt)
        try:
            most = Most(tokens, None if cost is None else cost / NANO)
            held = await self.purse.reserve(attempt, "fake", "m", most, emit)
        except NodeFault as fault:
            self.faults.append(fault)
            return
        assert self.journal.events.index(reserved(self.journal, node, held.call)) < self.journal.durable
        task = asyncio.current_task()
        assert task is not None
        out = self.out[task] = Out(node, tokens, cost or 0, asyncio.get_running_loop().create_future())
        data: dict[str, Any] = {"error": {"kind": "cancelled", "message": "stopped"}}
        try:
            data = await out.end
        finally:
            del self.out[task]
            emit(EventKind.MODEL_CALLED, {"call": held.call, "provider": "fake", "model": "m", **data})
            self.purse.settle(held, None, None, sent=True)

    def pay(self, node: str, tokens: int, cost: int) -> None:
        """Of this node, and of all."""
        for name in (node, ""):
            paid = self.paid.setdefault(name, [0, 0])
            paid[0] += tokens
            paid[1] += cost

    def answer(self, task: asyncio.Task[None], tokens: int, cost: int) -> None:
        out = self.out[task]
        self.pay(out.node, tokens, cost)
        out.end.set_result({"tokens": {"input": tokens, "output": 0}, "cost": cost / NANO})

    def break_off(self, task: asyncio.Task[None], *, free: bool) -> None:
        out = self.out[task]
        if not free:
            self.pay(out.node, out.tokens, out.cost)
        out.end.set_result({"error": {"kind": "unavailable", "message": "no"}, **({"free": True} if free else {})})

    async def kill(self, cut: int) -> None:
        """The process is gone, and what was out is paid; of what wasn't durable the last `cut` events are gone, too."""
        events = list(self.journal.events)
        kept = max(self.journal.durable, len(events) - cut, 1)
        for out in (out for out in self.out.values() if not out.end.done()):
            self.pay(out.node, out.tokens, out.cost)
        await self.end()
        self.journal.events[:] = events[:kept]
        self.journal.durable = kept
        self.begin()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.purse.close()

    @property
    def ledger(self) -> Ledger:
        return self.run.ledger or Ledger()


def reserved(journal: MemoryJournal, node: str, call: str) -> Event:
    found = [
        e for e in journal.events if e.event == EventKind.MODEL_RESERVED and (e.node, e.data["call"]) == (node, call)
    ]
    return found[-1]


async def turn(times: int = 5) -> None:
    for _ in range(times):
        await asyncio.sleep(0)
