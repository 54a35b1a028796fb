"""Which nodes of a run that goes on are decided again, and why; of a whole run, or of a sub-pipeline in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pipe_runner.deciding import acted_of, decided_since, goes_on, goes_on_in_handlers, is_refused
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.run import NodeState, Run
from pipe_runner.subplans import chosen, expanded, inner, instance
from pipe_runner.types import ENDED_WELL, Effect, NodeStatus, Phase, RunStatus

_UNDONE: Final = {
    NodeStatus.PENDING: "not started",
    NodeStatus.QUEUED: "interrupted",
    NodeStatus.RUNNING: "interrupted",
    NodeStatus.FAILED: "failed",
    NodeStatus.BLOCKED: "blocked",
    NodeStatus.CANCELLED: "cancelled",
    NodeStatus.UNKNOWN: "interrupted",
}
_FAILED: Final = ("failed", "queued")
"""Of a run, or of a node that runs a sub-pipeline: it is tried again as a whole."""

SETTLED: Final = "settled: it is to run again"
DECIDED: Final = "its items were decided"
_INSIDE: Final = "goes on inside"
LISTED: Final = "its list changed"
_TAKES: Final = "takes its list from"
_AFTER: Final = "goes on after"
_GOES_ON: Final = "the run goes on"


def reasons_to_rerun(
    run: Run, nodes: Sequence[PlannedNode], plan: Plan, subplans: Mapping[str, Plan] | None = None
) -> dict[str, str]:
    """Which of these nodes a resume performs, and why, in an order in which needs stand before what needs them.

    What succeeded stays done (D1), unless it changed or depends on something that did (D11). A skipped node is decided
    again when one of its needs runs again, or a person has decided on one since. Handlers depend on how the run went:
    they run again when any node does, and a skipped one is decided again when a person has decided on any.
    While a person decides on a handler the run has not ended, and no node runs again that has.
    A failure that the file tolerates stands, but where the whole has failed, so that all of it is tried again, or where
    the run was being cancelled as the node failed.
    What a person decides is left to them: `effect: once` never runs again by itself, and a refusal stands. Nodes of
    sub-pipelines are held to the same, each within its own.
    """
    return _Look(run, plan, plan.subplans if subplans is None else subplans, run.digests).reasons(nodes, run.status)


def left_inside(
    run: Run, owner: str, nodes: Sequence[PlannedNode], plan: Plan, subplans: Mapping[str, Plan]
) -> dict[str, str]:
    """As `reasons_to_rerun`, for another attempt at a sub-pipeline in the same process: nothing has changed meanwhile.

    Nodes that did not run since their owner did not are decided anew, whatever became of it."""
    every = expanded(nodes, subplans, run.only)
    status = (run.find(owner) or NodeState()).status
    reasons = _Look(run, plan, subplans, {node.id: node.digest for node in every}).reasons(nodes, status)
    for node in nodes:
        state = run.nodes.get(node.id)
        if state is not None and state.status is NodeStatus.SKIPPED and state.by and not node.needs:
            reasons.setdefault(node.id, "not started")
    return reasons


def run_anew(nodes: Sequence[PlannedNode], reasons: Mapping[str, str]) -> list[str]:
    """Repeated nodes of which a resume runs every item: those that changed, not those that were only not done."""
    kept = {*_UNDONE.values(), SETTLED, DECIDED, _INSIDE, LISTED}
    found = ((node.id, reasons.get(node.id, "failed")) for node in nodes if node.fan_out is not None)
    return [name for name, why in found if why not in kept and not why.startswith((_TAKES, _AFTER))]


_STOPPED_SHORT: Final = ("interrupted", "failed", "cancelled")
_NOT_ITS_TURN: Final = (NodeStatus.PENDING, NodeStatus.CANCELLED, NodeStatus.BLOCKED)
_MOST: Final = 100
"""Items that are named of each node, with what runs again inside them."""


def items_to_rerun(
    run: Run, nodes: Iterable[PlannedNode], reasons: Mapping[str, str], subplans: Mapping[str, Plan]
) -> dict[str, dict[str, Any]]:
    """Of the repeated nodes among these that run again, but not every item of theirs: how many items stay `done`, which
    run `again` with what inside them and why, and how many `more` do that are not named. An item that had not started
    is not known here."""
    told: dict[str, dict[str, Any]] = {}
    for node in nodes:
        items = run.items.get(node.id, {})
        if node.fan_out is None or not items or reasons.get(node.id) not in _STOPPED_SHORT:
            continue
        again: dict[str, str] = {}
        more = 0
        for key, item in items.items():
            why = _UNDONE.get(item.status)
            if why is None or is_refused(item):
                continue
            if len(again) >= _MOST:
                more += 1
                continue
            owner = f"{node.id}[{key}]"
            again[owner] = why
            if node.pipeline is not None:
                plan = instance(subplans[node.pipeline], owner, node.priority)
                again.update(left_inside(run, owner, chosen(plan, owner, run.only), plan, subplans))
        done = sum(item.status in ENDED_WELL for item in items.values())
        told[node.id] = {"done": done, "again": again, **({"more": more} if more else {})}
    return told


class _Look:
    """One file's nodes, or those of one instance of a subplan."""

    def __init__(self, run: Run, plan: Plan, subplans: Mapping[str, Plan], digests: Mapping[str, str]) -> None:
        self._run, self._plan, self._subplans, self._digests = run, plan, subplans, digests
        self._reasons: dict[str, str] = {}
        self.changed: set[int] = set()
        """Nodes that changed, or need one that did, by index."""
        self._tolerated_again = False

    def reasons(self, nodes: Sequence[PlannedNode], whole: RunStatus | NodeStatus) -> dict[str, str]:
        """`whole` is the status of what these nodes are all of."""
        run, reasons = self._run, self._reasons
        self._tolerated_again = str(whole) in _FAILED
        as_they_ended = self._same(nodes) and goes_on_in_handlers(run, nodes, whole)
        any_node = False
        for node in _in_order(nodes, self._plan):
            state = run.nodes.get(node.id)
            if as_they_ended and (node.phase is Phase.NODES or self._failed_as_it_is(node, state)):
                continue
            if state is not None and state.status is not NodeStatus.WAITING and acted_of(run, node.id):
                any_node = any_node or node.phase is Phase.NODES
                continue
            if node.phase is not Phase.NODES and _had_once(run, node.id):
                continue
            if node.phase is not Phase.NODES and any_node and not _never_ran(state):
                self._again(node, _GOES_ON)
                continue
            why = self._why(node)
            if node.pipeline is not None and node.fan_out is None:
                why = self._inside(node, why)
            elif why is not None:
                reasons[node.id] = why
            if why is None and (state is None or state.status is not NodeStatus.WAITING):
                continue
            any_node = any_node or node.phase is Phase.NODES
        return reasons

    def _same(self, nodes: Sequence[PlannedNode]) -> bool:
        return all(self._digests.get(node.id) == node.digest for node in nodes if node.phase is Phase.NODES)

    def _failed_as_it_is(self, node: PlannedNode, state: NodeState | None) -> bool:
        return state is not None and state.status is NodeStatus.FAILED and self._digests.get(node.id) == node.digest

    def _why(self, node: PlannedNode) -> str | None:
        before, changed, nodes = self._digests.get(node.id), self.changed, self._plan.nodes
        if before is None:
            changed.add(node.index)
            return "new"
        if before != node.digest:
            changed.add(node.index)
            if not any(need in changed for need in node.needs) and self._same_but_list(node):
                return LISTED
            return "changed"
        others = [need for need in node.needs if need in changed]
        if others:
            changed.add(node.index)
            if self._by_value(node, others):
                return f"{_TAKES} {nodes[others[0]].id}, which changed"
            return f"needs {nodes[others[0]].id}, which changed"
        state = self._run.nodes.get(node.id) or NodeState()
        status = state.status
        if status is NodeStatus.SKIPPED or (status is NodeStatus.WAITING and state.pipeline is None):
            again = next((nodes[n].id for n in node.needs if nodes[n].id in self._reasons), None)
            if again is None and status is NodeStatus.WAITING and node.fan_out is not None:
                return None if not goes_on(self._run, node.id) else DECIDED if node.pipeline is None else _INSIDE
            if again is not None and status is NodeStatus.WAITING and node.fan_out is not None:
                return f"{_AFTER} {again}, which runs again"
            if again is not None:
                return f"needs {again}, which runs again"
            if status is NodeStatus.WAITING:
                return None
            turned = next((seen.id for seen in self._seen_by(node) if decided_since(self._run, seen.id, state)), None)
            return f"a person has decided on {turned}" if turned else None
        if status is NodeStatus.FAILED and (state.decided is not None or self._tolerated(state)):
            return None
        if status is NodeStatus.QUEUED and state.decided is not None:
            return SETTLED
        if status is NodeStatus.PENDING and state.attempts and node.phase is not Phase.NODES:
            return _GOES_ON  # it ran at an earlier end
        return _INSIDE if status is NodeStatus.WAITING else _UNDONE.get(status)

    def _seen_by(self, node: PlannedNode) -> Iterator[PlannedNode]:
        """What its condition may read: a handler sees how every node has gone."""
        yield from (self._plan.nodes[need] for need in node.needs)
        if node.phase is not Phase.NODES:
            yield from (other for other in self._plan.nodes if other.phase is Phase.NODES)

    def _tolerated(self, state: NodeState) -> bool:
        """Whether the failure stands: what needs the node goes on from it."""
        return state.tolerated and (state.once or not (state.stopping or self._tolerated_again))

    def _same_but_list(self, node: PlannedNode) -> bool:
        """Whether nothing of a repeated node has changed but its list: items of the same value stay as they are."""
        state = self._run.nodes.get(node.id)
        fan_out = node.fan_out
        return fan_out is not None and state is not None and bool(fan_out.rest) and state.rest == fan_out.rest

    def _by_value(self, node: PlannedNode, changed: Sequence[int]) -> bool:
        """Whether items of a repeated node are held to their values, though what gives the list has changed: where they
        act once, or run what does, and nothing but the list depends on that."""
        if not self._same_but_list(node) or node.fan_out is None:
            return False
        every = [node, *inner(node, self._subplans, repeated=True)]
        return set(changed) <= set(node.fan_out.list_only) and any(each.effect is Effect.ONCE for each in every)

    def _inside(self, node: PlannedNode, why: str | None) -> str | None:
        """Note why the node of a sub-pipeline runs again, and what of it does."""
        before = self._digests.get(node.id, "")
        if node.index in self.changed and (why != "changed" or _given(before) != _given(node.digest)):
            self._again(node, str(why))
            return why
        assert node.pipeline is not None
        plan = instance(self._subplans[node.pipeline], node.id, node.priority)
        look = _Look(self._run, plan, self._subplans, self._digests)
        status = (self._run.nodes.get(node.id) or NodeState()).status
        found = look.reasons(chosen(plan, node.id, self._run.only), status)
        if look.changed:
            self.changed.add(node.index)
            why = why or f"runs {plan.nodes[min(look.changed)].id}, which changed"
        if why is not None:
            self._reasons[node.id] = why
            self._reasons.update(found)
        return why

    def _again(self, node: PlannedNode, why: str) -> None:
        """The node runs again, and all that it runs."""
        self._reasons[node.id] = why
        for each in expanded([node], self._subplans, self._run.only)[1:]:
            if acted_of(self._run, each.id):
                continue
            if each.phase is Phase.NODES or not _had_once(self._run, each.id):
                self._reasons[each.id] = f"{node.id} runs again"


def _never_ran(state: NodeState | None) -> bool:
    """Whether a handler is to be told of as what it is: no earlier end of the run was its turn."""
    return state is None or (not state.attempts and state.status in _NOT_ITS_TURN)


def _had_once(run: Run, node: str) -> bool:
    """Whether it has succeeded and acts once, itself or by its items."""
    state = run.nodes.get(node)
    if state is None or state.status is not NodeStatus.SUCCEEDED:
        return False
    return state.once or any(item.once for item in run.items.get(node, {}).values())


def _given(digest: str) -> str:
    """The part of a pipeline node's digest that what it runs depends on."""
    return digest.partition("+")[0]


def _in_order(nodes: Iterable[PlannedNode], plan: Plan) -> list[PlannedNode]:
    """Phase by phase, needs first: a longer chain to the end always starts earlier."""
    phases = list(Phase)
    return sorted(nodes, key=lambda n: (phases.index(n.phase), -n.priority, n.index))
