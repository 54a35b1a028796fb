"""What was measured, in a few lines: the numbers behind an answer that has no finding."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipe_runner.console.words import safe

_SKIPPED: Final = frozenset({"checks", "platform", "window_s", "chosen", "sources", "host"})
_NUMBERS: Final = 8
"""Values of one line."""
_ROWS: Final = 5
"""Entries of one list."""
_LISTS: Final = 3
"""Lists of one part."""
_TEXT: Final = 60
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_LITTLE: Final = frozenset({"pid", "id", "line", "started_s", "uid"})
"""Numbers that answer nothing."""
_NAMES: Final = ("name", "host", "path", "url", "unit", "program", "device", "mount", "template", "source", "subject")


def measured_text(measurements: Any, *, width: int = 100, most: int = 30) -> str:
    """The parts of what was measured, a line each, with the first entries of lists. All of it is safe to print."""
    lines = list(_lines(measurements, width)) if isinstance(measurements, dict) else []
    if len(lines) > most:
        lines = [*lines[:most], "  … `--output json` has the rest"]
    return "".join(f"{line}\n" for line in lines)


def _lines(measurements: Mapping[str, Any], width: int) -> Iterator[str]:
    loose = {key: value for key, value in measurements.items() if key not in _SKIPPED and _is_plain(value)}
    if loose:
        yield from _wrapped(f"  {_values(loose)}", width)
    for part, value in measurements.items():
        if part in _SKIPPED or value in (None, [], {}):
            continue
        if isinstance(value, dict):
            yield from _part(part, value, width)
        elif isinstance(value, list):
            yield from _list(part, value, width, "  ")


def _part(part: str, value: Mapping[str, Any], width: int) -> Iterator[str]:
    inner = {key: one for key, one in value.items() if isinstance(one, dict) and any(map(_is_plain, one.values()))}
    told = [_values(value), *(f"{_word(key)} ({_values(one, 4)})" for key, one in list(inner.items())[:_LISTS])]
    said = "; ".join(one for one in told if one and not one.endswith("()"))
    if said:
        yield from _wrapped(f"  {_word(part)}: {said}", width)
    lists = [(key, one) for key, one in value.items() if isinstance(one, list) and one]
    for key, one in lists[:_LISTS]:
        yield from _list(key, one, width, "    ")


def _list(name: str, several: list[Any], width: int, indent: str) -> Iterator[str]:
    more = f" (first {_ROWS} of {len(several)})" if len(several) > _ROWS else ""
    plain = [one for one in several if _is_plain(one)]
    if plain:
        shown = ", ".join(_value("", one) for one in plain[:_ROWS])
        yield from _wrapped(f"{indent}{_word(name)}{more}: {shown}", width)
        return
    rows = [row for one in several[:_ROWS] if isinstance(one, dict) and (row := _row(one))]
    if rows:
        yield safe(f"{indent}{_word(name)}{more}:")
        for row in rows:
            yield from _wrapped(f"{indent}  {row}", width)


def _row(one: Mapping[str, Any]) -> str:
    """An entry: what it is called, and its numbers with units first."""
    title = next((_value("", one[key]) for key in _NAMES if one.get(key) not in (None, "")), "")
    numbers = [key for key, value in one.items() if _is_number(value) and key not in _LITTLE]
    numbers.sort(key=lambda key: (_unit(key) == "", one[key] == 0))
    words = [key for key, value in one.items() if isinstance(value, str) and key not in _NAMES and value]
    chosen = _values({key: one[key] for key in [*numbers[:4], *words[:1]]})
    inner = [f"{_word(key)} {_inner(value)}" for key, value in one.items() if _inner(value)][:2]
    said = "; ".join(part for part in (chosen, *inner) if part)
    pid = f" (pid {one['pid']})" if isinstance(one.get("pid"), int) else ""
    return f"{title}{pid}: {said}" if title else said


def _inner(value: Any) -> str:
    """A small map or list within an entry."""
    if isinstance(value, dict):
        lists = [_inner(one) for one in value.values() if isinstance(one, list)]
        told = [part for part in (_values(value, 3), *lists) if part]
        return f"({', '.join(told)})" if told else ""
    if isinstance(value, list) and value and all(map(_is_plain, value)):
        return ", ".join(_value("", one) for one in value[:3]) + (", …" if len(value) > 3 else "")
    return ""


def _values(values: Mapping[str, Any], most: int = _NUMBERS) -> str:
    plain = [(key, value) for key, value in values.items() if _is_plain(value)]
    return ", ".join(f"{_word(key)} {_value(key, value)}" for key, value in plain[:most])


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unit(key: str) -> str:
    for unit in ("bytes_per_s", "per_s", "bytes", "percent", "ms", "s"):
        if key == unit or key.endswith(f"_{unit}"):
            return unit
    return ""


def _word(key: str) -> str:
    unit = _unit(key)
    bare = key.removesuffix(unit).rstrip("_") if unit else key
    return (bare or "time" if unit in ("ms", "s") else bare or key).replace("_", " ")


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not _is_number(value):
        text = " ".join(str(value).split())
        return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"
    unit = _unit(key)
    if unit == "bytes":
        return _size(value)
    if unit == "bytes_per_s":
        return f"{_size(value)}/s"
    whole = isinstance(value, int) or abs(value) >= 1000
    shown = f"{value:,.0f}".replace(",", " ") if whole else f"{value:.4g}"
    return {"percent": f"{shown} %", "ms": f"{shown} ms", "s": f"{shown} s", "per_s": f"{shown}/s"}.get(unit, shown)


def _size(value: float) -> str:
    for unit in _SIZES[:-1]:
        if abs(value) < 1024:
            return f"{value:.3g} {unit}" if unit != "B" else f"{value:g} B"
        value /= 1024
    return f"{value:.3g} {_SIZES[-1]}"


def _wrapped(text: str, width: int) -> list[str]:
    indent = len(text) - len(text.lstrip())
    lines = textwrap.wrap(
        " ".join(text.split()), width, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4),
        break_on_hyphens=False,
    )  # fmt: skip
    return [safe(line) for line in lines]
