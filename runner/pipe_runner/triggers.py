"""What the state of a node's needs means for it: run, skip or block; a pure decision."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple, assert_never

from pipe_runner.run import NodeState
from pipe_runner.types import EventKind, NodeStatus, RunOn


class Action(StrEnum):
    RUN = "run"
    SKIP = "skip"
    BLOCK = "block"


class Decision(NamedTuple):
    """`by` names the nodes that it comes from: the root causes, not those in between."""

    action: Action
    by: tuple[str, ...] = ()
    reason: str = ""

    def last_event(self) -> tuple[EventKind, dict[str, Any]]:
        """The last event of a node that does not run."""
        by = list(self.by)
        if self.action is Action.BLOCK:
            return EventKind.NODE_BLOCKED, {"by": by}
        return EventKind.NODE_SKIPPED, {"when": None, "values": {}, "reason": self.reason, "by": by}


RUN = Decision(Action.RUN)
_STOPPERS = frozenset({NodeStatus.BLOCKED, NodeStatus.CANCELLED, NodeStatus.UNKNOWN})


def decide(run_on: RunOn, needs: Iterable[tuple[str, NodeState]]) -> Decision:
    """Decide from the final states of all needs. A failed or blocked need beats a skipped one."""
    if run_on is RunOn.ALWAYS:
        return RUN
    blockers: dict[str, None] = {}
    skippers: dict[str, None] = {}
    failed = False
    for need, state in needs:
        status = state.status
        if status is NodeStatus.FAILED:
            failed = True
            if not state.tolerated:
                blockers[need] = None
        elif status in _STOPPERS:
            failed = failed or status is NodeStatus.BLOCKED
            blockers.update(dict.fromkeys(state.by or (need,)))
        elif status is NodeStatus.SKIPPED:
            skippers.update(dict.fromkeys(state.by or (need,)))
    if run_on is RunOn.FAILURE:
        return RUN if failed else Decision(Action.SKIP, (), "run_on: failure, and no need failed")
    if run_on is RunOn.SUCCESS:
        if blockers:
            return Decision(Action.BLOCK, tuple(blockers))
        if skippers:
            return Decision(Action.SKIP, tuple(skippers), "a need was skipped")
        return RUN
    assert_never(run_on)
