"""Holds a value against the part of JSON Schema that inputs are declared in; imports nothing that takes time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.types import Path_
from pipe_schemas.patterns import matches

if TYPE_CHECKING:
    from pipe_runner.plan import PlannedInput

TYPE_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
"""The types of JSON Schema, as they are called in sentences."""
_MOST: Final = 20
"""Faults that are told of one value."""


def mismatches(value: Any, schema: Mapping[str, Any], name: str) -> list[str]:
    """Sentences that say where the value is not what the schema asks for; empty: it fits."""
    return [sentence for _, sentence in misplaced(value, schema, name)]


def may_be_null(declared: PlannedInput) -> bool:
    """Whether the input is null where none is given; so another file can hand on what it was not given itself."""
    return not declared.required and declared.default is None


def misfits(value: Any, declared: PlannedInput) -> list[tuple[Path_, str]]:
    """`misplaced`, of what another file gives an input under `with:`."""
    if value is None and may_be_null(declared):
        return []
    return misplaced(value, declared.schema, f"input `{declared.name}`")


def misplaced(value: Any, schema: Mapping[str, Any], name: str) -> list[tuple[Path_, str]]:
    """The same, each with the path of what it is about, in the value."""
    return list(islice(_mismatches(value, schema, name, ()), _MOST))


def _mismatches(value: Any, schema: Mapping[str, Any] | bool, name: str, path: Path_) -> Iterator[tuple[Path_, str]]:
    if isinstance(schema, bool):  # of an agent's output: anything, or nothing
        if not schema:
            yield path, f"{name} must not be there"
        return
    wanted = schema.get("type")
    if wanted is not None and not _is(value, wanted):
        words = [wanted] if isinstance(wanted, str) else wanted
        yield (
            path,
            f"{name} must be {' or '.join(TYPE_WORDS.get(word, word) for word in words)}, not {described(value)}",
        )
        return
    choices = schema.get("enum")
    if choices is not None and not any(same(value, choice) for choice in choices):
        yield path, f"{name} must be one of {', '.join(described(c) for c in choices[:20])}, not {described(value)}"
        return
    if isinstance(value, str):
        yield from ((path, sentence) for sentence in _text(value, schema, name))
    elif isinstance(value, list):
        yield from ((path, sentence) for sentence in _size(len(value), schema, name, "Items", "items"))
        items = schema.get("items")
        if items:
            for index, item in enumerate(value):
                yield from _mismatches(item, items, f"{name}[{index}]", (*path, index))
    elif isinstance(value, dict):
        yield from _object(value, schema, name, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and value < low:
            yield path, f"{name} must be at least {low}, not {described(value)}"
        if high is not None and value > high:
            yield path, f"{name} must be at most {high}, not {described(value)}"


def _text(value: str, schema: Mapping[str, Any], name: str) -> Iterator[str]:
    yield from _size(len(value), schema, name, "Length", "characters")
    pattern = schema.get("pattern")
    if pattern is not None and not matches(pattern, value):
        yield f"{name} must match `{pattern}`, and {described(value)} doesn't"


def _object(value: dict[str, Any], schema: Mapping[str, Any], name: str, path: Path_) -> Iterator[tuple[Path_, str]]:
    properties = schema.get("properties") or {}
    for key in schema.get("required") or ():
        if key not in value:
            yield path, f"{name} lacks `{key}`"
    for key, item in value.items():
        if key in properties:
            yield from _mismatches(item, properties[key], f"{name}.{key}", (*path, key))
        elif schema.get("additionalProperties") is False:
            yield (*path, key), f"{name} has the key `{key[:60]}`, which is not declared"


def _size(size: int, schema: Mapping[str, Any], name: str, word: str, what: str) -> Iterator[str]:
    low, high = schema.get(f"min{word}"), schema.get(f"max{word}")
    if low is not None and size < low:
        yield f"{name} must have at least {low} {what}, and it has {size}"
    if high is not None and size > high:
        yield f"{name} must have at most {high} {what}, and it has {size}"


def _is(value: Any, wanted: str | list[str]) -> bool:
    if isinstance(wanted, list):
        return any(_is(value, one) for one in wanted)
    if wanted == "null":
        return value is None
    if wanted == "string":
        return isinstance(value, str)
    if wanted == "boolean":
        return isinstance(value, bool)
    if wanted == "array":
        return isinstance(value, list)
    if wanted == "object":
        return isinstance(value, dict)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return wanted == "number" or isinstance(value, int) or value.is_integer()


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, all the way down: true is not 1, and 1 is 1.0."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def described(value: Any) -> str:
    """A value in a sentence, cut."""
    import json

    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(c if c.isprintable() else "·" for c in text)
    return text if len(text) <= 60 else text[:59] + "…"
