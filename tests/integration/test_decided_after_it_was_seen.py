"""What was skipped because of a failure is decided again once a person has turned that failure into a success."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.waiting import Waiting

GATE = "agent: approval, with: {message: 'Go?'}"
SUB = f"""
version: 1
inputs: {{e: {{type: string}}}}
nodes:
  gate: {{{GATE}}}
  push:
    needs: [gate]
    run_on: always
    when: nodes.gate.status == "succeeded"
    run: "echo push {{{{ inputs.e }}}} >> done"
  after: {{needs: [push], run: "echo after {{{{ inputs.e }}}} >> done"}}
"""
FLAT = """
version: 1
nodes:
  gate: {%s}
  seen: {needs: [gate], run_on: always, run: echo seen >> done}
  push: {needs: [gate], run_on: always, when: nodes.gate.status == "succeeded", run: echo push >> done}
  after: {needs: [push], run: echo after >> done}
  failed: {needs: [gate], run_on: failure, run: echo failed >> done}
"""
EACH = "for_each: {items: [eu, us], key: '{{ item }}'}"
REPEATED = f"version: 1\nnodes:\n  deploy: {{{EACH}, pipeline: sub.yml, with: {{e: '{{{{ item }}}}'}}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Waiting:
    root = tmp_path.resolve()
    (root / "pipe.yml").write_text("version: 1\n")
    (root / "sub.yml").write_text(SUB)
    return Waiting(root)


def test_what_a_refusal_had_skipped_runs_after_the_approval_and_nothing_else_does(project: Waiting) -> None:
    project.run(FLAT % GATE)
    project.decide("reject", "gate")
    run = project.resume()
    assert str(run.nodes["push"].status) == "skipped"
    assert sorted(project.done()) == ["failed", "seen"]
    project.decide("approve", "gate")
    run = project.resume()
    assert str(run.status) == "succeeded"
    assert sorted(project.done()) == ["after", "failed", "push", "seen"]


def test_so_it_does_after_a_node_was_settled_as_done(project: Waiting) -> None:
    assert str(project.run(FLAT % "effect: once, run: exit 1").nodes["push"].status) == "skipped"
    project.resume()
    project.decide("done", "gate")
    assert str(project.resume().status) == "succeeded"
    assert sorted(project.done()) == ["after", "failed", "push", "seen"]


def test_so_it_does_in_the_instance_of_a_sub_pipeline(project: Waiting) -> None:
    project.run(REPEATED)
    project.decide("approve", "deploy[eu].gate")
    project.decide("reject", "deploy[us].gate")
    assert str(project.resume().status) == "failed"
    assert project.done() == ["push eu", "after eu"]
    project.decide("approve", "deploy[us].gate")
    assert str(project.resume().status) == "succeeded"
    assert project.done() == ["push eu", "after eu", "push us", "after us"]


def test_a_skip_that_was_decided_after_the_person_had_stands(project: Waiting) -> None:
    nodes = f"{FLAT % GATE}  broken: {{needs: [gate], run_on: always, run: exit 1}}\n"
    project.run(nodes)
    project.decide("approve", "gate")
    run = project.resume()
    assert str(run.nodes["failed"].status) == "skipped"
    before = run.nodes["failed"].ended_at
    assert project.resume().nodes["failed"].ended_at == before


def test_so_it_does_where_a_person_decides_on_a_handler_meanwhile(project: Waiting) -> None:
    project.run(f"{FLAT % GATE}on_failure:\n  ask: {{agent: approval, with: {{message: 'Tell?'}}}}\n")
    project.decide("reject", "gate")
    assert str(project.resume().status) == "waiting"
    project.decide("approve", "gate")
    run = project.resume()
    assert str(run.nodes["ask"].status) == "skipped"
    assert str(run.status) == "succeeded"
    assert sorted(project.done()) == ["after", "failed", "push", "seen"]


@pytest.mark.parametrize("seen", ['nodes.gate.status == "succeeded"', 'run.status == "succeeded"'])
def test_so_is_a_handler_but_one_that_ran_does_not_run_again(project: Waiting, seen: str) -> None:
    handlers = f"  tell: {{when: '{seen}', run: echo tell >> done}}\n  clean: {{run: echo clean >> done}}\n"
    project.run(f"version: 1\nnodes:\n  gate: {{effect: once, run: exit 1}}\nfinally:\n{handlers}")
    assert project.done() == ["clean"]
    project.decide("done", "gate")
    assert str(project.resume().status) == "succeeded"
    assert project.done() == ["clean", "tell"]
    assert project.resume().nodes["tell"].attempts == 1
