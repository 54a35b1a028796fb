"""A fault in a file, told as a compiler tells it: place, code, sentence, source line, caret, hint."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Position(NamedTuple):
    """A place in a text; line and column count from 1, columns count characters."""

    line: int
    column: int


class Note(NamedTuple):
    """Another place that has to do with a fault: the one that names the file, or where something was declared."""

    path: str
    line: int
    column: int
    message: str
    """What happens there, in a word or two: `included`, `declared`."""

    def __str__(self) -> str:
        return f"{self.message} at {self.path}:{self.line}:{self.column}"


class Diagnostic(NamedTuple):
    """One fault. `path` is as the user would type it, relative to the working directory where that is shorter."""

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str | None = None
    length: int = 1
    source: str | None = None
    """The source line, without its line end, for the caret; None where there is none to show."""
    notes: tuple[Note, ...] = ()
    """The places that lead to the file, the nearest first."""

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.code.startswith("W") else Severity.ERROR

    @property
    def is_error(self) -> bool:
        return not self.code.startswith("W")

    def sort_key(self) -> tuple[str, int, int, str, str]:
        return (self.path, self.line, self.column, self.code, self.message)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place, without doubles: the order in which a reader meets the faults."""
    return sorted(dict.fromkeys(diagnostics), key=Diagnostic.sort_key)


_SHORT: Final = (5, 6)
"""Letters of words of which many are alike by chance: `check` and `cache`, `mount` and `timeout`."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be, or None."""
    import difflib

    candidates = list(known)
    lowered = {c.lower(): c for c in reversed(candidates)}
    if word.lower() in lowered:
        return lowered[word.lower()]
    begun = [c for c in candidates if len(word) > 3 and c.startswith(word)]
    if len(begun) == 1:
        return begun[0]
    found = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    if found and len(word) in _SHORT and found[0][:3] != word[:3]:
        found = difflib.get_close_matches(word, found, cutoff=0.75)
    return found[0] if found else None
