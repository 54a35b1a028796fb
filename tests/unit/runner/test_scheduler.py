"""The scheduler, with a fake executor and a clock that takes no time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.engine.stream import EventStream
from pipe_runner.errors import StorageError
from pipe_runner.expressions.compile import compile_condition
from pipe_runner.plan import Plan, PlannedNode, RetryPolicy, Value
from pipe_runner.ports import Attempt, Event, Outcome
from pipe_runner.run import Run, fold
from pipe_runner.scheduler import Scheduler
from pipe_runner.scope import Scope
from pipe_runner.stops import Stop
from pipe_runner.testing import FakeClock, FakeExecutor, MemoryJournal, failed, succeeded
from pipe_runner.types import ErrorKind, EventKind, NodeStatus, Phase, RunOn

S = NodeStatus


def node(name: str, index: int, needs: tuple[int, ...] = (), **more: Any) -> PlannedNode:
    return PlannedNode(
        id=name,
        index=index,
        phase=Phase.NODES,
        agent="fake",
        options=Value({}),
        needs=needs,
        reads=(),
        digest=name,
        line=1,
        column=1,
        **more,
    )


def graph(edges: Mapping[str, tuple[str, ...]], **more: Mapping[str, Any]) -> tuple[PlannedNode, ...]:
    """`graph({"a": (), "b": ("a",)}, b={"run_on": …})`."""
    names = list(edges)
    return tuple(
        node(name, i, tuple(sorted(names.index(need) for need in edges[name])), **more.get(name, {}))
        for i, name in enumerate(names)
    )


class Bench:
    """A scheduler with everything fake around it."""

    def __init__(
        self, nodes: tuple[PlannedNode, ...], script: Callable[[Attempt], Any] | None = None, **plan: Any
    ) -> None:
        self.plan = Plan(name="p", path="p.yml", root="/", digest="d", nodes=nodes, **plan)
        self.run = Run(id="r")
        self.journal = MemoryJournal()
        self.clock = FakeClock()
        self.executor = FakeExecutor(script or (lambda attempt: succeeded()))
        self.stream = EventStream(self.run, self.journal, (), self.clock)
        self.stream.emit(EventKind.RUN_STARTED, data={"nodes": {n.id: n.digest for n in nodes}})
        self.scheduler: Scheduler | None = None

    def go(self, concurrency: int = 4, during: Callable[[Scheduler], Any] | None = None) -> dict[str, str]:
        async def main() -> None:
            self.scheduler = scheduler = Scheduler(
                self.plan,
                self.run,
                emit=self.stream.emit,
                store_output=lambda output: {"output": output},
                attempt_emit=self.stream.for_attempt,
                journal=self.journal,
                executor=self.executor,
                keeper=lambda: pytest.fail("no node has a cache"),
                scope=Scope(self.plan, self.run, lambda ref: None, random.Random(1).getrandbits),
                clock=self.clock,
                concurrency=concurrency,
                grace=1.0,
                random=lambda: 0.0,
            )
            if during is not None:
                asyncio.get_running_loop().call_soon(during, scheduler)
            with anyio.fail_after(20):
                await scheduler.perform(self.plan.nodes)

        anyio.run(main)
        assert fold(self.journal.events) == self.run
        return {name: str(state.status) for name, state in self.run.nodes.items()}

    def events(self, name: str) -> list[str]:
        return [e.event for e in self.journal.events if e.node == name]


def outcomes(**by_node: Outcome) -> Callable[[Attempt], Outcome]:
    return lambda attempt: by_node.get(attempt.node, succeeded(attempt.node))


def test_a_node_starts_only_after_its_needs() -> None:
    bench = Bench(graph({"c": ("a", "b"), "a": (), "b": ("a",)}))
    assert set(bench.go().values()) == {"succeeded"}
    assert bench.executor.order == ["a", "b", "c"]


def test_events_and_attempts_have_all_their_fields() -> None:
    bench = Bench(graph({"a": ()}))
    bench.go()
    (attempt,) = bench.executor.attempts
    assert Attempt(*attempt) == attempt, "made without a call of the class: each field must be given"
    assert len(attempt) == len(Attempt._fields)
    assert all(len(event) == len(Event._fields) for event in bench.journal.events)


def test_the_critical_path_goes_first() -> None:
    nodes = graph({"leaf": (), "long": (), "mid": ("long",)}, long={"priority": 2})
    bench = Bench(nodes)
    bench.go(concurrency=1)
    assert bench.executor.order[0] == "long"


def test_no_more_attempts_are_in_flight_than_allowed() -> None:
    async def slow(attempt: Attempt) -> Outcome:
        await anyio.lowlevel.checkpoint()
        return succeeded()

    bench = Bench(graph({f"n{i}": () for i in range(20)}), slow)
    bench.go(concurrency=3)
    assert bench.executor.most == 3
    assert len(bench.executor.attempts) == 20


def test_a_failure_blocks_dependents_and_names_the_root_while_other_branches_go_on() -> None:
    bench = Bench(graph({"a": (), "b": ("a",), "c": ("b",), "x": (), "y": ("x",)}), outcomes(a=failed()))
    assert bench.go() == {"a": "failed", "b": "blocked", "c": "blocked", "x": "succeeded", "y": "succeeded"}
    assert bench.run.nodes["c"].by == ("a",)
    assert bench.events("c") == ["node.blocked"]


def test_fail_fast_cancels_what_has_not_started() -> None:
    bench = Bench(graph({"a": (), "b": (), "c": ("b",)}), outcomes(a=failed()), fail_fast=True)
    assert bench.go(concurrency=1) == {"a": "failed", "b": "cancelled", "c": "cancelled"}


def test_continue_on_error_lets_dependents_run() -> None:
    nodes = graph({"a": (), "b": ("a",)}, a={"continue_on_error": True})
    bench = Bench(nodes, outcomes(a=failed()))
    assert bench.go() == {"a": "failed", "b": "succeeded"}
    assert bench.run.failed == []


def test_run_on_failure_and_always() -> None:
    edges = {"a": (), "clean": ("a",), "idle": ("b",), "b": (), "any": ("a", "b")}
    nodes = graph(edges, clean={"run_on": RunOn.FAILURE}, idle={"run_on": RunOn.FAILURE}, any={"run_on": RunOn.ALWAYS})
    found = Bench(nodes, outcomes(a=failed())).go()
    assert (found["clean"], found["idle"], found["any"]) == ("succeeded", "skipped", "succeeded")


def test_retries_wait_without_a_slot_and_only_the_last_output_counts() -> None:
    tries: list[int] = []

    def script(attempt: Attempt) -> Outcome:
        if attempt.node == "other":
            return succeeded()
        tries.append(attempt.number)
        return failed() if attempt.number < 3 else succeeded("third")

    nodes = graph({"a": (), "other": ()}, a={"retry": RetryPolicy(max_attempts=3, delay=1)})
    bench = Bench(nodes, script)
    bench.go(concurrency=1)
    assert tries == [1, 2, 3]
    assert bench.clock.sleeps == [1, 2]
    assert bench.executor.order[1] == "other"
    assert bench.run.nodes["a"].output == "third"
    assert bench.events("a") == ["node.started", "node.retrying"] * 2 + ["node.started", "node.succeeded"]


def test_max_time_bounds_all_attempts_and_waits() -> None:
    nodes = graph({"a": ()}, a={"retry": RetryPolicy(max_attempts=10, delay=4), "max_time": 10.0})
    bench = Bench(nodes, lambda attempt: failed())
    assert bench.go() == {"a": "failed"}
    assert sum(bench.clock.sleeps) < 10
    assert bench.executor.attempts[0].timeout == pytest.approx(10.0)


def test_every_attempt_of_a_node_carries_the_same_idempotency_key() -> None:
    nodes = graph({"a": (), "b": ()}, a={"retry": RetryPolicy(max_attempts=3)})
    bench = Bench(nodes, outcomes(a=failed()))
    bench.go()
    keys: dict[str, set[str]] = {}
    for attempt in bench.executor.attempts:
        keys.setdefault(attempt.node, set()).add(attempt.idempotency_key)
    assert len(keys["a"]) == 1
    assert keys["a"] != keys["b"]


def test_an_attempt_that_is_given_up_tells_how_long_it_took() -> None:
    def give_up(scheduler: Scheduler) -> None:
        if not bench.executor.attempts:
            asyncio.get_running_loop().call_soon(give_up, scheduler)
            return
        bench.clock.advance(2.5)
        scheduler.stop(Stop.CANCEL, kill=True)
        scheduler.abandon()

    async def hang(attempt: Attempt) -> Outcome:
        await asyncio.sleep(60)
        return succeeded()

    bench = Bench(graph({"a": ()}), hang)
    assert bench.go(during=give_up) == {"a": "cancelled"}
    assert bench.run.state("a").duration_s == 2.5


def test_cancel_starts_nothing_more_and_ends_what_runs() -> None:
    gate: list[asyncio.Event] = []

    async def hang(attempt: Attempt) -> Outcome:
        gate.append(asyncio.Event())
        await gate[-1].wait()
        return Outcome(S.CANCELLED)

    def stop(scheduler: Scheduler) -> None:
        if not gate:
            asyncio.get_running_loop().call_later(0.01, stop, scheduler)
            return
        scheduler.stop(Stop.CANCEL)
        gate[0].set()

    bench = Bench(graph({"a": (), "b": ("a",), "c": ()}), hang)
    assert bench.go(concurrency=1, during=stop) == {"a": "cancelled", "b": "cancelled", "c": "cancelled"}
    assert bench.executor.stops == [1.0]
    assert len(bench.executor.attempts) == 1


def test_a_run_timeout_fails_what_runs() -> None:
    gate: list[asyncio.Event] = []

    async def hang(attempt: Attempt) -> Outcome:
        gate.append(asyncio.Event())
        await gate[-1].wait()
        return Outcome(S.CANCELLED)

    def stop(scheduler: Scheduler) -> None:
        if not gate:
            asyncio.get_running_loop().call_later(0.01, stop, scheduler)
            return
        scheduler.stop(Stop.RUN_TIMEOUT)
        gate[0].set()

    bench = Bench(graph({"a": (), "b": ("a",)}), hang)
    assert bench.go(during=stop) == {"a": "failed", "b": "cancelled"}
    error = bench.run.nodes["a"].error
    assert error is not None
    assert error["kind"] == ErrorKind.RUN_TIMEOUT


def test_d2_no_dependent_starts_before_its_needs_success_is_durable() -> None:
    durable_at_start: dict[str, int] = {}
    bench = Bench(graph({f"n{i}": (f"n{i - 1}",) if i else () for i in range(30)}))

    def script(attempt: Attempt) -> Outcome:
        durable_at_start[attempt.node] = bench.journal.durable
        return succeeded()

    bench.executor.script = script
    bench.go()
    places = {e.node: i for i, e in enumerate(bench.journal.events) if e.event == EventKind.NODE_SUCCEEDED}
    for i in range(1, 30):
        assert places[f"n{i - 1}"] < durable_at_start[f"n{i}"]


def test_d2_ends_that_fall_together_share_one_commit() -> None:
    edges: dict[str, tuple[str, ...]] = {f"n{i}": () for i in range(100)}
    edges["last"] = tuple(edges)
    bench = Bench(graph(edges))
    bench.go(concurrency=100)
    assert bench.journal.commits < 10


def test_d7_attempts_that_were_killed_and_don_t_end_are_not_waited_for_where_the_log_is_full() -> None:
    bench = Bench(graph({"a": ()}), lambda attempt: anyio.sleep_forever())  # type: ignore[arg-type, return-value]
    bench.journal.fail_on = lambda event: StorageError("disk full") if event.event in ENDS else None
    with pytest.raises(StorageError, match="disk full"):
        bench.go(during=lambda scheduler: asyncio.get_running_loop().call_later(0.05, scheduler.abandon))


def test_d7_a_storage_error_stops_new_work() -> None:
    def fail_on(event: Event) -> Exception | None:
        return StorageError("disk full") if event.event == EventKind.NODE_SUCCEEDED else None

    bench = Bench(graph({f"n{i}": () for i in range(50)}))
    bench.journal.fail_on = fail_on
    with pytest.raises(StorageError):
        bench.go(concurrency=2)
    assert len(bench.executor.attempts) <= 4


def test_c3_a_wall_clock_that_jumps_changes_no_delay() -> None:
    def script(attempt: Attempt) -> Outcome:
        bench.clock.wall_ns -= 10**15
        return failed()

    nodes = graph({"a": ()}, a={"retry": RetryPolicy(max_attempts=3, delay=1), "max_time": 100.0})
    bench = Bench(nodes, script)
    bench.go()
    assert bench.clock.sleeps == [1, 2]
    assert (bench.run.nodes["a"].duration_s or 0) >= 0


@st.composite
def dags(draw: st.DrawFn) -> tuple[tuple[PlannedNode, ...], set[str]]:
    size = draw(st.integers(1, 12))
    edges: dict[str, tuple[str, ...]] = {}
    more: dict[str, dict[str, Any]] = {}
    for i in range(size):
        needs = draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set()
        edges[f"n{i}"] = tuple(f"n{k}" for k in needs)
        more[f"n{i}"] = {
            "run_on": draw(st.sampled_from(RunOn)),
            "continue_on_error": draw(st.booleans()),
            "retry": RetryPolicy(draw(st.integers(1, 3)), 0.1),
        }
    return graph(edges, **more), draw(st.sets(st.sampled_from(sorted(edges))))


@settings(deadline=None, max_examples=60)
@given(dags(), st.integers(1, 4))
def test_every_node_ends_exactly_once_and_no_attempt_is_lost(
    drawn: tuple[tuple[PlannedNode, ...], set[str]], concurrency: int
) -> None:
    nodes, bad = drawn
    bench = Bench(nodes, lambda attempt: failed() if attempt.node in bad else succeeded())
    bench.go(concurrency)
    ends = [e.node for e in bench.journal.events if e.event in ENDS]
    assert sorted(ends, key=str) == sorted(n.id for n in nodes)
    started = [e.node for e in bench.journal.events if e.event == EventKind.NODE_STARTED]
    assert sorted(started, key=str) == sorted(a.node for a in bench.executor.attempts)
    for planned in nodes:
        made = started.count(planned.id)
        assert made <= planned.retry.max_attempts


ENDS = {
    EventKind.NODE_SUCCEEDED,
    EventKind.NODE_FAILED,
    EventKind.NODE_SKIPPED,
    EventKind.NODE_BLOCKED,
    EventKind.NODE_CANCELLED,
}


@pytest.mark.parametrize(
    ("why", "ends", "kind"), [(Stop.CANCEL, "cancelled", "exit"), (Stop.RUN_TIMEOUT, "failed", "run_timeout")]
)
def test_a_node_that_waits_for_another_attempt_ends_as_its_run_does_and_tells_its_last_error(
    why: Stop, ends: str, kind: str
) -> None:
    def stop(scheduler: Scheduler) -> None:
        if not bench.clock.sleeps:
            asyncio.get_running_loop().call_soon(stop, scheduler)
            return
        scheduler.stop(why)

    nodes = graph({"a": ()}, a={"retry": RetryPolicy(max_attempts=5, delay=10)})
    bench = Bench(nodes, lambda attempt: failed())
    bench.clock.sleep = lambda seconds: (bench.clock.sleeps.append(seconds), anyio.sleep(60))[1]  # type: ignore[method-assign]
    assert bench.go(during=stop) == {"a": ends}
    state = bench.run.nodes["a"]
    assert state.error is not None
    assert state.error["kind"] == kind
    assert "failed on purpose" in state.error["message"]
    assert "waited" in bench.journal.events[-1].data.get("reason", state.error["message"])
    assert bench.journal.events[-1].attempt == 1


def test_run_on_failure_without_needs_is_skipped() -> None:
    assert Bench(graph({"a": ()}, a={"run_on": RunOn.FAILURE})).go() == {"a": "skipped"}


@pytest.mark.parametrize("run_on", [RunOn.SUCCESS, RunOn.ALWAYS])
@pytest.mark.parametrize("first", [True, False])
def test_d8_a_condition_that_can_not_be_evaluated_keeps_nobody_waiting(run_on: RunOn, first: bool) -> None:
    needs = {"a": {"when": compile_condition("nodes.z.output")[0].to_json(), "when_text": "…"}, "b": {"run_on": run_on}}
    nodes = graph({"a": () if first else ("z",), "b": ("a",), "z": ()}, **needs)
    statuses = Bench(nodes).go()
    assert statuses["a"] == "failed"
    assert statuses["b"] == ("succeeded" if run_on is RunOn.ALWAYS else "blocked")
