"""`for_each` and `matrix`: what a node is repeated over, compiled."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.values import Values
from pipe_runner.plan import FanOut, Value
from pipe_runner.types import Json

MOST: Final = 10_000
"""Combinations of one matrix."""
_OF_ITEM: Final = frozenset({"item", "index", "matrix"})
_SPECIAL: Final = ("include", "exclude")


def compile_fan_out(draft: Draft, values: Values, report: Report) -> None:
    """Set `draft.fan_out` where the node has `for_each` or `matrix`."""
    spec = draft.spec
    if spec.for_each is not None and spec.matrix is not None:
        message = "`for_each` and `matrix` both say what to repeat the node over"
        report.add("E212", message, (*draft.path, "matrix"), at="key", hint="leave one of the two out")
        return
    if spec.matrix is not None:
        _matrix(draft, report)
    elif spec.for_each is not None:
        _for_each(draft, values, report)
    if spec.min_success is not None and spec.matrix is None:
        message = "`min_success` belongs to a node with `matrix`"
        report.add("E212", message, (*draft.path, "min_success"), at="key", hint="in `for_each` it stands inside")


def _for_each(draft: Draft, values: Values, report: Report) -> None:
    spec, path = draft.spec.for_each, (*draft.path, "for_each")
    items = values.compile(spec.items, (*path, "items"), "items", draft.uses)
    if isinstance(items.data, str):
        message = f"`items` is a list, or an expression that gives one, not the text `{short(items.data)}`"
        report.add("E508", message, (*path, "items"), hint='write `items: [a, b]`, or `items: "{{ inputs.names }}"`')
    key = Value(None)
    if spec.key is not None:
        key = Value(*values.leaf(spec.key, (*path, "key"), "key", draft.uses))
    _enough(draft, spec.min_success, items.data if items.static else None, (*path, "min_success"), report)
    draft.fan_out = FanOut(
        items, key, False, spec.max_parallel, spec.fail_fast, spec.min_success, _reads_item(draft)
    )  # fmt: skip


def _matrix(draft: Draft, report: Report) -> None:
    spec, path = draft.spec, (*draft.path, "matrix")
    for name in _SPECIAL:
        for number, entry in enumerate(spec.matrix.get(name, ())):
            if not isinstance(entry, dict):
                message = f"an entry of `{name}` is a map of names and values"
                report.add("E203", message, (*path, name, number), hint=f"write `{name}: [{{os: debian}}]`")
                return
    axes = {name: given for name, given in spec.matrix.items() if name not in _SPECIAL}
    if any(not given for given in axes.values()):
        empty = next(name for name, given in axes.items() if not given)
        report.add("E204", f"`{short(empty)}` has no values, so there are no combinations", (*path, empty))
        return
    size = 1
    for given in axes.values():
        size *= len(given)
    if size > MOST:
        report.add("E204", f"the matrix has {size} combinations, and {MOST} are the most", path, at="key")
        return
    for number, entry in enumerate(spec.matrix.get("exclude", ())):
        unknown = [name for name in entry if name not in axes]
        if unknown:
            near = report.suggest(unknown[0], axes)
            hint = f"did you mean `{near}`?" if near else None
            place = (*path, "exclude", number, unknown[0])
            report.add("E310", f"the matrix has no `{short(unknown[0])}`", place, at="key", hint=hint)
    combinations = expand(axes, spec.matrix.get("include", ()), spec.matrix.get("exclude", ()))
    _enough(draft, spec.min_success, combinations, (*draft.path, "min_success"), report)
    items: Any = combinations
    draft.fan_out = FanOut(Value(items), Value(None), True, None, False, spec.min_success, _reads_item(draft))


def names_of(matrix: dict[str, list[Json]]) -> list[str]:
    """What a combination may have, in the order of the file."""
    included = [name for entry in matrix.get("include", ()) if isinstance(entry, dict) for name in entry]
    return list(dict.fromkeys([*(name for name in matrix if name not in _SPECIAL), *included]))


def expand(axes: dict[str, list[Json]], include: Any, exclude: Any) -> list[dict[str, Json]]:
    """The combinations, as GitHub Actions makes them.

    `exclude` takes out each combination that has all values of one of its entries. An entry of `include` is added to
    each combination of which it changes no value of the axes, else it is a combination of its own.
    """
    names = list(axes)
    found = [dict(zip(names, values, strict=True)) for values in product(*axes.values())] if names else []
    found = [one for one in found if not any(_has(one, entry) for entry in exclude)]
    made = list(found)
    for entry in include:
        fitting = [one for one in made if all(one[name] == entry[name] for name in entry.keys() & axes.keys())]
        for one in fitting:
            one.update(entry)
        if not fitting:
            found.append(dict(entry))
    return found


def _has(combination: dict[str, Json], entry: dict[str, Json]) -> bool:
    return all(name in combination and combination[name] == value for name, value in entry.items())


def _enough(draft: Draft, wanted: int | None, items: Any, path: Any, report: Report) -> None:
    if wanted is not None and isinstance(items, list) and wanted > len(items):
        report.add("E204", f"{wanted} items must succeed, and there are only {len(items)}", path)


def _reads_item(draft: Draft) -> bool:
    return draft.when is not None and any(reference.path[0] in _OF_ITEM for reference in draft.when.references)
