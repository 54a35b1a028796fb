"""Where every key and value of a document stands: made by a second pass over the text, when first asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from pipe_runner.loader.events import events_of, most_events
from pipe_runner.loader.oddities import MAX_DEPTH
from pipe_runner.types import Path_, PathStep

_SCALAR: Final = 0
_MAP: Final = 1
_LIST: Final = 2
_ALIAS: Final = 3

_NO_KEYS: Final = 0  # what the next node is: a list's, a map's key, a map's value
_KEY: Final = 1
_VALUE: Final = 2

_NONE: Final = -1
_MOST_MERGES: Final = 1000
"""Maps that are searched for one key, through merge keys."""


class Found(NamedTuple):
    """The nearest thing to a path that exists. Numbers are those of `Places`; `key` is -1 at the top and in lists."""

    key: int
    value: int
    exact: bool


class Places:
    """The nodes of a document in the order of the text, numbered from 0; a map's children are key, value, key, ….

    Kept in arrays, since a file may have a million of them: `start` and `end` are offsets in the text, `after` is the
    number of the next node that is no descendant.
    """

    def __init__(self, text: str, read_to: int | None = None) -> None:
        self._text = text
        self.start, self.end, self.after = array("q"), array("q"), array("q")
        self._target = array("q")  # what an alias stands for
        self._shape, self._flow = array("b"), array("b")
        self._keys: dict[int, str] = {}
        self._merge_keys: set[int] = set()
        self._entries: dict[int, dict[PathStep, tuple[int, int]]] = {}
        self._sources: dict[int, list[int]] = {}
        try:
            self._read(text, len(text) if read_to is None else read_to)
        except Exception:  # what ended the first pass, and was told, ends this one at the same place
            pass
        for number, after in enumerate(self.after):
            if after == _NONE:
                self.after[number] = len(self.after)

    def _read(self, text: str, read_to: int) -> None:
        from yaml.events import (
            AliasEvent,
            DocumentEndEvent,
            MappingEndEvent,
            MappingStartEvent,
            ScalarEvent,
            SequenceEndEvent,
            SequenceStartEvent,
        )

        shapes = {ScalarEvent: _SCALAR, MappingStartEvent: _MAP, SequenceStartEvent: _LIST, AliasEvent: _ALIAS}
        start, end, after, keys = self.start, self.end, self.after, self._keys
        anchors: dict[str, int] = {}
        anchored: dict[str, str] = {}  # texts of anchored scalars, for aliases that stand as keys
        add_start, add_end, add_after = start.append, end.append, after.append
        add_shape, add_target, add_flow = self._shape.append, self._target.append, self._flow.append
        open_: list[int] = []
        turns: list[int] = []
        turn = _NO_KEYS
        for event in islice(iter(events_of(text), None), most_events(text)):
            made = event.__class__
            shape = shapes.get(made)
            if shape is None:
                if made is MappingEndEvent or made is SequenceEndEvent:
                    number = open_.pop()
                    end[number] = event.end_mark.index
                    after[number] = len(after)
                    turn = turns.pop()
                    if turn == _VALUE:  # it was a key
                        keys[number] = text[start[number] : end[number]]
                elif made is DocumentEndEvent:
                    return
                continue
            number = len(start)
            begins = event.start_mark.index
            if begins > read_to:
                return
            if (
                shape == _SCALAR and turn == _NO_KEYS and event.anchor is None
            ):  # an item of a list: most of a large file
                add_start(begins)
                add_end(event.end_mark.index)
                add_shape(_SCALAR)
                add_target(_NONE)
                add_flow(0)
                add_after(number + 1)
                continue
            start.append(begins)
            end.append(event.end_mark.index)
            self._shape.append(shape)
            self._target.append(anchors.get(event.anchor, _NONE) if shape == _ALIAS else _NONE)
            if shape == _SCALAR:
                if turn == _KEY:
                    keys[number] = event.value if event.value or event.style else "null"
                    if event.value == "<<" and not event.style and event.tag is None:
                        self._merge_keys.add(number)
                if event.anchor is not None:
                    anchored[event.anchor] = event.value
            elif shape == _ALIAS and turn == _KEY:
                keys[number] = anchored.get(event.anchor, f"*{event.anchor}")
            if shape != _ALIAS and event.anchor is not None:
                anchors[event.anchor] = number
            if turn != _NO_KEYS:
                turn = _VALUE if turn == _KEY else _KEY
            if shape in (_MAP, _LIST):
                self._flow.append(bool(event.flow_style))
                after.append(_NONE)
                open_.append(number)
                if len(open_) > MAX_DEPTH:
                    return
                turns.append(turn)
                turn = _KEY if shape == _MAP else _NO_KEYS
            else:
                self._flow.append(0)
                after.append(number + 1)

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

    def is_scalar(self, number: int) -> bool:
        """Whether the node was a scalar in the file, or an unquoted expression that was read as one."""
        return self._shape[number] == _SCALAR or self._text.startswith("{{", self.start[number])

    def is_block(self, number: int) -> bool:
        """Whether the node is a map or list in block style: it begins where its first child does."""
        return self._shape[number] in (_MAP, _LIST) and not self._flow[number]

    def _entry(self, number: int, step: PathStep) -> tuple[int, int] | None:
        """Key and value at one step from a node, through aliases and merges."""
        left = [number]
        seen: set[int] = set()
        while left and len(seen) < _MOST_MERGES:
            one = self._stands_for(left.pop(0))
            if one is None or one in seen:
                continue
            seen.add(one)
            found = self._children(one).get(step)
            if found is not None:
                return found
            left[:0] = self._sources.get(one, ())
        return None

    def _stands_for(self, number: int) -> int | None:
        if self._shape[number] != _ALIAS:
            return number
        return None if self._target[number] == _NONE else self._target[number]

    def _children(self, number: int) -> dict[PathStep, tuple[int, int]]:
        """The entries that stand in a map or list itself; of duplicates the first one."""
        entries = self._entries.get(number)
        if entries is not None:
            return entries
        entries = self._entries[number] = {}
        if self._shape[number] == _LIST:
            for index, child in enumerate(self._between(number)):
                entries[index] = (_NONE, child)
        elif self._shape[number] == _MAP:
            children = self._between(number)
            for key in children:
                value = next(children, None)
                if value is None:
                    break
                if key in self._merge_keys:
                    self._sources.setdefault(number, self._merged_in(value))
                entries.setdefault(self._keys.get(key, ""), (key, value))
        return entries

    def _merged_in(self, value: int) -> list[int]:
        target = self._stands_for(value)
        if target is None:
            return []
        return list(self._between(target)) if self._shape[target] == _LIST else [target]

    def _between(self, number: int) -> Iterator[int]:
        child = number + 1
        while child < self.after[number]:
            yield child
            child = self.after[child]
