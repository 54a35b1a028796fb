"""What a message may be: JSON of plain types, bounded in size and depth."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind, Json

LARGEST: Final = 2**20
"""Bytes of a message, as it stands in the log."""
_DEEPEST: Final = 100


def check_message(message: Any) -> tuple[Json, int]:
    """The message, and its size as the log has it; raises NodeFault."""
    try:
        _walk(message, 0)
        size = len(json.dumps(message, separators=(",", ":")))
    except (TypeError, ValueError, RecursionError) as error:
        raise NodeFault(ErrorKind.REFUSED, f"the message is no JSON: {error}") from None
    if size > LARGEST:
        raise NodeFault(
            ErrorKind.REFUSED,
            f"the message takes {size} bytes in the log, and the limit is {LARGEST}: leave what is larger as a file, "
            "and publish where it is",
        )
    return message, size


def _walk(value: Any, depth: int) -> None:
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return
    if kind is float:
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
            _walk(item, depth + 1)
    else:
        raise TypeError(f"type {kind.__name__} is no type of JSON")
