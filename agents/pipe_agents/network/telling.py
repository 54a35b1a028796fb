"""The result in one sentence where nothing is wrong: what was measured, in the numbers that one would ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipe_agents.findings import Finding, ordered, told

_MOST: Final = 6
"""Things that are told; of more, how many there are."""


def summary(findings: list[Finding], measurements: Mapping[str, Any]) -> str:
    """What is wrong; where nothing is, what was measured."""
    found = ordered(findings)
    blind = sum(one["status"] == "unavailable" for one in found)
    wrong = any(one["status"] != "unavailable" and one["severity"] != "info" for one in found)
    said = None if wrong else facts(measurements)
    if said is None:
        return told(found)
    return f"nothing wrong was found: {said}" + (f"; {blind} could not be measured" if blind else "")


def facts(measurements: Mapping[str, Any]) -> str | None:
    """`db.internal: 10.0.0.5, 2 of 2 ports open, 0.4 ms by icmp without loss`; None where there is nothing to tell."""
    lines = [
        *(line for host in measurements["hosts"] if (line := _host(host))),
        *(_url(one) for one in measurements["http"] if one["status"] is not None and one["fault"] is None),
        *(_server(one) for one in measurements["tls"] if one["version"] is not None),
        *_resolvers(measurements["resolvers"]),
        *_local(measurements["local"], _tried(measurements["hosts"])),
    ]
    if not lines:
        return None
    more = f"; and {len(lines) - _MOST} more" if len(lines) > _MOST else ""
    return "; ".join(lines[:_MOST]) + more


def _host(host: Mapping[str, Any]) -> str:
    parts = []
    addresses = host["lookup"]["addresses"]
    if addresses and addresses != [host["name"]]:
        rest = f" (and {len(addresses) - 2} more)" if len(addresses) > 2 else ""
        parts.append(" and ".join(addresses[:2]) + rest)
    tcp, latency, route = host["tcp"], host["latency"], host["route"]
    if tcp:
        parts.append(f"{tcp['open']} of {tcp['tried']} ports open")
    if latency and latency["median_ms"] is not None:
        loss = f"{latency['loss_percent']:g} % loss" if latency["loss_percent"] else "no loss"
        parts.append(f"{latency['median_ms']:g} ms by {latency['method']}, {loss}")
    if route and route["reached"]:
        parts.append(many(len(route["hops"]), "hop", "hops"))
    return f"{host['name']}: {', '.join(parts)}" if parts else ""


def _url(one: Mapping[str, Any]) -> str:
    return f"{one['url']} answers {one['status']} in {one['phases_ms']['total']:g} ms"


def _server(one: Mapping[str, Any]) -> str:
    name = f"{one['host']}:{one['port']}"
    days = one["days_left"]
    return f"{name} speaks {one['version']}" + (
        f", its certificate holds for {days:.0f} days" if days is not None else ""
    )


def _resolvers(resolvers: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in resolvers:
        times = [said["ms"] for said in one["answers"] if said["ms"] is not None]
        if times:
            yield f"the resolver {one['resolver']} answers in {min(times):g} ms"


def _tried(hosts: list[Mapping[str, Any]]) -> set[int]:
    """The ports that were found open, or refused, by their numbers."""
    return {one["port"] for host in hosts if host["tcp"] for one in host["tcp"]["ports"]}


def _listening(local: Mapping[str, Any], ports: set[int]) -> str:
    """`: 127.0.0.1:8080 (tcp, python3, pid 12)`: of the ports that were asked for, else the first ones."""
    own = [one for one in local["listening"] or () if one["port"] in ports]
    shown = own or (local["listening"] or [])
    told = []
    for one in shown[:_MOST]:
        host = f"[{one['address']}]" if ":" in one["address"] else one["address"]
        by = [one["protocol"], *([one["process"]] if one["process"] else [])]
        by += [f"pid {one['pid']}"] if one["pid"] is not None else ["its process can't be seen"]
        told.append(f"{host}:{one['port']} ({', '.join(by)})")
    more = ", …" if len(shown) > _MOST else ""
    return f"{', of them' if own else ':'} {', '.join(told)}{more}" if told else ""


def _local(local: Mapping[str, Any] | None, ports: set[int]) -> Iterator[str]:
    if local is None:
        return
    up = [one["name"] for one in local["interfaces"] if one["up"]]
    if up:
        names = ", ".join(up[:4]) + (", …" if len(up) > 4 else "")
        yield f"{many(len(up), 'interface is', 'interfaces are')} up ({names})"
    if local["default_gateways"]:
        yield f"the default gateway is {' and '.join(local['default_gateways'][:2])}"
    if local["listening_count"] is not None:
        yield f"{many(local['listening_count'], 'socket listens', 'sockets listen')}{_listening(local, ports)}"


def many(count: int, one: str, more: str) -> str:
    """`1 hop`, `2 hops`."""
    return f"{count} {one if count == 1 else more}"
