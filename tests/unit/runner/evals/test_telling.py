"""What an evaluation tells of its cost is as sure as what a run tells, and its advice can be followed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.unit.runner.evals.conftest import PIPELINE, evaluated, read

from pipe_runner.evals.deciding import Decider, Tally, Verdict
from pipe_runner.evals.junit import junit
from pipe_runner.evals.telling import Text, as_json, sentence
from pipe_runner.models import ModelFault, Reason, Usage
from pipe_runner.testing import Answer, FakeProvider

EVAL = """\
version: 1
cases: [{name: fire, inputs: {text: it burns}, expected: high}]
graders: {severity: {expression: output.severity == expected}}
"""


def test_what_was_set_aside_is_told_as_a_bound(tmp_path: Path) -> None:
    cut = FakeProvider(ModelFault(Reason.TIMED_OUT, "cut off"), price=0.01)
    result = evaluated(tmp_path, EVAL, {"fake": cut})
    assert "; up to " in sentence(result)
    assert ", up to $0.01" in sentence(result)
    assert json.loads(as_json(result, "x"))["up_to"] is True
    sure = evaluated(tmp_path, EVAL, {"fake": FakeProvider(Answer({"severity": "high"}, cost=0.01))}, home="sure")
    assert "up to" not in sentence(sure)
    assert json.loads(as_json(sure, "x"))["up_to"] is False


def test_an_evaluation_that_has_passed_has_no_error_in_junit(tmp_path: Path) -> None:
    away, good = ModelFault(Reason.UNAVAILABLE, "away", sent=False), Answer({"severity": "high"})
    text = EVAL + "samples: 4\nthreshold: 0.5\nconcurrency: 1\n"
    result = evaluated(tmp_path, text, {"fake": FakeProvider(away, good)})
    assert (result.verdict, len(result.counted)) == (Verdict.PASSED, 3)
    suite = ElementTree.fromstring(junit(result))[0]
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("2", "0", "0")
    assert "fire.1: judge: unavailable: away" in (suite[0].findtext("system-out") or "")
    lost = evaluated(tmp_path, text, {"fake": FakeProvider(away)}, home="lost")
    assert ElementTree.fromstring(junit(lost))[0].get("errors") == "2"


def test_nearly_all_is_not_told_as_all(tmp_path: Path) -> None:
    result = evaluated(tmp_path, EVAL + "threshold: 0.99999\n", {"fake": FakeProvider({"severity": "high"})})
    decider = Decider(["fire"], 100_000, 0.99999, 0.0, 0.95)
    decider.all = decider.cases["fire"] = Tally(99_997, 100_000, 100_000)
    told: list[str] = []
    Text(told.append, quiet=False, colour=False).end(replace(result, decider=decider), "x")
    assert told[1].split("  ")[-2:] == ["99.997 %", "99.99 to 99.999 %\n"]
    assert "(99.997 %, bounds 99.99 to 99.999 %); wanted 99.999 %" in told[-1]


def test_a_name_that_is_shown_escaped_keeps_the_columns_in_line(tmp_path: Path) -> None:
    told: list[str] = []
    fake = FakeProvider(Answer({"severity": "high"}))
    result = evaluated(tmp_path, EVAL.replace("name: fire", 'name: "fi\\u001bre"'), {"fake": fake})
    Text(told.append, quiet=False, colour=False).end(result, "x")
    assert told[1].startswith("fi\\x1bre  1 of 1")
    assert told[0].index("passed") == told[1].index("1 of 1")


def test_a_budget_that_is_used_up_advises_no_resume_of_a_sample(tmp_path: Path) -> None:
    wordy = FakeProvider(Answer("nothing that fits", usage=Usage(1000, 2000)))
    paid = PIPELINE.replace("version: 1\n", "version: 1\nbudget: {max_tokens: 5k}\n").replace("reasks: 0", "reasks: 2")
    for number, (text, pipeline) in enumerate([(EVAL, paid), (EVAL + "budget: {max_tokens: 10}\n", PIPELINE)]):
        result = evaluated(tmp_path, text, {"fake": wordy}, pipeline, home=f"home{number}")
        assert "raise `budget.max_tokens` and run the evaluation again, or lower" in result.counted[0].why
        assert "pipe resume" not in result.counted[0].why


def test_a_grader_that_says_nothing_is_advised_to_say_something(tmp_path: Path) -> None:
    text = EVAL.replace("{severity: {expression: output.severity == expected}}", "{i: {}}")
    (fault,) = read(tmp_path, text, {"fake": FakeProvider()}).diagnostics
    assert (fault.code, fault.hint) == ("E212", "write `expression: output == expected`")


def test_thousands_of_cases_are_told_without_a_look_at_all_samples_for_each(tmp_path: Path, in_time: Any) -> None:
    result = evaluated(tmp_path, EVAL, {"fake": FakeProvider(Answer({"severity": "high"}))})
    (case,), (sample,) = result.evaluation.cases, result.counted
    names = [f"case {number}" for number in range(10_000)]
    many = replace(
        result,
        evaluation=replace(result.evaluation, cases=tuple(replace(case, name=name) for name in names)),
        counted=[replace(sample, case=name) for _ in range(2) for name in names],
        decider=Decider(names, 2, 1.0, 0.0, 0.95),
    )
    began = time.process_time()
    told, document = json.loads(as_json(many, "x")), junit(many)
    assert in_time(time.process_time() - began, 1.5)
    assert [len(one["samples"]) for one in told["cases"]] == [2] * 10_000
    assert document.count(b"<testcase") == 10_001


def test_the_one_line_of_quiet_says_why_a_sample_was_not_graded(tmp_path: Path) -> None:
    told: list[str] = []
    result = evaluated(tmp_path, EVAL, {"fake": FakeProvider(ModelFault(Reason.CREDENTIALS, "no key", sent=False))})
    Text(told.append, quiet=True, colour=False).end(result, "x")
    assert len(told) == 1 and "1 not graded (" in told[0] and "no key" in told[0]
