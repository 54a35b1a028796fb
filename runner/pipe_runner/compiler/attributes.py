"""`map(attribute='x')` and its like: what they read of the members of a list whose type is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipe_runner.compiler.kinds import Lookup, Nothing, Schema
from pipe_runner.compiler.report import listed, short
from pipe_runner.diagnostics import did_you_mean

_PLACES: Final = {
    "map": None,
    "join": 1,
    "sort": 2,
    "unique": 1,
    "min": 1,
    "max": 1,
    "sum": 0,
    "groupby": 0,
    "selectattr": 0,
    "rejectattr": 0,
}
"""Where among the arguments of a filter the attribute stands, if it isn't named."""
LACKS: Final = "nothing in the list"
"""How these sentences begin, which need no hint."""
_SEVERAL: Final = ("sort",)


def missing(tree: Any, members: Schema) -> Iterator[str]:
    """Sentences about attributes that no member of a list has, which the filter of this tree is given."""
    _, name, _, args, named = tree
    if name not in _PLACES:
        return
    given = dict(named)
    place = _PLACES[name]
    if "default" in given or (name in ("selectattr", "rejectattr") and len(args) > 1) or (place is None and args):
        return
    if name == "groupby" and len(args) > 1:
        return
    written = given.get("attribute") or (args[place] if place is not None and len(args) > place else None)
    if not isinstance(written, list) or written[0] != "const" or not isinstance(written[1], str):
        return
    lookup = Lookup(members)
    if lookup.types(members) != {"array"}:
        if lookup.types(members) == {"string"}:
            yield f"text has characters, which have no `{short(written[1])}`, so `| {name}` fails the node"
        return
    for attribute in written[1].split(",") if name in _SEVERAL else [written[1]]:
        found: Any = lookup.step(members, 0)
        for step in attribute.split("."):
            if isinstance(found, Nothing):
                return
            found = lookup.step(found, int(step) if step.isascii() and step.isdigit() else step)
            if isinstance(found, Nothing):
                why = _why(found, step, attribute)
                yield f"{why}, so `| {name}` by `{short(attribute)}` fails the node{meant(found, step)}"
                return


def _why(nothing: Nothing, step: str, attribute: str) -> str:
    if nothing.found:
        return f"{LACKS} has a `{short(attribute)}`: what should have a `{short(step)}` is {nothing.found}"
    return f"{LACKS} has a `{short(step)}`"


def meant(nothing: Nothing, step: str) -> str:
    """What may be meant by a step that leads nowhere, as the end of a sentence."""
    if not nothing.keys:
        return ""
    near = did_you_mean(step, nothing.keys)
    return f"; did you mean `{near}`?" if near else f"; there is {listed(nothing.keys)}"
