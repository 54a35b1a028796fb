"""From bytes to a document and its faults: decode, read, explain, and read again where that shows more faults."""

from __future__ import annotations

import gc
import re
from dataclasses import replace
from typing import Final

from pipe_runner.diagnostics import Diagnostic, in_order
from pipe_runner.loader.anchors import TooMuch
from pipe_runner.loader.document import Document
from pipe_runner.loader.events import events_of
from pipe_runner.loader.lines import Faults, Lines, TooManyFaults
from pipe_runner.loader.oddities import MAX_DEPTH, TooDeep
from pipe_runner.loader.reader import Reader
from pipe_runner.loader.scalars import kind
from pipe_runner.loader.source import decode, forbidden
from pipe_runner.loader.syntax import explain
from pipe_runner.types import Json

_DIRECTIVES: Final = re.compile(r"%[^\r\n]*(?:\r\n|[\r\n])")
_NOTHING: Final = re.compile(r"(?:\s|#[^\r\n]*|\.\.\.(?=\s|\Z))*+")
_MOST_DIRECTIVES: Final = 16


def load_text(text: str | bytes, path: str = "<text>") -> tuple[Document, list[Diagnostic]]:
    """Reads a text; never raises for what stands in it. The diagnostics come in order of place."""
    collecting = gc.isenabled()
    gc.disable()  # a large file is nothing but new containers, and each collection would visit them all
    try:
        return _load(text, path)
    finally:
        if collecting:
            gc.enable()


def _load(content: str | bytes, path: str) -> tuple[Document, list[Diagnostic]]:
    if isinstance(content, bytes):
        faults, readable = decode(content, path)
    else:
        faults, readable = Faults(path, Lines(content.removeprefix("\ufeff"))), True
    text = faults.lines.text
    document = Document(path, text, None, _lines=faults.lines)
    if readable:
        try:
            if not text.isascii() and any(char in text for char in "\x85\u2028\u2029"):
                _read_cleaned(document, faults)
            else:
                _read(document, faults)
        except TooManyFaults:
            document.data = None
    return document, in_order(faults.found)


def _read_cleaned(document: Document, faults: Faults) -> None:
    cleaned, readable = forbidden(faults)
    if readable:
        document.parsed = cleaned
        _read(document, faults)


def _read(document: Document, faults: Faults) -> None:
    """Fills `document.data`; raises `TooManyFaults`."""
    from yaml import MarkedYAMLError, YAMLError

    text = document.text if document.parsed is None else document.parsed
    if _too_many_directives(text, faults):
        return
    try:
        events = events_of(text)
        reader = Reader(text, events, faults, document.quoted)
        try:
            root = reader.read()
            if reader.ended_at is not None:
                _read_rest(text, reader, faults)
        finally:
            _tell_duplicates(reader, document, faults)
    except MarkedYAMLError as error:
        faults.add(*explain(error, faults.lines))
        return
    except TooDeep as deep:
        faults.add("E116", f"more than {MAX_DEPTH} maps and lists inside one another", deep.index)
        return
    except TooMuch:
        index, limit = reader.odd.last_alias, reader.odd.anchors.limit
        faults.add("E113", f"aliases that stand for more than {limit} values in all", index, 1, "write less by alias")
        return
    except (YAMLError, UnicodeEncodeError):  # a character that is not allowed; the reader's place for it is a byte
        if document.parsed is None:
            del faults.found[:]
            _read_cleaned(document, faults)
        return
    except (ValueError, OverflowError):  # PyYAML's Python scanner, at an escape that stands for no character
        faults.add("E101", "an escape that stands for no character", 0)
        return
    _take(document, root, faults)


def _take(document: Document, root: list[Json], faults: Faults) -> None:
    if not root or (root[0] is None and not faults.found):
        faults.add("E105", "the file is empty" if not root else "the file holds nothing", 0)
        return
    if not isinstance(root[0], dict):
        start = _NOTHING.match(document.text)
        index = start.end() if start else 0
        message = f"the top of the file must be a map of keys to values, and this is {kind(root[0])}"
        faults.add("E106", message, index)
        return
    document.data = root[0]


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


def _tell_duplicates(reader: Reader, document: Document, faults: Faults) -> None:
    """Adds to each duplicate key where the first one stands."""
    for number, path in reader.odd.duplicates:
        fault = faults.found[number]
        first = document.position(path, "key")
        if (first.line, first.column) < (fault.line, fault.column):
            same = " of this line" if first.line == fault.line else ""
            where = f"column {first.column}{same}" if same else f"line {first.line}"
            faults.found[number] = replace(fault, message=f"{fault.message}; the first one stands at {where}")
