"""What a resume does with failures that the file tolerates: they stand, until the run has failed and is tried again."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from tests.integration.waiting import Waiting

from pipe_runner.compiler import check_inputs
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.registry import Registry

LINT = "  lint: {run: 'echo lint >> done; exit 1', continue_on_error: true}\n"
EACH = "  each: {for_each: {items: [1, 2]}, run: 'echo each >> done; exit {{ item }}', continue_on_error: true}\n"
SUB = f"version: 1\nnodes:\n{LINT}  gate: {{agent: approval, needs: [lint], with: {{message: 'Go?'}}}}\n"
GATE = "  gate: {agent: approval, needs: [lint], with: {message: 'Go?'}}\n"
AFTER = "  after: {needs: [gate], run: 'echo {{ nodes.lint.status }}'}\n"


@pytest.fixture
def project(tmp_path: Path) -> Waiting:
    root = tmp_path.resolve()
    (root / "pipe.yml").write_text("version: 1\n")
    (root / "sub.yml").write_text(SUB)
    return Waiting(root)


def test_d3_a_tolerated_failure_stands_when_a_run_goes_on_that_waited(project: Waiting) -> None:
    assert str(project.run(f"version: 1\nnodes:\n{LINT}{EACH}{GATE}{AFTER}").status) == "waiting"
    assert str(project.resume().status) == "waiting"
    project.decide("approve", "gate")
    run = project.resume()
    assert (str(run.status), run.nodes["after"].output) == ("succeeded", "failed")
    assert sorted(project.done()) == ["each", "each", "lint"]


@pytest.mark.parametrize("node", ["pipeline: sub.yml", "pipeline: sub.yml, for_each: {items: [1]}"])
def test_d3_a_tolerated_failure_stands_in_a_sub_pipeline_that_waited(project: Waiting, node: str) -> None:
    assert str(project.run(f"version: 1\nnodes:\n  s: {{{node}}}\n").status) == "waiting"
    project.decide("approve", "s.gate" if "for_each" not in node else "s[0].gate")
    assert str(project.resume().status) == "succeeded"
    assert project.done() == ["lint"]


@pytest.mark.parametrize("inside", [False, True])
def test_d3_a_tolerated_failure_stands_when_a_run_goes_on_that_was_killed(project: Waiting, inside: bool) -> None:
    nodes = f"{LINT}  last: {{needs: [lint], run: 'true'}}\n"
    (project.root / "sub.yml").write_text(f"version: 1\nnodes:\n{nodes}")
    project.run("version: 1\nnodes:\n" + ("  s: {pipeline: sub.yml}\n" if inside else nodes))
    log = project.root / ".pipe/runs/r/log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: 1 + next(n for n, line in enumerate(lines) if b'"node.failed"' in line)]))
    assert str(project.resume().status) == "succeeded"
    assert project.done() == ["lint"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_tolerated_failure_is_tried_again_when_the_run_has_failed(project: Waiting, inside: bool) -> None:
    nodes = f"{LINT}  hard: {{run: test -e mended}}\n"
    (project.root / "sub.yml").write_text(f"version: 1\nnodes:\n{nodes}")
    run = project.run("version: 1\nnodes:\n" + ("  s: {pipeline: sub.yml}\n" if inside else nodes))
    assert str(run.status) == "failed"
    (project.root / "mended").touch()
    assert str(project.resume().status) == "succeeded"
    assert project.done() == ["lint", "lint"]


def test_a_tolerated_failure_is_tried_again_with_another_attempt_at_its_sub_pipeline(project: Waiting) -> None:
    hard = "  hard: {run: 'test -e mended || { touch mended; exit 1; }'}\n"
    (project.root / "sub.yml").write_text(f"version: 1\nnodes:\n{LINT}{hard}")
    run = project.run("version: 1\nnodes:\n  s: {pipeline: sub.yml, retry: {max_attempts: 2, delay: 10ms}}\n")
    assert str(run.status) == "succeeded"
    assert project.done() == ["lint", "lint"]


def test_a_tolerated_failure_of_a_node_that_has_changed_runs_again(project: Waiting) -> None:
    project.run(f"version: 1\nnodes:\n{LINT}{GATE}{AFTER}")
    project.resume(f"version: 1\nnodes:\n{LINT.replace('exit 1', 'exit 2')}{GATE}{AFTER}")
    assert project.done() == ["lint", "lint"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_tolerated_failure_by_which_a_node_ends_that_is_being_cancelled_does_not_stand(
    project: Waiting, inside: bool
) -> None:
    ends = "[ -e again ] || { trap 'exit 3' TERM; touch up; sleep 20 & wait; }"
    nodes = f'{LINT}  work: {{needs: [lint], run: "{ends}; echo work >> done", continue_on_error: true}}\n'
    nodes += "  last: {needs: [work], run: 'true'}\n"
    (project.root / "sub.yml").write_text(f"version: 1\nnodes:\n{nodes}")
    project.text = "version: 1\nnodes:\n" + ("  s: {pipeline: sub.yml}\n" if inside else nodes)
    plan, settings = project.plan(), RunSettings(project.root / ".pipe", run_id="r")
    active = open_run(plan, check_inputs(plan, {}), settings, registry=Registry.installed())

    async def cancelled() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(active.perform)
            while not (project.root / "up").exists():  # noqa: ASYNC110
                await anyio.sleep(0.02)
            active.stop("cancelled")

    anyio.run(cancelled)
    work = active.run.nodes["s.work" if inside else "work"]
    assert (str(active.run.status), str(work.status), work.exit_code) == ("cancelled", "failed", 3)
    (project.root / "again").touch()
    assert str(project.resume().status) == "succeeded"
    assert project.done() == ["lint", "work"]
