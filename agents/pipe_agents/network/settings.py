"""The options of an attempt, with what holds where one is not given (as `pipe_schemas.network` has it)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipe_agents.network.targets import Host, Place, Resolver, host_of, place_of, ports_of, refused, resolver_of
from pipe_agents.network.texts import shown_url
from pipe_schemas.durations import parse_duration

CHECKS: Final = ("dns", "tcp", "latency", "route", "http", "tls", "local")
RECORDS: Final = ("A", "AAAA", "CNAME", "MX", "TXT", "NS")
USUAL_PORTS: Final = (22, 80, 443)
"""Tried where a host is named and no port: what is found there is told, and closed ones are no finding."""
COMMON_PORTS: Final = (
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 465, 587, 636, 993, 995, 1433, 1521, 2049, 2375,
    2376, 2379, 3000, 3306, 3389, 5000, 5432, 5672, 5900, 6379, 6443, 8000, 8080, 8443, 9000, 9090, 9092, 9200, 10250,
    11211, 15672, 27017,
)  # fmt: skip
"""Tried where the check `tcp` is named and no port: somebody asks which are open."""
TLS_PORTS: Final = frozenset({443, 465, 636, 853, 989, 990, 993, 995, 2376, 5061, 5671, 6443, 6514, 8443, 8883, 9443})
"""Ports on which TLS is usual from the first byte."""
MOST_TRIES: Final = 70_000
DEFAULTS: Final[Mapping[str, Any]] = {
    "family": "any",
    "probes": 10,
    "probe_interval": "100ms",
    "max_hops": 30,
    "timeout": "2s",
    "request_timeout": "15s",
    "concurrency": 512,
    "max_redirects": 10,
    "max_bytes": 4 * 2**20,
    "ca_file": None,
    "server_name": None,
    "fail_on": None,
}
THRESHOLDS: Final[Mapping[str, float]] = {
    "latency_ms": 150.0,
    "jitter_ms": 30.0,
    "loss_percent": 1.0,
    "dns_ms": 250.0,
    "connect_ms": 500.0,
    "tls_ms": 1000.0,
    "first_byte_ms": 1000.0,
    "total_ms": 5000.0,
    "certificate_days": 21.0,
    "certificate_critical_days": 7.0,
}


@dataclass(frozen=True)
class Settings:
    """What is to be done."""

    hosts: tuple[Host, ...]
    ports: tuple[int, ...]
    expected: frozenset[int]
    """Ports that should be open: those that are named one by one. A range is looked through."""
    places: tuple[Place, ...]
    checks: tuple[str, ...]
    resolvers: tuple[Resolver, ...]
    records: tuple[str, ...]
    tls: tuple[tuple[Host, int, str, bool], ...]
    """Host, port, the name that its certificate must hold, and whether it is sure that TLS is spoken there."""
    guessed: bool
    """The URLs are made from hosts and ports: nobody has said whether it is http or https."""
    family: str
    probes: int
    interval: float
    max_hops: int
    timeout: float
    request_timeout: float
    concurrency: int
    max_redirects: int
    max_bytes: int
    ca_file: str | None
    limits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Settings:
        """Raises NodeFault (`refused`) for what can't be meant."""
        given = {**DEFAULTS, **{key: value for key, value in options.items() if value is not None}}
        hosts = _each_once([*([given["host"]] if "host" in given else []), *given.get("hosts", ())])
        places = tuple(_place(url) for url in dict.fromkeys(given.get("urls", ())))
        ports = tuple(ports_of(given.get("ports", ())))
        tried = ports or (COMMON_PORTS if "tcp" in (given.get("checks") or ()) else USUAL_PORTS)
        own = hosts or _each_once([place.host.given for place in places])
        checks = _checks(given, hosts, places, ports)
        if "tcp" in checks and len(tried) * len(own) > MOST_TRIES:
            raise refused(f"{len(tried)} ports of {len(own)} hosts are too many: at most {MOST_TRIES} connections")
        guessed = "http" in checks and not places
        if guessed:
            places = tuple(_place(url) for host in hosts for url in _urls(host, ports))
        if not hosts and not ports:  # the ports that the URLs name
            tried = tuple(dict.fromkeys(place.port for place in places)) or tried
        return cls(
            hosts=own,
            ports=tried,
            expected=frozenset(_single(given.get("ports", ())) if ports else () if hosts else tried),
            places=places,
            checks=checks,
            resolvers=tuple(dict.fromkeys(resolver_of(text) for text in given.get("resolvers", ()))),
            records=tuple(dict.fromkeys(given.get("record_types", RECORDS))),
            tls=_tls(hosts, ports, places, given["server_name"]) if "tls" in checks else (),
            guessed=guessed,
            family=given["family"],
            probes=given["probes"],
            interval=parse_duration(given["probe_interval"], zero=True),
            max_hops=given["max_hops"],
            timeout=parse_duration(given["timeout"]),
            request_timeout=parse_duration(given["request_timeout"]),
            concurrency=given["concurrency"],
            max_redirects=given["max_redirects"],
            max_bytes=given["max_bytes"],
            ca_file=given["ca_file"],
            limits={**THRESHOLDS, **{k: v for k, v in given.get("thresholds", {}).items() if v is not None}},
        )


