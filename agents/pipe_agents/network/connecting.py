"""Many TCP connections at once, in one thread: which are open, refused, silent or nowhere, and after what time."""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final, NamedTuple

from pipe_agents.network.waiting import Late, Stop

NO_WAY: Final = frozenset(getattr(errno, name, -1) for name in ("EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN"))
PENDING: Final = frozenset({errno.EINPROGRESS, errno.EINTR, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS)})
"""What `connect` says of one that goes on."""
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN})
_RESERVE: Final = 64
"""Descriptors that are left to others."""


class Tried(NamedTuple):
    """How one connection went."""

    address: str
    port: int
    state: str
    seconds: float | None
    why: str | None


class _Open(NamedTuple):
    socket: socket.socket
    address: str
    port: int
    began: float


def socket_address(address: str, port: int) -> tuple[int, Any]:
    """Family and address as `connect` takes them, zones included."""
    found = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    )
    return found[0][0], found[0][4]


def state_of(number: int) -> tuple[str, str | None]:
    """What an error of `connect` says of a port; 0 is none. A connection that is reset was there: a port that nobody
    listens on refuses it."""
    if number == 0:
        return "open", None
    why = os.strerror(number)
    if number in (errno.ECONNRESET, errno.EPIPE):
        return "open", why
    if number == errno.ECONNREFUSED:
        return "refused", why
    if number == errno.ETIMEDOUT:
        return "filtered", why
    if number in NO_WAY:
        return "unreachable", why
    return "error", why


class Connector:
    """Tries connections; bytes are neither sent nor read, and an open one is closed at once."""

    def __init__(self, concurrency: int, seconds: float, stop: Stop) -> None:
        self._most = max(1, min(concurrency, _descriptors()))
        self._seconds = seconds
        self._stop = stop
        self._waiting: deque[_Open] = deque()
        self._results: list[Tried] = []
        self._kinds: dict[str, tuple[int, Any]] = {}

    def run(self, targets: Iterable[tuple[str, int]]) -> list[Tried]:
        """How each went, in the order in which they ended; not all of them, where it was too late."""
        todo = iter(targets)
        more = True
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            try:
                while more or self._open(selector):
                    while more and self._open(selector) < self._most:
                        target = next(todo, None)
                        more = target is not None
                        if target is not None and not self._start(selector, target):
                            todo = _before(target, todo)
                            break
                    self._collect(selector)
            except Late:
                pass
            finally:
                for key in list(selector.get_map().values()):
                    if isinstance(key.data, _Open):
                        key.data.socket.close()
        return self._results

    @staticmethod
    def _open(selector: selectors.BaseSelector) -> int:
        return len(selector.get_map()) - 1

    def _start(self, selector: selectors.BaseSelector, target: tuple[str, int]) -> bool:
        """False: the system has no socket for it just now."""
        address, port = target
        try:
            if address not in self._kinds:
                self._kinds[address] = socket_address(address, 0)
            family, place = self._kinds[address]
            one = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            if error.errno in _FULL and self._open(selector):
                self._most = max(1, self._open(selector))
                return False
            self._results.append(Tried(address, port, "error", None, error.strerror or str(error)))
            return True
        one.setblocking(False)
        began = monotonic()
        number = one.connect_ex((place[0], port, *place[2:]))
        if number in PENDING:
            entry = _Open(one, address, port, began)
            selector.register(one, selectors.EVENT_WRITE, entry)
            self._waiting.append(entry)
            return True
        seconds = monotonic() - began
        one.close()
        if number == errno.EAGAIN and self._open(selector):
            self._most = max(1, self._open(selector))
            return False
        state, why = state_of(number)
        self._results.append(Tried(address, port, state, seconds if state in ("open", "refused") else None, why))
        return True

    def _collect(self, selector: selectors.BaseSelector) -> None:
        now = monotonic()
        wait = max(0.0, self._waiting[0].began + self._seconds - now) if self._waiting else 0.0
        for key, _ in selector.select(wait):
            if not isinstance(key.data, _Open):
                self._stop.check()
                continue
            self._end(selector, key.data, key.data.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        self._stop.check()
        now = monotonic()
        while self._waiting:
            entry = self._waiting[0]
            if entry.socket.fileno() == -1:
                self._waiting.popleft()
            elif now >= entry.began + self._seconds:
                self._waiting.popleft()
                self._end(selector, entry, errno.ETIMEDOUT)
            else:
                return

    def _end(self, selector: selectors.BaseSelector, entry: _Open, number: int) -> None:
        seconds = monotonic() - entry.began
        selector.unregister(entry.socket)
        if number == 0 and _met_itself(entry.socket):
            number = errno.ECONNREFUSED
        entry.socket.close()
        state, why = state_of(number)
        if number == errno.ETIMEDOUT:
            why = f"no answer within {self._seconds:g} s"
        answered = state in ("open", "refused")
        self._results.append(Tried(entry.address, entry.port, state, seconds if answered else None, why))


def _met_itself(one: socket.socket) -> bool:
    """On this machine a connection to a free port may be given that port as its own, and then meets itself."""
    try:
        return bool(one.getsockname() == one.getpeername())
    except OSError:
        return False


def _before(first: tuple[str, int], rest: Iterable[tuple[str, int]]) -> Any:
    yield first
    yield from rest


def _descriptors() -> int:
    """How many this process may still open."""
    try:
        import resource

        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        used = len(os.listdir("/proc/self/fd"))
    except (ImportError, OSError):
        return 256
    return 4096 if soft < 0 else max(1, soft - used - _RESERVE)
