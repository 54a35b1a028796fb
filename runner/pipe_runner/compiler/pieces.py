"""Takes large data apart, so that as few faults are looked for at a time as anybody is told of (R2).

pydantic makes an object for every fault that it meets, of hundreds of bytes, and a file may have a fault in each third
character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

HEAVY: Final = 8000
"""Values that are validated at a time."""
ENOUGH: Final = 4000
"""Errors of a part of the data that make it needless to look at all of it: some are about the same fault."""
_GROUP: Final = 4000
"""Values of a piece, unless it is one entry."""
_MANY: Final = 500
"""Entries from which a map is taken apart."""
_AGAIN: Final = 4
"""How often values stand in a map, at least, that are validated once."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_SMALL: Final = 100
"""Entries of a map, or items of a list, up to which it is not cut."""
_LACKS: Final = frozenset({"missing", "node_kind", "too_short"})
"""Errors that a part may have, and the whole has not."""


class Piece(NamedTuple):
    """Some entries of a large map of a file."""

    field: str
    entries: dict[str, Any]
    weight: int


def weight(value: Any) -> int:
    """How many values stand in a map or a list, those inside of others too."""
    total = len(value)
    for item in value.values() if type(value) is dict else value:
        if type(item) is dict or type(item) is list:
            total += weight(item)
    return total


def split(data: Mapping[str, Any], fields: Iterable[str]) -> tuple[dict[str, Any], list[Piece]]:
    """The data without its large maps of these fields, and those maps in pieces."""
    rest = dict(data)
    pieces: list[Piece] = []
    for field in fields:
        entries = data.get(field)
        if type(entries) is dict and len(entries) > _MANY:
            del rest[field]
            pieces += (Piece(field, some, size) for some, size in _groups(entries))
    return rest, pieces


def alike(model: type[BaseModel], field: str, name: str, entries: Any) -> dict[str, Any] | None:
    """The models of the entries of a large map that has few values again and again, as aliases make them: one for each
    value. None where that isn't so, or something is wrong."""
    if type(entries) is not dict or len(entries) <= _MANY:
        return None
    first = {id(value): key for key, value in reversed(entries.items())}
    if len(first) * _AGAIN > len(entries) or not all(map(_IDENTIFIER.fullmatch, entries)):
        return None
    found = validated(model, {"version": 1, field: {key: entries[key] for key in first.values()}})
    if not isinstance(found, model):
        return None
    models = getattr(found, name)
    return {key: models[first[id(value)]] for key, value in entries.items()}


def _groups(entries: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    some: dict[str, Any] = {}
    total = 0
    for key, value in entries.items():
        made = value.__class__
        size = 1 + weight(value) if made is dict or made is list else 1
        if total + size > _GROUP and some:
            yield some, total
            some, total = {}, 0
        some[key] = value
        total += size
    yield some, total


def validated(model: type[BaseModel], data: dict[str, Any], size: int | None = None) -> BaseModel | list[ErrorDetails]:
    """The model of the data, or its errors; of heavy data with very many errors those of its beginning.

    `size` is the weight of the data, if it is known. Raises what else validators of the model raise.
    """
    size = weight(data) if size is None else size
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
    beginning = _Beginning(most)
    try:
        model.model_validate(beginning.of(data))
    except ValidationError as error:
        if error.error_count() > ENOUGH:
            return [one for one in error.errors(include_url=False) if not beginning.explains(one)]
    except Exception:  # a plugin's validator, which the whole will tell of if it is due to that
        pass
    return []


class _Beginning:
    """Copies the first values of data; of small maps and lists all that isn't large."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._cut: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        self._left -= 1
        if type(value) is dict:
            small = len(value) < _SMALL
            out: dict[str, Any] = {}
            for key, item in value.items():
                if self._left <= 0 and not small:
                    self._cut[id(out)] = out
                    break
                out[key] = self.of(item)
            return out
        if type(value) is list:
            small = len(value) < _SMALL
            items: list[Any] = []
            for item in value:
                if self._left <= 0 and not small:
                    self._cut[id(items)] = items
                    break
                items.append(self.of(item))
            return items
        return value

    def explains(self, error: ErrorDetails) -> bool:
        """Whether the error may be due to what was left out."""
        return not error["loc"] or (error["type"] in _LACKS and id(error["input"]) in self._cut)
