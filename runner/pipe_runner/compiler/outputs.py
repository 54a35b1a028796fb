"""What a pipeline gives under `outputs:`, as JSON Schema, for those that run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_runner.compiler.infer import schema_of
from pipe_runner.compiler.kinds import ANY, Lookup, Schema, type_of
from pipe_runner.compiler.references import References
from pipe_runner.compiler.values import Use
from pipe_runner.types import Path_

_DEPTH: Final = 6
_MOST: Final = 2000
"""Schemas that one output is made of: one that refers to itself from many places has any number of them."""


def schema_of_outputs(outputs: Mapping[str, Any], uses: Sequence[Use], references: References) -> Schema:
    """An object with what is known of each output."""
    by_path = {use.path: use for use in uses if use.place == "outputs"}
    return _of_value(dict(outputs), ("outputs",), by_path, references)


def _of_value(value: Any, path: Path_, uses: Mapping[Path_, Use], references: References) -> Schema:
    use = uses.get(path)
    if use is not None:
        schema = schema_of(use.compiled, references.schema)
        lookup = Lookup(schema)
        if use.compiled.kind == "reference":
            lookup = references.lookup(use.compiled.body)
        return _closed(schema, lookup, [_MOST])
    if isinstance(value, dict):
        inner = {key: _of_value(item, (*path, key), uses, references) for key, item in value.items()}
        return {"type": "object", "properties": inner, "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array"}
    return {"type": sorted(type_of(value) - {"number"} or {"number"})[0]}


def _closed(schema: Any, lookup: Lookup, left: list[int], depth: int = 0) -> Schema:
    """The schema without `$ref`s, which count from a document that isn't there any more; anything, deep down, and
    where none are `left`."""
    left[0] -= 1
    if depth > _DEPTH or left[0] < 0:
        return ANY
    schema = lookup.resolve(schema)
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("$defs", "definitions"):
            continue
        if key in ("properties", "patternProperties") and isinstance(value, Mapping):
            found[key] = {name: _closed(item, lookup, left, depth + 1) for name, item in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, Mapping):
            found[key] = _closed(value, lookup, left, depth + 1)
        elif key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            found[key] = [_closed(item, lookup, left, depth + 1) for item in value]
        else:
            found[key] = value
    return found
