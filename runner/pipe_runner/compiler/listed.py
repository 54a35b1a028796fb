"""Values that the file lists itself, or holds to a pattern: a command is held to what it would be if each of them stood
there (E420, E421)."""

from __future__ import annotations

import re
from itertools import product
from math import prod
from typing import Any, Final

from pipe_runner.compiler.infer import SchemaOf, schema_of
from pipe_runner.compiler.kinds import Schema, types_of
from pipe_runner.compiler.leading import closed_list, in_env, is_word, text_at
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
_NUMBERS: Final = {"integer": ("7", "-7"), "number": ("1.5", "-1.5", "1e+22")}
"""Numbers, which no program takes for anything else."""
_MOST: Final = 50
_MOST_TOGETHER: Final = 500
"""Ways to choose a word for each of several expressions of one command."""


Found = list[tuple[Fault, Path_]]
"""Faults of one command, each with the path of its text."""


def not_written_out(spec: Any, found: Found, of_path: SchemaOf, room: Room) -> Found:
    """Those at whose expression not only words of the file can stand, or at which the file itself could not say them:
    the `enum` of an input, the values of a matrix, a list under `for_each`; numbers and words of a `pattern` where they
    choose no program. `room` bounds the looking."""
    if in_env(found[0][1]):
        return [(fault, path) for fault, path in found if not _is_listed(spec, path, fault, of_path)]
    at: dict[str, Found] = {}
    for fault, path in found:
        text = text_at(spec, path) or ""
        at.setdefault(text[fault.offset : fault.offset + fault.length], []).append((fault, path))
    where = found[0][1]
    texts = (
        [spec.run] if where[2] == "run" else [value_to_text(word) for word in spec.argv] if where[2] == "argv" else []
    )
    told = _faults(texts, where, room) if texts else 0
    known: dict[str, list[str]] = {}
    for written, here in at.items() if texts else ():
        words = _words(spec, written, of_path, all(fault.code == "E420" for fault, _ in here))
        if words is not None:
            known[written] = words

    def may_stand(words: dict[str, list[str]]) -> bool:
        return _are_plain(words, sum(len(at[written]) for written in words), texts, told, where, room)

    passing = known
    if known and not may_stand(known):
        passing = {written: words for written, words in known.items() if len(known) > 1 and may_stand({written: words})}
    if room.full:
        return [(fault._replace(hint=more_hint(fault)), path) for fault, path in found]
    if passing is not known and len(passing) > 1 and not may_stand(passing):
        return found
    return [one for written, here in at.items() if written not in passing for one in here]


def _words(spec: Any, written: str, of_path: SchemaOf, data: bool) -> list[str] | None:
    """The words that an expression gives: nothing where there may be others, and no word in the list for any plain one.

    `data`: they choose no program; then numbers and words of a `pattern` count, too.
    """
    if written[:2] != "{{":
        return None
    value, faults = compile_value(written)
    if faults or not value.whole or not all(_of_the_file(spec, one.path) for one in value.references):
        return None
    schema = schema_of(value, of_path)
    return [] if data and is_word(schema) else _texts(schema, data)


def _texts(schema: Schema, data: bool) -> list[str] | None:
    """The words of a list that the file has, or numbers where they are `data`."""
    words = [value_to_text(one) for one in closed_list(schema) or ()]
    if words:
        return words if len(words) <= _MOST and all(map(_WORD.fullmatch, words)) else None
    if data and types_of(schema) and types_of(schema) <= set(_NUMBERS):
        return [each for name in sorted(types_of(schema)) for each in _NUMBERS[name]]
    return None


def _is_listed(spec: Any, path: Path_, fault: Fault, of_path: SchemaOf) -> bool:
    """Whether a variable holds nothing but texts of the file, words that it lists, and numbers where they choose no
    program."""
    value, faults = compile_value(spec.env[path[-1]])
    if faults or not value.references or not all(_of_the_file(spec, one.path) for one in value.references):
        return False
    if value.kind == "text":
        schemas = [of_path(part) for part in value.body if not isinstance(part, str)]
    else:
        schemas = [schema_of(value, of_path)] if value.whole else [{}]
    return all(_texts(schema, fault.code == "E420") for schema in schemas)


def _are_plain(words: dict[str, list[str]], count: int, texts: list[str], told: int, path: Path_, room: Room) -> bool:
    """Whether the faults at these expressions, `count` of all that are told, are gone with any of the words there, and
    no other has come."""
    listed = {written: each for written, each in words.items() if each}
    if prod(map(len, listed.values())) > _MOST_TOGETHER:
        return False
    for chosen in product(*listed.values()):
        given = texts
        for written, word in zip(listed, chosen, strict=True):
            given = [text.replace(written, word) for text in given]
        if _faults(given, path, room, frozenset(words) - frozenset(listed)) > told - count or room.full:
            return False
    return True


def _of_the_file(spec: Any, path: Path) -> bool:
    """Whether it is said in the file, or held to that before a run: what a node gave can be read also where it is not
    what it should have been."""
    if path[0] == "item":
        return spec.for_each is not None and not may_hold_template(spec.for_each.items)
    return path[0] in ("inputs", "matrix")


def _faults(texts: list[str], path: Path_, room: Room, plain: frozenset[str] = frozenset()) -> int:
    """How many values would be code in a command of these texts, `plain` ones of which are words that mean themselves;
    0 where there is no room to look."""
    if room.full:
        return 0
    if path[2] == "argv":
        room.holds(len(texts) + sum(map(len, texts)) // 20)
        return sum(fault.code in IN_CODE for _, fault in compile_argv(texts, plain)[1])
    _, faults, work = weighed_shell(texts[0], plain=plain)
    room.holds(work)
    return sum(fault.code in IN_CODE for fault in faults)
