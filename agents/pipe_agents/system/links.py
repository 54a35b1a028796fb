"""Network interfaces and TCP: traffic, errors, drops, what was sent again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding, finding
from pipe_agents.system.trees import Tree, number, percent, rate, text

MOST: Final = 500
FIELDS: Final = (0, 1, 2, 3, 8, 9, 10, 11)
"""Columns of /proc/net/dev: bytes, packets, errors and drops received; the same sent."""
LEAST: Final = 100
"""Packets or segments below which a share says nothing."""


class Reading(NamedTuple):
    links: Mapping[str, tuple[int, ...]]
    tcp: Mapping[str, int]


def parse(content: str) -> dict[str, tuple[int, ...]]:
    """The columns above, by interface."""
    found = {}
    for line in content.splitlines():
        name, colon, rest = line.rpartition(":")
        fields = rest.split()
        if colon and len(fields) >= 12 and all(field.isascii() and field.isdigit() for field in fields[:12]):
            found[name.strip()] = tuple(int(fields[i]) for i in FIELDS)
    return found


def table(content: str | None) -> dict[str, int]:
    """/proc/net/snmp and netstat: a line of names, then one of numbers; `Tcp.OutSegs`."""
    found = {}
    lines = (content or "").splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        kind, _, columns = names.partition(":")
        if not values.startswith(kind + ":"):
            continue
        for name, value in zip(columns.split(), values.partition(":")[2].split(), strict=False):
            if value.lstrip("-").isdigit():
                found[f"{kind}.{name}"] = int(value)
    return found


def read(tree: Tree) -> Reading | None:
    """Of this process's network."""
    own = f"{tree.proc}/self/net"
    place = own if os.path.exists(f"{own}/dev") else f"{tree.proc}/net"
    content = text(f"{place}/dev")
    if content is None:
        return None
    return Reading(parse(content), {**table(text(f"{place}/snmp")), **table(text(f"{place}/netstat"))})


