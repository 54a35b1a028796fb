"""Operations that fail on all values that they can get, and comparisons that can't come out well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipe_runner.compiler.attributes import meant, missing
from pipe_runner.compiler.infer import Known, SchemaOf, of_tree
from pipe_runner.compiler.kinds import ANY, Lookup, Nothing, Schema, type_of, types_of, words
from pipe_runner.compiler.operands import unfit
from pipe_runner.compiler.report import short
from pipe_runner.compiler.trees import LEAVES, LOCAL, all_in, inside, names_in, own_path, top
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.expressions import Compiled
from pipe_runner.expressions.plain import path_text
from pipe_runner.expressions.values import to_json_text


class Doubt(NamedTuple):
    """A code, a sentence, and the part of the tree that it is about."""

    code: str
    sentence: str
    tree: list[Any]


_ORDER: Final = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
_EQUAL: Final = {"eq": "==", "ne": "!="}
_NUMBER: Final = frozenset({"integer", "number", "boolean"})
_IN_ORDER: Final = frozenset({"array", "string"})
_GUARDS: Final = {"filter": ("default", "d"), "test": ("defined", "undefined")}
"""Under which a value that isn't there is tolerated."""
_DEPTH: Final = 100


class _Place(NamedTuple):
    """A tree in a template, where it stands."""

    tree: list[Any]
    of_path: SchemaOf
    """Which knows the names of the `for` around it, too."""
    known: Known
    asks: dict[int, bool]
    """Of trees by `id`: whether they ask what a value is."""
    soft: bool = False
    """Under `| default(…)` or `is defined`: a value that isn't there is tolerated."""
    depth: int = 0

    def of(self, tree: list[Any]) -> Schema:
        """The schema of a part of it."""
        return of_tree(tree, self.of_path, self.known)


def doubts(compiled: Compiled, of_path: SchemaOf) -> Iterator[Doubt]:
    """All of a template: operations that fail on all values that they can get (W506), and comparisons of values whose
    types don't go together (W501)."""
    known: Known = {}
    asks: dict[int, bool] = {}
    for tree in top(compiled):
        places: list[_Place] = []
        _gather(_Place(tree, of_path, known, asks), places)
        for place in places:
            yield from (Doubt("W506", sentence, place.tree) for sentence in _failing(place))
            if place.tree[0] == "cmp":
                yield from (Doubt("W501", sentence, place.tree) for sentence in _compared(place))


def _compared(place: _Place) -> Iterator[str]:
    _, first, rest = place.tree
    for left, (operator, right) in zip([first, *(right for _, right in rest)], rest, strict=False):
        sign = _ORDER.get(operator) or _EQUAL.get(operator) or (operator if operator in "<= >= == !=" else None)
        if sign is None:
            continue
        schemas = [place.of(side) for side in (left, right)]
        if sign in ("==", "!="):
            yield from _never_equal(sign, *schemas)
        types = [_types(schema) for schema in schemas]
        if types[0] & types[1]:
            continue
        if sign in ("==", "!=") and any("null" in t for t in types):
            continue
        outcome = "fails the node"
        if sign in ("==", "!="):
            outcome = f"is always {'false' if sign == '==' else 'true'}"
        yield f"comparing {words(types[0])} with {words(types[1])} by `{sign}` {outcome}"


def _never_equal(sign: str, *sides: Schema) -> Iterator[str]:
    """A sentence where a text is compared with one of a closed list that doesn't hold it: `status == 'success'`."""
    for one, other in (sides, reversed(sides)):
        wanted, closed = one.get("const"), other.get("enum")
        texts = [text for text in closed if isinstance(text, str)] if closed else []
        if isinstance(wanted, str) and texts and wanted not in texts:  # without texts the types say it
            show = str if len(texts) == len(closed or ()) else to_json_text  # among numbers a text needs its quotes
            near = did_you_mean(wanted, texts)
            outcome = f"is always {'false' if sign == '==' else 'true'}"
            may_be = (
                f"; did you mean `{show(near)}`?"
                if near
                else f"; it may be {', '.join(dict.fromkeys(map(show, closed or ())))}"
            )
            yield f"`{show(wanted)}` is no value that this can have, so comparing by `{sign}` {outcome}{may_be}"


def _types(schema: Schema) -> frozenset[str]:
    if "const" in schema:
        found = type_of(schema["const"])
    elif "anyOf" in schema:
        found = Lookup(schema).types(schema)
    else:
        found = types_of(schema)
    return found | {"integer", "number"} if found & {"integer", "number"} else found


def _failing(place: _Place) -> Iterator[str]:
    tree = place.tree
    found = list(unfit(tree, lambda side: _types(place.of(side))))
    if found and not any(map(_explained, inside(tree))):
        yield from found
    if tree[0] == "cmp":
        yield from _nowhere_in(place)
    elif tree[0] == "filter":
        yield from missing(tree, place.of(tree[2]))
    elif tree[0] == "get" and not place.soft and not _explained(tree[1]):
        yield from _no_step(place)


