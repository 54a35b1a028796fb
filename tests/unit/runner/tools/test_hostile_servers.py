"""MCP servers that are there and don't do what the protocol says: each fails the node with kind `tool`, and soon."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import plain_mcp
import pytest

from pipe_runner.testing import Answer, FakeProvider, FinishedRun, run_pipeline

SERVER = str(Path(plain_mcp.__file__).resolve())


def run(root: Path, how: str, *tools: str, script: tuple[Any, ...] = ()) -> tuple[FinishedRun, FakeProvider]:
    (root / "pipe.yml").write_text(
        json.dumps({"version": 1, "mcp_servers": {"plain": {"command": [sys.executable, SERVER, how]}}})
    )
    model = FakeProvider(*(script or (Answer(tools=[("echo", {"text": "hi"})]), "done")))
    listed = json.dumps([f"mcp:plain/{tool}" for tool in tools or ("echo",)])
    node = f"{{agent: llm, provider: fake, timeout: 1m, with: {{prompt: x, tools: {listed}}}}}"
    return run_pipeline(f"version: 1\nnodes: {{a: {node}}}\n", providers={"fake": model}, root=root), model


def failed(done: FinishedRun) -> str:
    error = done.node("a").error
    assert error is not None
    assert error["kind"] == "tool", error
    return str(error["message"])


def test_d8_a_list_of_tools_that_never_comes_is_waited_for_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipe_runner.tools.session.LISTS", 0.5)
    done, model = run(tmp_path, "silent")
    assert failed(done) == "MCP server plain has not listed its tools within 0.5 s"
    assert model.requests == []


def test_pages_without_end_are_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_runner.tools.session.LISTS", 60.0)
    done, _ = run(tmp_path, "endless")
    assert failed(done) == "MCP server plain lists its tools on more than 100 pages"


@pytest.mark.parametrize("how", ["deep", "digits", "batch", "string", "null"])
def test_an_answer_that_cannot_be_read_fails_the_node_at_once_and_is_no_result(tmp_path: Path, how: str) -> None:
    done, model = run(tmp_path, how)
    message = failed(done)
    assert message.startswith("MCP server plain ")
    assert "answers something that is no MCP" in message
    assert len(model.requests) == 1


def test_tools_that_are_none_take_no_others_away(tmp_path: Path) -> None:
    done, model = run(tmp_path, "misshapen", "echo", "open")
    assert done.status == "succeeded"
    assert [tool.name for tool in model.requests[0].tools] == ["echo", "open"]
    assert model.requests[0].tools[1].parameters == {"type": "object"}


@pytest.mark.parametrize("tool", ["list", "all"])
def test_a_tool_that_is_used_and_has_no_schema_of_an_object_is_named(tmp_path: Path, tool: str) -> None:
    done, model = run(tmp_path, "misshapen", "echo", tool)
    why = "it is not that of an object"
    assert failed(done) == f"the schema of the arguments of mcp:plain/{tool} can't be used: {why}"
    assert model.requests == []
