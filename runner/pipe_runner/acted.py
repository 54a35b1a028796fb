"""What may have acted once and can't be taken back: the fold keeps it, whatever becomes of its node (D10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from pipe_runner.states import NodeState, may_have_acted


class Folded(Protocol):
    """What of a run is changed here."""

    digests: dict[str, str]
    nodes: dict[str, NodeState]
    items: dict[str, dict[str, NodeState]]
    aside: Mapping[tuple[str, str], NodeState]


def set_aside(run: Folded, nodes: Mapping[str, NodeState], items: Mapping[str, Mapping[str, NodeState]]) -> None:
    """Keep of nodes and items that are the run's no more what may have acted."""
    kept = {(name, ""): state for name, state in nodes.items() if may_have_acted(state)}
    for name, states in items.items():
        kept |= {(name, key): state for key, state in states.items() if may_have_acted(state)}
    if kept:
        run.aside = {**run.aside, **kept}


def forget(run: Folded, owner: str, names: Iterable[str]) -> None:
    """Nodes and items that a repeated node has no more: those that may have acted are set aside."""
    nodes: dict[str, NodeState] = {}
    items: dict[str, dict[str, NodeState]] = {}
    for name in names:
        if name in run.nodes:
            nodes[name] = run.nodes.pop(name)
        if name in run.items:
            items[name] = run.items.pop(name)
        if name.startswith(f"{owner}[") and name.endswith("]"):
            run.items.get(owner, {}).pop(name[len(owner) + 1 : -1], None)
    if names:
        set_aside(run, nodes, items)


def become(run: Folded, node: str, state: NodeState, data: Mapping[str, Any]) -> None:
    """A node or an item begins that ran a sub-pipeline before, or was repeated: the data of its `node.started` says
    what it is now, and what it ran otherwise is the run's no more."""
    starts: list[str] = []
    items: dict[str, dict[str, NodeState]] = {}
    if "pipeline" not in data and state.pipeline is not None:
        state.pipeline, state.given, state.retried = None, None, 0
        starts.append(f"{node}.")
    if "items" not in data:
        if state.many or node in run.items:
            starts.append(f"{node}[")
            items[node] = run.items.pop(node, {})
        state.many, state.rest = False, None
    if starts:
        start = tuple(starts)
        nodes = {name: s for name, s in run.nodes.items() if name.startswith(start) and name not in run.digests}
        items |= {
            name: states for name, states in run.items.items() if name.startswith(start) and name not in run.digests
        }
        for name in nodes:
            del run.nodes[name]
        for name in items:
            run.items.pop(name, None)
        set_aside(run, nodes, items)


def begin_anew(run: Folded, nodes: Iterable[str]) -> None:
    """Every item of these repeated nodes is decided again, and what those run that run a sub-pipeline."""
    for node in nodes:
        names = [node]
        if any(item.pipeline is not None for item in run.items.get(node, {}).values()):
            inside = f"{node}["
            names += [name for name in run.items if name.startswith(inside)]
            run.nodes.update({name: state.anew() for name, state in run.nodes.items() if name.startswith(inside)})
        for name in names:
            run.items[name] = {key: state.anew() for key, state in run.items.get(name, {}).items()}


def regroup(run: Folded, digests: Mapping[str, str], new: Callable[[], NodeState]) -> None:
    """Let the run have the nodes that its file has now, by their digests, and what repeated ones of them run."""
    old, items = run.nodes, run.items
    run.digests = dict(digests)
    run.nodes = {node: old.get(node) or new() for node in digests}
    run.nodes.update((n, s) for n, s in old.items() if "[" in n and n.partition("[")[0] in run.nodes)
    run.items = {node: states for node, states in items.items() if node in run.nodes}
    gone = {n: s for n, s in old.items() if n not in run.nodes}
    set_aside(run, gone, {n: states for n, states in items.items() if n not in run.nodes})
    take_back(run, digests)


def take_back(run: Folded, names: Iterable[str]) -> list[str]:
    """Nodes of these names are the run's again, as they were when they were set aside; gives the names of those."""
    if not run.aside:
        return []
    wanted = set(names)
    found = {place: state for place, state in run.aside.items() if place[0] in wanted}
    for (name, key), state in found.items():
        if key:
            run.items.setdefault(name, {})[key] = state
        else:
            run.nodes[name] = state
    run.aside = {place: state for place, state in run.aside.items() if place not in found}
    return list(dict.fromkeys(name for name, _ in found))
