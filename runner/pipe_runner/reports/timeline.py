"""Attempts over time as HTML: a row for each node, lanes where there are many, a profile where there are too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import Final, NamedTuple

from pipe_runner.console.words import plural, seconds
from pipe_runner.reports.marks import MARKS, shown
from pipe_runner.reports.story import Story, Try

MOST_ROWS: Final = 60
"""Nodes that have a row of their own; above it attempts share lanes, as many as ran at once."""
MOST_BARS: Final = 1500
"""Attempts that are drawn one by one; above it only how many there were at once."""
_MOST_LANES: Final = 120
_MOST_FLAGS: Final = 200
_BINS: Final = 240
_STEPS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600,
    7200, 14400, 28800, 43200, 86400,
)  # fmt: skip
_MOST_TICKS: Final = 7


class Bar(NamedTuple):
    """One attempt as it is drawn; times in seconds from the start of its part of the run."""

    node: str
    attempt: Try
    begin: float
    end: float
    word: str
    """Its status, for people."""


def bars_of(story: Story, word: Callable[[Try], str]) -> list[list[Bar]]:
    """The attempts of each part of the run (its start, its resumes), in the order in which they began."""
    parts: list[list[Bar]] = [[] for _ in story.parts]
    for node in story.names():
        if not story.acts(node):
            continue
        told = story.nodes.get(node)
        for attempt in told.tries if told is not None else ():
            if not 0 <= attempt.part < len(parts):
                continue
            start, until = story.parts[attempt.part]
            begin = max(attempt.at - start, 0.0)
            parts[attempt.part].append(Bar(node, attempt, begin, begin + _took(attempt, until), word(attempt)))
    for bars in parts:
        bars.sort(key=lambda bar: (bar.begin, bar.node))
    return parts


def _took(attempt: Try, until: float) -> float:
    """By the wall clock, unless it was set in the meantime."""
    took = max((until if attempt.ended is None else attempt.ended) - attempt.at, 0.0)
    if attempt.duration is None:
        return took
    return min(took, attempt.duration) or attempt.duration


def timeline(bars: Sequence[Bar], href: Callable[[str], str]) -> Iterator[str]:
    """One part of a run; `href` gives the place of a node in the page."""
    span = max((bar.end for bar in bars), default=0.0) or 0.001
    peak = most_at_once(bars)
    rows: dict[str, list[Bar]] = {}
    for bar in bars:
        rows.setdefault(bar.node, []).append(bar)
    yield f'<p class="note">{plural(len(bars), "attempt")} of {plural(len(rows), "node")} in {seconds(span)}'
    yield f"; at most {peak} at the same time.</p>\n" if peak > 1 else ", one after the other.</p>\n"
    lanes = _lanes(bars) if len(rows) > MOST_ROWS and len(bars) <= MOST_BARS else []
    if len(bars) > MOST_BARS or len(lanes) > _MOST_LANES:
        yield from _profile(bars, span, peak, href)
        return
    yield f'<div class="scroll"><div class="tl{" lanes" if lanes else ""}">{_ticks(span)}'
    if lanes:
        for lane in lanes:
            drawn = "".join(_bar(bar, span, href, named=True) for bar in lane)
            yield f'<div class="row"><div class="track">{drawn}</div></div>\n'
    else:
        for node, own in rows.items():
            drawn = "".join(_waits(own, span)) + "".join(_bar(b, span, href) for b in own)
            name = shown(node)
            who = f'<a class="who" href="{href(node)}" title="{name}">{name}</a>'
            yield f'<div class="row">{who}<div class="track">{drawn}</div></div>\n'
    yield "</div></div>\n"


def most_at_once(bars: Sequence[Bar]) -> int:
    """How many attempts were under way at the same time, at most."""
    ends: list[float] = []
    most = 0
    for bar in bars:
        while ends and ends[0] <= bar.begin:
            heappop(ends)
        heappush(ends, bar.end)
        most = max(most, len(ends))
    return most


def _lanes(bars: Sequence[Bar]) -> list[list[Bar]]:
    """The attempts in as few lanes as hold them without overlap, each in the first that is free."""
    lanes: list[list[Bar]] = []
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    for bar in bars:
        while busy and busy[0][0] <= bar.begin:
            heappush(free, heappop(busy)[1])
        if not free:
            free.append(len(lanes))
            lanes.append([])
        lane = heappop(free)
        lanes[lane].append(bar)
        heappush(busy, (bar.end, lane))
    return lanes


def _bar(bar: Bar, span: float, href: Callable[[str], str], *, named: bool = False) -> str:
    attempt = bar.attempt
    hover = (
        f"{bar.node}, attempt {attempt.number}: {bar.word}, {seconds(bar.end - bar.begin)} from {seconds(bar.begin)}"
    )
    mark = MARKS.get(str(attempt.status), "")
    text = f"{mark} {bar.node}" if named else ("" if bar.word == "succeeded" else mark)
    return (
        f'<a class="bar s-{attempt.status or "running"}" href="{href(bar.node)}" title="{shown(hover)}" '
        f'style="left:{100 * bar.begin / span:.2f}%;width:{100 * (bar.end - bar.begin) / span:.2f}%">{shown(text)}</a>'
    )


def _waits(own: Sequence[Bar], span: float) -> Iterator[str]:
    """The waits of one node between its attempts."""
    for before, after in pairwise(own):
        if after.begin > before.end:
            left, width = 100 * before.end / span, 100 * (after.begin - before.end) / span
            yield f'<i class="wait" style="left:{left:.2f}%;width:{width:.2f}%"></i>'


def _ticks(span: float) -> str:
    step = next((s for s in _STEPS if span / s <= _MOST_TICKS), span)
    ticks = []
    at, number = 0.0, 0
    while at <= span * 0.98:
        ticks.append(f'<i style="left:{100 * at / span:.2f}%"><b>{_time(at)}</b></i>')
        number += 1
        at = number * step
    return f'<div class="ticks">{"".join(ticks)}</div>\n'


def _time(value: float) -> str:
    if value == 0:
        return "0"
    if value < 60:
        return f"{value:g}s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m" if minutes else f"{hours}h"
    return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"


def _profile(bars: Sequence[Bar], span: float, peak: int, href: Callable[[str], str]) -> Iterator[str]:
    """How many attempts there were at once, and where some failed."""
    changes = sorted([(bar.begin, 1) for bar in bars] + [(bar.end, -1) for bar in bars])
    most = [0] * (_BINS + 1)
    now = slot = 0
    for at, change in changes:
        here = min(int(_BINS * at / span), _BINS)
        for passed in range(slot + 1, here + 1):
            most[passed] = now
        slot = here
        now += change
        most[here] = max(most[here], now)
    points = " ".join(f"{at},{100 - 96 * count / max(peak, 1):.1f}" for at, count in enumerate(most))
    failed = [bar for bar in bars if bar.word not in ("succeeded", "cached")]
    flags = "".join(
        f'<a class="flag" href="{href(bar.node)}" title="{shown(f"{bar.node}: {bar.word}")}" '
        f'style="left:{100 * bar.end / span:.2f}%">{MARKS.get(str(bar.attempt.status), "▸")}</a>'
        for bar in failed[:_MOST_FLAGS]
    )
    yield (
        '<p class="note">There are too many attempts to draw each: this is how many there were at once'
        f"{', and where attempts did not succeed' if failed else ''}.</p>\n"
        f'<div class="tl profile">{_ticks(span)}<svg viewBox="0 0 {_BINS} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="attempts at once"><polygon class="area" points="0,100 {points} {_BINS},100"/></svg>'
        f'<div class="row"><div class="track">{flags}</div></div></div>\n'
    )
