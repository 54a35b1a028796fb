"""What the templates of a repeated node read as `item` and `matrix`, as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.fanout import SPECIAL, names_of
from pipe_runner.compiler.infer import SchemaOf, schema_of
from pipe_runner.compiler.kinds import ANY, Lookup, Nothing, Schema, type_of

Path: TypeAlias = tuple[str | int, ...]
_DEPTH: Final = 20
_MOST: Final = 10_000
"""Values of one list that are looked at."""
_CLOSED: Final = 20
"""Values of which it is kept what they are."""


def read_by(draft: Draft, root: str, of_path: SchemaOf, lookup_of: Callable[[Path], Lookup]) -> tuple[Schema, Lookup]:
    """The schema of `item` or `matrix` in a node, and the document that its `$ref`s count from."""
    if root == "item" and draft.spec.for_each is not None:
        return _item(draft, of_path, lookup_of)
    schema = _matrix(draft.spec.matrix) if root == "matrix" and draft.spec.matrix is not None else ANY
    return schema, Lookup(schema)


def _item(draft: Draft, of_path: SchemaOf, lookup_of: Callable[[Path], Lookup]) -> tuple[Schema, Lookup]:
    fan_out, schema = draft.fan_out, ANY
    if fan_out is not None and fan_out.items.static and isinstance(fan_out.items.data, list):
        schema = _of_values(fan_out.items.data)
    elif fan_out is not None:
        path = (*draft.path, "for_each", "items")
        for use in draft.uses:
            if use.path == path and use.sound:
                items = schema_of(use.compiled, of_path)
                lookup = lookup_of(use.compiled.body) if use.compiled.kind == "reference" else Lookup(items)
                inner = lookup.step(items, 0) if lookup.types(items) <= {"array", "null"} else ANY
                return (ANY if isinstance(inner, Nothing) else inner), lookup
    return schema, Lookup(schema)


def _matrix(spec: Mapping[str, Any]) -> Schema:
    """An object with all names that a combination may have."""
    included = [entry for entry in spec.get("include", ()) if isinstance(entry, dict)]
    properties = {}
    for name in names_of(dict(spec)):
        values = list(spec.get(name, ())) if name not in SPECIAL else []
        properties[name] = _of_values([*values, *(entry[name] for entry in included if name in entry)])
    return {"type": "object", "properties": properties}


def _of_values(values: Iterable[Any], depth: int = 0) -> Schema:
    """What all of these values are, taken together."""
    values = list(values)
    if depth > _DEPTH or len(values) > _MOST:
        return ANY
    types = frozenset[str]().union(*map(type_of, values))
    found: dict[str, Any] = {"type": sorted(types)} if types else {}
    if 0 < len(values) <= _CLOSED and not types & {"array", "object"}:
        found["enum"] = values
    maps = [value for value in values if isinstance(value, dict)]
    if maps:
        by_name: dict[str, list[Any]] = {}
        for one in maps:
            for name, value in one.items():
                by_name.setdefault(str(name), []).append(value)
        found["properties"] = {name: _of_values(inner, depth + 1) for name, inner in by_name.items()}
        found["additionalProperties"] = not by_name
    inside = [value for one in values if isinstance(one, list) for value in one]
    if inside:
        found["items"] = _of_values(inside, depth + 1)
    return found
