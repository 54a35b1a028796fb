"""A fault is told as a compiler tells it, and in the form of each program that collects faults."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.codes import CODES
from pipe_runner.diagnostics import Diagnostic, Note, Position, Severity, did_you_mean, in_order
from pipe_runner.reports.diagnostics import FORMATS, Format, render, summary
from pipe_runner.text import ci_safe, printable, width

ERROR = Diagnostic("a.yml", 3, 5, "E108", "duplicate key", "rename it", 4, "    keys: 1")
WARNING = Diagnostic("b/c.yml", 1, 1, "W401", "trusted", None, 1, "x: y")


def text(*found: Diagnostic) -> str:
    return render(found, "text")


def test_text_has_place_code_message_line_caret_and_hint() -> None:
    told = """\
a.yml:3:5: E108 duplicate key
    |     keys: 1
    |     ^~~~
    hint: rename it
b/c.yml:1:1: W401 trusted
    | x: y
    | ^
"""
    assert text(WARNING, ERROR) == told


def test_a_fault_without_a_line_has_no_caret() -> None:
    assert text(Diagnostic("a.yml", 1, 1, "E105", "empty")) == "a.yml:1:1: E105 empty\n"
    assert text(Diagnostic("a.yml", 1, 1, "E105", "empty", source="  ")) == "a.yml:1:1: E105 empty\n"


def caret(source: str, column: int, length: int = 1) -> tuple[str, str]:
    lines = text(Diagnostic("f", 1, column, "E101", "m", None, length, source)).split("\n")
    return lines[1].removeprefix("    | "), lines[2].removeprefix("    | ")


@pytest.mark.parametrize(
    ("source", "column", "length", "expected"),
    [
        ("ab", 2, 1, " ^"),
        ("ab", 1, 99, "^~"),
        ("ab", 3, 1, "  ^"),
        ("ab", 9, 5, "  ^"),
        ("ab", 1, 0, "^"),
        ("\ta\tb", 4, 1, "\t \t^"),
        ("日本: x", 5, 1, "      ^"),
        ("日本: x", 1, 2, "^~~~"),
        ("e\u0301x", 3, 1, " ^"),
        ("\x1b[0m x", 6, 1, "        ^"),
        ("\x1b", 1, 1, "^~~~"),
        ("a\u202eb", 3, 1, "       ^"),
    ],
)
def test_the_caret_stands_under_its_character(source: str, column: int, length: int, expected: str) -> None:
    assert caret(source, column, length)[1] == expected


@pytest.mark.parametrize("column", [1, 40, 60, 500, 900, 999, 1000, 1001])
def test_long_lines_are_cut_around_the_caret(column: int) -> None:
    source = "".join(chr(ord("a") + number % 26) for number in range(1000))
    line, mark = caret(source, column, 3)
    assert len(line) <= 123
    if column <= 1000:
        assert line[mark.index("^")] == source[column - 1]
    assert len(mark) <= len(line) + 1


@given(st.text(max_size=300), st.integers(-3, 310), st.integers(-3, 310))
def test_s8_any_line_is_shown_harmlessly_with_its_caret(source: str, column: int, length: int) -> None:
    shown = text(Diagnostic("f", 1, column, "E101", source, source, length, source))
    assert printable(shown, newlines=True, tabs=True) == shown
    assert ci_safe(shown) == shown
    shown.encode()


def test_s8_no_name_message_or_source_becomes_a_command_of_a_ci() -> None:
    evil = "::error file=x::y"
    found = Diagnostic(evil, 1, 1, "E101", "##[error]z\n::warning::", "::debug::\n::group::", 3, "  ##vso[x]::notice::")
    for form in FORMATS:
        lines = render([found], form).split("\n")
        commands = [line for line in lines if line.lstrip().startswith("::") or "##[" in line or "##vso[" in line]
        assert commands == ([] if form != "github" else [lines[0]])
    assert json.loads(render([found], "json"))[0]["message"] == found.message
    github = render([found], "github")
    assert github.count("\n") == 1
    assert github.startswith("::error file=%3A%3Aerror file=x%3A%3Ay,line=1,col=1,title=E101 not valid YAML::")


def test_colours_are_only_in_coloured_text() -> None:
    assert "\x1b" not in render([ERROR, WARNING], "text")
    coloured = render([ERROR, WARNING], "text", colour=True)
    assert "\x1b[31mE108\x1b[0m" in coloured
    assert "\x1b[33mW401\x1b[0m" in coloured


def test_json_has_the_fields_of_the_contract() -> None:
    assert json.loads(render([ERROR, WARNING], "json")) == [
        {
            "file": "a.yml",
            "line": 3,
            "column": 5,
            "code": "E108",
            "severity": "error",
            "message": "duplicate key",
            "hint": "rename it",
        },
        {
            "file": "b/c.yml",
            "line": 1,
            "column": 1,
            "code": "W401",
            "severity": "warning",
            "message": "trusted",
            "hint": None,
        },
    ]
    assert json.loads(render([], "json")) == []


def test_github_gets_one_escaped_command_a_fault() -> None:
    found = Diagnostic("a,b:c%.yml", 2, 3, "E108", "100% of\r\nit, a:b", "so")
    assert render([found], "github") == (
        "::error file=a%2Cb%3Ac%25.yml,line=2,col=3,title=E108 duplicate key::100%25 of\\x0d%0Ait, a:b%0Ahint: so\n"
    )
    assert render([WARNING], "github").startswith("::warning ")


def test_gitlab_fingerprints_outlive_moved_lines_and_are_unique() -> None:
    def prints(*found: Diagnostic) -> list[str]:
        return [one["fingerprint"] for one in json.loads(render(found, "gitlab"))]

    again = Diagnostic("a.yml", 9, 9, "E108", "duplicate key")
    both = prints(ERROR, again)
    assert len(set(both)) == 2
    assert prints(Diagnostic("a.yml", 30, 1, "E108", "duplicate key"), again)[0] in both
    one = json.loads(render([ERROR], "gitlab"))[0]
    assert one["severity"] == "major"
    assert one["location"] == {
        "path": "a.yml",
        "positions": {"begin": {"line": 3, "column": 5}},
        "lines": {"begin": 3, "end": 3},
    }


def test_sarif_names_its_rules_and_its_places() -> None:
    report = json.loads(render([ERROR, WARNING, Diagnostic("a b.yml", 1, 1, "E999", "strange")], "sarif"))
    assert report["version"] == "2.1.0"
    run = report["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == {*CODES, "E999"}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    by_rule: dict[str, Any] = {result["ruleId"]: result for result in run["results"]}
    place = by_rule["E108"]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 9}
    assert (by_rule["E108"]["level"], by_rule["W401"]["level"]) == ("error", "warning")
    uri = by_rule["E999"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == "a b.yml"


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_found_is_told_in_every_form(form: Format) -> None:
    shown = render([], form)
    assert shown == "" if form in ("text", "github") else json.loads(shown) is not None


@pytest.mark.parametrize("form", FORMATS)
def test_names_that_are_no_unicode_can_be_told(form: Format) -> None:
    render([Diagnostic("a\udcff.yml", 1, 1, "E101", "m \ud800")], form).encode()


def test_a_summary_counts() -> None:
    assert summary([]) == "no faults in 0 files"
    assert summary([], files=3) == "no faults in 3 files"
    assert summary([ERROR]) == "1 error in 1 file"
    assert summary([ERROR, ERROR, WARNING]) == "2 errors, 1 warning in 2 files"
    assert summary([WARNING], files=1) == "1 warning in 1 file"


def test_diagnostics_are_ordered_by_place_without_doubles() -> None:
    first = Diagnostic("a.yml", 1, 9, "E101", "x")
    assert in_order([WARNING, ERROR, first, ERROR]) == [first, ERROR, WARNING]


def test_the_first_letter_of_a_code_is_its_severity() -> None:
    assert (ERROR.severity, WARNING.severity) == (Severity.ERROR, Severity.WARNING)
    assert (ERROR.is_error, WARNING.is_error) == (True, False)
    assert all(code[0] in "EW" and code[1:].isdigit() for code in CODES)


def test_a_near_miss_is_recognised() -> None:
    known = ["needs", "run", "agent", "timeout"]
    assert did_you_mean("nedds", known) == "needs"
    assert did_you_mean("RUN", known) == "run"
    assert did_you_mean("zzz", known) is None


@pytest.mark.parametrize("word", ["stage", "check", "trace", "order", "mount", "notes", "expect", "parent", "stdout"])
def test_a_word_that_is_alike_by_chance_is_not_what_was_meant(word: str) -> None:
    known = ["agent", "cache", "provider", "timeout", "needs", "effect", "version", "with", "secrets"]
    assert did_you_mean(word, known) is None


@pytest.mark.parametrize(
    ("word", "meant"), [("chace", "cache"), ("agnet", "agent"), ("ouptut", "output"), ("retries", "retry")]
)
def test_a_slip_in_a_short_word_is_recognised(word: str, meant: str) -> None:
    assert did_you_mean(word, ["agent", "cache", "output", "retry", "timeout"]) == meant


def test_positions_are_ordered() -> None:
    assert Position(1, 9) < Position(2, 1)
    assert width("x") == 1


FROM = (Note("main.yml", 4, 12, "included"), Note("all.yml", 2, 3, "included"))


def test_a_fault_names_the_places_that_lead_to_its_file_in_every_format() -> None:
    found = ERROR._replace(notes=FROM)
    assert "    note: included at main.yml:4:12\n    note: included at all.yml:2:3\n    hint:" in text(found)
    (plain,) = json.loads(render([found], "json"))
    assert plain["notes"] == [
        {"file": "main.yml", "line": 4, "column": 12, "message": "included"},
        {"file": "all.yml", "line": 2, "column": 3, "message": "included"},
    ]
    assert "note: included at main.yml:4:12%0Anote:" in render([found], "github")
    (quality,) = json.loads(render([found], "gitlab"))
    assert "included at main.yml:4:12; included at all.yml:2:3; hint:" in quality["description"]
    (result,) = json.loads(render([found], "sarif"))["runs"][0]["results"]
    assert [place["physicalLocation"] for place in result["relatedLocations"]] == [
        {"artifactLocation": {"uri": "main.yml"}, "region": {"startLine": 4, "startColumn": 12}},
        {"artifactLocation": {"uri": "all.yml"}, "region": {"startLine": 2, "startColumn": 3}},
    ]
    assert "note: included at main.yml:4:12" in result["message"]["text"]


def test_a_fault_without_notes_has_no_word_of_them() -> None:
    assert "note" not in render([ERROR], "json") + render([ERROR], "text")
    assert "relatedLocations" not in render([ERROR], "sarif")
