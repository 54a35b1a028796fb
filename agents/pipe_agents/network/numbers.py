"""Numbers of many measurements."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of the nearest rank: one of the values, and at least `percent` of them are not above it."""
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)]


def spread(times: Sequence[float]) -> dict[str, float | None]:
    """Times in the order in which they were measured, as numbers with names; null where there are none."""
    names = ("min_ms", "median_ms", "p95_ms", "p99_ms", "max_ms", "mean_ms", "jitter_ms")
    if not times:
        return dict.fromkeys(names)
    ordered = sorted(times)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    changes = [abs(after - before) for before, after in pairwise(times)]
    values = (
        ordered[0],
        median,
        percentile(ordered, 95),
        percentile(ordered, 99),
        ordered[-1],
        sum(ordered) / len(ordered),
        sum(changes) / len(changes) if changes else None,
    )
    return {name: None if value is None else round(value, 3) for name, value in zip(names, values, strict=True)}


def ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
