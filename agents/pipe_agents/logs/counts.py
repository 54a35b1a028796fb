"""Counts of many different things in bounded memory: exact for those that are kept, and what isn't is counted, too."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Counts(Generic[Key]):
    """The first `most` different keys, each with its exact count; `beyond` counts all others together."""

    __slots__ = ("_most", "beyond", "kept")

    def __init__(self, most: int) -> None:
        self._most = most
        self.kept: dict[Key, int] = {}
        self.beyond = 0

    def add(self, key: Key, count: int = 1) -> None:
        kept = self.kept
        if key in kept:
            kept[key] += count
        elif len(kept) < self._most:
            kept[key] = count
        else:
            self.beyond += count

    def top(self, most: int) -> list[tuple[Key, int]]:
        """The largest first; equal ones by their keys."""
        return sorted(self.kept.items(), key=lambda item: (-item[1], str(item[0])))[:most]

    @property
    def total(self) -> int:
        return sum(self.kept.values()) + self.beyond
