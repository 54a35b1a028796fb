"""The trace that a run belongs to, in the words of W3C Trace Context."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_PARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")


class Trace:
    """Ids of spans that commands and services were told, for those who make the spans.

    `id` and `parent` (the span of whoever started us, or empty) are lower-case hex; `sampled`: whoever started us
    records it; `made`: we make spans; `recorded`: ours are recorded, as others are told.
    """

    __slots__ = ("id", "made", "parent", "recorded", "sampled", "spans")

    def __init__(self, id: str, parent: str = "", *, sampled: bool = True, made: bool = True) -> None:
        self.id, self.parent, self.sampled, self.made = id, parent, sampled, made
        self.recorded = sampled
        self.spans: dict[tuple[str, int], str] = {}
        """By node and attempt."""


def trace_from(environ: Mapping[str, str], random_bits: Callable[[int], int]) -> Trace:
    """The trace of `TRACEPARENT`, or a new one where that says nothing."""
    match = _PARENT.match(environ.get("TRACEPARENT", ""))
    if match is not None and not environ["TRACEPARENT"].startswith("ff"):
        return Trace(match[1], match[2], sampled=bool(int(match[3], 16) & 1))
    return Trace(f"{random_bits(128) or 1:032x}")


def trace_around(environ: Mapping[str, str]) -> Trace | None:
    """That of `TRACEPARENT` where we make no spans: who works for us hangs theirs on what started us."""
    trace = trace_from(environ, lambda bits: 1)
    trace.made = False
    return trace if trace.parent else None
