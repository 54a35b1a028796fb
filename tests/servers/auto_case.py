"""A case of the agent `auto`, for tests/contracts/test_agents.py, and who chooses in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pipe_runner.errors import NodeFault
from pipe_runner.ports import Attempt, Emit, NodeError, Outcome
from pipe_runner.types import ErrorKind, JsonObject, NodeStatus

SECRET = "very-secret-value"
"""As in test_agents.py."""


def chosen(*agents: str) -> list[dict[str, Any]]:
    return [{"agent": one, "score": 1.0, "why": f"{one} fits", "options": {}} for one in agents]


class Chooses:
    """Chooses an agent that is called as the task is."""

    async def choose(self, attempt: Attempt, emit: Emit) -> Sequence[Mapping[str, Any]]:
        task = str(attempt.options["task"])
        if task == "nothing":
            raise NodeFault(ErrorKind.REFUSED, "no agent fits the task")
        return chosen(task)

    async def perform(self, attempt: Attempt, agent: str, options: JsonObject, emit: Emit) -> Outcome:
        if agent == "slow":
            await asyncio.sleep(60)
        if agent in ("fails", SECRET):
            return Outcome(NodeStatus.FAILED, error=NodeError(ErrorKind.EXIT, f"{agent} has failed"))
        from pipe_agents.findings import finding, result

        one = finding(f"{agent}.thing", "it", "low", f"{agent} has seen it")
        return Outcome(NodeStatus.SUCCEEDED, result(agent, [one], {"n": 1}, began_ns=0, seconds=0.0))


AUTO: dict[str, Any] = {
    "works": {"task": "x", "chosen": chosen("one", "two")},
    "fails": ({"task": "nothing"}, ErrorKind.REFUSED),
    "leaks": {"task": "x" + SECRET, "chosen": chosen("fails")},
    "slow": {"task": "slow"},
    "wrong": ({}, {"task": ""}, {"task": "x", "most": 5}, {"task": "x", "most": 0}, {"task": "x", "by": "chance"}),
}
