"""Kinds of field that several models have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pipe_schemas.fields import Count, Size


@pytest.mark.parametrize("kind", [Size, Count])
@pytest.mark.parametrize("value", [0, "0", "0.1", "0k", -1])
def test_nothing_is_no_size_and_no_count(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("value", ["0B", "0.1B", "0GiB"])
def test_less_than_a_byte_is_no_size(value: str) -> None:
    with pytest.raises(ValidationError, match=f"`{value}` is not even one byte"):
        TypeAdapter(Size).validate_python(value)


def test_one_is() -> None:
    assert TypeAdapter(Size).validate_python("1B") == TypeAdapter(Count).validate_python("0.001k") == 1
