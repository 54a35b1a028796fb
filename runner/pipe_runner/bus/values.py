"""What a message may be: JSON of plain types, bounded in size and depth."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

from pipe_runner.errors import NodeFault, alike
from pipe_runner.types import ErrorKind, Json

LARGEST: Final = 2**20
"""Bytes of a message, as it stands in the log."""
_DEEPEST: Final = 100
_DIGITS: Final = 4000
"""Of a number: Python reads and writes no much longer ones."""
_BITS: Final = int(_DIGITS * 3.33)


def check_message(message: Any) -> tuple[Json, int]:
    """The message, and its size as the log has it; raises NodeFault."""
    return sized(well_formed(message))


def well_formed(message: Any) -> Json:
    """The message, which is JSON; raises NodeFault. Before anything else looks at it."""
    try:
        _walk(message, 0)
    except (TypeError, ValueError) as error:
        raise NodeFault(ErrorKind.REFUSED, f"the message is no JSON: {error}") from None
    given: Json = message
    return given


def sized(message: Json) -> tuple[Json, int]:
    """The message, and its size as the log has it; raises NodeFault."""
    size = len(json.dumps(message, separators=(",", ":")))
    if size > LARGEST:
        raise NodeFault(
            ErrorKind.REFUSED,
            f"the message takes {size} bytes in the log, and the limit is {LARGEST}: leave what is larger as a file, "
            "and publish where it is",
        )
    return message, size


def _walk(value: Any, depth: int) -> None:
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind is str:
        _text(value)
    elif kind is int:
        if value.bit_length() > _BITS:
            raise ValueError(f"a number has more than {_DIGITS} digits")
    elif kind is float:
        if not isfinite(value):
            raise ValueError(f"{value} is no number of JSON")
    elif depth >= _DEEPEST:
        raise ValueError(f"it is more than {_DEEPEST} deep")
    elif kind is list:
        for item in value:
            _walk(item, depth + 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"a key is of type {type(key).__name__}, not text")
            _text(key)
            _walk(item, depth + 1)
    else:
        raise TypeError(f"type {kind.__name__} is no type of JSON")


def _text(value: str) -> None:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("a text is not Unicode: it has half a pair of surrogates") from None


def why_no_json(error: Exception) -> str:
    """What is wrong with a line, in words for who has sent it."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(alike(error)) if isinstance(error, json.JSONDecodeError) else f"a number has more than {_DIGITS} digits"
