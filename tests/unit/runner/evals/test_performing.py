"""Samples are real runs: graded, bounded together, stopped when the result is decided, answered from recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.runner.evals.conftest import PIPELINE, evaluated

from pipe_runner.evals.deciding import Verdict
from pipe_runner.evals.performing import run_names
from pipe_runner.models import ModelFault, ModelRequest, Reason, Usage
from pipe_runner.runlog import read_log
from pipe_runner.testing import Answer, FakeProvider

EVAL = """\
version: 1
cases:
  - {name: fire, inputs: {text: it burns}, expected: high}
  - {name: dust, inputs: {text: some dust}, expected: low}
samples: 3
threshold: 0.8
graders: {severity: {expression: output.severity == expected}}
"""


def honest(request: ModelRequest) -> Answer:
    return Answer({"severity": "high" if "burns" in request.messages[-1].text else "low"})


@pytest.mark.parametrize("cases", [["a-3", "a", "a!"], ["a", "a!", "a-2", "a?"], ["!", "case-1", "case-2", "?"]])
def test_cases_whose_names_differ_in_signs_only_have_runs_of_their_own(cases: list[str]) -> None:
    names = run_names(cases)
    assert len(set(names.values())) == len(cases) and list(names) == cases


def test_samples_are_made_for_each_case_and_graded(tmp_path: Path) -> None:
    fake = FakeProvider(honest)
    result = evaluated(tmp_path, EVAL, {"fake": fake})
    assert result.verdict is Verdict.PASSED
    assert {name: (one.passed, one.graded) for name, one in result.decider.cases.items()} == {
        "fire": (3, 3),
        "dust": (2, 2),
    }
    assert [sample.run for sample in result.counted] == ["fire.1", "dust.1", "fire.2", "dust.2", "fire.3"]
    assert result.counted[0].tokens == 15 and result.counted[0].cost == 0.001
    log = tmp_path / ".pipe" / "home" / "runs" / "fire.1" / "log.jsonl"
    assert read_log(log).events[-1].data["status"] == "succeeded"


def test_every_sample_is_alone_in_the_pipeline_s_group(tmp_path: Path) -> None:
    pipeline = PIPELINE.replace("nodes:", "concurrency: {group: g, cancel_in_progress: true}\nnodes:", 1)
    pipeline = pipeline.replace("nodes:\n", "nodes:\n  first: {run: sleep 0.3}\n", 1).replace(
        "provider:", "needs: [first]\n    provider:", 1
    )
    result = evaluated(tmp_path, EVAL + "early_stop: false\nconcurrency: 3\n", {"fake": FakeProvider(honest)}, pipeline)
    assert {name: (one.passed, one.graded) for name, one in result.decider.cases.items()} == {
        "fire": (3, 3),
        "dust": (3, 3),
    }


def test_too_few_good_answers_end_it_early(tmp_path: Path) -> None:
    fake = FakeProvider({"severity": "low"})
    text = EVAL.replace("samples: 3", "samples: 100\nconcurrency: 1")
    result = evaluated(tmp_path, text, {"fake": fake})
    assert result.verdict is Verdict.FAILED
    assert len(result.counted) == len(fake.requests) == 10  # 5 of 10 at most: the bound is below 0.8
    assert result.stopped is None
    assert result.counted[0].why == 'severity: output.severity is "low", expected is "high"'


def test_without_an_early_stop_all_samples_are_made(tmp_path: Path) -> None:
    fake = FakeProvider({"severity": "low"})
    result = evaluated(tmp_path, EVAL + "early_stop: false\n", {"fake": fake})
    assert (result.verdict, len(fake.requests)) == (Verdict.FAILED, 6)


def test_a_run_that_fails_is_a_sample_that_fails(tmp_path: Path) -> None:
    fake = FakeProvider("no JSON at all")
    result = evaluated(tmp_path, EVAL, {"fake": fake})
    assert result.verdict is Verdict.FAILED
    assert result.counted[0].passed is False and "invalid_output" in result.counted[0].why


def test_a_service_that_is_away_decides_nothing(tmp_path: Path) -> None:
    fake = FakeProvider(ModelFault(Reason.UNAVAILABLE, "away", sent=False))
    result = evaluated(tmp_path, EVAL.replace("samples: 3", "samples: 20\nconcurrency: 1"), {"fake": fake})
    assert result.verdict is Verdict.UNDECIDED
    assert len(result.counted) == 5 and result.stopped == "the samples can't be graded"
    assert {sample.passed for sample in result.counted} == {None}


def test_without_a_key_no_second_sample_is_tried(tmp_path: Path) -> None:
    fake = FakeProvider(ModelFault(Reason.CREDENTIALS, "no key", sent=False))
    result = evaluated(tmp_path, EVAL + "concurrency: 1\n", {"fake": fake})
    assert (result.verdict, len(result.counted)) == (Verdict.UNDECIDED, 1)


def test_a_grader_that_cannot_say_is_no_verdict_on_the_answer(tmp_path: Path) -> None:
    fake = FakeProvider(honest)
    text = EVAL.replace("output.severity == expected", "output.nothing == expected")
    result = evaluated(tmp_path, text, {"fake": fake})
    assert result.verdict is Verdict.UNDECIDED
    assert result.counted[0].passed is None and "nothing" in result.counted[0].why


def test_gates_are_shared_by_all_samples(tmp_path: Path) -> None:
    fake = FakeProvider(Answer({"severity": "low"}, delay=0.02))
    text = EVAL.replace("samples: 3", "samples: 5\nconcurrency: 10\nearly_stop: false")
    evaluated(tmp_path, text, {"fake": fake}, services={"providers": {"fake": {"limits": {"concurrency": 2}}}})
    assert len(fake.requests) == 10
    assert fake.most == 2


def test_one_budget_bounds_all_samples_and_ends_it(tmp_path: Path) -> None:
    fake = FakeProvider(lambda request: replace(honest(request), cost=0.01, delay=0.01), price=0.01)
    text = EVAL.replace("samples: 3", "samples: 50\nconcurrency: 20\nearly_stop: false\nbudget: {max_cost: 0.1}")
    result = evaluated(tmp_path, text, {"fake": fake})
    assert result.verdict is Verdict.UNDECIDED
    assert result.stopped == "the budget of the evaluation is used up"
    assert len(fake.requests) == 10
    assert result.together.spent.all_cost == 100_000_000
    assert result.decider.all.graded == 10  # what was paid for counts


PAID = PIPELINE.replace("version: 1\n", "version: 1\nbudget: {max_cost: 1}\n")
ITEMS = PAID.replace("  judge:", "  judge:\n    for_each: {items: ['{{ inputs.text }}']}").replace("t.severity", "t")


@pytest.mark.parametrize(("pipeline", "budget"), [(PIPELINE, "budget: {max_cost: 1}\n"), (PAID, ""), (ITEMS, "")])
def test_a_price_that_nobody_knows_is_no_bad_answer(tmp_path: Path, pipeline: str, budget: str) -> None:
    fake = FakeProvider(honest, price=None)
    result = evaluated(tmp_path, EVAL + budget, {"fake": fake}, pipeline)
    assert (result.verdict, result.decider.all.graded, fake.requests) == (Verdict.UNDECIDED, 0, [])
    assert {sample.passed for sample in result.counted} == {None}
    assert "the price of model fake-1 of provider fake is not known" in result.counted[0].why


def test_a_model_that_declines_has_answered(tmp_path: Path) -> None:
    fake = FakeProvider(ModelFault(Reason.REFUSED, "no"))
    result = evaluated(tmp_path, EVAL, {"fake": fake}, PAID)
    assert (result.verdict, result.counted[0].passed) == (Verdict.FAILED, False)


def test_a_budget_of_a_run_decides_nothing_where_it_let_no_model_be_asked(tmp_path: Path) -> None:
    pipeline = PAID.replace("max_cost: 1", "max_tokens: 10")
    fake = FakeProvider(honest)
    result = evaluated(tmp_path, EVAL, {"fake": fake}, pipeline)
    assert (result.verdict, result.counted[0].passed, fake.requests) == (Verdict.UNDECIDED, None, [])
    again = pipeline.replace("max_tokens: 10", "max_tokens: 5k").replace("max_reasks: 0", "max_reasks: 2")
    wordy = FakeProvider(Answer("nothing that fits", usage=Usage(1000, 2000)))
    result = evaluated(tmp_path, EVAL, {"fake": wordy}, again, home="again")
    assert (result.verdict, result.counted[0].passed) == (Verdict.FAILED, False)
    assert "judge: budget: " in result.counted[0].why


def test_what_was_paid_for_counts_whoever_comes_too_late_for_the_budget(tmp_path: Path) -> None:
    pipeline = """\
