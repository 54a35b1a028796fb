"""Whether filters, tests and methods are there and take the arguments that they are given; known before a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, Final, Literal

from jinja2 import nodes

from pipe_runner.expressions.checks import unknown_filter, unknown_test
from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.filters import filter_named, test_named
from pipe_runner.expressions.methods import methods_named
from pipe_runner.expressions.vocabulary import FILTERS, TESTS

Kind = Literal["filter", "test", "method"]
_SHOWN: Final = {"filter": "`{}`", "test": "`is {}`", "method": "`.{}()`"}


def filter_faults(node: nodes.Filter) -> list[Fault]:
    """What is wrong with a filter's name, its arguments, and the filter or test that it names in turn."""
    if node.name not in FILTERS:
        return [unknown_filter(node.name, node.lineno)]
    faults = argument_faults("filter", node.name, node, node.lineno)
    if node.name in ("map", "select", "reject", "selectattr", "rejectattr"):
        position = 1 if node.name.endswith("attr") else 0
        named = node.args[position] if len(node.args) > position else None
        if isinstance(named, nodes.Const) and isinstance(named.value, str):
            if node.name == "map" and named.value not in FILTERS:
                faults.append(unknown_filter(named.value, named.lineno, quoted=True))
            elif node.name != "map" and named.value not in TESTS:
                faults.append(unknown_test(named.value, named.lineno, quoted=True))
            else:
                kind: Kind = "filter" if node.name == "map" else "test"
                length = len(named.value) + 2
                faults += argument_faults(kind, named.value, node, named.lineno, skip=position + 1, length=length)
    return faults


def argument_faults(
    kind: Kind, word: str, node: Any, offset: int, *, skip: int = 0, length: int | None = None
) -> list[Fault]:
    """The fault where the arguments of a node, behind the first `skip` ones, are not what the word takes."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return []
    count, names = len(node.args) - skip, [pair.key for pair in node.kwargs]
    signatures = _signatures(kind, word)
    if not signatures or any(_takes(signature, count, names) for signature in signatures):
        return []
    given = [f"{count} argument{'' if count == 1 else 's'}"] if count else []
    given += [f"`{name[:40]}=`" for name in names[:5]]
    used = "with " + " and ".join(given) if given else "without arguments"
    message = f"{_SHOWN[kind].format(word)} can't be used {used}"
    return [Fault("E414", message, offset, length or len(word), f"it takes {_described(signatures[0])}")]


@lru_cache(maxsize=256)
def _signatures(kind: Kind, name: str) -> tuple[inspect.Signature, ...]:
    """Of the functions that a word may be, without the interpreter and the value; none where that can't be said."""
    found: list[Callable[..., Any] | None]
    if kind == "method":
        found = [*methods_named(name)]
    else:
        found = [filter_named(name) if kind == "filter" else test_named(name)]
    signatures = []
    for function in found:
        if function is None:
            return ()
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # one of Python's own that doesn't say
            return ()
        own = 1 if inspect.isroutine(function) and not inspect.isfunction(function) else 2
        signatures.append(inspect.Signature(parameters[own:]))
    return tuple(signatures)


def _takes(signature: inspect.Signature, count: int, names: Collection[str]) -> bool:
    try:
        signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def _described(signature: inspect.Signature) -> str:
    """`old`, `new` and, if you like, `count`."""
    needed = [f"`{name}`" for name, each in signature.parameters.items() if each.default is each.empty]
    more = [f"`{name}`" for name, each in signature.parameters.items() if each.default is not each.empty]
    if not needed and not more:
        return "no arguments"
    if not needed:
        return f"{', '.join(more)} if wanted"
    return ", ".join(needed) + (f" and, if wanted, {', '.join(more)}" if more else "")
