"""Times that a task names: how far back they go, as a duration before now; such as aren't understood are told."""

from __future__ import annotations

import re
from typing import Final

WHEN: Final = "when"
"""The role of a time that isn't understood."""
_NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "sixty": 60,
    "few": 3, "several": 7, "couple": 2, "couple of": 2, "half": 0.5, "half a": 0.5, "half an": 0.5,
}  # fmt: skip
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 31 * 86_400, "y": 366 * 86_400}
_NUMBER: Final = r"(\d{1,4}|" + "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True)) + ")"
_UNIT: Final = r"(months?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|nights?|years?|y)"
LAST: Final = re.compile(
    rf"\b(?:in|for|during|over|within|of)?\s*(?:the\s+)?(?:last|past|previous)\s+(?:{_NUMBER}\s*)?{_UNIT}\b", re.I
)
AGO: Final = re.compile(rf"\b{_NUMBER}\s*{_UNIT}\s+ago\b", re.I)
DAY: Final = re.compile(
    r"\b(yesterday|today|tonight|this (?:morning|afternoon|evening|week|month)|"
    r"(?:since )?(?:noon|midnight|lunch|morning))\b",
    re.I,
)
_DAYS: Final = {"yesterday": "2d", "this week": "7d", "this month": "31d"}
_AT: Final = r"(?:since|after|from|at|around|about|before|by|between|until|till)"
_TIME: Final = r"(?:\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]m\b)?|\d{1,2}\s*[ap]m\b)"
CLOCK: Final = re.compile(rf"(?<![\w:.-])(?:{_AT}\s+)?{_TIME}(?:\s*(?:and|to|-|until)\s*{_TIME})?(?![\w:])", re.I)
WEEKDAY: Final = re.compile(
    r"\b(?:(?:since|on|from|after|last|this|until|before|over|during|at)\s+)?(?:last\s+|this\s+)?(?:the\s+)?(?:last\s+)?"
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekend)(?:\s+(?:morning|noon|afternoon|evening|night))?\b",
    re.I,
)
_MONTHS: Final = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
)
_SINCE: Final = r"(?:since|on|in|during|from|until|before|after)"
UNKNOWN: Final = re.compile(
    r"(?<![\w.-])(?:\d{4}-\d{2}-\d{2}(?:[T ]\d{1,2}:\d{2}(?::\d{2})?Z?)?"
    r"|\d{1,2}\.\d{1,2}\.\d{4}|\d{1,2}/\d{1,2}/\d{4})(?![\w-])"
    rf"|\b(?:{_SINCE}\s+)?{_MONTHS}\s+\d{{1,2}}(?:st|nd|rd|th)?\b"
    rf"|\b(?:{_SINCE}\s+)?\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTHS}(?!\w)"
    rf"|\b{_SINCE}\s+{_MONTHS}(?!\w)"
    r"|\b(?:in|since|during|over)?\s*(?:the\s+)?(?:last|past|previous|this)\s+"
    r"(?:quarter|decade|season|semester|fortnight)\b"
    r"|\b(?:christmas|easter|thanksgiving|halloween|new year(?:'s(?: eve| day)?)?|black friday|cyber monday)\b",
    re.I,
)
EVENT: Final = re.compile(
    r"\bsince\s+(?:(?:the|our|my)\s+)?(?:(?:last|latest|previous|recent)\s+)?(?:deploy(?:ment)?|release|reboot|upgrade|"
    r"update|migration|incident|outage|rollout|patch(?:ing)?|maintenance)\b",
    re.I,
)
"""What happened at a time that nobody here knows."""

Made = list[tuple[str, str]]


def duration(match: re.Match[str]) -> Made:
    """`the last five minutes`, `2 hours ago`."""
    said = (match.group(1) or "one").lower()
    unit = match.group(2).lower()
    short = "mo" if unit.startswith("month") else unit[0]
    seconds = (int(said) if said.isdigit() else _NUMBERS[said]) * _SECONDS.get(
        short, 86_400
    )  # a night is a day of lines
    return [("duration", _written(seconds))] if seconds >= 1 else []


def day(match: re.Match[str]) -> Made:
    return [("duration", _DAYS.get(match.group(1).lower(), "1d"))]


def clock(match: re.Match[str]) -> Made:
    """A time of the day, of the last one."""
    return [("duration", "1d")]


def weekday(match: re.Match[str]) -> Made:
    return [("duration", "7d")]


def unknown(match: re.Match[str]) -> Made:
    return [(WHEN, match.group(0).strip())]


def reach(value: str) -> int:
    """Seconds of a duration as it is written here."""
    return int(value[:-1]) * _SECONDS[value[-1]]


def is_exact(text: str) -> bool:
    """Whether a time says itself how long it is."""
    return LAST.search(text) is not None or AGO.search(text) is not None


def _written(seconds: float) -> str:
    for unit in "dhm":
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds:.0f}s"
