"""A run's result as JSON and as JUnit XML."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.reports.junit import junit
from pipe_runner.reports.pieces import PIECE, gathered, json_pieces, line_pieces
from pipe_runner.reports.result import result, result_text
from pipe_runner.run import NodeState, Run
from pipe_runner.text import ci_safe, ci_safe_json
from pipe_runner.types import NodeStatus, RunStatus

BLOBS = {"big": "x" * 100_000}


def read(ref: Any) -> Any:
    return BLOBS[ref["sha256"]]


def some_run(count: int = 3) -> Run:
    run = Run(id="r1", status=RunStatus.FAILED, pipeline="demo", duration_s=2.5, outputs={"o": [1, None, False, ""]})
    for number in range(count):
        run.nodes[f"n{number}"] = NodeState(
            NodeStatus.SUCCEEDED, attempts=1, output={"k": "##[x]\u2028"}, duration_s=0.5
        )
    run.nodes["large"] = NodeState(NodeStatus.SUCCEEDED, attempts=2, output_ref={"sha256": "big"}, duration_s=0.1)
    run.nodes["bad"] = NodeState(
        NodeStatus.FAILED, attempts=3, error={"kind": "exit", "message": "exit code 1", "exit_code": 1}
    )
    return run


VALUES: list[Any] = [
    "",
    [],
    {},
    None,
    [[], {}, [0, {"a": [True, None, 1.5, "é\U0001f600"]}]],
    {"x##[y": "##[z" * 40_000, "k" * 70_000: ["\0" * 70_000, "#" * 150_000 + "[x]", ":" * 70_000]},
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("level", [0, 3])
def test_a_value_in_pieces_is_what_json_makes_of_it(value: Any, level: int) -> None:
    pieces = list(json_pieces(value, level))
    wanted = json.dumps(value, indent=2).replace("\n", "\n" + "  " * level)
    assert "".join(pieces) == wanted
    assert "".join(gathered(pieces)) == wanted


@pytest.mark.parametrize("command", ["##[error]x", "##vso[task]x", "##teamcity[x]", "::error::x"])
@pytest.mark.parametrize("shift", range(-12, 3))
def test_s8_no_cut_lets_a_command_of_a_ci_through(command: str, shift: int) -> None:
    text = "\n" + "x" * (PIECE + shift - 1) + command
    shown = "".join(line_pieces("a" * (PIECE + shift) + command, ci_safe, "  "))
    assert "##" not in shown
    assert "##" not in "".join(ci_safe_json(piece) for piece in json_pieces(text))


def test_a_text_in_pieces_keeps_its_lines() -> None:
    text = "a\n\n" + "b" * 200_000 + "\nc"
    assert "".join(line_pieces(text, str.upper, "  ")) == text.upper().replace("\n", "\n  ")


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_the_text_in_pieces_is_the_result(count: int) -> None:
    run = some_run(count)
    assert json.loads("".join(result_text(run, read))) == result(run, read)


def test_a_run_without_nodes_is_an_object_too() -> None:
    run = Run(id="r", status=RunStatus.RUNNING)
    assert json.loads("".join(result_text(run, read))) == {"run": "r", "status": "running", "outputs": {}, "nodes": {}}


def test_the_result_has_the_fields_of_the_contract_and_whole_outputs() -> None:
    found: dict[str, Any] = result(some_run(), read)
    assert list(found) == ["run", "status", "outputs", "nodes"]
    assert set(found["nodes"]["bad"]) == {"status", "output", "error", "attempts", "duration_s"}
    assert found["nodes"]["large"]["output"] == BLOBS["big"]
    assert found["outputs"] == {"o": [1, None, False, ""]}


def test_s8_the_result_is_ascii_and_holds_no_ci_command() -> None:
    text = "".join(result_text(some_run(), read))
    assert text.isascii()
    assert "##" not in text


def case(document: bytes, name: str) -> ET.Element:
    found = ET.fromstring(document).find(f".//testcase[@name='{name}']")
    assert found is not None
    return found


def test_junit_tells_failures_skips_and_errors_apart() -> None:
    run = Run(
        id="r", status=RunStatus.FAILED, pipeline="demo", duration_s=1.0, started_at="2026-01-02T03:04:05.678901Z"
    )
    error = {"kind": "exit", "message": "exit code 1", "tail": "last words"}
    run.nodes = {
        "ok": NodeState(NodeStatus.SUCCEEDED, attempts=1, duration_s=0.25, output="said"),
        "bad": NodeState(NodeStatus.FAILED, attempts=1, error=error),
        "tolerated": NodeState(NodeStatus.FAILED, attempts=1, error=error, tolerated=True),
        "blocked": NodeState(NodeStatus.BLOCKED, by=("bad",)),
        "skipped": NodeState(NodeStatus.SKIPPED, when="inputs.x"),
        "stopped": NodeState(NodeStatus.CANCELLED, attempts=1),
        "never": NodeState(NodeStatus.CANCELLED),
        "half": NodeState(NodeStatus.RUNNING, attempts=1),
    }
    document = junit(run)
    suite = ET.fromstring(document).find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "1",
        "errors": "2",
        "skipped": "4",
    }
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    failure = case(document, "bad").find("failure")
    assert failure is not None and (failure.get("type"), failure.get("message")) == ("exit", "exit code 1")
    assert case(document, "bad").findtext("system-err") == "last words"
    assert case(document, "ok").findtext("system-out") == "said"
    skipped = case(document, "blocked").find("skipped")
    assert skipped is not None and skipped.get("message") == "blocked by bad"


def test_junit_says_why_a_node_did_not_run_as_the_console_does() -> None:
    skipped = NodeStatus.SKIPPED
    run = Run(id="r", status=RunStatus.SUCCEEDED)
    run.nodes["a"] = NodeState(status=skipped, when="inputs.n > 1", values={"inputs.n": 1})
    run.nodes["b"] = NodeState(status=skipped, by=("a",), more=2, reason="a need was skipped")
    told = [case(junit(run), name).find("skipped") for name in ("a", "b")]
    assert [one.get("message") for one in told if one is not None] == [
        "when: inputs.n > 1 (inputs.n = 1)",
        "a need was skipped: a and 2 more",
    ]


def test_a_run_that_failed_as_a_whole_has_a_case_of_its_own() -> None:
    run = Run(id="r", status=RunStatus.FAILED, error={"kind": "template", "message": "outputs: no"})
    error = case(junit(run), "run").find("error")
    assert error is not None and error.get("message") == "outputs: no"


@given(text=st.text(st.characters()))
def test_junit_is_well_formed_whatever_nodes_print(text: str) -> None:
    run = Run(id="r", status=RunStatus.FAILED, pipeline=text)
    run.nodes["n"] = NodeState(
        NodeStatus.FAILED, attempts=1, output=text, error={"kind": "exit", "message": text, "tail": text}
    )
    ET.fromstring(junit(run))


def test_control_characters_are_written_out_in_junit() -> None:
    run = Run(id="r", status=RunStatus.FAILED, pipeline="p")
    run.nodes["n"] = NodeState(NodeStatus.FAILED, attempts=1, error={"kind": "exit", "message": "a\x00\x1b[1m\ufffeb"})
    failure = case(junit(run), "n").find("failure")
    assert failure is not None and failure.get("message") == "a\\x00\\x1b[1m\\ufffeb"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("one\n::error::x\n##[error]y", "one\n\\x3a:error::x\n\\x23#[error]y"),
        ("##vso[task.setvariable]x", "\\x23#vso[task.setvariable]x"),
        ("a\u202eb\u2028c\u2029d\u2066e", "a\\u202eb\\u2028c\\u2029d\\u2066e"),
        ("tab\there\r\nnext\rover", "tab\there\nnext\\x0dover"),
        ("a::b ### c é 日", "a::b ### c é 日"),
    ],
)
def test_nothing_in_junit_acts_on_who_prints_it(said: str, written: str) -> None:
    run = Run(id="r", status=RunStatus.FAILED, pipeline="p")
    run.nodes["n"] = NodeState(
        NodeStatus.FAILED, attempts=1, output=said, error={"kind": "exit", "message": said, "tail": said}
    )
    found = case(junit(run), "n")
    failure = found.find("failure")
    assert failure is not None
    told = (found.findtext("system-out"), found.findtext("system-err"), failure.text, failure.get("message"))
    assert told == (written, written, written, written)


def test_junit_of_a_run_that_is_under_way_calls_nothing_an_error() -> None:
    run = Run(id="r", status=RunStatus.RUNNING)
    run.nodes["n"] = NodeState(NodeStatus.RUNNING, attempts=1)
    skipped = case(junit(run, under_way=True), "n").find("skipped")
    assert skipped is not None and skipped.get("message") == "running: the run is under way"
    assert case(junit(run), "n").find("error") is not None
