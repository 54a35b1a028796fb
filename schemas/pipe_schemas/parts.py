"""The schemas that stand inside of a JSON Schema of answers, and what is told of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

_ONE: Final = (
    "items additionalProperties not if then else contains propertyNames unevaluatedItems unevaluatedProperties "
    "contentSchema"
)
ONE: Final = frozenset(_ONE.split())
"""Keywords with one schema."""
LISTS: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
MAPS: Final = frozenset(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"))

Path = tuple[str | int, ...]


class SchemaFault(NamedTuple):
    """What is wrong at a place of a schema. `keyword`: there is no such one; `at_key`: the place is the key."""

    path: Path
    message: str
    hint: str | None = None
    keyword: str | None = None
    at_key: bool = False


def parts(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The schemas that stand in a schema, with their places."""
    for key, value in schema.items():
        if key in ONE:
            yield (key,), value
        elif key in LISTS and isinstance(value, list):
            yield from (((key, number), part) for number, part in enumerate(value))
        elif key in MAPS and isinstance(value, dict):
            yield from (((key, name), part) for name, part in value.items())
