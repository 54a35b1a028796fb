"""Bytes of logs as text that may be shown: bounded, without control characters, without credentials."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 500
HIDDEN: Final = "***"

_NAMED: Final = re.compile(
    r"((?<!\()(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|authorization|credentials?|cookie)"
    r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer |basic )?)[^\s\"',;&]{3,500}",
    re.IGNORECASE,
)
_SHAPED: Final = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\beyJ[\w-]{8,2000}\.[\w-]{4,4000}(?:\.[\w-]{0,2000})?|\bgh[pousr]_\w{20,255}"
    r"|\bxox[abprs]-[\w-]{10,255}|\bsk-[\w-]{20,255}|(?<=[Bb]earer )[\w.~+/=-]{8,2000}"
)
_IN_URL: Final = re.compile(r"(?<=://)[^\s/:@]{1,200}:[^\s/@]{1,200}(?=@)")


def shown(value: bytes | str, most: int = LONGEST) -> str:
    """The text, escaped where it isn't printable, at most `most` characters and a mark that says how many are gone."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    text = redacted(text[: 4 * most])
    text = "".join(char if char.isprintable() else escaped(char) for char in text)
    if len(text) > most:
        text = f"{text[:most]}… (+{len(text) - most})"
    return text


def escaped(char: str) -> str:
    if char == "\t":
        return " "
    return char.encode("unicode_escape").decode("ascii")


def redacted(text: str) -> str:
    """Without what follows `password=`, tokens of known shapes, and passwords in addresses."""
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _SHAPED.sub(HIDDEN, text)
    return _IN_URL.sub(HIDDEN, text)


def often(count: int) -> str:
    """`once`, `2 times`."""
    return "once" if count == 1 else f"{count:,} times"


def many(count: int, one: str, more: str | None = None) -> str:
    """`1 line`, `2 lines`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
