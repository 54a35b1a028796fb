"""What a console knows of a run, and how it is told in lines, live, and at the end."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.console import open_console, reads_commands
from pipe_runner.console.ending import ending, last_line, last_lines
from pipe_runner.console.jsonl import JsonlConsole, shown_line
from pipe_runner.console.live import picture
from pipe_runner.console.outlet import Outlet
from pipe_runner.console.plain import PlainConsole
from pipe_runner.console.progress import Progress
from pipe_runner.console.words import counts, reason_line, seconds
from pipe_runner.ports import Event
from pipe_runner.run import NodeState, Run, fold
from pipe_runner.runlog import LogWriter, RunDir
from pipe_runner.runlog.lines import decode_line, encode_line
from pipe_runner.types import Durability, EventKind, NodeStatus, RunStatus


class Told:
    """Makes numbered events of one run."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, kind: EventKind, node: str | None = None, attempt: int | None = None, **data: Any) -> Event:
        event = Event(len(self.events) + 1, "2026-01-02T03:04:05.000006Z", "r1", kind, node, attempt, data)
        self.events.append(event)
        return event


def a_failed_run() -> list[Event]:
    told = Told()
    told(
        EventKind.RUN_STARTED,
        pipeline="demo",
        path="demo.yml",
        root="/r",
        digest="d",
        inputs={},
        nodes=dict.fromkeys("abc", "x"),
    )
    told(EventKind.NODE_STARTED, "a", 1)
    told(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text="working\nhal")
    told(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text="f a line\n")
    told(EventKind.NODE_OUTPUT, "a", 1, stream="stderr", text="no such thing\n")
    told(
        EventKind.NODE_FAILED, "a", 1, error={"kind": "exit", "message": "exit code 3", "exit_code": 3}, duration_s=0.25
    )
    told(EventKind.NODE_BLOCKED, "b", by=["a"])
    told(EventKind.NODE_STARTED, "c", 1)
    told(EventKind.NODE_SUCCEEDED, "c", 1, output="fine", duration_s=1.5)
    told(EventKind.RUN_FINISHED, status="failed", outputs={}, duration_s=1.75)
    return told.events


def lines_of(events: list[Event], **options: Any) -> list[str]:
    stream = io.StringIO()
    console = PlainConsole(stream, **options)
    for event in events:
        console.accept(event)
    console.close()
    return stream.getvalue().splitlines()


def test_plain_lines_tell_the_run_first_and_then_each_change_once() -> None:
    assert lines_of(a_failed_run()) == [
        "run r1: demo, 3 nodes",
        "  failed     a (0.25s): exit code 3",
        "  blocked    b: by a",
        "  succeeded  c (1.50s)",
    ]


def test_verbose_puts_the_pieces_of_output_together_to_lines() -> None:
    lines = lines_of(a_failed_run(), verbose=True)
    assert "  a | working" in lines
    assert "  a | half a line" in lines
    assert "  a | no such thing" in lines


def test_output_without_a_line_end_is_told_when_its_node_ends() -> None:
    told = Told()
    told(EventKind.NODE_STARTED, "a", 1)
    told(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text="rest")
    told(EventKind.NODE_SUCCEEDED, "a", 1, duration_s=0.1)
    assert lines_of(told.events, verbose=True) == ["  a | rest", "  succeeded  a (0.10s)"]


def test_verbose_tells_of_messages_and_cuts_no_line_of_their_node() -> None:
    told = Told()
    told(EventKind.NODE_STARTED, "a", 1)
    told(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text="half ")
    told(EventKind.MESSAGE_PUBLISHED, "a", 1, topic="build.done", message={"at": "\x1b[2J"})
    told(EventKind.MESSAGE_PUBLISHED, "a", 1, topic="large", message_ref={"sha256": "0", "bytes": 70000})
    told(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text="a line\n")
    assert lines_of(told.events, verbose=True) == [
        '  message    a: build.done {"at": "\\u001b[2J"}',
        "  message    a: large 70000 bytes",
        "  a | half a line",
    ]
    assert lines_of(told.events) == []


def test_a_node_that_runs_for_a_while_is_announced_once_and_named_in_a_silence() -> None:
    now = [0.0]
    stream = io.StringIO()
    console = PlainConsole(stream, clock=lambda: now[0])
    console.accept(Told()(EventKind.NODE_STARTED, "slow", 2))
    for at in (0.5, 1.5, 2.5, 70.0):
        now[0] = at
        console.tick()
    console.close()
    assert stream.getvalue().splitlines() == ["  started    slow (attempt 2)", "  running    slow 1m10s"]


def test_s8_no_control_byte_and_no_ci_command_of_data_reaches_a_line() -> None:
    told = Told()
    evil = "\x1b]0;owned\x07\u202e::error::boo ##[group]x\x9b2J"
    told(EventKind.NODE_STARTED, "a", 1)
    told(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text=f"{evil}\n::set-output name=x::y\n")
    told(EventKind.NODE_FAILED, "a", 1, error={"kind": "exit", "message": evil}, duration_s=0.1)
    text = "\n".join(lines_of(told.events, verbose=True))
    run = fold(told.events)
    run.status = RunStatus.FAILED
    text += ending(run, places={"a": evil}, tails={"a": f"::warning::x\n{evil}"}, go_on="pipe resume r1")
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or c in "\x7f\x9b\u202e"]
    assert "##[" not in text
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]


