"""Probes at a steady pace, each with its time: echo requests, or TCP connections."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from pipe_agents.network import icmp
from pipe_agents.network.connecting import NO_WAY, PENDING, socket_address, state_of
from pipe_agents.network.waiting import Late, Stop

TCP_PATIENCE: Final = 0.95
"""Seconds: the system sends a lost first packet again after one, which would be measured as a slow answer."""


@dataclass
class Probed:
    """What became of the probes."""

    address: str
    method: str
    port: int | None
    sent: int = 0
    times: dict[int, float] = field(default_factory=dict)
    """Seconds, by the number of the probe."""
    refused: int = 0
    unreachable: set[int] = field(default_factory=set)
    duplicates: int = 0
    why: str | None = None
    """Why one could not be sent, or what a router said."""

    @property
    def lost(self) -> int:
        return self.sent - len(self.times)


def by_echo(address: str, count: int, interval: float, patience: float, stop: Stop) -> Probed:
    """Echo requests. Raises `icmp.NotAllowed`."""
    family, place = socket_address(address, 0)
    one = icmp.opened(family)
    probed = Probed(address, "icmp", None)
    ident, token = os.getpid() & 0xFFFF, os.urandom(16)
    sent: dict[int, tuple[float, int]] = {}
    with one, _until_late(probed, lambda: _still_open(probed, sent, patience)):
        with contextlib.suppress(OSError):  # only its answers come then
            one.connect(place)
        next_at = monotonic()
        while probed.sent < count or _outstanding(probed, sent, patience):
            stop.check()
            now = monotonic()
            if probed.sent < count and now >= next_at:
                number = probed.sent
                probed.sent += 1
                next_at = max(next_at + interval, now) if interval else now
                sent[number] = (monotonic(), time.time_ns())
                try:
                    one.sendto(icmp.request(family, ident, number & 0xFFFF, token), place)
                except OSError as error:
                    _not_sent(probed, number, error)
            until = next_at if probed.sent < count else _last(probed, sent, patience)
            with contextlib.suppress(TimeoutError):
                stop.wait(one, 1, until)
                _receive(one, family, token, sent, probed)
    return probed


@contextlib.contextmanager
def _until_late(probed: Probed, outstanding: Callable[[], int]) -> Iterator[None]:
    """Ends where it is too late with the probes of which the end is known: the others count as never sent."""
    try:
        yield
    except Late:
        probed.sent -= outstanding()
        if probed.sent <= 0:
            raise


def _still_open(probed: Probed, sent: dict[int, tuple[float, int]], patience: float) -> int:
    """Probes to which an answer may still come."""
    until = monotonic() - patience
    return sum(
        began > until and number not in probed.times and number not in probed.unreachable
        for number, (began, _) in sent.items()
    )


def _outstanding(probed: Probed, sent: dict[int, tuple[float, int]], patience: float) -> bool:
    return _last(probed, sent, patience) > monotonic()


def _last(probed: Probed, sent: dict[int, tuple[float, int]], patience: float) -> float:
    """Until when an answer may still come."""
    open_ = [
        began for number, (began, _) in sent.items() if number not in probed.times and number not in probed.unreachable
    ]
    return max(open_) + patience if open_ else 0.0


def _receive(one: socket.socket, family: int, token: bytes, sent: dict[int, tuple[float, int]], probed: Probed) -> None:
    """All that has come."""
    for _ in range(1000):
        try:
            data, ancillary, _, _ = one.recvmsg(2048, 512)
        except BlockingIOError:
            break
        except OSError as error:
            if not _from_error_queue(one, probed, sent):
                _not_sent(probed, None, error)
            continue
        now, wall = monotonic(), icmp.arrived(ancillary)
        number = icmp.reply(family, data, token)
        if number is None or number not in sent:
            continue
        if number in probed.times:
            probed.duplicates += 1
            continue
        began, wall_began = sent[number]
        taken = now - began
        # The kernel's stamp is free of what this process waited for; it is of a clock that may jump.
        exact = (wall - wall_began) / 1e9 if wall is not None else taken
        probed.times[number] = exact if 0 < exact <= taken else taken
        probed.unreachable.discard(number)
    _from_error_queue(one, probed, sent)


def _from_error_queue(one: socket.socket, probed: Probed, sent: dict[int, tuple[float, int]]) -> bool:
    """What routers say of probes: `host unreachable` and the like. The packet that they are about stands in it."""
    told = False
    for _ in range(1000 if icmp.LINUX else 0):
        try:
            data, ancillary, _, _ = one.recvmsg(2048, 512, icmp.ERROR_QUEUE)
        except OSError:
            return told
        told = True
        number = int.from_bytes(data[6:8], "big") if len(data) >= 8 else None
        for level, kind, error in ancillary:
            if (level, kind) in icmp.RECVERR.values() and len(error) >= 4 and number in sent:
                _not_sent(probed, number, OSError(int.from_bytes(error[:4], "little"), ""))
    return told


def _not_sent(probed: Probed, number: int | None, error: OSError) -> None:
    probed.why = os.strerror(error.errno) if error.errno else str(error)
    if number is not None and number not in probed.times:
        probed.unreachable.add(number)


def by_connecting(address: str, port: int, count: int, interval: float, patience: float, stop: Stop) -> Probed:
    """TCP connections, closed at once; one that is refused took its time all the same."""
    probed = Probed(address, "tcp", port)
    patience = min(patience, TCP_PATIENCE)
    family, place = socket_address(address, port)
    open_: dict[int, tuple[socket.socket, float]] = {}
    unfinished: set[int] = set()
    with selectors.DefaultSelector() as selector, _until_late(probed, lambda: len(unfinished)):
        selector.register(stop, selectors.EVENT_READ)
        next_at = monotonic()
        try:
            while probed.sent < count or open_:
                stop.check()
                now = monotonic()
                if probed.sent < count and now >= next_at:
                    next_at = max(next_at + interval, now)
                    _connect(probed, selector, open_, family, place)
                waits = [began + patience for _, began in open_.values()]
                if probed.sent < count:
                    waits.append(next_at)
                ready = selector.select(max(0.0, min(waits) - monotonic())) if waits else []
                for key, _ in ready:
                    if isinstance(key.data, int):
                        one, began = open_.pop(key.data)
                        _ended(probed, key.data, one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), began)
                        selector.unregister(one)
                        one.close()
                for number in [n for n, (_, began) in open_.items() if monotonic() >= began + patience]:
                    one, _ = open_.pop(number)
                    selector.unregister(one)
                    one.close()
        finally:
            unfinished.update(open_)
            for one, _ in open_.values():
                one.close()
    return probed


def _connect(
    probed: Probed,
    selector: selectors.BaseSelector,
    open_: dict[int, tuple[socket.socket, float]],
    family: int,
    place: Any,
) -> None:
    number = probed.sent
    probed.sent += 1
    try:
        one = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        _not_sent(probed, number, error)
        return
    one.setblocking(False)
    began = monotonic()
    result = one.connect_ex(place)
    if result in PENDING:
        open_[number] = (one, began)
        selector.register(one, selectors.EVENT_WRITE, number)
        return
    _ended(probed, number, result, began)
    one.close()


def _ended(probed: Probed, number: int, error: int, began: float) -> None:
    taken = monotonic() - began
    state, why = state_of(error)
    if state in ("open", "refused"):
        probed.times[number] = taken
        probed.refused += state == "refused"
    else:
        probed.why = why
        if error in NO_WAY:
            probed.unreachable.add(number)
