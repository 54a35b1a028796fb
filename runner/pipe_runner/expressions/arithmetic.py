"""`+ - * / // % **` on numbers, texts and lists, each with its bound checked before it is done."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from pipe_runner.expressions.interpret import Interpreter
from pipe_runner.expressions.values import describe

MAX_BITS: Final = 4096
"""Bits of the largest integer that arithmetic may give."""

_NUMBERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def binary(interpreter: Interpreter, word: str, left: Any, right: Any) -> Any:
    """The result of an operator; faults say which values didn't fit."""
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return _numbers(interpreter, word, left, right)
    if word == "+":
        if isinstance(left, str) and isinstance(right, str):
            interpreter.budget.grow(len(left) + len(right), len(left) + len(right))
            return left + right
        if isinstance(left, list) and isinstance(right, list):
            interpreter.budget.take(8 * (len(left) + len(right)))
            return left + right
        if isinstance(left, str) or isinstance(right, str):
            interpreter.fault(
                f"`+` adds numbers, or texts, not {describe(left)} and {describe(right)}; `~` makes text of both"
            )
    elif word == "*":
        if isinstance(left, int):
            left, right = right, left
        if isinstance(left, (str, list)) and isinstance(right, int):
            count = max(0, int(right))
            interpreter.budget.grow(len(left) * count, len(left))
            if isinstance(left, list):
                interpreter.budget.take(8 * len(left) * count)
            return left * count
    elif word == "%" and isinstance(left, str):
        from pipe_runner.expressions.formatting import percent

        return percent(interpreter, left, right if isinstance(right, dict) else [right])
    return interpreter.fault(f"`{word}` doesn't work on {describe(left)} and {describe(right)}")


def _numbers(interpreter: Interpreter, word: str, left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        bits = 0
        if word == "*":
            bits = left.bit_length() + right.bit_length()
        elif word == "**":
            bits = left.bit_length() * max(0, right) if abs(left) > 1 else 1
            if right < 0 and left == 0:
                interpreter.fault("0 has no negative power")
        if bits > MAX_BITS:
            interpreter.fault(f"`{word}` would give an integer of more than {MAX_BITS} bits")
    try:
        result = _NUMBERS[word](left, right)
    except ZeroDivisionError:
        interpreter.fault("division by zero")
    except OverflowError:
        interpreter.fault(f"`{word}` gives a number that is too large")
    if isinstance(result, complex):
        interpreter.fault("a negative number has no such power")
    if isinstance(result, float):
        interpreter.budget.measure(result)
    elif isinstance(result, int) and result.bit_length() > MAX_BITS:
        interpreter.fault(f"`{word}` gives an integer of more than {MAX_BITS} bits")
    return result  # type: ignore[no-any-return]
