"""In a run what a model thought goes to its own service only, and stands in no log and no recording."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from model_servers import THINKERS, Service

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.models import ModelFault, ModelRequest, ModelResponse, Reason, Thought
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log
from pipe_runner.testing import Answer, FakeProvider, run_pipeline

NODE = {"agent": "llm", "provider": "it", "with": {"model": "m", "prompt": "sum", "tools": ["function:add"]}}


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def perform(root: Path, **settings: Any) -> tuple[Any, list[Mapping[str, Any]]]:
    """The state of the only node, and the events."""
    registry = Registry.installed()
    registry.tools.register("add", add)
    text = json.dumps({"version": 1, "budget": {"max_tokens": 100_000}, "nodes": {"a": NODE}})
    plan = compile_text(text, path=str(root / "p.yml"), root=root, registry=registry)
    assert plan.plan is not None, plan.diagnostics
    active = open_run(plan.plan, {}, RunSettings(state_dir=root / ".pipe", **settings), registry=registry)
    run = anyio.run(active.perform)
    return run.nodes["a"], [event.data for event in read_log(active.rundir.log_path).events]


def test_a_run_keeps_no_thought_and_replays_without_it(tmp_path: Path) -> None:
    service = Service()
    service.decides(THINKERS["openrouter"])
    try:
        written = {"it": {"type": "openai", "base_url": f"{service.url}/v1"}}
        (tmp_path / "pipe.yml").write_text(json.dumps({"version": 1, "providers": written}))
        node, events = perform(tmp_path, record=str(tmp_path / "rec"))
        assert (node.error, node.output, len(service.asked)) == (None, "10", 3)
        kept = [path.read_text() for path in (tmp_path / "rec").iterdir()]
        assert len(kept) == 8
        assert "canary" not in json.dumps(events) + "".join(kept)
        again, _ = perform(tmp_path, replay=str(tmp_path / "rec"))
        assert (again.error, again.output, len(service.asked)) == (None, "10", 3)
    finally:
        service.close()


class Thinking(FakeProvider):
    """Says beside each answer what it thought."""

    name = ""

    async def generate_with_metadata(self, request: ModelRequest, on_piece: Any = None) -> ModelResponse:
        answer = await super().generate_with_metadata(request, on_piece)
        return answer._replace(thought=Thought(self.name, request.model, f"of {self.name} {request.model}"))


def thoughts(model: FakeProvider) -> list[list[Any]]:
    """Of the answers in each request."""
    told = [[one for one in request.messages if one.role == "assistant"] for request in model.requests]
    return [[one.thought and one.thought.said for one in turns] for turns in told]


def test_what_a_model_thought_goes_to_no_other_model(tmp_path: Path) -> None:
    one, two = Thinking(model="m1"), Thinking(model="m2")
    one.name, two.name = "one", "two"
    calls = Answer(tools=[("add", {"a": 1, "b": 2})])
    one._script = (calls, ModelFault(Reason.UNAVAILABLE, "gone"))
    two._script = (calls, "3")
    text = json.dumps(
        {
            "version": 1,
            "nodes": {"a": {**NODE, "provider": ["one", "two"], "with": {"prompt": "sum", "tools": ["function:add"]}}},
        }
    )
    run = run_pipeline(text, providers={"one": one, "two": two}, tools={"add": add}, root=tmp_path)
    assert run.output("a") == "3"
    told = [
        [m.thought and m.thought.said for m in request.messages if m.role == "assistant"] for request in one.requests
    ]
    assert told == [[], ["of one m1"], ["of one m1", None]]
    told = [
        [m.thought and m.thought.said for m in request.messages if m.role == "assistant"] for request in two.requests
    ]
    assert told == [[None], [None, "of two m2"]]
