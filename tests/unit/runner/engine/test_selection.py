"""Which nodes a run or a resume performs, and why."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_runner.engine.selection import select
from pipe_runner.errors import UsageError
from pipe_runner.plan import Plan, PlannedNode, Value
from pipe_runner.reruns import reasons_to_rerun
from pipe_runner.run import NodeState, Run
from pipe_runner.types import NodeStatus, Phase

S = NodeStatus


def plan(edges: dict[str, tuple[str, ...]], **phases: Phase) -> Plan:
    names = list(edges)
    depth: dict[str, int] = {}

    def chain(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((chain(n) for n in names if name in edges[n]), default=0)
        return depth[name]

    nodes = tuple(
        PlannedNode(
            id=name,
            index=i,
            phase=phases.get(name, Phase.NODES),
            agent="shell",
            options=Value({}),
            needs=tuple(names.index(n) for n in edges[name]),
            reads=(),
            digest=f"digest of {name}",
            line=1,
            column=1,
            priority=chain(name),
        )
        for i, name in enumerate(names)
    )
    return Plan(name="p", path="p.yml", root="/", digest="d", nodes=nodes)


def run_of(plan: Plan, **states: NodeStatus) -> Run:
    run = Run(id="r", digests={n.id: n.digest for n in plan.nodes})
    run.nodes = {n.id: NodeState(status=states.get(n.id, S.SUCCEEDED), attempts=1) for n in plan.nodes}
    return run


def reasons(plan: Plan, run: Run) -> dict[str, str]:
    return reasons_to_rerun(run, plan.nodes, plan)


CHAIN = {"a": (), "b": ("a",), "c": ("b",), "x": ()}


def changed(plan: Plan, name: str, **fields: Any) -> Plan:
    nodes = tuple(n._replace(digest="another", **fields) if n.id == name else n for n in plan.nodes)
    return plan._replace(nodes=nodes)


def test_d1_what_succeeded_is_not_run_again() -> None:
    p = plan(CHAIN)
    assert reasons(p, run_of(p)) == {}
    assert reasons(p, run_of(p, a=S.FAILED)) == {"a": "failed"}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (S.RUNNING, "interrupted"),
        (S.QUEUED, "interrupted"),
        (S.PENDING, "not started"),
        (S.FAILED, "failed"),
        (S.BLOCKED, "blocked"),
        (S.CANCELLED, "cancelled"),
    ],
)
def test_what_is_not_done_runs_again(status: NodeStatus, why: str) -> None:
    p = plan(CHAIN)
    assert reasons(p, run_of(p, c=status)) == {"c": why}


def test_d11_exactly_the_changed_nodes_and_what_depends_on_them() -> None:
    p = plan(CHAIN)
    found = reasons(changed(p, "b"), run_of(p))
    assert found == {"b": "changed", "c": "needs b, which changed"}
    assert list(found) == ["b", "c"]


def test_d11_a_new_node_runs_and_a_removed_one_is_forgotten() -> None:
    before = plan({"a": (), "gone": ()})
    after = plan({"a": (), "added": ("a",)})
    assert reasons(after, run_of(before)) == {"added": "new"}


def test_a_skipped_node_is_decided_again_only_when_a_need_runs_again() -> None:
    p = plan(CHAIN)
    assert reasons(p, run_of(p, b=S.SKIPPED, c=S.SKIPPED)) == {}
    found = reasons(p, run_of(p, a=S.FAILED, b=S.SKIPPED, c=S.SKIPPED))
    assert found == {"a": "failed", "b": "needs a, which runs again", "c": "needs b, which runs again"}


def test_handlers_run_again_when_the_run_goes_on_and_stay_done_when_it_does_not() -> None:
    p = plan({"a": (), "clean": ()}, clean=Phase.FINALLY)
    assert reasons(p, run_of(p)) == {}
    assert reasons(p, run_of(p, a=S.FAILED)) == {"a": "failed", "clean": "the run goes on"}
    assert reasons(p, run_of(p, clean=S.RUNNING)) == {"clean": "interrupted"}


def test_of_a_handler_that_ran_at_an_earlier_end_it_is_not_said_that_it_was_not_started() -> None:
    p = plan({"a": (), "clean": ()}, clean=Phase.FINALLY)
    run = run_of(p, clean=S.PENDING)
    run.nodes["clean"].attempts = 0
    assert reasons(p, run) == {"clean": "not started"}
    run.nodes["clean"].attempts = 1
    assert reasons(p, run) == {"clean": "the run goes on"}


def test_only_selects_what_is_needed_and_nothing_else() -> None:
    p = plan({"a": (), "b": ("a",), "c": ("b",), "x": (), "clean": ()}, clean=Phase.FINALLY)
    assert [n.id for n in select(p, ["b"])] == ["a", "b"]
    assert len(select(p, [])) == 5


def test_only_says_what_is_near_an_unknown_node() -> None:
    with pytest.raises(UsageError) as caught:
        select(plan({"build": ()}), ["bild"])
    assert "build" in (caught.value.hint or "")


def acted(run: Run, name: str, status: NodeStatus, **fields: Any) -> None:
    """The node's attempt began under `effect: once`, and came to this."""
    run.nodes[name] = NodeState(status=status, attempts=1, once=True, **fields)


