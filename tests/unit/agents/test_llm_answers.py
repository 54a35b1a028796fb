"""Answers are read as what was asked for, and what is wrong with one is said so that a model understands it."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_agents.llm_answers import Wanted
from pipe_agents.llm_validating import Misfit, check_schema, misfits
from pipe_runner.errors import NodeFault
from pipe_runner.masking import SecretMasker
from pipe_runner.types import Json

ANY = Wanted({"type": ["object", "array", "number", "string", "boolean", "null"]})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (" \n[1, 2]\n", [1, 2]),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n{"a": 1}```', {"a": 1}),
        ('```json\r\n{"a": 1}\r\n```', {"a": 1}),
        ('Here you are:\n\n```json\n{"a": "b"}\n```\nAnything else?', {"a": "b"}),
        ('```json\n{"code": "```x```"}\n```', {"code": "```x```"}),
        ('{"code": "```json\\n1\\n```"}', {"code": "```json\n1\n```"}),
        ('<think>a {"b": 2} maybe</think>\n\n{"a": 1}', {"a": 1}),
        ('<think>```json\n{"b": 2}\n```</think>\n```json\n{"a": 1}\n```', {"a": 1}),
        ('no end of thought\n</think>{"a": 1}', {"a": 1}),
        ('<reasoning>a {"b": 2} maybe</reasoning>{"a": 1}', {"a": 1}),
        ('[THINK]a {"b": 2} maybe[/THINK]{"a": 1}', {"a": 1}),
        ('<thinking>a </think> maybe</thinking>{"a": 1}', {"a": 1}),
        ('{"a": "</think>1"}', {"a": "</think>1"}),
        ('```json\n{"a": "</think>1"}\n```', {"a": "</think>1"}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ("null", None),
        ("0", 0),
        ('""', ""),
    ],
)
def test_json_is_found_where_it_stands(text: str, value: Json) -> None:
    assert ANY.read(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "no", "{'a': 1}", '{"a": 1', '{"a": 1} {"b": 2}', "NaN", "[Infinity]", "[1e999]", '"\\ud800"',
        "```json\n1\n```\n```json\n2\n```", "```json\n{\n```", "[" * 100_000, "1" * 5000,
        "<think>```\n{}\n```</think>", "<think>```\n{}\n```</think>I can't.",
        "[" * 201 + "]" * 201, "[" * 990 + "]" * 990, '{"a": "\\udc00"}',
    ],
)  # fmt: skip
def test_what_is_no_json_is_told_so(text: str) -> None:
    with pytest.raises(Misfit) as misfit:
        ANY.read(text)
    assert misfit.value.faults


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"no end', "it is no JSON: unterminated string starting at line 1, column 1"),
        ("[1, ]", "it is no JSON: expecting value at line 1, column 5"),
        ("[1e400]", "at $[0]: inf is no JSON number, and one above 1.8e308 is read as it; return null, or a string"),
        ("1" * 5000, "it is no JSON: it holds an integer of more than 4,300 digits"),
    ],
)
def test_why_it_is_no_json_is_said_in_words_of_json(text: str, sentence: str) -> None:
    with pytest.raises(Misfit) as misfit:
        ANY.read(text)
    assert misfit.value.faults == [sentence]


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "\\u0061": 2}}]', '```json\n{"a": 1, "a": 2}\n```']
)
def test_a_property_that_stands_twice_is_refused_since_readers_differ_on_which_counts(text: str) -> None:
    with pytest.raises(Misfit, match='an object has the property "a" more than once'):
        ANY.read(text)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "parts"],
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}, "maxItems": 2},
        "note": {"anyOf": [{"type": "string", "minLength": 3}, {"type": "null"}]},
        "code": {"type": "string", "pattern": "^[A-Z]+$"},
        "size": {"type": "integer", "minimum": 1},
    },
    "patternProperties": {"^x-": {"type": "boolean"}},
    "additionalProperties": False,
    "$defs": {"part": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
}


@pytest.mark.parametrize(
    ("value", "sentences"),
    [
        ({"kind": "a", "parts": []}, []),
        ({"kind": "b", "parts": [{"n": 1}], "note": None, "code": "AB", "size": 1, "x-y": True}, []),
        ({}, ['at $: lacks the property "kind"', 'at $: lacks the property "parts"']),
        ({"kind": "c", "parts": []}, ['at $.kind: must be one of "a", "b", not "c"']),
        ({"kind": "a", "parts": [{"n": 1}, {"n": "2"}]}, ['at $.parts[1].n: must be integer, not "2"']),
        ({"kind": "a", "parts": [{}]}, ['at $.parts[0]: lacks the property "n"']),
        ({"kind": "a", "parts": {}}, ["at $.parts: must be array, not {}"]),
        ({"kind": "a", "parts": [], "what": 1}, ['at $: has properties that are not declared: "what"']),
        ({"kind": "a", "parts": [], "code": "ab"}, ['at $.code: must fit pattern "^[A-Z]+$", not "ab"']),
        ({"kind": "a", "parts": [], "size": 0}, ["at $.size: must fit minimum 1, not 0"]),
        ({"kind": "a", "parts": [], "size": True}, ["at $.size: must be integer, not true"]),
        ({"kind": "a", "parts": [], "x-y": 1}, ["at $.x-y: must be boolean, not 1"]),
        (
            {"kind": "a", "parts": [], "note": "x"},
            [
                'at $.note: fits none of the alternatives, "x"; the nearest one: at $.note: must fit minLength 3, '
                'not "x"'
            ],
        ),
        ([], ["at $: must be object, not []"]),
    ],
)
def test_what_does_not_fit_is_said_in_words_of_json(value: Json, sentences: list[str]) -> None:
    assert misfits(SCHEMA, value) == sentences


def test_what_must_not_be_there_is_told_with_its_place() -> None:
    schema = {"properties": {"a": {"properties": {"b": False}}}, "patternProperties": {"^x-": False}}
    assert misfits(schema, {"a": {"b": 1}, "x-c": 2}) == [
        "at $.a.b: must not be there, 1",
        "at $.x-c: must not be there, 2",
    ]


def test_sentences_are_bounded() -> None:
    found = misfits({"type": "array", "items": {"type": "string"}}, [{"x": "y" * 5000}] * 500)
    assert len(found) == 10
    assert all(len(sentence) < 500 for sentence in found)


def test_a_pattern_takes_time_that_grows_with_the_answer_only(in_time: Any) -> None:
    began = time.process_time()
    assert misfits({"type": "string", "pattern": "^(a+)+$"}, "a" * 5000 + "b")
    assert in_time(time.process_time() - began, 1)


@pytest.mark.parametrize(
    "text",
    [
        "```\n" + " " * 2_000_000,
        "```\n" * 300_000,
        "```json\n" + "{" * 100 + "\n" * 10**6,
        "</think>" * 200_000,
    ],
)
def test_r4_no_answer_takes_long_to_read(text: str, in_time: Any) -> None:
    began = time.process_time()
    with pytest.raises(Misfit):
        ANY.read(text)
    assert in_time(time.process_time() - began, 1)


def test_r4_no_value_takes_long_to_check(in_time: Any) -> None:
    began = time.process_time()
    assert misfits({"uniqueItems": True}, [{"n": n} for n in range(30_000)]) == []
    assert misfits({"items": {"type": "string"}}, list(range(100_000)))
    assert in_time(time.process_time() - began, 2)


def test_a_multiple_is_one_of_the_numbers_as_they_are_written() -> None:
    prices = {"items": {"multipleOf": 0.01}}
    assert misfits(prices, [19.99, 0.29, 1e300, 10**400, -4.35, 0]) == []
    assert misfits(prices, [0.295]) == ["at $[0]: must fit multipleOf 0.01, not 0.295"]
    assert misfits({"multipleOf": 0.1}, 0.3) == []
    assert misfits({"multipleOf": 3}, 10**400) != []


def test_equal_items_are_equal_as_json() -> None:
    unique = {"uniqueItems": True}
    assert misfits(unique, [1, True, "1", [1], {"a": 1}]) == []
    assert misfits(unique, [{"a": [1], "b": 2}, {"b": 2.0, "a": [1.0]}]) != []


def test_references_lead_nowhere_outside() -> None:
    for reference in ("http://127.0.0.1:9/x", "file:///etc/passwd", "#/properties/a", "#/$defs/none"):
        with pytest.raises(NodeFault):
            check_schema({"type": "object", "properties": {"a": {"$ref": reference}}})


def test_an_answer_beside_a_reason_for_none_is_neither() -> None:
    wanted = Wanted({"type": "object", "properties": {"fix": {"type": "string"}}}, may_noop=True)
    with pytest.raises(Misfit, match="one of them must be null"):
        wanted.read('{"answer": {"fix": "x"}, "noop": "there is no fault"}')
    assert wanted.read('{"answer": {"fix": "x"}, "noop": " "}') == {"fix": "x"}


def test_a_schema_may_refer_to_itself_for_the_parts_of_a_value() -> None:
    tree: dict[str, Any] = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["name"],
    }
    check_schema(tree)
    assert misfits(tree, {"name": "a", "below": [{"name": "b", "below": []}]}) == []
    assert misfits(tree, {"name": "a", "below": [{"name": 1}]}) == ["at $.below[0].name: must be string, not 1"]
    wanted = Wanted(tree, may_noop=True)
    assert wanted.read('{"answer": {"name": "a"}, "noop": null}') == {"name": "a"}
    asked: Any = wanted.asked_for()
    assert misfits(asked, {"answer": {"name": "a", "below": [{"name": "b"}]}, "noop": None}) == []
    assert misfits(asked, {"answer": {"name": "a", "below": [{"name": 1}]}, "noop": None}) != []


def test_a_schema_of_an_older_draft_is_read_by_the_same_rules() -> None:
    old: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/b"}},
        "definitions": {"b": {"type": "integer"}},
    }
    check_schema(old)
    assert misfits(old, {"a": "x"}) == ['at $.a: must be integer, not "x"']
    assert Wanted(old).type_of_output() == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"type": "integer"}},
    }
    assert "$schema" not in (Wanted(old).asked_for() or {})


NAMES = st.sampled_from(["a", "b", "x-a", "long"])
SCHEMAS: Any = st.recursive(
    st.sampled_from(
        [True, False, {}, {"type": "string"}, {"type": ["integer", "null"]}, {"enum": [1, "a", None]}, {"const": True},
         {"minimum": 1}, {"type": "string", "maxLength": 2}, {"uniqueItems": True}, {"required": ["a"]}]
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {}, optional={
                "properties": st.dictionaries(NAMES, inner, max_size=3),
                "patternProperties": st.fixed_dictionaries({"^x-": inner}),
                "additionalProperties": inner,
                "items": inner,
                "anyOf": st.lists(inner, min_size=1, max_size=3),
                "not": inner,
            }
        ),
    ),
    max_leaves=6,
)  # fmt: skip
VALUES: Any = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, "a", "abc"]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(schema=SCHEMAS.filter(lambda schema: isinstance(schema, dict)), value=VALUES)
def test_what_fits_is_what_json_schema_says(schema: dict[str, Any], value: Json) -> None:
    assert (misfits(schema, value) == []) == jsonschema.Draft202012Validator(schema).is_valid(value)


def test_s4_a_place_in_an_answer_shows_no_part_of_a_secret() -> None:
    secret = "part-of-a-secret-" * 5
    with pytest.raises(Misfit, match="no JSON number") as raised:
        Wanted({"type": "object"}, mask=SecretMasker({"S": secret}).mask_text).read(f'{{"{secret}": 1e400}}')
    assert "secret" not in str(raised.value)
