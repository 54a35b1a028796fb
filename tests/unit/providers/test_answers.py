"""Arguments of calls, as models give them."""

from __future__ import annotations

import json
import time

import pytest

from pipe_providers.answers import called
from pipe_runner.models import ToolCall


@pytest.mark.parametrize(
    "text", ['{"path": "a", "path": "b"}', '{"in": [{"path": 1, "p\\u0061th": 1}]}', '{"path": null, "path": null}']
)
def test_arguments_with_a_key_twice_are_a_fault_of_the_call(text: str) -> None:
    call = called("c1", "write", text)
    assert call.arguments == {}
    assert call.fault == 'the arguments have "path" more than once in one object'


@pytest.mark.parametrize("digits", [4300, 4301])
def test_an_integer_without_end_in_arguments_is_told_as_what_it_is(digits: int) -> None:
    fault = called("c1", "write", f'{{"n": {"9" * digits}}}').fault
    assert fault == "the arguments hold an integer of more than 4,300 digits"
    assert called("c1", "write", f'{{"n": {"9" * 4200}}}').fault is None


def test_many_keys_that_stand_twice_take_no_time() -> None:
    text = "{" + ",".join(f'"k{number}": 1' for number in range(100_000)) + ', "k99999": 1}'
    began = time.process_time()
    assert called("c1", "write", text).fault == 'the arguments have "k99999" more than once in one object'
    assert time.process_time() - began < 2


@pytest.mark.parametrize("inner", ["1", '"\\ud800"'])
def test_arguments_nested_deeper_than_any_output_are_a_fault_of_the_call(inner: str) -> None:
    for depth, right in ((199, True), (200, False), (600, False)):
        call = called("c1", "write", f'{{"a": {"[" * depth}{inner}{"]" * depth}}}')
        assert call.fault == (None if right else "the arguments are nested deeper than 200 levels")


def test_arguments_that_are_right_are_taken() -> None:
    assert called("c1", "write", '{"a": {"b": 1}, "b": [{"b": 1}]}').arguments == {"a": {"b": 1}, "b": [{"b": 1}]}


@pytest.mark.parametrize("given", ["null", " null\n", "", None, "{}", {}])
def test_no_arguments_may_be_said_in_many_ways(given: object) -> None:
    assert called("c1", "now", given) == ToolCall("c1", "now", {})


def test_arguments_that_are_json_within_json_are_taken_out() -> None:
    """As vLLM gives those of Granite."""

    def packed(text: str) -> ToolCall:
        return called("c1", "write", json.dumps(text))

    assert packed('{"a": [1]}') == ToolCall("c1", "write", {"a": [1]})
    assert packed('{"a": 1, "a": 2}').fault == 'the arguments have "a" more than once in one object'
    assert packed("{").fault == "the arguments are no JSON"
    for text in ("a", "[1]", '"{}"'):
        assert packed(text).fault == "the arguments are no JSON object"
