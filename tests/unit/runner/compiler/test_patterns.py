"""A pattern of an input is compiled within bounds of time and memory, or refused in a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pipe_runner.compiler import Compilation
from pipe_runner.compiler.patterns import LARGEST, Patterns, cost

Compile = Callable[[str], Compilation]
TOO_LARGE = "it is too large, all its repetitions counted"


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z][a-z0-9-]{0,62}$",
        r"[\w-]{1,64}@[\w-]{1,64}",
        r"^\d{4}-\d\d-\d\dT[0-9:.]{1,20}(Z|[+-]\d\d:\d\d)$",
        r"[\w.]{0,100}",
        "(a*)*" * 100,
        "[]a]{3}[^]]",
        r"\p{Greek}{2,}\x{41}",
        "(?x) a b # a comment\n {2}",
    ],
)
def test_usual_patterns_are_taken(pattern: str) -> None:
    assert Patterns().fault(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*" * 200_000,
        r"\w{1,900}",
        r"(?:(?:a{1000}){1000}){1000}",
        r"(((\w{10}){10}){10}){10}",
        "(?x)\\w #x\n { 1 , 2000 }",
        r"[a-z&&[^\w]]{1000}",
        r"\pL{1000,}",
    ],
)
def test_r2_a_pattern_that_stands_for_a_large_machine_is_refused_before_it_is_made(pattern: str, in_time: Any) -> None:
    began = time.process_time()
    assert Patterns().fault(pattern) == TOO_LARGE
    assert in_time(time.process_time() - began, 1)
    assert cost(pattern) > LARGEST


def test_what_the_engine_finds_too_large_is_said_in_the_same_words(compiled: Compile) -> None:
    found = compiled(
        "inputs: {a: {pattern: '%s'}}\nnodes: {a: {run: x}}\n" % (r"\p{L}" * 300 + "(?i)" + "é{9999}" * 12)
    )
    assert "SchemaError" not in found.diagnostics[0].message if found.diagnostics else True


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "a{2", "a{2,1}", "(?=x)", r"(a)\1", "*", r"\p{Nonsense}", "[", "\\", ")"]
)
def test_s11_a_wrong_pattern_is_told_in_a_sentence(pattern: str) -> None:
    why = Patterns().fault(pattern)
    assert why is None or ("SchemaError" not in why and "\n" not in why and why == why.strip())


def test_r2_many_patterns_are_refused_in_time_and_told_once(compiled: Compile, in_time: Any) -> None:
    text = "".join(f'  i{n}: {{pattern: "\\\\w{{1,{150 - n % 100}}}", default: x}}\n' for n in range(1500))
    began = time.process_time()
    found = compiled(f"inputs:\n{text}nodes: {{a: {{run: x}}}}\n")
    assert in_time(time.process_time() - began, 6)
    assert [fault.code for fault in found.diagnostics] == ["E216"]
    assert "together" in found.diagnostics[0].message


def test_r2_a_pattern_of_the_items_of_a_list_is_compiled_once(compiled: Compile, in_time: Any) -> None:
    from pipe_runner.compiler import check_inputs

    plan = compiled("inputs: {l: {type: array, items: {pattern: '^[\\w.]{0,100}$'}}}\nnodes: {a: {run: x}}\n").plan
    assert plan is not None
    began = time.process_time()
    check_inputs(plan, {"l": ["x"] * 5000})
    assert in_time(time.process_time() - began, 3)
