"""A file that has been read: its data, and the way back from each part of it to the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipe_runner.diagnostics import Diagnostic, Position
from pipe_runner.loader.lines import Lines, fault_at
from pipe_runner.types import Json, Path_

if TYPE_CHECKING:  # both are needed for a fault only
    from pipe_runner.loader.positions import Found, Places
    from pipe_runner.loader.spans import Pieces

At = Literal["key", "value"]


@dataclass(slots=True)
class Document:
    """The data of one file, with the way back from each of its parts to the text.

    Where an alias or a merge key brought a value in, its place is that of the text it was written in.
    """

    path: str
    """As it is shown to the user."""
    text: str
    """Without a byte order mark."""
    data: Json
    """None if the file can't be read."""
    parsed: str | None = None
    """What the parser was given, where that isn't `text`: as long, with characters replaced that it would refuse."""
    quoted: dict[int, str] = field(default_factory=dict)
    """The text of the quoted scalars in `parsed` that stand in for something else, by offset."""
    expanded: int = 0
    """Values that its aliases and merge keys stand for."""
    noted: Places | None = field(default=None, repr=False, compare=False)
    """The places, if they were noted while it was read."""
    _lines: Lines | None = field(default=None, repr=False, compare=False)
    _pieces: tuple[int, Pieces | None] | None = field(default=None, repr=False, compare=False)

    @property
    def places(self) -> Places:
        """Where everything stands; it may take another reading."""
        if self.noted is None:
            from pipe_runner.loader.reader import places_of

            self.noted = places_of(self.text if self.parsed is None else self.parsed, self.quoted)
        return self.noted

    def position(self, path: Path_, at: At = "value") -> Position:
        """Where the key or the value at `path` begins; of the nearest ancestor that exists, if `path` doesn't.

        Where an ancestor that is a block of lines stands in for something missing, that is the place of its key. What
        has no key (items of lists, the whole) has the place of its value.
        """
        return self._line_table.position(self._span(self.places.find(path), at)[0])

    def positions(self, path: Path_, names: Iterable[str]) -> list[Position]:
        """Where each of these keys of the map at `path` begins."""
        names = list(names)
        starts = self.places.keys(path, names)
        if starts is None:
            return [self.position((*path, name), "key") for name in names]
        return self._line_table.positions(starts)

    def locate(self, path: Path_, offset: int) -> Position:
        """Where character `offset`, from 0, of the text at `path` was written; the scalar's start if unknown."""
        return self._line_table.position(self._index(path, offset))

    def written(self, path: Path_) -> str | None:
        """How the scalar at `path` was written, quotes and all; None for what is no scalar or doesn't exist."""
        found = self.places.find(path)
        if found is None or not found.exact or not self.places.is_scalar(found.value):
            return None
        return self.text[self.places.start[found.value] : self.places.end[found.value]]

    def diagnostic(
        self,
        code: str,
        message: str,
        path: Path_ = (),
        *,
        at: At = "value",
        offset: int | None = None,
        length: int | None = None,
        hint: str | None = None,
    ) -> Diagnostic:
        """A fault at the key or value at `path`, or at character `offset` of the text there.

        Without `length` it marks the key or scalar as far as it stands on that line, or one character at `offset`.
        """
        if offset is not None:
            index, whole = self._index(path, offset), 1
        else:
            index, whole = self._span(self.places.find(path), at)
        return fault_at(self.path, self._line_table, code, message, index, whole if length is None else length, hint)

    @property
    def _line_table(self) -> Lines:
        if self._lines is None:
            self._lines = Lines(self.text)
        return self._lines

    def _span(self, found: Found | None, at: At) -> tuple[int, int]:
        """Offset and length of a key or a value."""
        if found is None:
            return 0, 1
        places = self.places
        number = found.value
        if found.key >= 0 and (at == "key" or (not found.exact and places.is_block(found.value))):
            number = found.key
        start = places.start[number]
        return start, places.end[number] - start if places.is_scalar(number) else 1

    def _index(self, path: Path_, offset: int) -> int:
        places = self.places
        found = places.find(path)
        if found is None or not found.exact or not places.is_scalar(found.value):
            return self._span(found, "value")[0]
        number = found.value
        start, end = places.start[number], places.end[number]
        value = self._value(path)
        if not isinstance(value, str):
            return start
        if start in self.quoted or self.text.startswith("{{", start):
            return start + min(max(offset, 0), end - start)
        if self._pieces is None or self._pieces[0] != number:
            from pipe_runner.loader.spans import pieces_of

            text = self.text if self.parsed is None else self.parsed
            self._pieces = (number, pieces_of(text, start, end, len(value)))
        pieces = self._pieces[1]
        return start if pieces is None else pieces.place(offset)

    def _value(self, path: Path_) -> Json:
        value = self.data
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
                value = value[step]
            else:
                return None
        return value
