"""What stands in the file is what stands in the plan: options, environment, policies, defaults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.compiler import Compilation, compile_file
from pipe_runner.plan import NO_RETRY, Plan, PlannedNode, RetryPolicy
from pipe_runner.plandata import plan_from_json, plan_to_json
from pipe_runner.registry import Registry
from pipe_runner.types import Effect, RunOn

DATA = Path(__file__).parents[3] / "data"

Planned = Callable[[str], Plan]


def options_of(node: PlannedNode) -> Any:
    return node.options.data


def test_a_command_without_values_is_plain_data(planned: Planned) -> None:
    (node,) = planned("nodes: {a: {run: echo hello}}\n").nodes
    assert node.agent == "shell"
    assert node.options.static
    assert node.options.data == {"script": "echo hello"}
    assert (node.retry, node.timeout, node.run_on, node.effect) == (NO_RETRY, None, RunOn.SUCCESS, Effect.IDEMPOTENT)
    assert node.title == "echo hello"


def test_values_of_shell_text_become_variables(planned: Planned) -> None:
    (node,) = planned(
        "inputs: {x: {}}\nnodes: {a: {run: 'echo {{ inputs.x }} $(( {{ inputs.x | int }} + 1 ))'}}\n"
    ).nodes
    assert not node.options.static
    assert options_of(node)["script"].startswith('echo "${PIPE_V1}"')
    assert options_of(node)["integers"] == ["PIPE_V2"]


def test_arguments_are_text(planned: Planned) -> None:
    (node,) = planned("nodes: {a: {argv: [echo, 5, true, 2.5, yes]}}\n").nodes
    assert node.options.data == {"argv": ["echo", "5", "true", "2.5", "yes"]}


def test_keys_that_look_like_marks_of_a_plan_stay_data(planned: Planned) -> None:
    kwargs = "{$: '{{ inputs.x }}', b: {$text: 1}}"
    text = f"inputs: {{x: {{}}}}\nnodes: {{a: {{agent: python, with: {{call: 'm:f', kwargs: {kwargs}}}}}}}\n"
    (node,) = planned(text).nodes
    marked = options_of(node)["kwargs"]["$map"]
    assert [pair[0] for pair in marked] == ["$", "b"]
    assert marked[1][1] == {"$map": [["$text", 1]]}


def test_a_static_map_is_not_marked(planned: Planned) -> None:
    (node,) = planned("nodes: {a: {agent: python, with: {call: 'm:f', kwargs: {$: 1}}}}\n").nodes
    assert node.options.static
    assert node.options.data == {"call": "m:f", "kwargs": {"$": 1}}


def test_raw_blocks_are_gone_from_static_values(planned: Planned) -> None:
    text = "nodes: {a: {agent: python, with: {call: 'm:f', args: ['{% raw %}{{x}}{% endraw %}']}}}\n"
    (node,) = planned(text).nodes
    assert node.options.static
    assert node.options.data == {"call": "m:f", "args": ["{{x}}"]}


def test_defaults_are_merged(planned: Planned) -> None:
    plan = planned(
        """
        defaults: {timeout: 10m, max_time: 1h, retry: {max_attempts: 2, delay: 5s}, shell: bash, cwd: .}
        nodes:
          plain: {run: echo}
          own: {run: echo, timeout: 5s, retry: 4, shell: sh, cwd: ./}
          other: {agent: python, with: {call: "m:f"}}
        """
    )
    by_id = plan.by_id()
    assert by_id["plain"].timeout == 600
    assert by_id["plain"].max_time == 3600
    assert by_id["plain"].retry == RetryPolicy(max_attempts=2, delay=5.0)
    assert by_id["plain"].options.data == {"script": "echo", "shell": "bash", "cwd": "."}
    assert by_id["own"].timeout == 5
    assert by_id["own"].retry == RetryPolicy(max_attempts=4), "a node's retry replaces the default whole"
    assert by_id["own"].options.data == {"script": "echo", "cwd": "./"}
    assert by_id["other"].options.data == {"call": "m:f"}


def test_a_retry_is_read_whole(planned: Planned) -> None:
    text = """
    nodes:
      a:
        run: echo
        retry: {max_attempts: 5, delay: 250ms, backoff: constant, max_delay: 1m, jitter: true, on: [timeout, "exit:75"]}
    """
    (node,) = planned(text).nodes
    assert node.retry == RetryPolicy(5, 0.25, "constant", 60.0, True, ("timeout", "exit:75"))


def test_the_run_is_bounded_as_the_file_says(planned: Planned) -> None:
    plan = planned(
        "concurrency: {max_parallel: 3}\nfail_fast: true\nbudget: {max_time: 30m}\nnodes: {a: {run: echo}}\n"
    )
    assert (plan.concurrency, plan.fail_fast, plan.max_time) == (3, True, 1800)


def test_concurrency_is_16_where_nobody_says(planned: Planned) -> None:
    assert planned("nodes: {a: {run: echo}}\n").concurrency == 16


def test_validation_at_run_time_is_asked_for_only_where_a_template_could_break_an_option(planned: Planned) -> None:
    plan = planned(
        """
        inputs: {n: {type: integer}, o: {type: object}}
        nodes:
          any: {agent: python, with: {call: "m:f", args: ["{{ inputs.o }}"]}}
          bounded: {agent: http, with: {url: "https://example.com/", max_bytes: "{{ inputs.n }}"}}
          static: {agent: http, with: {url: "https://example.com/", max_bytes: 5}}
        """
    )
    assert {node.id: node.validate_options for node in plan.nodes} == {"any": False, "bounded": True, "static": False}


def test_places_count_from_one(planned: Planned) -> None:
    plan = planned("# first\nnodes:\n\n  a: {run: echo}\n  # between\n  b:\n    run: echo\nfinally: {c: {run: echo}}\n")
    assert [(node.line, node.column) for node in plan.nodes] == [(5, 3), (7, 3), (9, 11)]


@pytest.mark.parametrize("file", sorted((DATA / "ok").glob("*.yml")), ids=lambda file: file.stem)
def test_a_plan_survives_json(file: Path, registry: Registry) -> None:
    plan = compile_file(file, root=file.parent, registry=registry).plan
    assert plan is not None
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_warnings_stay_with_the_plan(compiled: Callable[[str], Compilation]) -> None:
    compilation = compiled("nodes: {a: {run: echo}, b: {run: echo, when: nodes.a.output > 0}}\n")
    plan = compilation.plan
    assert plan is not None
    assert [warning["code"] for warning in plan.warnings] == ["W501"]
    assert plan.warnings[0]["severity"] == "warning"
