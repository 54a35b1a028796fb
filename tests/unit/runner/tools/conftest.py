"""A project with one MCP server, and runs of nodes that use it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import plain_mcp
import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.registry import Registry
from pipe_runner.run import Run
from pipe_runner.runlog import read_log
from pipe_runner.testing import Answer, FakeProvider, FinishedRun

SERVER = str(Path(plain_mcp.__file__).resolve())
ECHO = Answer(tools=[("echo", {"text": "hi"})])
ENVIRONMENT = Answer(tools=[("environment", {})])
ONE = """
version: 1
nodes:
  a: {agent: llm, provider: fake, timeout: 15s, with: {prompt: x, tools: [TOOLS]}}
"""


class Bench:
    """A project with one server, `plain`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = 0
        self.notes: list[str] = []

    def server(self, how: str = "good", **more: Any) -> None:
        entry = {"command": [sys.executable, SERVER, how], **more}
        (self.root / "pipe.yml").write_text(json.dumps({"version": 1, "mcp_servers": {"plain": entry}}))

    def run(
        self,
        *script: Any,
        tools: str = '"mcp:plain/echo", "mcp:plain/environment"',
        text: str = ONE,
        environ: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> tuple[FinishedRun, FakeProvider]:
        model = FakeProvider(*script)
        registry = Registry.installed()
        registry.providers.register("fake", model)
        text = text.replace("TOOLS", tools)
        plan = compile_text(text, path=str(self.root / "p.yml"), root=self.root, registry=registry)
        assert plan.plan is not None, plan.diagnostics
        given = RunSettings(state_dir=self.root / ".pipe", **settings)
        environ = {"PATH": os.environ["PATH"], **(environ or {})}
        active = open_run(plan.plan, {}, given, registry=registry, environ=environ)
        self.notes.clear()
        active.note = self.notes.append
        run: Run = anyio.run(active.perform)
        return FinishedRun(run, list(read_log(active.rundir.log_path).events), self.root, self.root / ".pipe"), model


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.server()
    return made


def fault(run: FinishedRun, node: str = "a") -> Mapping[str, Any]:
    error = run.node(node).error
    assert error is not None
    return error
