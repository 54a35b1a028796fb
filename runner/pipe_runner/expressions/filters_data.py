"""Filters that work on numbers, lists and objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pipe_runner.expressions.interpret import Interpreter, Missing
from pipe_runner.expressions.plain import step_into
from pipe_runner.expressions.values import describe, to_json_text


def default(interpreter: Interpreter, value: Any, instead: Any = "", boolean: bool = False) -> Any:
    """What isn't there, or is null, becomes `instead`; with `boolean`, so does all that counts as false."""
    if type(value) is Missing or value is None or (boolean and not value):
        return instead
    return value


def length(interpreter: Interpreter, value: Any) -> int:
    if not isinstance(value, (str, list, dict)):
        interpreter.fault(f"{describe(value)} has no length")
    return len(value)


def to_list(interpreter: Interpreter, value: Any) -> list[Any]:
    return list(interpreter.iterate(value))


def join(interpreter: Interpreter, value: Any, separator: Any = "", attribute: Any = None) -> str:
    members = interpreter.iterate(value)
    interpreter.budget.step(len(members) >> 1)
    if attribute is not None:
        members = [read(interpreter, member, attribute) for member in members]
    texts = [interpreter.text(member) for member in members]
    between = interpreter.text(separator)
    own = sum(map(len, texts))
    interpreter.budget.grow(own + len(between) * max(0, len(texts) - 1), own)
    return between.join(texts)


def first(interpreter: Interpreter, value: Any) -> Any:
    members = interpreter.iterate(value)
    return members[0] if members else Missing("there is no first one: it is empty")


def last(interpreter: Interpreter, value: Any) -> Any:
    members = interpreter.iterate(value)
    return members[-1] if members else Missing("there is no last one: it is empty")


def reverse(interpreter: Interpreter, value: Any) -> Any:
    interpreter.budget.take(8 * len(value) if isinstance(value, (str, list, dict)) else 0)
    return value[::-1] if isinstance(value, str) else interpreter.iterate(value)[::-1]


def keys(interpreter: Interpreter, value: Any) -> list[str]:
    _object(interpreter, value, "keys")
    return list(value)


def values(interpreter: Interpreter, value: Any) -> list[Any]:
    _object(interpreter, value, "values")
    return list(value.values())


def items(interpreter: Interpreter, value: Any) -> list[Any]:
    _object(interpreter, value, "items")
    return [[key, member] for key, member in value.items()]


def dictsort(
    interpreter: Interpreter, value: Any, case_sensitive: bool = False, by: str = "key", reverse: bool = False
) -> list[Any]:
    if by not in ("key", "value"):
        interpreter.fault("`dictsort` sorts by 'key' or by 'value'")
    pairs = items(interpreter, value)
    return _sorted(interpreter, pairs, [pair[by == "value"] for pair in pairs], case_sensitive, reverse)


