"""What `agent: log_analysis` counts: the `measurements` of its output."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from pipe_schemas.findings import Given


class Place(Given):
    """A line that serves as an example; masked, and cut to 500 characters."""

    example: str | None = Field(description="The first such line.")
    file: str | None = Field(description="The file that it stands in; `journal` or `text` for these.")
    line: int | None = Field(description="Its number there, from 1, in the unpacked text.")


class Levels(Given):
    """Entries by level."""

    fatal: int
    error: int
    warning: int
    info: int
    debug: int
    none: int = Field(description="Those that say no level.")


class LogFile(Given):
    """One file that was read."""

    path: str
    format: str = Field(description="As in the option `format`.")
    format_percent: float = Field(description="Lines of the sample that have this format, in percent.")
    lines: int
    joined_lines: int
    blank_lines: int
    outside_lines: int = Field(description="Lines outside of `since` and `until`.")
    untimed_entries: int = Field(description="Entries without a time that could be read and can be true.")
    bytes: int = Field(description="Bytes, unpacked.")
    compressed: str = Field(description="`none`, `gzip`, `bzip2`, `xz` or `zstd`.")
    skipped_before_bytes: int = Field(
        description="Bytes from its beginning that were not read: those before `since`, and those beyond `max_bytes`."
    )
    skipped_after_bytes: int | None = Field(
        description="Bytes to its end that were not read: those after `until`; null where their number isn't known, as "
        "in a compressed file."
    )
    cut_lines: int = Field(description="Lines of a megabyte or more, of which only the first 64 KiB were looked at.")
    times_back: int = Field(description="How often a time lies more than two minutes before the one above it.")
    first_minute: str | None = Field(description="RFC 3339, UTC.")
    last_minute: str | None = Field(description="RFC 3339, UTC.")
    assumed: list[str] = Field(description="What its times leave out, and what was assumed.")


class Log(Given):
    """A log: a file with its rotated ones, the journal, or text."""

    log: str
    begin: str | None = Field(description="The minute of its first entry; RFC 3339, UTC.")
    end: str | None = Field(description="The end of the minute of its last entry.")
    partly_read: bool = Field(description="Whether something that was asked for lies beyond `max_bytes`.")


class LogCount(Given):
    log: str
    count: int


class LogTemplate(Place):
    """Lines that differ in numbers and names only."""

    id: str = Field(description="The same for the same template.")
    template: str = Field(description="`<*>` stands for what differs.")
    count: int = Field(description="Entries; exact.")
    level: str = Field(description="The worst level that an entry of it has.")
    first_at: str | None = Field(description="RFC 3339, UTC.")
    last_at: str | None = Field(description="RFC 3339, UTC.")
    logs: list[LogCount] = Field(description="The logs that it is in, with its entries there; at most 20.")


class Bucket(Given):
    """Entries within a span of time."""

    at: str = Field(description="When it begins; RFC 3339, UTC.")
    entries: int
    errors: int = Field(description="Entries at level error or worse.")


class Rate(Given):
    """How much was logged when."""

    bucket_s: int = Field(description="Seconds of a bucket of `buckets`.")
    buckets: list[Bucket] = Field(description="Those with entries, at most 288.")
    median: float | None = Field(
        description="Entries in a bucket as bursts are looked for: a minute where there are few."
    )
    burst_above: float | None = Field(description="What a bucket must be above to be a burst.")
    most: int | None = Field(description="Entries in the fullest of them.")
    most_at: str | None = Field(description="When that begins.")


class LogBurst(Given):
    """Buckets in a row that are above what is usual."""

    of: Literal["entries", "errors"]
    start: str
    end: str
    count: int = Field(description="Entries within it.")
    peak: int = Field(description="Entries in its fullest bucket.")
    median: float
    above: float = Field(description="The bound.")
    bucket_s: int


class Gap(Given):
    """A silence that is unusual for this log."""

    log: str
    start: str
    end: str
    seconds: float
    above_s: float = Field(description="Seconds that it is silent at most, by the rule.")


class PatternLines(Place):
    """Lines of one known pattern."""

    check: str = Field(description="Its name, as in `logs.NAME` of findings.")
    lines: int = Field(description="Exact.")
    first_at: str | None
    last_at: str | None


class NamedLines(Given):
    """Lines that name an exception."""

    name: str
    lines: int


class Named(Given):
    """A user, and how often."""

    name: str
    count: int


class LoginSource(Given):
    """Where failed logins came from."""

    source: str
    failures: int
    invalid_users: int = Field(description="Logins of users that don't exist; sshd logs most of them as failures, too.")
    accepted: int
    first_at: str | None
    last_at: str | None
    users: list[str] = Field(description="Whom it tried most often.")


class LoginCounts(Given):
    """Logins, and sudo."""

    failures: int = Field(description="Failed logins; a line `message repeated N times` counts N.")
    accepted: int
    sources: list[LoginSource] = Field(description="The worst twenty.")
    sources_total: int
    beyond: int = Field(description="Attempts of sources beyond 20,000, which aren't in `sources`.")
    users: list[Named] = Field(description="Whose logins failed.")
    sudo: list[Named] = Field(description="Who used sudo.")
    sudo_failed: list[Named] = Field(description="Whom sudo refused.")


class StatusCount(Given):
    status: int
    count: int


class FailingRequest(Given):
    request: str = Field(description="Method and path, without the query.")
    status: int
    count: int


class ClientCount(Given):
    client: str
    requests: int


class SlowRequest(Given):
    request: str
    count: int = Field(description="Requests of a second or longer.")


class StatusClasses(Given):
    """Requests by the first digit of their status."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)

    informational: int = Field(alias="1xx")
    success: int = Field(alias="2xx")
    redirection: int = Field(alias="3xx")
    client_error: int = Field(alias="4xx")
    server_error: int = Field(alias="5xx")
    other: int


