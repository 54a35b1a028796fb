"""What is known of a server's TLS."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipe_agents.network import contexts
from pipe_agents.network.certificates import Certificate
from pipe_agents.network.numbers import ms
from pipe_agents.network.targets import Host, subject_of


@dataclass
class Seen:
    """Of one server; grows while it is examined."""

    host: Host
    port: int
    name: str
    """Which its certificate must hold."""
    sure: bool = True
    """Somebody has said that it speaks TLS."""
    address: str | None = None
    version: str | None = None
    cipher: str | None = None
    connect: float | None = None
    handshake: float | None = None
    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(contexts.VERSIONS, "untested"))
    untested: dict[str, str] = field(default_factory=dict)
    """Why a version could not be tried."""
    trusted: bool | None = None
    distrust: str | None = None
    chain: list[Certificate] = field(default_factory=list)
    unread: str | None = None
    """Why the certificates could not be read."""
    own: Counter[str] = field(default_factory=Counter)
    """Digests of the server's certificate in each handshake."""
    fault: str | None = None
    connected: bool = False
    silent: bool = False
    """It took the connection, and said nothing."""

    @property
    def subject(self) -> str:
        return subject_of(self.host, self.port)

    @property
    def name_matches(self) -> bool | None:
        return self.chain[0].is_for(self.name) if self.chain else None

    def measured(self, now: float) -> dict[str, Any]:
        return {
            "host": self.host.name,
            "port": self.port,
            "address": self.address,
            "server_name": self.name,
            "version": self.version,
            "cipher": self.cipher,
            "connect_ms": None if self.connect is None else ms(self.connect),
            "handshake_ms": None if self.handshake is None else ms(self.handshake),
            "versions": self.versions,
            "name_matches": self.name_matches,
            "trusted": self.trusted,
            "days_left": self.chain[0].days_left(now) if self.chain else None,
            "chain": [one.measured(now) for one in self.chain],
            "fault": self.fault,
        }
