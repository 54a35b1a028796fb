"""Options and output of `agent: findings`, which merges what agents that measure have found."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipe_schemas.findings import ExplainOptions, Finding, Given, Result
from pipe_schemas.report_paths import kept, same

MOST_RESULTS = 200
"""Results that one node merges."""


class MergeOptions(ExplainOptions):
    """What is merged, and where the report goes."""

    results: (
        Annotated[dict[str, Any], Field(max_length=MOST_RESULTS)] | Annotated[list[Any], Field(max_length=MOST_RESULTS)]
    ) = Field(
        description="Outputs of agents that measure, by a name of yours or as a list; lists of findings; outputs of "
        "repeated nodes. One that is null (its node failed or was skipped) becomes a blind spot."
    )
    title: str = Field(default="Findings", min_length=1, max_length=200, description="The report's heading.")
    markdown: str | None = Field(
        default=None, description="A file for the report in Markdown, by its path from the project's root."
    )
    html: str | None = Field(
        default=None, description="A file for the report as one HTML page, by its path from the project's root."
    )
    must_write: bool = Field(
        default=False,
        description="Fail the node where a report can't be written; the output is kept. By default that is only said.",
    )
    window_minutes: int = Field(
        default=60,
        ge=1,
        le=10_080,
        description="Minutes that two findings may lie apart and still be said to belong together, where their times "
        "are known.",
    )
    fail_on: Literal["critical", "high", "medium", "low"] | None = Field(
        default=None, description="Fail the node where something measured is as bad as this; the output is kept."
    )

    @field_validator("markdown", "html")
    @classmethod
    def _inside(cls, path: str | None) -> str | None:
        if path is None:
            return None
        steps = path.replace("\\", "/").split("/")
        if "\0" in path or ":" in steps[0] or {"..", ".", ""} & set(steps):
            raise ValueError("a path from the project's root that stays in it, as report/triage.md")
        why = kept(path)
        if why is not None:
            raise ValueError(f"a path of a file of its own, as report/triage.md: {why}")
        return path

    @model_validator(mode="after")
    def _apart(self) -> MergeOptions:
        if self.markdown is not None and self.html is not None and same(self.markdown, self.html):
            raise ValueError(f"markdown and html are the same file, {self.markdown}: give each a name of its own")
        return self


class MergedFinding(Finding):
    """A finding, and who found it."""

    agents: list[str] = Field(description="The results that have it, by their names.")


class Contradiction(Given):
    """Two that say opposite things of the same."""

    subject: str = Field(description="Of what.")
    says: list[str] = Field(description="What each says, and who says so.")
    findings: list[str] = Field(default_factory=list, description="Ids of the findings among them.")
    check: str = Field(description="How to find out which is right.")


class Correlation(Given):
    """Findings that belong together by a rule of docs/findings.md. What it suggests is no more than that."""

    rule: str = Field(description="The rule's name.")
    severity: Literal["critical", "high", "medium", "low", "info"] = Field(description="The worst of its findings.")
    text: str = Field(description="What they suggest, together.")
    suggestion: str = Field(description="What to look at or to do.")
    findings: list[str] = Field(description="Ids of the findings that it rests on.")
    minutes_apart: float | None = Field(default=None, description="How far apart they were, where times are known.")


class BlindSpot(Given):
    """What could not be looked at."""

    what: str
    why: str
    needs: str | None = None
    agent: str = Field(description="Whose result says so, or which result is missing.")


class Counts(Given):
    """Findings by severity; what could not be measured is counted apart."""

    critical: int
    high: int
    medium: int
    low: int
    info: int
    unavailable: int


class Source(Given):
    """One of the results."""

    name: str
    agent: str | None = Field(description="Who measured; null where nothing was given.")
    severity: Literal["critical", "high", "medium", "low", "info"] | None = Field(default=None)
    summary: str
    findings: int
    measured_at: str | None = None
    duration_s: float | None = None


class MergeMeasurements(Given):
    """What was merged."""

    sources: list[Source]
    doubles: int = Field(description="Findings that more than one result had.")
    left_out: int = Field(description="Findings beyond the most that are kept.")


class Reports(Given):
    """Where the report stands, by its path from the project's root; null where it could not be written."""

    markdown: str | None = None
    html: str | None = None


class Merged(Result):
    """The output."""

    findings: list[MergedFinding] = Field(description="The worst first.")  # type: ignore[assignment]  # more is known of each
    measurements: MergeMeasurements
    counts: Counts
    contradictions: list[Contradiction]
    correlations: list[Correlation]
    blind_spots: list[BlindSpot]
    reports: Reports
    lines: list[str] = Field(description="The worst of it in short lines, for a terminal.")
