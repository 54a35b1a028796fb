"""Faults of JSON are told the same way whichever Python reads it."""

from __future__ import annotations

import json

import pytest

from pipe_runner.errors import alike, no_json, strict_json

NAME = "Expecting property name enclosed in double quotes"


@pytest.mark.parametrize(
    ("text", "comma", "closed", "said"),
    [
        ('{"a": 1,}', 7, "object", (NAME, 1, 9)),
        ('{"a": 1, \n }', 7, "object", (NAME, 2, 2)),
        ("[1,]", 2, "array", ("Expecting value", 1, 4)),
        ('{"a": [[1] ,\t]}', 11, "array", ("Expecting value", 1, 14)),
        ('[{"a": ","},]', 11, "array", ("Expecting value", 1, 13)),
    ],
)
def test_a_comma_before_the_end_is_told_at_the_end(
    text: str, comma: int, closed: str, said: tuple[str, int, int]
) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        strict_json(text)
    newer = alike(json.JSONDecodeError(f"Illegal trailing comma before end of {closed}", text, comma))
    for error in (caught.value, newer):
        assert (error.msg, error.lineno, error.colno) == said
        assert "must stand here" in no_json(error)


@pytest.mark.parametrize("text", ["[1 2]", '{"a" 1}', "", '["\\d"]'])
def test_other_faults_are_what_they_were(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as plain:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as strict:
        strict_json(text)
    assert str(strict.value) == str(plain.value)
