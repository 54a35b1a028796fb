"""The lines of a text, and the faults found in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from pipe_runner.diagnostics import Diagnostic, Position

MAX_FAULTS: Final = 1000
"""Faults that are reported of one file; reading stops there."""
_BLOCK: Final = 1024
"""Characters of a block."""


class TooManyFaults(Exception):
    """The file has so many faults that reading on serves nobody."""


class Lines:
    """Turns offsets of a text into lines and columns; a line ends with `\\n`, `\\r\\n` or `\\r`.

    Line ends are counted block by block, so that a long file costs little for a few places, and many places cost no
    more than a block each.
    """

    __slots__ = ("_counts", "_cut", "_text", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._text: str | None = None  # with every line end as `\n` at its last character
        self._counts: list[int] = []  # line ends before each block
        self._cut: dict[int, str] = {}

    def position(self, index: int) -> Position:
        """Where the character at `index` stands; an index beyond the text is its end."""
        index = min(max(index, 0), len(self.text))
        text = self._counted()
        block = index // _BLOCK
        line = self._counts[block] + text.count("\n", block * _BLOCK, index) + 1
        return Position(line, index - text.rfind("\n", 0, index))

    def positions(self, indexes: Iterable[int]) -> list[Position]:
        """Where the characters at these indexes stand; quick where most come in the order of the text."""
        text = self._counted()
        found: list[Position] = []
        at, line, before = 0, 1, -1  # `before`: the last line end before `at`
        for index in indexes:
            if index < at:
                place = self.position(index)
                line, before = place.line, index - place.column
            else:
                ends = text.count("\n", at, index)
                if ends:
                    line += ends
                    before = text.rfind("\n", at, index)
            at = index
            found.append(Position(line, at - before))
        return found

    def line(self, number: int) -> str:
        """Line `number`, from 1, without its line end; kept, so that faults on one long line share it."""
        found = self._cut.get(number)
        if found is None:
            start = self.start(number)
            end = self._counted().find("\n", start)
            found = self._cut[number] = self.text[start : end + 1 or None].rstrip("\r\n")
        return found

    def start(self, number: int) -> int:
        """The offset of the first character of line `number`, from 1."""
        if number < 2:
            return 0
        text = self._counted()
        block = bisect_left(self._counts, number - 1) - 1
        at = block * _BLOCK - 1
        for _ in range(number - 1 - self._counts[block]):
            at = text.index("\n", at + 1)
        return at + 1

    def _counted(self) -> str:
        if self._text is None:
            text = self.text
            self._text = text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in text else text
            blocks = range(0, len(text) + 1, _BLOCK)
            counts = (self._text.count("\n", block, block + _BLOCK) for block in blocks)
            self._counts = list(accumulate(counts, initial=0))
        return self._text


class Faults:
    """Collects the diagnostics of one text, each at an offset."""

    __slots__ = ("found", "lines", "path")

    def __init__(self, path: str, lines: Lines) -> None:
        self.path = path
        self.lines = lines
        self.found: list[Diagnostic] = []

    def add(self, code: str, message: str, index: int, length: int = 1, hint: str | None = None) -> None:
        """Notes a fault at `index`; raises `TooManyFaults` when there are enough."""
        if len(self.found) >= MAX_FAULTS:
            place = self.lines.position(index)
            self.found.append(
                Diagnostic(self.path, place.line, place.column, "E119", f"more than {MAX_FAULTS} faults; stopped here")
            )
            raise TooManyFaults
        self.found.append(self.made(code, message, index, length, hint))

    def made(self, code: str, message: str, index: int, length: int = 1, hint: str | None = None) -> Diagnostic:
        """The same, without noting it."""
        return fault_at(self.path, self.lines, code, message, index, length, hint)


def fault_at(
    path: str, lines: Lines, code: str, message: str, index: int, length: int = 1, hint: str | None = None
) -> Diagnostic:
    """A diagnostic at an offset of the text, with its source line; marks no further than the line's end."""
    place = lines.position(index)
    source = lines.line(place.line)
    fits = max(1, min(length, len(source) - place.column + 1))
    return Diagnostic(path, place.line, place.column, code, message, hint, fits, source)
