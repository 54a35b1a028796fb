"""A repeated node that waits for a person behind a failure that runs again with each resume: what is decided stays
decided, and what is done stays done."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.waiting import Waiting

LINT = "version: 1\nnodes:\n  lint: {run: 'exit 1', continue_on_error: true}\n"
HARD = "version: 1\nnodes:\n  lint: {run: 'exit 1'}\n"
EACH = "for_each: {items: [eu, us], key: '{{ item }}'}"
ASK = "agent: approval, with: {message: 'Ship {{ item }}?'}"
SUB = """
version: 1
inputs: {e: {type: string}}
nodes:
  gate: {agent: approval, when: "inputs.e == 'us'", with: {message: "Go?"}}
  build: {run: "echo build {{ inputs.e }} >> done"}
  push:
    needs: [gate, build]
    run_on: always
    effect: once
    run: "echo push {{ inputs.e }} >> done; [ {{ inputs.e }} = eu ]"
"""
DEPLOY = f"  deploy: {{needs: [lint], {EACH}, pipeline: sub.yml, with: {{e: '{{{{ item }}}}'}}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Waiting:
    root = tmp_path.resolve()
    (root / "pipe.yml").write_text("version: 1\n")
    (root / "sub.yml").write_text(SUB)
    return Waiting(root)


@pytest.mark.parametrize(
    ("lint", "gate"),
    [
        (LINT, f"{{{EACH}, needs: [lint], {ASK}}}"),
        (LINT, "{matrix: {item: [eu, us]}, needs: [lint], agent: approval, with: {message: 'Ship?'}}"),
        (LINT, f"{{{EACH}, agent: approval, with: {{message: '{{{{ nodes.lint.status }}}}'}}}}"),
        (HARD, f"{{{EACH}, needs: [lint], run_on: failure, {ASK}}}"),
        (HARD, f"{{{EACH}, needs: [lint], run_on: always, {ASK}}}"),
    ],
    ids=["for_each", "matrix", "expression", "failure", "always"],
)
def test_d8_items_that_were_decided_are_asked_for_no_more(project: Waiting, lint: str, gate: str) -> None:
    assert str(project.run(f"{lint}  gate: {gate}\n").status) == "waiting"
    project.decide("approve", "gate")
    run = project.resume()
    assert str(run.nodes["gate"].status) == "succeeded"
    assert str(run.status) == ("succeeded" if lint == LINT else "failed")


def test_a_refusal_stands(project: Waiting) -> None:
    project.run(f"{LINT}  gate: {{{EACH}, needs: [lint], {ASK}}}\n")
    project.decide("reject", "gate[eu]")
    run = project.resume()
    assert {key: str(item.status) for key, item in run.items["gate"].items()} == {"eu": "failed", "us": "waiting"}


def test_d1_d10_what_ran_in_sub_pipelines_of_items_is_not_run_again(project: Waiting) -> None:
    assert str(project.run(LINT + DEPLOY).status) == "waiting"
    project.resume()
    project.decide("approve", "deploy[us].gate")
    assert str(project.resume().status) in ("waiting", "failed")  # `push us` fails, and may have acted
    assert sorted(project.done()) == ["build eu", "build us", "push eu", "push us"]
    run = project.resume()
    assert str(run.nodes["deploy[us].push"].status) == "unknown"
    project.decide("done", "deploy[us].push")
    run = project.resume()
    assert sorted(project.done()) == ["build eu", "build us", "push eu", "push us"]
    assert str(run.status) == "succeeded"


def test_an_approval_in_a_handler_runs_no_handler_again(project: Waiting) -> None:
    nodes = (
        "version: 1\nnodes:\n  work: {run: 'exit 1'}\non_failure:\n"
        "  first: {run: 'echo first >> done; exit 1', continue_on_error: true}\n"
        f"  gate: {{{EACH}, needs: [first], {ASK}}}\n"
    )
    assert str(project.run(nodes).status) == "waiting"
    project.decide("approve", "gate")
    run = project.resume()
    assert str(run.nodes["gate"].status) == "succeeded"
    assert str(run.status) == "failed"
    assert project.done() == ["first"]
