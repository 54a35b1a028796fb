"""Schemas of answers are refused or accepted quickly, whatever they are."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import pytest

from pipe_schemas.answers import KEYWORDS, changed, faults, taken_apart
from pipe_schemas.validating import validator_of

RIGHT: list[dict[str, Any]] = [
    {},
    {"type": ["string", "null"], "title": "t", "description": "d", "default": None, "examples": ["x"], "x-mine": 1},
    {"enum": [1, None, {"$ref": "no reference"}]},
    {"const": {"type": 5}},
    {"type": "array", "prefixItems": [{"type": "string"}, True], "items": False, "uniqueItems": True},
    {"properties": {"$ref": {"type": "string"}, "enum": {}, "properties": {"const": 1}}},
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer", "multipleOf": 2}}},
    {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}, "else": {"minProperties": 0}},
    {"type": "string", "format": "date", "minLength": 0, "pattern": "^x"},
    {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"required": ["b"]}}},
]


@pytest.mark.parametrize("schema", RIGHT, ids=range(len(RIGHT)))
def test_right_schemas_have_no_fault(schema: dict[str, Any]) -> None:
    assert list(faults(schema)) == []
    jsonschema.Draft202012Validator.check_schema(schema)


CONTRADICTIONS: list[tuple[dict[str, Any], tuple[str | int, ...]]] = [
    ({"properties": {"a": {"minimum": 5, "maximum": 3}}}, ("properties", "a", "minimum")),
    ({"items": {"exclusiveMinimum": 3, "maximum": 3}}, ("items", "exclusiveMinimum")),
    ({"minimum": 3, "exclusiveMaximum": 3}, ("minimum",)),
    ({"minLength": 2, "maxLength": 1}, ("minLength",)),
    ({"minItems": 2, "maxItems": 1}, ("minItems",)),
    ({"type": "integer", "enum": [1, 2.0, "3"]}, ("enum", 2)),
    ({"type": ["string", "null"], "const": False}, ("const",)),
    ({"type": "number", "const": True}, ("const",)),
    ({"required": ["a", "b"], "properties": {"a": {}}, "additionalProperties": False}, ("required", 1)),
    ({"$defs": {"x": {"minItems": 2, "maxItems": 1}}, "$ref": "#/$defs/x"}, ("$defs", "x", "minItems")),
    ({"allOf": [{"minimum": 5, "maximum": 3}]}, ("allOf", 0, "minimum")),
]


@pytest.mark.parametrize(("schema", "place"), CONTRADICTIONS, ids=range(len(CONTRADICTIONS)))
def test_what_no_value_can_fulfil_is_told_where_it_stands(schema: dict[str, Any], place: tuple[str | int, ...]) -> None:
    assert [fault.path for fault in faults(schema)] == [place]


@pytest.mark.parametrize("key", ["not", "if"])
def test_what_is_never_fulfilled_may_be_meant(key: str) -> None:
    assert list(faults({key: {"minimum": 5, "maximum": 3}})) == []
    assert list(faults({"anyOf": [{"type": "string", "const": 1}, {}]})) == []


WRONG: list[tuple[dict[str, Any], tuple[str | int, ...]]] = [
    ({"type": "text"}, ("type",)),
    ({"type": []}, ("type",)),
    ({"type": None}, ("type",)),
    ({"type": ["string", None]}, ("type",)),
    ({"properties": []}, ("properties",)),
    ({"properties": {"a": "string"}}, ("properties", "a")),
    ({"items": [{"type": "string"}]}, ("items",)),
    ({"anyOf": []}, ("anyOf",)),
    ({"oneOf": [{"type": 1}]}, ("oneOf", 0, "type")),
    ({"minLength": True}, ("minLength",)),
    ({"maximum": "5"}, ("maximum",)),
    ({"multipleOf": 0}, ("multipleOf",)),
    ({"required": "a"}, ("required",)),
    ({"enum": "a"}, ("enum",)),
    ({"uniqueItems": 1}, ("uniqueItems",)),
    ({"$schema": "http://example.com/"}, ("$schema",)),
    (
        {"properties": {"a": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}},
        ("properties", "a", "$schema"),
    ),
    ({"properties": {"a": {"$defs": {}}}}, ("properties", "a", "$defs")),
    ({"$defs": {}, "definitions": {}}, ("definitions",)),
    ({"$id": "x"}, ("$id",)),
    ({"propertees": {}}, ("propertees",)),
    ({"$ref": "#"}, ()),
    ({"allOf": [{"$ref": "#"}]}, ()),
    ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"not": {"$ref": "#/$defs/x"}}}}, ("properties", "a")),
    ({"description": "x" * 70_000}, ()),
]


@pytest.mark.parametrize(("schema", "path"), WRONG, ids=[str(schema)[:60] for schema, _ in WRONG])
def test_wrong_ones_have_a_fault_at_its_place(schema: dict[str, Any], path: tuple[str | int, ...]) -> None:
    assert [fault.path for fault in faults(schema)] == [path]


def test_every_keyword_is_one_of_json_schema() -> None:
    known = set(jsonschema.Draft202012Validator.VALIDATORS) | {
        "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema",
        "$defs", "definitions", "contentEncoding", "contentMediaType", "contentSchema", "then", "else", "minContains",
        "maxContains",
    }  # fmt: skip
    assert sorted(set(KEYWORDS) - known) == []


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def bomb(length: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{length}": {"type": "string"}}}


def unevaluated(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"properties": {"a": {}}}
    for _ in range(depth):
        schema = {"allOf": [schema], "unevaluatedProperties": False}
    return schema


@pytest.mark.parametrize(
    "schema",
    [nested(33), nested(5000), bomb(30), bomb(400), {"enum": [nested(300)] * 400}, unevaluated(20)],
    ids=["deep", "very deep", "bomb", "long bomb", "large", "unevaluated"],
)
def test_r2_what_would_take_long_is_refused_at_once(schema: dict[str, Any], in_time: Any) -> None:
    began = time.process_time()
    assert list(faults(schema))
    assert in_time(time.process_time() - began, 0.5)


def test_r2_what_is_taken_is_checked_in_time(in_time: Any) -> None:
    schema = next(one for depth in range(30, 0, -1) if not list(faults(one := unevaluated(depth))))
    began = time.process_time()
    assert validator_of(schema).is_valid({"a": 1})
    assert not validator_of(schema).is_valid({"b": 1})
    assert schema != unevaluated(1)
    assert in_time(time.process_time() - began, 2)


def test_only_references_are_changed() -> None:
    schema: dict[str, Any] = {"properties": {"$ref": {"$ref": "#"}}, "const": {"$ref": "#"}, "anyOf": [{"$ref": "#"}]}
    assert changed(schema, lambda reference: "x") == {
        "properties": {"$ref": {"$ref": "x"}}, "const": {"$ref": "#"}, "anyOf": [{"$ref": "x"}],
    }  # fmt: skip


def test_a_schema_can_stand_inside_of_another() -> None:
    own, definitions = taken_apart(
        {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#/$defs/answer"}}, "$defs": {"answer": {}}}
    )
    assert own == {"$ref": "#/$defs/answer_"}
    assert definitions["answer_"]["properties"] == {"a": {"$ref": "#/$defs/answer_"}, "b": {"$ref": "#/$defs/answer"}}
