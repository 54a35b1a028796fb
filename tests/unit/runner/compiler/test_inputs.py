"""Inputs are typed: what is given is parsed by its type, checked at once with all others, completed with defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipe_runner.compiler import check_inputs, parse_input
from pipe_runner.compiler.given import check_handed_on
from pipe_runner.errors import UsageError
from pipe_runner.plan import Plan, PlannedInput

Planned = Callable[[str], Plan]

FILE = """
inputs:
  host: {type: string, default: localhost, maxLength: 12, pattern: "^[a-z.]+$"}
  ports: {type: array, items: {type: integer, minimum: 1}, default: [22], minItems: 1, maxItems: 3}
  depth: {type: string, enum: [quick, full], default: quick}
  count: {type: integer, minimum: 1, maximum: 5, default: 1}
  conf: {type: object, properties: {a: {type: boolean}}, required: [a], additionalProperties: false, default: {a: true}}
  must: {type: number, description: How much of it}
  may: {type: integer, required: false}
nodes: {a: {run: echo}}
"""


@pytest.fixture
def plan(planned: Planned) -> Plan:
    return planned(FILE)


def test_defaults_complete_what_is_given_in_the_order_of_the_file(plan: Plan) -> None:
    assert list(check_inputs(plan, {"must": 2}).items()) == [
        ("host", "localhost"),
        ("ports", [22]),
        ("depth", "quick"),
        ("count", 1),
        ("conf", {"a": True}),
        ("must", 2),
        ("may", None),
    ]


@pytest.mark.parametrize("text", ["3", "3.0", "0.3e1", "30e-1"])
def test_a_whole_number_is_an_integer_however_it_is_written(planned: Planned, text: str) -> None:
    plan = planned(FILE)
    given = {"must": 2.0, "count": parse_input(plan.inputs[3], text)}
    values = check_inputs(plan, given)
    assert (type(values["count"]), values["count"], type(values["must"])) == (int, 3, float)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "input `must` is not given: How much of it"),
        ({"host": 5}, "input `host` must be text, not 5"),
        ({"host": "UPPER"}, "input `host` must match"),
        ({"host": "a" * 13}, "at most 12 characters, and it has 13"),
        ({"ports": [22, "x"]}, r"input `ports`\[1\] must be a whole number"),
        ({"ports": [0]}, r"input `ports`\[0\] must be at least 1"),
        ({"ports": []}, "at least 1 items"),
        ({"ports": [1, 2, 3, 4]}, "at most 3 items"),
        ({"depth": "deep"}, 'one of "quick", "full", not "deep"'),
        ({"count": 6}, "at most 5, not 6"),
        ({"count": 2.5}, "a whole number, not 2.5"),
        ({"count": True}, "a whole number, not true"),
        ({"conf": {}}, "lacks `a`"),
        ({"conf": {"a": 1}}, r"input `conf`.a must be true or false"),
        ({"conf": {"a": True, "b": 1}}, "has the key `b`, which is not declared"),
        ({"may": None}, "must be a whole number, not null"),
        ({"hots": "x"}, r"there is no input `hots` \(did you mean `host`\?\)"),
    ],
)
def test_what_does_not_fit_is_refused(plan: Plan, given: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check_inputs(plan, given)


def test_every_fault_is_told_at_once(plan: Plan) -> None:
    with pytest.raises(UsageError) as caught:
        check_inputs(plan, {"host": 5, "depth": "x", "nope": 1})
    assert len(caught.value.message.splitlines()) == 4
    assert caught.value.hint == "-i must=…"


def by_type(type_: str) -> PlannedInput:
    return PlannedInput("x", {"type": type_}, True, None, 1)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("string", "[1, 2]", "[1, 2]"),
        ("string", "", ""),
        ("string", "true", "true"),
        ("integer", "5", 5),
        ("integer", "-5", -5),
        ("integer", "010", 10),
        ("number", "2.5", 2.5),
        ("number", "5", 5),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("array", "[1, 2]", [1, 2]),
        ("array", "[a, b]", ["a", "b"]),
        ("array", '["a, b"]', ["a, b"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", "{a: yes}", {"a": "yes"}),
    ],
)
def test_a_text_is_parsed_by_the_inputs_type(type_: str, text: str, value: Any) -> None:
    parsed = parse_input(by_type(type_), text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("integer", "five"),
        ("integer", "2.5"),
        ("integer", ""),
        ("integer", "NaN"),
        ("number", "Infinity"),
        ("boolean", "yes"),
        ("boolean", "1"),
        ("array", "1, 2"),
        ("array", "[1"),
        ("array", "[1]\nother: 2"),
        ("object", "!!python/object:x {}"),
        ("object", "[" * 100_000),
    ],
)
def test_a_text_of_another_type_is_refused_with_an_example(type_: str, text: str) -> None:
    with pytest.raises(UsageError, match="input `x` is"):
        parse_input(by_type(type_), text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1, "a": 2}', 'the key "a" stands twice in one object'),
        ('{"b": [{"\\u0061b": 1, "ab": 2}]}', 'the key "ab" stands twice in one object'),
        ("{a: 1, a: 2}", 'duplicate key "a"'),
        ("{1: 2}", "a key must be text"),
        ("{a: !x 2}", "tag"),
    ],
)
def test_a_text_that_holds_what_no_value_can_have_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_input(by_type("object"), text)
    assert why in told.value.message


def test_a_pattern_can_not_run_away(planned: Planned) -> None:
    plan = planned('inputs: {x: {pattern: "^(a+)+$"}}\nnodes: {a: {run: echo}}\n')
    with pytest.raises(UsageError, match="must match"):
        check_inputs(plan, {"x": "a" * 5000 + "!"})


def test_a_whole_number_is_an_integer_within_lists_and_objects_too(planned: Planned) -> None:
    file = """
        inputs:
          ports: {type: array, items: {type: integer}, default: [80.0]}
          conf: {type: object, properties: {n: {type: integer}, f: {type: number}}}
        nodes: {a: {run: echo}}
        """
    found = check_inputs(planned(file), {"conf": {"n": 1e3, "f": 1.0, "other": 2.0}})
    assert str(found) == "{'ports': [80], 'conf': {'n': 1000, 'f': 1.0, 'other': 2.0}}"


def test_null_of_another_file_is_as_if_nothing_were_given_where_that_gives_null(plan: Plan) -> None:
    assert check_handed_on(plan, {"must": 1, "may": None})["may"] is None
    with pytest.raises(UsageError, match="input `host` must be text, not null"):
        check_handed_on(plan, {"must": 1, "host": None})
