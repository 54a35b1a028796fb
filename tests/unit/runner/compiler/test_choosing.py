"""Choosing agents costs a file no more than any other part of it (R2)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.unit.runner.routing.measuring import registry

from pipe_runner.compiler import compile_text
from pipe_runner.registry import Registry

HOSTILE = (
    "a." * 2000, "a-" * 2000, "on " + "a-" * 1900 + "1", "a@a." * 1000, "pods in " * 500, "resolve 1:" + ":" * 3900,
)  # fmt: skip


def agents() -> Registry:
    made = registry()
    made.register("auto", lambda: Registry.installed().get("auto"))
    return made


def nodes(*tasks: str) -> str:
    lines = [f'  n{number}: {{agent: auto, with: {{task: "{task}"}}}}' for number, task in enumerate(tasks)]
    return "version: 1\nnodes:\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("task", HOSTILE, ids=lambda task: task[:8])
def test_r2_a_file_of_hostile_tasks_is_refused_in_time(task: str, tmp_path: Path) -> None:
    text = nodes(*(f"{number} {task}" for number in range(200)))
    began = time.process_time()
    found = compile_text(text, path="p.yml", root=tmp_path, registry=agents())
    assert time.process_time() - began < 2
    assert found.plan is None


def test_r2_so_is_one_of_many_short_ones(tmp_path: Path) -> None:
    text = nodes(*(f"resolve host{number}.example" for number in range(3000)))
    began = time.process_time()
    found = compile_text(text, path="p.yml", root=tmp_path, registry=agents())
    assert time.process_time() - began < 4  # as long as 3000 nodes of any agent, and the faults of them
    assert [one.code for one in found.diagnostics][:1] == ["E505"]
    assert "more than 100 tasks" in found.diagnostics[0].message


def test_one_task_of_many_nodes_is_one(tmp_path: Path) -> None:
    found = compile_text(nodes(*["resolve a.example"] * 300), path="p.yml", root=tmp_path, registry=agents())
    assert found.plan is not None
    assert {node.agent for node in found.plan.nodes} == {"net"}


def test_r2_many_nodes_of_agents_that_measure_are_compiled_in_time(tmp_path: Path) -> None:
    """What each gives is asked for once: making the schema takes tens of milliseconds."""
    installed = Registry.installed()
    text = "version: 1\nnodes:\n" + "".join(f"  n{number}: {{agent: system_monitoring}}\n" for number in range(300))
    installed.get("system_monitoring").output_schema({})
    began = time.process_time()
    assert compile_text(text, path="p.yml", root=tmp_path, registry=installed).plan is not None
    assert time.process_time() - began < 2
