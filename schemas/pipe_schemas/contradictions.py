"""What no value can fulfil in a JSON Schema of answers, so that a model would be asked again in vain.

Only what one schema says by itself is looked at; what may be meant (`not`, `if`, one of several) is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipe_schemas.parts import Path, SchemaFault, parts

_PAIRS: Final = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
)
_STRICT: Final = (("exclusiveMinimum", "maximum"), ("minimum", "exclusiveMaximum"))
_MEANT: Final = frozenset(("not", "if", "anyOf", "oneOf"))


def contradictions(schema: Any, path: Path = ()) -> Iterator[SchemaFault]:
    """All of a schema whose keywords are each for themselves right."""
    if not isinstance(schema, dict):
        return
    for low, high in _PAIRS:
        if low in schema and high in schema and schema[low] > schema[high]:
            message = f"`{low}` is {schema[low]}, above `{high}`, which is {schema[high]}"
            yield SchemaFault((*path, low), message, at_key=True)
    for low, high in _STRICT:
        if low in schema and high in schema and schema[low] >= schema[high]:
            message = f"`{low}` is {schema[low]}, and `{high}` {schema[high]}: nothing is between them"
            yield SchemaFault((*path, low), message, at_key=True)
    yield from _values(schema, path)
    yield from _required(schema, path)
    for inner, part in parts(schema):
        if inner[0] not in _MEANT:
            yield from contradictions(part, (*path, *inner))


def _values(schema: Mapping[str, Any], path: Path) -> Iterator[SchemaFault]:
    if "type" not in schema:
        return
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    listed: list[tuple[Path, Any]] = [(("enum", number), value) for number, value in enumerate(schema.get("enum", ()))]
    listed += [(("const",), schema["const"])] if "const" in schema else []
    for place, value in listed:
        if not any(_is(value, kind) for kind in types):
            yield SchemaFault((*path, *place), f"this value is not of the schema's `type`: {', '.join(types)}")


def _is(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "number":
        return number
    if kind == "integer":
        return number and value == value // 1
    wanted = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}[kind]
    return isinstance(value, wanted)


def _required(schema: Mapping[str, Any], path: Path) -> Iterator[SchemaFault]:
    if schema.get("additionalProperties") is not False or "patternProperties" in schema:
        return
    for number, name in enumerate(schema.get("required", ())):
        if name not in schema.get("properties", {}):
            message = f"`{name[:60]}` is required, and can't be there: `additionalProperties` is false"
            yield SchemaFault((*path, "required", number), message, "name it under `properties`")
