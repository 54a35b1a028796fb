"""JSON Schemas of answers: which keywords there are, and what is wrong with a schema and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from pydantic_core import to_json

from pipe_schemas.contradictions import contradictions
from pipe_schemas.parts import LISTS, MAPS, ONE, Path, SchemaFault, parts

LARGEST: Final = 64 * 1024
"""Bytes of a schema, as JSON."""
DEEPEST: Final = 32
"""Schemas inside of one another."""
MOST_WAYS: Final = 1000
"""Alternatives that one value may be held against, those behind references counted each time."""
TYPES: Final = ("string", "integer", "number", "boolean", "array", "object", "null")
DIALECTS: Final = ("json-schema.org/draft/2020-12/schema", "json-schema.org/draft-07/schema")

_SAME: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords whose schemas are about the value itself, not about a part of it."""
_COUNTS: Final = frozenset(
    (
        *("minLength", "maxLength", "minItems", "maxItems"),
        *("minProperties", "maxProperties", "minContains", "maxContains"),
    )
)
_NUMBERS: Final = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
_TEXTS: Final = frozenset(
    ("title", "description", "pattern", "format", "$comment", "contentEncoding", "contentMediaType")
)
_SWITCHES: Final = frozenset(("uniqueItems", "deprecated", "readOnly", "writeOnly"))
_OTHERS: Final = frozenset(
    ("type", "enum", "const", "default", "examples", "required", "dependentRequired", "$ref", "$schema")
)
KEYWORDS: Final = tuple(sorted(ONE | LISTS | MAPS | _COUNTS | _NUMBERS | _TEXTS | _SWITCHES | _OTHERS))
_NOT_OURS: Final = {
    **dict.fromkeys(
        ("$id", "id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"),
        "a schema refers to its own parts only: `$ref: '#/$defs/NAME'`",
    ),
    "nullable": 'null is a type: `type: [string, "null"]`',
    "optional": "a property is optional unless `required` of the object names it",
}


def faults(schema: Mapping[str, Any]) -> Iterator[SchemaFault]:
    """All that keeps a JSON Schema from being used; patterns apart, which need an engine to be tried."""
    try:
        text = to_json(schema)
    except ValueError:
        yield SchemaFault((), "the schema is nested too deeply")
        return
    if len(text) > LARGEST:
        yield SchemaFault((), f"the schema has {len(text)} bytes, and {LARGEST} is the most")
        return
    found = list(_faults(schema, (), schema, 0))
    if "definitions" in schema and "$defs" in schema:
        found.append(SchemaFault(("definitions",), "`definitions` is what `$defs` was called: there is one of them"))
    yield from found
    if found:
        return
    yield from contradictions(schema)
    if b'"$ref"' in text or b'"unevaluated' in text:
        yield from _endless(schema)


