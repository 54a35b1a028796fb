"""Anchors, aliases and merge keys, with a bound on what they expand to."""

from __future__ import annotations

from typing import Any, Final

from pipe_runner.types import Json

LEAST_EXPANSION: Final = 100_000
"""Values that aliases may stand for in any file; a large file gets one more for every `TEXT_PER_EXPANSION`."""
TEXT_PER_EXPANSION: Final = 8
"""Characters."""

_TEXT_PER_VALUE: Final = 32
"""Characters of text that count as one value."""


class Unfinished:
    """Stands for a map or list whose end hasn't been read."""

    __slots__ = ("container", "name")

    def __init__(self, name: str, container: Any) -> None:
        self.name = name
        self.container = container


class TooMuch(Exception):
    """Aliases or merges expand beyond the bound."""


class Anchors:
    """What the anchors of a document stand for; aliases share the value, they don't copy it."""

    def __init__(self, characters: int) -> None:
        self.limit = LEAST_EXPANSION + characters // TEXT_PER_EXPANSION
        self.open: dict[int, Unfinished] = {}
        """Anchored containers under construction, by their id."""
        self.values: dict[str, Any] = {}
        """Every anchor so far with its value, or `Unfinished`."""
        self._weights: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id in `_weights` is given away again
        self.expanded = 0

    def define(self, name: str, value: Json) -> None:
        """Names a value that is complete."""
        self.values[name] = value

    def begin(self, name: str, container: Any) -> None:
        """Names a map or list that is about to be filled."""
        self.values[name] = self.open[id(container)] = Unfinished(name, container)

    def close(self, container: Any, value: Any) -> None:
        """Completes `container` if it has an anchor; `value` is what stands in its place, mostly itself."""
        unfinished = self.open.pop(id(container), None)
        if unfinished is None:
            return
        name = unfinished.name
        if self.values.get(name) is unfinished:
            self.values[name] = value
        if value is container:
            self._weights[id(container)] = self._weigh(container)
            self._kept.append(container)

    def spend(self, value: Any) -> None:
        """Counts `value` as expanded once more; raises `TooMuch`."""
        weight = self._weights.get(id(value))
        self.spend_values(self._weigh(value) if weight is None else weight)

    def spend_values(self, number: int) -> None:
        """Counts `number` values as expanded; raises `TooMuch`."""
        self.expanded += number
        if self.expanded > self.limit:
            raise TooMuch

    def _weigh(self, value: Any) -> int:
        """How many values `value` holds, itself included; long texts count as several."""
        weights = self._weights
        if isinstance(value, dict | list) and id(value) in weights:
            return weights[id(value)]
        total = 0
        left = [value]
        while left:
            one = left.pop()
            total += 1
            if isinstance(one, str):
                total += len(one) // _TEXT_PER_VALUE
            elif isinstance(one, dict | list):
                if id(one) in weights:
                    total += weights[id(one)] - 1
                elif isinstance(one, dict):
                    total += sum(len(key) for key in one) // _TEXT_PER_VALUE
                    left.extend(one.values())
                else:
                    left.extend(one)
        return total


def merge(own: dict[Any, Any], sources: list[dict[str, Any]]) -> None:
    """Makes `own` what it is after `<<`: its keys win over those of the sources, earlier sources over later ones."""
    if len(sources) == 1 and not own:
        own.update(sources[0])
        return
    result: dict[Any, Any] = {}
    for source in reversed(sources):
        result.update(source)
    result.update(own)
    own.clear()
    own.update(result)
