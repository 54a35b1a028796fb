"""What an agent of a plugin prints is output of its node: stdout has the run's results, and no secret."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from pipe_runner.errors import NodeFault
from pipe_runner.executors.port_check import PortCheck
from pipe_runner.masking import SecretMasker
from pipe_runner.models import ModelRequest, ModelResponse, Pieces
from pipe_runner.ports import AgentDescription, Attempt, Context, Outcome
from pipe_runner.registry import Registry
from pipe_runner.testing import FakeProvider, run_pipeline, run_text, succeeded
from pipe_runner.types import ErrorKind, JsonObject

TEXT = "version: 1\nnodes:\n  a: {agent: loud}\n"


class Options(BaseModel):
    """None."""


class Loud:
    name = "loud"
    version = "1"

    def __init__(self, perform: Any) -> None:
        self.perform = perform

    def describe(self) -> AgentDescription:
        return AgentDescription("for tests")

    def options_model(self) -> Any:
        return Options

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {}


def said(perform: Any) -> tuple[str, dict[str, str]]:
    """The node's status, and what it said by streams."""
    registry = Registry.installed()
    registry.register("loud", lambda: Loud(perform))
    run = run_text(TEXT, registry, root=None, inputs={})
    told: dict[str, str] = {}
    for event in run.events:
        if event.event == "node.output":
            told[event.data["stream"]] = told.get(event.data["stream"], "") + event.data["text"]
    return run.statuses["a"], told


def test_what_an_agent_prints_is_output_of_its_node(capfd: pytest.CaptureFixture[str]) -> None:
    async def perform(attempt: Attempt, context: Context) -> Outcome:
        print("a line")
        await asyncio.sleep(0)
        await asyncio.to_thread(print, "of a thread")
        print("a word", file=sys.stderr)
        return succeeded()

    assert said(perform) == ("succeeded", {"stdout": "a line\nof a thread\n", "stderr": "a word\n"})
    assert "a line" not in capfd.readouterr().out


def test_what_its_processes_print_is_too() -> None:
    """In a process of its own: in this one an attempt that an earlier test left behind may hold the descriptors."""
    code = f"import {Path(__file__).stem} as those; those.with_a_process()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def with_a_process() -> None:
    async def perform(attempt: Attempt, context: Context) -> Outcome:
        await asyncio.to_thread(subprocess.run, ["echo", "a process"], check=True)
        return succeeded()

    assert said(perform) == ("succeeded", {"stdout": "a process\n"})


def test_what_it_printed_before_it_failed_is_kept() -> None:
    async def perform(attempt: Attempt, context: Context) -> Outcome:
        print("no newline", end="")
        raise NodeFault(ErrorKind.REFUSED, "no")

    assert said(perform) == ("failed", {"stdout": "no newline"})


def test_what_it_prints_when_it_is_closed_is_masked_and_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    async def close() -> None:
        print("bye", end=" ")
        print("hunter2-secret")

    agent: Any = Loud(None)
    agent.close = close
    anyio.run(PortCheck(agent, SecretMasker({"S": "hunter2-secret"})).close)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "agent loud: bye ***\n")


def test_what_a_provider_prints_while_it_is_asked_is_output_of_the_node(capfd: pytest.CaptureFixture[str]) -> None:
    class Chatty(FakeProvider):
        async def generate_with_metadata(self, request: ModelRequest, on_piece: Pieces | None = None) -> ModelResponse:
            print("a request")
            return await super().generate_with_metadata(request, on_piece)

    text = "version: 1\nnodes:\n  a: {agent: llm, provider: fake, with: {prompt: x}}\n"
    run = run_pipeline(text, providers={"fake": Chatty("done")})
    assert run.statuses == {"a": "succeeded"}
    assert [event.data["text"] for event in run.events if event.event == "node.output"] == ["a request\n", "done\n"]
    assert "a request" not in capfd.readouterr().out
