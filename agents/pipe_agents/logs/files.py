"""One file while it is read: its format, its times, and what of it lies in the window that was asked for."""

from __future__ import annotations

import re
from collections import Counter
from datetime import tzinfo
from typing import Final, NamedTuple

from pipe_agents.logs.access import DIGITS
from pipe_agents.logs.entries import SYSLOG_LEVELS
from pipe_agents.logs.formats import MESSAGE_KEYS, Detected, detect, parsed, sample_of
from pipe_agents.logs.locating import ZONE, Locator, anywhere, locate, priority
from pipe_agents.logs.mining import HEXES
from pipe_agents.logs.series import MINUTE, Series
from pipe_agents.logs.times import Clockwork

MOST_MOMENTS: Final = 100_000
BACKWARDS: Final = 120.0
"""Seconds by which a time must lie before the one above it to be called out of order."""


class Window(NamedTuple):
    """The time that was asked for, in seconds since 1970."""

    since: float | None
    until: float | None


class Reader:
    """What is known of one file; lines are given in pieces, in order."""

    def __init__(self, path: str, number: int, log: str, window: Window) -> None:
        self.path, self.number, self.log = path, number, log
        self.lines = self.joined = self.blank = self.outside = self.untimed = 0
        self.bytes = 0
        self.compressed = "none"
        self.skipped_before = 0
        self.skipped_after: int | None = 0
        """Bytes that were not read; None: nobody knows how many."""
        self.cut_before = self.cut_after = False
        """Whether there is more of what was asked for, before or after what was read."""
        self.backwards = 0
        self.crowded = False
        self.ends_joined = False
        self.held: bytes | None = None
        """A line that is counted together with the piece after it."""
        self.series = Series(1024)
        self.cut_lines = 0
        self.window = window
        self.shape_name = ""
        self._keep_last = True
        self._moments: dict[bytes, tuple[float | None, int | None]] = {}
        self._before: float | None = None
        self._marks: tuple[bytes, bytes] | None = None
        self.detected: Detected = detect(())
        self.format = self.detected.format
        self.locator = Locator()
        self.clock: Clockwork | None = None

    def begin(self, piece: bytes, asked: str, zone: tzinfo, now: float, modified: float) -> None:
        """Find out the format and the times from the first piece."""
        sample = sample_of(piece)
        self.detected = detect(sample, asked)
        self.format = self.detected.format
        self.locator = locate(self.format, sample)
        self.clock = Clockwork(zone, now, modified)
        self.shape_name = self.format.name
        if self.format.name == "json":
            self._marks = _message_marks(sample)
            if self._marks is not None:
                self.shape_name = f"json {self._marks!r}"

    def done(self) -> None:
        """Let go what only reading needs."""
        self._moments.clear()
        if self.clock is not None:
            self.clock.forget()

    @property
    def timed(self) -> bool:
        return self.locator.timed

    def keys(self, lines: list[bytes]) -> list[bytes]:
        """For each line the text of its minute; lines of another format get theirs where they begin with a time."""
        if not self.locator.timed:
            return [b""] * len(lines)
        keys = self.locator.keys(lines)
        ends = {self.locator.zone_in(line) for line in (lines[0], lines[-1])} - {None, self.locator.zone}
        if ends:
            keys = self.locator.with_zones(lines, keys)
        bad = {key for key in set(keys) if self.moment(key)[0] is None}
        if bad:
            for at, key in enumerate(keys):
                if key in bad:
                    keys[at] = self._elsewhere(lines[at])
        return keys

    def _elsewhere(self, line: bytes) -> bytes:
        """The key of a line that has its time at another place than most."""
        if "time" in self.format.head.groupindex and (found := self.format.head.match(line[:4096])):
            text, width = found["time"] or b"", self.locator.width
            zone = ZONE.match(text, width)
            return text[:width] + (zone[1] if zone else b"")
        return anywhere(line)

    def moment(self, key: bytes) -> tuple[float | None, int | None]:
        """A key's minute in seconds since 1970, and the level that it says, if it does."""
        found = self._moments.get(key)
        if found is None:
            if len(self._moments) >= MOST_MOMENTS:
                self._moments.clear()
            text, severity = priority(key)
            found = (self._time(text), None if severity is None else SYSLOG_LEVELS[severity])
            self._moments[key] = found
        return found

    def _time(self, text: bytes) -> float | None:
        if not text or self.clock is None:
            return None
        when = self.clock.read(text + self.locator.zone) if text[-1:].isdigit() else self.clock.read(text)
        return None if when is None else when // MINUTE * MINUTE

    def exact(self, line: bytes) -> float | None:
        """The line's time with its seconds."""
        return None if self.clock is None else self.clock.exact(self.locator.text(line))

    def order(self, keys: list[bytes]) -> None:
        """Count how often the times jump back."""
        before = self._before
        for key in dict.fromkeys(keys):
            when = self.moment(key)[0]
            if when is None:
                continue
            if before is not None and when < before - BACKWARDS:
                self.backwards += 1
            before = when
        self._before = before

    def inside(self, lines: list[bytes], keys: list[bytes]) -> list[bool] | None:
        """Which lines lie in the window; None: all. A line without a time goes with the one before it."""
        since, until = self.window
        if (since is None and until is None) or not self.locator.timed:
            return None
        low, high = since if since is not None else 0.0, until if until is not None else float("inf")
        moments = [self.moment(key)[0] for key in dict.fromkeys(keys)]
        if self._keep_last and all(when is not None and low <= when and when + MINUTE <= high for when in moments):
            return None
        keep, last = [], self._keep_last
        for line, key in zip(lines, keys, strict=True):
            when = self.moment(key)[0]
            if when is not None:
                if when + MINUTE <= low or when >= high:
                    last = False
                elif low <= when and when + MINUTE <= high:
                    last = True
                else:
                    exact = self.exact(line)
                    last = low <= (when if exact is None else exact) < high
            keep.append(last)
        self._keep_last = last
        return keep

    def messages(self, piece: bytes, lines: list[bytes], mixed: bool = False) -> list[bytes] | None:
        """Of JSON lines, what their message and level say, for grouping; None where that isn't known.

        Unless they are `mixed`, each has one of both.
        """
        if self._marks is None:
            return None
        message, level = self._marks
        size, level_size = len(message), len(level)
        causes = any(mark in piece for mark in _CAUSES)
        mixed = mixed or not piece.count(message) == (piece.count(level) if level else len(lines)) == len(lines)
        made = []
        for line in lines:
            at, place = line.find(message), line.find(level) if level_size else -1
            if mixed:
                if (
                    at < 0
                    or line.find(message, at + size) >= 0
                    or (place >= 0 and line.find(level, place + level_size) >= 0)
                ):
                    made.append(self._several(line, message, level))
                    continue
            elif at < 0 or (place < 0 and level_size):  # so another line has two of them
                return self.messages(piece, lines, mixed=True)
            at += size
            end = line.find(b'"', at)
            if end > at and line[end - 1] == BACKSLASH and (found := _TEXT.match(line, at)):
                end = found.end()
            text = line[at:end].translate(None, DIGITS)
            if end > at and line[at] == BRACE:
                text = self._bare(line[at:end])
            elif causes and (b'"err' in line or b'"exception"' in line):
                text += _cause_in(line).translate(None, DIGITS)
            if place >= 0:
                place += level_size
                text = line[place : place + 5] + text
            made.append(text)
        return made

    def _several(self, line: bytes, message: bytes, level: bytes) -> bytes:
        """Of a line with none or more than one of them: objects inside it have their own, which may stand first."""
        texts = re.findall(re.escape(message) + rb'((?:[^"\\]++|\\.)*+)', line)
        if not texts:
            return self._bare(line)
        levels = re.findall(re.escape(level) + rb"(.{1,5})", line) if level else ()
        return b"".join(levels) + self._bare(b'"'.join([*texts, _cause_in(line)]))

    def _bare(self, text: bytes) -> bytes:
        """Without digits, and in a crowd without what mostly makes each line another."""
        text = levelled(text)
        return (HEXES.sub(b"#", text) if self.crowded else text).translate(None, DIGITS)


