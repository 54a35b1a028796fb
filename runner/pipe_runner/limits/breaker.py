"""Knows whether a service can be asked: it opens after failures in a row, and one call at a time tries again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FAILURES: Final = 5
"""Failures in a row, without an answer between, after which nobody asks."""
PROBES: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between them; the last one again and again, so that a service is found again within 30 s of its return."""


class Breaker:
    """Closed while the service answers; open while it doesn't, and then `due` says when to try."""

    def __init__(self, now: Callable[[], float], probes: tuple[float, ...] = PROBES) -> None:
        self._now, self._probes = now, probes
        self._failures = 0
        self._tries = 0
        self.opened: float | None = None
        """Since when it is open."""
        self.due = 0.0
        """When the next call may try, while it is open."""
        self.probing = False
        """A call tries just now."""
        self.why = ""
        """What the service last failed with."""

    def answered(self) -> None:
        """The service answered, if only to refuse."""
        self._failures = self._tries = 0
        self.opened = None
        self.probing = False

    def failed(self, why: str) -> None:
        """The service could not be reached, or failed."""
        self._failures += 1
        self.why = why
        if self.opened is not None:
            self._try_later()
        elif self._failures >= FAILURES:
            self.opened = self._now()
            self._try_later()

    def abandoned(self) -> None:
        """A call that tried was given up; nobody knows."""
        if self.opened is not None and self.probing:
            self.probing = False
            self.due = self._now()

    def _try_later(self) -> None:
        self.probing = False
        self.due = self._now() + self._probes[min(self._tries, len(self._probes) - 1)]
        self._tries += 1
