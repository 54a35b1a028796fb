"""Comparisons of a status with `succeeded`, of nodes and items that are `cached` where an earlier result is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.trees import all_in, names_in, top
from pipe_runner.compiler.values import Use

if TYPE_CHECKING:
    from pipe_runner.compiler.drafts import Draft

_SAME: Final = frozenset({"eq", "==", "equalto", "in"})
_OTHER: Final = frozenset({"ne", "!=", "notin"})
_CHOOSE: Final = {"selectattr": 1, "rejectattr": 1, "select": 0, "reject": 0}
"""Where among the arguments of a filter the name of its test stands."""
_SOME: Final = frozenset({"list", "sort", "unique", "reverse", "selectattr", "rejectattr", "select", "reject"})
"""Filters that give members of the list that they are given, as they are."""
_ONE: Final = frozenset({"first", "last"})
"""Filters that give one of them."""
_DEPTH: Final = 100
_PASSES: Final = 4
"""Names that stand for one another in a chain."""


class _Means(NamedTuple):
    """What a name of a template stands for: a `result`, the `results` of a node, or the `status` of some."""

    what: str
    node: str = ""


_NOTHING: Final = _Means("")
_RESULT: Final = _Means("result")
_STATUS: Final = _Means("status")

Compared: TypeAlias = tuple[str, str, list[str]]
"""A sentence's subject, the comparison as it should be, up to its list, and the texts that are compared with."""


def tell_cached(drafts: Iterable[Draft], others: Iterable[Use], report: Report) -> None:
    """Tell of all of them, in nodes and in `others`, which stand in the file of `report`."""
    drafts = list(drafts)
    kept = {draft.id: draft for draft in drafts if draft.spec.cache not in (None, False)}
    if not kept:
        return
    for draft in drafts:
        for use in draft.uses:
            _tell(use, _Reader(kept, draft), draft.part.report)
    for use in others:
        _tell(use, _Reader(kept, None), report)


def _tell(use: Use, reader: _Reader, report: Report) -> None:
    if use.compiled.kind != "jinja" or not use.sound:
        return
    for (subject, right, texts), tree in reader.compared(top(use.compiled)):
        message = f"{subject} is `cached` where an earlier result is taken, and not `succeeded`"
        wanted = ", ".join(f'"{short(text)}"' for text in [*texts, "cached"])
        open_ = right.count("(") - right.count(")")
        hint = f"count both: `{right}[{wanted}]{')' * open_}`"
        offset, length = use.spot(tree)
        report.add("W509", message, use.path, offset=offset, length=length, hint=hint)
        return