@pytest.mark.parametrize("status", [S.RUNNING, S.FAILED, S.CANCELLED, S.UNKNOWN])
def test_d10_what_acts_once_and_did_not_succeed_is_left_to_a_person_also_where_it_changed(status: NodeStatus) -> None:
    p = plan(CHAIN)
    run = run_of(p, b=S.BLOCKED, c=S.PENDING)
    acted(run, "a", status)
    assert reasons(p, run) == {"b": "blocked", "c": "not started"}
    assert "a" not in reasons_to_rerun(run, changed(p, "a").nodes, changed(p, "a"))


def test_d10_what_a_person_said_may_run_again_runs_again() -> None:
    p = plan(CHAIN)
    run = run_of(p)
    run.nodes["a"] = NodeState(status=S.QUEUED, attempts=1, decided={"by": "ada"})
    assert reasons(p, run) == {"a": "settled: it is to run again"}


def test_a_refusal_and_what_waits_for_a_person_stand_until_they_change() -> None:
    p = plan({"a": (), "b": (), "clean": ()}, clean=Phase.FINALLY)
    run = run_of(p, b=S.WAITING)
    run.nodes["a"] = NodeState(status=S.FAILED, attempts=1, decided={"by": "ada"})
    assert reasons(p, run) == {"clean": "the run goes on"}
    assert reasons_to_rerun(run, changed(p, "b").nodes, changed(p, "b"))["b"] == "changed"
    assert reasons_to_rerun(run, changed(p, "a").nodes, changed(p, "a"))["a"] == "changed"


def test_a_handler_that_acted_once_is_not_run_again() -> None:
    p = plan({"a": (), "tell": (), "clean": ()}, tell=Phase.FINALLY, clean=Phase.FINALLY)
    run = run_of(p, a=S.FAILED)
    acted(run, "tell", S.SUCCEEDED)
    assert reasons(p, run) == {"a": "failed", "clean": "the run goes on"}


def test_a_failure_that_is_tolerated_asks_nobody() -> None:
    p = plan(CHAIN)
    run = run_of(p, x=S.FAILED)
    acted(run, "a", S.FAILED, tolerated=True)
    assert reasons(p, run) == {"x": "failed"}


@pytest.mark.parametrize(
    ("status", "why"),
    [(S.PENDING, "not started"), (S.CANCELLED, "cancelled"), (S.BLOCKED, "blocked"), (S.SKIPPED, "the run goes on")],
)
def test_of_a_handler_that_never_ran_is_not_said_that_the_run_goes_on(status: NodeStatus, why: str) -> None:
    p = plan({"a": (), "clean": ()}, clean=Phase.FINALLY)
    run = run_of(p, a=S.RUNNING, clean=status)
    run.nodes["clean"].attempts = 0
    assert reasons(p, run) == {"a": "interrupted", "clean": why}


def test_a_handler_that_is_new_is_said_to_be() -> None:
    p = plan({"a": (), "clean": ()}, clean=Phase.FINALLY)
    run = run_of(p, a=S.RUNNING)
    del run.nodes["clean"], run.digests["clean"]
    assert reasons(p, run) == {"a": "interrupted", "clean": "new"}
