"""The lines of a text, and the faults found in it."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from pipe_runner.diagnostics import Diagnostic, Position

MAX_FAULTS: Final = 1000
"""Faults that are reported of one file; reading stops there."""


class TooManyFaults(Exception):
    """The file has so many faults that reading on serves nobody; `index` is where the last one stands."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class Lines:
    """Turns offsets of a text into lines and columns; a line ends with `\\n`, `\\r\\n` or `\\r`."""

    __slots__ = ("_cut", "_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts: list[int] | None = None
        self._cut: dict[int, str] = {}

    @property
    def starts(self) -> list[int]:
        """The offset of every line's first character."""
        if self._starts is None:
            self._starts = _line_starts(self.text)
        return self._starts

    def position(self, index: int) -> Position:
        """Where the character at `index` stands; an index beyond the text is its end."""
        index = min(max(index, 0), len(self.text))
        line = bisect_right(self.starts, index)
        return Position(line, index - self.starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """Line `number`, from 1, without its line end; kept, so that faults on one long line share it."""
        found = self._cut.get(number)
        if found is None:
            start = self.starts[number - 1]
            end = self.starts[number] if number < len(self.starts) else len(self.text)
            found = self._cut[number] = self.text[start:end].rstrip("\r\n")
        return found

    def start_of(self, index: int) -> int:
        """The offset at which the line of `index` begins."""
        return self.starts[bisect_right(self.starts, min(index, len(self.text))) - 1]


def _line_starts(text: str) -> list[int]:
    import re

    if "\r" in text:
        return [0, *(m.end() for m in re.finditer(r"\r\n|\r|\n", text))]
    return [0, *(m.end() for m in re.finditer("\n", text))]


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
            raise TooManyFaults(index)
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
