"""Orders the nodes of a plan: waits, cycles, and the longest chain from each node to an end.

The order itself is found with counters in one pass over the edges: networkx takes 150 ms to import, as long as all
the rest of checking a thousand nodes. It is asked only where a file has cycles, for the components they lie in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.report import Report, short

_MOST_CYCLES = 50
_MOST_STEPS = 50_000
"""Edges that are looked at for further cycles of a component, in all: thousands of nodes may all need one another."""
_SHOWN = 12


def order(drafts: Sequence[Draft], report: Report) -> None:
    """Set the priority of every node; report every cycle once."""
    waiting = [len(draft.needs) for draft in drafts]
    if not any(waiting):
        return
    dependents: list[list[int]] = [[] for _ in drafts]
    for draft in drafts:
        for need in draft.needs:
            dependents[need].append(draft.index)
    ready = [index for index, count in enumerate(waiting) if not count]
    for index in ready:  # grows while it is walked
        for dependent in dependents[index]:
            waiting[dependent] -= 1
            if not waiting[dependent]:
                ready.append(dependent)
    for index in reversed(ready):
        below = dependents[index]
        if below:
            drafts[index].priority = 1 + max([drafts[d].priority for d in below])
    if len(ready) < len(drafts):
        stuck = [index for index, count in enumerate(waiting) if count]
        for cycle in _cycles(drafts, stuck):
            _tell(report, [drafts[index] for index in cycle])


def _cycles(drafts: Sequence[Draft], stuck: list[int]) -> Iterator[list[int]]:
    """Cycles, each from its first node in the file on: of every component one, then more as far as time allows."""
    import networkx as nx

    graph: Any = nx.DiGraph()
    graph.add_nodes_from(stuck)
    graph.add_edges_from((index, need) for index in stuck for need in drafts[index].needs if need in graph)
    left = [c for c in nx.strongly_connected_components(graph) if len(c) > 1]
    left.sort(key=min, reverse=True)
    found, steps = 0, _MOST_STEPS
    while left and found < _MOST_CYCLES:
        component = left.pop()
        cycle = _shortest(graph, component, min(component))
        found += 1
        yield cycle
        graph.remove_edge(cycle[-1], cycle[0])
        steps -= sum(graph.out_degree(index) for index in component)
        if steps > 0:  # the rest of the component may hold cycles of its own
            rest = [c for c in nx.strongly_connected_components(graph.subgraph(component)) if len(c) > 1]
            left += sorted(rest, key=min, reverse=True)


def _shortest(graph: Any, component: set[int], start: int) -> list[int]:
    """The shortest way from a node back to it; of several the one through the earliest nodes."""
    before: dict[int, int] = {}
    layer = [start]
    while layer:
        following = []
        for index in layer:
            for need in sorted(component.intersection(graph.successors(index))):
                if need == start:
                    way = [index]
                    while way[-1] != start:
                        way.append(before[way[-1]])
                    return way[::-1]
                if need not in before:
                    before[need] = index
                    following.append(need)
        layer = following
    return [start]


def _tell(report: Report, cycle: list[Draft]) -> None:
    ring = [*cycle, cycle[0]]
    names = [short(draft.id) for draft in ring]
    if len(names) > _SHOWN + 4:
        names = [*names[: _SHOWN - 2], f"… {len(names) - _SHOWN} more …", *names[-2:]]
    how = []
    for draft, need in pairwise(ring):
        by = "names" if need.index in draft.explicit else "refers to"
        how.append(f"`{short(draft.id)}` {by} `{short(need.id)}`")
    hint = "; ".join(how[:4]) + ("; …" if len(how) > 4 else "")
    message = f"these nodes wait for one another: {' → '.join(names)}"
    first = cycle[0]
    (first.part.report if first.part is not None else report).add("E304", message, first.path, at="key", hint=hint)
