"""A value that Python code gave back, as the output of a node."""

from __future__ import annotations

from typing import Any

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind, Json
from pipe_schemas.values import NotJson, TooLarge, copied


def output_of(value: Any, limit: int, root: str = "output") -> Json:
    """`copied`, with the faults of a node."""
    kind = type(value)
    if value is None or kind is bool:
        copy: Json = value
        return copy
    try:
        return copied(value, limit)
    except NotJson as error:
        raise NodeFault(ErrorKind.INVALID_OUTPUT, f"{error.where(root)} is not JSON: {error.why}") from None
    except TooLarge:
        raise NodeFault(ErrorKind.OUTPUT_TOO_LARGE, f"{root} is larger than the limit of {limit} bytes") from None
