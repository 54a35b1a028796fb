"""Output schemas in the forms that services take: an object at the root, and strict where they can be."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from pipe_runner.types import JsonObject

VALUE: Final = "value"
"""The one property of the object around a schema that is none of an object."""


class Wanted(NamedTuple):
    """A schema of an object, and whether the answer stands in its one property."""

    schema: dict[str, Any]
    wrapped: bool

    def unwrapped(self, text: str) -> str:
        """The answer as the node's own schema has it; a text that isn't what was asked stays as it is."""
        if not self.wrapped:
            return text
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(data, dict) and data.keys() == {VALUE}:
            return json.dumps(data[VALUE], ensure_ascii=False)
        return text


def wanted(schema: JsonObject) -> Wanted:
    own: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    if own.get("type") == "object":
        return Wanted(own, False)
    shared: dict[str, Any] = {key: own.pop(key) for key in ("$defs", "definitions") if key in own}
    around: dict[str, Any] = {
        "type": "object",
        "properties": {VALUE: own},
        "required": [VALUE],
        "additionalProperties": False,
        **shared,
    }
    return Wanted(around, True)


def is_strict(schema: Any) -> bool:
    """Whether every object in it is closed and has all its properties required: then a service can hold to it."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            return False
        if schema.get("additionalProperties") is not False or set(required) != set(properties):
            return False
        if not all(map(is_strict, properties.values())):
            return False
    named = ("properties", "enum", "const", "default", "examples", "required", "$defs", "definitions")
    inner = [value for key, value in schema.items() if key not in named]
    for key in ("$defs", "definitions"):
        inner += schema[key].values() if isinstance(schema.get(key), dict) else ()
    return all(map(is_strict, inner))
