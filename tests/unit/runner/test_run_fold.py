"""The fold: one state for the process that runs and for everyone who reads its log, however the events come to them."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.deciding import undecided
from pipe_runner.ports import Event
from pipe_runner.run import Run, fold
from pipe_runner.runlog import LogWriter, RunDir, fold_log, read_log, repair
from pipe_runner.types import FINAL_NODE_STATUSES, Durability, EventKind, NodeStatus, RunStatus

NODES = ("a", "b", "c")
ERROR = {"kind": "exit", "message": "exit 1", "exit_code": 1}
Told = tuple[EventKind | str, str | None, int | None, dict[str, Any]]


def stamp(seq: int) -> str:
    return f"2026-11-24T00:32:15.{seq:06}Z"


def numbered(told: list[Told], run: str = "r1") -> list[Event]:
    return [Event(seq, stamp(seq), run, *event) for seq, event in enumerate(told, 1)]


@st.composite
def one_node(draw: st.DrawFn, node: str, after: int) -> list[Told]:
    """All that may be said of one node between two starts of its run; `after` attempts that it had before."""
    kind = draw(st.sampled_from(["nothing", "skipped", "blocked", "cancelled", "waiting", "unknown", "cached", "ran"]))
    if kind == "nothing":
        return []
    if kind != "ran":
        data = {
            "skipped": {"when": "inputs.x > 1", "values": {"inputs.x": 1}, "by": []},
            "blocked": {"by": ["a"]},
            "cached": {"output": draw(st.integers())},
        }
        return [(f"node.{kind}", node, None, data.get(kind, {}))]
    told: list[Told] = []
    attempts = draw(st.integers(1, 3))
    for number in range(after + 1, after + attempts + 1):
        told.append((EventKind.NODE_STARTED, node, number, {}))
        told.append((EventKind.NODE_OUTPUT, node, number, {"stream": "stdout", "text": "x"}))
        if number < after + attempts:
            told.append((EventKind.NODE_RETRYING, node, number, {"error": ERROR, "delay_s": 1.0, "duration_s": 0.5}))
    end = draw(st.sampled_from(["nothing", "succeeded", "failed", "tolerated", "cancelled"]))
    number = after + attempts
    if end == "succeeded":
        told.append((EventKind.NODE_SUCCEEDED, node, number, {"output": draw(st.text()), "duration_s": 0.25}))
    elif end == "cancelled":
        told.append((EventKind.NODE_CANCELLED, node, number, {"duration_s": 0.25}))
    elif end != "nothing":
        failed = {"error": ERROR, "tolerated": end == "tolerated", "output": "partial", "duration_s": 0.25}
        told.append((EventKind.NODE_FAILED, node, number, failed))
    return told


@st.composite
def runs(draw: st.DrawFn) -> list[Event]:
    """Runs as an engine may tell them: started, perhaps resumed, perhaps finished, cut anywhere."""
    attempts = dict.fromkeys(NODES, 0)
    opening: Told = (EventKind.RUN_STARTED, None, None, {"pipeline": "p", "nodes": {node: node * 8 for node in NODES}})
    told = [opening]
    for again in range(draw(st.integers(0, 2)) + 1):
        if again:
            told.append(
                (EventKind.RUN_RESUMED, None, None, {"rerun": draw(st.lists(st.sampled_from(NODES), unique=True))})
            )
        queues = [draw(one_node(node, attempts[node])) for node in NODES]
        for node, queue in zip(NODES, queues, strict=True):
            attempts[node] += sum(1 for event in queue if event[0] == EventKind.NODE_STARTED)
        while any(queues):
            told.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
            if draw(st.integers(0, 9)) == 0:
                told.append(("node.teleported", "a", 1, {"status": "gone"}))
        if draw(st.booleans()):
            status = draw(st.sampled_from(["succeeded", "failed", "cancelled", "waiting"]))
            told.append(
                (EventKind.RUN_FINISHED, None, None, {"status": status, "outputs": {"x": 1}, "duration_s": 2.0})
            )
    events = numbered(told)
    return events[: draw(st.integers(0, len(events)))]


@given(runs(), st.data())
def test_a_run_folded_in_two_parts_is_the_run_folded_whole(events: list[Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    run = fold(events[:cut])
    for event in events[cut:]:
        run.apply(event)
    assert run == fold(events)


@given(runs(), st.data())
def test_d5_what_is_folded_from_a_log_cut_anywhere_is_what_was_folded_while_it_was_written(
    events: list[Event], data: st.DataObject
) -> None:
    with TemporaryDirectory() as state:
        rundir = RunDir.create(state, "r1")
        log = LogWriter.create(rundir, Durability.OS)
        told = Run()
        states = [copy.deepcopy(told)]
        for event in events:
            log.append(event)
            told.apply(event)
            states.append(copy.deepcopy(told))
        log.close()
        assert fold_log(rundir.log_path) == told
        path = Path(rundir.log_path)
        path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, path.stat().st_size))])
        cut = fold_log(rundir.log_path)
        assert cut == states[cut.seq] == repair(rundir).run == fold(read_log(rundir.log_path).events)


@given(runs())
def test_folding_changes_no_event(events: list[Event]) -> None:
    before = copy.deepcopy(events)
    fold(events)
    assert events == before


@given(runs())
def test_events_that_are_not_known_change_nothing_but_the_number(events: list[Event]) -> None:
    known = [event for event in events if event.event != "node.teleported"]
    run, without = fold(events), fold(known)
    without.seq = run.seq
    assert run == without


@given(runs())
def test_d3_every_attempt_that_was_started_is_counted_over_all_resumes(events: list[Event]) -> None:
    run = fold(events)
    for node in NODES:
        started = [event.attempt for event in events if event.event == EventKind.NODE_STARTED and event.node == node]
        assert started == list(range(1, len(started) + 1))
        if started:
            assert run.nodes[node].attempts == len(started)


@given(runs())
def test_d1_the_last_that_was_said_of_a_node_is_its_status_and_its_output(events: list[Event]) -> None:
    run = fold(events)
    for node in NODES if events else ():
        said = [event for event in events if event.node == node or event.event == EventKind.RUN_RESUMED]
        said = [event for event in said if event.node or node in event.data["rerun"]]
        last = next((e for e in reversed(said) if e.event in LAST_WORDS or e.event == EventKind.RUN_RESUMED), None)
        state = run.nodes[node]
        if last is None or last.event == EventKind.RUN_RESUMED:
            assert (state.status, state.output, state.error) == (NodeStatus.PENDING, None, None)
            continue
        assert state.status == LAST_WORDS[last.event]
        if state.status in FINAL_NODE_STATUSES:
            assert state.output == last.data.get("output")
            assert state.error == last.data.get("error")
            assert state.ended_at == last.ts


LAST_WORDS: dict[str, NodeStatus] = {
    EventKind.NODE_STARTED: NodeStatus.RUNNING,
    EventKind.NODE_RETRYING: NodeStatus.QUEUED,
    **{f"node.{s}": s for s in FINAL_NODE_STATUSES},
    EventKind.NODE_WAITING: NodeStatus.WAITING,
}


@given(runs())
def test_a_run_is_interrupted_until_it_says_that_it_ended(events: list[Event]) -> None:
    run = fold(events)
    last = next((e for e in reversed(events) if e.event.startswith("run.")), None)
    if last is None:
        assert run.status is RunStatus.PENDING
    elif last.event == EventKind.RUN_FINISHED:
        assert (run.status, run.finished_at, run.interrupted) == (RunStatus(last.data["status"]), last.ts, False)
    else:
        assert (run.status, run.finished_at, run.interrupted) == (RunStatus.RUNNING, None, True)
    assert run.attempt == sum(1 for e in events if e.event in (EventKind.RUN_STARTED, EventKind.RUN_RESUMED))


@given(runs())
def test_failures_are_those_that_the_file_does_not_tolerate(events: list[Event]) -> None:
    run = fold(events)
    assert run.failed == [
        n for n in run.nodes if run.nodes[n].status is NodeStatus.FAILED and not run.nodes[n].tolerated
    ]
    assert sum(run.count(status) for status in NodeStatus) == len(run.nodes)


def test_a_resume_knows_the_nodes_of_the_file_as_it_is_then() -> None:
    told: list[Told] = [
        (EventKind.RUN_STARTED, None, None, {"nodes": {"a": "1", "b": "2"}}),
        (EventKind.NODE_SUCCEEDED, "a", 1, {"output": 1}),
        (EventKind.NODE_SUCCEEDED, "b", 1, {"output": 2}),
        (EventKind.RUN_RESUMED, None, None, {"nodes": {"c": "3", "b": "4"}, "rerun": ["b"]}),
    ]
    run = fold(numbered(told))
    assert list(run.nodes) == ["c", "b"]
    assert run.digests == {"c": "3", "b": "4"}
    assert (run.nodes["b"].status, run.nodes["b"].output) == (NodeStatus.PENDING, None)


def test_every_event_of_a_node_that_ends_it_is_folded() -> None:
    assert set(LAST_WORDS) == {kind for kind in EventKind if kind.startswith("node.")} - {EventKind.NODE_OUTPUT}


def test_d10_an_attempt_that_acts_once_is_known_by_its_log_until_somebody_decides() -> None:
    told: list[Told] = [
        (EventKind.RUN_STARTED, None, None, {"nodes": {"a": "1", "b": "2"}}),
        (EventKind.NODE_STARTED, "a", 1, {"effect": "once"}),
    ]
    assert undecided(fold(numbered(told))) == ["a"]
    failed: Told = (EventKind.NODE_FAILED, "a", 1, {"error": ERROR})
    assert undecided(fold(numbered([*told, failed]))) == ["a"]
    unknown: Told = (EventKind.NODE_UNKNOWN, "a", 1, {"error": ERROR})
    run = fold(numbered([*told, failed, unknown]))
    assert (undecided(run), run.nodes["a"].error) == (["a"], ERROR)
    again: Told = (EventKind.NODE_RETRYING, "a", 1, {"error": ERROR, "decided": {"by": "ada"}})
    done: Told = (EventKind.NODE_SUCCEEDED, "a", 1, {"output": 1, "decided": {"by": "ada"}})
    for decision in (again, done):
        assert undecided(fold(numbered([*told, failed, unknown, decision]))) == []
    restarted: Told = (EventKind.RUN_RESUMED, None, None, {"rerun": ["a"]})
    anew = numbered([*told, failed, unknown, again, restarted, (EventKind.NODE_STARTED, "a", 2, {"effect": "once"})])
    assert undecided(fold(anew)) == ["a"]


def test_an_item_that_acts_once_is_undecided_as_long_as_its_node_is_not_done() -> None:
    told: list[Told] = [
        (EventKind.RUN_STARTED, None, None, {"nodes": {"n": "1"}}),
        (EventKind.NODE_STARTED, "n", 1, {"items": 2}),
        (EventKind.NODE_STARTED, "n[a]", 1, {"item": "x", "effect": "once"}),
        (EventKind.NODE_STARTED, "n[b]", 1, {"item": "y", "effect": "once"}),
        (EventKind.NODE_SUCCEEDED, "n[a]", 1, {"output": 1}),
    ]
    assert undecided(fold(numbered(told))) == ["n[b]"]
    assert undecided(fold(numbered([*told, (EventKind.NODE_SUCCEEDED, "n", 1, {"output": []})]))) == []


def test_what_waits_says_what_it_asks() -> None:
    told: list[Told] = [
        (EventKind.RUN_STARTED, None, None, {"nodes": {"a": "1"}}),
        (EventKind.NODE_STARTED, "a", 1, {}),
        (EventKind.NODE_WAITING, "a", 1, {"message": "Go?", "tolerated": True}),
    ]
    run = fold(numbered(told))
    assert (run.nodes["a"].message, undecided(run), run.failed) == ("Go?", ["a"], [])


class _Unlisted(dict[str, Any]):
    """Nobody looks through all of it."""

    def items(self) -> Any:
        raise AssertionError("all nodes of the run were looked at")

    __iter__ = items


def test_an_instance_that_begins_anew_costs_no_look_at_those_of_all_others() -> None:
    at = "2026-11-28T00:00:00.000000Z"
    run = Run()
    events: list[tuple[EventKind, str | None, dict[str, Any]]] = [
        (EventKind.RUN_STARTED, None, {"nodes": {"work": "d"}}),
        (EventKind.NODE_STARTED, "work", {"items": 2}),
    ]
    begun = {"item": "1", "pipeline": "sub.yml", "given": "g", "inside": ["b"]}
    for key in ("0", "1"):
        events.append((EventKind.NODE_STARTED, f"work[{key}]", begun))
        events.append((EventKind.NODE_STARTED, f"work[{key}].b", {"items": 1}))
        events.append((EventKind.NODE_STARTED, f"work[{key}].b[x]", {"item": "2"}))
        events.append((EventKind.NODE_SUCCEEDED, f"work[{key}].b[x]", {"output": 1}))
    for seq, (kind, node, data) in enumerate(events, 1):
        run.apply(Event(seq, at, "r", kind, node, 1 if node else None, data))
    run.nodes, run.items = _Unlisted(run.nodes), _Unlisted(run.items)
    again = {**begun, "given": "h", "anew": ["work[1].b"], "inside": []}
    run.apply(Event(len(events) + 1, at, "r", EventKind.NODE_STARTED, "work[1]", 2, again))
    assert run.known("work[1].b[x]").status is NodeStatus.PENDING
    assert run.known("work[0].b[x]").status is NodeStatus.SUCCEEDED
    run.nodes, run.items = dict(dict.items(run.nodes)), dict(dict.items(run.items))
    run.apply(Event(len(events) + 2, at, "r", EventKind.RUN_RESUMED, None, None, {"anew": ["work"], "rerun": ["work"]}))
    assert run.known("work[0].b[x]").status is NodeStatus.PENDING
