"""What is known of a URL that is fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from pipe_agents.network.answers import Answer
from pipe_agents.network.numbers import ms
from pipe_agents.network.targets import Place
from pipe_agents.network.texts import bounded, shown_url

PHASES: Final = ("dns", "connect", "tls", "first_byte", "transfer")
_SHOWN: Final = (
    "server", "content-type", "content-length", "content-encoding", "transfer-encoding", "cache-control", "age", "via",
    "x-cache", "retry-after", "strict-transport-security", "date", "location",
)  # fmt: skip


@dataclass
class Step:
    """One request, and how long its parts took, in seconds."""

    place: Place
    address: str | None = None
    answer: Answer | None = None
    phases: dict[str, float] = field(default_factory=dict)
    tls: str | None = None
    certificate: bool | None = None
    certificate_fault: str | None = None
    fault: str | None = None
    during: str | None = None
    """The part in which it failed."""
    forbidden: str | None = None
    passed_over: dict[str, str] = field(default_factory=dict)
    """Addresses that did not answer, before one did."""

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer is not None else None

    def measured(self) -> dict[str, Any]:
        headers = self.answer.headers if self.answer is not None else {}
        shown = {name: bounded(headers[name]) for name in _SHOWN if name in headers}
        if "location" in shown:
            shown["location"] = shown_url(joined(self.place.url, headers["location"]))
        return {
            "url": shown_url(self.place.url),
            "address": self.address,
            "status": self.status,
            "phases_ms": phases(self.phases),
            "tls": self.tls,
            "certificate_valid": self.certificate,
            "headers": shown,
        }


@dataclass
class Fetch:
    """A URL with all its redirects."""

    place: Place
    steps: list[Step] = field(default_factory=list)
    fault: str | None = None
    kind: str | None = None
    """What the fault is: the last part of a finding's name."""

    @property
    def redirects(self) -> int:
        return max(0, len(self.steps) - 1)

    @property
    def seconds(self) -> dict[str, float]:
        return {
            name: sum(step.phases[name] for step in self.steps if name in step.phases)
            for name in PHASES
            if any(name in step.phases for step in self.steps)
        }

    def measured(self) -> dict[str, Any]:
        last = self.steps[-1] if self.steps else None
        answer = last.answer if last is not None else None
        return {
            "url": shown_url(self.place.url),
            "status": last.status if last is not None else None,
            "final_url": shown_url(last.place.url) if last is not None and answer is not None else None,
            "redirects": self.redirects,
            "steps": [step.measured() for step in self.steps],
            "phases_ms": phases(self.seconds),
            "bytes": answer.bytes if answer is not None else 0,
            "cut": answer.cut if answer is not None else False,
            "fault": self.fault,
        }


def joined(base: str, location: str) -> str:
    """Where a redirect leads; as it stands, where nobody can tell."""
    try:
        return urljoin(base, location)
    except ValueError:
        return location


def phases(seconds: dict[str, float]) -> dict[str, float | None]:
    shown: dict[str, float | None] = {name: ms(seconds[name]) if name in seconds else None for name in PHASES}
    return {**shown, "total": ms(sum(seconds.values()))}
