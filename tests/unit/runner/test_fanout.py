"""Repeated nodes: their items and keys, the combinations of a matrix, and what the ends of items mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.compiler.fanout import expand
from pipe_runner.errors import ExpressionFault
from pipe_runner.fanout import Fan, Item, make_items, results, verdict
from pipe_runner.plan import FanOut, PlannedNode, Value
from pipe_runner.run import NodeState
from pipe_runner.types import NodeStatus, Phase

AXES = {"os": ["debian", "alpine"], "python": ["3.11", "3.12"]}


def items_of(values: Any, **more: Any) -> list[Item]:
    return make_items(FanOut(Value(values), **more), {}, lambda value, names: value.data)


@pytest.mark.parametrize(
    ("axes", "include", "exclude", "wanted"),
    [
        ({"a": [1, 2]}, [], [], [{"a": 1}, {"a": 2}]),
        ({"a": [1, 2], "b": [3]}, [], [{"a": 1}], [{"a": 2, "b": 3}]),
        ({"a": [1, 2], "b": [3, 4]}, [], [{"a": 1, "b": 3}], [{"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4}]),
        # An include that changes no value of the axes is added to what it fits.
        ({"a": [1, 2]}, [{"a": 1, "x": 9}], [], [{"a": 1, "x": 9}, {"a": 2}]),
        # One without a value of the axes fits all.
        ({"a": [1, 2]}, [{"x": 9}], [], [{"a": 1, "x": 9}, {"a": 2, "x": 9}]),
        # A later one may change what an earlier one added, and no value of the axes.
        ({"a": [1]}, [{"x": 8}, {"a": 1, "x": 9}], [], [{"a": 1, "x": 9}]),
        # One that fits none is a combination of its own, and later ones are not added to it.
        ({"a": [1]}, [{"a": 3}, {"x": 9}], [], [{"a": 1, "x": 9}, {"a": 3}]),
        ({}, [{"a": 1}, {"a": 2}], [], [{"a": 1}, {"a": 2}]),
        # Of an object and a list an entry may say a part, and the value stays whole.
        ({"a": [{"n": 1, "m": {"k": 2, "l": 3}}, {"n": 2}]}, [], [{"a": {"m": {"k": 2}}}], [{"a": {"n": 2}}]),
        ({"a": [{"n": 1, "m": 2}]}, [{"a": {"n": 1}, "x": 9}], [], [{"a": {"n": 1, "m": 2}, "x": 9}]),
        ({"a": [[1, 2], [2, 1]], "b": [3, 4]}, [], [{"a": [1], "b": 3}, {"a": [2]}], [{"a": [1, 2], "b": 4}]),
        ({"a": [{"n": 1}, {"n": True}, 1]}, [], [{"a": {"n": 1}}], [{"a": {"n": True}}, {"a": 1}]),
        ({"a": [{"n": 1}]}, [{"a": {"n": 2}}], [], [{"a": {"n": 1}}, {"a": {"n": 2}}]),
    ],
)
def test_a_matrix_is_expanded_as_github_actions_does(axes: Any, include: Any, exclude: Any, wanted: Any) -> None:
    assert expand(axes, include, exclude) == wanted


@given(st.lists(st.integers(0, 3), unique=True, min_size=1), st.lists(st.text(max_size=2), unique=True, min_size=1))
def test_a_matrix_has_every_combination_once_in_the_order_of_the_file(numbers: list[int], texts: list[str]) -> None:
    found = expand({"n": list(numbers), "t": list(texts)}, [], [])
    assert [(one["n"], one["t"]) for one in found] == [(n, t) for n in numbers for t in texts]


def test_an_item_is_known_by_its_index_its_key_or_the_values_of_its_combination() -> None:
    assert [item.key for item in items_of(["x", "y"])] == ["0", "1"]
    keyed = make_items(
        FanOut(Value(["x", "y"]), Value("{{ item }}")),
        {},
        lambda value, names: names["item"] if value.data == "{{ item }}" else value.data,
    )
    assert [item.key for item in keyed] == ["x", "y"]
    assert [i.key for i in items_of(expand(AXES, [], []), matrix=True)][:2] == ["debian,3.11", "debian,3.12"]


@pytest.mark.parametrize("key", ["", "a" * 201, "a\nb", "\x1b[31m", "a\u202eb", "##[group]"])
def test_s8_a_key_that_can_not_be_printed_is_refused(key: str) -> None:
    with pytest.raises(ExpressionFault, match="can't be a key"):
        make_items(FanOut(Value([key]), Value("k")), {}, lambda value, names: key if value.data == "k" else value.data)


def test_a_key_that_could_be_the_name_of_a_node_inside_another_item_is_refused() -> None:
    assert [item.key for item in items_of([{"k": "x]"}, {"k": "x] .y"}], matrix=True)] == ["x]", "x] .y"]
    with pytest.raises(ExpressionFault, match=r"matrix: 'x\]\.y\[z' of item 1 can't be a key: `\]\.` stands between"):
        items_of([{"k": "x"}, {"k": "x].y[z"}], matrix=True)


def test_a_combination_of_a_value_that_is_empty_has_an_empty_key() -> None:
    assert [item.key for item in items_of(expand({"flags": ["", "-O2"]}, [], []), matrix=True)] == ["", "-O2"]


def test_the_same_key_twice_is_refused_with_both_places() -> None:
    with pytest.raises(ExpressionFault, match="items 0 and 2 have the same key, 'debian'"):
        items_of([{"os": "debian"}, {"os": "alpine"}, {"os": "debian"}], matrix=True)


@pytest.mark.parametrize(("matrix", "named"), [(True, "matrix: "), (False, "for_each: ")])
@pytest.mark.parametrize("values", [["a", "a"], ["a\nb"]])
def test_a_key_that_is_refused_is_told_of_what_the_file_says(matrix: bool, named: str, values: list[str]) -> None:
    with pytest.raises(ExpressionFault, match=f"^{named}"):
        make_items(
            FanOut(Value([{"os": value} for value in values]), Value(None if matrix else "k"), matrix),
            {},
            lambda value, names: names["item"]["os"] if value.data == "k" else value.data,
        )


@pytest.mark.parametrize("value", [None, "abc", 3, {"a": 1}, True])
def test_anything_but_a_list_is_refused(value: Any) -> None:
    with pytest.raises(ExpressionFault, match="not a list"):
        items_of(value)


def a_fan(count: int, **more: Any) -> Fan:
    fan_out = FanOut(Value([]), **more)
    node = PlannedNode("n", 0, Phase.NODES, "x", Value({}), (), (), "", 1, 1, fan_out=fan_out)
    return Fan(node, 1, 0.0, items_of(list(range(count))), 16)


def ends(*statuses: NodeStatus) -> Any:
    states = {f"n[{at}]": NodeState(status) for at, status in enumerate(statuses)}
    return states.get


OK, NOT, SKIP = NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.SKIPPED


@pytest.mark.parametrize(
    ("statuses", "min_success", "wanted"),
    [
        ((), None, OK),
        ((), 3, OK),
        ((OK, OK), None, OK),
        ((OK, SKIP), None, OK),
        ((SKIP, SKIP), None, SKIP),
        ((OK, NOT), None, NOT),
        ((OK, NOT), 1, OK),
        ((OK, NOT), 2, NOT),
        ((NOT, NOT), 0, OK),
        ((OK, SKIP), 2, NOT),
    ],
)
def test_what_the_ends_of_items_mean(statuses: Any, min_success: int | None, wanted: NodeStatus) -> None:
    fan = a_fan(len(statuses), min_success=min_success)
    assert verdict(fan, ends(*statuses)).status is wanted


def test_a_failure_names_the_items_and_takes_the_kind_of_the_first() -> None:
    states = {f"n[{n}]": NodeState(NOT, error={"kind": "timeout", "message": f"m{n}"}) for n in range(7)}
    error = verdict(a_fan(7), states.get).error
    assert error is not None
    assert error.kind == "timeout"
    assert error.message == "7 of 7 items failed: n[0], n[1], n[2], n[3], n[4] and 2 more: m0"


def test_results_stand_in_the_order_of_items_with_failures_and_what_never_ran() -> None:
    states = {
        "n[0]": NodeState(OK, output=1),
        "n[2]": NodeState(NOT, error={"kind": "exit", "message": "m"}),
    }
    assert results(a_fan(3), states.get, lambda state: state.output, 10**6) == [
        {"key": "0", "status": "succeeded", "output": 1, "error": None},
        {"key": "1", "status": "cancelled", "output": None, "error": None},
        {"key": "2", "status": "failed", "output": None, "error": {"kind": "exit", "message": "m"}},
    ]
    large = {f"n[{n}]": NodeState(OK, output="x" * 400) for n in range(3)}
    assert results(a_fan(3), large.get, lambda state: state.output, 1000) is None


@pytest.mark.parametrize("output", [["x" * 400], {"k": "x" * 400}, list(range(150)), "é" * 200])
def test_outputs_of_every_kind_count_as_large_as_they_are_written(output: Any) -> None:
    ends = {f"n[{n}]": NodeState(OK, output=output) for n in range(3)}
    assert results(a_fan(3), ends.get, lambda state: state.output, 1000) is None
    assert len(results(a_fan(3), ends.get, lambda state: state.output, 3000) or []) == 3


def test_d1_items_that_have_succeeded_with_the_same_value_are_not_begun_again() -> None:
    fan = a_fan(3)
    states = {
        "n[0]": NodeState(OK, item=fan.items[0].digest),
        "n[1]": NodeState(OK, item="of another value"),
        "n[2]": NodeState(NOT, item=fan.items[2].digest),
    }
    fan.begin(states.get)
    assert list(fan.todo) == [1, 2]
