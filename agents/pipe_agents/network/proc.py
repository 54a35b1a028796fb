"""What Linux tells of the network under /proc, as text: routes, counters, limits."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Any, Final

from pipe_agents.network.texts import bounded

_UP: Final = 0x0001
_GATEWAY: Final = 0x0002
_REJECT: Final = 0x0200
_MOST: Final = 1000
_WANTED: Final[Mapping[str, tuple[str, str]]] = {
    "segments_sent": ("Tcp", "OutSegs"),
    "segments_sent_again": ("Tcp", "RetransSegs"),
    "connections_failed": ("Tcp", "AttemptFails"),
    "listen_overflows": ("TcpExt", "ListenOverflows"),
    "listen_drops": ("TcpExt", "ListenDrops"),
    "tcp_timeouts": ("TcpExt", "TCPTimeouts"),
    "udp_receive_buffer_errors": ("Udp", "RcvbufErrors"),
}


def text_of(path: str, most: int = 4 << 20) -> str | None:
    """None where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            return file.read(most)
    except OSError:
        return None


def number_of(path: str) -> int | None:
    text = (text_of(path, 100) or "").strip()
    return int(text) if text.isdecimal() and text.isascii() else None


def routes(ipv4: str | None, ipv6: str | None) -> list[dict[str, Any]]:
    """Routes of /proc/net/route and /proc/net/ipv6_route, without those of multicast and of own addresses."""
    found = []
    for line in (ipv4 or "").splitlines()[1 : _MOST + 1]:
        parts = line.split()
        if len(parts) < 8:
            continue
        try:
            flags, metric = int(parts[3], 16), int(parts[6])
            destination, gateway, mask = (_ipv4(parts[index]) for index in (1, 2, 7))
            network = ip_network(f"{destination}/{mask}", strict=False)
        except ValueError:
            continue
        if flags & _UP and not flags & _REJECT:
            through = str(gateway) if flags & _GATEWAY else None
            found.append(_route(str(network), through, parts[0], metric))
    for line in (ipv6 or "").splitlines()[:_MOST]:
        parts = line.split()
        if len(parts) < 10:
            continue
        try:
            there = IPv6Network((int(parts[0], 16), int(parts[1], 16)), strict=False)
            through_v6 = IPv6Address(int(parts[4], 16))
            metric, flags = int(parts[5], 16), int(parts[8], 16)
        except ValueError:
            continue
        local = flags & 0x80000000 or there.is_multicast
        if flags & _UP and not flags & _REJECT and not local and parts[9] != "lo":
            found.append(_route(str(there), str(through_v6) if flags & _GATEWAY else None, parts[9], metric))
    return found[:_MOST]


def _ipv4(text: str) -> IPv4Address:
    """As the kernel writes it: eight digits of the number as this machine keeps it."""
    return IPv4Address(struct.pack("=I", int(text, 16)))


def _route(destination: str, gateway: str | None, interface: str, metric: int) -> dict[str, Any]:
    return {
        "destination": destination,
        "gateway": gateway,
        "interface": bounded(interface, 60),
        "metric": metric,
    }


def counters(*texts: str | None) -> dict[str, int]:
    """Numbers of /proc/net/snmp and /proc/net/netstat: pairs of lines, names and values."""
    tables: dict[str, dict[str, str]] = {}
    for text in texts:
        lines = (text or "").splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=False):
            table, _, keys = names.partition(":")
            again, _, numbers = values.partition(":")
            if table == again:
                tables[table] = dict(zip(keys.split(), numbers.split(), strict=False))
    found = {}
    for name, (table, key) in _WANTED.items():
        text = tables.get(table, {}).get(key, "")
        if text.isdecimal() and text.isascii():
            found[name] = int(text)
    return found
