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


@pytest.mark.parametrize(
    ("pattern", "run", "told"),
    [
        ("^/", "find {{ inputs.v }} -type f", []),
        ("^/srv/.* x$", 'find "{{ inputs.v }}/a b" -type f', []),
        (r"^v\d", "git push origin {{ inputs.v }}", []),
        ("^[a-z][^ ]*$", "git push origin {{ inputs.v }}", []),
        ("/", "find {{ inputs.v }} -type f", ["W406"]),
        ("^/|x", "find {{ inputs.v }} -type f", ["W406"]),
        ("^/?x", "find {{ inputs.v }} -type f", ["W406"]),
        ("^/{0,2}x", "find {{ inputs.v }} -type f", ["W406"]),
        ("^[a-z-]+$", "find {{ inputs.v }} -type f", ["W406"]),
        ("^[^/]+$", "find {{ inputs.v }} -type f", ["W406"]),
        ("^.x", "find {{ inputs.v }} -type f", ["W406"]),
        ("^/", "x={{ inputs.v }}; find $x -type f", ["E420"]),
        ("^/", 'x={{ inputs.v }}; find "$x" -type f', ["W406"]),
    ],
)
def test_a_pattern_that_says_how_a_value_begins_keeps_options_out_of_one_word(
    compiled: Compile, pattern: str, run: str, told: list[str]
) -> None:
    assert codes(compiled, f"{{type: string, pattern: '{pattern}'}}", run) == told


def test_two_hyphens_keep_no_action_out_of_find(compiled: Compile) -> None:
    assert codes(compiled, "{type: string}", "find -- {{ inputs.v }} -type f") == ["W406"]
