"""Models that no budget of dollars lets anybody ask, since nobody knows their price."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipe_runner.compiler import compile_file
from pipe_runner.registry import Registry, asks_models
from pipe_runner.spending.unknown import unpriced

PROJECT = """\
version: 1
providers:
  gateway: {type: openai, base_url: "http://127.0.0.1:1/v1", model: g1, prices: {dear: {input: 1, output: 1}}}
"""
ASKS = "{agent: llm, provider: gateway, with: {prompt: x}}"


def found(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    (folder / "pipe.yml").write_text(PROJECT)
    (folder / "p.yml").write_text(f"version: 1\n{text}\n")
    registry = Registry.installed()
    plan = compile_file(folder / "p.yml", root=folder, registry=registry, only_faults=True).plan
    if plan is None:
        return []
    told = unpriced(plan, lambda node: asks_models(registry.get(node.agent), node.options.data), environ or {})
    return [(one.node.id, one.provider, one.model) for one in told]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("{max_cost: 1}", [("a", "gateway", "g1")]),
        ("{max_cost: 1, unknown_cost: allow}", []),
        ("{max_tokens: 10k}", []),
    ],
)
def test_a_budget_of_dollars_refuses_what_has_no_price(
    tmp_path: Path, budget: str, expected: list[tuple[str, str, str]]
) -> None:
    assert found(tmp_path, f"budget: {budget}\nnodes: {{a: {ASKS}}}") == expected
    assert found(tmp_path, f"nodes: {{a: {ASKS[:-1]}, budget: {budget}}}, b: {ASKS}}}") == expected


def test_a_price_of_pipe_yml_is_known_and_a_model_that_a_value_names_is_not_told(tmp_path: Path) -> None:
    text = "budget: {max_cost: 1}\ninputs: {m: {type: string}}\nnodes: {a: " + ASKS.replace("x}", "x, model: %s}") + "}"
    assert found(tmp_path, text % "dear") == []
    assert found(tmp_path, text % '"{{ inputs.m }}"') == []
    assert found(tmp_path, text % "[dear, cheap]") == [("a", "gateway", "cheap")]


def test_an_address_that_the_run_alone_knows_is_no_reason_for_a_word(tmp_path: Path) -> None:
    text = "budget: {max_cost: 1}\nnodes: {a: {agent: llm, provider: openai, with: {prompt: x, model: own}}}"
    assert found(tmp_path, text) == []
    assert found(tmp_path, text, {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}) == [("a", "openai", "own")]


def test_a_budget_holds_for_what_runs_inside(tmp_path: Path) -> None:
    (tmp_path / "part.yml").write_text(f"version: 1\nnodes: {{inner: {ASKS}}}\n")
    assert found(tmp_path, "budget: {max_cost: 1}\nnodes: {a: {pipeline: part.yml}, b: {pipeline: part.yml}}") == [
        ("inner", "gateway", "g1")
    ]
    (tmp_path / "part.yml").write_text(f"version: 1\nbudget: {{max_cost: 1}}\nnodes: {{inner: {ASKS}}}\n")
    assert found(tmp_path, "nodes: {a: {pipeline: part.yml}}") == [("inner", "gateway", "g1")]
