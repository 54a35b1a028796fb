"""What a reader of YAML meets rarely: keys that aren't text, anchors, tags, merges, unquoted expressions."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

from pipe_runner.loader.anchors import Anchors, Unfinished, merge
from pipe_runner.loader.events import NextEvent, TooManyEvents, most_events
from pipe_runner.loader.lines import Faults
from pipe_runner.loader.positions import Places
from pipe_runner.loader.scalars import STARTS, NotJson, kind, resolve
from pipe_runner.types import Json, Path_, PathStep

MAX_DEPTH: Final = 100
"""Maps and lists that may stand inside one another."""


class TooDeep(Exception):
    """Nested beyond `MAX_DEPTH`; `index` is where."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class _Slot:
    """A key, of a map under construction, that is no text."""


_MERGE: Final = _Slot()
_DISCARD: Final = _Slot()
"""The key of an entry that is read and thrown away."""


class Oddities:
    """The rare cases of reading, and the state that they share with the loop of `Reader`."""

    def __init__(self, text: str, events: NextEvent, faults: Faults, places: Places) -> None:
        self._text = text
        self._next = events
        self._faults = faults
        self._places = places
        self._unresolved = -1  # where the last alias without a value stands
        self._expanded: Any = None  # the event of the last alias with one
        self.anchors = Anchors(len(text))
        self.containers: list[Any] = []
        """The maps and lists around the one that is being read; the first is a list for the document's value."""
        self.keys: list[Any] = []
        """For each of `containers` the key under which the next one stands in it."""
        self.plain_values: dict[str, Json] = {}
        """What plain scalars stand for that were met before and are, or may have been, something other than text."""
        self.names: dict[str, str] = {}
        """Plain keys that are known to be text."""
        self.unusual: dict[int, int] = {}
        """Maps that need `finish`, by id; the value is where their merge key stands."""
        self.duplicates: list[tuple[int, Path_]] = []
        """For each duplicate key, the number of its fault and the path at which the first one stands."""
        self.ended_at = 0
        """The offset behind the last expression or key that was read to its end here."""

    # scalars

    def plain_value(self, event: Any) -> Json:
        """The value of a plain scalar that may be something other than text."""
        text: str = event.value
        if text in self.plain_values:
            return self.plain_values[text]
        try:
            value = resolve(text)
        except NotJson as why:
            self._faults.add("E115", str(why), *_span(event), "quote it if it is meant as text")
            return None
        if len(text) < 64:
            self.plain_values[text] = value
        return value

    def plain_key(self, event: Any, current: dict[Any, Any]) -> Any:
        """The key that a plain scalar stands for: text, or the merge key."""
        text: str = event.value
        if text == "<<":
            self.unusual[id(current)] = event.start_mark.index
            return _MERGE
        if not text or text[0] in STARTS:
            try:
                value = resolve(text)
                what = None if value.__class__ is str else kind(value)
            except NotJson:
                what = "a number"
            if what is not None:
                hint = f'quote it: "{text}"' if 0 < len(text) < 40 else "write a key before the `:`"
                self._faults.add("E109", f"a key must be text, and this is {what}", *_span(event), hint)
                return text or "null"
        self.names[text] = text
        return text

    def decorated(self, event: Any, current: Any, is_key: bool) -> Any:
        """The value of a scalar that has an anchor or a tag."""
        value: Any
        if event.anchor is not None:
            self._places.name(event.anchor)
        if event.tag is not None:
            self._tag(event)
            value = event.value
        elif event.style:
            value = event.value
        else:
            value = self.plain_key(event, current) if is_key else self.plain_value(event)
        if event.anchor is not None and not isinstance(value, _Slot):
            self.anchors.define(event.anchor, value)
        return value

    def _tag(self, event: Any) -> None:
        tag = _shown_tag(event.tag)
        hint = "write the value without a tag; text that begins with `!` needs quotes"
        if tag == "!!str":
            hint = "quote the value instead"
        self._faults.add("E110", f"tags are not supported: {tag}", event.start_mark.index, len(tag), hint)

    # maps and lists

    def decorate(self, event: Any, container: Any) -> None:
        """Takes the anchor and the tag of a map or list that is about to be filled."""
        if event.anchor is not None:
            self._places.name(event.anchor)
        if event.tag is not None:
            self._tag(event)
        if event.anchor is not None:
            self.anchors.begin(event.anchor, container)

    def finish(self, current: dict[Any, Any]) -> None:
        """Ends a map that has a merge key or duplicates: afterwards all its keys are text."""
        index = self.unusual.pop(id(current))
        current.pop(_DISCARD, None)
        value = current.pop(_MERGE, _DISCARD)
        if value is _DISCARD or self._unresolved > index:
            return  # there is none, or an alias in this map was told already
        sources = value if value.__class__ is list else [value]
        number = 0
        for source in sources:
            if source.__class__ is not dict:
                self._faults.add("E114", "`<<` takes a map, or a list of maps", index, 2, "<<: *name-of-an-anchor")
                return
            number += len(source)
        self.anchors.spend_values(number)
        merge(current, sources)

    def duplicate(self, event: Any, current: dict[Any, Any], key: Any) -> Any:
        """Notes that `key` stands in `current` already; the first entry stays, this one is read and dropped."""
        name = "<<" if key is _MERGE else key
        hint = "write one `<<` with a list: <<: [*a, *b]" if key is _MERGE else None
        self._faults.add("E108", f'duplicate key "{_short(name)}"', *_span(event), hint)
        path = self._path()
        if path is not None:
            self.duplicates.append((len(self._faults.found) - 1, (*path, name)))
        self.unusual.setdefault(id(current), event.start_mark.index)
        return _DISCARD

    def _path(self) -> Path_ | None:
        """Where the map stands that is being read, or None inside an entry that is dropped."""
        steps: list[PathStep] = []
        for container, key in zip(self.containers[1:], self.keys[1:], strict=True):
            if isinstance(key, _Slot):
                return None
            steps.append(len(container) - 1 if isinstance(container, list) else key)
        return tuple(steps)

    # keys that are more than a scalar

    def begins_expression(self, event: Any, current: Any) -> bool:
        """Whether this map, the first key of another, is the inner brace of an unquoted `{{`."""
        start = event.start_mark.index
        return not current and start > 0 and self._text.startswith("{{", start - 1)

    def expression(self, event: Any) -> str:
        """Reads an unquoted `{{ … }}` to its end and gives it as the text it was meant to be."""
        start = event.start_mark.index - 1
        text = self._text[start : self._skip(2)]
        self._faults.add("E117", *unquoted(text, start))
        return text

    def complex_key(self, event: Any) -> str:
        """Reads a map or list that stands as a key to its end and gives its source as text."""
        start = event.start_mark.index
        text = self._text[start : self._skip(1)]
        what = "a list" if event.__class__.__name__ == "SequenceStartEvent" else "a map"
        if text.startswith("{{"):
            self._faults.add(
                "E117", "an expression can't be a key", start, len(text), "expressions stand in values only"
            )
        else:
            self._faults.add("E109", f"a key must be text, and this is {what}", start, len(text))
        return text

    def _skip(self, depth: int) -> int:
        """Reads on until `depth` containers have ended; gives the offset behind the last one."""
        level = depth
        for event in islice(iter(self._next, None), most_events(self._text)):
            name = event.__class__.__name__
            if name.endswith("EndEvent"):
                level -= 1
                if level == 0:
                    self.ended_at = int(event.end_mark.index)
                    return self.ended_at
            elif name in ("MappingStartEvent", "SequenceStartEvent"):
                level += 1
                if level + len(self.keys) > MAX_DEPTH:
                    raise TooDeep(event.start_mark.index)
            if name != "AliasEvent" and getattr(event, "anchor", None) is not None:
                self.anchors.define(event.anchor, None)
        raise TooManyEvents

    # aliases and directives

    def alias(self, event: Any, is_key: bool) -> Any:
        """What an alias stands for: the same object as its anchor's."""
        name: str = event.anchor
        value = self.anchors.values.get(name, _DISCARD)
        if value is _DISCARD:
            hint = f"quote it if it is text: '*{_short(name)}'; else put &{_short(name)} before the value it repeats"
            self._faults.add("E111", f"no anchor is called {_short(name)}", *_span(event), hint)
            self._unresolved = event.start_mark.index
            return f"*{name}" if is_key else None
        if value.__class__ is Unfinished:
            self._faults.add("E112", f"*{_short(name)} stands inside &{_short(name)}, so it has no end", *_span(event))
            self._unresolved = event.start_mark.index
            return f"*{name}" if is_key else None
        if is_key and not isinstance(value, str):
            self._faults.add("E109", f"a key must be text, and *{_short(name)} is {kind(value)}", *_span(event))
            return f"*{name}"
        self._expanded = event
        self.anchors.spend(value)
        return value

    @property
    def last_alias(self) -> int:
        """Where the alias stands that was expanded last."""
        return 0 if self._expanded is None else int(self._expanded.start_mark.index)

    def directives(self, event: Any) -> None:
        """Refuses the directives that would change how the file is read."""
        if event.version is not None and tuple(event.version) != (1, 2):
            version = ".".join(str(part) for part in event.version)
            self._faults.add(
                "E120", f"YAML {version} is asked for, and this is read as YAML 1.2", 0, 5, "remove the line"
            )
        if event.tags:
            self._faults.add("E120", "%TAG is not supported, as no tag is", max(self._text.find("%TAG"), 0), 4)


def unquoted(text: str, start: int) -> tuple[str, int, int, str]:
    """Message, offset, length and hint for an unquoted expression."""
    if re.match(r"\{\{-?\s*\.", text):
        shown = text if len(text) < 60 and "\n" not in text else "{{.Name}}"
        hint = f'for text that another program reads: "{{% raw %}}{shown}{{% endraw %}}"'
        return "an unquoted Go template: YAML reads `{{` as the beginning of a map", start, len(text), hint
    shown = text if len(text) < 60 and "\n" not in text else "{{ … }}"
    quote = "'" if '"' in shown and "'" not in shown else '"'
    return (
        "an unquoted expression: YAML reads `{{` as the beginning of a map",
        start,
        len(text),
        (
            f"quote it: {quote}{shown}{quote}"
            if quote not in shown
            else "quote the whole value, or write it below as a block with >-"
        ),
    )


def _span(event: Any) -> tuple[int, int]:
    start = event.start_mark.index
    return start, max(1, event.end_mark.index - start)


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:57]}…"


def _shown_tag(tag: str) -> str:
    for prefix in ("tag:yaml.org,2002:",):
        if tag.startswith(prefix):
            tag = f"!!{tag.removeprefix(prefix)}"
    return _short(tag)
