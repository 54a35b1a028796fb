"""The check `route`: which machines lie on the way. UDP with a short life, whose end Linux tells the sender of."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from time import monotonic
from typing import Any, Final

from pipe_agents.findings import Finding, finding, unavailable
from pipe_agents.network.connecting import socket_address
from pipe_agents.network.icmp import ERROR_QUEUE, RECVERR
from pipe_agents.network.numbers import ms
from pipe_agents.network.targets import Host
from pipe_agents.network.waiting import READ, Stop

PORT: Final = 33434
"""Where traceroute begins: nothing listens on these ports."""
_EACH: Final = 3
"""Probes of a hop."""
_AT_ONCE: Final = 5
_PATIENCE: Final = 1.0
"""Seconds for the probes of some hops, at most: one answer is the rule, and none is usual."""
_QUICK: Final = 0.3
"""The same, at least, where all that answered did so quickly."""
_SILENT: Final = 8
"""Hops without an answer, one after the other, after which nobody further away is asked."""
_LIFE: Final = {socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL), socket.AF_INET6: (41, 16)}
_EXCEEDED: Final = {(2, 11, 0), (3, 3, 0)}
"""Origin, type and code of `time exceeded`: ICMP, ICMPv6."""
_ARRIVED: Final = {(2, 3, 3), (3, 1, 4)}
"""`port unreachable`: from the host itself."""
_SAYS: Final = {
    (2, 3, 0): "network unreachable",
    (2, 3, 1): "host unreachable",
    (2, 3, 2): "protocol unreachable",
    (2, 3, 4): "a packet is too large for the next line",
    (2, 3, 9): "network prohibited",
    (2, 3, 10): "host prohibited",
    (2, 3, 13): "prohibited by a filter",
    (3, 1, 0): "no route",
    (3, 1, 1): "prohibited by a filter",
    (3, 1, 3): "address unreachable",
}


@dataclass(frozen=True)
class Told:
    """What an error of the queue says: who sent it, and what."""

    address: str | None
    origin: int
    type: int
    code: int
    errno: int

    @property
    def key(self) -> tuple[int, int, int]:
        return (self.origin, self.type, self.code)


@dataclass
class _Hop:
    ttl: int
    addresses: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sent: int = 0
    why: str | None = None
    arrived: bool = False


def measure(host: Host, address: str, settings: Any, stop: Stop) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Follow the way to an address."""
    if not sys.platform.startswith("linux"):
        why = f"it rests on the error queue of sockets, which {sys.platform} does not have"
        return None, [unavailable("route", host.name, why, "Linux, or the command traceroute")]
    try:
        hops = _followed(address, settings, stop)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        return None, [unavailable("route", host.name, why, "a way to this address, and the right to send UDP")]
    reached = any(hop.arrived for hop in hops)
    measured = {
        "address": address,
        "reached": reached,
        "hops": [
            {
                "ttl": hop.ttl,
                "addresses": hop.addresses,
                "ms": [ms(seconds) for seconds in hop.times],
                "lost": hop.sent - len(hop.times),
                "why": hop.why,
            }
            for hop in hops
        ],
    }
    return measured, _judged(host, address, hops, reached, settings.max_hops)


def _followed(address: str, settings: Any, stop: Stop) -> list[_Hop]:
    family, _ = socket_address(address, PORT)
    hops: list[_Hop] = []
    most = patience = min(settings.timeout, _PATIENCE)
    while len(hops) < settings.max_hops:
        first = len(hops) + 1
        some = [_Hop(ttl) for ttl in range(first, min(first + _AT_ONCE, settings.max_hops + 1))]
        for round_ in range(_EACH):  # one by one, since routers answer few of many
            _probe(address, socket.AddressFamily(family), some, round_, patience, stop)
            end = next((number for number, hop in enumerate(some, 1) if hop.arrived or hop.why is not None), len(some))
            some = some[:end]
            slowest = max((max(hop.times) for hop in (*hops, *some) if hop.times), default=most)
            patience = min(most, max(_QUICK, 3 * slowest))
        hops += some
        patience = most
        if some[-1].arrived or some[-1].why is not None:
            return hops
        if len(hops) >= _SILENT and not any(hop.times for hop in hops[-_SILENT:]):
            break
    while hops and not hops[-1].times:
        hops.pop()
    return hops


