"""What a scheduler and a cache of results are for each other; imports nothing that reads or writes files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pipe_runner.plan import PlannedNode
from pipe_runner.ports import Attempt, Outcome
from pipe_runner.stops import Stop
from pipe_runner.types import EventKind, Json


class Host(Protocol):
    """What a scheduler does for the nodes whose result was found."""

    stopped: Stop | None

    def output_fields(self, output: Json) -> dict[str, Any]:
        """The fields in which an event carries an output."""

    def final(self, kind: EventKind, node: PlannedNode, number: int | None, data: Mapping[str, Any]) -> None:
        """Write a node's last event."""

    def release(self, index: int) -> None:
        """Decide a node's dependents when its end is durable."""

    def cancel(self, node: PlannedNode) -> None:
        """End a node that was not started before the run was stopped."""


class Keeping(Protocol):
    """What a scheduler asks of the nodes whose results are to be kept."""

    async def found(
        self,
        host: Host,
        node: PlannedNode,
        attempt: Attempt,
        names: Mapping[str, Json] | None,
        data: Mapping[str, Any],
    ) -> bool:
        """Whether there was a result already, with which the node has ended."""

    async def keep(self, host: Host, node: PlannedNode, outcome: Outcome) -> None:
        """Keep what an attempt gave."""


class NothingKept:
    """For a run that takes no earlier results and leaves none: a test of a pipeline, in which other things stand in for
    nodes; one that is recorded, which must ask; one that is replayed, whose answers are those of once."""

    def __init__(self, note: Callable[[str], None] | None = None) -> None:
        """`note` is told why each node runs."""
        self._note = note

    async def found(
        self,
        host: Host,
        node: PlannedNode,
        attempt: Attempt,
        names: Mapping[str, Json] | None,
        data: Mapping[str, Any],
    ) -> bool:
        if self._note is not None:
            self._note(f"{node.id} runs: a run that is recorded or replayed takes no cached results")
        return False

    async def keep(self, host: Host, node: PlannedNode, outcome: Outcome) -> None:
        pass
