"""Holds what is expected against what there is: equal values, maps by their named keys, and the words of matchers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipe_runner.compiler.matching import same
from pipe_runner.types import Path_
from pipe_schemas.cases import MATCHERS
from pipe_schemas.patterns import matches

_WORDS = frozenset(MATCHERS)


class Absent(NamedTuple):
    """Stands for a value that there is none of, and says why."""

    why: str


class Unmet(NamedTuple):
    """One expectation that isn't met; `path` is its place in the file of tests, `what` names what was compared."""

    path: Path_
    what: str
    expected: Any
    got: Any
    word: str = ""
    """How they were compared, where not for being equal: `matches`, `contains`, `not`."""


def is_matcher(value: Any) -> bool:
    """Whether a value of an expectation says something of a value instead of being one."""
    return isinstance(value, dict) and bool(value) and value.keys() <= _WORDS


def unmet(expected: Any, got: Any, path: Path_, what: str) -> Iterator[Unmet]:
    """Each part of the expectation that isn't met, in the order of the file."""
    if isinstance(got, Absent):
        if not (is_matcher(expected) and expected.keys() == {"not"}):
            yield Unmet(path, what, expected, got)
    elif is_matcher(expected):
        for word, inner in expected.items():
            if not _holds(word, inner, got):
                yield Unmet((*path, word), what, inner, got, "" if word == "exactly" else word)
    elif isinstance(expected, dict):
        if not isinstance(got, Mapping):
            yield Unmet(path, what, expected, got)
            return
        for key, inner in expected.items():
            there = got[key] if key in got else Absent("there is no such key")
            yield from unmet(inner, there, (*path, key), f"{what}.{key}" if what else key)
    elif isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            yield Unmet(path, what, expected, got)
            return
        for number, inner in enumerate(expected):
            yield from unmet(inner, got[number], (*path, number), f"{what}[{number}]")
    elif not same(expected, got):
        yield Unmet(path, what, expected, got)


def _holds(word: str, inner: Any, got: Any) -> bool:
    if word == "exactly":
        return same(inner, got)
    if word == "not":
        return next(unmet(inner, got, (), ""), None) is not None
    if word == "matches":
        return isinstance(got, str) and matches(inner, got)
    if isinstance(got, str):  # contains
        return isinstance(inner, str) and inner in got
    if isinstance(got, list):
        return any(next(unmet(inner, item, (), ""), None) is None for item in got)
    return isinstance(got, Mapping) and isinstance(inner, str) and inner in got
