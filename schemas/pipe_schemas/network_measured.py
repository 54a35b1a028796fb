"""What the agent `network_diagnostics` gives: `measurements`, beside what every agent that measures gives."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipe_schemas.findings import Given, Result


class Answer(Given):
    """What one resolver says to one question."""

    type: str = Field(description="The type of record that was asked for, as `AAAA`.")
    status: Literal[
        "ok", "no_data", "nxdomain", "servfail", "refused", "error", "lame", "timeout", "unreachable", "malformed"
    ] = Field(description="How it ended; `no_data`: the name is there, and has no such record.")
    ms: float | None = Field(description="Milliseconds until the answer, TCP included; null where there was none.")
    name: str = Field(description="The name as it was asked for.")
    rcode: str | None = Field(default=None, description="The answer's code, as DNS calls it.")
    records: list[str] = Field(default_factory=list, description="What was asked for, sorted; at most 100, and 8 KiB.")
    count: int = Field(default=0, description="How many there are.")
    cnames: list[str] = Field(default_factory=list, description="Names on the way to it.")
    ttl_s: int | None = Field(default=None, description="Seconds for which it may be kept: the shortest.")
    protocol: Literal["udp", "tcp"] = Field(default="udp", description="How the answer came.")
    truncated: bool = Field(default=False, description="Over UDP it was too long, and was asked for over TCP.")
    tries: int = Field(
        default=1, description="How often it was asked over UDP; 0: not at all, since it gave no answer before."
    )
    authoritative: bool = Field(default=False, description="The server answers for the zone itself.")
    ignored: int = Field(default=0, description="Datagrams that were no answer to this question: wrong id or question.")
    why: str | None = Field(default=None, description="In words, where there was no answer.")


class ResolverAnswers(Given):
    """What one resolver said about one name."""

    resolver: str = Field(description="Its address and port.")
    origin: Literal["option", "system"] = Field(description="Named in `resolvers`, or by resolv.conf.")
    answers: list[Answer]


class Dns(Given):
    """What is known of a name."""

    resolvers: list[ResolverAnswers]
    agree: bool | None = Field(description="Whether all that answered say the same; null with fewer than two.")


class Lookup(Given):
    """The addresses of a host, as programs on this machine get them."""

    source: Literal["literal", "system", "resolver", "none"] = Field(
        description="`resolver`: the system has none, one of `resolvers` has. `none`: nobody has."
    )
    addresses: list[str]
    ms: float | None = Field(description="Milliseconds that the system took.")
    why: str | None = Field(default=None, description="Why the system has none.")


class Port(Given):
    """One TCP port."""

    port: int
    address: str = Field(description="The address that was tried; the first that is open.")
    state: Literal["open", "refused", "filtered", "unreachable", "error"] = Field(
        description="`filtered`: no answer at all."
    )
    ms: float | None = Field(description="Milliseconds until the answer; null where there was none.")
    why: str | None = Field(default=None, description="The system's words, where it is not open.")


class Tcp(Given):
    """Ports of a host. All of the first 1000; of more, those that are open first."""

    expected: int = Field(description="Ports that should be open, since they are named one by one.")
    tried: int
    open: int
    refused: int
    filtered: int
    unreachable: int
    error: int
    seconds: float = Field(description="Seconds that all of them took.")
    ports: list[Port]


class Latency(Given):
    """The time to a host and back. Percentiles are of the nearest rank: each is a time that was measured."""

    method: Literal["icmp", "tcp"] = Field(description="Echo requests, or the time of TCP connections.")
    address: str
    port: int | None = Field(description="Of TCP.")
    probes: int
    answers: int
    refused: int = Field(default=0, description="Of the answers: connections that were refused, a time all the same.")
    unreachable: int = Field(default=0, description="Probes that a router answered: no way there.")
    duplicates: int = 0
    loss_percent: float
    min_ms: float | None
    median_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    mean_ms: float | None
    jitter_ms: float | None = Field(description="Mean change from one answer to the next.")


class Hop(Given):
    """One step of a route."""

    ttl: int
    addresses: list[str] = Field(description="Who answered; several where ways differ.")
    ms: list[float] = Field(description="Milliseconds of each answer.")
    lost: int = Field(description="Probes without an answer: many routers give none.")
    why: str | None = Field(default=None, description="What it said, where it was no `time exceeded`.")


class Route(Given):
    """The way to a host."""

    address: str
    reached: bool
    hops: list[Hop]


class HostMeasured(Given):
    """One host."""

    host: str = Field(description="As it was given.")
    name: str = Field(description="As it is looked up, in ASCII.")
    lookup: Lookup
    dns: Dns | None = None
    tcp: Tcp | None = None
    latency: Latency | None = None
    route: Route | None = None


class Phases(Given):
    """Milliseconds of each part of a request; null where there was none."""

    dns: float | None
    connect: float | None
    tls: float | None
    first_byte: float | None = Field(description="From the request to the first byte of its answer.")
    transfer: float | None = Field(description="From there to the end of the body.")
    total: float


class Step(Given):
    """One request of a URL: the first, or after a redirect."""

    url: str = Field(description="Without user, password and the values of its query.")
    address: str | None
    status: int | None
    phases_ms: Phases
    tls: str | None = Field(default=None, description="The version of TLS.")
    certificate_valid: bool | None = Field(default=None, description="Null where there is none.")
    headers: dict[str, str] = Field(
        default_factory=dict, description="Some of the answer's: server, content-type, content-length and the like."
    )


class HttpMeasured(Given):
    """One URL."""

    url: str
    status: int | None = Field(description="Of the last answer.")
    final_url: str | None
    redirects: int
    steps: list[Step]
    phases_ms: Phases = Field(description="All steps together.")
    bytes: int = Field(description="Of the body, as it came.")
    cut: bool = Field(default=False, description="The body was longer than `max_bytes`.")
    fault: str | None = Field(default=None, description="Why there was no whole answer.")


class Certificate(Given):
    """One certificate of a chain."""

    subject: str
    issuer: str
    names: list[str] = Field(description="Names and addresses that it is for; at most 100.")
    not_before: str
    not_after: str
    days_left: float = Field(description="Days; below zero when it has expired.")
    serial: str
    sha256: str
    key: str = Field(description="As `RSA` or `EC secp256r1`.")
    key_bits: int | None
    signature: str = Field(description="As `sha256WithRSAEncryption`.")
    self_signed: bool
    authority: bool


class TlsMeasured(Given):
    """One server's TLS."""

    host: str
    port: int
    address: str | None
    server_name: str
    version: str | None = Field(description="What is agreed on where both sides are free.")
    cipher: str | None
    connect_ms: float | None
    handshake_ms: float | None
    versions: dict[str, Literal["offered", "not_offered", "untested"]]
    name_matches: bool | None
    trusted: bool | None = Field(description="The chain leads to an authority that is trusted, whatever its dates.")
    days_left: float | None = Field(description="Of the server's certificate.")
    chain: list[Certificate] = Field(description="As the server sends it; at most 10.")
    fault: str | None = None


