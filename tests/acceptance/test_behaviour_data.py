"""What docs/behaviour.md compares with other systems: fan-out, output and environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipe_runner.testing import FinishedRun, run_pipeline


def run(text: str, **given: Any) -> FinishedRun:
    return run_pipeline(f"version: 1\n{text}", **given)


# Fan-out


def test_results_stand_in_the_order_of_the_items() -> None:
    done = run("nodes: {n: {for_each: {items: [3, 1, 2]}, run: 'sleep 0.{{ item }}; echo {{ item }}'}}")
    assert [(r["key"], r["output"]) for r in done.output("n")] == [("0", "3"), ("1", "1"), ("2", "2")]
    ended = [e.node for e in done.events if e.event == "node.succeeded"]
    assert ended == ["n[1]", "n[2]", "n[0]", "n"]


def test_an_empty_list_succeeds_with_an_empty_list_and_dependents_run() -> None:
    done = run(
        "nodes:\n"
        "  a: {run: 'echo []', output: json}\n"
        "  n: {for_each: {items: '{{ nodes.a.output }}'}, run: exit 1}\n"
        "  after: {run: 'echo {{ nodes.n.output | length }}'}\n"
    )
    assert done.statuses == {"a": "succeeded", "n": "succeeded", "after": "succeeded"}
    assert (done.output("n"), done.output("after")) == ([], "0")


@pytest.mark.parametrize("value", ['"1,2"', '{"a": 1}', "null", "3"])
def test_what_is_no_list_fails_the_node(value: str) -> None:
    done = run(
        f"nodes:\n  a: {{argv: [echo, '{value}'], output: json}}\n"
        "  n: {for_each: {items: '{{ nodes.a.output }}'}, run: echo}\n"
    )
    assert done.statuses == {"a": "succeeded", "n": "failed"}
    assert "not a list" in done.node("n").error["message"]


def test_a_failed_item_stops_no_other_and_fails_the_node() -> None:
    done = run(
        "nodes:\n"
        "  n: {for_each: {items: [1, 0, 0], max_parallel: 1}, run: 'exit {{ item }}'}\n"
        "  after: {needs: n, run: echo}\n"
    )
    assert [r["status"] for r in done.output("n")] == ["failed", "succeeded", "succeeded"]
    assert done.statuses == {"n": "failed", "after": "blocked"}


def test_a_skipped_item_keeps_its_place_among_the_results() -> None:
    done = run("nodes: {n: {for_each: {items: [1, 2, 3]}, when: item != 2, run: 'echo {{ item }}'}}")
    assert [(r["status"], r["output"]) for r in done.output("n")] == [
        ("succeeded", "1"),
        ("skipped", None),
        ("succeeded", "3"),
    ]


def combinations(matrix: str) -> list[dict[str, Any]]:
    done = run(
        f"nodes: {{n: {{matrix: {matrix}, agent: give, with: {{value: '{{{{ matrix }}}}'}}}}}}",
        agents={"give": lambda options: options["value"]},
    )
    assert done.status == "succeeded"
    return [result["output"] for result in done.output("n")]


def test_an_entry_of_include_is_added_where_it_changes_nothing_or_is_a_combination_of_its_own() -> None:
    assert combinations(
        "{fruit: [apple, pear], animal: [cat, dog], include: [{color: green}, {color: pink, animal: cat}, "
        "{fruit: apple, shape: circle}, {fruit: banana}, {fruit: banana, animal: cat}]}"
    ) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_exclude_matches_in_part_and_include_can_add_back_what_it_took() -> None:
    assert combinations("{os: [a, b], v: [1, 2], exclude: [{os: a}], include: [{os: a, v: 2}]}") == [
        {"os": "b", "v": 1},
        {"os": "b", "v": 2},
        {"os": "a", "v": 2},
    ]


# Output


@pytest.mark.parametrize(
    ("printed", "output"),
    [("a\\n", "a"), ("a\\n\\n\\n", "a"), (" a \\t\\n", " a \t"), ("\\na", "\na"), ("a\\nb\\n", "a\nb"), ("\\n", "")],
)
def test_text_loses_its_final_newlines_and_nothing_else(printed: str, output: str) -> None:
    assert run(f"nodes: {{n: {{argv: [printf, '{printed}']}}}}").output("n") == output


@pytest.mark.parametrize(
    ("printed", "value"), [("0", 0), ("false", False), ('""', ""), ("null", None), ("[1]", [1]), ('"5"', "5")]
)
def test_output_is_text_unless_json_is_asked_for_which_keeps_types(printed: str, value: Any) -> None:
    done = run(
        f"nodes:\n  text: {{argv: [echo, '{printed}']}}\n  json: {{argv: [echo, '{printed}'], output: json}}\n"
        "outputs: {text: '{{ nodes.text.output }}', json: '{{ nodes.json.output }}'}\n"
    )
    assert done.outputs["text"] == printed
    assert (type(done.outputs["json"]), done.outputs["json"]) == (type(value), value)


def test_output_that_is_not_the_json_it_should_be_fails_the_node() -> None:
    done = run("nodes: {n: {run: echo nonsense, output: json}}")
    assert done.statuses == {"n": "failed"}
    assert done.node("n").error["kind"] == "invalid_output"


def test_output_beyond_the_limit_is_cut_and_fails_nothing() -> None:
    done = run("nodes: {n: {run: 'head -c 16777300 /dev/zero | tr \"\\\\0\" x'}}")
    assert done.status == "succeeded"
    assert len(done.output("n")) == 16 * 2**20
    (ended,) = [e for e in done.events if e.event == "node.succeeded"]
    assert ended.data["truncated"]["bytes"] == 16777300


# Environment


def test_the_most_specific_variable_wins_and_leaks_to_no_sibling() -> None:
    done = run(
        "env: {A: pipeline, B: pipeline}\n"
        "nodes:\n"
        "  one: {run: 'echo $A $B; export A=changed', env: {A: node}}\n"
        "  two: {needs: one, run: 'echo $A $B'}\n"
    )
    assert done.output("one") == "node pipeline"
    assert done.output("two") == "pipeline pipeline"


def test_a_command_sees_a_short_list_of_the_runner_s_variables(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_SECRET_ACCESS_KEY": "no", "MINE": "no"}
    done = run("nodes: {n: {run: 'env | cut -d= -f1 | sort', output: lines}}", environ=environ)
    names = {name for name in done.output("n") if not name.startswith("PIPE_")}
    assert {"PATH", "HOME"} <= names
    assert not names & {"AWS_SECRET_ACCESS_KEY", "MINE"}
