"""What a person decides: nodes with `effect: once` that did not end well, and nodes that wait for an approval.

Derived from a run alone, without its file: what has begun under `effect: once` says so in the log. Only which nodes are
handlers is known to the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipe_runner.plan import PlannedNode
from pipe_runner.run import NodeState, Run
from pipe_runner.states import may_have_acted
from pipe_runner.types import EventKind, NodeStatus, Phase, RunStatus

_DONE: Final = frozenset({NodeStatus.SUCCEEDED, NodeStatus.CACHED, NodeStatus.SKIPPED, NodeStatus.BLOCKED})
_ENDED: Final = frozenset({NodeStatus.SUCCEEDED, NodeStatus.CACHED, NodeStatus.SKIPPED, NodeStatus.WAITING})
"""Of items of a node that waits: those with which nothing is to be done."""


def is_undecided(state: NodeState) -> bool:
    """Of a node that runs a sub-pipeline nobody decides: it waits for nodes of that, on which somebody does."""
    return state.pipeline is None and (state.status is NodeStatus.WAITING or may_have_acted(state))


def is_refused(state: NodeState) -> bool:
    """A person has rejected it: that stands, until the node changes."""
    return state.status is NodeStatus.FAILED and state.decided is not None


def decided_since(run: Run, need: str, state: NodeState) -> bool:
    """Whether a person has decided on this need since a node has ended as `state` says."""
    found = run.nodes.get(need)
    return found is not None and found.decided is not None and found.ended_seq > state.ended_seq


def acted_of(run: Run, node: str) -> list[str]:
    """The node, or those of its items, that may have acted: it is not performed before a person has decided."""
    return [name for name in undecided_of(run, node) if may_have_acted(run.state(name))]


def undecided_of(run: Run, node: str) -> list[str]:
    """The node, or those of its items, on which a person must decide."""
    state = run.nodes.get(node)
    if state is None or state.status in _DONE or (state.status is NodeStatus.FAILED and state.tolerated):
        return []
    items = run.items.get(node, {})
    if is_undecided(state) and (may_have_acted(state) or not items):
        return [node]
    return [f"{node}[{key}]" for key, item in items.items() if is_undecided(item)]


def goes_on(run: Run, node: str) -> bool:
    """Whether a repeated node that waits has items that a resume can perform, or waits for nobody any more.

    Items that run a sub-pipeline are looked into again: they know what of it can go on."""
    items = run.items.get(node, {}).values()
    if not any(item.status is NodeStatus.WAITING and item.pipeline is None for item in items):
        return True
    return any(item.status not in _ENDED and not is_refused(item) for item in items)


def undecided(run: Run) -> list[str]:
    """All nodes and items on which a person must decide, in the order of the file."""
    return [name for node in run.nodes for name in undecided_of(run, node)]


def refused(run: Run) -> Iterator[str]:
    """The nodes and items that a person has rejected, and without which nothing has ended well; not asked again."""
    for node, state in run.nodes.items():
        names = [node] if is_refused(state) and not state.tolerated else []
        names += [f"{node}[{key}]" for key, item in run.items.get(node, {}).items() if is_refused(item)]
        yield from (name for name in names if not ended_well_around(run, name))


_GOOD: Final = frozenset({NodeStatus.SUCCEEDED, NodeStatus.CACHED, NodeStatus.SKIPPED})
_WENT_WRONG: Final = frozenset({NodeStatus.FAILED, NodeStatus.BLOCKED, NodeStatus.CANCELLED})
_ASKED: Final = frozenset({NodeStatus.WAITING, NodeStatus.UNKNOWN})
_UNDER_WAY: Final = frozenset({"pending", "running", "waiting"})


def goes_on_in_handlers(run: Run, nodes: Sequence[PlannedNode], owner: RunStatus | NodeStatus) -> bool:
    """Whether a resume leaves the nodes of a run, or of a sub-pipeline, as they have ended, since a person decides on
    one of its handlers, or has decided since the run last ended; `owner` is the status of the whole.

    What has failed goes on so only after a decision, and what waits for another attempt never: it begins anew."""
    whole = str(owner)
    if whole not in _UNDER_WAY and owner not in (RunStatus.FAILED, NodeStatus.FAILED):
        return False
    if not _stay_as_they_ended(run, [node for node in nodes if node.phase is Phase.NODES]):
        return False
    states = (state for node in nodes if node.phase is not Phase.NODES for state in _states_of(run, node))
    return any(
        (state.decided is not None and not state.over) or (whole in _UNDER_WAY and state.status in _ASKED)
        for state in states
    )


def _stay_as_they_ended(run: Run, nodes: Sequence[PlannedNode]) -> bool:
    states = [run.nodes.get(node.id) or NodeState() for node in nodes]
    if not all(state.status in _GOOD or state.status in _WENT_WRONG for state in states):
        return False
    failed = any(state.status is NodeStatus.FAILED and not state.tolerated for state in states)
    if not failed and any(state.status in (NodeStatus.BLOCKED, NodeStatus.CANCELLED) for state in states):
        return False
    blocked = (state for state in states if state.status is NodeStatus.BLOCKED)
    if any(run.state(name).status in _GOOD for state in blocked for name in state.by):
        return False
    ids = {node.index: node.id for node in nodes}
    skipped = ((node, s) for node, s in zip(nodes, states, strict=True) if s.status is NodeStatus.SKIPPED)
    return not any(decided_since(run, ids.get(need, ""), state) for node, state in skipped for need in node.needs)


def _states_of(run: Run, node: PlannedNode) -> Iterator[NodeState]:
    """That of a node, those of its items, and of all that it runs."""
    if node.id in run.nodes:
        yield run.nodes[node.id]
    yield from run.items.get(node.id, {}).values()
    if node.pipeline is not None:
        inside = (f"{node.id}.", f"{node.id}[")
        yield from (state for name, state in run.nodes.items() if name.startswith(inside))
        yield from (s for name, items in run.items.items() if name.startswith(inside) for s in items.values())


def ended_well_around(run: Run, node: str) -> bool:
    """Whether the run, or a node that this node or item is a part of, has ended well: a resume does nothing there."""
    outer = [state for name, state in run.nodes.items() if node.startswith((f"{name}.", f"{name}["))]
    outer += [
        item
        for name, items in run.items.items()
        for key, item in items.items()
        if item.pipeline is not None and node.startswith(f"{name}[{key}].")
    ]
    return run.status is RunStatus.SUCCEEDED or any(state.status in _GOOD for state in outer)


def decided_as(kind: str, data: Mapping[str, Any]) -> str | None:
    """What a person decided, in words, for the event that tells of it; None for every other."""
    if not isinstance(data.get("decided"), Mapping):
        return None
    match kind:
        case EventKind.NODE_RETRYING:
            return "settled: may run again"
        case EventKind.NODE_FAILED:
            return "rejected"
        case EventKind.NODE_SUCCEEDED:
            output = data.get("output")
            approval = isinstance(output, Mapping) and output.get("approved") is True and "by" in output
            return "approved" if approval else "settled: it took effect"
        case _:
            return None
