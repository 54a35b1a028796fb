"""Values that the file lists itself: a command is held to what it would be if each of them stood there (E420, E421)."""

from __future__ import annotations

import re
from typing import Any, Final

from pipe_runner.compiler.infer import SchemaOf, schema_of
from pipe_runner.compiler.leading import closed_list, text_at
from pipe_runner.compiler.room import Room
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


def is_written_out(spec: Any, path: Path_, fault: Fault, of_path: SchemaOf, room: Room) -> bool:
    """Whether the expression at the fault gives none but words of the file, and the file could as well say each of
    them there: the `enum` of an input, the values of a matrix, a list under `for_each`. `room` bounds the looking."""
    text = text_at(spec, path)
    begin, end = fault.offset, fault.offset + fault.length
    if text is None or text[begin : begin + 2] != "{{":
        return False
    value, faults = compile_value(text[begin:end])
    if faults or not value.whole or not all(_of_the_file(spec, one.path) for one in value.references):
        return False
    listed = closed_list(schema_of(value, of_path))
    words = [value_to_text(one) for one in listed or ()]
    if not words or len(words) > _MOST or not all(map(_WORD.fullmatch, words)):
        return False
    told = _faults(spec, path, text, room)
    return all(_faults(spec, path, text[:begin] + word + text[end:], room) < told for word in words) and not room.full


def _of_the_file(spec: Any, path: Path) -> bool:
    """Whether it is said in the file, or held to that before a run: what a node gave can be read also where it is not
    what it should have been."""
    if path[0] == "item":
        return spec.for_each is not None and not may_hold_template(spec.for_each.items)
    return path[0] in ("inputs", "matrix")


def _faults(spec: Any, path: Path_, text: str, room: Room) -> int:
    """How many values would be code in the command with this text; 0 where there is no room to look."""
    if room.full:
        return 0
    if path[2] != "argv":
        _, faults, work = weighed_shell(text)
        room.holds(work)
        return sum(fault.code in IN_CODE for fault in faults)
    words = [value_to_text(word) for word in spec.argv]
    words[int(path[3])] = text
    room.holds(sum(map(len, words)) // 20)
    return sum(fault.code in IN_CODE for _, fault in compile_argv(words)[1])
