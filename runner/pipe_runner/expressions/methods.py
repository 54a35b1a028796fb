"""The few methods that texts, objects and lists have: `x.startswith('a')`, `x.get('k')`, `x.items()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pipe_runner.expressions.filters_text import pay_for_parts, replace, split
from pipe_runner.expressions.interpret import Interpreter
from pipe_runner.expressions.values import describe


def call_method(interpreter: Interpreter, name: str, value: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The result of `value.name(args)`. Never an attribute: each method is a function written for it."""
    methods = _METHODS.get(type(value) if type(value) in _METHODS else str if isinstance(value, str) else type(None))
    found = methods.get(name) if methods else None
    if found is None:
        interpreter.fault(f"{describe(value)} has no method .{name}()")
    return found(interpreter, value, *args, **kwargs)


def methods_named(name: str) -> list[Callable[..., Any]]:
    """The functions that a method is of texts, of objects and of lists; Python's own where that says more."""
    return [
        getattr(str, name) if kind is str and name in _SHRINKING.split() else methods[name]
        for kind, methods in _METHODS.items()
        if name in methods
    ]


def receivers(name: str) -> frozenset[str]:
    """The JSON types of values that have a method of that name."""
    return frozenset(_TYPES[kind] for kind, methods in _METHODS.items() if name in methods)


def _simple(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Python's str whose result is never larger than the text."""

    def call(interpreter: Interpreter, value: str, *args: Any) -> Any:
        interpreter.budget.take(4 * len(value) + 64)
        for arg in args:
            if not isinstance(arg, (str, int)) or isinstance(arg, bool):
                interpreter.fault(f"takes text and integers, not {describe(arg)}")
        return function(value, *args)

    return call


def _stripping(function: Callable[..., str]) -> Callable[..., str]:
    def call(interpreter: Interpreter, value: str, characters: str | None = None) -> str:
        interpreter.budget.take(4 * len(value) + 64)
        if characters is not None and (not isinstance(characters, str) or len(characters) > 100):
            interpreter.fault("takes up to 100 characters")
        return function(value, characters)

    return call


def _backwards(function: Callable[..., Any]) -> Callable[..., Any]:
    """Python searches backwards in as many steps as text times part: paid for in full."""

    def call(interpreter: Interpreter, value: str, part: str) -> Any:
        if not isinstance(part, str):
            interpreter.fault(f"takes text, not {describe(part)}")
        interpreter.budget.step(len(value) * len(part) >> 10)
        interpreter.budget.take(4 * len(value) + 64)
        result = function(value, part)
        return list(result) if isinstance(result, tuple) else result

    return call


def _count(interpreter: Interpreter, value: str, part: str) -> int:
    if not isinstance(part, str) or not part:
        interpreter.fault(".count() takes a text that isn't empty")
    interpreter.budget.step(len(value) >> 8)
    return value.count(part)


def _affix(end: bool) -> Callable[..., bool]:
    def call(interpreter: Interpreter, value: str, affix: Any) -> bool:
        affixes = affix if isinstance(affix, list) else [affix]
        interpreter.budget.step(len(affixes))
        if not all(isinstance(a, str) for a in affixes):
            interpreter.fault(f"takes text, not {describe(affix)}")
        interpreter.budget.step(sum(min(len(a), len(value)) for a in affixes) >> 12)
        return value.endswith(tuple(affixes)) if end else value.startswith(tuple(affixes))

    return call


def _justify(function: Callable[..., str]) -> Callable[..., str]:
    def call(interpreter: Interpreter, value: str, width: int, fill: str = " ") -> str:
        if not isinstance(width, int) or not isinstance(fill, str) or len(fill) != 1:
            interpreter.fault("takes a width and one character")
        interpreter.budget.grow(max(width, len(value)), len(value))
        return function(value, width, fill)

    return call


def _zfill(interpreter: Interpreter, value: str, width: int) -> str:
    if not isinstance(width, int):
        interpreter.fault(".zfill() takes a width")
    interpreter.budget.grow(max(width, len(value)), len(value))
    return value.zfill(width)


def _join(interpreter: Interpreter, value: str, items: Any) -> str:
    from pipe_runner.expressions.filters_data import join

    return join(interpreter, items, value)


def _parts(function: Callable[..., Any]) -> Callable[..., list[str]]:
    def call(interpreter: Interpreter, value: str, separator: str) -> list[str]:
        interpreter.budget.take(4 * len(value) + 64)
        return list(function(value, separator))

    return call


def _rsplit(interpreter: Interpreter, value: str, separator: str | None = None, maxsplit: int = -1) -> list[str]:
    interpreter.budget.step(len(value) * len(separator or "") >> 10)
    pay_for_parts(interpreter, value, separator, maxsplit)
    return value.rsplit(separator, maxsplit)


def _splitlines(interpreter: Interpreter, value: str, keepends: bool = False) -> list[str]:
    interpreter.budget.take(64 * (value.count("\n") + value.count("\r") + 1) + 4 * len(value))
    return value.splitlines(keepends)


def _get(interpreter: Interpreter, value: dict[str, Any], key: str, default: Any = None) -> Any:
    return value.get(key, default)


def _listed(function: Callable[[dict[str, Any]], Any]) -> Callable[..., list[Any]]:
    def call(interpreter: Interpreter, value: dict[str, Any]) -> list[Any]:
        interpreter.budget.take(80 * len(value) + 64)
        return [list(member) if isinstance(member, tuple) else member for member in function(value)]

    return call


def _member_count(interpreter: Interpreter, value: list[Any], member: Any) -> int:
    interpreter.budget.step(len(value) >> 2)
    interpreter.budget.measure(value)
    return value.count(member)


def _member_index(interpreter: Interpreter, value: list[Any], member: Any) -> int:
    interpreter.budget.measure(value)
    if member not in value:
        interpreter.fault(f"{describe(member)} is not in the list")
    return value.index(member)


_SHRINKING: Final = (
    "capitalize casefold find index isalnum isalpha isdecimal isdigit islower isnumeric isspace isupper lower "
    "removeprefix removesuffix swapcase title upper"
)
_TEXT: Final[dict[str, Callable[..., Any]]] = {
    **{name: _simple(getattr(str, name)) for name in _SHRINKING.split()},
    "strip": _stripping(str.strip),
    "lstrip": _stripping(str.lstrip),
    "rstrip": _stripping(str.rstrip),
    "rfind": _backwards(str.rfind),
    "rpartition": _backwards(str.rpartition),
    "center": _justify(str.center),
    "ljust": _justify(str.ljust),
    "rjust": _justify(str.rjust),
    "zfill": _zfill,
    "count": _count,
    "startswith": _affix(end=False),
    "endswith": _affix(end=True),
    "replace": replace,
    "join": _join,
    "split": split,
    "rsplit": _rsplit,
    "splitlines": _splitlines,
    "partition": _parts(str.partition),
}
_METHODS: Final[dict[type, dict[str, Callable[..., Any]]]] = {
    str: _TEXT,
    dict: {"get": _get, "keys": _listed(dict.keys), "values": _listed(dict.values), "items": _listed(dict.items)},
    list: {"count": _member_count, "index": _member_index},
}
_TYPES: Final[dict[type, str]] = {str: "string", dict: "object", list: "array"}
