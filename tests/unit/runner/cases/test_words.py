"""How an expectation that isn't met is told."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pipe_runner.cases.performing import CaseResult
from pipe_runner.cases.words import failures

Performed = Callable[[str, str], list[CaseResult]]
PIPELINE = "nodes: {a: {run: echo, output: json}}"


def details(performed: Performed, got: str, expected: str) -> list[str]:
    cases = f"it: {{mock: {{a: {{output: {got}}}}}, expect: {{nodes: {{a: {{output: {expected}}}}}}}}}"
    (result,) = performed(PIPELINE, cases)
    (failure,) = failures(result)
    return list(failure.details)


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        ("1", "'1'", ['expected  "1"', "got       1"]),
        ("{a: 1}", "{a: 2}", ["expected  2", "got       1"]),
        ("{a: 1}", "{b: 2}", ["expected  2", "got       nothing: there is no such key"]),
        ("abc", "{matches: ^b}", ['expected  a text that matches "^b"', 'got       "abc"']),
        ("[1]", "{contains: 2}", ["expected  something that contains 2", "got       [1]"]),
        ("1", "{not: 1}", ["expected  anything but 1", "got       1"]),
        ("{a: 1}", "{exactly: {}}", ["expected  {}", 'got       {"a": 1}']),
        ('"a\\nb\\nc"', '"a\\nx\\nc"', ["expected (-) and got (+)", "   a", "  -x", "  +b", "   c"]),
    ],
)
def test_both_sides_are_shown(performed: Performed, got: str, expected: str, said: list[str]) -> None:
    assert details(performed, got, expected) == said


def test_long_values_are_cut_and_take_no_time(performed: Performed) -> None:
    began = time.monotonic()
    lines = details(performed, "[" + ", ".join("xy" for _ in range(30_000)) + "]", "[1, 2]")
    assert all(len(line) < 300 for line in lines)
    assert lines[1].startswith('got       ["xy", "xy"')
    assert time.monotonic() - began < 20


def test_a_key_that_a_test_does_not_read_is_told_as_that_and_not_only_as_one_that_is_not_set(
    performed: Performed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-1234567890")
    pipeline = "nodes: {a: {agent: llm, provider: openai, with: {prompt: x, model: m}}}"
    (result,) = performed(pipeline, "it: {run: all, expect: {status: succeeded}}")
    (failure,) = failures(result)
    assert any("tests read no real secrets of providers and MCP servers" in line for line in failure.details)
    assert "`replay:`" in failure.details[-1]
