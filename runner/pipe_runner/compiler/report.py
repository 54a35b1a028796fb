"""Collects the faults of one file while it is compiled."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any, Final

from pipe_runner.diagnostics import Diagnostic, did_you_mean
from pipe_runner.loader import Document
from pipe_runner.loader.document import At
from pipe_runner.types import Path_

MOST: Final = 1000
"""Faults that are told of one file."""
_COMPARISONS: Final = 5000
"""Words that are compared for suggestions, in all; one takes about 40 µs."""
_CANDIDATES: Final = 100
"""Words that are compared for one suggestion where there are very many."""


class TooManyFaults(Exception):
    """More faults than anybody reads."""


class Report:
    """The faults found so far; places are looked up when a fault is added, and only then."""

    def __init__(self, document: Document, found: Iterable[Diagnostic] = ()) -> None:
        self.document = document
        self.found: list[Diagnostic] = list(found)
        self._comparisons = 0

    @property
    def failed(self) -> bool:
        return any(d.is_error for d in self.found)

    def add(
        self,
        code: str,
        message: str,
        path: Path_ = (),
        *,
        at: At = "value",
        offset: int | None = None,
        length: int | None = None,
        hint: str | None = None,
    ) -> None:
        """Note a fault at a key or value, or at a character of a text. Raises TooManyFaults when there are enough."""
        if len(self.found) >= MOST:
            self.found.append(self.document.diagnostic("E119", f"more than {MOST} faults; the rest is not shown", path))
            raise TooManyFaults
        self.found.append(self.document.diagnostic(code, message, path, at=at, offset=offset, length=length, hint=hint))

    def wrote(self, path: Path_, *keys: str) -> bool:
        """Whether the map at `path` has one of these keys in the file, right or wrong."""
        found: Any = self.document.data
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return isinstance(found, dict) and not found.keys().isdisjoint(keys)

    def suggest(self, word: str, known: Iterable[str]) -> str | None:
        """The known word that was most likely meant; stops looking where that would take long."""
        if self._comparisons > _COMPARISONS or len(word) > 100:
            return None
        candidates = list(known)
        if len(candidates) > _CANDIDATES:
            length, letters = len(word), {word[:1].lower(), word[-1:].lower()}
            candidates = [
                c for c in candidates if -3 < len(c) - length < 3 and letters & {c[:1].lower(), c[-1:].lower()}
            ][:_CANDIDATES]
        self._comparisons += len(candidates) + 1
        return did_you_mean(word, candidates)


def listed(words: Collection[str], most: int = 12) -> str:
    """`a, b and c`; a long list is cut."""
    all_ = [f"`{short(word)}`" for word in islice(words, most)]
    if len(words) > most:
        return ", ".join(all_) + f" and {len(words) - most} more"
    return " and ".join([", ".join(all_[:-1]), all_[-1]] if len(all_) > 1 else all_)


def either(words: Iterable[str]) -> str:
    """`a, b or c`."""
    all_ = [f"`{short(word)}`" for word in words]
    return " or ".join([", ".join(all_[:-1]), all_[-1]] if len(all_) > 1 else all_)


def short(text: str, most: int = 60) -> str:
    """The text on one line, cut, printable."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)
