"""From a character of a scalar's value to the place in the file where it was written.

A value is a run of pieces: from some offset of the value on, characters stand one for one from some offset of the text
on. An escape, a folded line or an indentation begins a new piece.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*(?:\s|#[^\r\n]*)*)+")
_BREAK: Final = re.compile(r"\r\n|[\r\n]")
_BLANKS: Final = re.compile(r"[ \t]+")
_SPACES: Final = re.compile(r" *")
_LINE: Final = re.compile(r"[^\r\n]*")
_CHUNKS: Final = {"": re.compile(r"[^ \t\r\n]+"), "'": re.compile(r"[^' \t\r\n]+"), '"': re.compile(r"[^\\ \t\r\n]+")}
_ESCAPE_LENGTHS: Final = {"x": 4, "u": 6, "U": 10}
_HEADER: Final = re.compile(r"([|>])(?:([-+])([1-9])?|([1-9])([-+])?)?[^\r\n]*(?:\r\n|[\r\n]|\Z)")


@dataclass(slots=True)
class Pieces:
    """`values[i]` and `places[i]` begin piece i; `length` is that of the value, `end` where the scalar ends."""

    end: int
    values: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))
    length: int = 0

    def add(self, place: int, length: int = 1) -> None:
        if length:
            self.values.append(self.length)
            self.places.append(place)
            self.length += length

    def place(self, offset: int) -> int:
        """Where character `offset` of the value stands; beyond the value it is where the scalar ends."""
        offset = max(offset, 0)
        if offset >= self.length:
            return self.end
        piece = bisect_right(self.values, offset) - 1
        return self.places[piece] + offset - self.values[piece]


def pieces_of(text: str, start: int, end: int, length: int) -> Pieces | None:
    """The pieces of the scalar at `text[start:end]`, whose value has `length` characters; None where they don't fit."""
    properties = _PROPERTIES.match(text, start, end)
    if properties:
        start = properties.end()
    first = text[start : start + 1]
    if first == "|" or first == ">":
        return _block(text, start, end, length)
    if first == '"' or first == "'":
        pieces = _flow(text, start + 1, end - 1, first)
    else:
        pieces = _flow(text, start, end, "")
    return pieces if pieces.length == length else None


def _flow(text: str, place: int, end: int, quote: str) -> Pieces:
    """Plain and quoted scalars: escapes, and lines that are folded into one."""
    pieces = Pieces(end)
    chunk = _CHUNKS[quote]
    while place < end:
        char = text[place]
        if char in " \t":
            blanks = _BLANKS.match(text, place, end)
            assert blanks
            if blanks.end() == end or text[blanks.end()] not in "\r\n":  # blanks before a line's end don't count
                pieces.add(place, blanks.end() - place)
            place = blanks.end()
        elif char in "\r\n":
            place = _fold(text, place, end, pieces, escaped=False)
        elif char == "\\" and quote == '"':
            if text[place + 1] in "\r\n":
                place = _fold(text, place + 1, end, pieces, escaped=True)
            else:
                pieces.add(place)
                place += _ESCAPE_LENGTHS.get(text[place + 1], 2)
        elif char == "'" and quote == "'":
            pieces.add(place)
            place += 2
        else:
            run = chunk.match(text, place, end)
            assert run
            pieces.add(place, run.end() - place)
            place = run.end()
    return pieces


def _fold(text: str, place: int, end: int, pieces: Pieces, *, escaped: bool) -> int:
    """One line end is a space, or nothing if it is escaped; n of them are n - 1 line ends."""
    breaks = array("q")
    while found := _BREAK.match(text, place, end):
        breaks.append(place)
        place = found.end()
        if blanks := _BLANKS.match(text, place, end):
            place = blanks.end()
    if len(breaks) == 1 and not escaped:
        pieces.add(breaks[0])
    for one in breaks[1:]:
        pieces.add(one)
    return place


def _block(text: str, start: int, end: int, length: int) -> Pieces | None:
    """Literal and folded scalars."""
    header = _HEADER.match(text, start)
    assert header
    folded = header[1] == ">"
    chomping = header[2] or header[5] or ""
    explicit = header[3] or header[4]
    begin = header.end()
    indent = 1
    for line, first, stop, _ in _lines(text, begin, end):
        indent = max(indent, first - line)
        if first < stop:
            break
    # An explicit indentation adds to that of the block around, which isn't known here: the one that fits is sought.
    least = int(explicit) if explicit else indent
    for candidate in range(least, max(indent, least) + 1):
        pieces = _block_lines(text, begin, end, candidate, folded, chomping)
        if pieces.length == length:
            return pieces
    return None


def _lines(text: str, place: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Of each line its start, its first character that is no space, the end of its text, and the next line's start."""
    while place < end:
        spaces, line = _SPACES.match(text, place), _LINE.match(text, place)
        assert spaces and line
        ended = _BREAK.match(text, line.end())
        following = ended.end() if ended else line.end()
        yield place, spaces.end(), line.end(), following
        place = following


def _block_lines(text: str, start: int, end: int, indent: int, folded: bool, chomping: str) -> Pieces:
    pieces = Pieces(end)
    pending = array("q")  # line ends since the last line with text; the first one is that line's own
    had_text = was_blank = False
    for begin, first, stop, following in _lines(text, start, end):
        if stop - begin <= indent and first == stop:  # an empty line
            if following > stop:
                pending.append(stop)
            continue
        if first - begin < indent:
            break
        blank = text[begin + indent] in " \t"
        joined = folded and had_text and not was_blank and not blank  # then one line end is a space, n are n - 1
        for one in pending[1:] if joined and len(pending) > 1 else pending:
            pieces.add(one)
        pieces.add(begin + indent, stop - begin - indent)
        pending = array("q", [stop] if following > stop else [])
        had_text, was_blank = True, blank
        pieces.end = stop
    if chomping == "+":
        kept = pending
    elif chomping == "-" or not had_text:
        kept = array("q")
    else:
        kept = pending[:1]
    for one in kept:
        pieces.add(one)
    return pieces
