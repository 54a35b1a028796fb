"""Large files are validated in pieces; what is told of them is what would be told of the whole."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel

from pipe_runner.compiler import Compilation
from pipe_runner.compiler.pieces import ENOUGH, HEAVY, split, validated, weight

Compile = Callable[[str], Compilation]


class Numbers(BaseModel):
    numbers: list[int] = []
    by_name: dict[str, int] = {}


def test_the_pieces_of_a_map_are_all_of_it_in_order() -> None:
    data = {"version": 1, "nodes": {f"n{i}": {"run": "a", "needs": ["b"] * (i % 7)} for i in range(5000)}}
    rest, pieces = split(data, ("nodes", "env"))
    assert rest == {"version": 1}
    assert len(pieces) > 3
    assert [item for piece in pieces for item in piece.entries.items()] == list(data["nodes"].items())  # type: ignore[attr-defined]
    assert all(piece.weight == weight(piece.entries) <= HEAVY for piece in pieces)


def test_of_heavy_data_with_very_many_faults_some_are_found_and_of_others_all() -> None:
    found = validated(Numbers, {"numbers": ["x"] * 100_000})
    assert isinstance(found, list)
    assert ENOUGH < len(found) <= HEAVY
    few = {"numbers": [1] * 50_000 + ["x"] * 3, "by_name": {"a": "x"}}
    found = validated(Numbers, few)
    assert isinstance(found, list)
    assert [one["loc"] for one in found] == [
        ("numbers", 50_000),
        ("numbers", 50_001),
        ("numbers", 50_002),
        ("by_name", "a"),
    ]
    assert isinstance(validated(Numbers, {"numbers": [1] * 50_000}), Numbers)


def test_faults_in_every_piece_are_told_and_their_nodes_can_be_referred_to(compiled: Compile) -> None:
    nodes = "".join(
        f"  n{i}: {{run: {'{}' if i % 100 == 7 else 'a'}, needs: [{f'n{i - 1}' if i else ''}]}}\n" for i in range(4000)
    )
    found = compiled(f"x-a: 1\nnodes:\n{nodes}").diagnostics
    assert [one.code for one in found] == ["E203"] * 40
    assert [one.line for one in found] == [4 + i for i in range(7, 4000, 100)]


def test_a_large_file_of_which_no_node_is_left_has_no_plan(compiled: Compile) -> None:
    found = compiled("nodes:\n" + "".join(f"  n{i}: a\n" for i in range(600)))
    assert found.plan is None
    assert [one.code for one in found.diagnostics] == ["E203"] * 600


def test_the_word_that_was_meant_is_found_among_thousands(compiled: Compile) -> None:
    nodes = "".join(f"  node_{i:04}: {{run: a}}\n" for i in range(1000))
    found = compiled(f"nodes:\n{nodes}  last_one: {{run: a}}\n  b: {{run: a, needs: lst_one}}\n").diagnostics
    assert [one.hint for one in found] == ["did you mean `last_one`?"]
