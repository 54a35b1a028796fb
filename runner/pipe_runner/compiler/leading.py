"""Values that would be options if they began with `-` (W406), or whose backslashes are read again (W405): whether it is
known that they don't, or have none."""

from __future__ import annotations

import re
from typing import Any, Final

from pipe_runner.compiler.infer import SchemaOf, schema_of
from pipe_runner.compiler.kinds import Schema, types_of
from pipe_runner.expressions import Fault
from pipe_runner.expressions.compile import compile_value
from pipe_runner.expressions.compiled import BACKSLASHES
from pipe_runner.expressions.values import value_to_text
from pipe_runner.types import Path_

_WORD: Final = re.compile(r"[^-\s*?\[\\][^\s*?\[\\]*")
"""A text of which the shell makes one word, without quotes too, and that is no option."""
_SET: Final = r"(?:[a-z]-[a-z]|[A-Z]-[A-Z]|\d-\d|\\[dw.]|[\w./:@+,=])+"
_PATTERN: Final = re.compile(
    rf"\^(?:\\[dw.]|\[{_SET}\]|[\w/:@,=])(?:\+|\{{[1-9][\d,]*\}})?"
    rf"(?:(?:\\[dw.]|\[{_SET}-?\]|[\w/:@,=-])(?:[+*?]|\{{[\d,]+\}})?)*\$"
)
"""A plain pattern that only such words match, as `^v\\d+\\.\\d+$` or `^[a-z][a-z0-9-]*$`."""
_BEGINNING: Final = re.compile(rf"\^(?:\\[dw.]|\[{_SET}\]|[\w/:@,=])(?![*?{{])[^|]*")
"""A pattern that says no more than how a text begins, as `^/`; in quotes that is enough."""
_PLAIN: Final = frozenset({"integer", "number", "boolean", "null"})
_ENDS: Final = re.compile(r"[\"']?(?:[\s;|&)]|\Z)")


def is_no_option(spec: Any, path: Path_, fault: Fault, of_path: SchemaOf) -> bool:
    """Whether no value at that place of a node, or of the file's `env`, is an option, or has a backslash."""
    return _env(spec.env[path[-1]], of_path) if in_env(path) else _hole(spec, path, fault, of_path)


def in_env(path: Path_) -> bool:
    """Whether the place is a variable of the file or of a node; a node may be called `env`."""
    return path[0] == "env" or path[2] == "env"


def _hole(spec: Any, path: Path_, fault: Fault, of_path: SchemaOf) -> bool:
    """Whether no value of an expression in a command is an option; a negative number is none if it is a whole word."""
    text = text_at(spec, path)
    if text is None:
        return False
    end = fault.offset + fault.length
    value, faults = compile_value(text[fault.offset : end])
    alone = not fault.message.startswith("$") and _ENDS.match(text, end) is not None
    if faults or not value.whole:
        return False
    schema = schema_of(value, of_path)
    if fault.code == BACKSLASHES:
        texts = [value_to_text(one) for one in closed_list(schema) or ()]
        return not any("\\" in text for text in texts) if texts else types_of(schema) <= _PLAIN or _words(schema)
    pattern = schema.get("pattern") if types_of(schema) == {"string"} and not fault.message.startswith("$") else None
    begun = isinstance(pattern, str) and _BEGINNING.fullmatch(pattern) is not None
    return begun or _words(schema, negative=alone)


def text_at(spec: Any, path: Path_) -> str | None:
    """The text of a command, or of an item of `argv`."""
    text: Any = getattr(spec, str(path[2]), None)
    text = text[int(path[3])] if path[2] == "argv" and isinstance(text, list) else text
    return text if isinstance(text, str) else None


def closed_list(schema: Schema) -> list[Any] | None:
    """All values that there are, where the schema lists them."""
    if "anyOf" in schema:
        lists = [closed_list(one) for one in schema["anyOf"]]
        return None if None in lists else [value for one in lists for value in one or ()]
    closed = [schema["const"]] if "const" in schema else schema.get("enum")
    closed = [True, False] if closed is None and types_of(schema) == {"boolean"} else closed
    return closed if isinstance(closed, list) else None


def _env(text: str, of_path: SchemaOf) -> bool:
    """Whether no value in a variable is an option, nor begins one where the shell makes several words of it."""
    value = compile_value(text)[0]
    if value.kind != "text":
        return value.whole and _words(schema_of(value, of_path))
    return all(isinstance(part, str) or _words(of_path(part), negative=at > 0) for at, part in enumerate(value.body))


def is_word(schema: Schema) -> bool:
    """Whether a pattern lets nothing pass but one word, which means itself to a shell and is no option."""
    pattern = schema.get("pattern") if types_of(schema) == {"string"} else None
    return isinstance(pattern, str) and _PATTERN.fullmatch(pattern) is not None


def _words(schema: Schema, *, negative: bool = False) -> bool:
    """Whether each value is known to be one word that doesn't begin with `-`; `negative`: a number may."""
    closed = closed_list(schema)
    if closed is not None:
        return all(_WORD.fullmatch(value_to_text(value)) for value in closed)
    types, least = types_of(schema), schema.get("minimum")
    if not types <= {"integer", "number"}:
        return is_word(schema)
    return negative or (isinstance(least, int | float) and least >= 0)
