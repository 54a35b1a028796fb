"""What `pipe check` says of wrong evaluations, to the letter: each folder of `err_eval` has it in `told.txt`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.unit.runner.evals.conftest import PIPELINE, read

from pipe_runner.evals.reading import read_evaluation
from pipe_runner.registry import Registry
from pipe_runner.reports.diagnostics import render
from pipe_runner.testing import FakeProvider

DATA = Path(__file__).parents[3] / "data" / "err_eval"


@pytest.mark.parametrize("folder", sorted(DATA.iterdir()), ids=lambda folder: folder.name)
def test_wrong_evaluations_give_their_golden_output(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    reading = read_evaluation("p.eval.yml", Registry.installed(), root=folder)
    found = render(reading.diagnostics, "text")
    golden = folder / "told.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert reading.evaluation is None
    assert str(folder) not in found


def test_a_pipeline_without_a_name_is_told_once(tmp_path: Path) -> None:
    text = "version: 1\npipeline: ''\ncases: [{expected: 1}]\ngraders: {a: {expression: output == expected}}\n"
    assert [one.code for one in read(tmp_path, text, {"fake": FakeProvider()}).diagnostics] == ["E204"]


def test_cases_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text(
        '{"inputs": {"text": "a"}, "expected": {"x": 1}}\n\n{"name": "b", "inputs": {"text": "b"}}\n'
    )
    text = "version: 1\nfile: cases.jsonl\ngraders: {a: {expression: output == expected}}\n"
    reading = read(tmp_path, text, {"fake": FakeProvider()})
    assert reading.evaluation is not None, reading.diagnostics
    assert [(case.name, case.line, case.expected) for case in reading.evaluation.cases] == [
        ("case 1", 1, {"x": 1}),
        ("b", 3, None),
    ]


@pytest.mark.parametrize("key", ["name", "expected"])
def test_half_of_a_surrogate_pair_is_told_at_its_line(tmp_path: Path, key: str) -> None:
    second = json.dumps({"inputs": {"text": "b"}, key: "\ud800"})
    (tmp_path / "cases.jsonl").write_text(f'{{"inputs": {{"text": "a"}}}}\n{second}\n')
    text = "version: 1\nfile: cases.jsonl\ngraders: {a: {expression: output == expected}}\n"
    reading = read(tmp_path, text, {"fake": FakeProvider()})
    assert reading.evaluation is None
    (fault,) = reading.diagnostics
    assert (fault.line, fault.code) == (2, "E707") and "\\ud800" in fault.message


def test_a_number_too_large_for_a_log_is_told_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text('{"inputs": {"text": "a"}, "expected": 1e999}\n')
    text = "version: 1\nfile: cases.jsonl\ngraders: {a: {expression: output == expected}}\n"
    reading = read(tmp_path, text, {"fake": FakeProvider()})
    assert reading.evaluation is None
    (fault,) = reading.diagnostics
    assert (fault.line, fault.code) == (1, "E707")
    assert fault.message == "the line is no JSON: 1e999 is too large for a number"


def test_a_threshold_may_be_one_of_each_case(tmp_path: Path) -> None:
    text = "version: 1\ncases: [{inputs: {text: a}}]\ngraders: {a: {expression: output == 1}}\n"
    reading = read(tmp_path, text + "threshold: {case: 0.5, overall: 1}\n", {"fake": FakeProvider()}, PIPELINE)
    assert reading.evaluation is not None, reading.diagnostics
    assert (reading.evaluation.each, reading.evaluation.overall) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("condition", "gives"),
    [
        ("1", "a number"),
        ("'yes'", "text"),
        ("inputs", "an object"),
        ("output | length", "a whole number"),
        ("[]", "a list"),
    ],
)
def test_a_condition_that_gives_no_verdict_is_told(tmp_path: Path, condition: str, gives: str) -> None:
    judge = "{model: {provider: fake, model: m, prompt: x, pass: CONDITION}}".replace("CONDITION", f'"{condition}"')
    text = f'version: 1\ncases: [{{inputs: {{text: a}}}}]\ngraders: {{a: {{expression: "{condition}"}}, b: {judge}}}\n'
    reading = read(tmp_path, text, {"fake": FakeProvider()}, PIPELINE)
    assert reading.evaluation is not None, reading.diagnostics
    assert [(one.code, one.line) for one in reading.diagnostics] == [("W502", 3), ("W502", 3)]
    assert all(f"this one gives {gives}, which grades nothing" in one.message for one in reading.diagnostics)


@pytest.mark.parametrize("condition", ["output", "output.fine", "not output", "tokens < 5 or output", "inputs.a"])
def test_a_condition_that_may_give_one_is_not(tmp_path: Path, condition: str) -> None:
    text = f"version: 1\ncases: [{{inputs: {{text: a}}}}]\ngraders: {{a: {{expression: {condition}}}}}\n"
    assert read(tmp_path, text, {"fake": FakeProvider()}, PIPELINE).diagnostics == []
