"""What a person decides: nodes with `effect: once` that did not end well, and nodes that wait for an approval.

Derived from a run alone, without its file: what has begun under `effect: once` says so in the log.
"""

from __future__ import annotations

from typing import Final

from pipe_runner.run import NodeState, Run
from pipe_runner.types import NodeStatus

_OPEN: Final = frozenset({NodeStatus.RUNNING, NodeStatus.FAILED, NodeStatus.CANCELLED, NodeStatus.UNKNOWN})
_DONE: Final = frozenset({NodeStatus.SUCCEEDED, NodeStatus.CACHED, NodeStatus.SKIPPED, NodeStatus.BLOCKED})


def may_have_acted(state: NodeState) -> bool:
    """An attempt under `effect: once` has begun and not succeeded: it is never run again by itself."""
    return state.once and state.status in _OPEN and state.decided is None and not state.tolerated


def is_undecided(state: NodeState) -> bool:
    """Of a node that runs a sub-pipeline nobody decides: it waits for nodes of that, on which somebody does."""
    return state.pipeline is None and (state.status is NodeStatus.WAITING or may_have_acted(state))


def undecided_of(run: Run, node: str) -> list[str]:
    """The node, or those of its items, on which a person must decide."""
    state = run.nodes.get(node)
    if state is None or state.status in _DONE or (state.status is NodeStatus.FAILED and state.tolerated):
        return []
    if is_undecided(state):
        return [node]
    return [f"{node}[{key}]" for key, item in run.items.get(node, {}).items() if is_undecided(item)]


def undecided(run: Run) -> list[str]:
    """All nodes and items on which a person must decide, in the order of the file."""
    return [name for node in run.nodes for name in undecided_of(run, node)]
