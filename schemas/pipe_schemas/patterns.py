"""Patterns of texts, by an engine without backtracking: the one that pydantic has."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator


def matches(pattern: str, value: str) -> bool:
    """Whether the pattern occurs in the text, in time that grows with the text only.

    Raises ValueError for a pattern that can't be used.
    """
    from pydantic_core import ValidationError

    try:
        _compiled(pattern).validate_python(value)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> SchemaValidator:
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        if "size limit" in reason:
            raise ValueError("it is too large, all its repetitions counted") from None
        raise ValueError(reason.removeprefix("error: ").removeprefix("SchemaError: ")) from None
