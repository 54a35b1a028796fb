"""What the agent `network_diagnostics` takes; what it measures stands in `network_measured`."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipe_schemas.durations import parse_duration
from pipe_schemas.fields import Duration, Wait
from pipe_schemas.findings import ExplainOptions
from pipe_schemas.hosts import resolver_port

Check: TypeAlias = Literal["dns", "tcp", "latency", "route", "http", "tls", "local"]
RecordType: TypeAlias = Literal["A", "AAAA", "CNAME", "MX", "TXT", "NS"]
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z", re.ASCII)
LONGEST_WAIT: Final = 60.0
"""Seconds: one answer is waited for at most so long."""
MOST_PORTS: Final = 70_000
"""Connections of one node: ports times hosts."""


def _port(entry: int | str) -> int | str:
    match = _RANGE.match(str(entry))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"{str(entry)[:40]!r} is no port: write a number from 1 to 65535, or a range as `8000-8010`")
    return entry


def _host(entry: str) -> str:
    if entry != entry.strip() or any(not char.isprintable() or char in " /@?#\\" for char in entry):
        raise ValueError(f"{entry[:100]!r} is neither a name nor an address: write `db.internal`, `10.0.0.5` or `::1`")
    return entry


def _url(entry: str) -> str:
    if not re.match(r"https?://[^/?#\s]+", entry, re.IGNORECASE) or any(not char.isprintable() for char in entry):
        raise ValueError(f"{entry[:100]!r} is no URL: write `https://example.com/health`")
    return entry


def _resolver(entry: str) -> str:
    resolver_port(entry)
    return entry


def _short(duration: str) -> str:
    if parse_duration(duration, zero=True) > LONGEST_WAIT:
        raise ValueError(f"{duration} is longer than {LONGEST_WAIT:g} s")
    return duration


Port: TypeAlias = Annotated[
    Annotated[int, Field(ge=1, le=65535, strict=True)] | Annotated[str, Field(pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?$")],
    AfterValidator(_port),
]
Host: TypeAlias = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_host)]
Url: TypeAlias = Annotated[str, Field(min_length=8, max_length=8192), AfterValidator(_url)]
ResolverPlace: TypeAlias = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_resolver)]
Percent: TypeAlias = Annotated[float, Field(ge=0, le=100)]
Milliseconds: TypeAlias = Annotated[float, Field(gt=0, le=3_600_000)]


class NetworkThresholds(BaseModel):
    """From where on something is a finding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: Milliseconds = Field(default=150.0, description="Median time to the host and back, milliseconds.")
    jitter_ms: Milliseconds = Field(default=30.0, description="Mean change from one probe to the next, milliseconds.")
    loss_percent: Percent = Field(default=1.0, description="Probes without an answer, percent.")
    dns_ms: Milliseconds = Field(default=250.0, description="One answer of a resolver, milliseconds.")
    connect_ms: Milliseconds = Field(default=500.0, description="A TCP connection, milliseconds.")
    tls_ms: Milliseconds = Field(default=1000.0, description="A TLS handshake, milliseconds.")
    first_byte_ms: Milliseconds = Field(
        default=1000.0, description="From a request to the first byte of its answer, milliseconds."
    )
    total_ms: Milliseconds = Field(default=5000.0, description="A URL, with all its redirects, milliseconds.")
    certificate_days: Annotated[float, Field(ge=0, le=3650)] = Field(
        default=21.0, description="Days for which a certificate still holds: a finding of severity medium below."
    )
    certificate_critical_days: Annotated[float, Field(ge=0, le=3650)] = Field(
        default=7.0, description="The same, of severity high."
    )


