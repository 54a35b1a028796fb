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

WHOLE = Budget(max_cost=cents(100), max_tokens=20_000)
OF_A = Budget(max_cost=cents(30), max_tokens=9_000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from("aabcd"), st.integers(1, 3000), st.integers(0, cents(12))),
        st.tuples(st.just("answer"), st.integers(0, 60), st.floats(0, 1), st.floats(0, 1)),
        st.tuples(st.just("fail"), st.integers(0, 60), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 60)),
        st.tuples(st.just("kill"), st.integers(0, 5)),
        st.tuples(st.just("turn")),
    ),
    max_size=120,
)


def holds(world: World) -> None:
    tokens, cost = world.paid.get("", (0, 0))
    assert (cost, tokens) <= (WHOLE.max_cost or 0, WHOLE.max_tokens or 0)
    assert tokens <= (WHOLE.max_tokens or 0)
    tokens_of_a, cost_of_a = world.paid.get("a", (0, 0))
    assert tokens_of_a <= (OF_A.max_tokens or 0)
    assert cost_of_a <= (OF_A.max_cost or 0)
    total = world.ledger.total
    assert total.all_tokens >= tokens
    assert total.all_cost >= cost
    told = fold(world.journal.events)
    assert (told.ledger or Ledger()) == world.ledger


async def perform(steps: list[tuple[Any, ...]]) -> None:
    world = World(plan(node("a", OF_A), node("b"), node("c"), node("d"), budget=WHOLE))
    for kind, *how in steps:
        out = [task for task, call in world.out.items() if not call.end.done()]
        if kind == "ask":
            world.ask(*how)
        elif kind == "turn":
            await turn()
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


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_v1_no_budget_is_exceeded_in_any_order_of_calls_failures_cancels_kills_and_resumes(
    steps: list[tuple[Any, ...]],
) -> None:
    asyncio.run(perform(steps))


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
