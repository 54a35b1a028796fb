"""Values that the file lists itself: a command is held to what it would be if each of them stood there (E420, E421)."""

from __future__ import annotations

import re
from itertools import product
from math import prod
from typing import Any, Final

from pipe_runner.compiler.infer import SchemaOf, schema_of
from pipe_runner.compiler.leading import closed_list, text_at
from pipe_runner.compiler.room import Room, more_hint
from pipe_runner.compiler.values import may_hold_template
from pipe_runner.expressions import Fault
from pipe_runner.expressions.compile import compile_value
from pipe_runner.expressions.compiled import IN_CODE, Path
from pipe_runner.expressions.shelltext import compile_argv, weighed_shell
from pipe_runner.expressions.values import value_to_text
from pipe_runner.types import Path_

_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]*")
"""A text that means the same with quotes and without, to a shell and within most programs."""
_MOST: Final = 50
_MOST_TOGETHER: Final = 500
"""Ways to choose a word for each of several expressions of one command."""


Found = list[tuple[Fault, Path_]]
"""Faults of one command, each with the path of its text."""


def not_written_out(spec: Any, found: Found, of_path: SchemaOf, room: Room) -> Found:
    """Those at whose expression not only words of the file can stand, or at which the file itself could not say them:
    the `enum` of an input, the values of a matrix, a list under `for_each`. `room` bounds the looking."""
    at: dict[str, Found] = {}
    for fault, path in found:
        text = text_at(spec, path) or ""
        at.setdefault(text[fault.offset : fault.offset + fault.length], []).append((fault, path))
    where = found[0][1]
    texts = (
        [spec.run] if where[2] == "run" else [value_to_text(word) for word in spec.argv] if where[2] == "argv" else []
    )
    told = _faults(texts, where, room) if texts else 0
    passing: dict[str, list[str]] = {}
    for written, here in at.items():
        words = _words(spec, written, of_path) if texts else []
        if words and _are_plain({written: words}, len(here), texts, told, where, room):
            passing[written] = words
    if room.full:
        return [(fault._replace(hint=more_hint(fault)), path) for fault, path in found]
    if len(passing) > 1:
        count = sum(len(at[written]) for written in passing)
        if not _are_plain(passing, count, texts, told, where, room):
            return found
    return [one for written, here in at.items() if written not in passing for one in here]


def _words(spec: Any, written: str, of_path: SchemaOf) -> list[str]:
    """The words that an expression gives; none where there may be others."""
    if written[:2] != "{{":
        return []
    value, faults = compile_value(written)
    if faults or not value.whole or not all(_of_the_file(spec, one.path) for one in value.references):
        return []
    words = [value_to_text(one) for one in closed_list(schema_of(value, of_path)) or ()]
    return words if len(words) <= _MOST and all(map(_WORD.fullmatch, words)) else []


def _are_plain(words: dict[str, list[str]], count: int, texts: list[str], told: int, path: Path_, room: Room) -> bool:
    """Whether the faults at these expressions, `count` of all that are told, are gone with any of the words there, and
    no other has come."""
    if prod(map(len, words.values())) > _MOST_TOGETHER:
        return False
    for chosen in product(*words.values()):
        given = texts
        for written, word in zip(words, chosen, strict=True):
            given = [text.replace(written, word) for text in given]
        if _faults(given, path, room) > told - count or room.full:
            return False
    return True


def _of_the_file(spec: Any, path: Path) -> bool:
    """Whether it is said in the file, or held to that before a run: what a node gave can be read also where it is not
    what it should have been."""
    if path[0] == "item":
        return spec.for_each is not None and not may_hold_template(spec.for_each.items)
    return path[0] in ("inputs", "matrix")


def _faults(texts: list[str], path: Path_, room: Room) -> int:
    """How many values would be code in a command of these texts; 0 where there is no room to look."""
    if room.full:
        return 0
    if path[2] == "argv":
        room.holds(len(texts) + sum(map(len, texts)) // 20)
        return sum(fault.code in IN_CODE for _, fault in compile_argv(texts)[1])
    _, faults, work = weighed_shell(texts[0])
    room.holds(work)
    return sum(fault.code in IN_CODE for fault in faults)
