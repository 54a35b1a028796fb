"""Access logs of web servers: statuses, paths, clients, times."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from pipe_agents.logs.counts import Counts
from pipe_agents.logs.formats import ACCESS

DIGITS: Final = b"0123456789"
LONGEST: Final = 300
_SAID: Final = re.compile(ACCESS.pattern.replace(rb"(?P<time>", rb"(?:"))
"""The same, without a group that is not counted here."""
_SECONDS: Final = re.compile(rb"(?:^|[ =\"])(\d{1,6}\.\d{3})(?=[ \"]|$)")
_STEPS: Final = 20.0
"""Buckets of times for each factor of e: a quantile is off by at most 5 %."""


def _path(request: bytes) -> bytes:
    """Method and path, without query and version."""
    path = request.partition(b"?")[0]
    return (path[:-9] if path[-9:-3] == b" HTTP/" else path)[:LONGEST]


class Access:
    """What was asked for, by whom, and how it went."""

    def __init__(self) -> None:
        self.requests = 0
        self.bytes = 0
        self.statuses: Counter[int] = Counter()
        self.clients: Counts[bytes] = Counts(50_000)
        self.failing: Counts[tuple[bytes, int]] = Counts(20_000)
        """Paths with a status from 500 on."""
        self.slow: Counts[bytes] = Counts(20_000)
        """Paths that took a second or longer."""
        self.times: Counter[int] = Counter()

    def shapes(self, lines: list[bytes]) -> list[bytes]:
        """For each line what it asked for, without numbers and query, and its status; counts all else."""
        found = [_SAID.match(line) for line in lines]
        rows = [one.groups() for one in found if one is not None]
        made = iter(self._count(rows) if rows else ())
        return [
            line.translate(None, DIGITS) if one is None else next(made) for line, one in zip(lines, found, strict=True)
        ]

    def _count(self, rows: list[tuple[bytes, ...]]) -> list[bytes]:
        """The same for what lines of the format say, column by column: many say the same."""
        clients, requests, statuses, sizes, rests = zip(*rows, strict=True)
        self.requests += len(rows)
        self.bytes += sum([int(size) for size in sizes if size != b"-"])
        for client, count in Counter(clients).items():
            self.clients.add(client[:64], count)
        for status, count in Counter(statuses).items():
            self.statuses[int(status)] += count
        known = {request: _path(request) for request in set(requests)}
        paths = [known[request] for request in requests]
        if any(status[:1] == b"5" for status in set(statuses)):
            for path, status in zip(paths, statuses, strict=True):
                if status[:1] == b"5":
                    self.failing.add((path, int(status)))
        self._timed(paths, rests)
        bare = {path: path.translate(None, DIGITS) for path in known.values()}
        return [b"%b %b" % (bare[path], status) for path, status in zip(paths, statuses, strict=True)]

    def _timed(self, paths: list[bytes], rests: Sequence[bytes]) -> None:
        """Count how long requests took, which some lines say at their end."""
        slow = set()
        for rest, count in Counter(rests).items():
            if rest and (taken := _SECONDS.search(rest)):
                seconds = float(taken[1])
                self.times[round(math.log(max(seconds, 0.001)) * _STEPS)] += count
                if seconds >= 1:
                    slow.add(rest)
        if slow:
            for path, rest in zip(paths, rests, strict=True):
                if rest in slow:
                    self.slow.add(path)

    def by_class(self) -> dict[str, int]:
        made = {"1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, "other": 0}
        for status, count in self.statuses.items():
            name = f"{status // 100}xx"
            made[name if name in made else "other"] += count
        return made

    def quantile(self, part: float) -> float | None:
        """Seconds that this part of the requests took at most, within 5 %; None where times aren't logged."""
        total = sum(self.times.values())
        seen = 0
        for bucket in sorted(self.times):
            seen += self.times[bucket]
            if seen >= part * total:
                return round(math.exp(bucket / _STEPS), 3)
        return None


def request_of(line: bytes) -> tuple[bytes, int] | None:
    """Method and path of a line, and its status."""
    found = ACCESS.match(line)
    if found is None:
        return None
    return _path(found["request"]), int(found["status"])
