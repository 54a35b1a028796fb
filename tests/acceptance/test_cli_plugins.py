"""What a plugin prints or raises, in whichever of its methods: stdout has results only, and the fault is its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PLUGIN = """
import os
import sys

def at(what):
    if what == os.environ.get("FAULT"):
        raise SystemExit(0)
    for _ in range(int(os.environ.get("LINES", "0"))):
        print("printed", what, flush=True)
        os.write(1, b"written " + what.encode() + b"\\n")
    if what == os.environ.get("SAID"):
        print(os.environ["S"])
        print(os.environ["S"], file=sys.stderr)

at("import")
from pydantic import BaseModel
from pipe_runner.models import Finish, ModelResponse, ProviderSettings
from pipe_runner.ports import AgentDescription, Outcome
from pipe_runner.types import NodeStatus

class Options(BaseModel):
    x: int = 1

class Agent:
    name, version, summary = "loud", "1", "A provider."

    def __init__(self):
        at("init")

    def describe(self):
        at("describe")
        return AgentDescription("An agent.")

    def options_model(self):
        at("options_model")
        return Options

    def output_schema(self, options):
        at("output_schema")
        return {}

    async def perform(self, attempt, context):
        at("perform")
        return Outcome(NodeStatus.SUCCEEDED, 1)

    def settings(self, name, options, model, environ):
        at("settings")
        return ProviderSettings(name, {}, "m")

    def open(self, settings):
        at("open")
        return self

    def warm(self):
        at("warm")

    async def generate_with_metadata(self, request, on_piece=None):
        at("generate")
        return ModelResponse("yes", Finish.STOP, model="m")

    async def check(self):
        at("check")
        return "fine"

    async def close(self):
        at("close")
"""
FILE = "version: 1\nnodes:\n  a: {agent: loud}\n  m: {agent: llm, provider: loud, with: {prompt: x}}\n"
READING = [
    ("check", "f.yml", "--format", "json"),
    ("plan", "f.yml", "--output", "json"),
    ("agents", "loud", "--output", "json"),
    ("providers", "loud", "--check", "--output", "json"),
]
RUN = ("run", "f.yml", "--output", "json")


@pytest.fixture
def loud(pipe: Any, tmp_path: Path) -> Any:
    """The command, beside an installed distribution that brings an agent and a provider of the name `loud`."""
    info = tmp_path / "site" / "loud-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.2\n")
    groups = [f"[pipe_runner.{group}]\nloud = loud:Agent\n" for group in ("agents", "providers")]
    (info / "entry_points.txt").write_text("".join(groups))
    (info.parent / "loud.py").write_text(PLUGIN)
    pipe.write("pipe.yml", "{}\n")
    pipe.write("f.yml", FILE)
    pipe.env["PYTHONPATH"] = str(info.parent)
    return pipe


@pytest.mark.parametrize("words", [*READING, RUN], ids=lambda words: words[0])
def test_stdout_is_one_result_whatever_a_plugin_prints_there(loud: Any, words: tuple[str, ...]) -> None:
    done = loud.alone(*words, env={"LINES": "1"})
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    assert "printed import" in done.stderr and "written import" in done.stderr


@pytest.mark.parametrize(
    "what", ["import", "init", "describe", "options_model", "settings", "open", "generate", "check"]
)
def test_what_a_plugin_raises_is_told_as_its_own(loud: Any, what: str) -> None:
    words = READING[3] if what == "check" else RUN
    done = loud.alone(*words, env={"FAULT": what})
    assert done.returncode in (1, 2), done.stderr
    told = done.stdout + done.stderr
    assert "loud" in told and "SystemExit" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("what", ["warm", "close"])
def test_what_a_plugin_raises_beside_its_work_fails_nothing(loud: Any, what: str) -> None:
    done = loud.alone(*RUN, env={"FAULT": what})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_that_a_plugin_prints_as_it_is_closed_is_masked(loud: Any) -> None:
    granted = "  s: {run: 'true', secrets: [S]}\n"
    loud.write("f.yml", FILE.replace("nodes:", "secrets: {S: {from: env}}\nnodes:") + granted)
    done = loud.alone(*RUN, env={"SAID": "close", "S": "hunter2-secret"})
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    assert "hunter2" not in done.stderr
    assert done.stderr.count("***") == 4  # the agent's and the provider's
