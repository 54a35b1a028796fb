"""What the states of its needs mean for a node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.run import NodeState
from pipe_runner.triggers import Action, decide
from pipe_runner.types import FINAL_NODE_STATUSES, NodeStatus, RunOn

S = NodeStatus


def state(status: NodeStatus, *, tolerated: bool = False, by: tuple[str, ...] = ()) -> NodeState:
    return NodeState(status=status, tolerated=tolerated, by=by)


@pytest.mark.parametrize(
    ("run_on", "statuses", "action"),
    [
        (RunOn.SUCCESS, [S.SUCCEEDED, S.CACHED], Action.RUN),
        (RunOn.SUCCESS, [S.SUCCEEDED, S.FAILED], Action.BLOCK),
        (RunOn.SUCCESS, [S.SKIPPED, S.FAILED], Action.BLOCK),
        (RunOn.SUCCESS, [S.SKIPPED, S.BLOCKED], Action.BLOCK),
        (RunOn.SUCCESS, [S.SUCCEEDED, S.SKIPPED], Action.SKIP),
        (RunOn.FAILURE, [S.SUCCEEDED], Action.SKIP),
        (RunOn.FAILURE, [S.SKIPPED], Action.SKIP),
        (RunOn.FAILURE, [S.SUCCEEDED, S.FAILED], Action.RUN),
        (RunOn.FAILURE, [S.BLOCKED], Action.RUN),
        (RunOn.ALWAYS, [S.SKIPPED, S.FAILED, S.BLOCKED], Action.RUN),
    ],
)
def test_needs_decide(run_on: RunOn, statuses: list[NodeStatus], action: Action) -> None:
    needs = [(f"n{i}", state(status)) for i, status in enumerate(statuses)]
    assert decide(run_on, needs).action is action


def test_a_tolerated_failure_lets_dependents_run() -> None:
    needs = [("a", state(S.FAILED, tolerated=True))]
    assert decide(RunOn.SUCCESS, needs).action is Action.RUN
    assert decide(RunOn.FAILURE, needs).action is Action.RUN


def test_by_names_root_causes_and_not_what_lies_between() -> None:
    needs = [
        ("mid", state(S.BLOCKED, by=("root",))),
        ("other", state(S.FAILED)),
        ("again", state(S.BLOCKED, by=("root",))),
    ]
    assert decide(RunOn.SUCCESS, needs).by == ("root", "other")


@pytest.mark.parametrize("status", [S.BLOCKED, S.SKIPPED])
def test_the_first_root_causes_are_named_and_the_others_counted(status: NodeStatus) -> None:
    first = [(f"f{n}", state(S.FAILED if status is S.BLOCKED else S.SKIPPED)) for n in range(400)]
    decision = decide(RunOn.SUCCESS, first)
    assert (decision.by, decision.more) == (tuple(f"f{n}" for n in range(20)), 380)
    assert decision.last_event()[1]["more"] == 380
    below = NodeState(status, by=decision.by, more=decision.more)
    assert decide(RunOn.SUCCESS, [("mid", below)])[1:] == decision[1:]
    both = decide(RunOn.SUCCESS, [("mid", below), *first[:30]])
    assert (both.by, both.more) == (decision.by, 380)
    few = decide(RunOn.SUCCESS, first[:20])
    assert (len(few.by), few.more) == (20, 0)
    assert "more" not in few.last_event()[1]


@given(st.lists(st.sampled_from(sorted(FINAL_NODE_STATUSES)), min_size=1, max_size=6), st.sampled_from(RunOn))
def test_a_node_never_runs_on_success_after_anything_but_success(statuses: list[NodeStatus], run_on: RunOn) -> None:
    needs = [(f"n{i}", state(status)) for i, status in enumerate(statuses)]
    decision = decide(run_on, needs)
    if run_on is RunOn.SUCCESS and decision.action is Action.RUN:
        assert set(statuses) <= {S.SUCCEEDED, S.CACHED}
    if decision.action is Action.BLOCK:
        assert decision.by