version: 1
inputs: {wait: {type: number}}
nodes:
  first: {run: "sleep {{ inputs.wait }}"}
  ask: {needs: [first], agent: llm, provider: fake, with: {prompt: x}}
"""
    text = """\
version: 1
node: ask
cases: [{inputs: {wait: 1}}, {inputs: {wait: 1}}, {inputs: {wait: 0}}, {inputs: {wait: 0}}]
early_stop: false
budget: {max_cost: 0.02}
graders: {any: {expression: output == 'fine'}}
"""
    fake = FakeProvider(Answer("fine", cost=0.01), price=0.01)
    result = evaluated(tmp_path, text, {"fake": fake}, pipeline)
    assert result.stopped == "the budget of the evaluation is used up"
    assert [sample.passed for sample in result.counted] == [None, True, True]


def test_a_node_is_graded_with_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    pipeline = """\
version: 1
inputs: {text: {type: string}}
nodes:
  long: {run: "printf %s {{ inputs.text }} | wc -c", output: json}
  after: {run: "touch after; echo {{ nodes.long.output }}"}
"""
    text = """\
version: 1
node: long
cases: [{inputs: {text: four}, expected: 4}]
samples: 2
graders: {n: {expression: output == expected}, s: {schema: {type: integer, maximum: 4}}}
"""
    result = evaluated(tmp_path, text, {}, pipeline)
    assert result.verdict is Verdict.PASSED and len(result.counted) == 2
    assert not (tmp_path / "after").exists()


def test_a_schema_says_where_an_answer_does_not_fit(tmp_path: Path) -> None:
    text = EVAL.replace("expression: output.severity == expected", "schema: {properties: {severity: {pattern: ^h}}}")
    result = evaluated(tmp_path, text, {"fake": FakeProvider({"severity": "low"})})
    assert result.counted[0].why == 'severity: output.severity: not as pattern: "^h"'


def test_a_value_that_a_schema_lets_nobody_give_is_told_so(tmp_path: Path) -> None:
    text = EVAL.replace("expression: output.severity == expected", "schema: {properties: {severity: false}}")
    result = evaluated(tmp_path, text, {"fake": FakeProvider({"severity": "low"})})
    assert result.counted[0].why == "severity: output.severity: must not be there"


@pytest.mark.parametrize("keyword", ["additionalProperties", "unevaluatedProperties"])
def test_a_schema_names_properties_by_patterns_of_any_script(tmp_path: Path, keyword: str) -> None:
    schema = f"{{patternProperties: {{'^\\p{{L}}+$': {{enum: [low]}}}}, {keyword}: false}}"
    text = EVAL.replace("{expression: output.severity == expected}", f"{{schema: {schema}}}")
    result = evaluated(tmp_path, text, {"fake": FakeProvider({"severity": "low"})})
    assert (result.verdict, result.counted[0].why) == (Verdict.PASSED, "")


def test_a_model_judges_within_the_budget_and_is_not_asked_in_vain(tmp_path: Path) -> None:
    fake = FakeProvider(honest)
    judge = FakeProvider(lambda request: Answer({"good": "burns" in request.messages[-1].text}))
    text = EVAL.replace(
        "graders: {",
        "graders: {tone: {model: {provider: judge, prompt: 'Good? {{ inputs.text }}: {{ output.severity }}', "
        "output_schema: {type: object, properties: {good: {type: boolean}}}, pass: answer.good}}, ",
    ).replace("samples: 3", "samples: 1\nbudget: {max_tokens: 1M}")
    result = evaluated(tmp_path, text, {"fake": fake, "judge": judge})
    assert [sample.passed for sample in result.counted] == [True, False]
    assert result.counted[1].why == "tone: answer.good is false"
    assert judge.requests[0].messages[-1].text == "Good? it burns: high"
    assert result.together.spent.tokens == 4 * 15
    assert (tmp_path / ".pipe" / "home" / "runs" / "fire.1.tone" / "log.jsonl").exists()

    again = FakeProvider({"severity": "high"})
    evaluated(tmp_path, text.replace("high}", "low}"), {"fake": again, "judge": judge}, home="other")
    assert len(judge.requests) == 2  # both answers were wrong already


def test_what_a_pipeline_answers_is_never_a_template_of_a_judge(tmp_path: Path) -> None:
    fake, judge = FakeProvider("{{ inputs.text }} {% raw %}"), FakeProvider("fine")
    pipeline = (
        "version: 1\ninputs: {text: {type: string}}\nnodes: {a: {agent: llm, provider: fake, with: {prompt: x}}}\n"
    )
    text = """\
