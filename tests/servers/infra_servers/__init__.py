"""What stands in for the infrastructure: a container engine, a cluster, AWS, a registry of domains, systemctl."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.ports import Agent, Attempt, Command, Context, Emit, Masker, Outcome, ProcessEnd
from pipe_runner.testing import FakeClock
from pipe_runner.types import EventKind, NodeStatus
from pipe_schemas.infrastructure import InfrastructureResult
from pipe_schemas.infrastructure_action import InfrastructureActionResult

RESULTS: dict[str, type[BaseModel]] = {
    "infrastructure": InfrastructureResult,
    "infrastructure_action": InfrastructureActionResult,
}
"""What outputs are held against."""
NOW = 1_790_000_000.0
"""2026-09-21T14:13:20Z: when all that is recorded here was looked at."""


class PlainLauncher:
    """Starts programs without a warden."""

    def __init__(self) -> None:
        self.started: list[tuple[str, ...]] = []

    async def run(self, command: Command, attempt: Attempt, emit: Emit, masker: Masker) -> ProcessEnd:
        self.started.append(command.argv)
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            return ProcessEnd(None, None, b"", b"", 0.0, not_found=f"there is no program {command.argv[0]}")
        try:
            stdout, stderr = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        return ProcessEnd(process.returncode, None, stdout, stderr[-4096:], 0.0)


@dataclass
class Ops:
    """Performs an agent with an environment of its own, at a time that stands still."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    now: float = NOW
    launcher: PlainLauncher = field(default_factory=PlainLauncher)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    timeout: float | None = None

    def made(self, kind: type[Any]) -> Agent:
        made: Agent = kind({"PATH": os.defpath, "HOME": str(self.root / "home")})
        return made

    def context(self) -> Context:
        clock = FakeClock(int(self.now * 1e9))
        clock.seconds = 100_000.0
        masker: Any = SecretMasker(self.secrets) if self.secrets else NoMasking()

        def emit(kind: EventKind, data: Mapping[str, Any]) -> None:
            self.events.append(data)

        return Context(emit, self.launcher, clock, masker, {}, self.secrets, str(self.root))

    async def perform(self, kind: type[Any], **options: Any) -> Outcome:
        agent = self.made(kind)
        agent.options_model().model_validate(options)
        attempt = Attempt(
            "r1", "n", 1, agent.name, options, dict(self.env), str(self.root), "key-1", timeout=self.timeout
        )
        outcome = await agent.perform(attempt, self.context())
        if outcome.output is not None:
            RESULTS[agent.name].model_validate(outcome.output)
        return outcome

    def look(self, **options: Any) -> dict[str, Any]:
        """The output of `infrastructure`; held against its schema."""
        from pipe_agents.infrastructure import InfrastructureAgent

        outcome = asyncio.run(self.perform(InfrastructureAgent, **options))
        assert outcome.status is NodeStatus.SUCCEEDED, outcome
        output: Any = outcome.output
        return dict(output)

    def act(self, **options: Any) -> dict[str, Any]:
        from pipe_agents.infrastructure_action import InfrastructureActionAgent

        outcome = asyncio.run(self.perform(InfrastructureActionAgent, **options))
        assert outcome.status is NodeStatus.SUCCEEDED, outcome
        output: Any = outcome.output
        return dict(output)


def told(output: Mapping[str, Any]) -> dict[str, str]:
    """Severities by the ids of findings; `unavailable` of those."""
    return {
        one["id"]: "unavailable" if one["status"] == "unavailable" else one["severity"] for one in output["findings"]
    }


def one(output: Mapping[str, Any], id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(found for found in output["findings"] if found["id"] == id)
    return found