class NetworkOptions(ExplainOptions):
    """What is looked at, and from where on it is a finding."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="with: of agent network_diagnostics")

    host: Host | None = Field(
        default=None,
        description="A name or an address (IPv4, IPv6 with or without brackets).",
        examples=["db.internal"],
        json_schema_extra={
            "x-task": "host",
            "x-task-not-for": ["local"],
            "x-task-with": {"ports": "localhost"},
        },
    )
    hosts: Annotated[list[Host], Field(max_length=64)] = Field(
        default_factory=list,
        description="More of them; each is looked at in the same way.",
        json_schema_extra={"x-task": "hosts", "x-task-not-for": ["local"]},
    )
    ports: Annotated[list[Port], Field(max_length=65535)] = Field(
        default_factory=list,
        description="TCP ports of each host: numbers, which should be open, and ranges (`8000-8010`), which are "
        "looked through.",
        examples=[[22, 443]],
        json_schema_extra={"x-task": "ports"},
    )
    urls: Annotated[list[Url], Field(max_length=64)] = Field(
        default_factory=list,
        description="http and https URLs that are fetched with GET; the body is measured and not kept.",
        json_schema_extra={"x-task": "urls", "x-task-brings": "http"},
    )
    checks: Annotated[list[Check], Field(min_length=1)] | None = Field(
        default=None,
        description="What is looked at; by default all that the other options name.",
        json_schema_extra={"x-task": "checks"},
    )
    resolvers: Annotated[list[ResolverPlace], Field(max_length=16)] = Field(
        default_factory=list,
        description="DNS servers that are asked and compared, as `10.0.0.2` or `127.0.0.1:5353`; by default the "
        "system's.",
    )
    record_types: Annotated[list[RecordType], Field(min_length=1)] = Field(
        default=["A", "AAAA", "CNAME", "MX", "TXT", "NS"], description="DNS records that are asked for."
    )
    family: Literal["any", "ipv4", "ipv6"] = Field(default="any", description="Which addresses are used.")
    probes: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        default=10, description="How often the time to a host is measured."
    )
    probe_interval: Annotated[Wait, AfterValidator(_short)] = Field(default="100ms", description="Time between probes.")
    max_hops: Annotated[int, Field(ge=1, le=64, strict=True)] = Field(
        default=30, description="How far a route is followed."
    )
    timeout: Annotated[Duration, AfterValidator(_short)] = Field(
        default="2s", description="How long one answer is waited for: a DNS answer, a connection, a probe, a hop."
    )
    request_timeout: Annotated[Duration, AfterValidator(_short)] = Field(
        default="15s", description="How long a URL may take with all its redirects, and a TLS handshake."
    )
    concurrency: Annotated[int, Field(ge=1, le=4096, strict=True)] = Field(
        default=512, description="TCP connections that are tried at the same time."
    )
    max_redirects: Annotated[int, Field(ge=0, le=50, strict=True)] = Field(
        default=10, description="Redirects of a URL that are followed."
    )
    max_bytes: Annotated[int, Field(ge=1, le=2**30, strict=True)] = Field(
        default=4 * 2**20, description="Bytes of a body that are read at most."
    )
    ca_file: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="A PEM file with certificate authorities to trust in place of the system's; relative to the root.",
    )
    server_name: Host | None = Field(
        default=None, description="The name that certificates of `hosts` must hold, where it isn't the host itself."
    )
    thresholds: NetworkThresholds = Field(
        default_factory=NetworkThresholds, description="Bounds beyond which what was measured is a finding."
    )
    fail_on: Literal["critical", "high", "medium", "low"] | None = Field(
        default=None, description="The node fails if there is a finding of this severity or a worse one."
    )

    @model_validator(mode="after")
    def _something_to_do(self) -> NetworkOptions:
        hosts = self.host is not None or bool(self.hosts)
        for name in self.checks or ():
            if name in ("tcp", "latency", "route", "tls") and not hosts and not self.urls:
                raise ValueError(f"check {name} needs a host: give `host`, `hosts` or `urls`")
            if name == "http" and not hosts and not self.urls:
                raise ValueError("check http needs `urls`, or a host")
        if self.ports and not hosts and not self.urls:
            raise ValueError("ports without a host: give `host` or `hosts`")
        if self.server_name is not None and not hosts:
            raise ValueError("server_name without a host: give `host` or `hosts`")
        return self
