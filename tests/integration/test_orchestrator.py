"""The orchestrator as programs use it: route, coordinate, execute."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.runner.routing.measuring import registry

from pipe_runner.errors import InvalidPipeline, UsageError
from pipe_runner.orchestrator import Orchestrator
from pipe_runner.types import RunStatus


def test_route_gives_scores_words_options_and_reasons() -> None:
    routing = Orchestrator(registry()).route("errors in app.log, and who logged in")
    assert [one.agent for one in routing.ranked] == ["logs"]
    assert routing.to_json()["ranked"][0]["options"] == {"paths": ["app.log"]}
    assert {one.capability for one in routing.ranked[0].capabilities} == {"logs.errors", "logs.security"}


def test_coordinate_has_several_work_at_once_and_merges(tmp_path: Path) -> None:
    agents = registry()
    orchestrator = Orchestrator(agents)
    text = orchestrator.coordinate("anything", agents=["net", "logs"])
    plan = orchestrator.validate(text, root=tmp_path).plan
    assert plan is not None
    assert [(node.id, len(node.needs)) for node in plan.nodes] == [("net", 0), ("logs", 0), ("findings", 2)]
    run = orchestrator.execute(text, root=tmp_path)
    assert run.status is RunStatus.SUCCEEDED
    assert run.nodes["findings"].output["measurements"]["options"]["results"]["net"]["agent"] == "net"
    assert (tmp_path / ".pipe/runs" / run.id / "log.jsonl").is_file()


def test_execute_one_node_runs_it_and_what_it_needs(tmp_path: Path) -> None:
    orchestrator = Orchestrator(registry())
    run = orchestrator.execute(orchestrator.coordinate("x", agents=["net", "logs"]), root=tmp_path, only=["net"])
    assert list(run.nodes) == ["net"]


def test_what_fits_nobody_names_nobody_or_has_faults_is_told(tmp_path: Path) -> None:
    orchestrator = Orchestrator(registry())
    with pytest.raises(UsageError, match="no agent fits the task"):
        orchestrator.coordinate("what is for lunch")
    with pytest.raises(UsageError, match="'restarter' is never chosen"):
        orchestrator.route("x", agents=["restarter"])
    with pytest.raises(UsageError, match="no agent 'nets'"):
        orchestrator.coordinate("x", agents=["nets"])
    with pytest.raises(InvalidPipeline):
        orchestrator.execute("version: 1\nnodes: {a: {agent: nobody}}\n", root=tmp_path)


def test_those_that_are_installed_are_the_default() -> None:
    assert "shell" in Orchestrator().registry
