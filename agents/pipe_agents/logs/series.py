"""Counts over time, in bounded memory; bursts and silences in them, by robust rules."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

MINUTE: Final = 60
BURST_LEAST: Final = 50
ERRORS_LEAST: Final = 20
MANY: Final = 30
BURST_FACTOR: Final = 3.0
BURST_DEVIATIONS: Final = 8.0
BURST_POISSON: Final = 6.0
MAD_SCALE: Final = 1.4826
MOST_BUCKETS_LOOKED_AT: Final = 500_000
SILENCE_LEAST: Final = 900.0
SILENCE_FACTOR: Final = 10.0
SILENCE_BUCKETS: Final = 30


class Series:
    """How many in each bucket of time: exact counts. Buckets are minutes, and grow when there are too many of them."""

    __slots__ = ("_most", "counts", "width")

    def __init__(self, most: int, width: int = MINUTE) -> None:
        self._most = most
        self.width = width
        self.counts: dict[int, int] = {}
        """By the number of the bucket: seconds since 1970 divided by `width`."""

    def add(self, when: float, count: int) -> None:
        bucket = int(when) // self.width
        counts = self.counts
        counts[bucket] = counts.get(bucket, 0) + count
        if len(counts) > self._most:
            self.widen()

    def widen(self) -> None:
        """Buckets twice as wide."""
        self.width *= 2
        wider: dict[int, int] = {}
        for bucket, count in self.counts.items():
            wider[bucket // 2] = wider.get(bucket // 2, 0) + count
        self.counts = wider

    def at_width(self, width: int) -> dict[int, int]:
        """Counts in buckets of at least that width, which is a multiple of this one's."""
        factor = max(width // self.width, 1)
        made: dict[int, int] = {}
        for bucket, count in self.counts.items():
            made[bucket // factor] = made.get(bucket // factor, 0) + count
        return made

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def span(self) -> tuple[float, float] | None:
        """When its first bucket begins and its last one ends."""
        if not self.counts:
            return None
        return float(min(self.counts) * self.width), float((max(self.counts) + 1) * self.width)


class Burst(NamedTuple):
    start: float
    end: float
    entries: int
    peak: int
    """In one bucket."""
    usual: float
    """The median of all buckets."""
    threshold: float
    """What a bucket had to be above."""
    width: int


def threshold(counts: list[int], empty: int, least: int = BURST_LEAST) -> tuple[float, float]:
    """The median, and what a bucket must be above to be a burst.

    The largest of: median + 8 robust deviations (1.4826 × MAD), the Poisson bound median + 6 × √median,
    3 × median, and `least`. Empty buckets count as zero; where more than half of many are empty, they are left out.
    """
    values = counts if empty > len(counts) >= MANY else counts + [0] * min(empty, MOST_BUCKETS_LOOKED_AT)
    usual = float(median(values))
    deviation = MAD_SCALE * float(median(abs(value - usual) for value in values))
    return usual, max(
        usual + BURST_DEVIATIONS * deviation,
        usual + BURST_POISSON * math.sqrt(usual),
        BURST_FACTOR * usual,
        float(least),
    )


def bursts(series: Series, span: tuple[float, float] | None, least: int = BURST_LEAST) -> list[Burst]:
    """Runs of buckets above the threshold within `span`, the largest first."""
    counts = series.counts
    length = 0 if span is None else round((span[1] - span[0]) / series.width)
    if not counts or length < 10:
        return []
    usual, bound = threshold(list(counts.values()), length - len(counts), least)
    found: list[Burst] = []
    run: list[int] = []
    for bucket in [*sorted(bucket for bucket, count in counts.items() if count > bound), None]:
        if run and (bucket is None or bucket > run[-1] + 1):
            inside = [counts[one] for one in run]
            start, end = run[0] * series.width, (run[-1] + 1) * series.width
            found.append(Burst(start, end, sum(inside), max(inside), usual, bound, series.width))
            run = []
        if bucket is not None:
            run.append(bucket)
    return sorted(found, key=lambda one: (-one.entries, one.start))


class Silence(NamedTuple):
    start: float
    end: float
    bound: float
    """Seconds that such a log is silent at most, by the rule."""


def silence_bound(series: Series) -> float | None:
    """Seconds: 15 minutes, or 10 times the distance below which 95 % of its buckets stand; None for a short log."""
    buckets = sorted(series.counts)
    if len(buckets) < SILENCE_BUCKETS:
        return None
    steps = sorted(later - sooner for sooner, later in pairwise(buckets))
    return max(SILENCE_LEAST, SILENCE_FACTOR * steps[int(len(steps) * 0.95)] * series.width)


def silences(series: Series) -> list[Silence]:
    """Gaps in a log that is never as long silent otherwise, the longest first."""
    bound = silence_bound(series)
    if bound is None:
        return []
    buckets = sorted(series.counts)
    found = []
    for sooner, later in pairwise(buckets):
        if (later - sooner - 1) * series.width > bound:
            found.append(Silence((sooner + 1) * series.width, later * series.width, bound))
    return sorted(found, key=lambda one: (one.start - one.end, one.start))
