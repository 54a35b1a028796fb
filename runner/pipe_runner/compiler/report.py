"""Collects the faults of one file while it is compiled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from pipe_runner.diagnostics import Diagnostic, Note, did_you_mean
from pipe_runner.expressions.compiled import Fault
from pipe_runner.loader import Document
from pipe_runner.loader.document import At
from pipe_runner.loader.neighbours import note_of
from pipe_runner.types import IDENTIFIER, Path_

MOST: Final = 1000
"""Errors that are told of one file, and warnings."""
_COMPARISONS: Final = 5000
"""Words that are compared for suggestions, in all; one takes about 40 µs."""
_CANDIDATES: Final = 100
"""Words that are compared for one suggestion where there are very many."""


TITLE: Final = 80
"""Characters of what a node is shown by."""
EXPRESSIONS: Final = 20_000
"""Expressions that any pipeline may hold; longer ones one for every `CHARACTERS_EACH` characters."""
CHARACTERS_EACH: Final = 50
_PLACE: Final = slice(0, 4)
"""Of a diagnostic: where it is, and its code."""
_UNREAD: Final = ("E111", "E112", "E115")
"""Codes of what can't be read, and stands for nothing."""
PUT_IN: Final = 300_000
"""Values that presets may put into the nodes of a pipeline."""


@dataclass(slots=True)
class _Shared:
    """What the reports of all files of a pipeline count together."""

    characters: int
    expressions: int
    comparisons: int = 0
    put_in: int = 0


class TooManyFaults(Exception):
    """More faults than anybody reads."""


class _Words:
    """Many words, from which those are found quickly that one of about their length may have been meant to be."""

    def __init__(self, known: Collection[str]) -> None:
        self.known, self.size = known, len(known)
        self._places: dict[tuple[int, str], list[tuple[int, str]]] = {}
        for place, word in enumerate(known):
            for letter in {word[:1].lower(), word[-1:].lower()}:
                some = self._places.setdefault((len(word), letter), [])
                if len(some) < _CANDIDATES:
                    some.append((place, word))

    def like(self, word: str) -> list[str]:
        """Those that begin or end with a letter with which the word begins or ends."""
        found: set[tuple[int, str]] = set()
        for letter in {word[:1].lower(), word[-1:].lower()}:
            for length in range(len(word) - 2, len(word) + 3):
                found.update(self._places.get((length, letter), ()))
        return [one for _, one in sorted(found)[:_CANDIDATES]]


class Origin(NamedTuple):
    """Where a part of a file's data was written, if not where it stands: in pipe.yml, or under another key."""

    document: Document
    path: Path_
    used: tuple[Document, Path_] | None = None
    """The place that brings it in."""


