"""Which part is read of a file that is larger than what may be read of it: the newest of the time asked for."""

from __future__ import annotations

from datetime import tzinfo
from itertools import pairwise
from typing import Any, Final, NamedTuple

from pipe_agents.logs.files import BACKWARDS, Window
from pipe_agents.logs.formats import detect, sample_of
from pipe_agents.logs.locating import locate
from pipe_agents.logs.times import Clockwork

STEP: Final = 1 << 20
"""To how many bytes a place is looked for."""
LOOK: Final = 1 << 16
"""How far a line with a time may lie from where it is looked for."""
PROBES: Final = 33
"""At how many places the times must grow."""
MOST_STEPS: Final = 64


class Part(NamedTuple):
    """A piece of a file, from the beginning of a line to the end of one."""

    start: int
    end: int
    cut: bool
    """Whether there is more before it of what was asked for."""


class Times:
    """The times that a file has at its places."""

    def __init__(self, raw: Any, size: int, asked: str, zone: tzinfo, now: float, modified: float) -> None:
        self._raw, self._size = raw, size
        lines = sample_of(self._read(max(size - LOOK, 0)))
        self._locator = locate(detect(lines, asked).format, lines)
        self._clock = Clockwork(zone, now, modified)

    @property
    def there(self) -> bool:
        return self._locator.timed

    def at(self, place: int) -> tuple[int, float] | None:
        """The first line with a time that begins there or after, and its time; None where none is near."""
        block = self._read(max(place - 1, 0))
        begin = 0 if place == 0 else block.find(b"\n") + 1
        if place and not begin:
            return None
        while begin < len(block):
            end = block.find(b"\n", begin)
            line = block[begin : len(block) if end < 0 else end]
            when = self._clock.exact(self._locator.text(line))
            if when is not None:
                return max(place - 1, 0) + begin, when
            if end < 0:
                break
            begin = end + 1
        return None

    def grow(self) -> bool:
        """Whether the times do, at as many places as are looked at."""
        last = max(self._size - LOOK, 0)
        found = [self.at(last * number // (PROBES - 1)) for number in range(PROBES)]
        times = [one[1] for one in found if one is not None]
        return len(times) == PROBES and all(later >= sooner - BACKWARDS for sooner, later in pairwise(times))

    def place(self, when: float, after: bool) -> int | None:
        """Where a line begins that is the last one known to be before that time, or the first known to be after it.

        None where the times there are in no order.
        """
        low, high = 0, self._size
        earliest, latest = 0.0, float("inf")
        first = self.at(0)
        if first is None or first[1] >= when:
            return 0 if first is not None else None
        for _ in range(MOST_STEPS):
            if high - low <= STEP:
                break
            middle = (low + high) // 2
            found = self.at(middle)
            if found is None or not earliest - BACKWARDS <= found[1] <= latest + BACKWARDS:
                return None if middle < self._size - LOOK else (high if after else low)
            if found[0] >= high:
                break
            if found[1] < when:
                low, earliest = found
            else:
                high, latest = found
        return high if after else low

    def _read(self, place: int) -> bytes:
        self._raw.seek(place)
        data: bytes = self._raw.read(min(LOOK, self._size - place))
        return data


def newest(times: Times, size: int, most: int, window: Window) -> Part:
    """The part of at most so many bytes. Where times grow, it ends with `until` and begins with `since`."""
    begin, end = 0, size
    if window != Window(None, None) and times.there and times.grow():
        since = None if window.since is None else times.place(window.since - BACKWARDS, False)
        until = None if window.until is None else times.place(window.until + BACKWARDS, True)
        begin, end = since or 0, size if until is None else until
        end = max(begin, end)
    start = max(begin, end - most)
    return Part(start, end, start > begin)
