"""Bytes of logs as text that may be shown: bounded, without control characters, without credentials."""

from __future__ import annotations

from typing import Final

from pipe_agents.redacting import redacted

LONGEST: Final = 500


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


def often(count: int) -> str:
    """`once`, `2 times`."""
    return "once" if count == 1 else f"{count:,} times"


def many(count: int, one: str, more: str | None = None) -> str:
    """`1 line`, `2 lines`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
