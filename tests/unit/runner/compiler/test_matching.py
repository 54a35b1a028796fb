"""Values are held against the schemas of inputs as JSON has them."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_runner.compiler.matching import mismatches, same


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        ([1], [True], False),
        ({"a": [0]}, {"a": [False]}, False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([1, 2], [2, 1], False),
        ([], {}, False),
    ],
)
def test_values_are_the_same_as_json_all_the_way_down(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal
    assert (mismatches(other, {"enum": [one]}, "x") == []) is equal