def test_the_end_of_a_failed_run_names_the_node_its_place_its_error_its_last_lines_and_the_command_to_go_on() -> None:
    progress = Progress()
    for event in a_failed_run():
        progress.accept(event)
    text = ending(fold(a_failed_run()), places={"a": "demo.yml:7"}, tails=progress.tails, go_on="pipe resume r1")
    assert text.splitlines() == [
        "",
        "demo.yml:7: a failed: exit code 3",
        "    | working",
        "    | half a line",
        "    | no such thing",
        "",
        "go on with: pipe resume r1",
    ]
    assert last_line(fold(a_failed_run())) == "run r1 failed in 1.75s: 1 succeeded, 1 failed, 1 blocked\n"


def test_the_last_line_tells_tokens_and_cost_where_models_were_used() -> None:
    run = Run(id="r", status=RunStatus.SUCCEEDED, duration_s=2.0)
    run.nodes["m"] = NodeState(NodeStatus.SUCCEEDED, usage={"input_tokens": 10, "output_tokens": 5, "cost": 0.25})
    assert last_line(run) == "run r succeeded in 2.00s: 1 succeeded; 15 tokens, $0.2500\n"
    run.nodes["n"] = NodeState(NodeStatus.SUCCEEDED, usage={"input_tokens": 1, "output_tokens": 1, "cost": None})
    assert "at least $0.2500 (a price is unknown)" in last_line(run)


def test_last_lines_come_from_what_was_recorded_where_nothing_came_by() -> None:
    state = NodeState(NodeStatus.FAILED, error={"kind": "exit", "message": "m", "tail": "one\ntwo\n"})
    assert last_lines(state, "") == ["one", "two"]
    assert last_lines(NodeState(NodeStatus.FAILED, output="only stdout"), "") == ["only stdout"]
    assert len(last_lines(state, "\n".join(map(str, range(99))))) == 10


def test_of_more_than_ten_failures_the_others_have_their_place_and_it_is_told_what_is_left_out() -> None:
    run = Run(id="r", status=RunStatus.FAILED)
    error = {"kind": "exit", "message": "exited with 1", "tail": "bad"}
    for number in range(12):
        run.nodes[f"n{number}"] = NodeState(NodeStatus.FAILED, error=error)
    places = {f"n{number}": f"p.yml:{number}" for number in range(12)}
    text = ending(run, places=places, tails={}, go_on=None)
    assert text.count("    | bad") == 10
    *_, others, eleventh, last, _ = text.splitlines()
    assert others == "of the others without what they printed, which `pipe logs r NODE` shows:"
    assert (eleventh, last) == ("p.yml:10: n10 failed: exited with 1", "p.yml:11: n11 failed: exited with 1")


def test_what_has_failed_inside_is_not_tolerated_while_the_node_outside_waits() -> None:
    run = Run(id="r", status=RunStatus.WAITING)
    run.nodes["d"] = NodeState(NodeStatus.WAITING, tolerated=True)
    run.nodes["d[a].x"] = NodeState(NodeStatus.FAILED)
    assert "tolerated" not in last_line(run)
    run.nodes["d"].status = NodeStatus.SUCCEEDED
    run.nodes["d"].tolerated = False
    assert "(1 failure tolerated)" in last_line(run)
    run.nodes["d"] = NodeState(NodeStatus.FAILED)
    assert "tolerated" not in last_line(run)
    run.nodes["d"].tolerated = True
    assert "(2 failures tolerated)" in last_line(run)


def test_a_thousand_failures_end_in_a_bounded_text() -> None:
    run = Run(id="r", status=RunStatus.FAILED)
    for number in range(1000):
        run.nodes[f"n{number}"] = NodeState(NodeStatus.FAILED, error={"kind": "exit", "message": "x" * 9999})
    text = ending(run, places={}, tails={}, go_on=None)
    assert "and 950 more failed" in text
    assert len(text) < 60_000


def test_the_live_picture_fits_the_screen_with_ten_thousand_nodes() -> None:
    progress = Progress(lambda: 0.0)
    told = Told()
    nodes = {f"n{number}": "x" for number in range(10_000)}
    progress.accept(told(EventKind.RUN_STARTED, pipeline="big", nodes=nodes))
    for number in range(5_000):
        progress.accept(told(EventKind.NODE_STARTED, f"n{number}", 1))
        if number % 2:
            progress.accept(told(EventKind.NODE_SUCCEEDED, f"n{number}", 1, duration_s=0.1))
    progress.accept(told(EventKind.NODE_FAILED, "n0", 1, error={"kind": "exit", "message": "bad"}, duration_s=0.1))
    for height in (2, 3, 5, 24):
        rows = [row.plain for row in picture(progress, height, 3.0)]
        assert 1 <= len(rows) <= height
        assert "2501/10000" in rows[0]
    assert any("more running" in row for row in rows)
    assert any("✗ n0: bad" in row for row in rows)


