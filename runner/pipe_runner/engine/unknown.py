"""What a resume finds undecided: nobody knows whether it acted, or a person was asked and has not answered."""

from __future__ import annotations

from collections.abc import Sequence

from pipe_runner.deciding import goes_on_in_handlers, undecided_of
from pipe_runner.plan import PlannedNode
from pipe_runner.run import Run
from pipe_runner.states import may_have_acted
from pipe_runner.stops import EmitEvent
from pipe_runner.types import EventKind, NodeStatus, Phase, RunStatus


def tell_unknown(run: Run, nodes: Sequence[PlannedNode], emit: EmitEvent) -> set[int]:
    """Say of what may have acted once that nobody knows; gives the nodes on which a person decides first, by index."""
    undecided: set[int] = set()
    as_they_ended = goes_on_in_handlers(run, nodes, RunStatus.RUNNING)
    for node in nodes:
        if as_they_ended and node.phase is Phase.NODES:
            continue
        names = undecided_of(run, node.id)
        acted = [name for name in names if may_have_acted(run.state(name))]
        if acted or (names and run.state(node.id).status is NodeStatus.WAITING):
            undecided.add(node.index)  # of any other the items that wait are left alone, and the rest goes on
        for name in dict.fromkeys((*acted, node.id) if acted else ()):
            state = run.state(name)
            if state.status not in (NodeStatus.UNKNOWN, NodeStatus.WAITING):
                data = {"error": state.error} if state.error is not None else {}
                emit(EventKind.NODE_UNKNOWN, name, state.attempts or 1, data)
    return undecided