class _Reader:
    """Looks through the templates of one node, or of none."""

    def __init__(self, kept: Mapping[str, Draft], draft: Draft | None) -> None:
        self._kept = kept
        self._items = ""
        """The repeated node over whose results this one goes."""
        self._locals: dict[str, _Means] = {}
        """Names of the template that are looked at, and what each stands for wherever it is given something."""
        path = (*draft.path, "for_each", "items") if draft is not None else ()
        for use in draft.uses if draft is not None else ():
            if use.path == path and use.compiled.kind == "reference":
                self._items = self._results(["ref", list(use.compiled.body)])

    def compared(self, body: list[Any]) -> Iterator[tuple[Compared, Any]]:
        """Comparisons that leave out what was cached, with their trees; none where the template speaks of `cached`."""
        trees = [one for tree in body for one in all_in(tree)]
        if not any(tree == ["const", "cached"] or (tree[0] == "const" and _lists(tree[1], "cached")) for tree in trees):
            self._locals = {}
            for _ in range(_PASSES):
                before, self._locals = self._locals, self._named(trees)
                if before == self._locals:
                    break
            for tree in trees:
                yield from ((found, tree) for found in self._comparison(tree))

    def _comparison(self, tree: list[Any]) -> Iterator[Compared]:
        if tree[0] == "cmp" and len(tree[2]) == 1:
            operator, right = tree[2][0]
            for one, other in ((tree[1], right), (right, tree[1])):
                yield from self._found(self._status(one), operator, other)
        elif tree[0] == "test" and tree[3]:
            yield from self._found(self._status(tree[2]), tree[1], tree[3][0])
        elif tree[0] == "filter" and tree[1] in _CHOOSE:
            place = _CHOOSE[tree[1]]
            if len(tree[3]) < place + 2 or (place and tree[3][0] != ["const", "status"]):
                return
            name = self._results(tree[2]) if place else self._statuses(tree[2])
            test, texts = tree[3][place][-1], _texts(tree[3][place + 1])
            if name and test in _SAME | _OTHER and "succeeded" in texts:
                words = ("'status', " if place else "") + "'in', "
                yield f"an item of `{short(name)}`", f"{tree[1]}({words}", texts

    def _found(self, status: str, operator: Any, other: Any) -> Iterator[Compared]:
        texts = _texts(other)
        if status and operator in _SAME | _OTHER and "succeeded" in texts:
            yield f"`{status}`", f"{status} {'in' if operator in _SAME else 'not in'} ", texts

    def _status(self, tree: Any) -> str:
        """The status of a node or an item that a tree reads, as it is written; empty for anything else."""
        if tree[:1] == ["get"] and tree[2] == ["const", "status"]:
            item = self._one(tree[1])
            return f"{item}.status" if item else ""
        if tree[:1] == ["local"] and self._locals.get(tree[1], _NOTHING).what == "status":
            return short(str(tree[1]))
        if tree[:1] != ["ref"]:
            return ""
        path = tree[1]
        if list(path) == ["item", "status"]:
            return "item.status" if self._items else ""
        if len(path) == 3 and path[0] == "nodes" and path[2] == "status":
            node = self._kept.get(path[1])
            return f"nodes.{short(node.id)}.status" if node is not None and not _repeated(node) else ""
        if len(path) == 5 and path[4] == "status" and self._results(["ref", path[:3]]):
            return f"nodes.{short(str(path[1]))}.output[{path[3]}].status"
        return ""

    def _results(self, tree: Any) -> str:
        """The repeated node whose results a tree gives, all or some."""
        for _ in range(_DEPTH):
            if tree[:1] != ["filter"] or tree[1] not in _SOME:
                break
            tree = tree[2]
        if tree[:1] == ["local"]:
            means = self._locals.get(tree[1], _NOTHING)
            return means.node if means.what == "results" else ""
        if tree[:1] != ["ref"] or len(tree[1]) != 3 or tree[1][0] != "nodes" or tree[1][2] != "output":
            return ""
        node = self._kept.get(tree[1][1])
        return node.id if node is not None and _repeated(node) else ""

    def _one(self, tree: Any) -> str:
        """One result of a repeated node, as it is written."""
        if tree[:1] == ["local"] and self._locals.get(tree[1], _NOTHING).what == "result":
            return short(str(tree[1]))
        if tree[:1] == ["filter"] and tree[1] in _ONE:
            name = self._results(tree[2])
            return f"(nodes.{short(name)}.output | {tree[1]})" if name else ""
        return ""

    def _named(self, trees: Iterable[list[Any]]) -> dict[str, _Means]:
        """Names that stand for the same, and something of results, wherever the template gives them something."""
        found: dict[str, _Means] = {}
        for tree in trees:
            for target, means in self._given(tree):
                for name in names_in(target):
                    found[name] = means if found.get(name, means) == means else _NOTHING
        return {name: means for name, means in found.items() if means is not _NOTHING}

    def _given(self, tree: list[Any]) -> Iterator[tuple[Any, _Means]]:
        """The names that a statement gives something, and what that is; nothing for other trees."""
        match tree:
            case ["for", [str(key), str(members)], ["filter", "groupby", items, args, named], _, _, _]:
                by = dict(named).get("attribute") or (args or [None])[0]
                node = self._results(items)
                yield key, _STATUS if node and by == ["const", "status"] else _NOTHING
                yield members, _Means("results", node) if node else _NOTHING
            case ["for", target, items, _, _, _]:
                yield target, _RESULT if isinstance(target, str) and self._results(items) else _NOTHING
            case ["set", target, value]:
                yield target, self._meant(target, value)
            case ["setblock", target, _, _]:
                yield target, _NOTHING
            case ["with", [*pairs], _]:
                yield from ((target, self._meant(target, value)) for target, value in pairs)

    def _meant(self, target: Any, value: Any) -> _Means:
        if not isinstance(target, str):
            return _NOTHING
        if self._one(value):
            return _RESULT
        node = self._results(value)
        return _Means("results", node) if node else _NOTHING

    def _statuses(self, tree: Any) -> str:
        """The repeated node of whose results a tree gives the statuses."""
        for _ in range(_DEPTH):
            if tree[:1] != ["filter"] or tree[1] not in _SOME:
                break
            tree = tree[2]
        mapped = tree[:2] == ["filter", "map"] and dict(tree[4]).get("attribute") == ["const", "status"]
        return self._results(tree[2]) if mapped else ""


def _repeated(draft: Draft) -> bool:
    return draft.spec.for_each is not None or draft.spec.matrix is not None


def _texts(tree: Any) -> list[str]:
    """The texts that a tree is, one or a list of them."""
    if tree[:1] == ["list"]:
        return [text for inner in tree[1] for text in _texts(inner)]
    if tree[:1] == ["const"]:
        values = tree[1] if isinstance(tree[1], list | tuple) else [tree[1]]
        return [value for value in values if isinstance(value, str)]
    return []


def _lists(value: Any, text: str) -> bool:
    return isinstance(value, list | tuple) and text in value
