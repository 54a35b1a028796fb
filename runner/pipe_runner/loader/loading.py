"""From bytes to a document and its faults: decode, read, explain, and read again where that shows more faults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pipe_runner.collecting import uncollected
from pipe_runner.diagnostics import Diagnostic, in_order
from pipe_runner.loader.anchors import LEAST_EXPANSION, TooMuch
from pipe_runner.loader.document import Document
from pipe_runner.loader.events import TooManyEvents, events_of, most_events
from pipe_runner.loader.lines import Faults, Lines, TooManyFaults
from pipe_runner.loader.oddities import MAX_DEPTH, TooDeep
from pipe_runner.loader.positions import Places
from pipe_runner.loader.reader import Reader, is_dense
from pipe_runner.loader.scalars import kind
from pipe_runner.loader.simple import simple_document
from pipe_runner.loader.source import decode, without_forbidden
from pipe_runner.types import Json

if TYPE_CHECKING:
    from pipe_runner.loader.syntax import Explained

_DIRECTIVES: Final = re.compile(r"%[^\r\n]*(?:\r\n|[\r\n])")
_NOTHING: Final = re.compile(r"(?:\s|#[^\r\n]*|\.\.\.(?=\s|\Z))*+")
_MISREAD: Final = "\x85\u2028\u2029\ufeff"
"""Characters that PyYAML lets through and takes for the end of a line, or for nothing."""
_MOST_DIRECTIVES: Final = 16
_MOST_MENDED: Final = 20
"""Syntax errors that are told of one file."""
_MOST_REREAD: Final = 2**20
"""Characters that are read again for the faults behind a syntax error."""


def load_text(
    text: str | bytes, path: str = "<text>", *, expansions: int = LEAST_EXPANSION
) -> tuple[Document, list[Diagnostic]]:
    """Reads a text; never raises for what stands in it. The diagnostics come in order of place.

    `expansions` is how many values its aliases may stand for, beside those that its length allows.
    """
    with uncollected():
        return _load(text, path, expansions)


def _load(content: str | bytes, path: str, expansions: int) -> tuple[Document, list[Diagnostic]]:
    if isinstance(content, bytes):
        faults, readable = decode(content, path)
    else:
        faults, readable = Faults(path, Lines(content.removeprefix("\ufeff"))), True
    text = faults.lines.text
    document = Document(path, text, None, _lines=faults.lines)
    if readable:
        loading = _Loading(document, faults, expansions)
        try:
            loading.read_all(clean=text.isascii() or not any(char in text for char in _MISREAD))
        except TooManyFaults:
            document.data = None
        loading.tell_duplicates()
        loading.drop_shadowed()
    return document, in_order(faults.found)


class _Loading:
    """Fills one document, in as many readings as show new faults."""

    def __init__(self, document: Document, faults: Faults, expansions: int) -> None:
        self._expansions = expansions
        self._document = document
        self._faults = faults
        self._known = list(faults.found)  # what the next reading wouldn't find again
        self._cleaned = False
        self._reader: Reader | None = None
        self._dense = is_dense(document.text)

    def read_all(self, *, clean: bool) -> None:
        """Reads; after a syntax error inside one value again, without that value; raises `TooManyFaults`."""
        document, faults = self._document, self._faults
        if _too_many_directives(document.text, faults) or not (clean or self._replace_forbidden()):
            document.noted = Places("")  # nor is it read for them
            return
        left = _MOST_REREAD
        readable = True
        while (error := self._read()) is not None:
            text = self._text
            self._known.append(faults.made(error.code, error.message, error.place, error.length, error.hint))
            left -= len(text)
            if error.mend is None or left < 0 or len(self._known) > _MOST_MENDED:
                faults.found.append(self._known[-1])
                readable = False
                break
            start, end = error.mend
            document.parsed = f"{text[:start]}'{'-' * (end - start - 2)}'{text[end:]}"
            document.quoted[start] = document.text[start:end]
            faults.found = list(self._known)
            readable = readable and error.code == "E117"
        if not readable:
            document.data = None

    @property
    def _text(self) -> str:
        return self._document.text if self._document.parsed is None else self._document.parsed

    def _replace_forbidden(self) -> bool:
        """Has the characters that YAML doesn't allow replaced and told; says whether reading on makes sense."""
        self._cleaned = True
        self._faults.found = list(self._known)
        cleaned = without_forbidden(self._text, self._faults)
        self._known = list(self._faults.found)
        self._document.parsed = cleaned
        return cleaned is not None

    def _read(self) -> Explained | None:
        """Reads once and fills the data, or gives the syntax error that ended it; raises `TooManyFaults`."""
        if self._document.parsed is None and (simple := simple_document(self._text)) is not None:
            self._document.data = simple
            return None
        from yaml import MarkedYAMLError, YAMLError

        faults = self._faults
        try:
            text, quoted = self._text, self._document.quoted
            reader = self._reader = Reader(text, events_of(text), faults, quoted, noting=self._dense)
            self._document.noted = reader.places if self._dense else None
            anchors = reader.odd.anchors
            anchors.limit -= LEAST_EXPANSION - self._expansions
            try:
                root = reader.read()
            finally:
                self._document.expanded = anchors.expanded
            if reader.ended_at is not None:
                _read_rest(self._text, reader, faults)
            self._take(root)
        except MarkedYAMLError as error:
            from pipe_runner.loader.syntax import explain

            return explain(error, faults.lines)
        except TooDeep as deep:
            faults.add("E116", f"more than {MAX_DEPTH} maps and lists inside one another", deep.index)
        except TooMuch:
            index, limit = reader.odd.last_alias, reader.odd.anchors.limit
            faults.add("E113", f"aliases that stand for more than {limit} values in all", index)
        except TooManyEvents:
            message = (
                f"more than {most_events(self._text)} keys and values, which is too many for a file of this length"
            )
            faults.add("E121", message, 0)
        except (YAMLError, UnicodeEncodeError):  # a character that isn't allowed; PyYAML's place for it is a byte
            if self._cleaned:
                faults.add("E101", "not valid YAML", 0)
            elif self._replace_forbidden():
                return self._read()
            else:
                self._document.noted = Places("")
        except (ValueError, OverflowError):  # PyYAML's Python scanner, at an escape that stands for no character
            faults.add("E101", "an escape that stands for no character", 0)
        return None

    def _take(self, root: list[Json]) -> None:
        faults = self._faults
        if not root or (root[0] is None and not faults.found):
            faults.add("E105", "the file is empty" if not root else "the file holds nothing", 0)
        elif not isinstance(root[0], dict):
            start = _NOTHING.match(self._document.text)
            message = f"the top of the file must be a map of keys to values, and this is {kind(root[0])}"
            faults.add("E106", message, start.end() if start else 0)
        else:
            self._document.data = root[0]

    def tell_duplicates(self) -> None:
        """Adds to each duplicate key where the first one stands."""
        if self._reader is None:
            return
        found = self._faults.found
        for number, path in self._reader.odd.duplicates:
            fault = found[number]
            first = self._document.position(path, "key")
            if first.line < fault.line:
                found[number] = fault._replace(message=f"{fault.message}; the first one stands at line {first.line}")
            elif first.column < fault.column:
                where = f"column {first.column} of this line"
                found[number] = fault._replace(message=f"{fault.message}; the first one stands at {where}")

    def drop_shadowed(self) -> None:
        """Drops what was noted of an expression, where a syntax error at the same place says more."""
        told = {(fault.line, fault.column): fault for fault in self._known if fault.code == "E117"}
        if told:
            kept = [f for f in self._faults.found if f.code != "E117" or told.get((f.line, f.column), f) == f]
            self._faults.found = kept


def _read_rest(text: str, reader: Reader, faults: Faults) -> None:
    """Sees to it that nothing follows the document."""
    nothing = _NOTHING.match(text, reader.ended_at or 0)
    rest = nothing.end() if nothing else len(text)
    if rest >= len(text):
        return
    if text.startswith(("---", "%"), rest):
        hint = "one file holds one document: split the file"
        faults.add("E107", "a second document begins here", rest, 3 if text[rest] == "-" else 1, hint)
        return
    reader.next_event()
    faults.add("E107", "text behind the end of the document", rest)


def _too_many_directives(text: str, faults: Faults) -> bool:
    """Whether the text begins with so many directives that reading them, which takes quadratic time, isn't worth it."""
    number, at = 0, 0
    nothing = _NOTHING.match(text)
    while nothing and text.startswith("%", nothing.end()):
        at = nothing.end()
        line = _DIRECTIVES.match(text, at)
        number += 1
        if number > _MOST_DIRECTIVES:
            faults.add("E120", f"more than {_MOST_DIRECTIVES} directives", at)
            return True
        if line is None:
            return False
        nothing = _NOTHING.match(text, line.end())
    return False
