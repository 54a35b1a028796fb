"""The nodes of a plan in layers: every edge runs to a later one, and few edges cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.types import Phase

_SWEEPS: Final = 8
"""Passes down and up that order the nodes of each layer; more change little."""


class Layered(NamedTuple):
    """The nodes of one phase in layers: every edge runs to a later layer; each layer in the order of drawing."""

    phase: Phase
    layers: tuple[tuple[PlannedNode, ...], ...]


def layered(plan: Plan) -> list[Layered]:
    """Phase by phase: each node stands as early as its needs allow, ordered so that few edges cross."""
    found = []
    for phase in Phase:
        nodes = [node for node in plan.nodes if node.phase is phase]
        if nodes:
            found.append(Layered(phase, _uncrossed(_layers(nodes))))
    return found


def _layers(nodes: Sequence[PlannedNode]) -> list[list[PlannedNode]]:
    level: dict[int, int] = {}
    for node in sorted(nodes, key=lambda n: -n.priority):  # a longer chain to the end: needs first
        level[node.index] = 1 + max((level[need] for need in node.needs), default=-1)
    layers: list[list[PlannedNode]] = [[] for _ in range(1 + max(level.values()))]
    for node in nodes:
        layers[level[node.index]].append(node)
    return layers


def _uncrossed(layers: list[list[PlannedNode]]) -> tuple[tuple[PlannedNode, ...], ...]:
    """Barycentre sweeps: a node goes to the mean place of its neighbours."""
    above = {node.index: node.needs for layer in layers for node in layer}
    below: dict[int, list[int]] = {}
    for index, needs in above.items():
        for need in needs:
            below.setdefault(need, []).append(index)
    place = {node.index: i / max(len(layer), 1) for layer in layers for i, node in enumerate(layer)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            neighbours = above if down else below

            def mean(node: PlannedNode, neighbours: dict[int, Sequence[int]] = neighbours) -> float:  # type: ignore[assignment]
                places = [place[i] for i in neighbours.get(node.index, ())]
                return sum(places) / len(places) if places else place[node.index]

            layer.sort(key=mean)
            for i, node in enumerate(layer):
                place[node.index] = (i + 0.5) / len(layer)
    return tuple(tuple(layer) for layer in layers)