def patterns(schema: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every regular expression of a schema, and its place."""
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("pattern"), str):
        yield (*path, "pattern"), schema["pattern"]
    if isinstance(schema.get("patternProperties"), dict):
        yield from (((*path, "patternProperties", name), name) for name in schema["patternProperties"])
    for inner, part in parts(schema):
        yield from patterns(part, (*path, *inner))


def changed(schema: Any, change: Callable[[str], str]) -> Any:
    """The schema with other references."""
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ONE:
            out[key] = changed(value, change)
        elif key in LISTS and isinstance(value, list):
            out[key] = [changed(part, change) for part in value]
        elif key in MAPS and isinstance(value, dict):
            out[key] = {name: changed(part, change) for name, part in value.items()}
        else:
            out[key] = change(value) if key == "$ref" and isinstance(value, str) else value
    return out


def part_of(schema: Mapping[str, Any], reference: str) -> Any:
    """What `$ref` leads to; raises KeyError where that is no part of the schema."""
    if reference == "#":
        return schema
    for key in ("$defs", "definitions"):
        name = reference.removeprefix(f"#/{key}/")
        if name != reference:
            name = unquote(name)
            if "/" in name:  # of a part of a part
                break
            return schema[key][name.replace("~1", "/").replace("~0", "~")]
    raise KeyError(reference)


def taken_apart(schema: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the schema says, and its `$defs`, so that it can stand inside of another one that has these."""
    own = "answer"
    while own in _names(schema):
        own += "_"
    refers = False

    def change(reference: str) -> str:
        nonlocal refers
        if reference == "#":
            refers = True
            return f"#/$defs/{own}"
        return reference.replace("#/definitions/", "#/$defs/", 1)

    whole = changed({key: value for key, value in schema.items() if key != "$schema"}, change)
    definitions = {**whole.pop("definitions", {}), **whole.pop("$defs", {})}
    if refers:
        definitions[own], whole = whole, {"$ref": f"#/$defs/{own}"}
    return whole, definitions


def _names(schema: Mapping[str, Any]) -> set[str]:
    """What `$ref` may name."""
    found: set[str] = set()
    for key in ("$defs", "definitions"):
        if isinstance(schema.get(key), dict):
            found.update(schema[key])
    return found


def _faults(schema: Any, path: Path, root: Mapping[str, Any], depth: int) -> Iterator[SchemaFault]:
    if isinstance(schema, bool) and path:
        return
    if not isinstance(schema, dict):
        yield SchemaFault(path, "a schema is a map, as `{type: string}`")
        return
    if depth > DEEPEST:
        yield SchemaFault(path, f"more than {DEEPEST} schemas inside of one another")
        return
    for key, value in schema.items():
        place = (*path, key)
        if key in _NOT_OURS:
            yield SchemaFault(place, f"`{key}` is not available in a schema of answers", _NOT_OURS[key], at_key=True)
        elif key in ("$defs", "definitions") and path:
            yield SchemaFault(place, f"`{key}` stands at the top of the schema", at_key=True)
        elif key in ONE or key in LISTS or key in MAPS:
            yield from _inner(key, value, place, root, depth)
        elif key in KEYWORDS:
            why = _wrong(key, value, root, top=not path)
            if why is not None:
                yield SchemaFault(place, *why)
        elif not key.startswith("x-"):
            yield SchemaFault(place, f"JSON Schema has no keyword `{key[:60]}`", keyword=key, at_key=True)


def _inner(key: str, value: Any, place: Path, root: Mapping[str, Any], depth: int) -> Iterator[SchemaFault]:
    if key in LISTS:
        if not isinstance(value, list) or not value:
            yield SchemaFault(place, f"`{key}` is a list of schemas")
            return
        for number, part in enumerate(value):
            yield from _faults(part, (*place, number), root, depth + 1)
    elif key in MAPS:
        if not isinstance(value, dict):
            yield SchemaFault(place, f"`{key}` is a map of schemas by name")
            return
        for name, part in value.items():
            yield from _faults(part, (*place, name), root, depth + 1)
    elif key == "items" and isinstance(value, list):
        yield SchemaFault(place, "`items` is one schema", "a schema for each place is `prefixItems`")
    else:
        yield from _faults(value, place, root, depth + 1)


def _wrong(key: str, value: Any, root: Mapping[str, Any], *, top: bool) -> tuple[str, str | None] | None:
    """Why a keyword can't have this value, and a hint."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if key == "type":
        given = value if isinstance(value, list) else [value]
        if not given or any(not isinstance(one, str) or one not in TYPES for one in given):
            null = 'null is written in quotes: `"null"`' if None in given else None
            return f"`type` is one of {', '.join(TYPES)}, or a list of these", null
    elif key == "enum" and (not isinstance(value, list) or not value):
        return "`enum` is a list of the values that there may be", None
    elif key == "examples" and not isinstance(value, list):
        return "`examples` is a list", None
    elif key == "required":
        if not isinstance(value, list) or any(not isinstance(name, str) for name in value):
            hint = "it stands beside `properties`, and names those that must be there: `required: [severity]`"
            return "`required` is a list of names", hint
    elif key == "dependentRequired":
        if not isinstance(value, dict) or any(not isinstance(one, list) for one in value.values()):
            return "`dependentRequired` is a map of lists of names", None
    elif key == "$ref":
        return _reference(value, root)
    elif key == "$schema":
        named = str(value).removeprefix("https://").removeprefix("http://").rstrip("#")
        if not top or named not in DIALECTS:
            return "this is no JSON Schema of a version that is known", "leave `$schema` out"
    elif key in _COUNTS and not (whole and value >= 0):
        return f"`{key}` is a whole number, 0 or more", None
    elif key in _NUMBERS and not (whole or isinstance(value, float)):
        return f"`{key}` is a number", None
    elif key == "multipleOf" and value <= 0:
        return "`multipleOf` is above 0", None
    elif key in _TEXTS and not isinstance(value, str):
        return f"`{key}` is text", None
    elif key in _SWITCHES and not isinstance(value, bool):
        return f"`{key}` is true or false", None
    return None


def _reference(value: Any, root: Mapping[str, Any]) -> tuple[str, str | None] | None:
    try:
        part_of(root, value if isinstance(value, str) else "")
    except (KeyError, TypeError):
        there = ", ".join(f"`#/$defs/{name}`" for name in sorted(_names(root))[:8])
        return "`$ref` names no part of this schema", f"there is {there}" if there else "put the part under `$defs`"
    return None


def _endless(schema: Mapping[str, Any]) -> Iterator[SchemaFault]:
    """Schemas that refer to themselves for the same value, or have too many alternatives for it."""
    known: dict[int, int] = {}
    open_: set[int] = set()

    def ways(part: Any) -> int:
        """How many schemas one value is held against; raises RecursionError where that has no end."""
        if not isinstance(part, dict):
            return 1
        if id(part) in open_:
            raise RecursionError
        if id(part) not in known:
            open_.add(id(part))
            total = 1
            for key in _SAME:
                inner = part.get(key)
                total += sum(map(ways, inner)) if isinstance(inner, list) else 0 if inner is None else ways(inner)
            for inner in part.get("dependentSchemas", {}).values():
                total += ways(inner)
            if "$ref" in part:
                total += ways(part_of(schema, part["$ref"]))
            if "unevaluatedProperties" in part or "unevaluatedItems" in part:
                total *= 2  # what a value fits is asked once more, to know what of it is evaluated
            known[id(part)] = total
            open_.discard(id(part))
        return known[id(part)]

    def walk(part: Any, path: Path) -> Iterator[SchemaFault]:
        if not isinstance(part, dict):
            return
        try:
            if ways(part) > MOST_WAYS:
                yield SchemaFault(path, f"a value would be held against more than {MOST_WAYS} schemas here")
                return
        except RecursionError:
            yield SchemaFault(path, "this schema refers to itself without end")
            return
        for inner, one in parts(part):
            yield from walk(one, (*path, *inner))

    for fault in walk(schema, ()):
        yield fault
        return
