"""Names of filters and tests, and what they do; the names are those of vocabulary.py, a test holds the two together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pipe_runner.expressions import filters_data as data
from pipe_runner.expressions import filters_text as text
from pipe_runner.expressions.formatting import percent
from pipe_runner.expressions.interpret import Interpreter, Missing, compare
from pipe_runner.expressions.values import describe

Word: TypeAlias = Callable[..., Any]


def filter_named(name: Any) -> Word | None:
    return _FILTERS.get(name) if isinstance(name, str) else None


def test_named(name: Any) -> Word | None:
    return _TESTS.get(name) if isinstance(name, str) else None


def _format(interpreter: Interpreter, value: Any, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        interpreter.fault("`format` takes values in order or by name, not both")
    return percent(interpreter, interpreter.text(value), kwargs or list(args))


def _map(interpreter: Interpreter, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    members = interpreter.iterate(value)
    interpreter.budget.step(len(members))
    if not args and "attribute" in kwargs:
        if set(kwargs) - {"attribute", "default"}:
            interpreter.fault("`map` takes attribute= and default=, or a filter")
        return [data.read(interpreter, member, kwargs["attribute"], kwargs.get("default")) for member in members]
    if not args:
        interpreter.fault("`map` takes a filter's name, or attribute='…'")
    name, *rest = args
    return [interpreter.apply("filter", name, member, rest, kwargs) for member in members]


def _choose(*, keep: bool, attribute: bool) -> Word:
    def call(interpreter: Interpreter, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        members = interpreter.iterate(value)
        remaining = list(args)
        name: Any = None
        if attribute:
            if not remaining:
                interpreter.fault("takes an attribute, then a test's name")
            name = remaining.pop(0)
        test, rest = (remaining[0], remaining[1:]) if remaining else (None, [])
        result = []
        for member in members:
            interpreter.budget.step()
            looked_at = data.read(interpreter, member, name, Missing("")) if attribute else member
            if type(looked_at) is Missing:
                if test in ("defined", "undefined"):
                    passed = test == "undefined"
                else:
                    interpreter.fault(f"{describe(member)} has no {name}")
            elif test is None:
                passed = bool(looked_at)
            else:
                passed = bool(interpreter.apply("test", test, looked_at, rest, kwargs))
            if passed == keep:
                result.append(member)
        return result

    return call


_FILTERS: Final[dict[str, Word]] = {
    "abs": data.absolute,
    "b64decode": text.b64decode,
    "b64encode": text.b64encode,
    "basename": text.basename,
    "batch": data.batch,
    "bool": data.to_bool,
    "capitalize": text.capitalize,
    "center": text.center,
    "count": data.length,
    "d": data.default,
    "default": data.default,
    "dictsort": data.dictsort,
    "dirname": text.dirname,
    "e": text.escape,
    "escape": text.escape,
    "filesizeformat": data.filesizeformat,
    "first": data.first,
    "flatten": data.flatten,
    "float": data.to_float,
    "format": _format,
    "fromjson": text.fromjson,
    "groupby": data.groupby,
    "indent": text.indent,
    "int": data.to_int,
    "items": data.items,
    "join": data.join,
    "keys": data.keys,
    "last": data.last,
    "length": data.length,
    "lines": text.lines,
    "list": data.to_list,
    "lower": text.lower,
    "map": _map,
    "max": data.extreme(max),
    "min": data.extreme(min),
    "reject": _choose(keep=False, attribute=False),
    "rejectattr": _choose(keep=False, attribute=True),
    "replace": text.replace,
    "reverse": data.reverse,
    "round": data.rounded,
    "safe": text.safe,
    "select": _choose(keep=True, attribute=False),
    "selectattr": _choose(keep=True, attribute=True),
    "sha256": text.sha256,
    "slice": data.slices,
    "sort": data.sort,
    "split": text.split,
    "string": text.string,
    "striptags": text.striptags,
    "sum": data.total,
    "title": text.title,
    "tojson": text.tojson,
    "trim": text.trim,
    "truncate": text.truncate,
    "unique": data.unique,
    "upper": text.upper,
    "urlencode": text.urlencode,
    "values": data.values,
    "wordcount": text.wordcount,
    "wordwrap": text.wordwrap,
}


def _number(interpreter: Interpreter, value: Any, word: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        interpreter.fault(f"`is {word}` asks about numbers, not {describe(value)}")
    return value


def _divisible(interpreter: Interpreter, value: Any, by: Any) -> bool:
    return bool(_number(interpreter, value, "divisibleby") % _number(interpreter, by, "divisibleby") == 0)


def _comparing(word: str) -> Word:
    return lambda interpreter, value, other: compare(interpreter, word, value, other)


def _asking(question: Callable[[Any], bool]) -> Word:
    return lambda interpreter, value: question(value)


def _cased(interpreter: Interpreter, value: Any, method: Callable[[str], bool]) -> bool:
    return method(text.text_of(interpreter, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TESTS: Final[dict[str, Word]] = {
    "boolean": _asking(lambda v: isinstance(v, bool)),
    "defined": _asking(lambda v: True),
    "undefined": _asking(lambda v: False),
    "divisibleby": _divisible,
    "empty": _asking(lambda v: v is None or (isinstance(v, (str, list, dict)) and not v)),
    "even": lambda i, v: _number(i, v, "even") % 2 == 0,
    "odd": lambda i, v: _number(i, v, "odd") % 2 == 1,
    "false": _asking(lambda v: v is False),
    "true": _asking(lambda v: v is True),
    "float": _asking(lambda v: isinstance(v, float)),
    "integer": _asking(lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "iterable": _asking(lambda v: isinstance(v, (str, list, dict))),
    "lower": lambda i, v: _cased(i, v, str.islower),
    "mapping": _asking(lambda v: isinstance(v, dict)),
    "none": _asking(lambda v: v is None),
    "null": _asking(lambda v: v is None),
    "number": _asking(_is_number),
    "sequence": _asking(lambda v: isinstance(v, (str, list, dict))),
    "string": _asking(lambda v: isinstance(v, str)),
    "upper": lambda i, v: _cased(i, v, str.isupper),
    "in": _comparing("in"),
    **dict.fromkeys(("eq", "equalto", "=="), _comparing("eq")),
    **dict.fromkeys(("ne", "!="), _comparing("ne")),
    **dict.fromkeys(("lt", "lessthan", "<"), _comparing("lt")),
    **dict.fromkeys(("le", "<="), _comparing("lteq")),
    **dict.fromkeys(("gt", "greaterthan", ">"), _comparing("gt")),
    **dict.fromkeys(("ge", ">="), _comparing("gteq")),
}
