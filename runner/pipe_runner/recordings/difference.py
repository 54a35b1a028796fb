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


def difference(kind: str, node: str, asked: JsonObject, entries: Sequence[Entry]) -> str:
    """In words, for the message of a miss; of the same node's recordings, where there are some."""
    rivals = [entry for entry in entries if entry.kind == kind]
    rivals = [entry for entry in rivals if entry.node == node] or rivals
    if not rivals:
        return f"nothing of kind {kind} was recorded"
    mine = dict(_leaves(asked, ""))
    best: list[str] = []
    nearest = rivals[0]
    for number, entry in enumerate(rivals):
        theirs = dict(_leaves(entry.asked, ""))
        places = [place for place in {**theirs, **mine} if mine.get(place, ...) != theirs.get(place, ...)]
        if number == 0 or len(places) < len(best):
            best, nearest = places, entry
    theirs = dict(_leaves(nearest.asked, ""))
    told = [_told(place, theirs.get(place, ...), mine.get(place, ...)) for place in best[:_SHOWN]]
    more = f", and {len(best) - _SHOWN} more" if len(best) > _SHOWN else ""
    whose = "" if nearest.node == node else f" (of {nearest.node})"
    return f"the nearest recording{whose} differs at {'; '.join(told)}{more}"


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
