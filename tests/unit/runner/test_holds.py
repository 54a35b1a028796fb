"""Nodes that wait for a person within a run: what stays open with them, and what goes on."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_runner.run import fold
from pipe_runner.testing import FinishedRun, run_pipeline
from pipe_runner.types import EventKind

ASK = "{agent: approval, with: {message: Go?}"


def told(nodes: str, **agents: Any) -> FinishedRun:
    done = run_pipeline(f"version: 1\nconcurrency: 1\n{nodes}", agents={"say": lambda options: 1, **agents})
    assert fold(done.events) == done.run
    return done


def test_what_waits_keeps_its_dependents_open_and_nothing_else() -> None:
    done = told(
        f"nodes:\n  a: {ASK}}}\n  b: {{agent: say, needs: [a]}}\n  c: {{agent: say, needs: [b, x]}}\n"
        "  x: {agent: say}\n  y: {agent: say, needs: [x]}\nfinally: {z: {agent: say}}\n"
    )
    assert done.status == "waiting"
    waits = {"a": "waiting", "b": "pending", "c": "pending", "x": "succeeded", "y": "succeeded", "z": "pending"}
    assert done.statuses == waits


def test_two_that_wait_share_a_dependent() -> None:
    done = told(
        f"nodes:\n  a: {ASK}}}\n  b: {ASK}}}\n  c: {{agent: say, needs: [a, b]}}\n  d: {{agent: say, needs: [c]}}\n"
    )
    assert done.statuses == {"a": "waiting", "b": "waiting", "c": "pending", "d": "pending"}


def test_one_that_asks_after_another_waits_for_it() -> None:
    done = told(f"nodes:\n  a: {ASK}}}\n  b: {ASK}, needs: [a]}}\n")
    assert done.statuses == {"a": "waiting", "b": "pending"}


def test_a_failure_elsewhere_leaves_the_run_waiting_and_handlers_too() -> None:
    done = told(f"nodes:\n  a: {ASK}}}\n  b: {{run: exit 1}}\non_failure: {{c: {{agent: say}}}}\n")
    assert (done.status, done.statuses) == ("waiting", {"a": "waiting", "b": "failed", "c": "pending"})


def test_a_stop_cancels_what_waits() -> None:
    rest = "  b: {agent: say, needs: [a]}\n  x: {run: sleep 0.2; exit 1}\n"
    done = told(f"fail_fast: true\nnodes:\n  a: {ASK}}}\n{rest}")
    assert (done.status, done.statuses) == ("failed", {"a": "cancelled", "b": "cancelled", "x": "failed"})
    (cancelled,) = [e for e in done.events if e.node == "a" and e.event == EventKind.NODE_CANCELLED]
    assert "while it waited for a person" in cancelled.data["reason"]


def test_the_run_s_time_ends_what_waits() -> None:
    done = told(f"budget: {{max_time: 300ms}}\nnodes:\n  a: {ASK}}}\n  x: {{run: sleep 5}}\n")
    assert (done.status, done.statuses["a"]) == ("failed", "cancelled")


@pytest.mark.parametrize("effect", ["none", "idempotent"])
def test_only_what_acts_once_says_so_in_the_log(effect: str) -> None:
    done = told(f"nodes:\n  a: {{agent: say, effect: once}}\n  b: {{agent: say, effect: {effect}}}\n")
    started = {e.node: dict(e.data) for e in done.events if e.event == EventKind.NODE_STARTED}
    assert started == {"a": {"effect": "once"}, "b": {}}


def test_a_question_shows_no_secret() -> None:
    done = run_pipeline(
        "version: 1\nsecrets: {TOKEN: {from: env}}\nnodes:\n  t: {run: 'echo $TOKEN', secrets: [TOKEN]}\n"
        "  a: {agent: approval, with: {message: 'Use {{ nodes.t.output }} and {{ inputs.x }}?'}}\n"
        "inputs: {x: {type: string}}\n",
        environ={"TOKEN": "very-secret-value"},
        inputs={"x": "very"},
    )
    assert done.node("a").message == "Use *** and very?"
