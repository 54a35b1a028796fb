"""`'%s: %05.1f' | format(a, b)`: printf's conversions, with widths that are bounded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pipe_runner.expressions.interpret import Interpreter
from pipe_runner.expressions.values import describe

MAX_WIDTH: Final = 1000
_CONVERSION: Final = re.compile(r"%(?:\(([^)]*)\))?([-#0 +]*)(\*|[0-9]*)(?:\.(\*|[0-9]*))?[hlL]?(.?)", re.DOTALL)


def percent(interpreter: Interpreter, form: str, values: Sequence[Any] | dict[str, Any]) -> str:
    """The form with its conversions filled in, from a list in order or from an object by name."""
    remaining = list(values) if not isinstance(values, dict) else []
    used = 0
    total = 0
    out: list[str] = []
    position = 0
    interpreter.budget.step(len(form) >> 6)
    for found in _CONVERSION.finditer(form):
        interpreter.budget.step(2)
        name, flags, width, precision, letter = found.groups()
        out.append(form[position : found.start()])
        position = found.end()
        if letter == "%":
            out.append("%")
            continue
        if not letter:
            interpreter.fault("a `%` at the end of a format; `%%` means the sign itself")
        for number in (width, precision):
            if number == "*" or (number and (len(number) > 4 or int(number) > MAX_WIDTH)):
                interpreter.fault(f"a width or precision in a format is a number up to {MAX_WIDTH}")
        if letter not in "sdiouxXeEfFgGc":
            interpreter.fault(f"`%{letter}` is no conversion; there is %s, %d, %x, %o, %e, %f, %g")
        value: Any
        if name is not None:
            if not isinstance(values, dict) or name not in values:
                interpreter.fault(f"the format asks for `{name}`, which isn't given")
            value = values[name]
        elif isinstance(values, dict):
            value, used = values, used + 1
        elif used < len(remaining):
            value, used = remaining[used], used + 1
        else:
            interpreter.fault("the format has more conversions than values")
        piece = _convert(interpreter, value, flags, width, precision, letter)
        total += len(piece)
        interpreter.budget.take(len(piece))
        out.append(piece)
    if used < len(remaining):
        interpreter.fault("the format has fewer conversions than values")
    out.append(form[position:])
    interpreter.budget.grow(len(form) + total, len(form) + total)
    return "".join(out)


def _convert(interpreter: Interpreter, value: Any, flags: str, width: str, precision: str | None, letter: str) -> str:
    spec = f"%{flags}{width}{'' if precision is None else '.' + precision}{letter}"
    if letter == "s":
        return spec % interpreter.text(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        if letter == "c" and isinstance(value, str) and len(value) == 1:
            return spec % value
        interpreter.fault(f"`%{letter}` takes a number, not {describe(value)}; `| int` makes one of text")
    if letter == "c" and not (isinstance(value, int) and 0 <= value < 0x110000):
        interpreter.fault("`%c` takes one character or its number")
    if letter in "xXo" and not isinstance(value, int):
        interpreter.fault(f"`%{letter}` takes an integer, not {describe(value)}")
    return spec % value
