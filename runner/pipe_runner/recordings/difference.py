"""What a call asks otherwise than the nearest one that was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pipe_runner.recordings.entry import Entry
from pipe_runner.types import JsonObject

_SHOWN: Final = 3
_AROUND: Final = 30
"""Characters of a text that are shown before the place where it differs."""
_LONGEST: Final = 100


class Nearest:
    """Says how a call differs from the nearest recording. What each recording asks is taken apart once, since a
    pipeline that was edited misses many."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._leaves: dict[int, dict[str, Any]] = {}

    def difference(self, kind: str, node: str, asked: JsonObject) -> str:
        """In words, for the message of a miss; of the same node's recordings, where there are some."""
        rivals = [number for number, entry in enumerate(self._entries) if entry.kind == kind]
        rivals = [number for number in rivals if self._entries[number].node == node] or rivals
        if not rivals:
            return f"nothing of kind {kind} was recorded"
        mine = dict(_leaves(asked, ""))
        nearest = min(rivals, key=lambda number: _differing(mine, self._leaves_of(number)))
        theirs = self._leaves_of(nearest)
        places = [place for place in {**theirs, **mine} if mine.get(place, ...) != theirs.get(place, ...)]
        told = [_told(place, theirs.get(place, ...), mine.get(place, ...)) for place in places[:_SHOWN]]
        more = f", and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        found = self._entries[nearest]
        whose = "" if found.node == node else f" (of {found.node})"
        return f"the nearest recording{whose} differs at {'; '.join(told)}{more}"

    def _leaves_of(self, number: int) -> dict[str, Any]:
        if number not in self._leaves:
            self._leaves[number] = dict(_leaves(self._entries[number].asked, ""))
        return self._leaves[number]


def _differing(mine: dict[str, Any], theirs: dict[str, Any]) -> int:
    """In how many places they differ, those included that only one of them has."""
    same = sum(1 for place, value in theirs.items() if mine.get(place, ...) == value)
    return len(mine.keys() | theirs.keys()) - same


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}[{index}]")
    else:
        yield place, value


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
