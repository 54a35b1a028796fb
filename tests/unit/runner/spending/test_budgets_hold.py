"""V1: whatever happens in whatever order, no budget is exceeded by what calls really cost."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runner.spending.conftest import World, cents, node, plan, turn

from pipe_runner.plan import Budget
from pipe_runner.run import fold
from pipe_runner.spent import Ledger

WHOLE = Budget(max_cost=cents(40), max_tokens=8_000)
OF_A = Budget(max_cost=cents(20), max_tokens=5_000)
BOUNDED = st.sampled_from([("max_cost",), ("max_tokens",), ("max_cost", "max_tokens")])


def bounded(budget: Budget, keys: tuple[str, ...]) -> Budget:
    """The budget with these of its bounds alone."""
    return Budget(**{key: getattr(budget, key) for key in keys})


ASK = st.tuples(st.just("ask"), st.sampled_from("aabcd"), st.integers(1000, 3000), st.integers(cents(4), cents(12)))
ASKS = st.one_of(ASK, ASK.map(lambda ask: (*ask[:2], 1, ask[3])), ASK.map(lambda ask: (*ask[:3], 0)))
BURST = st.tuples(st.just("burst"), st.lists(ASKS, min_size=2, max_size=8))
ANSWER = st.tuples(st.just("answer"), st.integers(0, 60), st.floats(0.5, 1), st.floats(0.5, 1))
STEPS = st.lists(
    st.one_of(
        BURST,
        ASKS,
        ANSWER,
        ANSWER,
        st.tuples(st.just("fail"), st.integers(0, 60), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 60)),
        st.tuples(st.just("kill"), st.integers(0, 5)),
        st.tuples(st.just("turn")),
        st.tuples(st.just("turn")),
        st.tuples(st.just("turn")),
        st.tuples(st.just("step")),
    ),
    min_size=20,
    max_size=120,
)


def holds(world: World) -> None:
    of_a = world.plan.nodes[0].budget
    for budget, name in ((world.plan.budget, ""), (of_a, "a")):
        assert budget is not None
        tokens, cost = world.paid.get(name, (0, 0))
        assert budget.max_tokens is None or tokens <= budget.max_tokens
        assert budget.max_cost is None or cost <= budget.max_cost
    tokens, cost = world.paid.get("", (0, 0))
    total = world.ledger.total
    assert total.all_tokens >= tokens
    assert total.all_cost >= cost
    for task in world.tasks:
        if task.done() and not task.cancelled():
            assert task.exception() is None
    told = fold(world.journal.events)
    assert (told.ledger or Ledger()) == world.ledger


async def perform(whole: Budget, of_a: Budget, steps: list[tuple[Any, ...]]) -> None:
    world = World(plan(node("a", of_a), node("b"), node("c"), node("d"), budget=whole))
    for kind, *how in steps:
        out = [task for task, call in world.out.items() if not call.end.done()]
        if kind == "ask":
            world.ask(*how)
        elif kind == "burst":
            for _, *call in how[0]:
                world.ask(*call)
        elif kind == "turn":
            await turn()
        elif kind == "step":  # between what is set aside and what goes out
            await asyncio.sleep(0)
        elif kind == "kill":
            await world.kill(how[0])
        elif kind == "cancel" and world.tasks:
            task = world.tasks[how[0] % len(world.tasks)]
            if task in out:
                world.pay(world.out[task].node, world.out[task].tokens, world.out[task].cost)
            if task in out or task not in world.out:
                task.cancel()
                await turn(2)
        elif out and kind == "answer":
            task = out[how[0] % len(out)]
            world.answer(task, int(world.out[task].tokens * how[1]), int(world.out[task].cost * how[2]))
        elif out and kind == "fail":
            world.break_off(out[how[0] % len(out)], free=how[1])
        holds(world)
    await turn()
    holds(world)
    for task in list(world.out):
        if not world.out[task].end.done():
            world.answer(task, 0, 0)
    await turn(20)
    while world.out:  # those that have waited for it
        for task in list(world.out):
            world.answer(task, 0, 0)
        await turn(20)
    assert all(task.done() for task in world.tasks), "a call waits, and nothing is out that could give some back"
    holds(world)
    await world.end()


@settings(max_examples=150, deadline=None)
@given(BOUNDED.map(lambda keys: bounded(WHOLE, keys)), BOUNDED.map(lambda keys: bounded(OF_A, keys)), STEPS)
def test_v1_no_budget_is_exceeded_in_any_order_of_calls_failures_cancels_kills_and_resumes(
    whole: Budget, of_a: Budget, steps: list[tuple[Any, ...]]
) -> None:
    asyncio.run(perform(whole, of_a, steps))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["answer", "free", "whole", "kill"])), min_size=60, max_size=60)
)
def test_v1_fifty_calls_at_once_with_retries_and_kills_stay_within_their_budget(ends: list[tuple[float, str]]) -> None:
    async def scenario() -> None:
        world = World(plan(node("a", OF_A), node("b"), node("c"), node("d"), budget=WHOLE))

        def fifty() -> None:
            for number in range(50):
                world.ask("abcd"[number % 4], 600, cents(4))

        fifty()
        for share, how in ends:
            await turn()
            holds(world)
            out = [task for task, call in world.out.items() if not call.end.done()]
            if how == "kill":
                await world.kill(0)
                fifty()
            elif out and how == "answer":
                world.answer(out[0], int(600 * share), int(cents(4) * share))
            elif out:
                world.break_off(out[0], free=how == "free")
                world.ask("abcd"[int(share * 3)], 600, cents(4))  # its next attempt
        await turn()
        holds(world)
        await world.end()

    asyncio.run(scenario())
