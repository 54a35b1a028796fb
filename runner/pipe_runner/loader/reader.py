"""Builds plain data straight from YAML events, in one pass, and notes every fault that the events outlive.

The loop is flat and does little per event, because it is what a large file waits for; whatever is rare (anchors, tags,
merges, faults) stands in `oddities`. Positions are not kept: `positions` makes them again when one is asked for.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from pipe_runner.collecting import uncollected
from pipe_runner.loader.events import NextEvent, TooManyEvents, events_of, most_events
from pipe_runner.loader.lines import Faults, Lines
from pipe_runner.loader.oddities import MAX_DEPTH, Oddities, TooDeep
from pipe_runner.loader.positions import AFTER, OPEN, Places
from pipe_runner.loader.scalars import STARTS
from pipe_runner.types import Json


class Reader:
    """Reads one document from events; `quoted` gives the text of quoted scalars that stand in for something else."""

    def __init__(
        self, text: str, events: NextEvent, faults: Faults, quoted: dict[int, str], *, noting: bool = False
    ) -> None:
        self.next_event = events
        self._quoted = quoted
        self._most = most_events(text)
        self.noting = noting
        self.places = Places(text)
        self.odd = Oddities(text, events, faults, self.places)
        self.ended_at: int | None = None
        """The offset behind the document, once it has been read whole."""

    def read(self) -> list[Json]:
        """The document's value in a list of one, or an empty list where the text has none.

        Raises what the parser raises, `TooDeep`, `TooMuch`, `TooManyEvents` and `TooManyFaults`; faults met before
        have been noted.
        """
        from yaml.events import (
            AliasEvent,
            DocumentEndEvent,
            DocumentStartEvent,
            MappingEndEvent,
            MappingStartEvent,
            ScalarEvent,
            SequenceEndEvent,
            SequenceStartEvent,
        )

        odd, quoted, noting = self.odd, self._quoted, self.noting
        containers, keys, names, unusual = odd.containers, odd.keys, odd.names, odd.unusual
        open_anchors, plain_values = odd.anchors.open, odd.plain_values
        starts, ends = self.places.start, self.places.end
        add_start, add_end = starts.append, ends.append
        open_: list[int] = []  # the numbers of `containers` among the places
        root: list[Any] = []
        current: Any = root
        key: Any = None  # in a map: the key that waits for its value
        in_map = False
        value: Any
        for event in islice(iter(self.next_event, None), self._most):
            made = event.__class__
            if made is ScalarEvent:
                if noting:
                    add_start(event.start_mark.index)
                    add_end(event.end_mark.index)
                value = event.value
                if event.anchor is not None or event.tag is not None:
                    value = odd.decorated(event, current, in_map and key is None)
                elif event.style:
                    if quoted:
                        value = quoted.get(event.start_mark.index, value)
                elif in_map and key is None:
                    value = names.get(value)
                    if value is None:
                        value = odd.plain_key(event, current)
                elif not value or value[0] in STARTS:
                    value = plain_values[value] if value in plain_values else odd.plain_value(event)
            elif made is MappingStartEvent or made is SequenceStartEvent:
                if not in_map or key is not None:
                    value = {} if made is MappingStartEvent else []
                    if noting:
                        open_.append(len(starts))
                        add_start(event.start_mark.index)
                        add_end(OPEN[made is SequenceStartEvent, bool(event.flow_style)])
                    if event.anchor is not None or event.tag is not None:
                        odd.decorate(event, value)
                    if in_map:
                        current[key] = value
                    else:
                        current.append(value)
                    containers.append(current)
                    keys.append(key)
                    if len(keys) > MAX_DEPTH:
                        raise TooDeep(event.start_mark.index)
                    current = value
                    key = None
                    in_map = made is MappingStartEvent
                    continue
                if not odd.begins_expression(event, current):
                    value = odd.complex_key(event)
                    if noting:
                        self.places.add_compound(event.start_mark.index, odd.ended_at)
                else:  # `{{ x }}`: the map that is being read becomes text in its own place
                    value = odd.expression(event)
                    if noting:
                        ends[open_.pop()] = odd.ended_at
                    odd.anchors.close(current, value)
                    current = containers.pop()
                    key = keys.pop()
                    in_map = current.__class__ is dict
                    if in_map:
                        current[key] = value
                        key = None
                    else:
                        current[-1] = value
                    continue
            elif made is MappingEndEvent or made is SequenceEndEvent:
                if unusual and id(current) in unusual:
                    odd.finish(current)
                if open_anchors:
                    odd.anchors.close(current, current)
                current = containers.pop()
                keys.pop()
                if noting:
                    ends[open_.pop()] += AFTER * len(starts)
                key = None
                in_map = current.__class__ is dict
                continue
            elif made is AliasEvent:
                if noting:
                    add_start(event.start_mark.index)
                    add_end(event.end_mark.index)
                    self.places.refer(event.anchor)
                value = odd.alias(event, in_map and key is None)
            elif made is DocumentStartEvent:
                odd.directives(event)
                continue
            elif made is DocumentEndEvent:
                self.ended_at = event.end_mark.index
                break
            else:
                continue
            if not in_map:
                current.append(value)
            elif key is not None:
                current[key] = value
                key = None
            elif value in current:
                key = odd.duplicate(event, current, value)
            else:
                key = value
        else:
            if next(iter(self.next_event, None), None) is not None:
                raise TooManyEvents
        return root


def is_dense(text: str) -> bool:
    """Whether so much stands in a text, for its length, that it takes long to read; judged by samples."""
    sample = "".join(text[at : at + 4096] for at in range(0, len(text), 16384))
    return 6 * (sum(map(sample.count, ":\n{[")) + 2 * sample.count(",")) > len(sample)


def places_of(text: str, quoted: dict[int, str]) -> Places:
    """Reads a text for its places alone, as far as it was read for its data."""
    reader = Reader(text, events_of(text), Faults("", Lines(text)), quoted, noting=True)
    with uncollected():
        try:
            reader.read()
        except Exception:  # has been told; it ends this reading at the same place
            pass
    return reader.places
