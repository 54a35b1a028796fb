"""What a call asks otherwise than the nearest one that was recorded."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from pipe_runner.ports import Attempt
from pipe_runner.recordings.entry import Entry
from pipe_runner.types import JsonObject

_SHOWN: Final = 3
_AROUND: Final = 30
"""Characters of a text that are shown before the place where it differs."""
_LONGEST: Final = 100
_AS_NEAR: Final = 50
"""Recordings from which as many values differ, and of which the words are counted."""
_MOST_PAIRS: Final = 2500
"""Pairs of items of two lists that are held against each other; items of longer lists are told place by place."""

_RUN_ID: Final = r"\b\d{8}-\d{6}-[a-z0-9]{5}\b"
_TIME: Final = r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_ID: Final = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{40}\b"
_OF_ONE_RUN: Final = (
    ("a run's id", re.compile(_RUN_ID)),
    ("a date or a time", re.compile(_TIME)),
    ("a temporary file", re.compile(r"/tmp/[\w./-]+|/var/folders/[\w./-]+")),
    ("an id or a time", re.compile(f"{_RUN_ID}|{_TIME}|{_ID}")),
)
"""What a text may hold that is another one in each run."""

_MARK: Final = re.compile(r"(</?data )[0-9a-f]{32}\b")

Leaf = tuple[str, str, int]


class _Difference(NamedTuple):
    """One place; `...` stands for what is not there."""

    place: str
    recorded: Any
    asked: Any


class Nearest:
    """Says how a call differs from the nearest recording. What each recording asks is taken apart once, since a
    pipeline that was edited misses many."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._leaves: dict[int, frozenset[Leaf]] = {}

    def difference(self, attempt: Attempt, kind: str, asked: JsonObject) -> str:
        """In words, for the message of a miss; of the same node's recordings, where there are some."""
        node = attempt.node
        rivals = [number for number, entry in enumerate(self._entries) if entry.kind == kind]
        rivals = [number for number in rivals if self._entries[number].node == node] or rivals
        if not rivals:
            return f"nothing of kind {kind} was recorded"
        mine = _leaves_of(asked)
        far = {number: len(mine ^ self._leaves_of(number)) for number in rivals}
        least, words = min(far.values()), _words(asked)
        near = [number for number in rivals if far[number] == least][:_AS_NEAR]
        found = self._entries[min(near, key=lambda number: len(words ^ _words(self._entries[number].asked)))]
        places = list(_differences(found.asked, asked, ""))
        told = "; ".join(_told(*one) for one in places[:_SHOWN])
        more = f", and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        whose = "" if found.node == node else f" (of {found.node})"
        return f"the nearest recording{whose} differs at {told}{more}{_why(places, attempt.run)}"

    def _leaves_of(self, number: int) -> frozenset[Leaf]:
        if number not in self._leaves:
            self._leaves[number] = _leaves_of(self._entries[number].asked)
        return self._leaves[number]


def _words(asked: JsonObject) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", json.dumps(asked, default=dict)))


def _leaves_of(value: Any) -> frozenset[Leaf]:
    """All values with their places. Numbers of items are no part of these, so that an item that was put before others
    makes none of them another one; what stands there several times is numbered."""
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for leaf in _leaves(value, ""):
        counts[leaf] += 1
        found.append((*leaf, counts[leaf]))
    return frozenset(found)


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}")
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            yield from _leaves(item, f"{place}[]")
    else:
        yield place, repr(value)


def _differences(recorded: Any, asked: Any, place: str) -> Iterator[_Difference]:
    """Where they differ, place by place, in the order of what was recorded."""
    if isinstance(recorded, dict) and isinstance(asked, dict) and recorded and asked:
        for key in {**recorded, **asked}:
            inner = f"{place}.{key}" if place else str(key)
            yield from _differences(recorded.get(key, ...), asked.get(key, ...), inner)
    elif isinstance(recorded, list | tuple) and isinstance(asked, list | tuple) and recorded and asked:
        for was, now in _paired(recorded, asked):
            inner = f"{place}[{now if now is not None else was}]"
            one = ... if was is None else recorded[was]
            yield from _differences(one, ... if now is None else asked[now], inner)
    elif recorded is ... or asked is ... or repr(recorded) != repr(asked):
        yield _Difference(place, *_without_marks(recorded, asked))