version: 1
node: a
cases: [{inputs: {text: hidden}}]
graders: {m: {model: {provider: judge, prompt: "{{ output }}", pass: answer == "fine"}}}
"""
    result = evaluated(tmp_path, text, {"fake": fake, "judge": judge}, pipeline)
    assert result.verdict is Verdict.PASSED
    assert judge.requests[0].messages[-1].text == "{{ inputs.text }} {% raw %}"


@pytest.mark.parametrize("concurrency", [1, 7])
def test_a_recorded_evaluation_is_replayed_with_the_same_result(tmp_path: Path, concurrency: int) -> None:
    count = 0

    def moody(request: ModelRequest) -> Answer:
        nonlocal count
        count += 1
        return Answer({"severity": "high" if count % 3 else "low"}, delay=0.01)

    text = EVAL.replace("samples: 3", "samples: 8\nconcurrency: 4")
    folder = str(tmp_path / "rec")
    first = evaluated(tmp_path, text, {"fake": FakeProvider(moody)}, record=folder)
    silent = FakeProvider(ModelFault(Reason.UNAVAILABLE, "nobody is to be asked"))
    text = text.replace("concurrency: 4", f"concurrency: {concurrency}")
    again = evaluated(tmp_path, text, {"fake": silent}, replay=folder, home="again")
    assert silent.requests == []
    assert again.verdict is first.verdict
    assert [(s.run, s.passed) for s in again.counted] == [(s.run, s.passed) for s in first.counted]


def test_results_are_not_taken_from_the_cache_of_another_sample(tmp_path: Path) -> None:
    pipeline = 'version: 1\nnodes: {a: {run: "echo x >> ran; wc -l < ran", output: json, cache: true}}\n'
    text = """\
