"""Values are held against JSON Schema by its rules, whatever the names, patterns and numbers in them."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_schemas.answers import faults
from pipe_schemas.validating import validator_of

LETTERS = {"patternProperties": {r"^\p{L}+$": {"type": "integer"}}}
LINES = {"patternProperties": {"^a$": {}}}
FLAGS = {"patternProperties": {"(?i)^a": {}, "(?i)^b": {}}}


@pytest.mark.parametrize("keyword", ["additionalProperties", "unevaluatedProperties"])
@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        (LETTERS, {"é": 1}, True),
        (LETTERS, {"é": "x"}, False),
        (LETTERS, {"é1": 1}, False),
        (LINES, {"a": 1}, True),
        (LINES, {"a\n": 1}, False),
        (FLAGS, {"A": 1, "B": 2}, True),
        (FLAGS, {"C": 1}, False),
    ],
)
def test_a_name_is_matched_by_one_engine_wherever_it_counts(
    keyword: str, schema: dict[str, Any], value: Any, fits: bool
) -> None:
    assert validator_of({**schema, keyword: False}).is_valid(value) is fits


def test_names_are_matched_in_time_that_grows_with_them_only(in_time: Any) -> None:
    began = time.process_time()
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        schema = {"patternProperties": {"^(a+)+$": {}}, keyword: False}
        assert not validator_of(schema).is_valid({"a" * 5000 + "!": 1})
    assert in_time(time.process_time() - began, 1)


def test_what_is_equal_as_json_is_equal_wherever_it_stands_in_a_list() -> None:
    unique = validator_of({"uniqueItems": True})
    assert not unique.is_valid([[1, "a"], [True, "a"], [1, "a"]])
    assert unique.is_valid([[1, "a"], [True, "a"]])


@pytest.mark.parametrize("reference", ["#/$defs/a%20b", "#/$defs/a b", "#/$defs/c~1d", "#/$defs/%C3%A9"])
def test_a_reference_may_be_written_as_in_an_address(reference: str) -> None:
    text = {"type": "string"}
    schema = {"$defs": {"a b": text, "c/d": text, "é": text}, "properties": {"x": {"$ref": reference}}}
    assert not list(faults(schema))
    assert validator_of(schema).is_valid({"x": "y"})
    assert not validator_of(schema).is_valid({"x": 1})


@pytest.mark.parametrize("reference", ["#/$defs/a%41", "#/$defs/c%2Fd", "#/definitions/c~1d", "#/$defs", 5])
def test_a_reference_that_leads_nowhere_is_told_before_a_value_is_held_against_it(reference: Any) -> None:
    schema = {"$defs": {"a%41": {}, "c/d": {}}, "properties": {"x": {"$ref": reference}}}
    assert [fault.path for fault in faults(schema)] == [("properties", "x", "$ref")]


NAMES = st.sampled_from(["a", "b", "x-a"])
SCHEMAS: Any = st.recursive(
    st.sampled_from(
        [True, False, {"type": "string"}, {"type": ["integer", "null"]}, {"const": True}, {"required": ["a"]},
         {"$ref": "#/$defs/d"}, {"minimum": 1}, {"multipleOf": 2}]
    ),
    lambda inner: st.fixed_dictionaries(
        {}, optional={
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "patternProperties": st.fixed_dictionaries({"^x-": inner}),
            "additionalProperties": inner,
            "unevaluatedProperties": inner,
            "propertyNames": st.just({"maxLength": 1}),
            "dependentSchemas": st.dictionaries(NAMES, inner, max_size=1),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "items": inner,
            "contains": inner,
            "unevaluatedItems": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        }
    ),
    max_leaves=8,
)  # fmt: skip
VALUES: Any = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 2, "a"]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=500, deadline=None)
@given(schema=SCHEMAS.filter(lambda schema: isinstance(schema, dict)), named=SCHEMAS, value=VALUES)
def test_what_fits_is_what_json_schema_says(schema: dict[str, Any], named: Any, value: Any) -> None:
    schema = {**schema, "$defs": {"d": named}}
    if not list(faults(schema)):
        assert validator_of(schema).is_valid(value) == jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    "dialect", ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"]
)
def test_a_schema_that_names_its_dialect_and_refers_to_itself_keeps_these_rules(dialect: str, in_time: Any) -> None:
    text = {"type": "string", "pattern": r"^(\p{L}+)+$"}
    schema = {"$schema": dialect, "properties": {"name": text, "child": {"$ref": "#"}, "all": {"uniqueItems": True}}}
    assert not list(faults(schema))
    validator = validator_of(schema)
    assert validator.is_valid({"child": {"name": "é", "child": {"all": [[1], [True]]}}})
    assert not validator.is_valid({"child": {"name": "1"}})
    began = time.process_time()
    assert not validator.is_valid({"child": {"name": "a" * 5000 + "!"}})
    assert in_time(time.process_time() - began, 1)


TREE = {"properties": {"c": {"$ref": "#/$defs/n"}}}
KINDS = [{"properties": {"c": {"$ref": "#/$defs/n"}, "k": {"const": number}}} for number in (1, 2)]


@pytest.mark.parametrize(
    "node",
    [
        {"allOf": [TREE], "unevaluatedProperties": False},
        {"anyOf": [TREE, {"required": ["d"]}], "unevaluatedProperties": False},
        {"oneOf": KINDS},
        {"prefixItems": [{"$ref": "#/$defs/n"}], "allOf": [{"prefixItems": [{"$ref": "#/$defs/n"}]}], **TREE},
    ],
)
def test_a_tree_is_checked_in_time_that_grows_with_its_depth_only(node: dict[str, Any], in_time: Any) -> None:
    schema = {"$defs": {"n": node}, "$ref": "#/$defs/n"}
    assert not list(faults(schema))
    validator, value = validator_of(schema), {"k": 1} if "oneOf" in node else {}
    for number in range(40):
        value = {"c": value, **({"k": 1 + number % 2} if "oneOf" in node else {})}
    began = time.process_time()
    assert validator.is_valid(value)
    assert in_time(time.process_time() - began, 1)


def test_what_fitted_once_is_looked_at_again_in_another_check() -> None:
    schema = {"$defs": {"n": {"required": ["a"]}}, "properties": {"x": {"$ref": "#/$defs/n"}}}
    validator, inner = validator_of(schema), {"a": 1}
    assert validator.is_valid({"x": inner})
    del inner["a"]
    assert not validator.is_valid({"x": inner})


@pytest.mark.parametrize("node", [{"oneOf": KINDS}, {"anyOf": KINDS}, {"allOf": [TREE, TREE]}])
def test_a_fault_deep_in_a_tree_is_found_in_time_that_grows_with_its_depth_only(
    node: dict[str, Any], in_time: Any
) -> None:
    value: Any = {"k": 3, "c": {"k": 1, "c": 7}}
    for _ in range(30):
        value = {"c": value, "k": 1}
    schema = {"$defs": {"n": {"type": "object", **node}}, "$ref": "#/$defs/n"}
    assert not list(faults(schema))
    began = time.process_time()
    errors = list(validator_of(schema).iter_errors(value))
    assert in_time(time.process_time() - began, 1)
    assert errors
    if "allOf" in node:
        assert {(tuple(error.absolute_path), error.validator) for error in errors} == {(("c",) * 32, "type")}
