"""What the state of a node's needs means for it: run, skip or block; a pure decision."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple, assert_never

from pipe_runner.run import NodeState
from pipe_runner.types import EventKind, NodeStatus, RunOn


class Action(StrEnum):
    RUN = "run"
    SKIP = "skip"
    BLOCK = "block"


class Decision(NamedTuple):
    """`by` names the nodes that it comes from: the root causes, not those in between; the first ones, and `more` says
    how many others there are at least."""

    action: Action
    by: tuple[str, ...] = ()
    reason: str = ""
    more: int = 0

    def last_event(self) -> tuple[EventKind, dict[str, Any]]:
        """The last event of a node that does not run."""
        data: dict[str, Any] = {"by": list(self.by)}
        if self.more:
            data["more"] = self.more
        if self.action is Action.BLOCK:
            return EventKind.NODE_BLOCKED, data
        return EventKind.NODE_SKIPPED, {"when": None, "values": {}, "reason": self.reason, **data}


RUN = Decision(Action.RUN)
MOST_NAMED: Final = 20
"""Root causes that are named: each node that does not run names them again."""
_STOPPERS = frozenset({NodeStatus.BLOCKED, NodeStatus.CANCELLED, NodeStatus.UNKNOWN})


def decide(run_on: RunOn, needs: Iterable[tuple[str, NodeState]]) -> Decision:
    """Decide from the final states of all needs. A failed or blocked need beats a skipped one."""
    if run_on is RunOn.ALWAYS:
        return RUN
    blockers: dict[str, None] = {}
    skippers: dict[str, None] = {}
    failed = False
    blocking = skipping = 0
    for need, state in needs:
        status = state.status
        if status is NodeStatus.FAILED:
            failed = True
            if not state.tolerated:
                blockers[need] = None
        elif status in _STOPPERS:
            failed = failed or status is NodeStatus.BLOCKED
            blockers.update(dict.fromkeys(state.by or (need,)))
            blocking = max(blocking, len(state.by) + state.more)
        elif status is NodeStatus.SKIPPED:
            skippers.update(dict.fromkeys(state.by or (need,)))
            skipping = max(skipping, len(state.by) + state.more)
    if run_on is RunOn.FAILURE:
        return RUN if failed else Decision(Action.SKIP, (), "run_on: failure, and no need failed")
    if run_on is RunOn.SUCCESS:
        if blockers:
            by, more = _named(blockers, blocking)
            return Decision(Action.BLOCK, by, more=more)
        if skippers:
            by, more = _named(skippers, skipping)
            return Decision(Action.SKIP, by, "a need was skipped", more)
        return RUN
    assert_never(run_on)


def _named(causes: Iterable[str], most: int) -> tuple[tuple[str, ...], int]:
    """Those that are named, and how many more there are."""
    every = tuple(causes)
    by = every[:MOST_NAMED]
    return by, max(len(every), most) - len(by)