version: 1
node: a
concurrency: 1
samples: 3
cases: [{expected: 1}]
graders: {new: {expression: output > 0}}
"""
    result = evaluated(tmp_path, text, {}, pipeline)
    assert [sample.output for sample in result.counted] == [1, 2, 3]


def test_time_that_is_up_ends_what_runs(tmp_path: Path) -> None:
    pipeline = "version: 1\nnodes: {a: {run: sleep 30}}\n"
    text = """\
version: 1
node: a
samples: 3
budget: {max_time: 300ms}
cases: [{expected: 1}]
graders: {new: {expression: output == ""}}
"""
    result = evaluated(tmp_path, text, {}, pipeline)
    assert result.verdict is Verdict.UNDECIDED and result.seconds < 10
    assert result.stopped == "it took longer than 0.3 s"


def test_a_slow_sample_hides_none_of_those_that_were_graded_before_the_time_was_up(tmp_path: Path) -> None:
    pipeline = "version: 1\ninputs: {wait: {type: number}}\nnodes: {a: {run: 'sleep {{ inputs.wait }}'}}\n"
    text = """\
version: 1
node: a
samples: 2
early_stop: false
budget: {max_time: 2s}
cases: [{name: slow, inputs: {wait: 30}}, {name: quick, inputs: {wait: 0}, expected: ""}]
graders: {same: {expression: output == expected}}
"""
    result = evaluated(tmp_path, text, {}, pipeline)
    assert result.stopped == "it took longer than 2 s" and result.verdict is Verdict.UNDECIDED
    assert [(sample.run, sample.passed) for sample in result.counted] == [("quick.1", True), ("quick.2", True)]


def test_a_judge_without_a_key_ends_it_as_a_pipeline_without_one_does(tmp_path: Path) -> None:
    judge = FakeProvider(ModelFault(Reason.CREDENTIALS, "no key", sent=False))
    grader = "{model: {provider: judge, prompt: x, pass: answer == 'good'}}"
    text = EVAL.replace("{expression: output.severity == expected}", grader) + "concurrency: 1\n"
    result = evaluated(tmp_path, text, {"fake": FakeProvider(honest), "judge": judge})
    assert (result.verdict, len(result.counted)) == (Verdict.UNDECIDED, 1)
    assert result.stopped == "the samples can't be graded"


def test_a_run_that_nobody_recorded_says_so_and_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rec").mkdir()
    monkeypatch.chdir(tmp_path)
    result = evaluated(tmp_path, EVAL, {"fake": FakeProvider("nobody asks")}, replay=str(tmp_path / "rec"))
    sample = result.counted[0]
    mend = "make them with `pipe eval p.eval.yml --record rec`"
    assert f"rec has no recordings of run {sample.run}; {mend}" in sample.why
    assert not list((tmp_path / ".pipe").rglob("nothing-recorded"))


def test_how_recordings_are_made_is_said_as_a_shell_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my rec").mkdir()
    monkeypatch.chdir(tmp_path)
    result = evaluated(tmp_path, EVAL, {"fake": FakeProvider("nobody asks")}, replay=str(tmp_path / "my rec"))
    assert "make them with `pipe eval p.eval.yml --record 'my rec'`" in result.counted[0].why
