"""`for_each` and `matrix`: what a node is repeated over, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Final

from pipe_runner.compiler.bare import is_bare
from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.room import NoRoom, Room
from pipe_runner.compiler.values import Use, Values
from pipe_runner.plan import FanOut, Value
from pipe_runner.types import Json
from pipe_schemas.encoding import canonical_json

MOST: Final = 10_000
"""Combinations of one matrix."""
_SPLIT: Final = "make the list in a node, and repeat over it with `for_each`; or split the file"
_OF_ITEM: Final = frozenset({"item", "index", "matrix"})
SPECIAL: Final = ("include", "exclude")


def compile_fan_out(draft: Draft, values: Values, report: Report, room: Room) -> None:
    """Set `draft.fan_out` where the node has `for_each` or `matrix`."""
    spec = draft.spec
    if spec.for_each is not None and spec.matrix is not None:
        message = "`for_each` and `matrix` both say what to repeat the node over"
        report.add("E212", message, (*draft.path, "matrix"), at="key", hint="leave one of the two out")
        return
    if spec.matrix is not None:
        _matrix(draft, report, room)
    elif spec.for_each is not None:
        _for_each(draft, values, report)
    if spec.min_success is not None and spec.matrix is None:
        message = "`min_success` belongs to a node with `matrix`"
        report.add("E212", message, (*draft.path, "min_success"), at="key", hint="in `for_each` it stands inside")


def _for_each(draft: Draft, values: Values, report: Report) -> None:
    spec, path = draft.spec.for_each, (*draft.path, "for_each")
    bare = isinstance(spec.items, str) and is_bare(spec.items, report)
    items = Value(spec.items) if bare else values.compile(spec.items, (*path, "items"), "items", draft.uses)
    if isinstance(items.data, str):
        message = f"`items` is a list, or an expression that gives one, not the text `{short(items.data)}`"
        hint = 'write `items: [a, b]`, or `items: "{{ inputs.names }}"`'
        hint = f'write `items: "{{{{ {items.data} }}}}"`' if bare else hint
        report.add("E508", message, (*path, "items"), hint=hint)
    key = Value(None)
    if spec.key is not None:
        key = Value(*values.leaf(spec.key, (*path, "key"), "key", draft.uses))
    _enough(spec.min_success, items.data if items.static else None, (*path, "min_success"), report)
    draft.fan_out = FanOut(
        items, key, False, spec.max_parallel, spec.fail_fast, spec.min_success, _reads_item(draft)
    )  # fmt: skip


def _matrix(draft: Draft, report: Report, room: Room) -> None:
    spec, path = draft.spec, (*draft.path, "matrix")
    for name in SPECIAL:
        for number, entry in enumerate(spec.matrix.get(name, ())):
            write = f"write `{name}: [{{os: debian}}]`"
            if not isinstance(entry, dict):
                message = f"an entry of `{name}` is a map of names and values"
                report.add("E203", message, (*path, name, number), hint=write)
                return
            if not entry:
                report.add("E204", f"an entry of `{name}` is empty", (*path, name, number), hint=write)
                return
    axes = {name: given for name, given in spec.matrix.items() if name not in SPECIAL}
    if any(not given for given in axes.values()):
        empty = next(name for name, given in axes.items() if not given)
        report.add("E204", f"`{short(empty)}` has no values, so there are no combinations", (*path, empty))
        return
    if not axes and not spec.matrix.get("include"):
        message = "`matrix` names nothing, so there are no combinations"
        report.add("E204", message, path, at="key", hint="write `matrix: {os: [debian, fedora]}`, or leave it out")
        return
    size = 1
    for given in axes.values():
        size *= len(given)
        if size > MOST:
            report.add("E204", f"the matrix has more than {MOST} combinations", path, at="key", hint=_SPLIT)
            return
    for number, entry in enumerate(spec.matrix.get("exclude", ())):
        unknown = [name for name in entry if name not in axes]
        if unknown:
            near = report.suggest(unknown[0], axes)
            hint = f"did you mean `{near}`?" if near else None
            place = (*path, "exclude", number, unknown[0])
            report.add("E310", f"the matrix has no `{short(unknown[0])}`", place, at="key", hint=hint)
    try:
        combinations = expand(axes, spec.matrix.get("include", ()), spec.matrix.get("exclude", ()), room)
    except NoRoom:
        message = "the matrices of this file are too large: all their combinations, and the entries for them"
        report.add("E204", message, path, at="key", hint=_SPLIT)
        return
    _enough(spec.min_success, combinations, (*draft.path, "min_success"), report)
    items: Any = combinations
    draft.fan_out = FanOut(Value(items), Value(None), True, None, False, spec.min_success, _reads_item(draft))


def names_of(matrix: dict[str, list[Json]]) -> list[str]:
    """What a combination may have, in the order of the file."""
    included = [name for entry in matrix.get("include", ()) if isinstance(entry, dict) for name in entry]
    return list(dict.fromkeys([*(name for name in matrix if name not in SPECIAL), *included]))


def expand(axes: dict[str, list[Json]], include: Any, exclude: Any, room: Room | None = None) -> list[dict[str, Json]]:
    """The combinations, as GitHub Actions makes them; raises NoRoom.

    `exclude` takes out each combination that one of its entries fits. An entry of `include` is added to each
    combination that it fits, else it is a combination of its own. It fits where it changes no value of the axes: of an
    object or a list it may say a part.
    """
    room = room or Room()
    names = list(axes)
    size = 1 if names else 0
    for given in axes.values():
        size *= len(given)
    room.take(size * (1 + len(names) // 4))
    coded = [[(value, canonical_json(value)) for value in given] for given in axes.values()]
    # Each combination, and the texts of its values: 1, 1.0 and true are equal in Python, and different in a matrix.
    made: list[tuple[dict[str, Json], tuple[str, ...]]] = [
        ({name: value for name, (value, _) in zip(names, one, strict=True)}, tuple(code for _, code in one))
        for one in (product(*coded) if names else ())
    ]
    places = {name: at for at, name in enumerate(names)}
    out: dict[tuple[int, ...], set[tuple[str, ...]]] = {}
    for entry in exclude:
        if entry.keys() <= axes.keys():
            at, wanted = _wanted(entry, places, coded, room)
            out.setdefault(at, set()).update(wanted)
    for at, excluded in out.items():
        room.take(len(made))
        made = [one for one in made if tuple(one[1][place] for place in at) not in excluded]
    found = [combination for combination, _ in made]
    known: dict[tuple[int, ...], dict[tuple[str, ...], list[dict[str, Json]]]] = {}
    for entry in include:
        at, wanted = _wanted(entry, places, coded, room)
        if at not in known:
            room.take(len(made))
            index = known[at] = {}
            for combination, own in made:
                index.setdefault(tuple(own[place] for place in at), []).append(combination)
        fitting = [one for codes in wanted for one in known[at].get(codes, ())]
        room.take(1 + len(fitting))
        more = {name: value for name, value in entry.items() if name not in axes}
        for one in fitting:
            one.update(more)
        if not fitting:
            found.append(dict(entry))
    return found


def _wanted(
    entry: dict[str, Json], places: dict[str, int], coded: list[list[tuple[Json, str]]], room: Room
) -> tuple[tuple[int, ...], list[tuple[str, ...]]]:
    """Which axes an entry names, and the texts of the values that fit it, in the order of the axes; raises NoRoom."""
    parts = {places[name]: part for name, part in entry.items() if name in places}
    at = tuple(sorted(parts))
    columns: list[list[str]] = []
    size = 1
    for place in at:
        part, code = parts[place], canonical_json(parts[place])
        if isinstance(part, (dict, list)):
            room.take(len(coded[place]) * (1 + len(code) // 8))
            columns.append(list(dict.fromkeys(own for value, own in coded[place] if _fits(part, value))))
        else:
            columns.append([code])
        size *= len(columns[-1])
    room.take(size)
    return at, list(product(*columns))


def _fits(part: Json, value: Json) -> bool:
    """Whether a value is what an entry says of it, and maybe more."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(name in value and _fits(one, value[name]) for name, one in part.items())
    if isinstance(part, list):
        return isinstance(value, list) and len(part) <= len(value) and all(map(_fits, part, value))
    return canonical_json(part) == canonical_json(value)


