"""What is known of a value before the run, as JSON Schema: stepping into it, and whether it fits where it is put."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pipe_runner.compiler.matching import TYPE_WORDS
from pipe_runner.types import NodeStatus, RunStatus

Schema: TypeAlias = Mapping[str, Any]
ANY: Final[Schema] = {}
TEXT: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
_NULLABLE_NUMBER: Final = {"type": ["number", "null"]}
_ERROR: Final = {
    "type": ["object", "null"],
    "properties": {"kind": TEXT, "message": TEXT, "exit_code": {"type": "integer"}, "tail": TEXT},
    "additionalProperties": False,
}
NODE: Final[Mapping[str, Schema]] = {
    "status": {"type": "string", "enum": [str(status) for status in NodeStatus]},
    "error": _ERROR,
    "exit_code": {"type": ["integer", "null"]},
    "duration": _NULLABLE_NUMBER,
    "attempts": {"type": "integer"},
    "usage": {"type": ["object", "null"]},
}
"""Of what is known of a node, beside its output."""
USAGE: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {
        "calls": {"type": "integer"},
        **{name: {"type": ["integer", "null"]} for name in ("input", "output", "cached", "reasoning")},
        "cost": _NULLABLE_NUMBER,
    },
    "additionalProperties": False,
}
"""Of `usage`, where the node asks models."""
RUN: Final[Mapping[str, Schema]] = {
    "id": TEXT,
    "started_at": TEXT,
    "git_sha": {"type": ["string", "null"]},
    "attempt": {"type": "integer"},
    "status": {"type": "string", "enum": [str(status) for status in RunStatus]},
    "failed": {"type": "array", "items": TEXT},
}
_DEPTH: Final = 20


_DECLARE: Final = frozenset(("allOf", "if", "patternProperties", "dependentSchemas"))
"""Keywords that may declare properties beside `properties`."""
_SAY_MORE: Final = _DECLARE | {"properties", "anyOf", "oneOf", "items"}


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing at a step: what is there instead, and the keys that there are."""

    found: str
    keys: tuple[str, ...] = ()


