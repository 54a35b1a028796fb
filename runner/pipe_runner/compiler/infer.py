"""What an expression gives, as JSON Schema, as far as its form says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pipe_runner.compiler.kinds import ANY, BOOLEAN, TEXT, Lookup, Nothing, Schema
from pipe_runner.compiler.trees import LOCAL
from pipe_runner.expressions import Compiled

SchemaOf = Callable[[tuple[str | int, ...]], Schema]
"""The schema of what a path reads."""
Known: TypeAlias = dict[int, Schema]
"""Schemas of trees, by `id`."""

_INTEGER: Final = {"type": "integer"}
_LIST: Final = {"type": "array"}
_GIVE_TEXT: Final = (
    "string upper lower trim join tojson replace title capitalize format b64encode b64decode basename "
    "dirname urlencode truncate indent center striptags sha256 e escape filesizeformat"
)
_GIVE_LISTS: Final = (
    "list lines split sort unique map select reject selectattr rejectattr keys values items batch slice "
    "groupby flatten dictsort"
)
_FILTERS: Final[dict[str, Schema]] = {
    **dict.fromkeys(("length", "count", "int", "wordcount"), _INTEGER),
    "float": {"type": "number"},
    "round": {"type": "number"},
    **dict.fromkeys(_GIVE_TEXT.split(), TEXT),
    **dict.fromkeys(_GIVE_LISTS.split(), _LIST),
    "bool": BOOLEAN,
}
_METHODS: Final[dict[str, Schema]] = {
    **dict.fromkeys(("startswith", "endswith"), BOOLEAN),
    **dict.fromkeys(("count", "find", "index", "rfind"), _INTEGER),
    **dict.fromkeys(["keys", "values", "items", "split", "rsplit", "splitlines", "partition", "rpartition"], _LIST),
    **dict.fromkeys(("join", "lower", "replace", "strip", "upper", "zfill"), TEXT),
}
_WORDS_OF_TREES: Final[dict[str, Schema]] = {
    "cmp": BOOLEAN,
    "not": BOOLEAN,
    "test": BOOLEAN,
    "concat": TEXT,
    "list": _LIST,
    "dict": {"type": "object"},
}
_SOME_OF_IT: Final = frozenset({"list", "select", "reject", "selectattr", "rejectattr", "sort", "unique"})
"""Filters that give a list of members of what they are given, as they are."""
_ONE_OF_IT: Final = frozenset({"first", "last", "max", "min"})
_DEPTH: Final = 100


def schema_of(compiled: Compiled, of_path: SchemaOf) -> Schema:
    """The schema of what a template gives."""
    if not compiled.whole:
        return TEXT
    if compiled.kind == "reference":
        return of_path(compiled.body)
    if compiled.kind == "literal":
        return {"const": compiled.body}
    return of_tree(compiled.body, of_path)


def of_tree(tree: Any, of_path: SchemaOf, known: Known | None = None, depth: int = 0) -> Schema:
    """The schema of what an expression gives; `of_path` is asked for names of the template itself, too. What it finds
    of the tree and its parts it looks up in `known`, and keeps there."""
    known = {} if known is None else known
    found = known.get(id(tree))
    if found is None:
        found = known[id(tree)] = _of_tree(
            tree, lambda inner: of_tree(inner, of_path, known, depth + 1), of_path, depth
        )
    return found


def _of_tree(tree: Any, of: Callable[[Any], Schema], of_path: SchemaOf, depth: int) -> Schema:
    if depth > _DEPTH:
        return ANY
    word = tree[0]
    if word == "const":
        return {"const": tree[1]}
    if word == "ref":
        return of_path(tuple(tree[1]))
    if word == "local":
        return of_path((LOCAL, tree[1]))
    if word == "filter":
        return _of_filter(tree, of)
    if word == "method":
        return _METHODS.get(tree[1], ANY)
    if word == "get":
        return _member(of(tree[1]), tree[2][1]) if tree[2][0] == "const" else ANY
    if word == "slice":
        found = of(tree[1])
        return found if found.get("type") in ("array", "string") and "enum" not in found else ANY
    if word == "if" and tree[3] is not None:
        return _either(of(tree[2]), of(tree[3]))
    if word in ("and", "or"):
        first = of(tree[1])
        closed = first.get("enum")
        if word == "or" and isinstance(closed, list):
            first = {"enum": [value for value in closed if value]}
        return _either(first, of(tree[2]))
    return _WORDS_OF_TREES.get(word, ANY)


def _of_filter(tree: Any, of: Callable[[Any], Schema]) -> Schema:
    _, name, value, args, named = tree
    if name in ("default", "d") and args:
        return _either(of(value), of(args[0]))
    if name in _SOME_OF_IT:
        found = of(value)
        return found if found.get("type") == "array" else _LIST
    if name in _ONE_OF_IT:
        found = of(value)
        return _member(found, 0) if found.get("type") == "array" else ANY
    if name == "map":
        return {"type": "array", "items": _mapped(of(value), args, dict(named))}
    return _FILTERS.get(name, ANY)


def _mapped(members: Schema, args: list[Any], named: dict[str, Any]) -> Schema:
    """The schema of what `map` makes of each member."""
    attribute = named.get("attribute")
    if args:
        return _FILTERS.get(args[0][1], ANY) if args[0][0] == "const" and isinstance(args[0][1], str) else ANY
    if "default" in named or attribute is None or attribute[0] != "const" or not isinstance(attribute[1], str):
        return ANY
    found = _member(members, 0) if members.get("type") == "array" else ANY
    for step in attribute[1].split("."):
        found = _member(found, int(step) if step.isascii() and step.isdigit() else step)
    return found


def _member(schema: Schema, step: Any) -> Schema:
    found = Lookup(schema).step(schema, step) if isinstance(step, str | int) else ANY
    return ANY if isinstance(found, Nothing) else found


def _either(*schemas: Schema) -> Schema:
    return ANY if any(schema is ANY for schema in schemas) else {"anyOf": list(schemas)}