def _without_marks(recorded: Any, asked: Any) -> tuple[Any, Any]:
    """Texts without the marks around data, which change with every letter of that: what has changed is told."""
    if not isinstance(recorded, str) or not isinstance(asked, str):
        return recorded, asked
    was, now = (_MARK.sub(r"\1…", text) for text in (recorded, asked))
    return (was, now) if was != now else (recorded, asked)


def _paired(recorded: Sequence[Any], asked: Sequence[Any]) -> list[tuple[int | None, int | None]]:
    """Which item of the one list is which of the other, so that the fewest values differ; None: there is none."""
    start = 0
    while start < min(len(recorded), len(asked)) and _same(recorded[start], asked[start]):
        start += 1
    was, now = len(recorded), len(asked)
    while min(was, now) > start and _same(recorded[was - 1], asked[now - 1]):
        was, now = was - 1, now - 1
    rows, columns = was - start, now - start
    if rows * columns > _MOST_PAIRS:
        longest = max(rows, columns)
        return [(start + n if n < rows else None, start + n if n < columns else None) for n in range(longest)]
    old = [_leaves_of(one) for one in recorded[start:was]]
    new = [_leaves_of(one) for one in asked[start:now]]
    least = [[0] * (columns + 1) for _ in range(rows + 1)]
    """Of what is left from a row and a column on: how many values differ at least."""
    for row in range(rows, -1, -1):
        for column in range(columns, -1, -1):
            ways = []
            if row < rows and column < columns:
                ways.append(len(old[row] ^ new[column]) + least[row + 1][column + 1])
            if row < rows:
                ways.append(len(old[row]) + least[row + 1][column])
            if column < columns:
                ways.append(len(new[column]) + least[row][column + 1])
            least[row][column] = min(ways, default=0)
    found: list[tuple[int | None, int | None]] = []
    row = column = 0
    while row < rows or column < columns:
        left = least[row][column]
        if row < rows and column < columns and left == len(old[row] ^ new[column]) + least[row + 1][column + 1]:
            found.append((start + row, start + column))
            row, column = row + 1, column + 1
        elif column < columns and left == len(new[column]) + least[row][column + 1]:
            found.append((None, start + column))
            column += 1
        else:
            found.append((start + row, None))
            row += 1
    return found


def _same(one: Any, other: Any) -> bool:
    """Whether nothing differs, in one look: `_differences` asks this of what stands in lists within lists."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other)


def _why(places: Sequence[_Difference], run: str) -> str:
    """What is to be known of texts that differ by nothing but what is another in each run; `run` asks now."""
    for name, pattern in _OF_ONE_RUN:
        if places and all(_alike(one.recorded, one.asked, pattern, run) for one in places):
            return f" ({name} is another one in each run: hand it in as an input)"
    return ""


def _alike(recorded: Any, asked: Any, pattern: re.Pattern[str], run: str) -> bool:
    if not isinstance(recorded, str) or not isinstance(asked, str):
        return False
    left = pattern.sub("", recorded)
    return left in (pattern.sub("", asked), re.sub(rf"\b{re.escape(run)}\b", "", asked))


def _told(place: str, recorded: Any, asked: Any) -> str:
    if recorded is ...:
        return f"{place}: not recorded, asked {_short(asked)}"
    if asked is ...:
        return f"{place}: recorded {_short(recorded)}, not asked"
    start = 0
    if isinstance(recorded, str) and isinstance(asked, str):
        same = next((i for i, (a, b) in enumerate(zip(recorded, asked, strict=False)) if a != b), None)
        start = max(0, (min(len(recorded), len(asked)) if same is None else same) - _AROUND)
    return f"{place}: recorded {_short(recorded, start)}, asked {_short(asked, start)}"


def _short(value: Any, start: int = 0) -> str:
    text = json.dumps(value[start:] if isinstance(value, str) else value, ensure_ascii=False)
    dots = "…" if start else ""
    return f"{dots}{text}" if len(text) <= _LONGEST else f"{dots}{text[:_LONGEST]}…"
