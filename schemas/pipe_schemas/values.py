"""Turns what Python code gave back into a JSON value of our own, or says where it isn't one."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"

MAX_DEPTH: Final = 200
"""Lists and objects inside one another; JSON readers elsewhere give up not far beyond."""
_MAX_BITS: Final = 14_000
"""Of an integer: Python reads and writes no more than 4,300 digits."""
_HINTS: Final = {
    "tuple": "return a list",
    "set": "return a list",
    "frozenset": "return a list",
    "bytes": "decode it, or return base64 text",
    "datetime": "return its isoformat()",
    "Decimal": "return a string or a float",
    "coroutine": "await it",
    "generator": "return a list",
    "async_generator": "return a list",
}


class NotJson(Exception):
    """A value that JSON has no place for; `path` grows while the exception rises, innermost step first."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.path: list[str | int] = []

    def where(self, root: str) -> str:
        text = root
        for step in reversed(self.path[-20:]):
            if isinstance(step, int):
                text += f"[{step}]"
            elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", step):
                text += f".{step}"
            else:
                text += f"[{step[:64]!r}]"
        return text


class TooLarge(Exception):
    """The value's JSON text is above the limit."""


def copied(value: Any, limit: int) -> Json:
    """A copy of a value that is JSON in every part, so that nobody can change it later.

    Only the exact types None, bool, int, float, str, list and dict pass. Raises NotJson, or TooLarge when the JSON
    text would have more than `limit` bytes (escapes not counted).
    """
    return _copy(value, [limit], 0)


def own(value: Any) -> Any:
    """A copy of a JSON value, for code that may change what it gets."""
    kind = type(value)
    if kind is list:
        return [own(item) for item in value]
    if kind is dict:
        return {key: own(item) for key, item in value.items()}
    return value


def _copy(value: Any, budget: list[int], depth: int) -> Json:
    kind = type(value)
    if kind is str:
        return _text(value, budget)
    if kind is dict or kind is list:
        if depth >= MAX_DEPTH:
            raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels, or contains itself")
        return _list(value, budget, depth + 1) if kind is list else _dict(value, budget, depth + 1)
    budget[0] -= 2
    if budget[0] < 0:
        raise TooLarge
    if value is None or kind is bool:
        copy: Json = value
        return copy
    if kind is int:
        bits = value.bit_length()
        if bits > _MAX_BITS:
            raise NotJson("an integer of more than 4,300 digits")
        budget[0] -= bits // 4
        return int(value)
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            large = "" if value != value else ", and one above 1.8e308 is read as it"
            raise NotJson(f"{value} is no JSON number{large}; return null, or a string")
        budget[0] -= 4
        return float(value)
    raise NotJson(_why(value))


def _text(value: str, budget: list[int]) -> str:
    size = len(value)
    if not value.isascii():
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise NotJson("text with half of a surrogate pair, which is not Unicode") from None
    budget[0] -= size + 2
    if budget[0] < 0:
        raise TooLarge
    return value


def _list(value: list[Any], budget: list[int], depth: int) -> Json:
    result: list[Json] = []
    index = 0
    try:
        for item in list(value):
            result.append(_copy(item, budget, depth))
            index += 1
    except NotJson as error:
        error.path.append(index)
        raise
    return result


def _dict(value: dict[Any, Any], budget: list[int], depth: int) -> Json:
    result: dict[str, Json] = {}
    for key, item in list(value.items()):
        if type(key) is not str:
            raise NotJson(f"the key {_shown(key)} is {_a(type(key).__name__)}, and keys must be strings")
        _text(key, budget)
        try:
            result[key] = _copy(item, budget, depth)
        except NotJson as error:
            error.path.append(key)
            raise
    return result


def _why(value: Any) -> str:
    name = type(value).__name__
    for base in (str, int, float, list, dict):
        if isinstance(value, base) and not isinstance(value, bool):
            return f"{_a(name)}; return a plain {base.__name__}"
    hint = _HINTS.get(name)
    return f"{_a(name)}; {hint}" if hint else _a(name)


def _a(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name[:64]}"


def _shown(key: Any) -> str:
    return repr(key)[:64] if type(key) in (int, float, bool, type(None), bytes) else "of an object"
