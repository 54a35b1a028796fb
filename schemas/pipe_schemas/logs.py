"""The `with:` of `agent: log_analysis`, and what it measures."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipe_schemas.fields import Size
from pipe_schemas.findings import ExplainOptions, Result
from pipe_schemas.log_counts import LogMeasurements

Check: TypeAlias = Literal["levels", "templates", "rates", "gaps", "security", "kernel", "services", "http", "baseline"]
FormatName: TypeAlias = Literal[
    "auto", "plain", "json", "rfc5424", "syslog", "syslog_iso", "access", "apache", "nginx", "apache_error",
    "nginx_error", "docker", "cri", "klog", "glog", "audit", "logfmt", "postgresql", "java", "python", "dpkg",
    "dmesg", "iso", "log4j", "epoch",
]  # fmt: skip


def _moment(text: str) -> str:
    """A duration, or a time."""
    from datetime import datetime

    from pipe_schemas.durations import parse_duration

    try:
        parse_duration(text)
    except ValueError:
        try:
            datetime.fromisoformat(text.strip())
        except ValueError:
            raise ValueError("this is neither a duration, as `2h`, nor a time, as `2026-03-01T12:00:00Z`") from None
    return text


def _ago(text: str | None) -> float | None:
    """Seconds before now, of a duration."""
    from pipe_schemas.durations import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError:
        return None


Moment: TypeAlias = Annotated[str, AfterValidator(_moment)]
Path: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096)]


SYSTEM_LOGS: list[Any] = ["/var/log/[amks]*"]
"""What is read for a task that names no files; beside the journal."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JournalOptions(_Options):
    """What is wanted of systemd's journal."""

    units: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.\\@*?\[\]-]{1,256}$")]] = Field(
        default_factory=list,
        max_length=100,
        description="Units, as `ssh.service`; all by default.",
        json_schema_extra={"x-task": "services"},
    )
    since: Moment | None = Field(
        default=None, description="From when on; else the node's `since`, else the last 24 hours."
    )


class LogThresholds(_Options):
    """From where on something is a finding."""

    failed_logins: Annotated[int, Field(ge=1)] = Field(
        default=10, description="Failed logins from one source for a finding."
    )
    many_failed_logins: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Failed logins from one source for severity medium; ten times as many from all."
    )
    failures_before_login: Annotated[int, Field(ge=1)] = Field(
        default=5, description="Failed logins in a row, none an hour after the one before, before one that works."
    )
    error_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        default=5.0, description="Errors in percent of all entries for severity medium."
    )
    http_5xx_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        default=1.0, description="Failed requests in percent of all for a finding; five times as many are high."
    )
    http_p95_s: Annotated[float, Field(gt=0)] = Field(
        default=2.0, description="Seconds that 95 % of the requests take at most, for a finding."
    )
    rate_factor: Annotated[float, Field(gt=1)] = Field(
        default=3.0, description="How many times more or less often than earlier a template comes, for a finding."
    )


class LogAnalysisOptions(ExplainOptions):
    """Which logs are read, how, and what is looked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="with: of agent log_analysis")

    paths: list[Path] | Path = Field(
        default_factory=list,
        description="Files and globs (`**` too); relative ones from the node's folder. Compressed files are opened, "
        "rotated ones read in the order of their times.",
        examples=[["/var/log/syslog*", "/var/log/nginx/*.log"]],
        json_schema_extra={"x-task": "paths", "x-task-default": SYSTEM_LOGS},
    )
    journal: bool | JournalOptions = Field(
        default=False,
        description="Read systemd's journal, through journalctl.",
        json_schema_extra={"x-task-default": True},
    )
    text: str | list[str] | None = Field(
        default=None, description="Lines to read: the output of another node.", examples=["{{ nodes.fetch.output }}"]
    )
    since: Moment | None = Field(
        default=None,
        description="Entries from then on: a duration before now (`2h`), or a time.",
        json_schema_extra={"x-task": "duration"},
    )
    until: Moment | None = Field(default=None, description="Entries before then: a duration before now, or a time.")
    format: FormatName = Field(
        default="auto", description="The format of the lines; `auto` finds it out for each file, from a sample."
    )
    timezone: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        default="local", description="The zone of times that have none: `local`, `UTC`, `+02:00`, `Europe/Vienna`."
    )
    checks: list[Check] = Field(
        default_factory=list,
        description="What is looked for; everything by default.",
        json_schema_extra={"x-task": "checks"},
    )
    thresholds: LogThresholds = Field(
        default_factory=LogThresholds, description="Numbers from which on something is a finding."
    )
    baseline: Literal["last", "none"] | dict[str, Any] = Field(
        default="last",
        description="What the result is compared with: this node's last run, nothing, or an earlier output.",
    )
    max_bytes: Size = Field(
        default=2 * 2**30, description="Bytes that are read of each file, unpacked; the rest is told as not read."
    )
    max_templates: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1000, description="Templates at most; entries beyond are counted together."
    )
    top_templates: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=300, description="Templates in the output at most, the most frequent ones."
    )
    fail_on: Literal["critical", "high", "medium", "low"] | None = Field(
        default=None, description="The node fails, its output recorded, if a finding is as bad as that."
    )

    @model_validator(mode="after")
    def _some_source(self) -> LogAnalysisOptions:
        if not self.paths and not self.journal and self.text is None:
            raise ValueError("there is nothing to read: give `paths`, `journal` or `text`")
        since, until = (_ago(text) for text in (self.since, self.until))
        if since is not None and until is not None and since <= until:
            raise ValueError("`since` isn't before `until`, so there is no time between them")
        return self


class LogAnalysisResult(Result):
    """The output of `agent: log_analysis`."""

    measurements: LogMeasurements