def _probe(
    address: str, family: socket.AddressFamily, hops: list[_Hop], round_: int, patience: float, stop: Stop
) -> None:
    """Send one probe of each of these hops, and wait for what comes back."""
    waiting: dict[int, tuple[socket.socket, _Hop, float]] = {}
    poll = select.poll()
    poll.register(stop, READ)
    try:
        for hop in hops:
            place = socket_address(address, PORT + hop.ttl * _EACH + round_)[1]
            one = socket.socket(family, socket.SOCK_DGRAM)
            waiting[one.fileno()] = (one, hop, 0.0)
            one.setblocking(False)
            one.setsockopt(*RECVERR[family], 1)
            one.setsockopt(*_LIFE[family], hop.ttl)
            one.connect(place)
            poll.register(one, READ)
            began = monotonic()
            one.send(bytes(32))
            hop.sent += 1
            waiting[one.fileno()] = (one, hop, began)
        until = monotonic() + patience
        while waiting and (left := until - monotonic()) > 0:
            for descriptor, _ in poll.poll(int(left * 1000) + 1):
                stop.check()
                one, hop, began = waiting[descriptor]
                taken = monotonic() - began
                told = _told(one)
                poll.unregister(descriptor)
                del waiting[descriptor]
                one.close()
                if told is not None:
                    _heard(hop, told, taken, address)
            stop.check()
    finally:
        for one, _, _ in waiting.values():
            one.close()


def _heard(hop: _Hop, told: Told, taken: float, address: str) -> None:
    if told.origin == 1:  # this machine itself
        raise OSError(told.errno, os.strerror(told.errno))
    hop.times.append(taken)
    if told.address is not None and told.address not in hop.addresses:
        hop.addresses.append(told.address)
    if told.key in _ARRIVED or told.address == address:
        hop.arrived = True
    elif told.key not in _EXCEEDED:
        hop.why = _SAYS.get(told.key, f"ICMP type {told.type}, code {told.code}")


def _told(one: socket.socket) -> Told | None:
    try:
        _, ancillary, _, _ = one.recvmsg(512, 512, ERROR_QUEUE)
    except BlockingIOError:
        return None
    for level, kind, data in ancillary:
        if (level, kind) in RECVERR.values():
            return parsed(data)
    return None


def parsed(data: bytes) -> Told | None:
    """`struct sock_extended_err`, with the address of who sent it behind."""
    if len(data) < 16:
        return None
    number, origin, kind, code = struct.unpack("=IBBB", data[:7])
    behind = data[16:]
    address = None
    if len(behind) >= 8 and behind[:2] == struct.pack("=H", socket.AF_INET):
        address = str(IPv4Address(behind[4:8]))
    elif len(behind) >= 24 and behind[:2] == struct.pack("=H", socket.AF_INET6):
        address = str(IPv6Address(behind[8:24]))
    return Told(address, origin, kind, code, number)


def _judged(host: Host, address: str, hops: list[_Hop], reached: bool, most: int) -> list[Finding]:
    seen = [hop for hop in hops if hop.addresses]
    evidence: dict[str, Any] = {"hops": len(hops), "answering_hops": len(seen), "reached": reached}
    if seen:
        evidence["last"] = seen[-1].addresses[0]
    stopped = next((hop for hop in hops if hop.why is not None and not hop.arrived), None)
    if stopped is not None:
        return [
            finding(
                "route.stopped",
                host.name,
                "high",
                f"the way to {host.name} ends at hop {stopped.ttl}: {stopped.why}, "
                f"says {', '.join(stopped.addresses) or 'somebody'}",
                {**evidence, "hop": stopped.ttl, "says": stopped.why},
                "Look at the routes and filters of that router.",
            )
        ]
    loop = _circle(hops)
    if loop is not None:
        return [
            finding(
                "route.loop",
                host.name,
                "high",
                f"the way to {host.name} leads in a circle: {loop} is on it {_times_on(hops, loop)} times",
                {**evidence, "address": loop},
                "Routers send the packets to each other: look at their routes for this address.",
            )
        ]
    if not reached:
        return [
            unavailable(
                "route.end",
                host.name,
                (f"the last that answered is {evidence['last']}, hop {seen[-1].ttl}" if seen else "nobody answered")
                + "; many hosts and filters give no answer to such packets",
                f"UDP ports from {PORT} on and ICMP that are let through, up to {address}",
            )
        ]
    return []


def _circle(hops: list[_Hop]) -> str | None:
    """An address that comes three times or more, not only one after the other."""
    for hop in hops:
        for address in hop.addresses:
            places = [other.ttl for other in hops if address in other.addresses and not other.arrived]
            if len(places) >= 3 and places[-1] - places[0] >= len(places):
                return address
    return None


def _times_on(hops: list[_Hop], address: str) -> int:
    return sum(address in hop.addresses for hop in hops)
