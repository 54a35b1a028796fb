"""Agents that measure nothing, with words and options as those have that do."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipe_runner.ports import AgentDescription, Capability
from pipe_runner.registry import Registry
from pipe_runner.testing import FakeAgent
from pipe_runner.types import JsonObject


class NetOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    host: str | None = Field(default=None, json_schema_extra={"x-task": "host"})
    hosts: list[str] = Field(default_factory=list, json_schema_extra={"x-task": "hosts"})
    ports: list[int] = Field(default_factory=list, json_schema_extra={"x-task": "ports"})
    checks: list[Literal["dns", "tcp"]] | None = Field(default=None, json_schema_extra={"x-task": "checks"})
    explain: bool = False


class LogOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    paths: list[str] = Field(default_factory=list, json_schema_extra={"x-task": "paths"})
    since: str | None = Field(default=None, json_schema_extra={"x-task": "duration"})


class MergeOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    results: dict[str, Any] | list[Any]
    title: str = ""


class Measures(FakeAgent):
    """Gives its options as what it measured."""

    def __init__(self, name: str, model: type[BaseModel], *capabilities: str, acts: bool = False) -> None:
        super().__init__(name, lambda options: _result(name, dict(options)))
        self.model, self.capabilities, self.changes_things = model, capabilities, acts

    def describe(self) -> AgentDescription:
        return AgentDescription(f"Stands in for {self.name}.", self.capabilities, changes_things=self.changes_things)

    def options_model(self) -> type[BaseModel]:
        return self.model

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_schemas.findings import Result

        schema = Result.model_json_schema()
        return {**schema, "properties": {**schema["properties"], "measurements": {"type": "object"}}}


def _result(name: str, options: dict[str, Any]) -> Any:
    from pipe_agents.findings import finding, result

    one = finding(f"{name}.thing", "it", "low", f"{name} has seen it", {"options": len(options)}, "look at it")
    return result(name, [one], {"options": options}, began_ns=0, seconds=0.0)


NET = ("net", NetOptions, Capability("network.dns", "Resolves names.", ("resolve", "name server", "slow")),
       Capability("network.tcp", "Connects to ports.", ("port", "open port", "reach", "refused")))  # fmt: skip
LOGS = ("logs", LogOptions, Capability("logs.errors", "Counts errors.", ("error", "exception", "crash")),
        Capability("logs.security", "Finds who logs in.", ("failed login", "log in", "root", "sudo")))  # fmt: skip


def registry(*more: Measures) -> Registry:
    """Two that measure, one that acts, one that merges, and one that says nothing."""
    made = Registry()
    agents = [
        Measures(*NET),
        Measures(*LOGS),
        Measures("restarter", LogOptions, Capability("x.restart", "Restarts.", ("restart", "reboot")), acts=True),
        Measures("findings", MergeOptions, Capability("findings.report", "Merges.", ("report", "merge"))),
        FakeAgent("silent", dict),
        *more,
    ]
    for agent in agents:
        made.register(agent.name, lambda agent=agent: agent)  # type: ignore[misc]
    return made