def test_the_live_picture_shows_time_attempt_and_last_line_of_what_runs() -> None:
    progress = Progress(lambda: 1.0)
    told = Told()
    progress.accept(told(EventKind.RUN_STARTED, pipeline="p", nodes={"a": "x"}))
    progress.accept(told(EventKind.NODE_STARTED, "a", 2))
    progress.accept(told(EventKind.NODE_OUTPUT, "a", 2, stream="stdout", text="first\nlast\x1b[2J\n\n"))
    rows = [row.plain for row in picture(progress, 10, 4.5, unicode=False)]
    assert rows[1] == "  > a 3.50s attempt 2  last\\x1b[2J"


def test_one_event_costs_a_console_little() -> None:
    """10,000 nodes are 20,000 events; the bound is ten times what it takes on a slow machine."""
    console = PlainConsole(io.StringIO())
    told = Told()
    events = []
    for number in range(10_000):
        events += [
            told(EventKind.NODE_STARTED, f"n{number}", 1),
            told(EventKind.NODE_SUCCEEDED, f"n{number}", 1, duration_s=0.1),
        ]
    began = time.process_time()
    for event in events:
        console.accept(event)
    console.close()
    assert (time.process_time() - began) / 10_000 < 150e-6


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_who_is_gone_does_not_disturb() -> None:
    outlet = Outlet(Broken())
    for _ in range(100):
        outlet.put("x\n")
    outlet.close()
    assert outlet.broken


class Stuck(io.StringIO):
    """A stream whose reader doesn't read until told."""

    def __init__(self) -> None:
        super().__init__()
        import threading

        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.go.wait(10)
        return super().write(text)


def test_a_reader_who_is_slow_holds_nobody_up_and_learns_what_was_left_out() -> None:
    stream = Stuck()
    outlet = Outlet(stream)
    began = time.monotonic()
    for number in range(100_000):
        outlet.put(f"{number}\n")
    assert time.monotonic() - began < 5
    stream.go.set()
    outlet.close()
    assert "lines left out" in stream.getvalue()


def a_log_of(events: list[Event], state: Path, console: JsonlConsole) -> None:
    journal = LogWriter.create(RunDir.create(state, "r1"), Durability.OS)
    for event in events:
        journal.append(event)
        console.accept(event)
    journal.close()


def test_jsonl_passes_the_log_s_own_lines_on(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = JsonlConsole(stream, str(tmp_path), commands_matter=False)
    events = a_failed_run()
    a_log_of(events, tmp_path, console)
    console.close()
    lines = stream.getvalue().splitlines()
    assert [decode_line(line.encode(), "r1", n) for n, line in enumerate(lines, 1)] == events


def test_x1_a_reader_of_jsonl_who_is_slow_holds_nobody_up_and_misses_nothing(tmp_path: Path) -> None:
    stream = Stuck()
    console = JsonlConsole(stream, str(tmp_path), commands_matter=False)
    told = Told()
    events = [told(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text="x" * 1000) for _ in range(30_000)]
    began = time.monotonic()
    a_log_of(events, tmp_path, console)
    assert time.monotonic() - began < 9, "it waited for the reader, who reads after ten seconds"
    stream.go.set()
    console.close()
    assert stream.getvalue() == (tmp_path / "runs" / "r1" / "log.jsonl").read_text()


def test_jsonl_keeps_why_a_stream_took_nothing_more(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        console = JsonlConsole(full, str(tmp_path), commands_matter=False)
        a_log_of(a_failed_run(), tmp_path, console)
        console.close()
        assert isinstance(console.error, OSError)
        with contextlib.suppress(OSError):
            full.close()


def test_s8_in_a_ci_no_line_of_jsonl_holds_a_command_and_each_is_still_a_line_of_a_log() -> None:
    event = Told()(EventKind.NODE_OUTPUT, "a", 1, stream="stdout", text="##[error] ##vso[task] ###[x]")
    line = shown_line(encode_line(event)[:-1], harmless=True)
    assert "##" not in line
    assert decode_line(line.rstrip("\n").encode(), "r1", 1) == event


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0.00s"), (9.999, "10.0s"), (59.96, "1m00s"), (125, "2m05s"), (3720, "1h02m")],
)
def test_times_are_short(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_a_skip_is_told_with_its_condition_and_the_values_it_read() -> None:
    assert reason_line({"when": "inputs.n > 1", "values": {"inputs.n": 0}}) == "when: inputs.n > 1 (inputs.n = 0)"
    assert reason_line({"when": None, "reason": "a need was skipped", "by": ["x"]}) == "a need was skipped: x"


def test_counts_stand_in_a_fixed_order() -> None:
    assert counts(["failed", "succeeded", "failed"]) == "1 succeeded, 2 failed"


def test_off_a_terminal_and_on_a_dumb_one_progress_is_told_in_lines() -> None:
    assert isinstance(open_console(io.StringIO(), environ={"TERM": "xterm"}), PlainConsole)


def test_a_ci_is_known_by_its_variables() -> None:
    assert reads_commands({"GITHUB_ACTIONS": "true"})
    assert not reads_commands({"CI": ""})
