"""Searches bytes for many forms of secrets at once: first for the few cores of which each form contains one."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

_WINDOW: Final = 8
"""Bytes that are looked at together, as one number."""
_STEPS: Final = (8, 16, 24, 32, 48, 64)
"""Bytes from one window to the next. A core that is a step and seven bytes long covers one wherever it stands."""
_ANCHORS: Final = 20_000
"""Windows of cores that may be looked for at steps of more than eight bytes."""
_SHARED: Final = 15
"""Bytes from which a core stands for those that contain it."""
_COMPARED: Final = 80
"""Cores of one secret up to which this is looked for."""

_SHORT: Final = 512
"""Bytes up to which a text is searched for all cores in one go: a fifth of the time there, in longer ones more."""
_FEW: Final = 32
"""Cores up to which this is so."""
_WORTH: Final = 100
"""Short texts after which making such a search is worth its time."""

_Group: TypeAlias = tuple[bytes, list[bytes]]
"""A core, and the forms that contain it."""


class Needles:
    """Forms to search for, and how."""

    def __init__(self, secrets: Iterable[Mapping[bytes, Iterable[bytes]]]) -> None:
        groups: dict[bytes, set[bytes]] = {}
        for forms in secrets:
            for core, needles in _shared(forms).items():
                groups.setdefault(core, set()).update(needles)
        whole = sorted(set().union(*groups.values()))
        self.longest = max(map(len, whole), default=0)
        self.shortest = min(map(len, whole), default=sys.maxsize)
        found = [(core, sorted(group)) for core, group in groups.items()]
        found.sort(key=lambda group: len(group[0]))
        self._each, self._tiers = _planned(found)
        self._beginnings: dict[bytes, list[bytes]] = {}
        for needle in whole:
            for length in (1, 2, 3):
                self._beginnings.setdefault(needle[:length], []).append(needle)
        self._begins = _begins(whole)
        self._short = 0
        self._any: re.Pattern[bytes] | None = None
        """Finds a core; there is none where not enough short texts were searched, or where there are many cores."""

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Start and end of each form, in no order."""
        found: list[tuple[int, int]] = []
        if len(data) <= _SHORT and self._lacks(data):
            return found
        _search(data, self._each, found)
        for step, anchors, groups in self._tiers:
            if _holds(data, step, anchors):
                _search(data, groups, found)
        return found

    def may_hold(self, data: bytes) -> bool:
        """Whether a form may be there; False is certain."""
        if len(data) <= _SHORT and self._lacks(data):
            return False
        for core, _ in self._each:
            if core in data:
                return True
        return any(_holds(data, step, anchors) for step, anchors, _ in self._tiers)

    def _lacks(self, data: bytes) -> bool:
        """Whether no core is in a short text, for certain."""
        if self._any is not None:
            return self._any.search(data) is None
        self._short += 1
        if self._short == _WORTH and len(self._each) <= _FEW and not self._tiers:
            self._any = re.compile(b"|".join([re.escape(core) for core, _ in self._each]) or b"(?!)")
        return False

    def hold(self, data: bytes) -> int:
        """The first index from which all of the rest is the beginning of a form; the length if there is none."""
        size = len(data)
        beginnings = self._beginnings
        for found in self._begins.finditer(data, max(0, size - self.longest + 1)):
            at = found.start()
            needles = beginnings.get(data[at : at + 3])
            if needles is not None:
                rest = data[at:]
                for needle in needles:
                    if needle.startswith(rest) and len(needle) > len(rest):
                        return at
        return size


_Tier: TypeAlias = tuple[int, frozenset[int], list[_Group]]


def _planned(groups: list[_Group]) -> tuple[list[_Group], list[_Tier]]:
    """Which cores, in order of their length, are looked for each by itself, and which by windows at what steps.

    Searching for one costs what its length lets the search leap over, looking at windows what their number is; all
    costs are in milliseconds for 4 MiB.
    """
    lengths = [len(core) for core, _ in groups]
    alone = [0.0]
    for length in lengths:
        alone.append(alone[-1] + 0.35 + min(4.0, 20.0 / length))
    best: tuple[float, list[tuple[int, int, int]]] = (alone[-1], [])
    for wide in _STEPS:
        begin = bisect_left(lengths, wide + _WINDOW - 1)
        if wide > _WINDOW and wide * (len(lengths) - begin) > _ANCHORS:
            continue
        cost = alone[begin] + 300.0 / wide
        best = min(best, (cost, [(wide, begin, len(lengths))]))
        for narrow in (step for step in _STEPS if step < wide):
            first = bisect_left(lengths, narrow + _WINDOW - 1)
            cost = alone[first] + 300.0 / narrow + 300.0 / wide
            if narrow == _WINDOW or narrow * (begin - first) <= _ANCHORS:
                best = min(best, (cost, [(narrow, first, begin), (wide, begin, len(lengths))]))
    tiers = [(step, _anchors(groups[begin:end], step), groups[begin:end]) for step, begin, end in best[1]]
    return groups[: best[1][0][1] if best[1] else None], tiers


def _anchors(groups: Iterable[_Group], step: int) -> frozenset[int]:
    return frozenset(int.from_bytes(core[at : at + _WINDOW], sys.byteorder) for core, _ in groups for at in range(step))


def _holds(data: bytes, step: int, anchors: frozenset[int]) -> bool:
    usable = len(data) // _WINDOW * _WINDOW
    return not anchors.isdisjoint(memoryview(data)[:usable].cast("Q")[:: step // _WINDOW])


def _shared(forms: Mapping[bytes, Iterable[bytes]]) -> dict[bytes, set[bytes]]:
    """The forms by fewer cores: one that stands in another stands for it."""
    found: dict[bytes, set[bytes]] = {}
    for core in sorted(forms, key=len):
        known = (one for one in found if len(one) >= _SHARED and one in core) if len(forms) <= _COMPARED else ()
        found.setdefault(next(iter(known), core), set()).update(forms[core])
    return found


def _begins(needles: Iterable[bytes]) -> re.Pattern[bytes]:
    """The first byte of a form with the second behind it, or the end."""
    behind: dict[bytes, set[bytes]] = {}
    for needle in needles:
        behind.setdefault(needle[:1], set()).add(needle[1:2])
    ways = [
        re.escape(first) + b"(?=[" + b"".join(map(re.escape, sorted(second))) + rb"]|\Z)"
        for first, second in sorted(behind.items())
    ]
    return re.compile(b"|".join(ways) if ways else b"(?!)", re.DOTALL)


def _search(data: bytes, groups: list[_Group], found: list[tuple[int, int]]) -> None:
    for core, needles in groups:
        if core in data:
            for needle in needles:
                at = data.find(needle)
                step = _period(needle) if at >= 0 else 0
                while at >= 0:
                    found.append((at, at + len(needle)))
                    at = data.find(needle, at + step)


def _period(needle: bytes) -> int:
    """How far apart two occurrences must be: the length, unless an end of it is also its beginning."""
    at = needle.find(needle[0], 1)
    while at >= 0:
        if needle.startswith(needle[at:]):
            return at
        at = needle.find(needle[0], at + 1)
    return len(needle)
