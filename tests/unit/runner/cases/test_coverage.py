"""Which branches the cases of a pipeline have taken, and which they have not."""

from __future__ import annotations

from collections.abc import Callable

from pipe_runner.cases.coverage import Collector, Coverage, percent
from pipe_runner.cases.performing import CaseResult

Performed = Callable[[str, str], list[CaseResult]]

PIPELINE = """
inputs: {x: {type: integer, default: 0}}
nodes:
  plain: {run: echo, retry: 2}
  positive: {when: inputs.x > 0, run: "echo {{ inputs.x }}"}
  blocked: {run: echo, run_on: failure, needs: plain}
on_failure: {alarm: {run: echo}}
finally: {tidy: {run: echo}}
"""


def coverage(results: list[CaseResult]) -> Coverage:
    suite = results[0].suite
    collector = Collector("p.yml", suite.plan)
    for result in results:
        collector.see(result.events)
    return collector.coverage()


def missed(results: list[CaseResult]) -> list[str]:
    return [f"{one.line} {one.node} {one.branch}" for one in coverage(results).missed]


def test_one_good_case_takes_one_side_only(performed: Performed) -> None:
    results = performed(PIPELINE, "it: {mock: {'*': {}}}")
    assert missed(results) == [
        "5 plain was never retried",
        "6 positive had no true condition",
        "7 blocked never ran",
        "8 alarm never handled a failure",
    ]
    assert (coverage(results).total, coverage(results).covered) == (7, 3)


def test_cases_add_up(performed: Performed) -> None:
    results = performed(
        PIPELINE,
        """
        good: {mock: {'*': {}}, inputs: {x: 1}}
        bad: {mock: {'*': {}, plain: {error: {}}}, expect: {status: failed}}
        """,
    )
    assert missed(results) == []
    assert percent([coverage(results)]) == 100.0


def test_a_condition_that_fails_is_neither(performed: Performed) -> None:
    pipeline = "nodes: {a: {run: echo, output: json}, b: {when: nodes.a.output.x > 0, run: echo}}"
    results = performed(pipeline, "it: {mock: {a: {output: {}}}, expect: {status: failed}}")
    assert missed(results) == ["2 b had no true condition", "2 b had no false condition"]


def test_a_node_whose_values_can_not_be_had_had_its_turn(performed: Performed) -> None:
    pipeline = "nodes: {a: {run: echo, output: json}, b: {when: true, run: 'echo {{ nodes.a.output.x }}'}}"
    results = performed(pipeline, "it: {mock: {a: {output: {}}}, expect: {status: failed}}")
    assert missed(results) == []


def test_nothing_to_take_is_taken_whole() -> None:
    assert percent([]) == 100.0
