"""Nodes of a phase that wait for a person: they and what needs them stay as they are, and the rest goes on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pipe_runner.fans import Host
from pipe_runner.plan import PlannedNode
from pipe_runner.ports import Outcome
from pipe_runner.stops import WHY
from pipe_runner.types import EventKind


class Holds:
    """What a scheduler can't end by itself. `any` says whether there is anything in the run so far."""

    def __init__(self, host: Host, dependents: Sequence[Sequence[int]]) -> None:
        self._host, self._dependents = host, dependents
        self._held: set[int] = set()
        self.any = False

    def begin(
        self, nodes: Sequence[PlannedNode], phase: Sequence[PlannedNode], waiting: Collection[int]
    ) -> list[PlannedNode]:
        """The nodes of a phase that can act; `waiting` are those on which a person decides first."""
        self._held = self._reached([node.index for node in nodes if node.index in waiting])
        self.any = self.any or bool(self._held)
        return [node for node in phase if node.index not in self._held]

    def asked(self, node: PlannedNode, number: int, outcome: Outcome) -> bool:
        """Whether what an attempt asks a person is told; False where the run was stopped, and the node with it."""
        if self._host.stopped is not None:
            reason = f"{WHY[self._host.stopped]} while it waited for a person"
            self._host.final(EventKind.NODE_CANCELLED, node, number, {"reason": reason})
            return False
        data: dict[str, Any] = {} if outcome.output is None else {"message": str(outcome.output)}
        if node.continue_on_error:
            data["tolerated"] = True
        self._host.emit(EventKind.NODE_WAITING, node.id, number, data)
        return True

    def hold(self, index: int, phase: Sequence[PlannedNode]) -> int:
        """A person decides on a node first; gives how many nodes of the phase are not open any more because of it."""
        self.any = True
        held = self._reached([index]) - self._held
        self._held |= held
        return sum(1 for one in phase if one.index in held)

    def let_go(self, phase: Sequence[PlannedNode]) -> int:
        """The run is stopped: they count as open again; gives how many they are."""
        held = sum(1 for node in phase if node.index in self._held)
        self.any = len(self._held) > held  # what may have acted once is beyond any stop
        self._held.clear()
        return held

    def _reached(self, start: Collection[int]) -> set[int]:
        """These nodes and all that need them, directly or through others."""
        found = set(start)
        stack = list(start)
        while stack:
            for index in self._dependents[stack.pop()]:
                if index not in found:
                    found.add(index)
                    stack.append(index)
        return found
