"""Searches bytes for many forms of secrets at once: first for the few cores of which each form contains one."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from pipe_runner.secret_forms import LONG_CORE, LONGEST, Edges, Forms, united

_WINDOW: Final = 8
"""Bytes that are looked at together, as one number."""
_STEPS: Final = (8, 16, 24, 32, 48, 64)
"""Bytes from one window to the next. A core that is a step and seven bytes long covers one wherever it stands."""
_FAR: Final = 20_000
"""Windows of cores that may be looked for at steps of more than eight bytes."""
_MOST: Final = 200_000
"""Windows of cores beyond which the text's windows overlap: so many take 15 MB."""
_COMPARED: Final = 80
"""Cores of one secret up to which this is looked for."""

_SHORT: Final = 512
"""Bytes up to which a text is searched for all cores in one go: a fifth of the time there, in longer ones more."""
_FEW: Final = 32
"""Cores up to which this is so."""
_WORTH: Final = 100
"""Short texts after which making such a search is worth its time."""

_Group: TypeAlias = tuple[bytes, ...]
"""A core, and behind it the forms that contain it."""


class Needles:
    """Forms to search for, and how."""

    def __init__(self, secrets: Iterable[Forms]) -> None:
        groups: dict[bytes, list[bytes]] = {}
        self._edges: dict[bytes, Edges] = {}
        for forms in secrets:
            for core, needles in _shared(forms.by_core).items():
                groups.setdefault(core, []).extend(needles)
            for core, edges in forms.edges.items():
                self._edges[core] = united(self._edges[core], edges) if core in self._edges else edges
        found: list[_Group] = [(core, *sorted(set(group))) for core, group in groups.items()]
        del groups
        found.sort(key=lambda group: len(group[0]))
        self._whole = sorted({needle for group in found for needle in group[1:]})
        kinds = set(self._edges.values())
        self._sizes = frozenset(map(len, self._edges))
        self._before = frozenset(byte for edges in kinds for byte in edges.before)
        self._behind = max((len(text) for edges in kinds for text in edges.behind), default=0)
        self.longest = max(map(len, self._whole), default=0) + bool(self._before) + self._behind
        self.shortest = min(map(len, self._whole), default=sys.maxsize)
        self._each, self._tiers = _planned(found)
        self._beginnings = frozenset(needle[:3] for needle in self._whole)
        self._begins = _begins(self._whole, self._edges)
        self._short = 0
        self._any: re.Pattern[bytes] | None = None
        """Finds a core; there is none where not enough short texts were searched, or where there are many cores."""

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Start and end of each form, in no order."""
        found: list[tuple[int, int]] = []
        if len(data) <= _SHORT and self._lacks(data):
            return found
        self._search(data, self._each, found)
        for tier in self._tiers:
            self._search(data, tier.held(data), found)
        return found

    def _search(self, data: bytes, groups: Iterable[_Group], found: list[tuple[int, int]]) -> None:
        for core, *needles in groups:
            first = data.find(core)
            if first >= 0:
                first, last = max(0, first - LONGEST), data.rfind(core) + LONGEST
                for needle in needles:
                    at = data.find(needle, first, last)
                    if at < 0:
                        continue
                    size, step, edges = len(needle), _period(needle), self._edges.get(needle)
                    while at >= 0:
                        stretch = (at, at + size)
                        found.append(stretch if edges is None else _widened(data, stretch, edges))
                        at = data.find(needle, at + step, last)

    def may_hold(self, data: bytes) -> bool:
        """Whether a form may be there; False is certain."""
        if len(data) <= _SHORT and self._lacks(data):
            return False
        return any(group[0] in data for group in self._each) or any(tier.held(data) for tier in self._tiers)

    def _lacks(self, data: bytes) -> bool:
        """Whether no core is in a short text, for certain."""
        if self._any is not None:
            return self._any.search(data) is None
        self._short += 1
        if self._short == _WORTH and len(self._each) <= _FEW and not self._tiers:
            self._any = re.compile(b"|".join([re.escape(group[0]) for group in self._each]) or b"(?!)")
        return False

    def hold(self, data: bytes) -> int:
        """The first index from which all of the rest is the beginning of a form; the length if there is none."""
        size = len(data)
        beginnings, before = self._beginnings, self._before
        for found in self._begins.finditer(data, max(0, size - self.longest + 1)):
            at = found.start()
            if size - at < 4 or data[at : at + 3] in beginnings or data[at + 1 : at + 4] in beginnings:
                rest = data[at:]
                if self._goes_on(rest) or (rest[0] in before and (size == at + 1 or self._goes_on(rest[1:]))):
                    return at
        return size

    def _goes_on(self, rest: bytes) -> bool:
        """Whether a form begins with these bytes and has more, be it only what may stand behind it."""
        at = bisect_right(self._whole, rest)
        if at < len(self._whole) and self._whole[at].startswith(rest):
            return True
        for length in range(len(rest), len(rest) - self._behind, -1):
            if length not in self._sizes:
                continue
            edges, more = self._edges.get(rest[:length]), rest[length:]
            if edges is not None and any(text != more and text.startswith(more) for text in edges.behind):
                return True
        return False


class _Tier:
    """Cores that are looked for together, by their windows: a step apart in the text, all that may be met of a core."""

    def __init__(self, step: int, groups: list[_Group]) -> None:
        self._step = step
        self._cores: dict[int, _Group] = {}
        self._others: dict[int, list[_Group]] = {}
        """Further cores with the same window."""
        for group in groups:
            for at in range(step):
                window = int.from_bytes(group[0][at : at + _WINDOW], sys.byteorder)
                if self._cores.setdefault(window, group) is not group:
                    self._others.setdefault(window, []).append(group)

    def held(self, data: bytes) -> list[_Group]:
        """The cores that may be in a text."""
        found: dict[bytes, _Group] = {}
        for begin in range(0, _WINDOW, min(self._step, _WINDOW)):
            usable = max(0, len(data) - begin) // _WINDOW * _WINDOW
            windows = memoryview(data)[begin : begin + usable].cast("Q")[:: max(1, self._step // _WINDOW)]
            if not self._cores.keys().isdisjoint(windows):
                for window in self._cores.keys() & windows:
                    for group in (self._cores[window], *self._others.get(window, ())):
                        found[group[0]] = group
        return list(found.values())


def _planned(groups: list[_Group]) -> tuple[list[_Group], list[_Tier]]:
    """Which cores, in order of their length, are looked for each by itself, and which by windows at what steps.

    Searching for one costs what its length lets the search leap over, looking at windows what their number is; all
    costs are in milliseconds for 4 MiB.
    """
    lengths = [len(group[0]) for group in groups]
    alone = [0.0]
    for length in lengths:
        alone.append(alone[-1] + 0.35 + min(4.0, 20.0 / length))
    best: tuple[float, list[tuple[int, int, int]]] = (alone[-1], [])
    for wide in _STEPS:
        begin = bisect_left(lengths, wide + _WINDOW - 1)
        if wide > _WINDOW and wide * (len(lengths) - begin) > _FAR:
            continue
        cost = alone[begin] + 300.0 / wide
        best = min(best, (cost, [(wide, begin, len(lengths))]))
        for narrow in (step for step in _STEPS if step < wide):
            first = bisect_left(lengths, narrow + _WINDOW - 1)
            cost = alone[first] + 300.0 / narrow + 300.0 / wide
            if narrow == _WINDOW or narrow * (begin - first) <= _FAR:
                best = min(best, (cost, [(narrow, first, begin), (wide, begin, len(lengths))]))
    tiers = []
    for step, begin, end in best[1]:
        while step > 1 and step * (end - begin) > _MOST:
            step //= 2
        tiers.append(_Tier(step, groups[begin:end]))
    return groups[: best[1][0][1] if best[1] else None], tiers


def _shared(forms: dict[bytes, set[bytes]]) -> dict[bytes, set[bytes]]:
    """The forms by fewer cores: one that stands in another stands for it."""
    if len(forms) > _COMPARED:
        return forms
    found: dict[bytes, set[bytes]] = {}
    for core in sorted(forms, key=len):
        known = next((one for one in found if len(one) >= LONG_CORE and one in core), core)
        found.setdefault(known, set()).update(forms[core])
    return found


def _begins(needles: Iterable[bytes], edges: Mapping[bytes, Edges]) -> re.Pattern[bytes]:
    """The first byte of a form, or of what may stand before it, with the second behind it, or the end."""
    behind: dict[int, set[bytes]] = {}
    for needle in needles:
        behind.setdefault(needle[0], set()).add(needle[1:2])
    for before, second in {(edge.before, core[:1]) for core, edge in edges.items()}:
        for byte in before:
            behind.setdefault(byte, set()).add(second)
    ways = [
        re.escape(bytes([first])) + b"(?=[" + b"".join(map(re.escape, sorted(second))) + rb"]|\Z)"
        for first, second in sorted(behind.items())
    ]
    return re.compile(b"|".join(ways) if ways else b"(?!)", re.DOTALL)


def _widened(data: bytes, stretch: tuple[int, int], edges: Edges) -> tuple[int, int]:
    at, end = stretch
    behind = next((text for text in edges.behind if data.startswith(text, end)), b"")
    return at - (at > 0 and data[at - 1] in edges.before), end + len(behind)


def _period(needle: bytes) -> int:
    """How far apart two occurrences must be: the length, unless an end of it is also its beginning."""
    at = needle.find(needle[0], 1)
    while at >= 0:
        if needle.startswith(needle[at:]):
            return at
        at = needle.find(needle[0], at + 1)
    return len(needle)
