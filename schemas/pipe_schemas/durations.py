"""Durations and counts as people write them: `250ms`, `1h30m`, `200k`. Cheap to import: no pydantic here."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

WAIT_PATTERN: Final = (
    r"^(?=.)" + "".join(rf"([0-9]{{1,9}}(\.[0-9]{{1,9}})?{unit})?" for unit in ("d", "h", "m", "s", "ms")) + "$"
)
"""Of a duration that may be zero: units from large to small, each once."""
DURATION_PATTERN: Final = WAIT_PATTERN.replace("(?=.)", "(?=.*[1-9])")
SIZE_PATTERN: Final = r"^[0-9]{1,12}(\.[0-9]{1,6})?\s?(B|[kKMGT](i?B)?)?$"
COUNT_PATTERN: Final = r"^[0-9]{1,12}(\.[0-9]{1,6})?[kKM]?$"

_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", re.ASCII)
_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_ORDER: Final = ("d", "h", "m", "s", "ms")
_SIZE: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s?(?:([kKMGT])(i?)B?|B)?", re.ASCII)
_COUNT: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([kKM]?)", re.ASCII)
_POWERS: Final = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}

LONGEST: Final = 366 * 86400.0
"""Seconds in the longest duration that is accepted: a year."""


@lru_cache(maxsize=4096)
def parse_duration(text: str, *, zero: bool = False, longest: float = LONGEST) -> float:
    """Seconds of `250ms`, `90s`, `10m`, `1h30m` or `1d`; raises ValueError with a sentence for anything else."""
    seconds, at, last = 0.0, 0, -1
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError(_why_no_duration(text))
        rank = _ORDER.index(part[2])
        if rank <= last:
            raise ValueError(
                f"`{_short(text)}` is not a duration: units go from large to small, each once, as in `1h30m`"
            )
        seconds += float(part[1]) * _SECONDS[part[2]]
        at, last = part.end(), rank
    if last < 0:
        raise ValueError("a duration is empty; write for example `90s`, `10m` or `1h30m`")
    if seconds == 0 and not zero:
        raise ValueError("a duration must be longer than zero")
    if seconds > longest:
        raise ValueError(f"`{_short(text)}` is longer than a year")
    return round(seconds, 9)


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as that many seconds, to the millisecond."""
    rest = round(seconds * 1000)
    out = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            out += f"{count}{unit}"
    return out or "0s"


def parse_size(text: str) -> int:
    """Bytes of `16MiB`, `500kB`, `1GB`, `64M` (a letter alone is binary); raises ValueError with a sentence."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"`{_short(text)}` is not a size; write for example `500kB`, `16MiB` or `1GiB`")
    decimal = text.endswith("B") and not found[3]
    power = _POWERS.get(found[2] or "", 0)
    return int(float(found[1]) * (1000 if decimal else 1024) ** power)


def parse_count(text: str) -> int:
    """A count of things: `1500`, `200k`, `1.5M`; raises ValueError with a sentence."""
    found = _COUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"`{_short(text)}` is not a count; write for example `5000`, `200k` or `1.5M`")
    return int(float(found[1]) * 1000 ** _POWERS.get(found[2], 0))


def _why_no_duration(text: str) -> str:
    shown = _short(text)
    if "{{" in text:
        return f"`{shown}` is not a duration: a template can't stand here"
    if text.strip() != text or " " in text:
        return f"`{shown}` is not a duration: write it without spaces, as in `1h30m`"
    if re.search(r"[0-9]{10}", text):
        return f"`{shown}` is not a duration: a number in it has more than nine digits"
    if text.startswith("-"):
        return f"`{shown}` is not a duration: it can't be negative"
    if re.fullmatch(r"[0-9.]+", text):
        return f"`{shown}` has no unit; write `{shown}s`, `{shown}m` or `{shown}h`"
    word = re.fullmatch(
        r"([0-9.]+)(milliseconds?|millis?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[SMHD])", text, re.IGNORECASE
    )
    if word:
        unit = word[2].lower()
        mended = word[1] + ("ms" if unit.startswith("mil") else unit[0])
        return f"`{shown}` is not a duration; did you mean `{mended}`?"
    return f"`{shown}` is not a duration; write for example `250ms`, `90s`, `10m`, `1h30m` or `1d`"


def _short(text: str) -> str:
    text = text if len(text) <= 40 else text[:39] + "…"
    return "".join(c if c.isprintable() else "?" for c in text)
