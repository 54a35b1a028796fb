"""Values of which it is known that they have no backslashes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipe_runner.compiler import Compilation

Compile = Callable[[str], Compilation]


def codes(compiled: Compile, declared: str, run: str) -> list[str]:
    return [one.code for one in compiled(f"inputs: {{v: {declared}}}\nnodes: {{a: {{run: {run!r}}}}}\n").diagnostics]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("{type: integer}", []),
        ("{type: boolean}", []),
        ("{type: string, enum: [two words, -g]}", []),
        (r"{type: string, enum: ['a\b']}", ["W405"]),
        ("{type: string}", ["W405"]),
        ("{type: string, pattern: '^[a-z]+$'}", []),
        ("{type: array}", ["W405"]),
    ],
)
def test_a_value_without_backslashes_arrives_in_awk_as_it_is(compiled: Compile, declared: str, told: list[str]) -> None:
    assert codes(compiled, declared, "awk -v n={{ inputs.v }} 'NR <= n' f") == told
