"""Takes large data apart, so that as few faults are looked for at a time as anybody is told of (R2).

pydantic makes an object for every fault that it meets, of hundreds of bytes, and a file may have a fault in each third
character.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

HEAVY: Final = 8000
"""Values that are validated at a time."""
ENOUGH: Final = 4000
"""Errors of a part of the data that make it needless to look at all of it: some are about the same fault."""
_MANY: Final = 500
"""Entries from which a map is taken apart."""
_LACKS: Final = frozenset({"missing", "node_kind", "too_short", "string_too_short"})
"""Errors that a part may have, and the whole has not."""


def weight(value: Any) -> int:
    """How many values stand in a map or a list, those inside of others too."""
    total = len(value)
    for item in value.values() if type(value) is dict else value:
        if type(item) is dict or type(item) is list:
            total += weight(item)
    return total


def split(data: Mapping[str, Any], fields: Mapping[str, str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The data without its large maps of these fields, and those maps in pieces, each under its field."""
    rest = dict(data)
    pieces: list[dict[str, Any]] = []
    for field in fields:
        entries = data.get(field)
        if type(entries) is dict and len(entries) > _MANY:
            del rest[field]
            pieces += ({field: some} for some in _groups(entries))
    return rest, pieces


def _groups(entries: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    some: dict[str, Any] = {}
    total = 0
    for key, value in entries.items():
        made = value.__class__
        size = 1 + weight(value) if made is dict or made is list else 1
        if total + size > HEAVY and some:
            yield some
            some, total = {}, 0
        some[key] = value
        total += size
    yield some


def validated(model: type[BaseModel], data: dict[str, Any]) -> BaseModel | list[ErrorDetails]:
    """The model of the data, or its errors; of heavy data with very many errors those of its beginning.

    Raises what validators of the model raise beside errors of validation.
    """
    size = weight(data)
    most = HEAVY
    while most < size:
        found = _of_beginning(model, data, most)
        if len(found) > ENOUGH:
            return found
        most *= 2
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)


def _of_beginning(model: type[BaseModel], data: dict[str, Any], most: int) -> list[ErrorDetails]:
    """The errors of the first `most` values, but for those that may be due to what is left out."""
    try:
        model.model_validate(_Beginning(most).of(data))
    except ValidationError as error:
        if error.error_count() > ENOUGH:
            return [one for one in error.errors(include_url=False) if one["loc"] and one["type"] not in _LACKS]
    except Exception:  # a plugin's validator, which the whole will tell of if it is due to that
        pass
    return []


class _Beginning:
    """Copies the first values of data; every key of its top, if they are not too many."""

    def __init__(self, most: int) -> None:
        self._left = most

    def of(self, data: dict[str, Any]) -> Any:
        return self._copied(data) if len(data) > self._left else {k: self._copied(v) for k, v in data.items()}

    def _copied(self, value: Any) -> Any:
        self._left -= 1
        if type(value) is dict:
            out = {}
            for key, item in value.items():
                if self._left <= 0:
                    break
                out[key] = self._copied(item)
            return out
        if type(value) is list:
            items = []
            for item in value:
                if self._left <= 0:
                    break
                items.append(self._copied(item))
            return items
        return value

