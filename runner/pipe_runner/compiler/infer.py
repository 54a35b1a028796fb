"""What an expression gives, as JSON Schema, as far as its form says it; and comparisons that can't come out well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from pipe_runner.compiler.attributes import missing
from pipe_runner.compiler.kinds import ANY, BOOLEAN, TEXT, Lookup, Schema, type_of, types_of, words
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.expressions import Compiled

SchemaOf = Callable[[tuple[str | int, ...]], Schema]
"""The schema of what a path reads."""
Doubt: TypeAlias = tuple[str, list[Any]]
"""A sentence, and the part of the tree that it is about."""

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
    **dict.fromkeys(
        _GIVE_TEXT.split(),
        TEXT,
    ),
    **dict.fromkeys(
        _GIVE_LISTS.split(),
        _LIST,
    ),
    "bool": BOOLEAN,
}
_WORDS_OF_TREES: Final[dict[str, Schema]] = {
    "cmp": BOOLEAN,
    "not": BOOLEAN,
    "test": BOOLEAN,
    "concat": TEXT,
    "list": _LIST,
    "dict": {"type": "object"},
}
_ORDER: Final = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
_EQUAL: Final = {"eq": "==", "ne": "!="}
_SOME_OF_IT: Final = frozenset({"select", "reject", "selectattr", "rejectattr", "sort", "unique"})
"""Filters that give members of the list that they are given, as they are."""
_DEPTH: Final = 100


def schema_of(compiled: Compiled, of_path: SchemaOf) -> Schema:
    """The schema of what a template gives."""
    if not compiled.whole:
        return TEXT
    if compiled.kind == "reference":
        return of_path(compiled.body)
    if compiled.kind == "literal":
        return {"const": compiled.body}
    return _of_tree(compiled.body, of_path)


def _of_tree(tree: Any, of_path: SchemaOf, depth: int = 0) -> Schema:
    if depth > _DEPTH or not isinstance(tree, list) or not tree:
        return ANY
    word = tree[0]
    if word == "const":
        return {"const": tree[1]}
    if word == "ref":
        return of_path(tuple(tree[1]))
    if word == "filter":
        if tree[1] in ("default", "d") and tree[3]:
            return _either(_of_tree(tree[2], of_path, depth + 1), _of_tree(tree[3][0], of_path, depth + 1))
        if tree[1] in _SOME_OF_IT:
            found = _of_tree(tree[2], of_path, depth + 1)
            return found if found.get("type") == "array" else _LIST
        return _FILTERS.get(tree[1], ANY)
    if word == "if" and len(tree) == 4 and tree[3] is not None:
        return _either(_of_tree(tree[2], of_path, depth + 1), _of_tree(tree[3], of_path, depth + 1))
    if word in ("and", "or") and len(tree) >= 3:
        return _either(*(_of_tree(t, of_path, depth + 1) for t in tree[1:] if isinstance(t, list)))
    return _WORDS_OF_TREES.get(word, ANY)


def _either(*schemas: Schema) -> Schema:
    return ANY if any(schema is ANY for schema in schemas) else {"anyOf": list(schemas)}


def doubtful(compiled: Compiled, of_path: SchemaOf) -> Iterator[Doubt]:
    """Comparisons of values whose types don't go together."""
    if compiled.kind != "jinja" or not compiled.whole:
        return
    for tree in _comparisons(compiled.body):
        left = tree[1]
        for operator, right in tree[2]:
            sign = _ORDER.get(operator) or _EQUAL.get(operator) or (operator if operator in "<= >= == !=" else None)
            if sign is None:
                continue
            schemas = [_of_tree(side, of_path) for side in (left, right)]
            if sign in ("==", "!="):
                yield from ((sentence, tree) for sentence in _never_equal(sign, *schemas))
            types = [_types(schema) for schema in schemas]
            if types[0] & types[1]:
                continue
            if sign in ("==", "!=") and any("null" in t for t in types):
                continue
            outcome = "fails the node"
            if sign in ("==", "!="):
                outcome = f"is always {'false' if sign == '==' else 'true'}"
            yield f"comparing {words(types[0])} with {words(types[1])} by `{sign}` {outcome}", tree


