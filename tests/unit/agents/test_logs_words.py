"""Where no level can be read, lines that speak of failures are not told as fine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from logs_reading import findings, output_of

from pipe_agents.logs.entries import ERROR, INFO, NONE, by_words, entry_of
from pipe_agents.logs.formats import detect
from pipe_agents.logs.zeros import speaks, without_empty, without_zeros

LINE = "2026-03-01 12:00:0{} host app[12]: {}\n"


@pytest.mark.parametrize("said", ["error request failed", "… failed to connect to db", "connection refused by peer"])
def test_lines_without_a_level_that_speak_of_failures_are_told_as_an_estimate(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.log").write_text("".join(LINE.format(second, said) for second in range(3)))
    found = findings(tmp_path, paths=["a.log"])
    assert set(found) == {"logs.words:all"}
    one = found["logs.words:all"]
    assert (one["severity"], one["status"], one["evidence"]["entries"]) == ("low", "estimated", 3)
    assert one["evidence"]["file"].endswith("a.log") and said in one["evidence"]["example"]


@pytest.mark.parametrize("said", ["request done", "no failures were seen"])
def test_lines_that_speak_of_none_are_fine(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.log").write_text("".join(LINE.format(second, said) for second in range(3)))
    assert findings(tmp_path, paths=["a.log"]) == {}


ZEROS = [
    "0 ERROR(s)",
    "    0 Error(s)",
    "build done: 0 errors",
    "0 errors, 0 warnings",
    "3 passed, 0 failed",
    "2 tests, 0 error",
    "errors: 0",
    "ERROR: 0",
    "Tests run: 12, Failures: 0, Errors: 0, Skipped: 1",
    "db1 : ok=3 changed=1 unreachable=0 failed=0 skipped=2",
    "error_count=0",
    '"errors": 0, "done": 12',
]


EMPTY = [
    '{"status": 200, "error": null}',
    '{"status":200,"error":"","id":"a"}',
    'status=200 error=false path="/a"',
    "status=200 error= path=/a",
    "done, error: null, id 7",
    "{'error': None, 'failed': False}",
    "errors=[] exception=None id=7",
]


@pytest.mark.parametrize("said", EMPTY)
@pytest.mark.parametrize("before", ["2026-03-01 12:00:00 app ", "Mar  1 12:00:00 host app[12]: "])
def test_an_empty_field_for_an_error_is_none(before: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{before}{said}\n" * 3)
    given = output_of(tmp_path, paths=["a.log"])
    assert (given["findings"], given["measurements"]["levels"]["error"]) == ([], 0)


@pytest.mark.parametrize("said", ["Error: null", "error: undefined", "fatal: none"])
def test_a_line_that_says_no_more_of_its_error_has_one(said: str) -> None:
    assert by_words(said.encode()) == ERROR


@pytest.mark.parametrize("said", ['"error": "null pointer", "a": 1', "error=null failed=true", "error: none of 7"])
def test_a_field_for_an_error_that_says_something_is_one(said: str) -> None:
    assert speaks(without_empty(said.encode()))


@pytest.mark.parametrize("said", ZEROS)
def test_a_line_that_counts_no_errors_has_none(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.log").write_text("".join(LINE.format(second, said) for second in range(3)))
    given = output_of(tmp_path, paths=["a.log"])
    assert given["findings"] == []
    assert given["measurements"]["levels"]["error"] == 0


@pytest.mark.parametrize(
    "said",
    [
        "10 ERROR(s)",
        "0 errors, 2 failed",
        "errors: 0, then it crashed",
        "worker 0 failed",
        "rank 0 ERROR disk died",
        "ERROR: 0 bytes received",
        "error=0x80070005",
        "1.0 errors per second",
        "12:00 ERROR no answer",
        "disk sda/0 errors",
        "errors: 05",
        "failed=0.5",
    ],
)
def test_a_line_with_a_zero_that_counts_no_errors_still_speaks_of_one(said: str) -> None:
    level = by_words(said.encode())
    assert level == ERROR or (level == NONE and speaks(without_zeros(said.encode())))


def test_lines_that_differ_in_their_count_only_are_told_apart(tmp_path: Path) -> None:
    counts = [0, 3, 0, 0, 7, 0]
    (tmp_path / "a.log").write_text("".join(LINE.format(at, f"{count} ERROR(s)") for at, count in enumerate(counts)))
    given = output_of(tmp_path, paths=["a.log"])
    assert given["measurements"]["levels"]["error"] == 2
    assert given["measurements"]["levels"]["info"] == 4


def test_counts_in_json_are_told_apart_as_well(tmp_path: Path) -> None:
    lines = [json.dumps({"time": f"2026-03-01T12:00:0{at}Z", "msg": f'{{"ERROR": {at % 2}}}'}) for at in range(6)]
    (tmp_path / "a.log").write_text("\n".join(lines) + "\n")
    levels = output_of(tmp_path, paths=["a.log"])["measurements"]["levels"]
    assert (levels["error"], levels["info"]) == (3, 3)


@pytest.mark.parametrize("said", ["alert rule loaded", "error handler installed", "warning threshold is 5"])
def test_a_word_behind_the_level_of_a_line_is_no_level(said: str) -> None:
    line = f"2026-03-01T12:00:00Z INFO {said}".encode()
    assert entry_of(detect([line]).format, line).level == INFO


def test_a_name_before_the_level_of_a_line_is_no_level() -> None:
    line = b"2026-03-01 12:00:00,123 - error.handler - INFO - hello"
    assert entry_of(detect([line]).format, line).level == INFO
