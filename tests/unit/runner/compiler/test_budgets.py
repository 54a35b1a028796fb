"""`budget` in the plan: of the run, of a node, of a sub-pipeline; and what it doesn't change."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.runner.compiler.conftest import Compile, Planned

from pipe_runner.plan import Budget
from pipe_runner.plandata import plan_from_json, plan_to_json
from pipe_runner.registry import Registry

ASKS = "agent: llm, provider: ollama, with: {prompt: x, model: m}"


def test_budgets_are_in_the_plan_and_survive_being_kept(planned: Planned) -> None:
    plan = planned("""\
        budget: {max_cost: 2.50, max_tokens: 200k, max_time: 30m}
        nodes:
          a: {agent: llm, provider: ollama, with: {prompt: x, model: m}, budget: {max_cost: 0.1, unknown_cost: allow}}
          b: {run: echo, budget: {max_time: 2m}}
          c: {run: echo}
        """)
    assert plan.budget == Budget(2_500_000_000, 200_000)
    assert plan.max_time == 1800
    a, b, c = plan.nodes
    assert a.budget == Budget(100_000_000, None, True)
    assert b.budget is c.budget is None
    assert plan_from_json(plan_to_json(plan)) == plan


@pytest.mark.parametrize(
    ("said", "nanos"),
    [("1e300", 10**309), ("1e305", 10**314), ("123456789.123456789", 123456789123456790), ("0.1", 10**8), ("0", 0)],
)
def test_an_amount_of_dollars_is_taken_as_it_is_written_however_large(planned: Planned, said: str, nanos: int) -> None:
    plan = planned(f"budget: {{max_cost: {said}}}\nnodes: {{a: {{{ASKS}}}}}\n")
    assert plan.budget == Budget(nanos, None)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("max_time: 3m, budget: {max_time: 2m}", 120),
        ("max_time: 1m, budget: {max_time: 2m}", 60),
        ("budget: {max_time: 2m}", 120),
        ("description: x", 300),
    ],
)
def test_the_stricter_of_a_node_s_two_times_counts(planned: Planned, said: str, seconds: float) -> None:
    (node,) = planned(f"defaults: {{max_time: 5m}}\nnodes: {{a: {{run: echo, {said}}}}}\n").nodes
    assert node.max_time == seconds


def test_a_changed_budget_makes_no_result_worthless(planned: Planned) -> None:
    digests = {
        planned(f"nodes: {{a: {{{ASKS}, cache: true{more}}}}}\n").nodes[0].digest
        for more in ("", ", budget: {max_cost: 1}", ", budget: {max_cost: 2, max_tokens: 7k}")
    }
    keys = {
        planned(f"nodes: {{a: {{{ASKS}, cache: true{more}}}}}\n").nodes[0].cache
        for more in ("", ", budget: {max_cost: 1}")
    }
    assert len(digests) == 1
    assert len(keys) == 1


def test_a_sub_pipeline_has_the_budget_of_its_file(tmp_path: Path, registry: Registry) -> None:
    from pipe_runner.compiler import compile_text

    (tmp_path / "inner.yml").write_text("version: 1\nbudget: {max_tokens: 10}\nnodes: {a: {run: echo}}\n")
    digests = []
    for more in ("", ", budget: {max_tokens: 20}"):
        text = f"version: 1\nnodes: {{deploy: {{pipeline: inner.yml{more}}}}}\n"
        plan = compile_text(text, path=str(tmp_path / "p.yml"), root=tmp_path, registry=registry).plan
        assert plan is not None
        assert plan.subplans["inner.yml"].budget == Budget(None, 10)
        digests.append(plan.nodes[0].digest)
    assert plan.nodes[0].budget == Budget(None, 20)
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("max_cost: -1", "max_cost"),
        ("max_tokens: 0", "max_tokens"),
        ("max_cost: .inf", "max_cost"),
        ("max_cost: .nan", "max_cost"),
        ("unknown_cost: perhaps", "unknown_cost"),
        ("max_usd: 1", "`max_cost:`"),
    ],
)
def test_what_is_no_budget_is_told_at_its_place(compiled: Compile, said: str, told: str) -> None:
    for text in (
        f"budget: {{{said}}}\nnodes: {{a: {{run: echo}}}}\n",
        f"nodes: {{a: {{run: echo, budget: {{{said}}}}}}}\n",
    ):
        found = compiled(text)
        assert found.plan is None
        assert any(told in d.message or told in (d.hint or "") or told in d.source for d in found.diagnostics)
