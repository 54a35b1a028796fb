"""What agents that measure give: findings, with the numbers that they rest on. One shape for all of them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
"""Worst first."""


class Given(BaseModel):
    """A map of an output: closed, so that what reads it is checked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def model_json_schema(cls, *args: Any, **more: Any) -> dict[str, Any]:
        """Made once: a compilation asks for it for each node, and making it takes tens of milliseconds. Not to be
        changed by who gets it."""
        if args or more:
            return super().model_json_schema(*args, **more)
        found = _SCHEMAS.get(cls)
        if found is None:
            found = _SCHEMAS[cls] = super().model_json_schema()
        return found


_SCHEMAS: Final[dict[type[BaseModel], dict[str, Any]]] = {}


class Finding(Given):
    """One thing that was found out, or could not be."""

    id: str = Field(description="Unique in its result, and the same for the same thing each time: `check:subject`.")
    check: str = Field(description="What was looked at, by a fixed name, as `tcp.refused` or `disk.full`.")
    subject: str = Field(description="What it is about: `127.0.0.1:443`, `/var`, `sshd.service`.")
    severity: Literal["critical", "high", "medium", "low", "info"] = Field(description="How bad it is.")
    status: Literal["measured", "estimated", "unavailable"] = Field(
        description="`unavailable`: it could not be measured; `why` and `needs` say more, and nothing is claimed."
    )
    summary: str = Field(description="One sentence, with the numbers that matter.")
    evidence: dict[str, Any] = Field(default_factory=dict, description="What was measured, by names with units.")
    suggestion: str | None = Field(default=None, description="What to do or to look at next.")
    why: str | None = Field(default=None, description="Why it could not be measured.")
    needs: str | None = Field(default=None, description="What it would take: a permission, a tool, a package.")


class Claim(Given):
    """One sentence of a model's explanation, held against the findings."""

    text: str = Field(description="What the model says.")
    findings: list[str] = Field(default_factory=list, description="Ids of the findings that it names as its reasons.")
    supported: bool = Field(description="Whether there are such findings, and they have the numbers that it gives.")
    doubt: str | None = Field(default=None, description="Why it is not supported.")


class NextCheck(Given):
    """What the model would look at next."""

    task: str = Field(description="In words, as `pipe ask` takes them.")
    agent: str | None = Field(
        default=None, description="The agent for it; null where the named one is none that measures."
    )
    why: str | None = Field(default=None, description="What it would tell.")


class Explanation(Given):
    """What a model makes of the findings. They are the facts; it explains and ranks them."""

    status: Literal["given", "unavailable"] = Field(description="`unavailable`: `why` and `needs` say more.")
    summary: str | None = Field(default=None, description="In a few sentences, for who is on call.")
    claims: list[Claim] = Field(default_factory=list)
    ranking: list[str] = Field(default_factory=list, description="Ids of findings, what to see to first at the front.")
    next_checks: list[NextCheck] = Field(default_factory=list)
    provider: str | None = None
    model: str | None = None
    why: str | None = None
    needs: str | None = None


class Result(Given):
    """What every agent that measures gives; each adds its own `measurements`."""

    agent: str = Field(description="Who measured.")
    severity: Literal["critical", "high", "medium", "low", "info"] = Field(
        description="The worst of what was measured; `info` where nothing is wrong."
    )
    summary: str = Field(description="The result in one sentence.")
    findings: list[Finding] = Field(description="The worst first.")
    measured_at: str = Field(description="When it began; RFC 3339, UTC.")
    duration_s: float = Field(description="Seconds that it took.")
    explanation: Explanation | None = Field(default=None, description="With `explain: true`.")


class NotLookedAt(BaseModel):
    """Something that a task names and the agent that was chosen for it does not look at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: Annotated[str, Field(min_length=1, max_length=4096)] = Field(description="A host, a time, a path.")
    why: Annotated[str, Field(min_length=1, max_length=1000)] = Field(description="Why it isn't looked at.")


def _tells(schema: dict[str, Any]) -> None:
    """By this option an agent is told what it does not look at."""
    schema["x-task-unseen"] = True


class ExplainOptions(BaseModel):
    """Options that all of them take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    not_looked_at: Annotated[list[NotLookedAt], Field(max_length=64)] = Field(
        default_factory=list,
        description="Set by whoever chose the agent for a task: what the task names and this agent does not look at. "
        "Each becomes a finding of status `unavailable`.",
        json_schema_extra=_tells,
    )

    explain: bool = Field(default=False, description="Have a model explain the findings; they are complete without it.")
    provider: Annotated[list[str], Field(description="Set by the node's `provider:`.")] = Field(default_factory=list)
    model: str | None = Field(default=None, description="The model that explains; the provider's own by default.")
    max_tokens: Annotated[int, Field(ge=64, le=100_000)] = Field(
        default=2000, description="Of the explanation, at most."
    )
