"""`cache` and `artifacts` in a plan: what they hold, and that a kept plan has them whole."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pipe_runner.compiler import Compilation
from pipe_runner.plan import CachePolicy, Plan, Value
from pipe_runner.plandata import plan_from_json, plan_to_json

Compile = Callable[[str], Compilation]


def plan_of(compiled: Compile, node: str) -> Plan:
    plan = compiled(f"inputs: {{x: {{default: a}}}}\nnodes: {{n: {{{node}}}}}\n").plan
    assert plan is not None
    return plan


def policy(compiled: Compile, node: str) -> CachePolicy:
    found = plan_of(compiled, node).nodes[0].cache
    assert found is not None
    return found


def test_a_plan_with_a_cache_and_artifacts_survives_being_kept(compiled: Compile) -> None:
    plan = plan_of(
        compiled,
        "run: echo, cache: {key: 'k{{ inputs.x }}', files: [a, 'b/**'], ttl: 1h}, artifacts: [{name: x, path: y}]",
    )
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    (node,) = plan.nodes
    assert node.artifacts == (("x", "y"),)
    assert node.cache is not None
    assert (node.cache.files, node.cache.ttl, node.cache.key.static) == (("a", "b/**"), 3600.0, False)


def test_true_an_empty_map_and_nothing(compiled: Compile) -> None:
    assert policy(compiled, "run: echo, cache: true")[1:] == (Value(""), (), None)
    assert policy(compiled, "run: echo, cache: {}") == policy(compiled, "run: echo, cache: true")
    assert plan_of(compiled, "run: echo, cache: false").nodes[0].cache is None
    assert plan_of(compiled, "run: echo").nodes[0].cache is None


@pytest.mark.parametrize(
    "more", ["retry: 3", "timeout: 1s", "description: x", "when: 1 < 2", "x-mine: 1", "matrix: {a: [1]}"]
)
def test_what_only_says_when_a_node_runs_is_not_in_its_digest(compiled: Compile, more: str) -> None:
    plain = policy(compiled, "run: echo, cache: true").digest
    assert policy(compiled, f"run: echo, cache: true, {more}").digest == plain


@pytest.mark.parametrize("more", ["shell: bash", "env: {A: b}", "output: lines", "artifacts: [{name: x, path: y}]"])
def test_what_its_output_depends_on_is(compiled: Compile, more: str) -> None:
    plain = policy(compiled, "run: echo, cache: true").digest
    assert policy(compiled, f"run: echo, cache: true, {more}").digest != plain


def test_the_file_of_a_function_counts(compiled: Compile) -> None:
    assert policy(compiled, "agent: python, with: {call: 'tools/[a].py:f'}, cache: true").files == ("tools/[[]a].py",)
    assert policy(compiled, "agent: python, with: {call: 'json:dumps', args: [1]}, cache: true").files == ()
