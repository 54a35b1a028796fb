"""All checks of one attempt, in an order in which one can use what another has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.lateness import WHY, too_late
from pipe_agents.network import naming_judged, resolvconf, resolvers_judged
from pipe_agents.network.local import OPS
from pipe_agents.network.lookup import Book, Found
from pipe_agents.network.naming import Asker, by_resolver
from pipe_agents.network.settings import Settings
from pipe_agents.network.targets import Host, Place, Resolver, subject_of
from pipe_agents.network.texts import shown_url
from pipe_agents.network.waiting import Late, Stop, each

Say = Callable[[str], None]
_HOSTS_AT_ONCE: Final = 16
_SINGLE: Final = 20
"""Things of one check that were not measured in time, and have a finding each; more of them share one."""


@dataclass
class Gathered:
    """What has been found so far."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    http: list[dict[str, Any]] = field(default_factory=list)
    tls: list[dict[str, Any]] = field(default_factory=list)
    resolvers: list[dict[str, Any]] = field(default_factory=list)
    local: dict[str, Any] | None = None
    findings: list[Finding] = field(default_factory=list)


class Checks:
    """One attempt. `now`: seconds since 1970, for certificates; `until`: when its time is up (monotonic)."""

    def __init__(self, settings: Settings, stop: Stop, say: Say, now: float, until: float | None = None) -> None:
        self._settings = settings
        self._stop = stop
        self._say = say
        self._now = now
        self._until = until
        self._done: list[str] = []
        self._all = Gathered()
        self._conf = resolvconf.read()
        self._asker = Asker(self._share(settings.timeout, 1 / 6), stop, self._conf)
        self._book = Book(settings.family, self._share(max(settings.timeout, 5.0), 1 / 3), stop, self._other_addresses)
        self._found: dict[str, Found] = {}

    def run(self) -> tuple[dict[str, Any], list[Finding]]:
        """Measurements and findings; blocks."""
        self._look_up()
        for check in self._settings.checks:
            try:
                if check != "local":  # which takes no time
                    self._stop.check()
                getattr(self, f"_{check}")()
            except Late:
                self._all.findings += self._lacking(check)
            self._done.append(check)
        for host in self._settings.hosts:
            self._unknown(host)
        return self.given()

    def given(self) -> tuple[dict[str, Any], list[Finding]]:
        """What there is by now; of the checks that have not ended that they have not."""
        gathered, done = self._all, list(self._done)
        late = [one for check in self._settings.checks if check not in done for one in self._lacking(check)]
        return {
            "checks": list(self._settings.checks),
            "hosts": [dict(host) for host in list(gathered.hosts.values())],
            "http": list(gathered.http),
            "tls": list(gathered.tls),
            "resolvers": list(gathered.resolvers),
            "local": gathered.local,
        }, [*gathered.findings, *late]

    def _share(self, seconds: float, part: float) -> float:
        """So many seconds, or less where the attempt has not that much time for them."""
        if self._until is None:
            return seconds
        return min(seconds, max(0.1, round((self._until - monotonic()) * part, 1)))

    def _lacking(self, check: str) -> list[Finding]:
        """What was not measured in time, of a check that has not come to its end."""
        if check == "http":
            subjects = [shown_url(place.url) for place in self._settings.places]
        elif check == "tls":
            subjects = [subject_of(host, port) for host, port, _, _ in self._settings.tls]
        elif check == "local":
            subjects = ["this machine"]
        else:
            hosts = self._all.hosts
            subjects = [host.name for host in self._settings.hosts if not (hosts.get(host.name) or {}).get(check)]
            subjects = subjects or (["resolvers"] if check == "dns" else [])
        return _each_or_one(check, subjects)

    def _look_up(self) -> None:
        def late(_: Host) -> Found:
            return Found("none", (), None, WHY, late=True)

        found = each(self._book.find, self._settings.hosts, _HOSTS_AT_ONCE, self._stop, late)
        for host, one in zip(self._settings.hosts, found, strict=True):
            self._found[host.name] = one
            self._all.hosts[host.name] = {
                "host": host.given,
                "name": host.name,
                "lookup": one.measured(),
                "dns": None,
                "tcp": None,
                "latency": None,
                "route": None,
            }

    def _other_addresses(self, host: Host) -> tuple[str, ...]:
        if not self._settings.resolvers or host.is_local or not _has_dnspython():
            return ()
        return self._asker.addresses(host.name, self._settings.resolvers)

    def _unknown(self, host: Host) -> None:
        """A host without an address can't be measured, which must not look as if nothing were wrong."""
        found = self._found[host.name]
        rest = [check for check in self._settings.checks if check in ("tcp", "latency", "route")]
        if found.addresses or not rest:
            return
        if found.late:
            self._all.findings += [too_late(check, host.name) for check in rest]
            return
        told = any(
            one["check"] in ("dns.nxdomain", "dns.system") and one["severity"] == "high" for one in self._of(host)
        )
        if not told:
            self._all.findings.append(
                finding(
                    "dns.unknown_host",
                    host.name,
                    "high",
                    f"this machine finds no address for {host.name}: {found.why}",
                    {"why": found.why, "ms": found.ms, "temporary": found.temporary},
                    "See whether the name is right, whether it is in DNS, and whether this machine's resolvers answer "
                    "(/etc/resolv.conf).",
                )
            )
        self._all.findings += [
            unavailable(check, host.name, "the host has no address", "a name that can be looked up, or an address")
            for check in rest
        ]

    def _of(self, host: Host) -> list[Finding]:
        return [one for one in self._all.findings if one["subject"] == host.name]

    # ------------------------------------------------------------ dns

    def _dns(self) -> None:
        if not _has_dnspython():
            why = "the package dnspython is not installed"
            self._all.findings.append(unavailable("dns", "resolvers", why, OPS))
            return
        resolvers = self._resolvers()
        if not resolvers:
            why = f"{resolvconf.PATH} names no resolver"
            self._all.findings.append(unavailable("dns", "resolvers", why, "`resolvers`, or a name server there"))
            return
        hosts = [host for host in self._settings.hosts if not host.is_local and host.address is None]
        if not self._settings.hosts:
            self._ask_for_the_root(resolvers)
            return
        by_name = {host.name: host for host in hosts}
        heard = self._asker.ask_all(list(by_name), resolvers, lambda name: self._settings.records)
        used = bool({"tcp", "latency", "route", "http", "tls"} & set(self._settings.checks))
        for name, one in heard.items():
            host = by_name[name]
            agree = naming_judged.agree(one)
            self._all.hosts[host.name]["dns"] = one.measured(agree)
            if one.late:
                self._all.findings.append(too_late("dns", name))
                continue
            self._all.findings += naming_judged.judge(
                one, self._found[host.name], used=used, family=self._settings.family
            )
        whole = [one for one in heard.values() if not one.late]
        self._all.findings += resolvers_judged.judge(whole, self._settings.limits) if whole else []
        if heard:
            self._say(f"dns: {_count(resolvers)} asked for {', '.join(list(heard)[:5])}")

    def _resolvers(self) -> Sequence[Resolver]:
        if self._settings.resolvers:
            return self._settings.resolvers
        return self._conf.resolvers if self._conf is not None else ()

    def _ask_for_the_root(self, resolvers: Sequence[Resolver]) -> None:
        """Without a host: whether they answer at all."""
        heard = self._asker.ask_all(["."], resolvers, lambda name: ("NS",))["."]
        self._all.resolvers = [by_resolver(resolver, said) for resolver, said in heard.answers.items()]
        if heard.late:
            raise Late
        self._all.findings += naming_judged.judge(heard, None, used=False)
        self._all.findings += resolvers_judged.judge([heard], self._settings.limits)
        self._say(f"dns: {_count(resolvers)} asked for the root")

    # ------------------------------------------------------------ hosts

    def _reachable(self) -> list[tuple[Host, Sequence[str]]]:
        return [
            (host, self._found[host.name].addresses)
            for host in self._settings.hosts
            if self._found[host.name].addresses
        ]

    def _tcp(self) -> None:
        from pipe_agents.network import ports

        measured = ports.scan(self._reachable(), self._settings.ports, self._settings, self._stop)
        for host, _ in self._reachable():
            one = measured[host.name]
            self._all.findings += ports.judge(host, one, self._settings.expected, self._settings.limits)
            self._all.hosts[host.name]["tcp"] = one
            self._say(f"tcp: {one['open']} of {one['tried']} ports of {host.name} are open")

    def _latency(self) -> None:
        from pipe_agents.network import latency

        def one(pair: tuple[Host, Sequence[str]]) -> None:
            host, addresses = pair
            tcp: Mapping[str, Any] = self._all.hosts[host.name]["tcp"] or {"ports": []}
            address = next((port["address"] for port in tcp["ports"] if port["state"] == "open"), addresses[0])
            measured, findings = latency.measure(host, address, tcp["ports"], self._settings, self._stop)
            self._all.hosts[host.name]["latency"] = measured
            self._all.findings += findings
            if measured is not None and measured["median_ms"] is not None:
                self._say(f"latency: {host.name} {measured['median_ms']:g} ms by {measured['method']}")

        each(one, self._reachable(), _HOSTS_AT_ONCE, self._stop, self._late_host("latency"))

    def _route(self) -> None:
        from pipe_agents.network import route

        def one(pair: tuple[Host, Sequence[str]]) -> None:
            host, addresses = pair
            measured, findings = route.measure(host, addresses[0], self._settings, self._stop)
            self._all.hosts[host.name]["route"] = measured
            self._all.findings += findings
            if measured is not None:
                self._say(f"route: {len(measured['hops'])} hops to {host.name}")

        each(one, self._reachable(), 4, self._stop, self._late_host("route"))

    def _late_host(self, check: str) -> Callable[[tuple[Host, Sequence[str]]], None]:
        def late(pair: tuple[Host, Sequence[str]]) -> None:
            self._all.findings.append(too_late(check, pair[0].name))

        return late

    # ------------------------------------------------------------ services

    def _http(self) -> None:
        from pipe_agents.network import web

        covered = {(host.name, port) for host, port, _, _ in self._settings.tls}
        seconds = self._share(self._settings.request_timeout, 0.45 if self._settings.tls else 0.9)
        client = web.Fetcher(replace(self._settings, request_timeout=seconds), self._book, self._stop, covered)

        def late(place: Place) -> tuple[dict[str, Any] | None, list[Finding]]:
            return None, [too_late("http", shown_url(place.url))]

        for measured, findings in each(client.fetch, self._settings.places, 8, self._stop, late):
            self._all.findings += findings
            if measured is None:
                continue
            self._all.http.append(measured)
            self._say(f"http: {measured['status'] or measured['fault']} from {measured['url']}")

    def _tls(self) -> None:
        from pipe_agents.network.tls import Examiner

        seconds = self._share(self._settings.request_timeout, 0.8)
        examiner = Examiner(replace(self._settings, request_timeout=seconds), self._book, self._stop, self._now)

        def late(target: tuple[Host, int, str, bool]) -> tuple[dict[str, Any] | None, list[Finding]]:
            return None, [too_late("tls", subject_of(target[0], target[1]))]

        for measured, findings in each(examiner.examine, self._with_open_ports(), 8, self._stop, late):
            if measured is not None:
                self._all.tls.append(measured)
            self._all.findings += findings
        self._say(f"tls: {len(self._all.tls)} servers")

    def _with_open_ports(self) -> list[tuple[Host, int, str, bool]]:
        """Those of which the check `tcp` doesn't say that they are closed: one fault is told once."""
        open_ = []
        for host, port, name, sure in self._settings.tls:
            tcp = (self._all.hosts.get(host.name) or {}).get("tcp") or {"ports": []}
            state = next((one["state"] for one in tcp["ports"] if one["port"] == port), "open")
            if state == "open":
                open_.append((host, port, name, sure))
            else:
                why = f"port {port} is {state}"
                self._all.findings.append(unavailable("tls", subject_of(host, port), why, "an open port"))
        return open_

    def _local(self) -> None:
        from pipe_agents.network import local

        self._all.local, findings = local.measure()
        self._all.findings += findings
        self._say(f"local: {len(self._all.local['interfaces'])} interfaces")


def _each_or_one(check: str, subjects: Sequence[str]) -> list[Finding]:
    if len(subjects) <= _SINGLE:
        return [too_late(check, subject) for subject in subjects]
    return [{**too_late(check, "the rest"), "evidence": {"count": len(subjects), "first": list(subjects[:_SINGLE])}}]


def _count(resolvers: Sequence[Resolver]) -> str:
    return "1 resolver" if len(resolvers) == 1 else f"{len(resolvers)} resolvers"


def _has_dnspython() -> bool:
    from importlib.util import find_spec

    return find_spec("dns") is not None
