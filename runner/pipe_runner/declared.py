"""What installed distributions declare in entry points. Their metadata is read once in a process, since reading them
takes as long as checking a file does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import Distribution


class Declared(NamedTuple):
    """One entry point: `target` is `module:attribute`."""

    name: str
    target: str
    distribution: str
    version: Callable[[], str]


def declared(group: str) -> tuple[Declared, ...]:
    """All in an entry-point group, in the order of the path; imports none of it."""
    folders = []
    for path in sys.path:
        try:
            folders.append((path, os.stat(path or ".").st_mtime_ns))
        except OSError:
            continue
    return _of_group(group, tuple(folders))


Folders = tuple[tuple[str, int], ...]
"""The path, with the times in nanoseconds at which something was installed into its folders or removed."""


@lru_cache(maxsize=8)
def _of_group(group: str, folders: Folders) -> tuple[Declared, ...]:
    names: dict[int, str] = {}
    found = []
    for point in _all(folders).select(group=group):
        dist: Distribution | None = point.dist
        if dist is None:
            found.append(Declared(point.name, point.value, "unknown", lambda: "unknown"))
            continue
        if id(dist) not in names:
            names[id(dist)] = dist.name
        found.append(Declared(point.name, point.value, names[id(dist)], partial(_version, dist)))
    return tuple(found)


@lru_cache(maxsize=1)
def _all(folders: Folders) -> Any:
    from importlib.metadata import entry_points

    return entry_points()


def _version(dist: Distribution) -> str:
    return str(dist.version)