def _never_equal(sign: str, *sides: Schema) -> Iterator[str]:
    """A sentence where a text is compared with one of a closed list that doesn't hold it: `status == 'success'`."""
    for one, other in (sides, reversed(sides)):
        wanted, closed = one.get("const"), other.get("enum")
        texts = [text for text in closed if isinstance(text, str)] if closed else []
        if isinstance(wanted, str) and texts and wanted not in texts:  # without texts the types say it
            near = did_you_mean(wanted, texts)
            outcome = f"is always {'false' if sign == '==' else 'true'}"
            meant = (
                f"; did you mean `{near}`?"
                if near
                else f"; it may be {', '.join(dict.fromkeys(map(str, closed or ())))}"
            )
            yield f"`{wanted}` is no value that this can have, so comparing by `{sign}` {outcome}{meant}"


def _types(schema: Schema) -> frozenset[str]:
    if "const" in schema:
        found = type_of(schema["const"])
    elif "anyOf" in schema:
        found = Lookup(schema).types(schema)
    else:
        found = types_of(schema)
    return found | {"integer", "number"} if found & {"integer", "number"} else found


def _comparisons(tree: Any, depth: int = 0) -> Iterator[list[Any]]:
    if not isinstance(tree, list) or depth > _DEPTH:
        return
    if tree and tree[0] == "cmp":
        yield tree
    if tree and tree[0] in ("const", "ref", "local"):
        return
    for inner in tree:
        yield from _comparisons(inner, depth + 1)


_NUMBER: Final = frozenset({"integer", "number", "boolean"})
_MANY: Final = frozenset({"string", "array"})
_COUNTED: Final = {"length": "has no length", "count": "has no length", "join": "can't be joined"}
_PAIRS: Final[dict[str, tuple[tuple[frozenset[str], frozenset[str]], ...]]] = {
    "+": ((_NUMBER, _NUMBER), (frozenset({"string"}), frozenset({"string"})), (frozenset({"array"}),) * 2),
    "*": ((_NUMBER, _NUMBER), (_MANY, _NUMBER), (_NUMBER, _MANY)),
    **dict.fromkeys(("-", "/", "//", "**"), ((_NUMBER, _NUMBER),)),
}
"""Types of the two sides with which an operator works."""


def failing(compiled: Compiled, of_path: SchemaOf) -> Iterator[Doubt]:
    """Operations that fail on all values that they can get."""
    if compiled.kind == "jinja":
        for tree in _trees(compiled.body):
            yield from ((sentence, tree) for sentence in _failing(tree, of_path))


def _failing(tree: list[Any], of_path: SchemaOf) -> Iterator[str]:
    if tree[0] == "filter" and tree[1] in _COUNTED and len(tree) > 2:
        types = _types(_of_tree(tree[2], of_path))
        if types <= _NUMBER:
            yield f"{words(types)} {_COUNTED[tree[1]]}, so `| {tree[1]}` fails the node"
    elif tree[0] == "bin" and tree[1] in _PAIRS and len(tree) == 4 and not any(map(_whole_node, tree[2:])):
        sides = [_types(_of_tree(side, of_path)) for side in tree[2:]]
        if not any(sides[0] & left and sides[1] & right for left, right in _PAIRS[tree[1]]):
            yield f"`{tree[1]}` of {words(sides[0])} and {words(sides[1])} fails the node"
        elif tree[1] in ("/", "//") and tree[3] == ["const", 0]:
            yield "a division by zero fails the node"
    elif tree[0] == "cmp":
        yield from _nowhere_in(tree, of_path)
    if tree[0] == "filter":
        yield from missing(tree, _of_tree(tree[2], of_path))


def _nowhere_in(tree: Any, of_path: SchemaOf) -> Iterator[str]:
    """`'x' in 3`, and `3 in 'x'`."""
    left = tree[1]
    for operator, right in tree[2]:
        if operator in ("in", "notin"):
            types, within = _types(_of_tree(left, of_path)), _types(_of_tree(right, of_path))
            if within <= _NUMBER | {"null"}:
                yield f"nothing is `in` {words(within)}, which fails the node"
            elif within == {"string"} and "string" not in types:
                yield f"only text is `in` text, not {words(types)}, which fails the node"
        left = right


def _whole_node(tree: Any) -> bool:
    """Whether a node is meant and nothing of it: `nodes.net-work.output`, which another sentence explains."""
    return isinstance(tree, list) and tree[:1] == ["ref"] and tree[1][:1] == ["nodes"] and len(tree[1]) < 3


def _trees(tree: Any, depth: int = 0) -> Iterator[list[Any]]:
    if not isinstance(tree, list | tuple) or depth > _DEPTH or not tree or tree[0] in ("const", "ref", "local", "data"):
        return
    if tree[0] in ("filter", "bin", "cmp"):
        yield list(tree)
    for inner in tree:
        yield from _trees(inner, depth + 1)
