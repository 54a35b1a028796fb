"""How what runs has ended when a scheduler is stopped."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.runner.test_scheduler import Bench, graph

from pipe_runner.ports import Attempt, Outcome
from pipe_runner.scheduler import Scheduler
from pipe_runner.stops import Stop
from pipe_runner.testing import failed, succeeded


@pytest.mark.parametrize("good", [True, False])
def test_what_runs_when_the_time_of_the_run_is_up_has_failed_also_where_it_ends_well_within_the_grace(
    good: bool,
) -> None:
    gate: list[asyncio.Event] = []

    async def hang(attempt: Attempt) -> Outcome:
        gate.append(asyncio.Event())
        await gate[-1].wait()
        return succeeded("late") if good else failed()

    def stop(scheduler: Scheduler) -> None:
        if not gate:
            asyncio.get_running_loop().call_later(0.01, stop, scheduler)
            return
        scheduler.stop(Stop.RUN_TIMEOUT)
        gate[0].set()

    bench = Bench(graph({"a": (), "b": ("a",)}), hang)
    assert bench.go(during=stop) == {"a": "failed", "b": "cancelled"}
    state = bench.run.nodes["a"]
    why = "the run's time was up before it had ended" if good else "the run's time was up, and then: failed on purpose"
    assert state.error == {"kind": "run_timeout", "message": why}
    assert state.output == ("late" if good else None)


def test_nothing_begins_any_more_once_a_scheduler_is_cancelled() -> None:
    begun: list[str] = []
    performs: list[asyncio.Task[object]] = []

    async def hang(attempt: Attempt) -> Outcome:
        begun.append(attempt.node)
        if len(begun) == 2:
            performs[0].cancel()
        await asyncio.Event().wait()
        return succeeded()

    def watch(scheduler: Scheduler) -> None:
        performs.extend(task for task in asyncio.all_tasks() if "main" in repr(task.get_coro()))

    bench = Bench(graph({f"n{number}": () for number in range(10)}), hang)
    with pytest.raises(asyncio.CancelledError):
        bench.go(concurrency=10, during=watch)
    assert len(begun) <= 3, begun
