"""Who tried to log in, from where, and whether it worked after all; and who used sudo."""

from __future__ import annotations

import re
from typing import Final

from pipe_agents.logs.counts import Counts
from pipe_agents.logs.mining import Where
from pipe_agents.logs.patterns import ACCEPTED, FAILED, INVALID, SUDO, SUDO_FAILED

MOST_SOURCES: Final = 20_000
REPEATED: Final = re.compile(rb"message repeated (\d{1,6}) times: \[")
_NAME: Final = rb"[^\s'\";,()]{1,64}"
_SOURCE: Final = re.compile(
    rb"(?: from |rhost=|client: |host: |rip=|'@')([0-9A-Za-z:.%_-]{1,128}?)(?=[\s,;'\]\)]|$| port)"
)
_SSHD: Final = re.compile(rb".* from ([0-9A-Za-z:.%_-]{1,128}+) port \d{1,5}+(?:[ :\]]|$)")
"""The last one: before it stands the user's name, and that may be anything."""
_USER: Final = re.compile(
    rb"(?:[Ff]or (?:invalid user |illegal user )?|(?<= )user[ =]|Invalid user |Illegal user |FOR '?|by |login: "
    rb"|\(to )\"?'?(" + _NAME + rb")"
)
_PAM_USER: Final = re.compile(rb"(?<!r)user=(" + _NAME + rb")")
_SUDO_USER: Final = re.compile(rb"(?:^|: +)([\w.@$\\-]{1,64}) : ")
WINDOW: Final = 3600.0
"""How long failures count against a login that works, in seconds."""


class Source:
    """One address that tried."""

    __slots__ = ("accepted", "after", "failures", "first", "invalid", "last", "last_failure", "recent", "users")

    def __init__(self) -> None:
        self.failures = 0
        self.invalid = 0
        self.accepted = 0
        self.recent = 0
        """Failures in a row, none longer than `WINDOW` after the one before."""
        self.last_failure: float | None = None
        self.users: Counts[bytes] = Counts(50)
        self.first: Where | None = None
        self.last: Where | None = None
        self.after: list[tuple[int, bytes, Where]] = []
        """Logins that worked: after how many failures, who, and the line."""


class Logins:
    """Fed with lines in the order of their files; says what came after what."""

    def __init__(self, least_failures: int) -> None:
        self._least = least_failures
        self.sources: dict[bytes, Source] = {}
        self.beyond = 0
        """Attempts of sources that were not kept, since there were too many."""
        self.users: Counts[bytes] = Counts(MOST_SOURCES)
        self.sudo: Counts[bytes] = Counts(2_000)
        self.sudo_failed: Counts[bytes] = Counts(2_000)
        self.failures = 0
        self.accepted = 0

    def line(self, check: str, where: Where) -> None:
        line = where.line
        if check in (SUDO, SUDO_FAILED):
            found = _SUDO_USER.search(line) or _PAM_USER.search(line) or _USER.search(line)
            (self.sudo if check == SUDO else self.sudo_failed).add(found[1] if found else b"?")
            return
        repeated = REPEATED.search(line) if b" repeated " in line else None
        times = max(int(repeated[1]), 1) if repeated else 1
        user = (_PAM_USER.search(line) if b"user=" in line else None) or _USER.search(line)
        who = user[1] if user else b"?"
        found = _SSHD.match(line) or _SOURCE.search(line)
        source = self._source(found[1] if found else b"local", times)
        if check == FAILED:
            self.failures += times
            self.users.add(who, times)
        elif check == ACCEPTED:
            self.accepted += times
        if source is None:
            return
        if check == ACCEPTED:
            self._worked(source, who, where)
            return
        source.first = source.first or where
        source.last = where
        if check == INVALID:
            source.invalid += times
            return
        if where.when is not None:
            if source.last_failure is not None and where.when - source.last_failure > WINDOW:
                source.recent = 0
            source.last_failure = where.when
        source.failures += times
        source.recent += times
        source.users.add(who, times)

    def _source(self, name: bytes, times: int) -> Source | None:
        found = self.sources.get(name)
        if found is None:
            if len(self.sources) >= MOST_SOURCES:
                self.beyond += times
                return None
            found = self.sources[name] = Source()
        return found

    def _worked(self, source: Source, who: bytes, where: Where) -> None:
        source.accepted += 1
        soon = where.when is None or source.last_failure is None or where.when - source.last_failure <= WINDOW
        if source.recent >= self._least and soon and len(source.after) < 10:
            source.after.append((source.recent, who, where))
        source.recent = 0
