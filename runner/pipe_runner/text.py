"""Makes data safe to print: for a terminal, and for a CI that reads commands in output.

And what can be a key of an item, and how paths are shown.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from typing import Final

BIDI_CONTROLS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Characters that change the order in which others are shown; for use inside a character class."""

_UNSAFE: Final = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff{BIDI_CONTROLS}]")

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME: Final = 64
LONGEST_KEY: Final = 200
"""Characters of what an item of a repeated node is known by."""
_KEPT: Final = 0xFFFF
"""The last character of which is kept what becomes of it."""
_CI_COMMAND: Final = re.compile(
    # GitHub: `::` as the first thing of a line, after what .NET trims and after what no reader sees.
    r"(?:(?<=\n)|(?<=\r)|^)((?:[^\S\r\n]|[\x00-\x09\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2060\ufeff])*)(:)(?=:)"
    # GitHub's old form and Azure: `##[` and `##vso[` anywhere in a line; TeamCity the same with its name.
    r"|(#)(?=#(?:vso|teamcity)?\[)",
    re.IGNORECASE,
)


def printable(text: str, *, newlines: bool = False, tabs: bool = False) -> str:
    """Escapes what would act on a terminal: control bytes, bidirectional controls, line separators, lone surrogates.

    A character becomes `\\xNN` or `\\uNNNN`. With `newlines`, `\\n` passes; with `tabs`, `\\t` does.
    """
    return text if text.isprintable() else text.translate(_table(newlines, tabs))


class _Escapes(dict[int, int | str]):
    """For `str.translate`: what becomes of each character; it fills as characters are met."""

    def __missing__(self, code: int) -> int | str:
        char = chr(code)
        found = escaped(char) if _UNSAFE.match(char) else code
        if code <= _KEPT:
            self[code] = found
        return found


@cache
def _table(newlines: bool, tabs: bool) -> _Escapes:
    passing = ("\n" if newlines else "") + ("\t" if tabs else "")
    return _Escapes((ord(char), ord(char)) for char in passing)


def escaped(char: str) -> str:
    """One character as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`."""
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def ci_safe(text: str) -> str:
    """Breaks what a CI would read as a command, wherever lines of `text` may come to stand at the start of a line.

    The first character of the command is escaped: `::error::` becomes `\\x3a:error::`, `##[group]` becomes
    `\\x23#[group]`. Everything else stays as it is; use `printable` first for the rest.
    """
    if "::" not in text and "##" not in text:
        return text

    def broken(match: re.Match[str]) -> str:
        return "\\x23" if match.group(3) else f"{match.group(1)}\\x3a"

    return _CI_COMMAND.sub(broken, text)


def ci_safe_json(text: str) -> str:
    """The same for JSON text: what it says stays the same, since `#` is written as an escape of JSON.

    A line of JSON begins with no `::`, so only `##[` and its kin need it, and they occur in strings only.
    """
    return text.replace("##", "#\\u0023")


def json_text(value: object, indent: int | None = 2) -> str:
    """What a command prints as JSON: ASCII, with a newline, harmless in any CI's log."""
    return ci_safe_json(json.dumps(value, indent=indent)) + "\n"


def width(text: str) -> int:
    """How many columns a terminal gives to `text`, which is printable: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    columns = 0
    for char in text:
        if char >= "\u0300" and category(char) in ("Mn", "Me", "Cf"):
            continue
        columns += 2 if east_asian_width(char) in "WF" else 1
    return columns


def dollars(nanos: int) -> str:
    """Money in 1e-9 US dollars for people: `$12.35`, `$0.0312`, `$0.00000425`; three digits at least, if there are."""
    if nanos == 0:
        return "$0"
    places = 2
    while places < 9 and 0 < abs(nanos) < 10 ** (11 - places) and nanos % 10 ** (9 - places):
        places += 1
    return f"${nanos / 10**9:,.{places}f}"


def plain_name(text: str) -> str:
    """A name that every service takes for a tool."""
    name = _NOT_IN_NAMES.sub("_", text)[:_LONGEST_NAME]
    return name if name and not (name[0].isdigit() or name[0] == "-") else f"_{name}"[:_LONGEST_NAME]


def unfit_key(key: str) -> str | None:
    """Why no item can be known by this text, as the end of a sentence; None: one can."""
    if len(key) > LONGEST_KEY or printable(key) != key or ci_safe(key) != key:
        return (
            f"can't be a key: up to {LONGEST_KEY} printable characters, "
            "of which none could be a command to a CI (`::` at the beginning, `##` with a bracket)"
        )
    return "can't be a key: `].` stands between an item and a node inside it" if "]." in key else None


def shown_path(path: str) -> str:
    """The path as a user would type it: from the working directory, where that is shorter and still there."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return relative if len(relative) < len(path) else path
