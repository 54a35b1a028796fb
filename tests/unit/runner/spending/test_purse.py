"""When calls go out within their budgets, when they wait, and how they are refused."""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import Any

import pytest
from tests.unit.runner.spending.conftest import World, cents, node, plan, turn

from pipe_runner.calls.seams import Most
from pipe_runner.engine.stream import EventStream
from pipe_runner.errors import StorageError
from pipe_runner.plan import Budget, Plan
from pipe_runner.ports import Attempt
from pipe_runner.run import NodeState, Run
from pipe_runner.spending.lanes import Lanes
from pipe_runner.spending.purse import BudgetPurse
from pipe_runner.spending.scopes import Scopes
from pipe_runner.spent import SetAside
from pipe_runner.testing import FakeClock, MemoryJournal
from pipe_runner.types import ErrorKind


def asked(world: World, *calls: tuple[str, int, int | None]) -> list[asyncio.Task[None]]:
    return [world.ask(*call) for call in calls]


def in_world(plan: Plan, scenario: Any) -> World:
    async def perform() -> World:
        world = World(plan)
        await scenario(world)
        await world.end()
        return world

    return asyncio.run(perform())


def test_a_call_waits_while_others_may_give_back_and_goes_when_they_do() -> None:
    async def scenario(world: World) -> None:
        first, second = asked(world, ("a", 600, 0), ("b", 600, 0))
        await turn()
        assert first in world.out
        assert second not in world.out
        world.answer(first, 300, 0)
        await turn()
        assert second in world.out

    assert in_world(plan(node("a"), node("b"), budget=Budget(max_tokens=1000)), scenario).faults == []


def test_a_call_that_can_not_fit_any_more_fails_with_figures_and_what_to_do() -> None:
    async def scenario(world: World) -> None:
        (first,) = asked(world, ("a", 600, cents(40)))
        await turn()
        world.answer(first, 500, cents(35))
        await turn()
        asked(world, ("a", 600, cents(40)))
        await turn()

    (fault,) = in_world(plan(node("a", Budget(max_cost=cents(50)))), scenario).faults
    assert fault.kind is ErrorKind.BUDGET
    assert fault.message == (
        "the budget of node a has $0.15 of $0.50 left after 1 call, and the call may use $0.40: raise "
        "`budget.max_cost` and `pipe resume`, or lower what a call may use (a shorter prompt, `with.max_tokens`)"
    )


def test_a_large_call_is_not_overtaken_for_ever_by_small_ones() -> None:
    async def scenario(world: World) -> None:
        small = asked(world, ("a", 500, 0))
        await turn()
        (large,) = asked(world, ("b", 900, 0))
        await turn()
        small += asked(world, *[("a", 100, 0)] * 20)
        await turn()
        assert list(world.out) == small[:1]  # the small ones would fit
        world.answer(small[0], 0, 0)
        await turn()
        assert large in world.out

    in_world(plan(node("a"), node("b"), budget=Budget(max_tokens=1000)), scenario)


def test_who_waits_for_one_budget_holds_up_nobody_who_needs_another() -> None:
    async def scenario(world: World) -> None:
        asked(world, ("a", 600, 0), ("a", 600, 0))
        (other,) = asked(world, ("b", 600, 0))
        await turn()
        assert other in world.out

    in_world(plan(node("a", Budget(max_tokens=1000)), node("b"), budget=Budget(max_tokens=10_000)), scenario)


def test_who_is_cancelled_while_it_waits_lets_the_next_go() -> None:
    async def scenario(world: World) -> None:
        _, large, small = asked(world, ("a", 500, 0), ("a", 900, 0), ("a", 400, 0))
        await turn()
        assert small not in world.out
        large.cancel()
        await turn()
        assert small in world.out

    in_world(plan(node("a"), budget=Budget(max_tokens=1000)), scenario)


def test_an_answer_costs_few_looks_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    over = BudgetPurse._over
    monkeypatch.setattr(BudgetPurse, "_over", lambda *args, **more: looks.append(1) or over(*args, **more))

    async def scenario(world: World) -> None:
        calls = asked(world, *[("a", 400 + number % 7, 0) for number in range(500)])
        await turn()
        assert list(world.out) == calls[:2]
        for number in range(20):
            looks.clear()
            world.answer(calls[number], 0, 0)
            await turn()
            assert list(world.out) == calls[number + 1 : number + 3]
            assert len(looks) < 10

    in_world(plan(node("a"), budget=Budget(max_tokens=1000)), scenario)


def test_a_call_that_waits_no_more_is_forgotten_also_while_others_always_wait() -> None:
    """Calls that grow, as those of talks with tools do, were never the largest once they were out."""
    forgotten: list[weakref.ref[Any]] = []

    async def scenario() -> None:
        lanes, scopes = Lanes(), Scopes(plan(node("a"), budget=Budget(max_tokens=10**9)), Run()).of("a")
        before = None
        for size in range(2000):

            def take() -> str:
                return ""

            forgotten.append(weakref.ref(take))
            waiting = lanes.add(scopes, SetAside(size, size), take)
            if before is not None:
                before.go.set_result("")
            before = waiting
            assert [list(lane.largest()) for lane in lanes.all()] == [[waiting] * 2]
        assert sum(one() is not None for one in forgotten) < 200

    asyncio.run(scenario())


