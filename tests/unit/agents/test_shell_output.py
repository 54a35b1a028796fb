"""How the shell agent reads what a command printed, or wrote to $PIPE_OUTPUT."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.ports import Command, NodeError, Outcome, ProcessEnd
from pipe_runner.types import ErrorKind, Json, NodeStatus


def ended(stdout: bytes = b"", code: int | None = 0, **fields: Any) -> ProcessEnd:
    values: dict[str, Any] = {"signal": None, "stderr_tail": b"", "duration": 0.1, **fields}
    return ProcessEnd(exit_code=code, stdout=stdout, **values)


# ---------------------------------------------------------------- stdout


@pytest.mark.parametrize(
    ("stdout", "text"),
    [(b"a\n", "a"), (b"a\n\n\n", "a"), (b"\n a \t\r\n", "\n a \t\r"), (b"", ""), (b"\0\xff\n", "\0\ufffd")],
)
def test_text_loses_its_final_newlines_and_nothing_else(play_shell: Any, stdout: bytes, text: str) -> None:
    assert play_shell(ended(stdout)).outcome == Outcome(NodeStatus.SUCCEEDED, text, exit_code=0)


def test_cut_text_is_a_success_and_ends_with_a_whole_character(play_shell: Any) -> None:
    cut = {"bytes": 99, "sha256": "ab"}
    outcome = play_shell(ended("aé".encode()[:-1], truncated=cut)).outcome
    assert (outcome.status, outcome.output, outcome.truncated) == (NodeStatus.SUCCEEDED, "a", cut)


@pytest.mark.parametrize(
    ("stdout", "lines"),
    [(b"", []), (b"\n", [""]), (b"a", ["a"]), (b"a\n\nb\n", ["a", "", "b"]), (b"a\r\x0c\n", ["a\r\x0c"])],
)
def test_lines_end_at_newlines_only(play_shell: Any, stdout: bytes, lines: list[Json]) -> None:
    assert play_shell(ended(stdout), output="lines").outcome.output == lines


@pytest.mark.parametrize(
    ("stdout", "value"), [(b"0", 0), (b"false", False), (b'""', ""), (b"null\n", None), (b"[]", [])]
)
def test_json_keeps_falsy_values_apart(play_shell: Any, stdout: bytes, value: Json) -> None:
    outcome = play_shell(ended(stdout), output="json").outcome
    assert outcome.status is NodeStatus.SUCCEEDED
    assert outcome.output == value and type(outcome.output) is type(value)


@pytest.mark.parametrize(
    ("stdout", "why"),
    [
        (b"", "stdout is not JSON: it is empty"),
        (b'{"a": 1,\n "b" 2}', "stdout is not JSON: Expecting ':' delimiter at line 2, column 6"),
        (b"1 2", "stdout is not JSON: Extra data at line 1, column 3"),
        (b"[1,\n]", "stdout is not JSON: Expecting value at line 2, column 1"),
        (b'"no end', "stdout is not JSON: Unterminated string starting at line 1, column 1"),
        (b"[NaN]", "stdout is not JSON: NaN"),
        (b"[1e999]", "stdout[0] is not JSON: inf is no JSON number"),
        (b"9" * 5000, "an integer of more than 4,300 digits"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 300 + b"]" * 300, "nested deeper than 200 levels"),
        (b'"a\xff"', "stdout is not UTF-8: byte 3 is 0xff"),
        (b'"\\ud800"', "half of a surrogate pair"),
    ],
)
def test_what_is_not_json_fails_with_its_place_and_the_text_is_recorded(
    play_shell: Any, stdout: bytes, why: str
) -> None:
    outcome = play_shell(ended(stdout), output="json").outcome
    assert outcome.status is NodeStatus.FAILED
    assert outcome.error.kind is ErrorKind.INVALID_OUTPUT
    assert why in outcome.error.message
    assert outcome.output == stdout.decode("utf-8", "replace")


def test_s4_a_secret_that_json_escapes_hid_is_masked(play_shell: Any, bench: Any) -> None:
    bench.keep("hunter2")
    outcome = play_shell(ended(b'{"a": "\\u0068unter2"}'), output="json").outcome
    assert outcome.output == {"a": "***"}


@pytest.mark.parametrize("kind", ["json", "lines"])
def test_output_above_the_limit_is_no_value(play_shell: Any, kind: str) -> None:
    cut = {"bytes": 99, "sha256": "ab"}
    outcome = play_shell(ended(b"[1,2", truncated=cut), output=kind, fields={"output_limit": 4}).outcome
    assert outcome.error == NodeError(ErrorKind.OUTPUT_TOO_LARGE, "it printed 99 bytes, and the limit is 4", 0)
    assert (outcome.output, outcome.truncated) == ("[1,2", cut)


def test_a_failed_command_says_how_it_ended_and_its_output_is_recorded(play_shell: Any) -> None:
    outcome = play_shell(ended(b"out\n", 3, stderr_tail=b"bad\xff\n")).outcome
    assert outcome == Outcome(
        NodeStatus.FAILED, "out", NodeError(ErrorKind.EXIT, "exited with 3", 3, "bad\ufffd\n"), exit_code=3
    )
    outcome = play_shell(ended(b'{"a": 1}', 1), output="json").outcome
    assert outcome.output == {"a": 1} and outcome.error.kind is ErrorKind.EXIT
    outcome = play_shell(ended(b"not json", 1), output="json").outcome
    assert outcome.output == "not json" and outcome.error.kind is ErrorKind.EXIT


# ---------------------------------------------------------------- $PIPE_OUTPUT


def writes(data: bytes) -> Callable[[Command], None]:
    return lambda command: Path(command.env["PIPE_OUTPUT"]).write_bytes(data) and None


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"a=1\nb=x=y \n\nc=\n", {"a": "1", "b": "x=y ", "c": ""}),
        (b'{"a": [1, null]}', {"a": [1, None]}),
        (b' \n{"a": {}}\n', {"a": {}}),
        (b"a=1\na=2", {"a": "2"}),
        (b"", {}),
    ],
)
def test_the_output_file_holds_json_or_key_value_lines(play_shell: Any, data: bytes, value: Json) -> None:
    outcome = play_shell(ended(b"printed"), output="file", during=writes(data)).outcome
    assert (outcome.status, outcome.output) == (NodeStatus.SUCCEEDED, value)


def test_no_output_file_is_an_empty_object_also_when_an_earlier_one_was_left(play_shell: Any, bench: Any) -> None:
    Path(bench.root, "n.1.output").write_text("old=1")
    assert play_shell(output="file").outcome.output == {}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[1]", "must hold an object"),
        (b'"a"', "must hold an object"),
        (b"{a}", "$PIPE_OUTPUT is not JSON"),
        (b"a=1\nno equals\n", "$PIPE_OUTPUT, line 2"),
        (b"=1", "$PIPE_OUTPUT, line 1"),
        (b"a=\xff", "not UTF-8"),
    ],
)
def test_another_output_file_fails_the_node(play_shell: Any, data: bytes, why: str) -> None:
    outcome = play_shell(output="file", during=writes(data)).outcome
    assert outcome.error.kind is ErrorKind.INVALID_OUTPUT and why in outcome.error.message


def test_s9_the_output_file_is_no_link_no_pipe_and_bounded(play_shell: Any) -> None:
    def link(command: Command) -> None:
        Path(command.env["PIPE_OUTPUT"]).symlink_to("/etc/passwd")

    def pipe(command: Command) -> None:
        os.mkfifo(command.env["PIPE_OUTPUT"])

    def folder(command: Command) -> None:
        os.mkdir(command.env["PIPE_OUTPUT"])

    for during, why in ((link, "it is a link"), (pipe, "not a regular file")):
        outcome = play_shell(output="file", during=during).outcome
        assert outcome.error.kind is ErrorKind.INVALID_OUTPUT and why in outcome.error.message
    outcome = play_shell(output="file", during=writes(b"a=" + b"x" * 99), fields={"output_limit": 100}).outcome
    assert outcome.error.kind is ErrorKind.OUTPUT_TOO_LARGE
    outcome = play_shell(output="file", during=folder).outcome
    assert outcome.error.kind is ErrorKind.INVALID_OUTPUT and "not a regular file" in outcome.error.message


def test_s4_secrets_in_the_output_file_are_masked(play_shell: Any, bench: Any) -> None:
    bench.keep("hunter2")
    assert play_shell(output="file", during=writes(b"a=hunter2!")).outcome.output == {"a": "***!"}
    assert play_shell(output="file", during=writes(b'{"a": "\\u0068unter2"}')).outcome.output == {"a": "***"}


def test_a_failed_command_keeps_what_it_wrote(play_shell: Any) -> None:
    outcome = play_shell(ended(code=2), output="file", during=writes(b"a=1")).outcome
    assert (outcome.output, outcome.error.kind) == ({"a": "1"}, ErrorKind.EXIT)