def _enough(wanted: int | None, items: Any, path: Any, report: Report) -> None:
    if wanted is not None and isinstance(items, list) and 0 < len(items) < wanted:
        report.add("E204", f"{wanted} items must succeed, and there are only {len(items)}", path)


def without_list(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says of a repeated node, without its list and what is of the list as a whole."""
    found = {name: value for name, value in content.items() if name not in ("matrix", "min_success")}
    if isinstance(content.get("for_each"), Mapping):
        found["for_each"] = {"key": content["for_each"].get("key")}
    return found


def uses_without_list(draft: Draft) -> list[Use]:
    """The templates of a repeated node, without those that give its list."""
    path = (*draft.path, "for_each", "items")
    return [use for use in draft.uses if use.path[: len(path)] != path]


def finished(draft: Draft, drafts: Mapping[str, Draft]) -> FanOut:
    """What a node is repeated over, once all nodes that it needs are known."""
    assert draft.fan_out is not None
    paths = [reference.path for use in uses_without_list(draft) for reference in use.compiled.references]
    index_read = any(path[0] == "index" for path in paths)
    read = {str(path[1]) if len(path) > 1 else "" for path in paths if path[0] == "nodes"}
    kept: set[int] = set()
    if "" not in read:
        for need in (drafts[id] for id in _listed(draft) if id in drafts):
            quiet = not (need.artifacts or need.inside or need.own_workspace)
            if quiet and need.id not in read and need.index in draft.needs and need.index not in draft.explicit:
                kept.add(need.index)
    return draft.fan_out._replace(index_read=index_read, list_only=tuple(sorted(kept)))


def _listed(draft: Draft) -> set[str]:
    path = (*draft.path, "for_each", "items")
    uses = (use for use in draft.uses if use.path[: len(path)] == path)
    paths = [reference.path for use in uses for reference in use.compiled.references]
    return {str(path[1]) for path in paths if path[0] == "nodes" and len(path) > 1}


def _reads_item(draft: Draft) -> bool:
    return draft.when is not None and any(reference.path[0] in _OF_ITEM for reference in draft.when.references)
