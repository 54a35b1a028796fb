"""Repeated nodes: their time, and what `fail_fast` means for items that wait."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.errors import UsageError


def test_max_time_of_a_repeated_node_counts_from_its_first_attempt(project: Any) -> None:
    done = project.run(
        "concurrency: 1\nnodes:\n  a: {run: sleep 1}\n  z: {needs: a, run: echo}\n"
        "  b: {for_each: {items: [1, 2]}, max_time: 900ms, run: echo}\n  c: {max_time: 900ms, run: echo}\n"
    )
    assert set(map(str, done.statuses.values())) == {"succeeded"}


def test_a_repeated_node_that_ran_out_of_time_says_so(project: Any) -> None:
    done = project.run(
        "nodes: {b: {for_each: {items: [1, 2, 3, 4], max_parallel: 2}, max_time: 300ms, run: sleep 9}}\n"
    )
    error = done.node("b").error or {}
    assert error["kind"] == "timeout"
    assert "its max_time of 0.3 s was over before all had started" in error["message"]


def test_fail_fast_of_a_list_cancels_items_that_wait_for_another_attempt(project: Any) -> None:
    done = project.run(
        "nodes:\n  b:\n    for_each: {items: [3, 5], fail_fast: true}\n"
        "    retry: {max_attempts: 3, delay: 2s, backoff: constant, on: ['exit:5']}\n"
        "    run: if test {{ item }} = 3; then sleep 0.5; fi; exit {{ item }}\n"
    )
    assert [e.node for e in done.events if e.event == "node.started"] == ["b", "b[0]", "b[1]"]
    assert {key: str(item.status) for key, item in done.run.items["b"].items()} == {"0": "failed", "1": "cancelled"}
    reasons = [e.data.get("reason") for e in done.events if e.node == "b[1]" and e.event == "node.cancelled"]
    assert reasons == ["fail_fast: another item failed while it waited for another attempt"]


@pytest.mark.parametrize("cut", [False, True])
def test_a_node_that_was_settled_already_is_told_of_as_such(project: Any, trying: Any, cut: bool) -> None:
    trying.bad = {"x"}
    project.run("nodes: {d: {effect: once, agent: fake, with: {n: x}}}\n")
    if cut:
        log = project.root / ".pipe" / "runs" / "r" / "log.jsonl"
        lines = log.read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join(lines[: next(n for n, one in enumerate(lines) if b"node.failed" in one)]))
    decide(project.root / ".pipe", "r", "d", Decision("again", "me"))
    with pytest.raises(UsageError, match=r"d was settled already \(may run again\), by me"):
        decide(project.root / ".pipe", "r", "d", Decision("again", "me"))


def test_a_stop_before_a_phase_in_which_all_waits_for_a_person_ends_what_waits(project: Any) -> None:
    project.run("nodes: {w: {agent: approval, with: {message: ok?}}, x: {needs: w, run: echo}}\n")
    active = project.open()
    active.stop("somebody")
    done = project.finished(active, anyio.run(active.perform))
    assert (done.status, done.statuses) == ("cancelled", {"w": "cancelled", "x": "cancelled"})


def test_what_failed_is_named_shortly_however_much_it_is(project: Any, trying: Any) -> None:
    trying.bad = {"f"}
    nodes = "".join(f"  f{n}: {{agent: fake, with: {{n: f}}}}\n" for n in range(30))
    needs = ", ".join(f"f{n}" for n in range(30))
    done = project.run(f"nodes:\n{nodes}  a: {{needs: [{needs}], run: echo}}\n  b: {{needs: a, run: echo}}\n")
    events = [e for e in done.events if e.event == "node.blocked"]
    assert [(e.node, len(e.data["by"]), e.data["more"]) for e in events] == [("a", 20, 10), ("b", 20, 10)]
    assert done.node("b").more == 10
    json.dumps([e.data for e in events])