def _no_step(place: _Place) -> Iterator[str]:
    """`(… | first).nmae`, and a field that the name of a `for` doesn't have."""
    tree = place.tree
    if tree[2][0] != "const":
        types, steps = _types(place.of(tree[1])), _types(place.of(tree[2]))
        by_key, by_index = "object" in types and "string" in steps, types & _IN_ORDER and "integer" in steps
        if not by_key and not by_index:
            yield f"{words(types)} has no parts that are named by {words(steps)}, which fails the node"
        return
    base = place.of(tree[1])
    found = Lookup(base).step(base, tree[2][1])
    if isinstance(found, Nothing):
        path, step = own_path(tree[1]), short(str(tree[2][1]))
        owner = f"`{short(path_text(path))}`" if path else "what stands before it"
        why = f"{owner} is {found.found}: it has no `{step}`" if found.found else f"{owner} has no `{step}`"
        yield f"{why}, which fails the node{meant(found, step)}"


def _nowhere_in(place: _Place) -> Iterator[str]:
    """`'x' in 3`, and `3 in 'x'`."""
    left = place.tree[1]
    for operator, right in place.tree[2]:
        if operator in ("in", "notin"):
            types, within = _types(place.of(left)), _types(place.of(right))
            if within <= _NUMBER | {"null"}:
                yield f"nothing is `in` {words(within)}, which fails the node"
            elif within == {"string"} and "string" not in types:
                yield f"only text is `in` text, not {words(types)}, which fails the node"
        left = right


def _explained(tree: Any) -> bool:
    """Whether another sentence explains what is read: a node and nothing of it (`nodes.net-work.output`), or a name
    that there isn't, of which null is made."""
    return tree == ["const", None] or bool(tree[0] == "ref" and tree[1][0] == "nodes" and len(tree[1]) < 3)


def _gather(place: _Place, places: list[_Place]) -> None:
    """Add the place, and those inside it; not those that a test of the type may keep from being reached."""
    tree, of_path, known, asks, soft, depth = place
    word = tree[0]
    if depth > _DEPTH or word in LEAVES:
        return
    places.append(place)
    if word == "for":
        _gather(_Place(tree[2], of_path, known, asks, depth=depth + 1), places)
        of_path = _with_names(tree, of_path)
        asked = tree[3] is not None and _asks(tree[3], asks)
        reached = [one for one in (tree[3], *(() if asked else tree[4]), *tree[5]) if one is not None]
    elif word in ("if", "and", "or") and _asks(tree[1], asks):
        reached = [tree[1]]
    elif word == "cond" and any(_asks(test, asks) for test, _ in tree[1]):
        reached = [test for test, _ in tree[1]]
    else:
        reached = inside(tree)
        of_path = _without_names(tree, of_path)
    guards = tree[1] in _GUARDS.get(word, ())
    for at, inner in enumerate(reached):
        passed_on = (word == "get" and at == 0) or (word == "if" and at > 0)
        kept = (guards and (at == 0 or soft)) or (soft and passed_on)
        _gather(_Place(inner, of_path, known, asks, kept, depth + 1), places)


def _with_names(tree: list[Any], of_path: SchemaOf) -> SchemaOf:
    """The name of a `for` is a member of what it goes through, where nothing inside gives it something else."""
    target, items = tree[1], of_tree(tree[2], of_path)
    known = dict.fromkeys([*names_in(target), "loop"], ANY)
    member = Lookup(items).step(items, 0) if Lookup(items).types(items) == {"array"} else ANY
    set_inside = (one for one in all_in(tree) if one[0] in ("set", "setblock"))
    if isinstance(target, str) and not isinstance(member, Nothing):
        known[target] = ANY if any(target in names_in(one[1]) for one in set_inside) else member
    return lambda path: _of_name(path, known, of_path)


def _without_names(tree: list[Any], of_path: SchemaOf) -> SchemaOf:
    """Names of a `with` hide those around it."""
    if tree[0] != "with" or not tree[1]:
        return of_path
    known = {name: ANY for target, _ in tree[1] for name in names_in(target)}
    return lambda path: _of_name(path, known, of_path)


def _of_name(path: tuple[str | int, ...], known: dict[str, Schema], of_path: SchemaOf) -> Schema:
    return known[str(path[1])] if path[0] == LOCAL and path[1] in known else of_path(path)


def _asks(tree: list[Any], known: dict[int, bool], depth: int = 0) -> bool:
    """Whether a condition asks what a value is. What it finds of the tree and its parts it keeps in `known`."""
    found = known.get(id(tree))
    if found is None:
        deeper = inside(tree) if depth < _DEPTH else []
        found = known[id(tree)] = tree[0] == "test" or any(_asks(one, known, depth + 1) for one in deeper)
    return found
