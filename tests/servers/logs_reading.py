"""Performs `agent: log_analysis` for tests, and looks at what must hold for every result."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from pipe_agents.log_analysis import LogAnalysisAgent
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Context, Earlier, Masker, Outcome
from pipe_runner.testing import FakeClock
from pipe_runner.types import NodeStatus

NOW = 1780000000.0
"""2026-05-28."""


class Clock(FakeClock):
    """Has a date."""

    at = NOW

    def now_ns(self) -> int:
        return int(self.at * 1e9)


def perform(
    root: Path,
    options: dict[str, Any],
    *,
    masker: Masker | None = None,
    earlier: Any = None,
    launcher: Any = None,
    events: list[Any] | None = None,
    now: float = NOW,
) -> Outcome:
    clock = Clock()
    clock.at = now
    agent = LogAnalysisAgent()
    options = {"timezone": "UTC", **options}
    agent.options_model().model_validate(options)
    attempt = Attempt("r", "n", 1, agent.name, options, {}, str(root), "key")
    context = Context(
        lambda kind, data: None if events is None else events.append(data["text"]),
        launcher,
        clock,
        masker or NoMasking(),
        {},
        {},
        str(root),
        earlier=None if earlier is None else lambda: Earlier("r0", "2026-05-27T00:00:00Z", earlier),
    )

    async def once() -> Outcome:
        try:
            return await agent.perform(attempt, context)
        finally:
            await agent.close()

    return asyncio.run(once())


@cache
def declared() -> Any:
    """What the agent says of its output."""
    schema = LogAnalysisAgent().output_schema({})
    made = jsonschema.validators.validator_for(schema)
    made.check_schema(schema)
    return made(schema)


def output_of(root: Path, *, now: float = NOW, **options: Any) -> dict[str, Any]:
    """The output, after it was held against what it declares and its sums were added up."""
    outcome = perform(root, options, now=now)
    assert outcome.status is NodeStatus.SUCCEEDED, outcome.error
    output: Any = outcome.output
    declared().validate(output)
    sums_hold(output["measurements"])
    return output


def sums_hold(found: dict[str, Any]) -> None:
    assert found["lines"] == found["entries"] + found["joined_lines"] + found["blank_lines"] + found["outside_lines"]
    assert sum(found["levels"].values()) == found["entries"]
    for key in ("lines", "joined_lines", "blank_lines", "outside_lines", "untimed_entries", "bytes"):
        if found["files_total"] == len(found["files"]):
            assert found[key] == sum(one[key] for one in found["files"]), key
    if found["templates_total"] == len(found["templates"]):
        assert sum(one["count"] for one in found["templates"]) + found["other_lines"] == found["entries"]
    if found["rate"]["buckets"]:
        timed = found["entries"] - found["untimed_entries"]
        assert sum(one["entries"] for one in found["rate"]["buckets"]) == timed


def analysed(root: Path, **options: Any) -> dict[str, Any]:
    measurements: dict[str, Any] = output_of(root, top_templates=1000, **options)["measurements"]
    return measurements


def findings(root: Path, **options: Any) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in output_of(root, **options)["findings"]}


def finding_of(root: Path, check: str, **options: Any) -> dict[str, Any]:
    (found,) = [one for one in output_of(root, **options)["findings"] if one["check"] == check]
    return found
