"""What a plain scalar stands for, by the core schema of YAML 1.2."""

from __future__ import annotations

import re
from typing import Final

STARTS: Final = frozenset("0123456789+-.~nNtTfF")
"""The first characters of every plain scalar that may be something other than text."""

_NUMBER_STARTS: Final = frozenset("0123456789+-.")

MAX_DIGITS: Final = 1000
"""Digits of the longest integer that is read; Python itself refuses to print one of more than 4,300."""

_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT: Final = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_OCTAL: Final = re.compile(r"0o[0-7]+\Z")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+\Z")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")


class NotJson(ValueError):
    """The scalar is a number that JSON can't carry; the message says which."""


def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar; raises `NotJson` for infinities, not-a-number and numbers out of range."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INT.match(text):
        if len(text) > MAX_DIGITS:
            raise NotJson(f"an integer of {len(text.lstrip('+-'))} digits; at most {MAX_DIGITS} are read")
        return int(text)
    if _FLOAT.match(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise NotJson("a number that is too large for a float")
        return number
    if _OCTAL.match(text) or _HEX.match(text):
        if len(text) > MAX_DIGITS:
            raise NotJson(f"an integer of {len(text) - 2} digits; at most {MAX_DIGITS} are read")
        return int(text, 0)
    if _NOT_FINITE.match(text):
        raise NotJson("JSON has neither infinities nor not-a-number")
    return text


def kind(value: object) -> str:
    """The kind of a value as YAML users call it, with its article: `a boolean`, `a list`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a map"
