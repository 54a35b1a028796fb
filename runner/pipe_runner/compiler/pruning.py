"""The data of a file without what is wrong in it: so that the rest is judged, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipe_runner.compiler.contexts import PHASES, keys_of
from pipe_runner.types import Path_
from pipe_schemas import nodes

_OF_KINDS: Final = frozenset({*nodes.KINDS, "with", "provider"})
_APART: Final = frozenset({"env", "retry", "cache", "budget", "artifacts", "for_each"})
"""Keys of nodes of whose values each part is wrong by itself."""
_TOP_APART: Final = frozenset({"inputs", "include", "env", "secrets", "outputs", "defaults", "concurrency", "budget"})
"""And of the file."""
_LEAF: Final[dict[Any, Any]] = {}
"""Marks, by identity, what is to be left out."""
LEFT_OUT: Final = "\0"
"""The file of an entry of `include`, or the path of an artifact, that is wrong, which is told; none is called so."""
_STAND_INS: Final = {"include": {"file": LEFT_OUT}, "artifacts": {"name": LEFT_OUT, "path": LEFT_OUT}}
"""What stands for an item of these lists that is left out, so that all others keep their places."""
_WITHOUT_DEFAULT: Final = frozenset({("for_each", "items")})
"""Keys without which the map that has them is left out, too."""


def prunable(path: Path_) -> Path_:
    """The smallest thing around a path that can be left out: a key of a map of fixed keys, or a named thing."""
    if not path:
        return path
    if path[0] in PHASES:
        if len(path) > 3 and path[2] in _APART and path[2:4] not in _WITHOUT_DEFAULT:
            return path[:4]
        return path[:3] if len(path) >= 3 and path[2] not in nodes.KINDS else path[:2]
    return path[:2] if path[0] in _TOP_APART else path[:1]


def without(data: dict[str, Any], paths: set[Path_]) -> dict[str, Any]:
    """The data without what stands at these paths; shares with the original what didn't change."""
    tree: dict[Any, Any] = {}
    for path in paths:
        owner = tree
        for step in path[:-1]:
            owner = owner.setdefault(step, {})
            if owner is _LEAF:
                break
        else:
            if path:
                owner[path[-1]] = _LEAF
    found = _cut(data, tree)
    if ("version",) in paths:
        found["version"] = 1
    return found


def _cut(value: dict[str, Any], tree: dict[Any, Any]) -> dict[str, Any]:
    out = {}
    for key, item in value.items():
        inner = tree.get(key)
        if inner is _LEAF:
            continue
        out[key] = _cut_inside(item, inner, _STAND_INS.get(key))
    return out


def _cut_inside(item: Any, tree: dict[Any, Any] | None, stand_in: Any = None) -> Any:
    if not tree:
        return item
    if isinstance(item, list):
        return [
            stand_in if tree.get(number) is _LEAF else _cut_inside(one, tree.get(number))
            for number, one in enumerate(item)
        ]
    return _cut(item, tree) if isinstance(item, dict) else item


def without_extras(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a pipeline file without the `x-…` keys of the file and of its nodes."""
    data = {key: value for key, value in data.items() if key[:2] != "x-"}
    for phase in PHASES:
        nodes = data.get(phase)
        if type(nodes) is not dict:
            continue
        keys: set[str] = set().union(*[node for node in nodes.values() if type(node) is dict])
        extras = {key for key in keys if key[:2] == "x-"}
        if not extras:
            continue
        changed = {
            id: {key: value for key, value in node.items() if key not in extras}
            for id, node in nodes.items()
            if type(node) is dict and not extras.isdisjoint(node)
        }
        if changed:
            data[phase] = {**nodes, **changed}
    return data


def with_stand_ins(data: dict[str, Any], paths: set[Path_]) -> dict[str, Any]:
    """The data with each of these nodes as a `run:` of nothing that keeps what every node may say."""
    changed: dict[str, dict[str, Any]] = {}
    for path in paths:
        phase, id = map(str, path)
        node = at(data, path)
        if type(node) is not dict:  # its name is wrong, too, and it is left out
            continue
        kept = {key: value for key, value in node.items() if key not in _OF_KINDS}
        if not any(kind in node for kind in nodes.KINDS):  # and its unknown keys are told
            kept = {key: value for key, value in kept.items() if key in keys_of(nodes.RunNode)}
        changed.setdefault(phase, dict(data[phase]))[id] = {**kept, "run": ":"}
    return {**data, **changed} if changed else data


def renamed(data: dict[str, Any], names: Mapping[Path_, Path_]) -> dict[str, Any]:
    """The data with nodes under other names; both as paths."""
    for phase in {path[0] for path in names}:
        given = {(phase, name): node for name, node in data[str(phase)].items()}
        data = {**data, str(phase): {str(names.get(path, path)[1]): node for path, node in given.items()}}
    return data


def at(data: Any, path: Path_) -> Any:
    """What stands at a path; None where nothing does."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data
