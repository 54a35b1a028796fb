"""What operations work on: `| keys` on objects, `-x` on numbers, `.split()` on text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pipe_runner.compiler.kinds import words
from pipe_runner.expressions.methods import receivers

Types = frozenset[str]
_TEXT: Final = frozenset({"string"})
_LIST: Final = frozenset({"array"})
_NUMBER: Final = frozenset({"integer", "number", "boolean"})
_MEMBERS: Final = frozenset({"string", "array", "object"})
_GO_THROUGH: Final = (
    "batch count first flatten groupby join last length list map max min reject rejectattr reverse select selectattr "
    "slice sort sum unique"
)
_FILTERS: Final[dict[str, Types]] = {
    **dict.fromkeys(_GO_THROUGH.split(), _MEMBERS),
    **dict.fromkeys(("keys", "values", "items", "dictsort"), frozenset({"object"})),
    "abs": _NUMBER,
    "round": _NUMBER - {"boolean"},
    "bool": _NUMBER | _TEXT,
    "fromjson": _TEXT,
}
"""Types of values that a filter works on; what isn't here works on any."""
_COUNTED: Final = {"length": "has no length", "count": "has no length", "join": "can't be joined"}
_PAIRS: Final[dict[str, tuple[tuple[Types, Types], ...]]] = {
    "+": ((_NUMBER, _NUMBER), (_TEXT, _TEXT), (_LIST, _LIST)),
    "*": ((_NUMBER, _NUMBER), (_TEXT | _LIST, _NUMBER), (_NUMBER, _TEXT | _LIST)),
    "%": ((_NUMBER, _NUMBER), (_TEXT, _NUMBER | _MEMBERS | {"null"})),
    **dict.fromkeys(("-", "/", "//", "**"), ((_NUMBER, _NUMBER),)),
}
"""Types of the two sides with which an operator works."""


def unfit(tree: Any, types_of: Callable[[Any], Types]) -> Iterator[str]:
    """A sentence where the operation at the top of a tree works on none of the types that it is given."""
    word = tree[0]
    if word == "filter" and tree[1] in _FILTERS:
        types = types_of(tree[2])
        if not types & _FILTERS[tree[1]]:
            yield _of_filter(tree[1], types)
    elif word == "bin":
        sides = [types_of(side) for side in tree[2:]]
        if not any(sides[0] & left and sides[1] & right for left, right in _PAIRS[tree[1]]):
            yield f"`{tree[1]}` of {words(sides[0])} and {words(sides[1])} fails the node"
        elif tree[3] == ["const", 0] and (tree[1] in ("/", "//") or (tree[1] == "%" and sides[0] <= _NUMBER)):
            yield "a division by zero fails the node"
    elif word in ("neg", "pos"):
        if not (types := types_of(tree[1])) & _NUMBER:
            yield f"a sign stands before a number, not before {words(types)}, which fails the node"
    elif word == "slice":
        if not (types := types_of(tree[1])) & (_TEXT | _LIST):
            yield f"only text and lists have parts [a:b], not {words(types)}, which fails the node"
        for bound in filter(None, tree[2:5]):
            if not (types := types_of(bound)) & {"integer", "null"}:
                yield f"the bounds of [a:b] are whole numbers, not {words(types)}, which fails the node"
    elif word == "method":
        if not (types := types_of(tree[2])) & receivers(tree[1]):
            yield f"{words(types)} has no method `.{tree[1]}()`, which fails the node"
    elif word == "test" and tree[1] in ("even", "odd", "divisibleby"):
        if not (types := types_of(tree[2])) & (_NUMBER - {"boolean"}):
            yield f"`is {tree[1]}` asks about numbers, not {words(types)}, which fails the node"
    elif word == "call" and tree[1] == "range":
        for types in map(types_of, tree[2]):
            if "integer" not in types:
                yield f"`range()` takes whole numbers, not {words(types)}, which fails the node"
    elif word == "for" and not (types := types_of(tree[2])) & _MEMBERS:
        yield f"{words(types)} has no members that `for` could go through, which fails the node"


def _of_filter(name: str, types: Types) -> str:
    if name in _COUNTED:
        return f"{words(types)} {_COUNTED[name]}, so `| {name}` fails the node"
    if _FILTERS[name] == _MEMBERS:
        return f"{words(types)} has no members to go through, so `| {name}` fails the node"
    return f"`| {name}` takes {words(_FILTERS[name] - {'boolean'})}, not {words(types)}, which fails the node"
