"""How a run would go in time: waves, the longest path, and the scheduler's own order played through; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    path_times: tuple[float, ...]
    """What each of them is counted with; `path_time` is their sum. A repeated node takes as long as its items do."""
    path_time: float
    time: float
    """With the given concurrency."""
    useful: int
    """Attempts that would run at once if there were no bound; more slots change nothing."""
    measured: bool
    guessed: tuple[str, ...]
    """Nodes of unknown time, counted with `guess` each."""
    guess: float


def forecast(
    plan: Plan,
    nodes: Sequence[PlannedNode],
    seconds: Mapping[str, float],
    concurrency: int,
    failing: Collection[int] = (),
) -> Forecast:
    """Play it through; `nodes` are those that may run, `seconds` what is known of them, and of their items, by id;
    `failing` are handlers for failures of sub-pipelines, by index.

    Handlers for failures are in no time: the run is taken to succeed, at the first attempt of each node. A repeated
    node takes a slot for each item, and alone as long as they do, as many at once as its own bound allows.
    """
    units = _items(nodes, seconds)
    known = [seconds[node.id] for node in nodes if node.id in seconds]
    measured = bool(known or units)
    guess = median(known) if known else 1.0
    times = {node.index: seconds.get(node.id, guess) if measured else guess for node in nodes}
    for node in nodes:
        if node.index in units:
            times[node.index] = play([node._replace(needs=())], times, len(units[node.index]), units)[0]
    waves: list[tuple[PlannedNode, ...]] = []
    path: list[PlannedNode] = []
    total = 0.0
    useful = 0
    for phase in Phase:
        part = [node for node in nodes if node.phase is phase]
        if not part:
            continue
        waves += _waves(part)
        part = [node for node in part if node.index not in failing]
        if part and phase is not Phase.ON_FAILURE:
            path += _longest(plan, part, times)
            total += play(part, times, concurrency, units)[0]
            useful = max(useful, play(part, times, len(part) + sum(map(len, units.values())), units)[1])
    guessed = tuple(
        node.id
        for node in nodes
        if node.id not in seconds and node.index not in units
        if node.phase is not Phase.ON_FAILURE and node.index not in failing
    )
    counted = tuple(times[node.index] for node in path)
    guessed = guessed if measured else ()
    return Forecast(tuple(waves), tuple(path), counted, sum(counted), total, useful, measured, guessed, guess)


def _items(nodes: Sequence[PlannedNode], seconds: Mapping[str, float]) -> dict[int, list[float]]:
    """The times of the items of repeated nodes, as far as they are known, by the node's index."""
    repeated = {node.id: node for node in nodes if node.fan_out is not None}
    found: dict[int, list[float]] = {}
    for name, time in seconds.items() if repeated else ():
        node = repeated.get(name.partition("[")[0]) if name[-1:] == "]" else None
        if node is not None and (node.pipeline is None or "]." not in name):
            found.setdefault(node.index, []).append(time)
    return found


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


def play(
    nodes: Sequence[PlannedNode],
    times: Mapping[int, float],
    slots: int,
    units: Mapping[int, Sequence[float]] | None = None,
) -> tuple[float, int]:
    """The scheduler's rule: of what is ready the longest way to the end first, `slots` at a time.

    Nodes that have `units` are as many attempts, at most `max_parallel` of them at once. Gives the time until the last
    node has ended, and how many attempts ran at once at most.
    """
    waits = {node.index: 0 for node in nodes}
    dependents: dict[int, list[PlannedNode]] = {}
    parts: dict[int, _Parts] = {}
    ready: list[tuple[int, int]] = []
    for node in nodes:
        waits[node.index] = sum(need in waits for need in node.needs)
        for need in node.needs:
            dependents.setdefault(need, []).append(node)
        most = node.fan_out.max_parallel if node.fan_out is not None else None
        parts[node.index] = _Parts(-node.priority, (units or {}).get(node.index) or (times[node.index],), most)
        if not waits[node.index]:
            heappush(ready, (-node.priority, node.index))
    running: list[tuple[float, int]] = []
    now, most_at_once = 0.0, 0
    while ready or running:
        while ready and len(running) < slots:
            index = heappop(ready)[1]
            part = parts[index]
            heappush(running, (now + part.todo.pop(), index))
            part.active += 1
            if part.may_start:
                heappush(ready, (part.rank, index))
        most_at_once = max(most_at_once, len(running))
        now = running[0][0]
        while running and running[0][0] == now:
            index = heappop(running)[1]
            part = parts[index]
            held = not part.may_start
            part.active -= 1
            if part.todo and held:
                heappush(ready, (part.rank, index))
            for node in dependents.get(index, ()) if not (part.todo or part.active) else ():
                waits[node.index] -= 1
                if not waits[node.index]:
                    heappush(ready, (-node.priority, node.index))
    return now, most_at_once


class _Parts:
    """The attempts of a node while a run is played through: one, or one for each item."""

    def __init__(self, rank: int, units: Sequence[float], most: int | None) -> None:
        self.rank, self.todo, self._most = rank, list(reversed(units)), most or len(units)
        self.active = 0

    @property
    def may_start(self) -> bool:
        """Another one can start: then the node stands among what is ready."""
        return bool(self.todo) and self.active < self._most
