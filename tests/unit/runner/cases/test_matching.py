"""What is expected of a value, and when that holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.cases.matching import Absent, unmet

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def wrong(expected: Any, got: Any) -> list[str]:
    return [one.what for one in unmet(expected, got, (), "it")]


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (1, 1.0),
        ("", ""),
        (None, None),
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        ({"matches": "^v[0-9]"}, "v1"),
        ({"contains": "b"}, "abc"),
        ({"contains": {"a": 1}}, [2, {"a": 1, "b": 2}]),
        ({"contains": "a"}, {"a": None}),
        ({"exactly": {"matches": "x"}}, {"matches": "x"}),
        ({"not": {"a": 1}}, {"a": 2}),
        ({"not": None}, 0),
        ({"matches": "a", "not": {"contains": "b"}}, "ac"),
        ({"matches": 1, "other": 2}, {"matches": 1, "other": 2}),
    ],
)
def test_it_holds(expected: Any, got: Any) -> None:
    assert wrong(expected, got) == []


@pytest.mark.parametrize(
    ("expected", "got", "what"),
    [
        (1, True, ["it"]),
        (0, False, ["it"]),
        (1, "1", ["it"]),
        (None, "", ["it"]),
        ([], {}, ["it"]),
        ({}, [], ["it"]),
        ([1], [1, 2], ["it"]),
        ([1, 2], [1, 3], ["it[1]"]),
        ({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 0, "c": 0}}, ["it.a.b", "it.a.c", "it.d"]),
        ({"a": None}, {}, ["it.a"]),
        ({"matches": "^b"}, "ab", ["it"]),
        ({"matches": "1"}, 1, ["it"]),
        ({"contains": "1"}, 1, ["it"]),
        ({"contains": 1}, "1", ["it"]),
        ({"exactly": {"a": 1}}, {"a": 1, "b": 2}, ["it"]),
        ({"exactly": [1]}, [True], ["it"]),
        ({"not": 1}, 1, ["it"]),
        ({"matches": "x", "contains": "y"}, "z", ["it", "it"]),
    ],
)
def test_it_does_not_hold(expected: Any, got: Any, what: list[str]) -> None:
    assert wrong(expected, got) == what


def test_nothing_equals_what_is_absent() -> None:
    assert wrong(None, Absent("it never ran")) == ["it"]
    assert wrong({"matches": ""}, Absent("it never ran")) == ["it"]


@given(JSON)
def test_every_value_is_exactly_itself(value: Any) -> None:
    assert wrong({"exactly": value}, value) == []
    assert wrong({"not": {"exactly": value}}, value) == ["it"]


@given(JSON, JSON)
def test_exactly_is_symmetric(one: Any, other: Any) -> None:
    assert wrong({"exactly": one}, other) == wrong({"exactly": other}, one)
