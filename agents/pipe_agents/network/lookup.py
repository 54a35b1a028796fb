"""Addresses of hosts, as programs on this machine get them; each host is looked up once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from pipe_agents.network.numbers import ms
from pipe_agents.network.targets import Host
from pipe_agents.network.texts import bounded
from pipe_agents.network.waiting import Stop, in_time


@dataclass(frozen=True)
class Found:
    """What a look-up gave."""

    source: str
    addresses: tuple[str, ...]
    ms: float | None
    why: str | None = None
    temporary: bool = False
    """Another try may give something else: nobody answered."""
    late: bool = False
    """Nobody waited for an answer: the attempt's time was up."""

    def measured(self) -> dict[str, Any]:
        return {"source": self.source, "addresses": list(self.addresses[:100]), "ms": self.ms, "why": self.why}


class Book:
    """Looks hosts up, and remembers."""

    def __init__(self, family: str, seconds: float, stop: Stop, others: Callable[[Host], tuple[str, ...]]) -> None:
        self._families = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
        self._family = self._families.get(family, socket.AF_UNSPEC)
        self._seconds = seconds
        self._stop = stop
        self._others = others
        """Asks the resolvers that the options name."""
        self._lock = threading.Lock()
        self._found: dict[str, Found] = {}

    def find(self, host: Host) -> Found:
        """The addresses of a host, of the family that is wanted."""
        with self._lock:
            found = self._found.get(host.name)
        if found is None:
            found = self._look(host)
            with self._lock:
                found = self._found.setdefault(host.name, found)
        return found

    def _look(self, host: Host) -> Found:
        if host.address is not None:
            if self._family not in (socket.AF_UNSPEC, self._families[f"ipv{host.address.version}"]):
                return Found("none", (), None, f"it is an IPv{host.address.version} address, and family excludes those")
            return Found("literal", (str(host.address),), None)
        began = monotonic()
        why: str | None = None
        temporary, addresses = False, tuple[str, ...]()
        try:
            addresses = in_time(lambda: system_addresses(host.name, self._family), began + self._seconds, self._stop)
        except TimeoutError:
            why, temporary = f"no answer within {self._seconds:.2g} s", True
        except socket.gaierror as error:
            why = bounded(error.strerror or str(error), 200)
            temporary = error.errno == socket.EAI_AGAIN
        except (OSError, UnicodeError) as error:
            why = bounded(str(error), 200)
        taken = ms(monotonic() - began)
        if addresses:
            return Found("system", addresses, taken)
        others = tuple(a for a in self._others(host) if self._fits(a))
        return Found("resolver" if others else "none", others, taken, why, temporary)

    def _fits(self, address: str) -> bool:
        wanted = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self._family in (socket.AF_UNSPEC, wanted)


def system_addresses(name: str, family: int = 0) -> tuple[str, ...]:
    """What the system's resolver gives, in its order of preference."""
    found = socket.getaddrinfo(name, None, family=family, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(_text(entry[4]) for entry in found))


def _text(address: tuple[Any, ...]) -> str:
    return str(address[0])