class Lookup:
    """Reads one schema document, whose `$ref`s count from its root."""

    def __init__(self, root: Schema) -> None:
        self.root = root

    def resolve(self, schema: Any) -> Schema:
        """The schema behind `$ref`s; what can't be understood is anything."""
        for _ in range(_DEPTH):
            if not isinstance(schema, Mapping):
                return ANY
            reference = schema.get("$ref")
            if reference is None:
                return schema
            if not _SAY_MORE.isdisjoint(schema):  # both hold, which is more than is followed here
                return ANY
            schema = self._at(reference)
        return ANY

    def _at(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return ANY
        found: Any = self.root
        for part in reference[1:].split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def step(self, schema: Any, key: str | int) -> Schema | Nothing:
        """The schema one step down, or why there is nothing. An object has the keys that it declares and no other."""
        found = [self._step(branch, key) for branch in self._alternatives(schema)]
        there = list({id(one): one for one in found if not isinstance(one, Nothing)}.values())
        if not there:
            nothings = [one for one in found if isinstance(one, Nothing)]
            return max(nothings, key=lambda n: len(n.keys))
        return there[0] if len(there) == 1 else {"anyOf": there}

    def at(self, path: Iterable[str | int], start: Schema | None = None) -> Schema:
        """The schema at the end of a path, which counts from the root or from `start`; anything where there is none."""
        found = self.root if start is None else start
        for key in path:
            inner = self.step(found, key)
            if isinstance(inner, Nothing):
                return ANY
            found = inner
        return found

    def _alternatives(self, schema: Any) -> list[Schema]:
        """The schemas of which a value fits one, each once; anything, deep down."""
        found: dict[int, Schema] = {}
        seen: set[int] = set()
        waiting = [(schema, 0)]
        while waiting:
            each, depth = waiting.pop()
            each = self.resolve(each)
            if id(each) in seen:
                continue
            seen.add(id(each))
            branches = _branches(each)
            if not branches or depth > _DEPTH or "properties" in each:  # which holds beside what its branches say
                found[id(each)] = ANY if branches and depth > _DEPTH else each
            waiting += ((branch, depth + 1) for branch in reversed(branches))
        return list(found.values()) or [ANY]

    def _step(self, schema: Schema, key: str | int) -> Schema | Nothing:
        types = types_of(schema)
        if isinstance(key, int):
            if not types & {"array", "string"}:
                return Nothing(words(types))
            return self.resolve(schema.get("items", ANY)) if "array" in types else TEXT
        if "object" not in types:
            return Nothing(words(types))
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and key in properties:
            return self.resolve(properties[key])
        others = schema.get("additionalProperties")
        if others is False or (others is None and properties and _DECLARE.isdisjoint(schema)):
            return Nothing("", tuple(properties) if isinstance(properties, Mapping) else ())
        if isinstance(others, Mapping):
            return self.resolve(others)
        return ANY

    def types(self, schema: Any, depth: int = 0, known: dict[int, frozenset[str]] | None = None) -> frozenset[str]:
        """The JSON types that the schema allows."""
        schema = self.resolve(schema)
        branches = _branches(schema)
        if not branches or depth > _DEPTH:
            return types_of(schema)
        known = {} if known is None else known
        found = known.get(id(schema))
        if found is None:
            inner = frozenset[str]().union(*(self.types(b, depth + 1, known) for b in branches))
            found = known[id(schema)] = types_of(schema) & inner
        return found

    def takes_anything(self, schema: Any) -> bool:
        schema = self.resolve(schema)
        return not any(key not in ("title", "description", "default", "examples", "deprecated") for key in schema)


def _branches(schema: Schema) -> list[Any]:
    found = schema.get("anyOf") or schema.get("oneOf")
    return found if isinstance(found, list) else []


def types_of(schema: Schema) -> frozenset[str]:
    """The JSON types that a schema itself allows; every integer is a number too."""
    declared = schema.get("type")
    if declared is None:
        for word, value in (("const", [schema.get("const")]), ("enum", schema.get("enum"))):
            if word in schema and isinstance(value, list):
                return frozenset().union(*(type_of(item) for item in value))
        return frozenset(TYPE_WORDS)
    names = [declared] if isinstance(declared, str) else declared
    if not isinstance(names, Iterable):
        return frozenset(TYPE_WORDS)
    found = {name for name in names if name in TYPE_WORDS}
    return frozenset(found | {"integer"} if "number" in found else found) or frozenset(TYPE_WORDS)


def type_of(value: Any) -> frozenset[str]:
    """The JSON types that a value has."""
    if value is None:
        return frozenset({"null"})
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int):
        return frozenset({"integer", "number"})
    if isinstance(value, float):
        return frozenset({"integer", "number"} if value.is_integer() else {"number"})
    if isinstance(value, str):
        return frozenset({"string"})
    return frozenset({"array"}) if isinstance(value, list) else frozenset({"object"})


def words(types: frozenset[str]) -> str:
    """`text`, `a list or null`, …; `anything` for all."""
    names = [name for name in TYPE_WORDS if name in types and not (name == "integer" and "number" in types)]
    if len(names) == len(TYPE_WORDS) - 1:
        return "anything"
    return " or ".join(TYPE_WORDS[name] for name in names) or "nothing"


def clash(source: Schema, source_in: Lookup, target: Any, target_in: Lookup, depth: int = 0) -> str | None:
    """Why no value of `source` can stand where `target` is asked for, or None where one could."""
    target = target_in.resolve(target)
    source = source_in.resolve(source)
    given, wanted = source_in.types(source), target_in.types(target)
    if not given & wanted:
        return f"it is {words(given)}, and {words(wanted)} is wanted"
    choices, allowed = source.get("enum"), target.get("enum")
    if isinstance(choices, list) and isinstance(allowed, list) and not any(c in allowed for c in choices):
        return "none of its values is allowed here"
    if given == wanted == {"array"} and depth < 3 and "items" in source and "items" in target:
        inner = clash(source["items"], source_in, target["items"], target_in, depth + 1)
        return f"its items don't fit: {inner}" if inner else None
    return None


_BOUNDING: Final = (
    "enum const pattern format minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum "
    "multipleOf minItems maxItems uniqueItems items prefixItems properties required additionalProperties "
    "not if allOf"
)
_BOUNDS: Final = frozenset(_BOUNDING.split())


def surely_fits(source: Schema, source_in: Lookup, target: Any, target_in: Lookup) -> bool:
    """Whether every value of `source` is one that `target` accepts, as far as types alone can say."""
    target = target_in.resolve(target)
    if target_in.takes_anything(target):
        return True
    wanted: frozenset[str] = frozenset()
    for branch in _branches(target) or [target]:
        branch = target_in.resolve(branch)
        if not _BOUNDS & branch.keys() and not _branches(branch):
            wanted |= types_of(branch)
    return source_in.types(source) <= wanted
