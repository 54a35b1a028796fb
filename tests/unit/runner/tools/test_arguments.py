"""Arguments are held against schemas that others wrote: in bounded time, and whatever the schema says."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import pytest

from pipe_runner.errors import NodeFault
from pipe_runner.text import plain_name
from pipe_runner.tools.arguments import check_parameters, misfits
from pipe_runner.tools.pins import list_digest, tool_digest

TOOL = {"name": "t", "description": "d", "parameters": {"type": "object", "properties": {"a": {}, "b": {}}}}


def test_a_pattern_that_takes_forever_is_not_tried(in_time: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    began = time.process_time()
    assert misfits(schema, {"a": "a" * 50 + "!"}) == []
    assert in_time(time.process_time() - began, 2)


def test_properties_that_only_patterns_allow_are_let_through() -> None:
    schema = {"type": "object", "patternProperties": {"^x": {}}, "additionalProperties": False}
    assert misfits(schema, {"xa": 1}) == []


NO_SPACE = {"pattern": "\\s"}
DIGITS, LETTERS = {"type": "string", "pattern": "^[0-9]+$"}, {"type": "string", "pattern": "^[a-z]+$"}


@pytest.mark.parametrize(
    ("said", "right", "wrong"),
    [
        ({"type": "string", "not": NO_SPACE}, "abc", 5),
        ({"oneOf": [DIGITS, LETTERS]}, "abc", 5),
        ({"if": DIGITS, "then": {"maxLength": 2}, "type": "string"}, "abc", 5),
        ({"type": "array", "contains": DIGITS, "maxContains": 1, "items": {"type": "string"}}, ["1", "b"], [5]),
        ({"type": "string", "not": {"$ref": "#/$defs/space"}}, "abc", 5),
        ({"type": "object", "allOf": [{"patternProperties": {"^x": {}}}], "unevaluatedProperties": False}, {"x": 1}, 5),
    ],
    ids=["not", "oneOf", "if", "contains", "reference", "unevaluated"],
)
def test_what_is_checked_without_its_patterns_refuses_nothing_that_is_right(said: Any, right: Any, wrong: Any) -> None:
    schema: Any = {"type": "object", "properties": {"a": said}, "$defs": {"space": NO_SPACE}}
    assert jsonschema.Draft202012Validator(schema).is_valid({"a": right})
    assert misfits(schema, {"a": right}) == []
    assert misfits(schema, {"a": wrong}) != []


def test_keywords_without_a_pattern_in_them_hold_as_before() -> None:
    schema: Any = {"type": "object", "properties": {"a": {"not": {"const": 1}}, "b": {"oneOf": [{}, {"minimum": 2}]}}}
    assert len(misfits(schema, {"a": 1, "b": 3})) == 2


def test_a_property_called_pattern_is_checked_as_any_other() -> None:
    schema = {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
    assert misfits(schema, {}) == ["'pattern' is a required property"]
    assert misfits(schema, {"pattern": 5}) == ["pattern: 5 is not of type 'string'"]


def test_a_price_is_a_multiple_of_a_cent() -> None:
    schema: Any = {"type": "object", "properties": {"price": {"multipleOf": 0.01}}}
    assert misfits(schema, {"price": 0.29}) == []
    assert misfits(schema, {"price": 0.295}) == ["price: 0.295 is not a multiple of 0.01"]


def test_places_are_told_and_not_more_than_a_few() -> None:
    schema = {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "integer"}}}}
    found = misfits(schema, {"list": ["x"] * 100})
    assert len(found) == 10
    assert found[1] == "list[1]: 'x' is not of type 'integer'"


def test_a_reference_that_leads_elsewhere_reaches_nobody() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}
    (sentence,) = misfits(schema, {"a": 1})
    assert sentence.startswith("the tool's schema can't be used")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ([], "not that of an object"),
        ({"type": "string"}, "not that of an object"),
        ({"type": "object", "properties": {"a": {"type": "nothing"}}}, "nothing"),
        ({"type": "object", "x": "y" * 300_000}, "the most"),
    ],
    ids=["a list", "a string", "wrong", "large"],
)
def test_a_schema_with_which_nothing_can_be_called_is_refused(schema: Any, why: str) -> None:
    with pytest.raises(NodeFault) as raised:
        check_parameters(schema, "mcp:s/t")
    assert raised.value.kind == "tool"
    assert "mcp:s/t" in raised.value.message
    assert why in raised.value.message


def test_arguments_nested_without_end_are_a_misfit() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#"}}}
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert misfits(schema, deep) == ["they are nested too deeply"]
    while deep:
        deep = deep["a"]


@pytest.mark.parametrize(
    ("name", "plain"), [("a.b", "a_b"), ("2fa", "_2fa"), ("x\x1b[31m", "x__31m"), ("", "_"), ("n" * 99, "n" * 64)]
)
def test_names_become_what_every_service_takes(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_a_digest_is_of_what_is_said_in_whatever_order() -> None:
    other = {"parameters": {"properties": {"b": {}, "a": {}}, "type": "object"}, "name": "t", "description": "d"}
    assert tool_digest(TOOL) == tool_digest(other)
    assert tool_digest(TOOL) != tool_digest({**TOOL, "description": "e"})
    second = {**TOOL, "name": "u"}
    assert list_digest([TOOL, second]) == list_digest([second, TOOL])
    assert list_digest([TOOL]) != list_digest([TOOL, second])


@pytest.mark.parametrize(
    "draft", ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"]
)
def test_r4_a_tree_of_alternatives_is_checked_in_time_that_grows_with_it(draft: str) -> None:
    kinds = [
        {"type": "object", "properties": {"a": {"$ref": "#/definitions/n"}, "k": {"const": k}}, "required": ["k"]}
        for k in (1, 2)
    ]
    schema: Any = {
        "$schema": draft,
        "properties": {"t": {"$ref": "#/definitions/n"}},
        "definitions": {"n": {"oneOf": kinds}},
    }
    fits: Any = {"k": 1}
    differs: Any = {"k": 3}
    for _ in range(40):
        fits, differs = {"k": 2, "a": fits}, {"k": 2, "a": differs}
    assert misfits(schema, {"t": fits}) == []
    assert misfits(schema, {"t": differs})[0].startswith("t: {'k': 2")
