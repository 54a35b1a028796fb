"""How long a service asks to wait, in whichever of its many ways it says so."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

_GO: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?\Z")
_UNIT: Final = r"(?:ms|milliseconds?|d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)"
_COUNT: Final = r"\d{1,15}(?:\.\d{1,15})?"
_PART: Final = re.compile(rf"({_COUNT}) ?({_UNIT})", re.IGNORECASE)
_SAID: Final = re.compile(
    r"(?:try again|retry|wait)(?: again)?(?: in| after)? (?:about )?"
    rf"(?:({_COUNT} ?{_UNIT}(?:(?:,? and |,? )?{_COUNT} ?{_UNIT}){{0,5}})|({_COUNT}))\b",
    re.IGNORECASE,
)
_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_EPOCH: Final = 1e9
"""From here on a number of seconds is a point in time."""


def retry_after(headers: Mapping[str, str], text: str = "", now: float | None = None) -> float | None:
    """Seconds, never negative; None where the service says nothing of it. `headers` finds names in any case.

    `text` is the service's sentence, which is read where no header says it. `now`: seconds since 1970.
    """
    if now is None:
        now = _date(headers.get("Date", "")) or time.time()
    for name in ("retry-after-ms", "x-ms-retry-after-ms", "retry-after"):
        value = headers.get(name, "")
        seconds = _number(value, 0.001) if name.endswith("ms") else _moment(value, now)
        if seconds is not None:
            return max(seconds, 0.0)
    resets = _resets(headers, now)
    if resets:
        return max(*resets, 0.0)
    return _spoken(text)


def _resets(headers: Mapping[str, str], now: float) -> list[float]:
    """Of the limits that are used up, or of all where none is said to be: when each begins anew."""
    found: list[tuple[bool, float]] = []
    for kind in ("-requests", "-tokens", ""):
        for prefix in ("x-ratelimit", "ratelimit"):
            value = headers.get(f"{prefix}-reset{kind}")
            seconds = None if value is None else _moment(value, now)
            if seconds is not None:
                found.append((_number(headers.get(f"{prefix}-remaining{kind}", ""), 1.0) == 0, seconds))
    used_up = [seconds for used, seconds in found if used]
    return used_up or [seconds for _, seconds in found]


def _moment(value: str, now: float) -> float | None:
    seconds = _number(value, 1.0)
    if seconds is None:
        seconds = _go(value)
    if seconds is None:
        moment = _date(value)
        return None if moment is None else moment - now
    if seconds >= _EPOCH * 1000:
        return seconds / 1000 - now
    return seconds - now if seconds >= _EPOCH else seconds


def _number(value: str, scale: float) -> float | None:
    if not re.fullmatch(r"\s*[+-]?\d{1,15}(\.\d{1,15})?\s*", value, re.ASCII):
        return None
    number = float(value) * scale
    return number if math.isfinite(number) else None


def _go(value: str) -> float | None:
    """`6m0s`, `1.2s`, `120ms`, `1h2m3s`."""
    value = value.strip()
    match = _GO.match(value) if value and len(value) < 60 else None
    if match is None:
        return None
    hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _date(value: str) -> float | None:
    """A date of HTTP, or one of RFC 3339."""
    if ":" not in value or len(value) > 60:
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment: Any = read(value.strip())
            return float((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _spoken(text: str) -> float | None:
    """`try again in 1m30.5s`, `wait 7.2 hours`, `retry after 6`."""
    match = _SAID.search(text[:2000])
    if match is None:
        return None
    if match[1] is None:
        return float(match[2])
    return sum(float(number) * _in_seconds(unit.lower()) for number, unit in _PART.findall(match[1]))


def _in_seconds(unit: str) -> float:
    return 0.001 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]
