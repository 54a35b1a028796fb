"""Values as text, by the contract's rule, and as people read them in messages."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pipe_runner.errors import ExpressionFault
from pipe_runner.types import Json

_INTEGER: Final = re.compile(r"\s*([+-]?)([0-9]+)\s*\Z", re.ASCII)
_PLAIN: Final = 10**18
"""Below it an integer is written without a writer of JSON, which takes ten times as long to be made."""
_WORDS: Final = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}


def value_to_text(value: Json) -> str:
    """Text of a value: strings as they are, true/false, numbers as JSON, null as nothing, the rest as compact JSON.

    Raises ExpressionFault for what JSON can't say (infinity, not-a-number) and for values nested too deeply.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int and -_PLAIN < value < _PLAIN:
        return str(value)
    return to_json_text(value)


def to_json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False, sort_keys: bool = False) -> str:
    """JSON without spaces, characters as they are; with `indent`, one member a line."""
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        return json.dumps(
            value,
            allow_nan=False,
            ensure_ascii=ascii_only,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
            check_circular=False,
        )
    except RecursionError:
        raise ExpressionFault("the value is nested too deeply to be written as text") from None
    except ValueError as error:
        raise ExpressionFault(f"the value can't be written as JSON: {error}") from None


def value_to_integer(value: Json) -> str:
    """The decimal digits of a value that looks like an integer; raises ExpressionFault for any other.

    Shells evaluate the text in `$(( ))` again, so nothing else may get there. `010` is ten, as in the rest of a file.
    """
    if isinstance(value, bool) or value is None:
        raise ExpressionFault(f"shell arithmetic takes an integer, not {describe(value)}")
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, int):
        number = value
    elif isinstance(value, str) and len(value) <= 64 and (found := _INTEGER.match(value)):
        number = int(found[1] + found[2])
    else:
        raise ExpressionFault(f"shell arithmetic takes an integer, not {describe(value)}")
    if not -(2**63) <= number < 2**63:
        raise ExpressionFault(f"shell arithmetic has 64 bits: {shorten(str_of_int(number), 40)} doesn't fit")
    return str(number)


def str_of_int(number: int) -> str:
    """Decimal digits; for integers beyond Python's limit of digits, their size."""
    return str(number) if number.bit_length() < 8192 else f"an integer of {number.bit_length()} bits"


def type_name(value: Any) -> str:
    """The JSON type of a value in words."""
    if value is None:
        return "null"
    return _WORDS.get(type(value), "a value")


def describe(value: Any) -> str:
    """Type and a short look at a value, for messages."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else value_to_text(value)
    if isinstance(value, int):
        return f"the number {shorten(str_of_int(value), 40)}"
    if isinstance(value, float):
        return f"the number {value!r}"
    if isinstance(value, str):
        return f"the text {shorten(json.dumps(value[:80], ensure_ascii=False), 60)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with {names(value)}" if value else "an empty object"
    return "a value"


def names(known: Any, limit: int = 8) -> str:
    """A short enumeration of keys."""
    keys = [shorten(str(key), 40) for _, key in zip(range(limit + 1), known, strict=False)]
    if len(keys) > limit:
        keys[limit:] = ["…"]
    return ", ".join(keys) if keys else "nothing"


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
