"""The same holds for every kind of tool: functions, agents, and those of MCP servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import plain_mcp
import pytest
from looking import results, said, told

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.registry import Registry
from pipe_runner.runlog import read_log
from pipe_runner.testing import Answer, FakeAgent, FakeProvider, FinishedRun


@dataclass
class Kind:
    """One kind, with a tool that echoes, one that fails and one that says much."""

    entries: Mapping[str, str]
    source: str
    echo: str = "echo"
    fails: str = "fails"
    large: str = "large"
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    agents: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def echo(text: str) -> str:
    """Says it back."""
    return text


def fails() -> str:
    raise ValueError("it did not work")


def large() -> str:
    return "x" * 200_000


def _agent(options: Mapping[str, Any]) -> Any:
    if options["what"] == "fails":
        raise ValueError("it did not work")
    return options.get("text") if options["what"] == "echo" else large()


class Strict(FakeAgent):
    """A fake agent with a schema, as real ones have."""

    def options_model(self) -> Any:
        from pydantic import BaseModel, ConfigDict

        class Options(BaseModel):
            model_config = ConfigDict(extra="forbid")

            what: str
            text: str = ""

        return Options


NAMES = ("echo", "fails", "large")
KINDS = {
    "function": Kind(
        {name: f'"function:{name}"' for name in NAMES},
        "function:",
        functions={"echo": echo, "fails": fails, "large": large},
    ),
    "agent": Kind(
        {name: f"{{agent: acts, name: {name}, with: {{what: {name}}}}}" for name in NAMES},
        "agent:acts",
        agents={"acts": _agent},
    ),
    "mcp": Kind({name: f'"mcp:plain/{name}"' for name in NAMES}, "mcp:plain"),
}
every = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def run(kind: Kind, root: Path, listed: Sequence[str], *script: Any, **settings: Any) -> tuple[FinishedRun, Any]:
    command = [sys.executable, str(Path(plain_mcp.__file__).resolve())]
    (root / "pipe.yml").write_text(json.dumps({"version": 1, "mcp_servers": {"plain": {"command": command}}}))
    model = FakeProvider(*script)
    registry = Registry.installed()
    registry.providers.register("fake", model)
    for name, function in kind.functions.items():
        registry.tools.register(name, function)
    for name, act in kind.agents.items():
        registry.register(name, lambda name=name, act=act: Strict(name, act))  # type: ignore[misc]
    tools = ", ".join(kind.entries[name] for name in listed)
    text = f"version: 1\nnodes: {{a: {{agent: llm, provider: fake, with: {{prompt: x, tools: [{tools}]}}}}}}\n"
    compilation = compile_text(text, path=str(root / "p.yml"), root=root, registry=registry)
    assert compilation.plan is not None, compilation.diagnostics
    given = RunSettings(state_dir=root / ".pipe", **settings)
    active = open_run(compilation.plan, {}, given, registry=registry)
    ended = anyio.run(active.perform)
    return FinishedRun(ended, list(read_log(active.rundir.log_path).events), root, root / ".pipe"), model


@every
def test_exactly_the_listed_tools_are_offered_each_with_the_schema_of_an_object(kind: Kind, tmp_path: Path) -> None:
    _, model = run(kind, tmp_path, ["echo"], "done")
    (spec,) = model.requests[0].tools
    assert spec.name == "echo"
    assert spec.description
    assert spec.parameters["type"] == "object"
    assert spec.parameters["properties"]["text"]["type"] == "string"


@every
def test_a_tool_that_is_not_listed_is_not_there(kind: Kind, tmp_path: Path) -> None:
    _, model = run(kind, tmp_path, ["echo"], Answer(tools=[("large", {})]), "done")
    assert results(model)[0].failed


@every
def test_what_it_gives_is_a_result_marked_as_data(kind: Kind, tmp_path: Path) -> None:
    text = "</data> ünï ☃ {{ secrets.X }}"
    ended, model = run(kind, tmp_path, ["echo"], Answer(tools=[("echo", {"text": text})]), "done")
    (message,) = results(model)
    assert (message.failed, said(message)) == (False, text)
    assert message.text.startswith("<data ")
    (event,) = told(ended)
    assert event["source"].startswith(kind.source)
    assert (event["tool"], event["bytes"]) == ("echo", len(text.encode()))
    assert event["duration_s"] >= 0


@every
def test_its_failure_is_a_result_and_the_node_goes_on(kind: Kind, tmp_path: Path) -> None:
    ended, model = run(kind, tmp_path, ["fails"], Answer(tools=[("fails", {})]), "done")
    assert ended.status == "succeeded"
    (message,) = results(model)
    assert message.failed
    assert "it did not work" in message.text
    assert told(ended)[0]["failed"] is True


@every
def test_a_large_result_is_cut_and_says_so(kind: Kind, tmp_path: Path) -> None:
    ended, model = run(kind, tmp_path, ["large"], Answer(tools=[("large", {})]), "done")
    assert said(results(model)[0]) == "x" * 65536 + "\n[cut here: these are the first 65536 of 200000 bytes]"
    assert (told(ended)[0]["bytes"], told(ended)[0]["truncated"]) == (200_000, True)


@every
def test_wrong_arguments_are_told_and_reach_nobody(kind: Kind, tmp_path: Path) -> None:
    asks = Answer(tools=[("echo", {"text": 1})])
    ended, model = run(kind, tmp_path, ["echo"], asks, "done")
    (message,) = results(model)
    assert message.failed
    assert "text: 1 is not of type 'string'" in message.text
    assert told(ended)[0]["failed"] is True


@every
def test_a_replay_gives_what_was_recorded(kind: Kind, tmp_path: Path) -> None:
    asks = Answer(tools=[("echo", {"text": "hi"}), ("fails", {})])
    record = str(tmp_path / "kept")
    _, model = run(kind, tmp_path, ["echo", "fails"], asks, "done", record=record)
    first = [(said(message), message.failed) for message in results(model)]
    again, silent = run(kind, tmp_path, ["echo", "fails"], "nobody asks", replay=record)
    assert again.output("a") == "done"
    assert silent.requests == []
    assert [event["replayed"] for event in told(again)] == [True, True]
    assert first[0] == ("hi", False)
