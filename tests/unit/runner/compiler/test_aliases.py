"""Keys of other systems are explained by keys that are really ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from pipe_runner.compiler import Compilation, aliases
from pipe_runner.compiler.contexts import keys_of
from pipe_schemas.fields import Closed
from pipe_schemas.inputs import InputSpec
from pipe_schemas.nodes import AgentNode, ArgvNode, PipelineNode, RetrySpec, RunNode
from pipe_schemas.pipeline import ConcurrencySpec, DefaultsSpec, PipelineSpec, SecretSpec

TABLES: list[tuple[str, Mapping[str, str], tuple[type[Closed], ...]]] = [
    ("top", aliases.TOP, (PipelineSpec,)),
    ("node", aliases.NODE, (RunNode, ArgvNode, AgentNode, PipelineNode)),
    ("retry", aliases.RETRY, (RetrySpec,)),
    ("concurrency", aliases.CONCURRENCY, (ConcurrencySpec,)),
    ("defaults", aliases.DEFAULTS, (DefaultsSpec,)),
    ("input", aliases.INPUT, (InputSpec,)),
    ("secret", aliases.SECRET, (SecretSpec,)),
]
EVERY_KEY = {key for _, _, models in TABLES for model in models for key in keys_of(model)}


@pytest.mark.parametrize(("name", "table", "models"), TABLES, ids=[name for name, _, _ in TABLES])
def test_no_key_of_ours_is_taken_for_a_foreign_one(
    name: str, table: Mapping[str, str], models: tuple[type[Closed], ...]
) -> None:
    ours = {key for model in models for key in keys_of(model)}
    assert ours & table.keys() == set()


@pytest.mark.parametrize(("name", "table", "models"), TABLES, ids=[name for name, _, _ in TABLES])
def test_a_hint_names_a_key_that_there_is(
    name: str, table: Mapping[str, str], models: tuple[type[Closed], ...]
) -> None:
    for foreign, hint in table.items():
        for key in re.findall(r"write `([a-z_A-Z]+):", hint):
            assert key in EVERY_KEY, f"{foreign}: {hint}"


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("depends_on: [b]", "needs:"),
        ("if: 'true'", "when:"),
        ("uses: x", "agent:"),
        ("timeout-minutes: 5", "timeout:"),
        ("retries: 3", "retry:"),
        ("environment: {A: b}", "env:"),
        ("script: make", "run:"),
        ("command: make", "run:"),
        ("image: alpine", "docker run"),
        ("steps: []", "the one before in its `needs:`"),
        ("stage: build", "needs:"),
        ("tags: [linux]", "leave it out"),
        ("only: [main]", "when:"),
        ("before_script: [make]", "run:"),
        ("after_script: [make]", "run_on: always"),
        ("resource_group: prod", "concurrency: {group"),
        ("environment: production", "agent: approval"),
    ],
)
def test_aliases_from_other_systems_get_an_error_that_names_ours(
    compiled: Callable[[str], Compilation], foreign: str, ours: str
) -> None:
    compilation = compiled(f"nodes:\n  a:\n    run: echo\n    {foreign}\n  b: {{run: echo}}\n")
    (fault,) = compilation.diagnostics
    assert fault.code == "E208"
    assert (fault.line, fault.column) == (5, 5)
    assert fault.hint is not None
    assert ours in fault.hint


@pytest.mark.parametrize(
    ("text", "column", "code", "ours"),
    [
        ("cache: {paths: [x]}", 13, "E208", "`artifacts:`"),
        ("needs: [{job: b}]", 13, "E203", "write the node's id: `b`"),
        ("matrix: {os: [a], fail-fast: false}", 34, "E203", "the others go on"),
        ("matrix: {matrix: {os: [a]}}", 22, "E203", "directly under the node's `matrix:`"),
        ("when: manual", 11, "E410", "agent: approval"),
        ("when: on_failure", 11, "E410", "run_on: failure"),
        ("when: 'yes'", 12, "E410", "write true"),
        ("when: nodes.b.outcome == 'x'", 11, "E413", "nodes.b.status"),
    ],
)
def test_what_other_systems_write_into_a_key_that_we_have_gets_an_error_that_says_ours(
    compiled: Callable[[str], Compilation], text: str, column: int, code: str, ours: str
) -> None:
    (fault,) = compiled(f"nodes:\n  a:\n    run: echo\n    {text}\n  b: {{run: echo}}\n").diagnostics
    assert (fault.code, fault.line, fault.column) == (code, 5, column)
    assert fault.hint is not None
    assert ours in fault.hint


def test_a_job_at_the_top_of_a_file_is_told_to_be_a_node(compiled: Callable[[str], Compilation]) -> None:
    (fault,) = compiled("nodes:\n  a: {run: echo}\nbuild-app: {stage: build, script: make}\n").diagnostics
    assert (fault.code, fault.hint) == ("E201", "nodes stand in a map: `nodes: {build_app: …}`")
    (fault,) = compiled("nodes:\n  a: {run: echo}\nconcurency: {max_parallel: 2}\n").diagnostics
    assert fault.hint == "did you mean `concurrency`?"


def test_a_foreign_key_beside_nothing_else_is_told_once(compiled: Callable[[str], Compilation]) -> None:
    compilation = compiled("nodes:\n  a: {script: make}\n")
    assert [d.code for d in compilation.diagnostics] == ["E208"]


def test_x_keys_are_free_wherever_keys_are_fixed(compiled: Callable[[str], Compilation]) -> None:
    compilation = compiled(
        """
        x-top: 1
        inputs: {a: {x-i: 1}}
        secrets: {S: {from: env, x-s: 1}}
        defaults: {x-d: 1}
        concurrency: {max_parallel: 2, x-c: 1}
        budget: {x-b: 1}
        nodes:
          a: {run: echo, x-n: [1], retry: {max_attempts: 2, x-r: 1}}
          b: {agent: http, with: {url: "https://example.com/", x-w: 1}}
        """
    )
    assert compilation.diagnostics == []
    assert compilation.plan is not None
    assert compilation.plan.nodes[1].options.data == {"url": "https://example.com/"}


@pytest.mark.parametrize("node", ["agent: http, method: GET", "agent: python, args: [1]", "agent: python, call: 'a:b'"])
def test_what_an_agent_takes_is_no_key_of_another_system(compiled: Callable[[str], Compilation], node: str) -> None:
    found = [one for one in compiled(f"nodes:\n  a: {{{node}}}\n").diagnostics if one.code == "E208"]
    assert [one.hint for one in found] == ["options of an agent stand under `with:`"]
