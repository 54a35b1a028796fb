"""The check `tcp`: which ports of a host are open."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.lateness import too_late
from pipe_agents.network.connecting import Connector, Tried
from pipe_agents.network.numbers import ms
from pipe_agents.network.settings import USUAL_PORTS
from pipe_agents.network.targets import Host, subject_of
from pipe_agents.network.waiting import Stop

_BEST: Final = {"open": 0, "refused": 1, "filtered": 2, "unreachable": 3, "error": 4}
_SINGLE: Final = 20
"""Closed ports of a host that have a finding each; more of them share one."""
_KEPT: Final = 1000
_WORDS: Final = {
    "refused": "refused the connection",
    "filtered": "gave no answer",
    "unreachable": "can't be reached",
    "error": "can't be tried",
}
_ADVICE: Final = {
    "refused": "The host is there and nothing listens on this port: see whether the service runs, and on which address "
    "it listens (`ss -ltn`). A firewall that rejects looks the same.",
    "filtered": "A firewall or security group drops the packets, the host is down, or its queue of connections is "
    "full: look at the rules on the way, and at the host from a machine beside it.",
    "unreachable": "There is no way to this address from here: look at routes and gateways, and whether the host is "
    "up.",
}


def scan(hosts: Sequence[tuple[Host, Sequence[str]]], ports: Sequence[int], settings: Any, stop: Stop) -> Any:
    """Every port of every host, at most `concurrency` at once; per host what was measured."""
    began = monotonic()
    connector = Connector(settings.concurrency, settings.timeout, stop)
    targets = ((address, port) for port in ports for _, addresses in hosts for address in addresses[:4])
    tried: dict[tuple[str, int], Tried] = {(one.address, one.port): one for one in connector.run(targets)}
    seconds = monotonic() - began
    return {
        host.name: _measured([_best(tried, addresses[:4], port) for port in ports], ports, settings.expected, seconds)
        for host, addresses in hosts
        if addresses
    }


def _best(tried: dict[tuple[str, int], Tried], addresses: Sequence[str], port: int) -> list[Tried]:
    """The addresses of one port, the best first."""
    found = [tried[(address, port)] for address in addresses if (address, port) in tried]
    return sorted(found, key=lambda one: _BEST[one.state])


def _measured(
    found: list[list[Tried]], ports: Sequence[int], expected: frozenset[int], seconds: float
) -> dict[str, Any]:
    late = [port for port, tries in zip(ports, found, strict=True) if not tries]
    found = [tries for tries in found if tries]
    best = [tries[0] for tries in found]
    counts = {state: sum(one.state == state for one in best) for state in _BEST}
    kept = best if len(best) <= _KEPT else sorted(best, key=lambda one: _BEST[one.state])[:_KEPT]
    return {
        "expected": sum(one.port in expected for one in best),
        "tried": len(best),
        **counts,
        "seconds": round(seconds, 6),
        "ports": [_port(one) for one in kept],
        "worse": [one for tries in found for one in tries[1:] if tries[0].state == "open" and one.state != "open"],
        "best": best,
        "late": late,
    }


def _port(one: Tried) -> dict[str, Any]:
    return {
        "port": one.port,
        "address": one.address,
        "state": one.state,
        "ms": None if one.seconds is None else ms(one.seconds),
        "why": one.why,
    }


def judge(host: Host, measured: dict[str, Any], expected: frozenset[int], limits: Any) -> list[Finding]:
    """Findings of a host's ports. Takes out of `measured` what is no part of the output."""
    best: list[Tried] = measured.pop("best")
    worse: list[Tried] = measured.pop("worse")
    late: list[int] = measured.pop("late")
    wanted = [one for one in best if one.port in expected]
    found = [] if wanted else _silent(host, best)
    found += [] if found else _open(host, [one for one in best if one.port not in expected], tuple(USUAL_PORTS))
    for state in ("refused", "filtered", "unreachable"):
        closed = [one for one in wanted if one.state == state]
        if len(closed) > _SINGLE:
            found.append(_many(host, state, closed, len(wanted)))
        else:
            found += [_one(host, state, one) for one in closed]
    for one in wanted:
        if one.state == "error":
            why = f"{one.why}"
            found.append(unavailable("tcp.connect", subject_of(host, one.port), why, "another address or network"))
        elif one.state == "open" and one.seconds is not None and ms(one.seconds) > limits["connect_ms"]:
            found.append(_slow(host, one, limits["connect_ms"]))
    return found + _some_addresses(host, worse) + _late(host, late, len(best) + len(late))


