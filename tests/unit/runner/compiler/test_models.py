"""Nodes that ask models are checked before the run, at their places, and quickly whatever a file says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.compiler import Compilation, compile_text
from pipe_runner.compiler.matching import mismatches
from pipe_runner.registry import Registry
from pipe_runner.testing import FakeProvider


def compiled(root: Path, text: str) -> Compilation:
    return compile_text(f"version: 1\n{text}", path=str(root / "p.yml"), root=root, registry=Registry.installed())


def codes(compilation: Compilation) -> list[str]:
    return [fault.code for fault in compilation.diagnostics]


def node(compilation: Compilation, name: str = "a") -> Any:
    assert compilation.plan is not None, compilation.diagnostics
    return compilation.plan.by_id()[name]


def test_the_providers_become_an_option(tmp_path: Path) -> None:
    found = compiled(tmp_path, "nodes: {a: {agent: llm, provider: openai, with: {prompt: x}}}")
    assert node(found).options.data == {"prompt": "x", "provider": ["openai"]}
    found = compiled(tmp_path, "nodes: {a: {agent: llm, provider: [ollama, bedrock], with: {prompt: x}}}")
    assert node(found).options.data["provider"] == ["ollama", "bedrock"]


def test_a_registered_kind_of_service_can_be_named(tmp_path: Path) -> None:
    registry = Registry.installed()
    registry.providers.register("fake", FakeProvider())
    text = "version: 1\nnodes: {a: {agent: llm, provider: fake, with: {prompt: x}}}"
    assert compile_text(text, path=str(tmp_path / "p.yml"), root=tmp_path, registry=registry).plan is not None


def test_a_provider_of_a_project_with_a_fault_there_is_no_second_fault(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("providers: {mine: {type: openai, base_url: 5}}\nlimits: {output: -1}\n")
    found = compiled(tmp_path, "nodes: {a: {agent: llm, provider: mine, with: {prompt: x}}}")
    assert "E512" not in codes(found)


def test_the_default_provider_counts_as_written(tmp_path: Path) -> None:
    text = "nodes: {a: {agent: llm, with: {prompt: x}}}"
    (tmp_path / "pipe.yml").write_text("defaults: {provider: openai}\n")
    by_default = node(compiled(tmp_path, text))
    (tmp_path / "pipe.yml").write_text("defaults: {provider: ollama}\n")
    other = node(compiled(tmp_path, text))
    assert by_default.options.data["provider"] == ["openai"]
    assert by_default.digest != other.digest


def test_an_agent_as_a_tool_gets_what_no_model_may_choose(tmp_path: Path) -> None:
    text = """
nodes:
  a:
    agent: llm
    provider: openai
    with: {prompt: x, model: m, tools: [{agent: llm, name: ask}, {agent: http, with: {method: GET}}]}
