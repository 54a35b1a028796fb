"""How many requests may be made again: so few that an outage sees hardly more of them than without any (V2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

AT_LEAST: Final = 2.0
"""Repeats while nothing is answered, however few requests there are: `retry: 3` means three requests."""
SECONDS: Final = 25.0
"""One more in so many seconds, so that a run of few calls can sit an outage out."""
SHARE: Final = 0.1
"""Repeats for each request made for the first time, while nothing is answered."""
MOST: Final = 20.0
"""Repeats that answers earn, one each, and that can be kept."""


class Repeats:
    """Counts requests that are made again, since the service last answered."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._earned = 0.0
        self._firsts = self._used = 0
        self._since = now()

    def first(self) -> None:
        """A request that is made for the first time."""
        self._firsts += 1

    def answered(self) -> None:
        """The service lives."""
        self._earned = min(MOST, self._earned + 1)
        self._firsts = self._used = 0
        self._since = self._now()

    def silent(self) -> None:
        """The service doesn't answer any more: what was earned before doesn't count."""
        self._earned = 0.0

    def take(self) -> bool:
        """One for a repeat; False: there is none just now."""
        if self._earned >= 1:
            self._earned -= 1
            return True
        if self._used + 1 > max(AT_LEAST + (self._now() - self._since) / SECONDS, SHARE * self._firsts):
            return False
        self._used += 1
        return True

    def wait(self) -> float:
        """Seconds until there is one again, if nothing else happens."""
        if self._earned >= 1:
            return 0.0
        return max(0.0, (self._used + 1 - AT_LEAST) * SECONDS - (self._now() - self._since))