class HttpCounts(Given):
    """Requests in access logs."""

    requests: int
    bytes: int = Field(description="Of the bodies sent, as logged.")
    classes: StatusClasses
    statuses: list[StatusCount]
    failing: list[FailingRequest] = Field(description="Requests with a status of 5xx, the most frequent ones.")
    failing_beyond: int = Field(description="Failed requests for paths beyond the first 20,000 different ones.")
    clients: list[ClientCount]
    clients_known: int = Field(description="Different clients that were kept, at most 50,000.")
    clients_beyond: int = Field(description="Requests of clients beyond those.")
    timed: int = Field(description="Requests whose line ends with a time in seconds, as nginx's $request_time.")
    p50_s: float | None = Field(description="Estimated, within 5 %.")
    p95_s: float | None = Field(description="Estimated, within 5 %.")
    p99_s: float | None = Field(description="Estimated, within 5 %.")
    slow: list[SlowRequest]


class ChangedRate(Given):
    """A template that comes more or less often than earlier."""

    template: str
    id: str
    level: str
    entries: int
    earlier_entries: int
    expected: float = Field(description="Entries that the earlier rate would give.")
    factor: float | None = Field(description="How many times the earlier rate.")
    deviations: float = Field(description="By how many standard deviations of chance.")


class LogBaseline(Given):
    """Held against an earlier result."""

    run: str | None
    at: str | None
    logs: int = Field(description="Logs that both have read: these are compared.")
    logs_only_now: int
    logs_only_earlier: int
    span_s: float = Field(description="The time that the earlier result covers in these logs, in seconds.")
    complete: bool = Field(description="Whether it had all its templates; else only frequent ones are called new.")
    new_templates: int
    new: list[str]
    changed_templates: int
    changed: list[ChangedRate]


class LogMeasurements(Given):
    """What was counted. `lines` = `entries` + `joined_lines` + `blank_lines` + `outside_lines`.

    `entries` = the counts of all templates + `other_lines`."""

    lines: int
    entries: int
    joined_lines: int = Field(description="Lines that go on with the one before: stack traces, indented lines.")
    blank_lines: int
    outside_lines: int = Field(description="Lines outside of `since` and `until`.")
    untimed_entries: int = Field(description="Entries without a time that could be read and can be true.")
    bytes: int = Field(description="Bytes, unpacked.")
    levels: Levels
    first_at: str | None = Field(description="Of the first entry; RFC 3339, UTC.")
    last_at: str | None
    span_s: float | None = Field(description="Seconds from the first to the last minute.")
    entries_per_minute: float | None = Field(description="Between `complete_from` and `complete_until`.")
    complete_from: str | None = Field(
        description="From when on each file was read, where one was read in part; bursts before are not looked for."
    )
    complete_until: str | None = Field(description="Until when each file was read, where one was read in part.")
    since: str | None
    until: str | None
    files: list[LogFile] = Field(description="At most 200.")
    files_total: int
    logs: list[Log]
    partly_read: int = Field(description="Files of which something that was asked for lies beyond `max_bytes`.")
    unread_total: int = Field(description="Files and other sources that could not be read, or not to their end.")
    empty_globs: list[str] = Field(description="Globs that match no file, where others of the node do.")
    templates: list[LogTemplate] = Field(description="The most frequent, as many as `top_templates` says.")
    templates_total: int
    other_lines: int = Field(description="Entries that are in no template, since there were too many different ones.")
    merged: bool = Field(description="Whether drain3 was there to merge lines that differ in words.")
    rate: Rate
    bursts: list[LogBurst]
    gaps: list[Gap]
    patterns: list[PatternLines]
    exceptions: list[NamedLines]
    logins: LoginCounts
    http: HttpCounts | None = Field(description="null where no access log was read.")
    baseline: LogBaseline | None = Field(description="null where there was nothing to compare with.")
    findings_beyond: int = Field(description="Findings that were left out: the least bad ones.")