class Interface(Given):
    """One interface of this machine."""

    name: str
    up: bool
    addresses: list[str] = Field(description="With the length of their network: `10.0.0.5/24`.")
    mac: str | None
    speed_mbit: int | None
    mtu: int | None
    received_bytes: int | None
    sent_bytes: int | None
    received_packets: int | None
    sent_packets: int | None
    receive_errors: int | None
    send_errors: int | None
    receive_drops: int | None
    send_drops: int | None


class LocalRoute(Given):
    """One route of this machine."""

    destination: str
    gateway: str | None
    interface: str
    metric: int


class Listener(Given):
    """A socket that waits for connections, or for datagrams."""

    protocol: Literal["tcp", "udp"]
    address: str
    port: int
    pid: int | None
    process: str | None


class ResolvConf(Given):
    """What /etc/resolv.conf says."""

    nameservers: list[str]
    search: list[str]
    options: list[str]


class Local(Given):
    """This machine's network."""

    interfaces: list[Interface]
    routes: list[LocalRoute] | None
    default_gateways: list[str] | None
    resolv_conf: ResolvConf | None
    listening: list[Listener] | None = Field(description="At most 1000.")
    listening_count: int | None
    sockets: dict[str, int] | None = Field(description="TCP sockets by state.")
    counters: dict[str, int] | None = Field(description="Of TCP since the machine started: retransmits, overflows.")


class NetworkMeasured(Given):
    """All that was measured."""

    checks: list[str] = Field(description="What was looked at.")
    hosts: list[HostMeasured]
    http: list[HttpMeasured]
    tls: list[TlsMeasured]
    resolvers: list[ResolverAnswers] = Field(description="Without a host: whether each resolver answers for the root.")
    local: Local | None = None


class NetworkResult(Result):
    """The output of `network_diagnostics`."""

    measurements: NetworkMeasured