def test_those_that_can_not_fit_any_more_are_told_at_once_behind_others_that_still_wait() -> None:
    async def scenario(world: World) -> None:
        first, *_ = asked(world, ("a", 900, 0), ("a", 300, 0), ("a", 700, 0), ("a", 200, cents(80)), ("a", 100, 0))
        await turn()
        world.answer(first, 400, cents(30))
        await turn()
        assert [out.tokens for out in world.out.values()] == [300, 100]

    faults = in_world(plan(node("a"), budget=Budget(max_tokens=1000, max_cost=cents(100))), scenario).faults
    assert [fault.kind for fault in faults] == [ErrorKind.BUDGET] * 2
    assert sorted(fault.message.split(", and the call may use ")[1][:5] for fault in faults) == ["$0.80", "700: "]


def test_an_unknown_price_is_refused_under_max_cost_unless_the_budget_allows_it() -> None:
    async def scenario(world: World) -> None:
        asked(world, ("a", 10, None), ("b", 10, None))
        await turn()

    refusing = in_world(plan(node("a", Budget(max_cost=cents(1))), node("b")), scenario)
    (fault,) = refusing.faults
    assert fault.kind is ErrorKind.REFUSED
    assert "node a may cost $0.01 at most, and the price of model m of provider fake is not known" in fault.message
    assert "`budget: {unknown_cost: allow}`" in fault.message
    assert in_world(plan(node("a", Budget(max_cost=cents(1), unknown_cost=True)), node("b")), scenario).faults == []
    assert in_world(plan(node("a", Budget(max_tokens=100)), node("b")), scenario).faults == []


def test_v1_what_was_out_at_a_kill_counts_whole_after_the_resume() -> None:
    async def scenario(world: World) -> None:
        asked(world, ("a", 600, 0))
        await turn()
        await world.kill(9)
        assert world.ledger.total.tokens == 600
        assert world.ledger.open == {}
        asked(world, ("b", 600, 0))
        await turn()

    (fault,) = in_world(plan(node("a"), node("b"), budget=Budget(max_tokens=1000)), scenario).faults
    assert "has 400 of 1,000 tokens left after 1 call (1 of them counted at their bound" in fault.message


def test_a_service_that_took_more_than_was_set_aside_is_counted_as_it_says() -> None:
    async def scenario(world: World) -> None:
        (first,) = asked(world, ("a", 600, 0))
        await turn()
        world.answer(first, 5000, cents(3))
        await turn()
        assert (world.ledger.total.tokens, world.ledger.total.cost) == (5000, cents(3))
        asked(world, ("a", 1, 0))
        await turn()

    (fault,) = in_world(plan(node("a"), budget=Budget(max_tokens=1000)), scenario).faults
    assert "has 0 of 1,000 tokens left" in fault.message


def test_calls_that_set_aside_at_the_same_time_share_one_commit_and_those_without_budget_need_none() -> None:
    async def scenario(world: World) -> None:
        asked(world, *[("a", 1, 0)] * 100)
        await turn()
        assert len(world.out) == 100

    assert in_world(plan(node("a"), budget=Budget(max_tokens=1000)), scenario).journal.commits == 1
    unbounded = plan(node("a"))

    async def unbound(world: World) -> None:
        world.journal.durable = 1000  # nobody waits for the disk
        asked(world, *[("a", 1, 0)] * 100)
        await turn()
        assert len(world.out) == 100

    assert in_world(unbounded, unbound).journal.commits == 0


def test_a_log_that_can_not_be_written_lets_nothing_out() -> None:
    async def scenario(world: World) -> None:
        def commit() -> None:
            raise StorageError("the disk is full")

        world.journal.commit = commit  # type: ignore[method-assign]
        (task,) = asked(world, ("a", 1, 0))
        await turn()
        assert isinstance(task.exception(), StorageError)
        assert world.out == {}

    in_world(plan(node("a"), budget=Budget(max_tokens=1000)), scenario)


@pytest.mark.parametrize("name", ["deploy.ask", "many[eu].ask", "many[a].b].ask", "many[eu].ask[7]"])
def test_nested_budgets_all_apply(name: str) -> None:
    inner = plan(node("ask", Budget(max_tokens=100)), budget=Budget(max_tokens=150))._replace(path="inner.yml")
    outer = plan(
        node("deploy", Budget(max_tokens=120), "inner.yml"),
        node("many", Budget(max_tokens=120), "inner.yml"),
        budget=Budget(max_tokens=1000),
        subplans={"inner.yml": inner},
    )
    run = Run(items={"many": {"eu": NodeState(), "a].b": NodeState()}})
    titles = [scope.title for scope in Scopes(outer, run).of(name)]
    node_id, _, _ = name.rpartition(".ask")
    assert titles == [
        "the run",
        f"node {node_id.partition('[')[0]}",
        f"sub-pipeline {node_id}",
        f"node {node_id}.ask",
    ]


def test_a_slow_disk_holds_up_no_loop_and_takes_many_calls_at_once() -> None:
    class SlowJournal(MemoryJournal):
        def commit(self) -> None:
            time.sleep(0.3)
            super().commit()

    async def scenario() -> None:
        run = Run(id="r")
        journal = SlowJournal()
        stream = EventStream(run, journal, [], FakeClock())
        purse = BudgetPurse(plan(node("a"), budget=Budget(max_tokens=1000)), run, journal)

        async def ask() -> None:
            attempt = Attempt("r", "a", 1, "llm", {}, {}, "/", "k")
            await purse.reserve(attempt, "fake", "m", Most(1, 0.0), stream.for_attempt(attempt))

        calls = [asyncio.ensure_future(ask()) for _ in range(50)]
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        assert time.perf_counter() - began < 0.3, "the loop goes on while the disk works"
        calls += [asyncio.ensure_future(ask()) for _ in range(50)]
        await asyncio.gather(*calls)
        assert journal.commits <= 3
        await purse.close()

    asyncio.run(scenario())