"""
    ask, fetch = node(compiled(tmp_path, text)).options.data["tools"]
    assert ask == {
        "agent": "llm",
        "name": "ask",
        "with": {"provider": ["openai"], "model": "m", "tools": [], "images": [], "files": []},
    }
    assert fetch == {"agent": "http", "with": {"method": "GET"}}


def test_the_type_of_an_answer_is_in_the_plan(tmp_path: Path) -> None:
    schema = '{type: object, properties: {a: {$ref: "#/$defs/b"}}, $defs: {b: {type: integer}}}'
    text = (
        f'nodes: {{a: {{agent: llm, provider: openai, with: {{prompt: "{{{{ run.id }}}}", output_schema: {schema}}}}}}}'
    )
    assert node(compiled(tmp_path, text)).output_schema == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"type": "integer"}},
    }


def test_a_value_is_held_against_schemas_that_are_true_or_false() -> None:
    schema: Any = {"properties": {"a": True, "b": False}, "items": True}
    assert mismatches({"a": 1}, schema, "output") == []
    assert mismatches({"b": 1}, schema, "output") == ["output.b must not be there"]
    assert mismatches([1], schema, "output") == []


def reads(root: Path, schema: str, path: str) -> list[str]:
    text = f"nodes: {{a: {{agent: llm, provider: openai, with: {{prompt: x, output_schema: {schema}}}}}}}\n"
    return codes(compiled(root, f"{text}outputs: {{o: '{{{{ nodes.a.output.{path} }}}}'}}\n"))


@pytest.mark.parametrize(
    ("schema", "there", "missing"),
    [
        ("{properties: {a: {}}}", ["a"], ["b"]),
        ("{properties: {a: {}}, additionalProperties: true}", ["a", "b"], []),
        ("{properties: {a: {}}, allOf: [{properties: {b: {}}}]}", ["a", "b", "c"], []),
        ("{properties: {a: {}}, patternProperties: {'^b': {}}}", ["a", "b"], []),
        ("{properties: {a: {}}, if: {required: [a]}, then: {properties: {b: {}}}}", ["a", "b"], []),
        ("{properties: {a: {}}, anyOf: [{properties: {b: {}}}, {properties: {c: {}}}]}", ["a", "b", "c"], ["d"]),
        ("{properties: {a: {}}, anyOf: [{required: [a]}, {required: [b]}]}", ["a", "b"], []),
        ("{$ref: '#/$defs/x', properties: {a: {}}, $defs: {x: {properties: {b: {}}}}}", ["a", "b"], []),
        ("{$ref: '#/$defs/x', description: d, $defs: {x: {properties: {b: {}}}}}", ["b"], ["a"]),
        ("{properties: {a: {properties: {c: {}}, additionalProperties: false}}}", ["a.c"], ["a.d"]),
        ("{properties: {a: true, b: {items: {properties: {c: {}}}}}}", ["a.x.y", "b[0].c"], ["b[0].d"]),
    ],
)
def test_what_a_schema_may_hold_can_be_read_and_nothing_else(
    tmp_path: Path, schema: str, there: list[str], missing: list[str]
) -> None:
    assert {path: reads(tmp_path, schema, path) for path in there} == {path: [] for path in there}
    assert {path: reads(tmp_path, schema, path) for path in missing} == {path: ["E310"] for path in missing}


@pytest.mark.parametrize(
    "options",
    [
        "{prompt: x, output_schema: {properties: [{a: 1}]}}",
        "{prompt: x, output_schema: {enum: '{{ run.id }}'}}",
        "{prompt: x, output_schema: {type: object, properties: {a: {$ref: 5}}}}",
        "{prompt: x, allow_noop: '{{ run.id }}', output_schema: {properties: {a: {}}}}",
    ],
)
def test_s11_of_what_reads_a_wrong_schema_nothing_is_told(tmp_path: Path, options: str) -> None:
    text = f"nodes: {{a: {{agent: llm, provider: openai, cache: true, with: {options}}}}}\n"
    found = compiled(tmp_path, f"{text}outputs: {{o: '{{{{ nodes.a.output.a }}}}'}}\n")
    assert found.plan is None
    assert "E310" not in codes(found)


def test_s11_a_provider_that_is_a_template_has_no_key_in_the_cache(tmp_path: Path) -> None:
    found = compiled(tmp_path, "nodes: {a: {agent: llm, provider: '{{ run.id }}', cache: true, with: {prompt: x}}}")
    assert codes(found) == ["E213"]


def alternatives() -> str:
    """A schema of a hundred alternatives, each of which leads to all of it again."""
    branches = ", ".join("{anyOf: [{$ref: '#/$defs/a'}, {$ref: '#/$defs/b'}]}" for _ in range(100))
    parts = "{a: {type: object, properties: {x: {$ref: '#'}}}, b: {type: string}}"
    return f"{{anyOf: [{branches}], $defs: {parts}}}"


def many(fields: int) -> str:
    """A schema whose many parts are all of it again."""
    properties = ", ".join(f"x{number}: {{$ref: '#'}}" for number in range(fields))
    return f"{{type: object, properties: {{{properties}}}}}"


@pytest.mark.parametrize(
    "text",
    [
        f"nodes: {{a: {{agent: llm, provider: openai, with: {{prompt: x, tools: [{'function:f, ' * 20_000}]}}}}}}",
        f"nodes: {{a: {{agent: llm, provider: [{', '.join(f'p{n}' for n in range(20_000))}], with: {{prompt: x}}}}}}",
        f"nodes: {{a: {{agent: llm, provider: openai, with: {{prompt: x, output_schema: {alternatives()}}}}}}}\n"
        f"outputs: {{a: '{{{{ nodes.a.output{'.x' * 20} }}}}'}}",
        f"nodes: {{a: {{agent: llm, provider: openai, with: {{prompt: x, output_schema: {many(1500)}}}}}}}\n"
        "outputs: {a: '{{ nodes.a.output }}'}",
    ],
    ids=["tools", "providers", "alternatives", "parts"],
)
def test_r2_no_file_takes_long(tmp_path: Path, text: str, in_time: Any) -> None:
    compiled(tmp_path, "nodes: {a: {agent: llm, provider: openai, with: {prompt: x}}}")
    began = time.process_time()
    compiled(tmp_path, text)
    assert in_time(time.process_time() - began, 2)


@pytest.mark.parametrize("explain", ["", ", explain: false"])
def test_an_agent_that_may_do_without_a_model_gets_no_provider_where_it_asks_none(tmp_path: Path, explain: str) -> None:
    (tmp_path / "pipe.yml").write_text("defaults: {provider: openai}\n")
    for provider in ("", "provider: ollama, "):
        found = compiled(tmp_path, f"nodes: {{a: {{agent: findings, {provider}with: {{results: []{explain}}}}}}}")
        assert codes(found) == (["W511"] if provider else [])
        assert "provider" not in node(found).options.data


def test_a_preset_may_name_a_provider_for_those_of_its_nodes_that_ask(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("agents: {report: {agent: findings, provider: ollama}}\n")
    found = compiled(tmp_path, "nodes: {a: {agent: report, with: {results: []}}}")
    assert codes(found) == []


@pytest.mark.parametrize("explain", ["true", '"{{ inputs.e }}"'])
def test_an_agent_that_may_ask_a_model_gets_the_default_or_none(tmp_path: Path, explain: str) -> None:
    inputs = "inputs: {e: {type: boolean}}\n"
    text = f"{inputs}nodes: {{a: {{agent: findings, with: {{results: [], explain: {explain}}}}}}}"
    found = compiled(tmp_path, text)
    assert codes(found) == []
    assert "provider" not in node(found).options.data
    without = node(found).digest
    (tmp_path / "pipe.yml").write_text("defaults: {provider: openai}\n")
    assert node(compiled(tmp_path, text)).options.data["provider"] == ["openai"]
    assert node(compiled(tmp_path, text)).digest != without


def test_a_budget_of_one_that_may_ask_counts_for_something(tmp_path: Path) -> None:
    text = "budget: {{max_cost: 1}}\nnodes: {{a: {{agent: findings, with: {{results: [], explain: {0}}}}}}}"
    assert codes(compiled(tmp_path, text.format("true"))) == []
    assert codes(compiled(tmp_path, text.format("false"))) == ["W507"]


def test_providers_that_there_are_not_are_told_whether_asked_or_not(tmp_path: Path) -> None:
    text = "nodes: {a: {agent: findings, provider: nobody, with: {results: []}}}"
    assert codes(compiled(tmp_path, text)) == ["E512"]
    text = "nodes: {a: {agent: findings, with: {results: [], provider: [openai]}}}"
    assert codes(compiled(tmp_path, text)) == ["E503"]


def test_a_model_does_not_choose_whether_its_tool_asks_another(tmp_path: Path) -> None:
    text = "nodes: {a: {agent: llm, provider: openai, with: {prompt: x, tools: [{agent: findings}]}}}"
    (tool,) = node(compiled(tmp_path, text)).options.data["tools"]
    assert tool == {"agent": "findings", "with": {"explain": False, "provider": ["openai"]}}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nope", "there is `zeus`, `mine`, `bedrock`, `ollama` and `openai`; others stand in pipe.yml"),
        ("opnai", "did you mean `openai`?"),
        ("zeuss", "did you mean `zeus`?"),
    ],
)
def test_a_provider_that_is_none_is_told_with_those_of_pipe_yml_first(tmp_path: Path, name: str, hint: str) -> None:
    entry = "{type: ollama, model: m}"
    (tmp_path / "pipe.yml").write_text(f"version: 1\nproviders: {{zeus: {entry}, mine: {entry}}}\n")
    found = compiled(tmp_path, f"nodes: {{a: {{agent: llm, provider: {name}, with: {{prompt: x}}}}}}")
    assert [(fault.code, fault.hint) for fault in found.diagnostics] == [("E512", hint)]
