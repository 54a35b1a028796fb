"""What a message may be."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_runner.bus.server import _object
from pipe_runner.bus.values import sized, well_formed
from pipe_runner.errors import NodeFault


def test_json_is_a_message() -> None:
    message = {"a": [1, 2.5, None, True, "\u00fc\U0001f600"]}
    assert well_formed(message) is message
    assert sized(message) == (message, 44)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({1: 2}, "a key is of type int, not text"),
        ({"a": {2.5: 1}}, "a key is of type float, not text"),
        ({"a": object()}, "type object is no type of JSON"),
        (b"x", "type bytes"),
        (float("nan"), "no number of JSON"),
        ("\ud800", "half a pair of surrogates"),
        ({"\udc00": 1}, "half a pair of surrogates"),
        (10**5000, "a number has more than 4000 digits"),
    ],
    ids=lambda value: "" if not isinstance(value, str) else None,
)
def test_nothing_else_is(message: Any, told: str) -> None:
    with pytest.raises(NodeFault) as caught:
        well_formed(message)
    assert caught.value.kind == "refused"
    assert "the message is no JSON" in caught.value.message
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"a": ' + b"1" * 5000 + b"}", "a number has more than 4000 digits"),
        (b"[" * 100_000, "it is nested too deep"),
        (b'{"a": "\xff"}', "it is not UTF-8"),
        (b"{", "Expecting property name"),
        (b'{"a": 1 ,}', "Expecting property name enclosed in double quotes: line 1 column 10"),
    ],
    ids=["digits", "deep", "bytes", "half", "comma"],
)
def test_what_is_wrong_with_a_line_is_said_without_the_inside_of_python(line: bytes, told: str) -> None:
    with pytest.raises(Exception) as caught:
        _object(line)
    assert "a line is no JSON: " in str(caught.value)
    assert told in str(caught.value)
    assert "sys." not in str(caught.value)
