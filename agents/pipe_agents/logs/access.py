"""Access logs of web servers: statuses, paths, clients, times."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

from pipe_agents.logs.counts import Counts
from pipe_agents.logs.formats import ACCESS

DIGITS: Final = b"0123456789"
LONGEST: Final = 300
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
        made: list[bytes] = []
        clients: list[bytes] = []
        statuses: list[bytes] = []
        times: list[bytes] = []
        size_total = 0
        match = ACCESS.match
        for line in lines:
            found = match(line)
            if found is None:
                made.append(line.translate(None, DIGITS))
                continue
            client, _, request, status, size, rest = found.groups()
            path = _path(request)
            made.append(b"%b %b" % (path.translate(None, DIGITS), status))
            clients.append(client[:64])
            statuses.append(status)
            if size != b"-":
                size_total += int(size)
            if status[:1] == b"5":
                self.failing.add((path, int(status)))
            if rest and (taken := _SECONDS.search(rest)):
                times.append(taken[1])
                if float(taken[1]) >= 1:
                    self.slow.add(path)
        self.requests += len(statuses)
        self.bytes += size_total
        for text, count in Counter(times).items():
            self.times[round(math.log(max(float(text), 0.001)) * _STEPS)] += count
        for client, count in Counter(clients).items():
            self.clients.add(client, count)
        for status, count in Counter(statuses).items():
            self.statuses[int(status)] += count
        return made

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
