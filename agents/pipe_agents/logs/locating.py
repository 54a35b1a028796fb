"""Where the lines of a file say their time, found out from a sample, so that it can be cut out of millions of lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from pipe_agents.logs.formats import TIME_KEYS, Format, parsed
from pipe_agents.logs.times import CLF, EAST, EPOCH, ISO, KLOG, SHORT, SYSLOG

ZONE: Final = re.compile(rb"(?::\d\d(?:[.,]\d{1,9})?)? ?(Z|UTC|GMT|" + EAST + rb")")
_WIDTHS: Final = ((ISO, 16), (SYSLOG, 12), (CLF, 17), (KLOG, 11), (SHORT, 14), (EPOCH, 10))
_PRI: Final = re.compile(rb"<(\d{1,3})>(?:1 )?")
_ANYWHERE: Final = re.compile(
    rb"(?:<\d{1,3}>(?:1 )?)?[\[(]?(?:[A-Z][a-z]{2} (?=[A-Z][a-z]{2} [ \d]\d \d\d:))?"
    rb"(\d{4}[-/]\d\d[-/]\d\d[T ] ?\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d"
    rb"|\d\d[-/][A-Z][a-z]{2}[-/]\d{4}[: ]\d\d:\d\d|[IWEF]\d{4} \d\d:\d\d)"
)


class Locator:
    """Cuts from each line the text that says its minute (its second for numbers): the line's key.

    A key may begin with a syslog priority, `<34>`.
    """

    def __init__(self, width: int = 0, at: int = 0, mark: bytes = b"", zone: bytes = b"", kind: str = "none") -> None:
        self.width, self.place, self.mark, self.zone, self.kind = width, at, mark, zone, kind

    @property
    def timed(self) -> bool:
        return self.kind != "none"

    def keys(self, lines: list[bytes]) -> list[bytes]:
        width, at = self.width, self.place
        if self.kind == "fixed":
            end = at + width
            return [line[at:end] for line in lines]
        if self.kind == "after":
            mark, size = self.mark, len(self.mark)
            return [b"" if (at := line.find(mark)) < 0 else line[at + size : at + size + width] for line in lines]
        if self.kind == "pri":
            return [line[: line.find(b":", 0, 40) + 3] for line in lines]
        if self.kind == "dated":  # `Fri Nov 28 17:52:40.123456 2026`
            return [line[5:17] + line[at : at + 5] for line in lines]
        return [b""] * len(lines)

    def text(self, line: bytes) -> bytes:
        """What a line has where its time begins: all of the time and more."""
        if self.kind == "after":
            at = line.find(self.mark)
            return b"" if at < 0 else line[at + len(self.mark) :][:40]
        if self.kind == "pri":
            at = line.find(b":", 0, 40) + 3 - self.width
            return line[max(at, 0) :][:40]
        if self.kind == "dated":
            return line[5:40]
        return line[self.place : self.place + 40] if self.timed else b""

    def zone_in(self, line: bytes) -> bytes | None:
        """The zone that a line's time has; None where it has no time at that place."""
        if self.kind == "after":
            at = line.find(self.mark)
            if at < 0:
                return None
            at += len(self.mark)
        elif self.kind == "pri":
            at = line.find(b":", 0, 40) + 3 - self.width
        else:
            at = self.place
        if not any(pattern.match(line, at) for pattern, _ in _WIDTHS):
            return None
        found = ZONE.match(line, at + self.width)
        return found[1] if found else b""

    def with_zones(self, lines: list[bytes], keys: list[bytes]) -> list[bytes]:
        """The keys with the zone of each line, for files in which it changes."""
        return [key + (self.zone_in(line) or b"") for line, key in zip(lines, keys, strict=True)]


def anywhere(line: bytes) -> bytes:
    """A key for a line that isn't of the file's format; empty where it begins with no time that is known."""
    found = _ANYWHERE.match(line)
    if found is None:
        return b""
    zone = ZONE.match(line, found.end())
    return found[1] + (zone[1] if zone else b"")


def priority(key: bytes) -> tuple[bytes, int | None]:
    """A key without its priority, and the priority's severity, 0 to 7."""
    found = _PRI.match(key)
    return (key, None) if found is None else (key[found.end() :], int(found[1]) & 7)


def locate(one: Format, lines: Sequence[bytes]) -> Locator:
    """Where lines of that format have their time, by a sample of them."""
    if one.name == "json":
        return _in_json(lines)
    if one.name == "logfmt":
        return _in_logfmt(lines)
    if "time" not in one.head.groupindex:
        return Locator()
    heads = [one.head.match(line[:4096]) for line in lines]
    matches = [found for found in heads if found and found["time"] and len(found["time"]) > 1]
    if not matches:
        return Locator()
    sample = matches[0]["time"]
    if one.name == "apache_error":
        at = matches[0].end("time") - 5
        return Locator(12, at, kind="dated")
    width = next((width for pattern, width in _WIDTHS if pattern.match(sample)), 0)
    zone = _most(ZONE.match(found["time"], width) for found in matches)
    if one.name == "access":
        return Locator(width, 0, b"[", zone, "after")
    if one.name == "rfc5424" or sum(found.groupdict().get("pri") is not None for found in matches) * 2 > len(matches):
        return Locator(width, 0, b"", zone, "pri")
    places = Counter(found.start("time") for found in matches)
    return Locator(width, min(places, key=lambda place: (-places[place], place)), b"", zone, "fixed")


def _most(found: Any) -> bytes:
    zones = Counter(one[1] if one else b"" for one in found)
    return min(zones, key=lambda zone: (-zones[zone], zone), default=b"")


def _in_json(lines: Sequence[bytes]) -> Locator:
    rows = [(line, value) for line in lines if isinstance(value := parsed(line), dict)]
    for key in TIME_KEYS:
        having = [(line, value[key]) for line, value in rows if isinstance(value.get(key), str | int | float | dict)]
        if len(having) * 2 <= len(rows) or not rows:
            continue
        marks = Counter(mark for line, value in having if (mark := _mark(line, key, value)))
        if not marks:
            continue
        mark = min(marks, key=lambda mark: (-marks[mark], mark))
        texts = [line[line.find(mark) + len(mark) :][:40] for line, _ in having if mark in line]
        width = next((width for pattern, width in _WIDTHS if pattern.match(texts[0])), 0)
        if width:
            return Locator(width, 0, mark, _most(ZONE.match(text, width) for text in texts), "after")
    return Locator()


def _mark(line: bytes, key: str, value: Any) -> bytes | None:
    quote = rb'"' if isinstance(value, str) else rb"\{ ?\"\$date\" ?: ?\"" if isinstance(value, dict) else rb""
    found = re.search(rb'"' + re.escape(key.encode()) + rb'" ?: ?' + quote, line)
    return found[0] if found else None


def _in_logfmt(lines: Sequence[bytes]) -> Locator:
    marks = Counter(
        found[0] for line in lines if (found := re.search(rb"(?:^|(?<= ))(?:time|ts|timestamp|t)=\"?", line))
    )
    if not marks:
        return Locator()
    mark = min(marks, key=lambda mark: (-marks[mark], mark))
    texts = [line[line.find(mark) + len(mark) :][:40] for line in lines if mark in line]
    width = next((width for pattern, width in _WIDTHS if pattern.match(texts[0])), 0)
    return Locator(width, 0, mark, _most(ZONE.match(text, width) for text in texts), "after") if width else Locator()
