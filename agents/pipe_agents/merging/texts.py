"""Data as text of a report: bounded, and nothing in it acts on a reader, in Markdown, HTML or a terminal."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any, Final

MOST: Final = 500
"""Characters of one text of a finding."""
_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ACTS: Final = re.compile(rf"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200d\u2028\u2029\u2060\ufeff\ud800-\udfff{_BIDI}]")
_MARKS: Final = re.compile(r"[\\`*_\[\]<>&|~#$]|(?<=!)(?=\[)|:(?=//)|(?<=[wW])\.|@")
_STARTS: Final = re.compile(r"\A(\s*(?:[0-9]{1,9}(?=[.)]))?)([-+=.)])(?=\s|[-+=]|\Z)")
"""What makes a list, a rule or a heading at the start of a text."""
_QUOTED: Final = re.compile(r"`([^`\n]{1,200})`")
_BACKTICKS: Final = re.compile("`+")


def bounded(value: Any, most: int = MOST) -> str:
    """A text, cut with a sign where it is longer."""
    text = value if isinstance(value, str) else as_json(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return "(a value that is nested too deeply)"


def printable(text: str) -> str:
    """On one line; what acts on a terminal or turns text around is shown as `\\xNN`."""

    def shown(match: re.Match[str]) -> str:
        char = match.group()
        if char in "\n\t\r":
            return " "
        code = ord(char)
        return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"

    return _ACTS.sub(shown, text)


def html(value: Any, most: int = MOST) -> str:
    """As text of a page, or of an attribute in double quotes."""
    return escape(printable(bounded(value, most)), quote=True)


def html_sentence(value: Any, most: int = MOST) -> str:
    """As text of a page; what stands between backticks is code."""
    parts = _QUOTED.split(bounded(value, most))
    return "".join(f"<code>{html(part)}</code>" if place % 2 else html(part) for place, part in enumerate(parts))


def markdown(value: Any, most: int = MOST) -> str:
    """As text of Markdown, also at the start of an item: no mark-up, link, HTML, list or mention comes of it."""
    return _inert(bounded(value, most).strip())


def _inert(text: str) -> str:
    def inert(match: re.Match[str]) -> str:
        char = match.group()
        return "`@`" if char == "@" else f"\\{char}"

    return _STARTS.sub(r"\1\\\2", _MARKS.sub(inert, printable(text)))


def markdown_sentence(value: Any, most: int = MOST) -> str:
    """The same, but that what stands between backticks is code."""
    parts = _QUOTED.split(bounded(value, most).strip())
    return "".join(code(part) if place % 2 else _inert(part) for place, part in enumerate(parts))


def code(value: Any, most: int = MOST) -> str:
    """As a span of code in Markdown, whatever backticks it holds."""
    text = printable(bounded(value, most)).strip() or " "
    fence = "`" * (max((len(run) for run in _BACKTICKS.findall(text)), default=0) + 1)
    padded = f" {text} " if text[0] == "`" or text[-1] == "`" else text
    return f"{fence}{padded}{fence}"


def number(value: Any) -> str:
    """A value of evidence for people: numbers short, texts as they are, the rest as JSON."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unknown"}[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 100_000 else str(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100_000 else f"{value:.6g}"
    if isinstance(value, dict) and _is_flat(value):
        return ", ".join(f"{name} {number(one)}" for name, one in value.items())
    if isinstance(value, list) and value and all(isinstance(one, dict) and _is_flat(one) for one in value):
        return "; ".join(number(one) for one in value)
    if isinstance(value, list) and value and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(number(one) for one in value)
    return value if isinstance(value, str) else as_json(value)


def _is_flat(value: dict[str, Any]) -> bool:
    return bool(value) and all(isinstance(one, str | int | float) for one in value.values())


def quantity(name: str, value: Any) -> str:
    """A measured value with the unit that its name ends in: `free_bytes` 2147483648 is `2.1 GB (2,147,483,648)`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return number(value)
    if re.search(r"(^|_)percent(_\d+s)?$", name):
        return f"{number(value)} %"
    if name.endswith(("_bytes", "_bytes_per_s")) or name == "bytes":
        per = "/s" if name.endswith("_per_s") else ""
        return number(value) + per if abs(value) < 1000 else f"{size(value)}{per} ({value:,.0f})"
    for end, unit in (("_ms", "ms"), ("_s", "s"), ("_seconds", "s"), ("_minutes", "min"), ("_days", "days")):
        if (name.endswith(end) or name == end[1:]) and not name.endswith("_per_s"):
            return f"{number(value)} {unit}"
    return f"{number(value)}/s" if name.endswith("_per_s") else number(value)


def size(value: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 1000 or unit == "TB":
            return f"{value:.3g} {unit}" if unit != "B" else f"{value:.0f} B"
        value /= 1000
    raise AssertionError


def words(name: str) -> str:
    """The name of a measured value for people, without its unit."""
    if name in ("ms", "s", "seconds"):
        return "time"
    plain = re.sub(r"_(percent|bytes_per_s|bytes|per_s|ms|s|seconds|minutes|days)$", "", name)
    return re.sub(r"_percent_(\d+s)$", r"_\1", plain).replace("_", " ")
