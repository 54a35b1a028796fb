"""Where every key and value of a document stands: what `reader` notes, and how it is looked up."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from pipe_runner.loader.events import events_of
from pipe_runner.types import Path_, PathStep

_NONE: Final = -1
OPEN: Final = {(False, False): -1, (True, False): -2, (False, True): -3, (True, True): -4}
"""What stands for the end of a map or list (the first one says) in block or flow style that hasn't ended."""
AFTER: Final = -4
_MOST_MERGES: Final = 1000
"""Maps that are searched for one key, through merge keys."""
_MOST_EVENTS: Final = 8
"""Events up to the one of a key that is read alone."""


class Found(NamedTuple):
    """The nearest thing to a path that exists. Numbers are those of `Places`; `key` is -1 at the top and in lists."""

    key: int
    value: int
    exact: bool


class Places:
    """The nodes of a document in the order of the text, numbered from 0; a map's children are key, value, key, ….

    Kept in two arrays, since a file may have a million of them. `Reader` adds to both for each node; all the rest is
    found out when a place is asked for.
    """

    __slots__ = ("_children", "_compound", "_entries", "_named", "_targets", "_text", "end", "start")

    def __init__(self, text: str) -> None:
        self._text = text
        self.start = array("i")
        """Offsets in the text."""
        self.end = array("i")
        """Of scalars the offset behind them. Of maps and lists what `OPEN` says; to it `AFTER` times the number of the
        next node that is no descendant is added at their end."""
        self._named: dict[str, int] = {}  # the node that bears an anchor
        self._targets: dict[int, int] = {}  # of each alias the node that it stands for
        self._compound: set[int] = set()  # keys that are maps or lists
        self._children: dict[int, Sequence[int]] = {}
        self._entries: dict[int, tuple[dict[str, tuple[int, int]], list[int]]] = {}

    # while the document is read

    def add(self, start: int, end: int) -> int:
        """Adds a node, and gives its number."""
        self.start.append(start)
        self.end.append(end)
        return len(self.start) - 1

    def name(self, anchor: str) -> None:
        """The node that was added last has an anchor."""
        self._named[anchor] = len(self.start) - 1

    def refer(self, anchor: str) -> None:
        """The node that was added last is an alias."""
        self._targets[len(self.start) - 1] = self._named.get(anchor, _NONE)

    def add_compound(self, start: int, end: int) -> None:
        """Adds a key that is a map or a list."""
        self._compound.add(self.add(start, end))

    # when a place is asked for

    def find(self, path: Path_) -> Found | None:
        """What stands at `path`, or the nearest ancestor that exists; None where the document has nothing at all."""
        if not self.start:
            return None
        key, value = _NONE, 0
        for step in path:
            entry = self._entry(value, step)
            if entry is None:
                return Found(key, value, False)
            key, value = entry
        return Found(key, value, True)

    def keys(self, path: Path_, names: Iterable[str]) -> list[int] | None:
        """Where each of these keys of the map at `path` begins; None if not all of them stand in the map itself."""
        found = self.find(path)
        number = self._stands_for(found.value) if found is not None and found.exact else None
        if number is None or self.end[number] >= 0 or self._is_list(number):
            return None
        entries = self._entries_of(number)[0]
        try:
            return [self.start[entries[name][0]] for name in names]
        except KeyError:
            return None

    def is_scalar(self, number: int) -> bool:
        """Whether the node was a scalar in the file, or an unquoted expression that was read as one."""
        if self.end[number] < 0 or number in self._targets:
            return False
        return number not in self._compound or self._text.startswith("{{", self.start[number])

    def is_block(self, number: int) -> bool:
        """Whether the node is a map or list in block style: it begins where its first child does."""
        return self.end[number] < 0 and not (-1 - self.end[number]) & 2

    def _entry(self, number: int, step: PathStep) -> tuple[int, int] | None:
        """Key and value at one step from a node, through aliases and merges."""
        left = [number]
        seen: set[int] = set()
        while left and len(seen) < _MOST_MERGES:
            one = self._stands_for(left.pop(0))
            if one is None or one in seen:
                continue
            seen.add(one)
            if self._is_list(one):
                children = self._between(one)
                if isinstance(step, int) and 0 <= step < len(children):
                    return _NONE, children[step]
            elif isinstance(step, str) and self.end[one] < 0:
                entries, sources = self._entries_of(one)
                if step in entries:
                    return entries[step]
                left[:0] = sources
        return None

    def _is_list(self, number: int) -> bool:
        return self.end[number] < 0 and bool((-1 - self.end[number]) & 1)

    def _stands_for(self, number: int) -> int | None:
        target = self._targets.get(number, number)
        return None if target == _NONE else target

    def _after(self, number: int) -> int:
        """The next node that is no descendant."""
        end = self.end[number]
        if end >= 0:
            return number + 1
        return (-1 - end) // 4 or len(self.start)

    def _between(self, number: int) -> Sequence[int]:
        """The children of a map or list."""
        children = self._children.get(number)
        if children is None:
            after = self._after(number)
            if min(self.end[number + 1 : after], default=0) >= 0:
                children = range(number + 1, after)
            else:
                children = array("i")
                child = number + 1
                while child < after:
                    children.append(child)
                    child = self._after(child)
            self._children[number] = children
        return children

    def _entries_of(self, number: int) -> tuple[dict[str, tuple[int, int]], list[int]]:
        """The entries that stand in a map itself, of duplicates the first one, and the maps that are merged in."""
        known = self._entries.get(number)
        if known is not None:
            return known
        entries: dict[str, tuple[int, int]] = {}
        sources: list[int] = []
        children = iter(self._between(number))
        for key, value in zip(children, children, strict=False):
            name, merges = self._key(key)
            if merges and not sources:
                sources = self._merged_in(value)
            entries.setdefault(name, (key, value))
        self._entries[number] = entries, sources
        return entries, sources

    def _merged_in(self, value: int) -> list[int]:
        target = self._stands_for(value)
        if target is None:
            return []
        return list(self._between(target)) if self._is_list(target) else [target]

    def _key(self, number: int) -> tuple[str, bool]:
        """The text of a key, and whether it merges other maps in."""
        text = self._text[self.start[number] : self.end[number]]
        if number in self._compound:
            return text, False
        target = self._targets.get(number)
        if target is not None:
            return (text if target == _NONE or self.end[target] < 0 else self._key(target)[0]), False
        if not text:
            return "null", False
        if text[0] not in "&!'\"|>" and "\n" not in text and "\r" not in text:
            return text, text == "<<"
        event = _scalar(text)
        if event is None:
            return text, False
        if event.style:
            return event.value, False
        return event.value or "null", event.value == "<<" and event.tag is None


def _scalar(text: str) -> Any:
    """The event of a text that is one scalar, or None if it isn't read as that."""
    try:
        for event in islice(iter(events_of(text), None), _MOST_EVENTS):
            if hasattr(event, "value"):
                return event
    except Exception:  # a tag whose prefix is declared elsewhere, and the like: told already
        pass
    return None
