"""What stands in the trees of expressions/tree.py, word by word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipe_runner.expressions import Compiled

LOCAL: Final = ""
"""Root of the path by which a name of the template itself is read: `(LOCAL, "x")`."""
LEAVES: Final = frozenset({"const", "ref", "local", "data"})
"""In which no tree stands."""
_IN_ORDER: Final = frozenset({"get", "slice", "and", "or", "not", "neg", "pos", "if", "print", "integer"})
"""Of which all that follows is a tree, or nothing."""
_DEPTH: Final = 100


def top(compiled: Compiled) -> list[Any]:
    """The trees of a template: one of an expression, one for each statement of a text with blocks."""
    if compiled.kind != "jinja":
        return []
    return [compiled.body] if compiled.whole else list(compiled.body)


def inside(tree: Any) -> list[Any]:
    """The trees that stand directly in a tree. Names in it, as those of filters, targets and arguments, are none."""
    word, *rest = tree
    found: list[Any]
    if word in LEAVES:
        found = []
    elif word in _IN_ORDER:
        found = rest
    elif word in ("list", "concat"):
        found = rest[0]
    elif word == "dict":
        found = [one for pair in rest[0] for one in pair]
    elif word == "bin":
        found = rest[1:]
    elif word == "format":
        found = [rest[0], *rest[1]]
    elif word == "cmp":
        found = [rest[0], *(right for _, right in rest[1])]
    elif word in ("filter", "test", "method"):
        found = [rest[1], *_arguments(*rest[2:])]
    elif word == "call":
        found = _arguments(*rest[1:])
    elif word == "loop":
        found = rest[1]
    elif word == "cond":
        found = [one for test, body in rest[0] for one in (test, *body)] + rest[1]
    elif word == "for":
        found = [rest[1], rest[2], *rest[3], *rest[4]]
    elif word == "set":
        found = rest[1:]
    elif word == "setblock":
        found = [*_filters(rest[1]), *rest[2]]
    elif word == "filters":
        found = [*_filters(rest[0]), *rest[1]]
    elif word == "with":
        found = [*(value for _, value in rest[0]), *rest[1]]
    else:  # escape
        found = [rest[0], *rest[1]]
    return [one for one in found if one is not None]


def all_in(tree: Any) -> Iterator[list[Any]]:
    """The tree, and all that stands in it."""
    waiting = [(tree, 0)]
    while waiting:
        one, depth = waiting.pop()
        yield one
        if depth < _DEPTH:
            waiting += [(inner, depth + 1) for inner in reversed(inside(one))]


def own_path(tree: Any) -> tuple[Any, ...]:
    """A name of the template itself, and the steps behind it: `r.output.x`; empty for any other tree."""
    steps: list[Any] = []
    while tree[0] == "get" and tree[2][0] == "const":
        steps.append(tree[2][1])
        tree = tree[1]
    return (tree[1], *reversed(steps)) if tree[0] == "local" else ()


def names_in(target: Any) -> list[str]:
    """The names that a target of `for`, `set` or `with` gives something."""
    return [target] if isinstance(target, str) else [name for one in target for name in names_in(one)]


def _arguments(args: list[Any], named: list[Any]) -> list[Any]:
    return [*args, *(value for _, value in named)]


def _filters(chain: list[Any]) -> list[Any]:
    return [one for _, args, named in chain for one in _arguments(args, named)]
