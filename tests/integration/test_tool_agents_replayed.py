"""An agent that is a tool of a model, in a replay: what nobody recorded fails the node, as everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from pipe_runner.compiler import check_inputs, compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.registry import Registry
from pipe_runner.run import NodeState, Run
from pipe_runner.runlog import RunDir, read_log
from pipe_runner.testing import Answer, FakeProvider

TEXT = """
version: 1
nodes:
  a: {agent: llm, provider: fake, with: {prompt: x, tools: [{agent: llm}]}}
"""


def run(root: Path, model: FakeProvider, **settings: str) -> tuple[NodeState, list[dict[str, Any]]]:
    """How the node ended, and the events of its calls of models and tools."""
    registry = Registry.installed()
    registry.providers.register("fake", model)
    plan = compile_text(TEXT, path=str(root / "p.yml"), root=root, registry=registry).plan
    assert plan is not None
    given: Any = settings
    active = open_run(plan, check_inputs(plan, {}), RunSettings(state_dir=root / ".pipe", **given), registry=registry)
    done: Run = anyio.run(active.perform)
    events = read_log(RunDir.open(root / ".pipe", done.id).log_path).events
    return done.nodes["a"], [
        {**event.data, "event": event.event} for event in events if event.event in ("model.called", "tool.called")
    ]


def test_what_nobody_recorded_within_a_tool_fails_the_node_and_never_reaches_the_model(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    model = FakeProvider(Answer(tools=[("llm", {"prompt": "deeper"})]), "from below", "on top")
    assert run(tmp_path, model, record=str(kept))[0].output == "on top"
    state, calls = run(tmp_path, model, replay=str(kept))
    assert (state.output, len(calls), len(model.requests)) == ("on top", 4, 3)
    texts = {file: file.read_text() for file in kept.glob("*-model-*.json")}
    (inner,) = [file for file, text in texts.items() if "from below" in text and "on top" not in text]
    inner.write_text(inner.read_text().replace("deeper", "deep"))
    state, calls = run(tmp_path, model, replay=str(kept))
    error: Any = state.error
    assert (str(state.status), error["kind"], len(model.requests)) == ("failed", "not_found", 3)
    assert 'recorded "deep", asked "deeper"; record it with --record' in error["message"]
    assert [(call["event"], "error" in call or call.get("failed", False)) for call in calls] == [
        ("model.called", False),
        ("model.called", True),
        ("tool.called", True),
    ]
