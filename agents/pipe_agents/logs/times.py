"""Times as logs write them, to seconds since 1970. What a log leaves out, a year or a zone, is assumed and said."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
EARLIEST: Final = 946684800.0
"""2000-01-01: nothing before is taken for the time of an entry."""
AHEAD: Final = 86400.0
"""How far in the future a time may lie, in seconds."""
MOST_CACHED: Final = 100_000

EAST: Final = rb"[+-]\d\d:?\d\d|(?<! )[+-](?:0\d|1[0-4])(?![\d:.])|[+-](?:0\d|1[0-4])(?= \[\d)"
"""Offsets, also of hours only: these stand at the time, or before what PostgreSQL puts behind it."""
ISO: Final = re.compile(
    rb"(\d{4})[-/](\d\d)[-/](\d\d)[T ] ?(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?(Z|UTC|GMT|" + EAST + rb")?"
)
SYSLOG: Final = re.compile(rb"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: (\d{4}))?")
CLF: Final = re.compile(
    rb"(\d\d)[-/ ]([A-Z][a-z]{2})[-/ ](\d{4})[: ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?(?: ?([+-]\d{4}|Z|UTC|GMT))?"
)
KLOG: Final = re.compile(rb"[IWEF](\d\d)(\d\d) (\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?")
SHORT: Final = re.compile(rb"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d)(?::(\d\d))?")
"""Year, month, day, as log4j writes by default."""
EPOCH: Final = re.compile(rb"(\d{10})(?:\.(\d{1,9})|(\d{3})(\d{3})?(\d{3})?)?(?!\d)")


class Clockwork:
    """Reads the times of one file."""

    def __init__(self, zone: tzinfo, now: float, reference: float) -> None:
        self.zone = zone
        self._latest = now + AHEAD
        self._reference = min(reference, now) + AHEAD
        """What has no year is the last such day before this."""
        self.assumed_year = False
        self.assumed_zone = False
        self._known: dict[bytes, float | None] = {}

    def read(self, text: bytes) -> float | None:
        """Seconds since 1970 of a text that begins with a time; None where there is none, or it can't be true."""
        known = self._known.get(text, 0.0)
        if known != 0.0:
            return known
        if len(self._known) >= MOST_CACHED:
            self._known.clear()
        try:
            found = self._read(text)
        except (ValueError, OverflowError, OSError):
            found = None
        if found is not None and not EARLIEST <= found <= self._latest:
            found = None
        self._known[text] = found
        return found

    def forget(self) -> None:
        """Empty the cache."""
        self._known.clear()

    def exact(self, text: bytes) -> float | None:
        """The same for texts of which each is asked for once."""
        try:
            found = self._read(text)
        except (ValueError, OverflowError, OSError):
            return None
        return found if found is not None and EARLIEST <= found <= self._latest else None

    def _read(self, text: bytes) -> float | None:
        if found := ISO.match(text):
            year, month, day, hour, minute, second, part, zone = found.groups()
            return self._made(int(year), int(month), int(day), int(hour), int(minute), second, part, zone)
        if found := SYSLOG.match(text):
            name, day, hour, minute, second, part, year = found.groups()
            return (
                self._yearless(MONTHS[name], int(day), int(hour), int(minute), second, part, year)
                if name in MONTHS
                else None
            )
        if found := CLF.match(text):
            day, name, year, hour, minute, second, zone = found.groups()
            if name not in MONTHS:
                return None
            return self._made(int(year), MONTHS[name], int(day), int(hour), int(minute), second, None, zone)
        if found := KLOG.match(text):
            month, day, hour, minute, second, part = found.groups()
            return self._yearless(int(month), int(day), int(hour), int(minute), second, part, None)
        if found := SHORT.match(text):
            year, month, day, hour, minute, second = found.groups()
            return self._made(2000 + int(year), int(month), int(day), int(hour), int(minute), second, None, None)
        if found := EPOCH.match(text):
            part = found[2] or b"".join(piece for piece in found.groups()[2:] if piece)
            return int(found[1]) + (float(b"0." + part) if part else 0.0)
        return None

    def _yearless(
        self, month: int, day: int, hour: int, minute: int, second: bytes | None, part: bytes | None, year: bytes | None
    ) -> float | None:
        if year:
            return self._made(int(year), month, day, hour, minute, second, part, None)
        self.assumed_year = True
        last = datetime.fromtimestamp(self._reference, UTC).year + 1
        for guess in range(last, last - 10, -1):
            try:
                when = self._made(guess, month, day, hour, minute, second, part, None)
            except ValueError:  # the 29th of February
                continue
            if when <= self._reference:
                return when
        return None

    def _made(
        self,
        year: int,
        month: int,
        day: int,
        hour: int,
        minute: int,
        second: bytes | None,
        part: bytes | None,
        zone: bytes | None,
    ) -> float:
        seconds = min(int(second or 0), 59)
        rest = float(b"0." + part) if part else 0.0
        if zone:
            datetime(year, month, day, hour, minute, seconds)  # refuses what is no date
            return timegm((year, month, day, hour, minute, seconds, 0, 0, 0)) - offset(zone) + rest
        self.assumed_zone = True
        return datetime(year, month, day, hour, minute, seconds, tzinfo=self.zone).timestamp() + rest


