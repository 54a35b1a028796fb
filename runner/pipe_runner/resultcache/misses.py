"""Why a result was not found: what is not as it was in the entry of the node that is nearest."""

from __future__ import annotations

import time

from pipe_runner.plan import CachePolicy
from pipe_runner.resultcache.entries import Entries, Entry
from pipe_runner.resultcache.key import Parts, differences, told


class Misses:
    """The entries of one domain by pipeline and node, read when somebody first asks."""

    def __init__(self, entries: Entries, domain: str) -> None:
        self._entries, self._domain = entries, domain
        self._earlier: dict[tuple[str, str], list[Entry]] | None = None

    def why(self, pipeline: str, node: str, parts: Parts, expired: Entry | None, now: float) -> str:
        """In words; the nearest is the one with the fewest differences, then the newest. `now`: seconds since 1970."""
        if expired is not None:
            if expired.made > now:
                return f"its cached result, of {_utc(expired.made)}, was made later than now by this machine's clock"
            return f"its cached result, of {_utc(expired.made)}, is older than its ttl"
        if self._earlier is None:
            self._earlier = {}
            for entry, _ in self._entries.all():
                if entry.parts.domain == self._domain:
                    self._earlier.setdefault((entry.pipeline, entry.node), []).append(entry)
        earlier = self._earlier.get((pipeline, node))
        if not earlier:
            return "the cache holds no result of it"
        near = min(earlier, key=lambda entry: (len(differences(entry.parts, parts)), -entry.made))
        changes = differences(near.parts, parts)
        return f"since run {near.run} there changed {told(changes)}" if changes else "its cached result is damaged"


def _utc(seconds: float) -> str:
    try:
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))} UTC"
    except (OverflowError, ValueError, OSError):
        return "a time that no calendar has"


def counts(entry: Entry, policy: CachePolicy, now: float) -> bool:
    """Whether an entry is young enough at a time (seconds since 1970); one from the future, by a clock that was wrong,
    isn't."""
    return policy.ttl is None or 0 <= now - entry.made < policy.ttl