class Report:
    """The faults found so far; places are looked up when a fault is added, and only then."""

    def __init__(self, document: Document, found: Iterable[Diagnostic] = ()) -> None:
        self.document = document
        self.found: list[Diagnostic] = list(found)
        self._told = Counter(one.code[0] for one in self.found)
        """How many errors (E) and warnings (W) there are."""
        self.renamed: dict[Path_, Path_] = {}
        """Nodes whose id is none, under the name by which they are looked at all the same: where they stand."""
        self.presets: dict[Path_, str] = {}
        """Nodes that name a preset, and its name."""
        self._way: tuple[tuple[Document, Path_], ...] = ()
        self.options: list[tuple[Fault, Path_]] = []
        """Values that would be options if they began with `-`, or code: told when more is known of them."""
        self.origins: dict[Path_, Origin] = {}
        self._words: _Words | None = None
        self._shared = _Shared(len(document.text), document.text.count("{{"))

    def included(self, document: Document, path: Path_) -> Report:
        """The report of a file that this one includes at `path`; what is found or bounded is one for both."""
        other = Report(document)
        other.found, other._told = self.found, self._told
        other._way = ((self.document, path), *self._way)
        self._shared.characters += other._shared.characters
        self._shared.expressions += other._shared.expressions
        other._shared = self._shared
        return other

    def beside(self, document: Document, found: Iterable[Diagnostic]) -> Report:
        """The report of a file that a node runs: what is bounded is one for both."""
        other = Report(document, found)
        self._shared.characters += other._shared.characters
        self._shared.expressions += other._shared.expressions
        other._shared = self._shared
        return other

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
        notes: tuple[Note, ...] = (),
    ) -> None:
        """Note a fault at a key or value, or at a character of a text. Raises TooManyFaults when there are enough."""
        path = self.written(path)
        kind = code[0]
        self._told[kind] += 1
        if self._told[kind] > MOST:
            if kind == "E":
                message = f"more than {MOST} faults; the rest is not shown"
                self.found.append(self.document.diagnostic("E119", message, path))
                raise TooManyFaults
            if self._told[kind] == MOST + 1:
                message = f"more than {MOST} warnings; the rest is not shown"
                self.found.append(self.document.diagnostic("W119", message, path))
            return
        document = self.document
        if self.origins and (origin := self._origin(path)) is not None:
            document, path = origin.document, origin.path
            notes = notes if origin.used is None else (*notes, note_of(*origin.used, "used"))
        found = document.diagnostic(code, message, path, at=at, offset=offset, length=length, hint=hint)
        notes = (*notes, *self.notes)
        self.found.append(found._replace(notes=notes) if notes else found)

    def unread(self, path: Path_) -> bool:
        """Whether what stands there could not be read, and stands for nothing, which has been told: a number that JSON
        doesn't have, an alias of nothing."""
        origin = self._origin(path := self.written(path)) if self.origins else None
        document, path = (self.document, path) if origin is None else (origin.document, origin.path)
        place = document.diagnostic("", "", path)[:3]
        return any(one[:3] == place and one.code in _UNREAD for one in self.found)

    def no_text(self, path: Path_, hint: str) -> bool:
        """Whether the key there is told as no text, which then has this hint: quoted it were no identifier either."""
        numbers = [number for number, one in enumerate(self.found) if one.code == "E109"]
        place = self.document.diagnostic("E109", "", self.written(path), at="key")[_PLACE] if numbers else ()
        for number in numbers:
            if self.found[number][_PLACE] == place:
                self.found[number] = self.found[number]._replace(hint=hint)
                return True
        return False

    def hint(self, code: str, path: Path_, offset: int, hint: str) -> None:
        """Give a fault at a character of a text another hint, now that more is known than when it was told."""
        origin = self._origin(path := self.written(path)) if self.origins else None
        document, path = (self.document, path) if origin is None else (origin.document, origin.path)
        place = document.diagnostic(code, "", path, offset=offset, length=1)[_PLACE]
        for number, one in enumerate(self.found):
            if one[_PLACE] == place:
                self.found[number] = one._replace(hint=hint)

    @property
    def notes(self) -> tuple[Note, ...]:
        """The places that lead to the file, the nearest first; looked up when there is a fault, as all places are."""
        return tuple(note_of(document, path, "included") for document, path in self._way)

    def take(self, values: int) -> bool:
        """Count values that presets put in, for all files together; False where it is enough (R2)."""
        self._shared.put_in += values
        return self._shared.put_in <= PUT_IN

    def _origin(self, path: Path_) -> Origin | None:
        """Where `path` was written, if it isn't where it stands."""
        for length in range(len(path), 0, -1):
            origin = self.origins.get(path[:length])
            if origin is not None:
                return origin._replace(path=(*origin.path, *path[length:]))
        return None

    def data(self) -> dict[str, Any]:
        """The file's data, which is a map."""
        assert isinstance(self.document.data, dict)
        return self.document.data

    def crowded(self) -> bool:
        """Whether the files so far hold more expressions than can be read in the time that their size allows (R2);
        says so."""
        shared, text = self._shared, self.document.text
        most = max(EXPRESSIONS, shared.characters // CHARACTERS_EACH)
        if shared.expressions <= most:
            return False
        at = -2
        for _ in range(max(most + 1 - (shared.expressions - text.count("{{")), 1)):
            at = text.index("{{", at + 2)
        line = text.count("\n", 0, at) + 1
        column = at - text.rfind("\n", 0, at)
        what = "in one file of this size" if not self._way else "in files of this size"
        hint = "give a list as one expression, `{{ inputs.items }}`, or split the file"
        message = f"more than {most} expressions {what}"
        fault = Diagnostic(self.document.path, line, column, "E403", message, hint, length=2, notes=self.notes)
        self.found.append(fault)
        return True

    def written(self, path: Path_) -> Path_:
        """Where something stands in the file."""
        return (*self.renamed.get(path[:2], path[:2]), *path[2:]) if self.renamed else path

    def wrote(self, path: Path_, *keys: str) -> bool:
        """Whether the map at `path` has one of these keys in the file, right or wrong."""
        found: Any = self.document.data
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return isinstance(found, dict) and not found.keys().isdisjoint(keys)

    def suggest(self, word: str, known: Iterable[str]) -> str | None:
        """The known word that was most likely meant; stops looking where that would take long."""
        if self._shared.comparisons > _COMPARISONS or len(word) > 100:
            return None
        if not isinstance(known, Collection):
            known = list(known)
        if len(known) <= _CANDIDATES:
            candidates = list(known)
        else:
            if self._words is None or self._words.known is not known or self._words.size != len(known):
                self._words = _Words(known)
            candidates = self._words.like(word)
        self._shared.comparisons += len(candidates) + 1
        return did_you_mean(word, candidates)

    def misspelt(self, key: str, given: Iterable[str], known: Collection[str]) -> bool:
        """Whether an unknown one of the given keys, which is told, probably means this one, which is missing."""
        unknown = [name for name in map(str, given) if name not in known and not name.startswith("x-")]
        return any(self.suggest(name, known) == key for name in unknown)


def listed(words: Collection[str], most: int = 12, but: str | None = None) -> str:
    """`a, b and c`, without `but`; a long list is cut."""
    all_ = [f"`{short(word)}`" for word in islice((word for word in words if word != but), most)]
    more = len(words) - most - (but is not None and but in words)
    if more > 0:
        return ", ".join(all_) + f" and {more} more"
    return " and ".join([", ".join(all_[:-1]), all_[-1]] if len(all_) > 1 else all_)


def either(words: Iterable[str]) -> str:
    """`a, b or c`."""
    all_ = [f"`{short(word)}`" for word in words]
    return " or ".join([", ".join(all_[:-1]), all_[-1]] if len(all_) > 1 else all_)


def several(text: str) -> str | None:
    """A hint for names that stand in one text."""
    names = [one.replace("-", "_") if one[0].isalpha() else one for one in text.replace(",", " ").split()]
    plain = len(names) > 1 and all(IDENTIFIER.match(name) for name in names)
    return f"write a list: `[{short(', '.join(names))}]`" if plain else None


def no_name(name: str, what: str) -> str | None:
    """Why nothing of that kind can ever have this name, if that is so."""
    if IDENTIFIER.match(name):
        return None
    return f"{what} is an identifier, without `-`" if "-" in name else f"{what} is letters, digits and `_`"


def headline(text: str) -> str:
    """The first line of a script or a description that says something: no `set -e`, no `#!`, no mark of a comment."""
    lines = (line.strip() for line in text.split("\n"))
    found = next((line for line in lines if line.strip("# ") and not line.startswith(("set -", "#!"))), text.strip())
    return short(found.partition("\n")[0].lstrip("# "), TITLE).rstrip()


def short(text: str, most: int = 60) -> str:
    """The text on one line, cut, printable."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)
