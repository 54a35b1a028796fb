"""Schemas of answers as services are told them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from pipe_providers.schemas import is_strict, told, typed, wanted
from pipe_runner.models import ToolSpec


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


TEXT = {"type": "string"}
DEEP: dict[str, Any] = closed(a=TEXT)
for _ in range(10):
    DEEP = closed(a=DEEP)


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(a=TEXT, b={"type": ["integer", "null"], "minimum": 1}, c={"enum": ["low", "high"]}),
        closed(a={"const": 1, "title": "One"}, b={"anyOf": [TEXT, closed(c={"enum": ["x", None]})]}),
        closed(a={"type": "array", "items": {"$ref": "#/$defs/part"}, "minItems": 1})
        | {"$defs": {"part": closed(a=TEXT)}},
        closed(at={"type": "string", "format": "date-time", "x-shown": True}),
        closed(type=TEXT, properties=TEXT),
    ],
)
def test_a_service_holds_to_what_it_knows(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(typed(schema))
    assert is_strict(typed(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        closed(a=TEXT) | {"required": []},
        closed(a={"oneOf": [TEXT, {"type": "integer"}]}),
        closed(a={"allOf": [TEXT]}),
        closed(a={"not": TEXT}),
        closed(a={"type": "array"}),
        closed(a={"type": "array", "items": TEXT, "uniqueItems": True}),
        closed(a={"type": "array", "items": True}),
        closed(a={"type": "string", "format": "uri"}),
        closed(a={"type": "string", "default": "x"}),
        closed(a={}),
        closed(a=True),
        closed(a={"enum": ["x", {"y": 1}]}),
        closed(a={"$ref": "#/$defs/part", "description": "A part."}) | {"$defs": {"part": TEXT}},
        closed(a=TEXT) | {"anyOf": [{"required": ["a"]}]},
        closed(a=TEXT) | {"patternProperties": {"^x": TEXT}},
        closed(a={"type": ["object", "null"], "properties": {"b": TEXT}}),
        DEEP,
    ],
)
def test_with_anything_else_it_needn_t_hold_to_it(schema: dict[str, Any]) -> None:
    assert not is_strict(typed(schema))


def test_a_schema_gets_the_types_of_the_values_that_it_lists() -> None:
    given = closed(a={"enum": ["x", None]}, b={"type": "array", "items": {"const": 1}}, c={"anyOf": [{"enum": [1.5]}]})
    assert typed(given)["properties"] == {
        "a": {"enum": ["x", None], "type": ["string", "null"]},
        "b": {"type": "array", "items": {"const": 1, "type": "integer"}},
        "c": {"anyOf": [{"enum": [1.5], "type": "number"}]},
    }
    assert given["properties"]["a"] == {"enum": ["x", None]}


def test_a_schema_that_refers_to_itself_still_does_where_it_is_put_into_an_object() -> None:
    tree = {"type": "array", "items": {"$ref": "#"}}
    validator = jsonschema.Draft202012Validator(wanted(tree).schema)
    assert validator.is_valid({"value": [[], [[]]]})
    assert not validator.is_valid({"value": [{"value": []}]})


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"type": "object"}, {"type": "object", "properties": {}}),
        (
            {"type": "object", "$schema": "x", "properties": {"a": TEXT}},
            {"type": "object", "properties": {"a": TEXT}},
        ),
        (
            {"type": "object", "properties": {"a": {"anyOf": [TEXT]}}, "required": ["a"]},
            {"type": "object", "properties": {"a": {"anyOf": [TEXT]}}, "required": ["a"]},
        ),
    ],
)
def test_the_schema_of_a_tool_has_properties(given: dict[str, Any], shown: dict[str, Any]) -> None:
    assert told(ToolSpec("add", "Adds.", given)) == ToolSpec("add", "Adds.", shown)


def test_alternatives_at_the_top_of_a_tool_s_schema_are_told_in_words() -> None:
    ways = [closed(a=TEXT), closed(b={"type": "integer"})]
    spec = told(ToolSpec("add", "Adds.", {"type": "object", "oneOf": ways, "$defs": {"c": TEXT}}))
    properties = {"a": TEXT, "b": {"type": "integer"}}
    assert spec.parameters == {"type": "object", "properties": properties, "$defs": {"c": TEXT}}
    assert spec.description == f"Adds.\nThe arguments must fit this, too: {json.dumps({'oneOf': ways})}"


@pytest.mark.parametrize(
    ("schema", "wrapped"),
    [
        (closed(a=TEXT), False),
        ({"type": "array"}, True),
        ({"anyOf": [closed(a=TEXT)]}, True),
        ({"type": "object", "anyOf": [closed(a=TEXT), closed(b=TEXT)]}, True),
        ({"type": "object", "$ref": "#/$defs/a", "$defs": {"a": closed(a=TEXT)}}, True),
    ],
)
def test_what_services_do_not_take_at_the_top_is_put_into_an_object(schema: dict[str, Any], wrapped: bool) -> None:
    shown = wanted(schema)
    assert (shown.wrapped, shown.schema["type"]) == (wrapped, "object")
    assert jsonschema.Draft202012Validator(shown.schema).is_valid({"value": {"a": "x"}} if wrapped else {"a": "x"}) == (
        schema.get("type") != "array"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"value": [1]}', "[1]"),
        ('```json\n{"value": [1]}\n```', "[1]"),
        ('<think>{"value": 2}</think>\n{"value": [1]}', "[1]"),
        ('<reasoning>so</reasoning>Here:\n```\n{"value": [1]}\n```', "[1]"),
        ("[1]", "[1]"),
        ('```\n{"other": 1}\n```', '```\n{"other": 1}\n```'),
        ("I can't.", "I can't."),
    ],
)
def test_an_answer_is_taken_out_of_its_object_wherever_that_stands(text: str, value: str) -> None:
    """Also of a server that leaves in the text what the model thought, or puts around it."""
    assert wanted({"type": "array"}).unwrapped(text) == value