def _one(host: Host, state: str, one: Tried) -> Finding:
    where = subject_of(host, one.port)
    at = "" if one.address == host.name else f" ({one.address})"
    waited = f" within {one.why.removeprefix('no answer within ')}" if one.why and "within" in one.why else ""
    evidence = {"port": one.port, "address": one.address, "state": state, "error": one.why}
    if one.seconds is not None:
        evidence["ms"] = ms(one.seconds)
    return finding(f"tcp.{state}", where, "high", f"{where}{at} {_WORDS[state]}{waited}", evidence, _ADVICE[state])


def _many(host: Host, state: str, closed: list[Tried], tried: int) -> Finding:
    return finding(
        f"tcp.{state}",
        host.name,
        "high",
        f"{len(closed)} of {tried} ports of {host.name}: each {_WORDS[state]}",
        {"ports": [one.port for one in closed[:_KEPT]], "count": len(closed), "tried": tried, "state": state},
        _ADVICE[state],
    )


def _slow(host: Host, one: Tried, most: float) -> Finding:
    taken = ms(one.seconds or 0)
    return finding(
        "tcp.slow",
        subject_of(host, one.port),
        "medium",
        f"a connection to {subject_of(host, one.port)} took {taken:g} ms",
        {"connect_ms": taken, "threshold_ms": most, "address": one.address},
        "About 1 s or 3 s means that the first packet was lost and sent again: look at loss and at the listen queue.",
    )


def _late(host: Host, ports: list[int], wanted: int) -> list[Finding]:
    if len(ports) <= 1:
        return [too_late("tcp", subject_of(host, port)) for port in ports]
    one = too_late("tcp", host.name)
    return [{**one, "evidence": {"not_tried": len(ports), "ports": ports[:_KEPT], "wanted": wanted}}]


def _some_addresses(host: Host, worse: list[Tried]) -> list[Finding]:
    """A name with several addresses, of which some don't answer: programs that try those first wait or fail."""
    return [
        finding(
            "tcp.partial",
            f"{subject_of(host, one.port)} ({one.address})",
            "medium",
            f"port {one.port} of {host.name} is open at another address, but {one.address} {_WORDS[one.state]}",
            {"port": one.port, "address": one.address, "state": one.state, "error": one.why},
            "Programs that choose this address fail or wait: take it out of DNS, or mend the service there.",
        )
        for one in worse[:_SINGLE]
        if one.state != "error"
    ]


def _open(host: Host, others: list[Tried], usual: tuple[int, ...]) -> list[Finding]:
    """What was looked through, is told: somebody asks which ports are open."""
    open_ = [one.port for one in others if one.state == "open"]
    if not others or tuple(one.port for one in others) == usual:
        return []
    shown = ", ".join(map(str, open_[:20])) + (f" and {len(open_) - 20} more" if len(open_) > 20 else "")
    return [
        finding(
            "tcp.open",
            host.name,
            "info",
            f"open of {len(others)} ports of {host.name}: {shown or 'none'}",
            {"open": open_[:_KEPT], "count": len(open_), "tried": len(others)},
            "See whether each of them is meant to be reached from here." if open_ else "Name other ports, or a range.",
        )
    ]


def _silent(host: Host, best: list[Tried]) -> list[Finding]:
    """Ports that need not be open: that they are closed is no fault, but that none of them gives any sign may be."""
    if any(one.state in ("open", "refused") for one in best) or not best:
        return []
    ports = ", ".join(str(one.port) for one in best[:5]) + (", …" if len(best) > 5 else "")
    state = best[0].state
    return [
        finding(
            "tcp.silent",
            host.name,
            "medium",
            f"none of {len(best)} ports of {host.name} that were tried ({ports}) gave any answer",
            {"tried": len(best), "states": sorted({one.state for one in best})},
            _ADVICE.get(state, _ADVICE["filtered"]) + " Name the ports that should be open, to be sure.",
        )
    ]
