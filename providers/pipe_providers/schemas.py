"""Schemas as services take them: an object at the root, without alternatives, and strict where they can be."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from pipe_runner.models import ToolSpec
from pipe_runner.types import JsonObject
from pipe_schemas.standing import standing

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
        for one in dict.fromkeys(standing(text)):
            try:
                data = json.loads(one)
            except (ValueError, RecursionError):
                continue
            return json.dumps(data[VALUE], ensure_ascii=False) if _is_around(data) else text
        return text


def _is_around(data: Any) -> bool:
    return isinstance(data, dict) and data.keys() == {VALUE}


def wanted(schema: JsonObject) -> Wanted:
    own: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    if own.get("type") == "object" and not own.keys() & {*_AT_TOP, "$ref"}:
        return Wanted(own, False)
    from pipe_schemas.answers import taken_apart

    inner, definitions = taken_apart(own)
    around: dict[str, Any] = {
        "type": "object",
        "properties": {VALUE: inner},
        "required": [VALUE],
        "additionalProperties": False,
    }
    return Wanted({**around, "$defs": definitions} if definitions else around, True)


def instruct(messages: list[dict[str, Any]], schema: JsonObject, *, tools: bool) -> None:
    """Tell a model of a schema that its service isn't told of, or doesn't show it: at the beginning, since many servers
    refuse a message of the system that stands anywhere else."""
    first = "When you need no tool any more, answer" if tools else "Answer"
    text = f"{first} with one JSON value and nothing else. Its JSON Schema: {json.dumps(schema)}"
    if messages and messages[0]["role"] == "system" and isinstance(messages[0]["content"], str):
        messages[0]["content"] = f"{messages[0]['content']}\n\n{text}".strip()
    else:
        messages.insert(0, {"role": "system", "content": text})


def told(tool: ToolSpec) -> ToolSpec:
    """A tool with a schema that services take: with properties, and without alternatives at its top, whose properties
    it gets. Those stand in the description; what a model then gives is held against the whole schema."""
    given: dict[str, Any] = {key: value for key, value in tool.parameters.items() if key not in ("$schema", "$id")}
    apart = {key: given.pop(key) for key in _AT_TOP if key in given}
    properties = dict(given.get("properties") or {})
    for key in ("allOf", "anyOf", "oneOf"):
        for one in apart.get(key) or ():
            if isinstance(one, dict) and isinstance(one.get("properties"), dict):
                properties = {**one["properties"], **properties}
    about = f"{tool.description}\nThe arguments must fit this, too: {json.dumps(apart)}" if apart else tool.description
    return ToolSpec(tool.name, about.strip(), {**given, "properties": properties})


_AT_TOP: Final = ("allOf", "anyOf", "oneOf", "not", "enum", "if", "then", "else")
_TAKEN: Final = frozenset(
    (
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref"),
        *("$defs", "definitions", "title", "description", "pattern", "format", "minItems", "maxItems", "minLength"),
        *("maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    )
)
"""Keywords of schemas that OpenAI holds to; one with another it refuses, unless it needn't hold to it."""
_FORMATS: Final = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_DEEPEST: Final = 10
_INSIDE: Final = ("properties", "$defs", "definitions")


def is_strict(schema: JsonObject) -> bool:
    """Whether a service can hold to it: every object is closed and has all its properties required, every value has a
    type, and no other keyword stands in it than such services know."""
    return "anyOf" not in schema and "$ref" not in schema and _is_strict(schema, _DEEPEST)


def _is_strict(schema: Any, left: int) -> bool:
    if not isinstance(schema, dict) or not schema.keys() <= _TAKEN or left == 0:
        return False
    if "$ref" in schema:
        return len(schema) == 1
    kind = schema.get("type")
    if not (kind or "anyOf" in schema) or schema.get("format", "date") not in _FORMATS:
        return False
    kinds = kind if isinstance(kind, list) else [kind]
    if "object" in kinds or "properties" in schema:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            return False
        if schema.get("additionalProperties") is not False or set(required) != set(properties):
            return False
    if "array" in kinds and "items" not in schema:
        return False
    inner = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]
    for key in _INSIDE:
        inner += schema.get(key, {}).values()
    return all(_is_strict(one, left - 1) for one in inner)


def typed(schema: Any) -> Any:
    """The schema with the type of values that it lists, which says nothing new to people, and without the keys that
    mean something to them alone (`x-…`)."""
    if not isinstance(schema, dict):
        return schema
    found = {key: value for key, value in schema.items() if not key.startswith("x-")}
    for key in _INSIDE:
        if isinstance(found.get(key), dict):
            found[key] = {name: typed(one) for name, one in found[key].items()}
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(found.get(key), list):
            found[key] = [typed(one) for one in found[key]]
    if "items" in found:
        found["items"] = typed(found["items"])
    values = found["enum"] if isinstance(found.get("enum"), list) else [found["const"]] if "const" in found else []
    kinds = list(dict.fromkeys(_TYPES.get(type(value), "") for value in values))
    if kinds and all(kinds) and not found.keys() & {"type", "anyOf", "oneOf", "allOf", "$ref"}:
        found["type"] = kinds[0] if len(kinds) == 1 else kinds
    return found


_TYPES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
