"""How a run would go in time: waves, the longest path, and the scheduler's own order played through; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from statistics import median
from typing import NamedTuple

from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.types import Phase


class Forecast(NamedTuple):
    """Times in seconds, or in nodes where nothing is known of the past (`measured` is False)."""

    waves: tuple[tuple[PlannedNode, ...], ...]
    """Nodes that could run at the same time, each wave after the one before; phases one after the other."""
    path: tuple[PlannedNode, ...]
    """The nodes that take longest one after the other: no concurrency makes the run shorter than `path_time`."""
    path_time: float
    time: float
    """With the given concurrency."""
    useful: int
    """Attempts that would run at once if there were no bound; more slots change nothing."""
    measured: bool
    guessed: tuple[str, ...]
    """Nodes of unknown time, counted with `guess` each."""
    guess: float


def forecast(plan: Plan, nodes: Sequence[PlannedNode], seconds: Mapping[str, float], concurrency: int) -> Forecast:
    """Play it through; `nodes` are those that may run, `seconds` what is known of them by id.

    Handlers for failures are in no time: the run is taken to succeed, at the first attempt of each node.
    """
    known = [seconds[node.id] for node in nodes if node.id in seconds]
    measured = bool(known)
    guess = median(known) if measured else 1.0
    times = {node.index: seconds.get(node.id, guess) if measured else guess for node in nodes}
    waves: list[tuple[PlannedNode, ...]] = []
    path: list[PlannedNode] = []
    total = 0.0
    useful = 0
    for phase in Phase:
        part = [node for node in nodes if node.phase is phase]
        if not part:
            continue
        waves += _waves(part)
        if phase is not Phase.ON_FAILURE:
            path += _longest(plan, part, times)
            total += play(part, times, concurrency)[0]
            useful = max(useful, play(part, times, len(part))[1])
    guessed = tuple(node.id for node in nodes if node.id not in seconds and node.phase is not Phase.ON_FAILURE)
    path_time = sum(times[node.index] for node in path)
    return Forecast(tuple(waves), tuple(path), path_time, total, useful, measured, guessed if measured else (), guess)


def _in_order(nodes: Sequence[PlannedNode]) -> list[PlannedNode]:
    """Needs before what needs them: a longer chain to the end always starts earlier."""
    return sorted(nodes, key=lambda node: (-node.priority, node.index))


def _waves(nodes: Sequence[PlannedNode]) -> list[tuple[PlannedNode, ...]]:
    level: dict[int, int] = {}
    found: list[list[PlannedNode]] = []
    for node in _in_order(nodes):
        mine = level[node.index] = 1 + max((level[need] for need in node.needs if need in level), default=-1)
        if mine == len(found):
            found.append([])
        found[mine].append(node)
    return [tuple(wave) for wave in found]


def _longest(plan: Plan, nodes: Sequence[PlannedNode], times: Mapping[int, float]) -> list[PlannedNode]:
    ends: dict[int, float] = {}
    before: dict[int, int | None] = {}
    for node in _in_order(nodes):
        last = max((need for need in node.needs if need in ends), key=lambda need: ends[need], default=None)
        before[node.index] = last
        ends[node.index] = times[node.index] + (ends[last] if last is not None else 0.0)
    at: int | None = max(ends, key=lambda index: ends[index])
    path = []
    while at is not None:
        path.append(plan.nodes[at])
        at = before[at]
    return path[::-1]


def play(nodes: Sequence[PlannedNode], times: Mapping[int, float], slots: int) -> tuple[float, int]:
    """The scheduler's rule: of what is ready the longest way to the end first, `slots` at a time.

    Gives the time until the last node has ended, and how many ran at once at most.
    """
    waits = {node.index: 0 for node in nodes}
    dependents: dict[int, list[PlannedNode]] = {}
    ready: list[tuple[int, int]] = []
    for node in nodes:
        waits[node.index] = sum(need in waits for need in node.needs)
        for need in node.needs:
            dependents.setdefault(need, []).append(node)
        if not waits[node.index]:
            heappush(ready, (-node.priority, node.index))
    running: list[tuple[float, int]] = []
    now, most = 0.0, 0
    while ready or running:
        while ready and len(running) < slots:
            index = heappop(ready)[1]
            heappush(running, (now + times[index], index))
        most = max(most, len(running))
        now = running[0][0]
        while running and running[0][0] == now:
            for node in dependents.get(heappop(running)[1], ()):
                waits[node.index] -= 1
                if not waits[node.index]:
                    heappush(ready, (-node.priority, node.index))
    return now, most