def measured(
    before: Reading, after: Reading, seconds: float, tree: Tree
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    given = []
    for name, b in sorted(after.links.items())[:MOST]:
        a = before.links.get(name)
        if a is None:
            continue
        given.append(
            {
                "name": name,
                **_about(tree, name),
                "rx_bytes_per_s": rate(a[0], b[0], seconds, 0),
                "tx_bytes_per_s": rate(a[4], b[4], seconds, 0),
                "rx_packets_per_s": rate(a[1], b[1], seconds),
                "tx_packets_per_s": rate(a[5], b[5], seconds),
                "errors_per_s": rate(a[2] + a[6], b[2] + b[6], seconds),
                "drops_per_s": rate(a[3] + a[7], b[3] + b[7], seconds),
                **dict(
                    zip(
                        ("rx_bytes", "rx_packets", "rx_errors", "rx_drops"),
                        b[:4],
                        strict=True,
                    )
                ),
                **dict(zip(("tx_bytes", "tx_packets", "tx_errors", "tx_drops"), b[4:], strict=True)),
            }
        )
    return given, _stack(before.tcp, after.tcp, seconds)


def _about(tree: Tree, name: str) -> dict[str, Any]:
    place = f"{tree.sys}/class/net/{name}"
    flags = (text(f"{place}/flags", 100) or "").strip()
    speed = number(f"{place}/speed")
    carrier = number(f"{place}/carrier")
    try:
        up = bool(int(flags, 16) & 1) if flags else None
    except ValueError:
        up = None
    return {
        "up": up,
        "carrier": None if carrier is None else carrier == 1,
        "physical": os.path.exists(f"{place}/device") if up is not None else None,
        "speed_mbit": speed if speed is not None and 0 < speed < 10**7 else None,
    }


def _stack(before: Mapping[str, int], after: Mapping[str, int], seconds: float) -> dict[str, Any]:
    def went(name: str) -> int | None:
        return max(0, after[name] - before[name]) if name in before and name in after else None

    sent, again = went("Tcp.OutSegs"), went("Tcp.RetransSegs")
    return {
        "segments_out_per_s": round(sent / seconds, 1) if sent is not None and seconds > 0 else None,
        "retransmits_per_s": round(again / seconds, 1) if again is not None and seconds > 0 else None,
        "retransmits_percent": percent(again, sent)
        if sent is not None and again is not None and sent >= LEAST
        else None,
        "listen_overflows": went("TcpExt.ListenOverflows"),
        "established": after.get("Tcp.CurrEstab"),
    }


def judged(
    links: list[dict[str, Any]], stack: Mapping[str, Any], before: Reading, after: Reading, limits: Mapping[str, float]
) -> list[Finding]:
    """By what happened in the window: counters since the start hold faults that are long over. Drops are counted for
    packets that nobody wanted, too, so they need many."""
    found = []
    for link in links:
        name = link["name"]
        a, b = before.links[name], after.links[name]
        packets = (b[1] - a[1]) + (b[5] - a[5])
        errors, drops = (b[2] - a[2]) + (b[6] - a[6]), (b[3] - a[3]) + (b[7] - a[7])
        if errors >= 2 and 100 * errors >= limits["network_errors_percent"] * (max(0, packets) + errors):
            share = percent(errors, packets + errors)
            found.append(
                finding(
                    "network.errors",
                    name,
                    "low"
                    if errors < 10
                    else "high"
                    if share >= 10 * limits["network_errors_percent"] and errors >= LEAST
                    else "medium",
                    f"{errors} of {packets} packets on {name} had errors ({share:.1f} %)",
                    {"errors_in_window": errors, "packets_in_window": packets, "errors_percent": share},
                    "A cable, a connector, a duplex mismatch, a driver: see `ethtool -S`.",
                )
            )
        share = percent(drops, packets + drops)
        if packets + drops >= LEAST and drops >= 10 and share >= limits["network_drops_percent"]:
            found.append(
                finding(
                    "network.drops",
                    name,
                    "medium" if drops >= LEAST and share >= 5 * limits["network_drops_percent"] else "low",
                    f"{drops} packets on {name} were dropped in the window ({share:.1f} %)",
                    {"drops_in_window": drops, "packets_in_window": packets, "drops_percent": share},
                    "Short queues, a busy CPU, or packets that nobody wants: see `ethtool -S`.",
                )
            )
        most = link["speed_mbit"]
        sent = max(link["rx_bytes_per_s"], link["tx_bytes_per_s"]) * 8 / 1e6
        if most and sent >= 0.95 * most:
            found.append(
                finding(
                    "network.saturated",
                    name,
                    "low",
                    f"{name} carried {sent:.0f} of {most} Mbit/s over the window",
                    {"mbit_per_s": round(sent, 1), "speed_mbit": most},
                    "Fine for a copy; if it lasts, others wait.",
                )
            )
    share = stack["retransmits_percent"]
    if share is not None and share >= limits["retransmits_percent"]:
        found.append(
            finding(
                "network.retransmits",
                "tcp",
                "medium" if share >= 2 * limits["retransmits_percent"] else "low",
                f"{share:.1f} % of the TCP segments were sent again",
                {"retransmits_percent": share, "retransmits_per_s": stack["retransmits_per_s"]},
                "Something on the way loses packets: `network_diagnostics` measures loss to a host.",
            )
        )
    if stack["listen_overflows"]:
        found.append(
            finding(
                "network.listen_overflows",
                "tcp",
                "medium" if stack["listen_overflows"] >= 10 else "low",
                f"{stack['listen_overflows']} connections were dropped: a program did not take them in time",
                {"listen_overflows_in_window": stack["listen_overflows"]},
                "`ss -ltn` shows queues (Recv-Q against Send-Q); the program is too slow, or its backlog too short.",
            )
        )
    return found