def sort(
    interpreter: Interpreter, value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    members = interpreter.iterate(value)
    if attribute is None:
        sort_keys = members
    else:
        names = attribute.split(",") if isinstance(attribute, str) else [attribute]
        rows = [[read(interpreter, member, name) for name in names] for member in members]
        sort_keys = [row[0] for row in rows] if len(names) == 1 else rows
    return _sorted(interpreter, members, sort_keys, case_sensitive, reverse)


def unique(interpreter: Interpreter, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:
    seen: set[Any] = set()
    result = []
    for member in interpreter.iterate(value):
        key = _fold(member if attribute is None else read(interpreter, member, attribute), case_sensitive)
        mark = _mark(interpreter, key)
        if mark not in seen:
            seen.add(mark)
            result.append(member)
    return result


def groupby(
    interpreter: Interpreter, value: Any, attribute: Any, default: Any = None, case_sensitive: bool = False
) -> list[Any]:
    """Groups as lists `[key, members]`, which `for key, members in …` takes apart."""
    members = interpreter.iterate(value)
    group_keys = [read(interpreter, member, attribute, default) for member in members]
    order = _sorted(interpreter, list(range(len(members))), group_keys, case_sensitive, False)
    groups: list[list[Any]] = []
    before: Any = None
    for index in order:
        mark = _mark(interpreter, _fold(group_keys[index], case_sensitive))
        if not groups or mark != before:
            groups.append([group_keys[index], []])
            before = mark
        groups[-1][1].append(members[index])
    return groups


def extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def call(interpreter: Interpreter, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
        members = interpreter.iterate(value)
        if not members:
            return Missing("it is empty: there is no least and no greatest")
        wanted = [m if attribute is None else read(interpreter, m, attribute) for m in members]
        folded = _comparable(interpreter, wanted, case_sensitive)
        return members[choose(range(len(members)), key=folded.__getitem__)]

    return call


def total(interpreter: Interpreter, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    from pipe_runner.expressions.arithmetic import binary

    result = start
    for member in interpreter.iterate(value):
        interpreter.budget.step()
        result = binary(interpreter, "+", result, member if attribute is None else read(interpreter, member, attribute))
    return result


def flatten(interpreter: Interpreter, value: Any, levels: int = 1) -> list[Any]:
    if not isinstance(levels, int) or not 1 <= levels <= 20:
        interpreter.fault("`flatten` takes 1 to 20 levels")
    members = interpreter.iterate(value)
    for _ in range(levels):
        size = sum(len(member) if isinstance(member, list) else 1 for member in members)
        interpreter.budget.grow(size, len(members))
        interpreter.budget.take(8 * size)
        members = [leaf for member in members for leaf in (member if isinstance(member, list) else [member])]
    return list(members)


def batch(interpreter: Interpreter, value: Any, linecount: int, fill_with: Any = None) -> list[Any]:
    members = interpreter.iterate(value)
    if not isinstance(linecount, int) or linecount < 1:
        interpreter.fault("`batch` takes a size of at least 1")
    interpreter.budget.step(len(members) // linecount)
    rows = [members[at : at + linecount] for at in range(0, len(members), linecount)]
    if rows and fill_with is not None:
        lacking = linecount - len(rows[-1])
        interpreter.budget.grow(8 * lacking, len(members))
        rows[-1] = rows[-1] + [fill_with] * lacking
    return rows


def slices(interpreter: Interpreter, value: Any, slices: int, fill_with: Any = None) -> list[Any]:
    members = interpreter.iterate(value)
    if not isinstance(slices, int) or slices < 1:
        interpreter.fault("`slice` takes a number of at least 1")
    interpreter.budget.step(slices)
    share, longer = divmod(len(members), slices)
    rows, at = [], 0
    for index in range(slices):
        size = share + (index < longer)
        row = members[at : at + size]
        at += size
        rows.append([*row, fill_with] if fill_with is not None and index >= longer and longer else row)
    return rows


def absolute(interpreter: Interpreter, value: Any) -> Any:
    if not isinstance(value, (int, float)):
        interpreter.fault(f"`abs` takes a number, not {describe(value)}")
    return abs(value)


def to_int(interpreter: Interpreter, value: Any, default: int = 0, base: int = 10) -> int:
    if isinstance(value, str) and len(value) > 400:
        return default
    try:
        result = int(value, base) if isinstance(value, str) else int(value)
    except (TypeError, ValueError, OverflowError):
        try:
            result = int(float(value))
        except (TypeError, ValueError, OverflowError):
            return default
    return result


def to_float(interpreter: Interpreter, value: Any, default: float = 0.0) -> float:
    try:
        result = float(value) if not isinstance(value, str) or len(value) <= 400 else default
    except (TypeError, ValueError, OverflowError):
        return default
    return result if math.isfinite(result) else default


def to_bool(interpreter: Interpreter, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        return value.strip().lower() in ("true", "yes", "on", "1")
    if value in (0, 1) and isinstance(value, int):
        return bool(value)
    return interpreter.fault(f"`bool` reads true, yes, on, 1 and false, no, off, 0, not {describe(value)}")


def rounded(interpreter: Interpreter, value: Any, precision: int = 0, method: str = "common") -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        interpreter.fault(f"`round` takes a number, not {describe(value)}")
    if not isinstance(precision, int) or not -300 <= precision <= 300:
        interpreter.fault("`round` takes a precision between -300 and 300")
    if method == "common":
        return round(value, precision)
    if method not in ("ceil", "floor"):
        interpreter.fault("`round` knows the methods common, ceil and floor")
    scale = 10.0**precision
    return (math.ceil if method == "ceil" else math.floor)(value * scale) / scale


def filesizeformat(interpreter: Interpreter, value: Any, binary: bool = False) -> str:
    size = to_float(interpreter, value)
    step = 1024 if binary else 1000
    if size == 1:
        return "1 Byte"
    if size < step:
        return f"{int(size)} Bytes"
    for unit in "kMGTPEZ":
        size /= step
        if size < step:
            return f"{size:.1f} {unit.upper() + 'i' if binary else unit}B"
    return f"{size / step:.1f} {'Yi' if binary else 'Y'}B"


def read(interpreter: Interpreter, member: Any, attribute: Any, default: Any = None) -> Any:
    """The value at `attribute` of a member: a key, an index, or several with dots between."""
    interpreter.budget.step()
    if isinstance(attribute, str):
        steps: list[Any] = [int(part) if part.isascii() and part.isdigit() else part for part in attribute.split(".")]
    elif isinstance(attribute, int) and not isinstance(attribute, bool):
        steps = [attribute]
    else:
        interpreter.fault(f"an attribute is a key or an index, not {describe(attribute)}")
    value = member
    for step in steps:
        try:
            value = step_into(value, step)
        except (LookupError, TypeError):
            if default is not None:
                return default
            interpreter.fault(f"{describe(member)} has no {attribute}")
    return value


def _object(interpreter: Interpreter, value: Any, word: str) -> None:
    if not isinstance(value, dict):
        interpreter.fault(f"`{word}` takes an object, not {describe(value)}")
    interpreter.budget.take(80 * len(value) + 64)


def _fold(value: Any, case_sensitive: bool) -> Any:
    return value.lower() if isinstance(value, str) and not case_sensitive else value


def _mark(interpreter: Interpreter, value: Any) -> Any:
    """Something hashable that is equal for equal values."""
    interpreter.budget.step()
    if isinstance(value, (list, dict)):
        interpreter.budget.take(interpreter.budget.measure(value))
        return ("json", to_json_text(value, sort_keys=True))
    return value


def _comparable(interpreter: Interpreter, wanted: list[Any], case_sensitive: bool) -> list[Any]:
    """The keys to sort by; pays for all comparisons, which are as long as the keys and n log n in number."""
    folded = [_fold(key, case_sensitive) for key in wanted]
    work = sum(1 + (interpreter.budget.measure(key) >> 7) for key in folded)
    interpreter.budget.step(work * max(1, len(folded).bit_length() >> 1))
    return folded


def _sorted(
    interpreter: Interpreter, members: list[Any], wanted: list[Any], case_sensitive: bool, reverse: bool
) -> list[Any]:
    folded = _comparable(interpreter, wanted, case_sensitive)
    try:
        order = sorted(range(len(members)), key=folded.__getitem__, reverse=bool(reverse))
    except TypeError:
        interpreter.fault("the members have no common order: numbers sort with numbers, text with text")
    return [members[index] for index in order]
