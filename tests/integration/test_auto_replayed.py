"""`agent: auto` in a replay: what nobody recorded fails its node, as it fails one of a single agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.unit.runner.routing.measuring import LOGS, NET, Measures, registry

from pipe_runner.compiler import check_inputs, compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.ports import Attempt, Context, Outcome
from pipe_runner.registry import Registry
from pipe_runner.run import NodeState
from pipe_runner.testing import FakeProvider

SEVERAL = "is the port open that it can't reach, and which errors and exceptions are there, after the crash"
TWO = "version: 1\ninputs: {t: {type: string}}\nnodes:\n  a: {agent: auto, with: {most: 2, task: %s}}\n"


class Asks(Measures):
    """Asks a service before it measures."""

    asked = "first"

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        async def give() -> Any:
            return "there"

        assert context.outside is not None
        await context.outside.exchange(attempt, "http", {"url": f"{self.name} {self.asked}"}, give)
        return await super().perform(attempt, context)


class Bench:
    """Two agents that ask a service each, and a model that chooses."""

    def __init__(self, root: Path) -> None:
        self.root, self.kept = root, str(root / "kept")
        self.net, self.logs = Asks(*NET), Asks(*LOGS)
        chosen = [{"agent": "net", "options": json.dumps({"host": "h"}), "why": "so"}]
        self.model = FakeProvider({"choices": chosen})

    def run(self, text: str, task: str = SEVERAL, **settings: str) -> NodeState:
        agents, installed = registry(), Registry.installed()
        for name in ("auto", "llm"):
            agents.register(name, lambda name=name: installed.get(name))  # type: ignore[misc]
        agents.register("net", lambda: self.net)
        agents.register("logs", lambda: self.logs)
        agents.providers.register("p", self.model)
        plan = compile_text(text, path=str(self.root / "p.yml"), root=self.root, registry=agents).plan
        assert plan is not None
        given: Any = settings
        active = open_run(
            plan, check_inputs(plan, {"t": task}), RunSettings(state_dir=self.root / ".pipe", **given), registry=agents
        )
        return anyio.run(active.perform).nodes["a"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("templated", [False, True])
def test_what_nobody_recorded_of_one_of_several_fails_the_node_which_keeps_what_the_others_found(
    bench: Bench, templated: bool
) -> None:
    text = TWO % ("'{{ inputs.t }}'" if templated else json.dumps(SEVERAL))
    assert bench.run(text, record=bench.kept).error is None
    assert bench.run(text, replay=bench.kept).error is None
    bench.net.asked = "otherwise"
    state = bench.run(text, replay=bench.kept)
    error, output = state.error, state.output
    assert error is not None
    assert error["kind"] == "not_found"
    assert "kept has no recording of this http call: " in error["message"]
    assert isinstance(output, dict)
    assert [one["check"] for one in output["findings"] if one["status"] != "unavailable"] == ["logs.thing"]


def test_where_none_of_several_was_recorded_the_node_fails_in_the_same_way(bench: Bench) -> None:
    text = TWO % json.dumps(SEVERAL)
    bench.run(text, record=bench.kept)
    bench.net.asked = bench.logs.asked = "otherwise"
    error = bench.run(text, replay=bench.kept).error
    assert error is not None
    assert "kept has no recording of this http call: " in error["message"]


def test_a_choice_by_a_model_that_nobody_recorded_is_not_made_by_words(bench: Bench) -> None:
    text = (
        "version: 1\ninputs: {t: {type: string}}\nnodes:\n"
        "  a: {agent: auto, provider: p, with: {by: model, most: 2, task: '{{ inputs.t }}'}}\n"
    )
    assert bench.run(text, "why is example.org slow", record=bench.kept).error is None
    assert bench.run(text, "why is example.org slow", replay=bench.kept).error is None
    error = bench.run(text, "why is example.net slow", replay=bench.kept).error
    assert error is not None
    assert (error["kind"], bench.model.requests[1:]) == ("not_found", [])
    assert "kept has no recording of this model call: " in error["message"]
