"""Large values as text, in pieces: what is written escaped is several times as large as what it says (R1)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pipe_runner.types import Json

PIECE: Final = 64 * 1024
"""Characters of a string that are escaped at once."""
_INDENT: Final = "  "
_WITHIN: Final = re.compile(r"(?:#[a-zA-Z]{0,8}|:)\Z")
_LONGEST: Final = 10


def json_pieces(value: Json, level: int = 0) -> Iterator[str]:
    """The text that `json.dumps(value, indent=2)` gives for a value `level` steps inside; its strings in pieces."""
    if isinstance(value, str):
        yield from _string(value)
    elif isinstance(value, list) and value:
        between = "[\n" + _INDENT * (level + 1)
        for item in value:
            yield between
            yield from json_pieces(item, level + 1)
            between = ",\n" + _INDENT * (level + 1)
        yield "\n" + _INDENT * level + "]"
    elif isinstance(value, dict) and value:
        between = "{\n" + _INDENT * (level + 1)
        for key, item in value.items():
            yield between
            yield from _string(key)
            yield ": "
            yield from json_pieces(item, level + 1)
            between = ",\n" + _INDENT * (level + 1)
        yield "\n" + _INDENT * level + "}"
    else:
        yield json.dumps(value)


def _string(text: str) -> Iterator[str]:
    if len(text) <= PIECE:
        yield json.dumps(text)
        return
    yield '"'
    for piece in cut(text):
        yield json.dumps(piece)[1:-1]
    yield '"'


def cut(text: str) -> Iterator[str]:
    """The text in pieces, none of which ends within what a CI would read as a command: `::`, `##[`, `##vso[`."""
    at = 0
    while at < len(text):
        end = at + PIECE
        while end < len(text) and _WITHIN.search(text, max(at, end - _LONGEST), end):
            end += 1
        yield text[at:end]
        at = end


def gathered(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in fewer pieces, none of them large."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


def line_pieces(text: str, made: Callable[[str], str], indent: str) -> Iterator[str]:
    """What `made` makes of each line of a text, a long one in pieces; `indent` stands before all but the first."""
    at = 0
    while True:
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)]
        if len(line) <= PIECE:
            yield made(line)
        else:
            yield from map(made, cut(line))
        if end < 0:
            return
        yield "\n" + indent
        at = end + 1