def _single(given: Iterable[int | str]) -> list[int]:
    return [int(entry) for entry in given if "-" not in str(entry)]


def _each_once(given: list[str]) -> tuple[Host, ...]:
    found: dict[str, Host] = {}
    for text in given:
        host = host_of(text)
        found.setdefault(host.name, host)
    return tuple(found.values())


def _place(url: str) -> Place:
    try:
        return place_of(url)
    except ValueError as error:
        raise refused(f"urls: {shown_url(url)} can't be fetched: {error}") from None


def _checks(
    given: Mapping[str, Any], hosts: tuple[Host, ...], places: tuple[Place, ...], ports: tuple[int, ...]
) -> tuple[str, ...]:
    named = given.get("checks")
    if named:
        wanted = set(named)
        if not hosts and not places and wanted & {"tcp", "latency", "route", "http", "tls"}:
            lost = sorted(wanted & {"tcp", "latency", "route", "http", "tls"})
            raise refused(f"check {lost[0]} needs a host: give `host`, `hosts` or `urls`")
        return tuple(check for check in CHECKS if check in wanted)
    if not hosts and not places:
        return ("dns",) if given.get("resolvers") else ("local",)
    wanted = {"dns"}
    if hosts:
        wanted |= {"tcp", "latency"}
    if places:
        wanted.add("http")
    if any(place.scheme == "https" for place in places) or TLS_PORTS & set(ports):
        wanted.add("tls")
    return tuple(check for check in CHECKS if check in wanted)


def _urls(host: Host, ports: tuple[int, ...]) -> list[str]:
    name = f"[{host.name}]" if ":" in host.name else host.name
    if not ports:
        return [f"https://{name}/"]
    web = [port for port in ports if port in TLS_PORTS or port in (80, 8000, 8080)] or list(ports)
    return [f"{'https' if port in TLS_PORTS else 'http'}://{name}:{port}/" for port in web[:10]]


def _tls(
    hosts: tuple[Host, ...], ports: tuple[int, ...], places: tuple[Place, ...], server_name: str | None
) -> tuple[tuple[Host, int, str, bool], ...]:
    found: dict[tuple[str, int], tuple[Host, int, str, bool]] = {}
    for place in places:
        if place.scheme == "https":
            found[(place.host.name, place.port)] = (place.host, place.port, place.host.name, True)
    usual = [port for port in ports if port in TLS_PORTS] or list(ports) or [443]
    for host in hosts:
        for port in usual[:20]:
            name = host_of(server_name).name if server_name else host.name
            sure = port in TLS_PORTS or len(usual) == 1
            found[(host.name, port)] = (host, port, name, sure)
    return tuple(found.values())