def offset(zone: bytes) -> int:
    """Seconds east of UTC of `Z`, `+01:00`, `-0330`, `+05`."""
    if zone[:1] not in (b"+", b"-"):
        return 0
    seconds = int(zone[1:3]) * 3600 + (int(zone[-2:]) * 60 if len(zone) > 3 else 0)
    return -seconds if zone[:1] == b"-" else seconds


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """`local`, `UTC`, `Europe/Vienna`, `+02:00`; raises ValueError with a sentence."""
    if name == "local":
        return _local()
    if name in ("UTC", "Z"):
        return UTC
    if found := re.fullmatch(r"([+-])(\d\d):?(\d\d)", name):
        minutes = int(found[2]) * 60 + int(found[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except Exception:
        raise ValueError(
            f"`{name[:60]}` is no time zone that is known here; write `UTC`, `+02:00` or `Europe/Vienna`"
        ) from None


def _offset_at(when: float) -> int:
    """Seconds east of UTC of this machine's zone."""
    import time

    return time.localtime(when).tm_gmtoff


def _local() -> tzinfo:
    """The zone of this machine, with its summer time."""
    return _Local()


class _Local(tzinfo):
    """Asks the system, so that each time has the offset of its day."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        """Of an hour that comes twice that of its first time, whatever was asked before."""
        if when is None:
            return timedelta(0)
        wall = timegm(when.timetuple())
        near = [_offset_at(wall - 86400), _offset_at(wall + 86400)]
        return timedelta(
            seconds=next((one for one in sorted(near, reverse=True) if _offset_at(wall - one) == one), near[0])
        )

    def dst(self, when: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        return "local"


def turned_back(zone: tzinfo, start: float, end: float) -> float:
    """Seconds by which clocks of the zone were set back between an hour before `start` and `end`.

    What was written in the hour that came twice counts as of its first time.
    """
    if isinstance(zone, _Local):
        return max(0.0, _offset_at(start - 3600) - _offset_at(end))
    before, after = (datetime.fromtimestamp(when, zone).utcoffset() for when in (start - 3600, end))
    return max(0.0, ((before or timedelta(0)) - (after or timedelta(0))).total_seconds())


def moment(text: str, now: float, zone: tzinfo) -> float:
    """`since` and `until`: a duration before now, or a time; raises ValueError with a sentence."""
    from pipe_schemas.durations import parse_duration

    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"`{text[:60]}` is neither a duration, as `2h`, nor a time, as `2026-03-01T12:00:00Z`"
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()


def iso(seconds: float | None, exact: bool = True) -> str | None:
    """RFC 3339 in UTC; to the second, or to the minute's beginning where only that is known."""
    if seconds is None:
        return None
    if not exact:
        seconds = seconds // 60 * 60
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