BACKSLASH, BRACE = b"\\{"
_TEXT: Final = re.compile(rb'(?:[^"\\]++|\\.)*+')
_NUMBERED: Final = re.compile(rb'((?:level|lvl|severity|PRIORITY)\\{0,7}" ?: ?(?:\\{0,7}")?)(\d)')
_CAUSES: Final = (b'"err":', b'"error":', b'"error.message":', b'"exception":')
"""One of them stands in each line that says the cause of an error."""
_CAUSE: Final = re.compile(
    rb'"(?:err(?:or(?:\.message)?)?|exception)": ?(?:\{[^{}]{0,200}?"(?:message|msg)" ?: ?)?"((?:[^"\\]++|\\.)*+)'
)
_CAUSE_KEY: Final = re.compile(rb'"(?:err(?:or(?:\.message)?)?|exception)": ?(?:\{(?! ?\})|")')


def _cause_in(line: bytes) -> bytes:
    """What an error beside the message says; where that isn't found, all that follows its key."""
    if found := _CAUSE.search(line):
        return found[1][:300]
    return line[found.end() :] if (found := _CAUSE_KEY.search(line)) else b""


def levelled(text: bytes) -> bytes:
    """Levels that JSON says by numbers as letters: so lines of different ones differ without their digits, too."""
    return _NUMBERED.sub(lambda found: found[1] + b"ABCDEFGHIJ"[found[2][0] - 48 :][:1], text)


def _message_marks(sample: list[bytes]) -> tuple[bytes, bytes] | None:
    """What stands before the message's text and before the level's value in most JSON lines that say one."""
    from pipe_agents.logs.entries import NONE, level_in
    from pipe_agents.logs.formats import LEVEL_KEYS

    rows = [(line, value) for line in sample if isinstance(value := parsed(line), dict)]
    for key in MESSAGE_KEYS:
        for mark in (b'"%b":"' % key.encode(), b'"%b": "' % key.encode()):
            if sum(mark in line for line, value in rows if isinstance(value.get(key), str)) * 2 > len(rows):
                levels = Counter(
                    level
                    for line, value in rows
                    for name in LEVEL_KEYS
                    if (level := b'"%b":' % name.encode()) in line and level_in(value, name) != NONE
                )
                return mark, max(levels, key=lambda level: levels[level], default=b"")
    return None
