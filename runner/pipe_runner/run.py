"""A run, folded from its events: `Run.apply` is the only place where a run's state changes.

The same fold serves the process that runs (event by event, as they are written) and every reader of the log, so that
both can't differ. It needs no clock, no file and no lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipe_runner.acted import become, begin_anew, forget, regroup, take_back
from pipe_runner.ports import Event
from pipe_runner.states import NodeState as NodeState
from pipe_runner.states import State
from pipe_runner.types import FINAL_NODE_STATUSES, EventKind, NodeStatus, RunStatus

if TYPE_CHECKING:
    from pipe_runner.spent import Ledger

INLINE_OUTPUT_LIMIT = 64 * 1024
"""Bytes of an output (as it stands in the log) above which it lives in a blob."""


class Run(State):
    """The state of a run after the events up to `seq`."""

    id: str = ""
    status: RunStatus = RunStatus.PENDING
    pipeline: str = ""
    path: str = ""
    root: str = ""
    digest: str = ""
    inputs: Mapping[str, Any] = MappingProxyType({})
    digests: dict[str, str]
    """Digest of each node, as it was when the run was last started or resumed."""
    nodes: dict[str, NodeState]
    items: dict[str, dict[str, NodeState]]
    """Of each repeated node: its items by key, in the order in which they started."""
    started_at: str | None = None
    order: str = ""
    """Stands in for `started_at` in the order of runs, where the clock had been set back when it was started."""
    finished_at: str | None = None
    duration_s: float | None = None
    outputs: Mapping[str, Any] = MappingProxyType({})
    outputs_ref: Mapping[str, Any] | None = None
    """Stands in for `outputs` where they are large: they live in a blob."""
    error: Mapping[str, Any] | None = None
    git_sha: str | None = None
    only: tuple[str, ...] = ()
    """What `--only` named when the run was started."""
    record: str | None = None
    replay: str | None = None
    """Folders of recordings that the run was started with, or last resumed."""
    aside: Mapping[tuple[str, str], NodeState] = MappingProxyType({})
    """Of nodes and items that are not there any more: those that may have acted once, by node and key."""
    ledger: Ledger | None = None
    """What calls of models used, and what is set aside for those in flight; None: there were none."""
    messages: int = 0
    """How many were published, and below the number of the last one: they themselves stay in the log."""
    last_message: int = 0
    attempt: int = 0
    """1 for a run that was never resumed, one more for each resume."""
    seq: int = 0
    fails: int = 0
    """How often a node or an item failed: until the next resume `failed` is the same as long as this is."""

    def __init__(self, **fields: Any) -> None:
        self.digests = {}
        self.nodes = {}
        self.items = {}
        super().__init__(**fields)

    def __repr__(self) -> str:
        return f"Run(id={self.id!r}, status={self.status!s}, seq={self.seq}, nodes={len(self.nodes)})"

    def apply(self, event: Event) -> None:
        """Fold one event in. Events that this version doesn't know change nothing but `seq`."""
        self.seq = event[0]
        fold = _FOLDS.get(event[3])
        if fold is not None:
            fold(self, event)

    def state(self, node: str) -> NodeState:
        """The state of a node, or of an item as `node[key]`; a new one where nothing is known of it yet."""
        found = self.nodes.get(node)
        if found is None:
            if node[-1:] == "]":
                name, _, key = node[:-1].partition("[")
                if "]." in key:
                    name, key = self._inside(name, key)
                items = self.items.get(name)
                if items is None:
                    items = self.items[name] = {}
                found = items.get(key)
                if found is None:
                    found = items[key] = NodeState()
            else:
                found = self.nodes[node] = NodeState()
        return found

    def known(self, node: str) -> NodeState:
        """The state of a node or an item, to read: where nothing is known of it, the run does not get one."""
        return self.nodes.get(node) or self.find(node) or NodeState()

    def find(self, node: str) -> NodeState | None:
        """The state of a node or an item, if anything is known of it."""
        if node[-1:] != "]":
            return self.nodes.get(node)
        name, _, key = node[:-1].partition("[")
        if "]." in key:
            name, key = self._inside(name, key)
        items = self.items.get(name)
        return None if items is None else items.get(key)

    def _inside(self, name: str, key: str) -> tuple[str, str]:
        """An item's node and key. In `deploy[eu].probe[443]` the node is `deploy[eu].probe`, where `deploy[eu]` runs a
        sub-pipeline; else `eu].probe[443` is a key, in which anything may stand."""
        end = key.find("].")
        while end >= 0:
            owner = self.items.get(name, {}).get(key[:end])
            if owner is not None and owner.pipeline is not None:
                name, key = f"{name}[{key[:end]}].{key[end + 2 :].partition('[')[0]}", key[end + 2 :].partition("[")[2]
                end = -1
            end = key.find("].", end + 1)
        return name, key

    def failed_items(self, node: str) -> dict[str, NodeState]:
        """The items of a repeated node that failed, as `node[key]`, but for those that run a sub-pipeline."""
        items = self.items.get(node, {}).items()
        return {f"{node}[{key}]": one for key, one in items if one.status is _FAILED and one.pipeline is None}

    def count(self, *statuses: NodeStatus) -> int:
        return sum(1 for n in self.nodes.values() if n.status in statuses)

    def totals(self) -> dict[str, int | float]:
        """Nodes by status, how many attempts were made, and what calls of models used, where there were any."""
        counts = Counter([state.status for state in self.nodes.values()])
        totals: dict[str, int | float] = {str(status): count for status, count in counts.items()}
        items = [state for items in self.items.values() for state in items.values()]
        totals["attempts"] = sum(state.attempts for state in (*self.nodes.values(), *items))
        if self.ledger is not None:
            totals.update(self.ledger.total.totals())
        if self.messages:
            totals["messages"] = self.messages
        return totals

    @property
    def failed(self) -> list[str]:
        """Ids of the file's nodes that failed and weren't tolerated, in its order; failures in sub-pipelines are
        those of the nodes that run them, or were seen to inside."""
        return [i for i, n in self.nodes.items() if n.status is _FAILED and not n.tolerated and "." not in i]

    @property
    def failures(self) -> list[str]:
        """As `failed`, and the nodes in sub-pipelines that they come from."""
        failed = set(self.failed)
        return [
            i
            for i, n in self.nodes.items()
            if n.status is NodeStatus.FAILED and not n.tolerated and (i in failed or _outermost(i) in failed)
        ]

    @property
    def interrupted(self) -> bool:
        """The log ends before the run did: whoever ran it is gone, or still at it."""
        return not self.status.final and self.status is not RunStatus.WAITING


def _outermost(node: str) -> str:
    """The node of the file that runs this one, at whatever depth."""
    return node.partition(".")[0].partition("[")[0]


def fold(events: Iterable[Event]) -> Run:
    """The run that these events tell of."""
    run = Run()
    for event in events:
        run.apply(event)
    return run


_FAILED, _RUNNING = NodeStatus.FAILED, NodeStatus.RUNNING  # a member of an enum is looked up each time that it is named
_NEW = NodeState.__new__  # without a call of __init__: one for each node at the start


_SHAPES: Mapping[str, Any] = {
    **dict.fromkeys(("pipeline", "path", "root", "digest", "order"), str),
    **dict.fromkeys(("inputs", "nodes", "reasons", "items"), Mapping),
    **dict.fromkeys(("only", "rerun", "anew"), (list, tuple)),
    "git_sha": (str, type(None)),
}
"""What `run.started` and `run.resumed` hold, where whoever reads them relies on it."""


def _held(event: Event) -> Mapping[str, Any]:
    """The event's data; raises TypeError for such as no run writes."""
    for name in event.data.keys() & _SHAPES.keys():
        if not isinstance(event.data[name], _SHAPES[name]):
            raise TypeError(f"`{name}` has the wrong type")
    return event.data


def _run_started(run: Run, event: Event) -> None:
    if run.started_at is not None:
        raise ValueError("the run had begun before")
    data = _held(event)
    run.id, run.status = event.run, RunStatus.RUNNING
    run.pipeline, run.path, run.root = (data.get(key, "") for key in ("pipeline", "path", "root"))
    run.record, run.replay = data.get("record"), data.get("replay")
    run.digest = data.get("digest", "")
    run.inputs = data.get("inputs", {})
    run.git_sha = data.get("git_sha")
    run.only = tuple(data.get("only", ()))
    run.digests = dict(data.get("nodes", {}))
    run.nodes = {node: _NEW(NodeState) for node in run.digests}
    run.started_at = event.ts
    run.order = data.get("order", "")
    run.attempt = 1


def _run_resumed(run: Run, event: Event) -> None:
    data = _held(event)
    run.status = RunStatus.RUNNING
    run.attempt += 1
    run.finished_at = run.duration_s = run.error = None
    run.outputs, run.outputs_ref = {}, None
    run.record, run.replay = data.get("record"), data.get("replay")
    run.inputs = data.get("inputs", run.inputs)
    run.digest = data.get("digest", run.digest)
    if "nodes" in data:
        regroup(run, data["nodes"], NodeState)
    for states in (run.nodes, *run.items.values()):
        for state in states.values():
            if state.retried and state.status is not NodeStatus.WAITING:
                state.retried = 0  # whoever asks for a resume has attempts counted from one
    if run.ledger is not None:
        run.ledger.cut_off()
    _decided_again(run, data)


def _decided_again(run: Run, data: Mapping[str, Any]) -> None:
    """Nodes of which an earlier end counts no more; of repeated ones under `anew` those of all their items, too."""
    begin_anew(run, data.get("anew", ()))
    for node in data.get("rerun", ()):
        run.nodes[node] = run.state(node).anew()


def _run_finished(run: Run, event: Event) -> None:
    data = event.data
    run.status = RunStatus(data["status"])
    run.outputs = data.get("outputs", {})
    run.outputs_ref = data.get("outputs_ref")
    run.error = data.get("error")
    run.finished_at = event.ts
    run.duration_s = data.get("duration_s")
    if run.status.final:
        for states in (run.nodes, *run.items.values()):
            for state in states.values():
                if state.decided is not None:
                    state.over = True


def _node_started(run: Run, event: Event) -> None:
    _, at, _, _, node, attempt, data = event
    state = run.nodes.get(node or "") or run.state(node or "")
    state.status = _RUNNING
    state.attempts = attempt or 1
    state.started_at = at
    if state.error is not None:
        state.error = None
    if state.pipeline is not None or state.many or state.rest is not None or node in run.items:
        become(run, node or "", state, data)
    if data:
        state.item = data.get("item")
        if "items" in data:
            state.many, state.rest = True, data.get("rest")
            forget(run, node or "", data.get("gone", ()))
        if "pipeline" in data:
            state.pipeline, state.given = data["pipeline"], data.get("given")
            for name in data.get("inside", ()):
                run.state(f"{node}.{name}")
            take_back(run, data.get("back", ()))
            _decided_again(run, data)
        state.once, state.decided = data.get("effect") == "once", None


def _node_retrying(run: Run, event: Event) -> None:
    state = run.state(event.node or "")
    state.status = NodeStatus.QUEUED
    state.error = event.data.get("error")
    state.duration_s = event.data.get("duration_s")
    if "decided" in event.data:
        state.once, state.decided = False, event.data["decided"]
    elif state.pipeline is not None:
        state.retried += 1


def _ended(status: NodeStatus) -> Callable[[Run, Event], None]:
    def apply(run: Run, event: Event) -> None:
        seq, at, _, _, node, _, data = event
        state = run.nodes.get(node or "") or run.state(node or "")
        if state.ended_seq:  # it had ended before: nothing of that is left
            for name in _KEPT & state.__dict__.keys():
                del state.__dict__[name]
        state.status = status
        run.fails += status is _FAILED
        state.ended_at, state.ended_seq = at, seq
        if state.retried:
            state.retried = 0
        for name, value in data.items():
            if value is not None and name in _KEPT:  # None is what stands in the class where a value may be None
                setattr(state, name, value)
        if "by" in data:
            state.by = tuple(state.by)

    return apply


_KEPT = frozenset(NodeState.__annotations__) - {
    *("status", "attempts", "started_at", "ended_at", "ended_seq"),
    *("item", "once", "pipeline", "given", "retried", "many", "rest"),
}
"""Fields of the last event of a node that its state takes over."""


def _node_cached(run: Run, event: Event) -> None:
    _CACHED(run, event)
    state = run.state(event.node or "")
    become(run, event.node or "", state, {})
    state.error = event.data.get("error")
    state.item = event.data.get("item")


_CACHED = _ended(NodeStatus.CACHED)


def _node_waiting(run: Run, event: Event) -> None:
    state = run.state(event.node or "")
    state.status = NodeStatus.WAITING
    state.message = event.data.get("message")
    state.tolerated = event.data.get("tolerated", False)


def _ledger(run: Run) -> Ledger:
    if run.ledger is None:
        from pipe_runner.spent import Ledger

        run.ledger = Ledger()
    return run.ledger


def _model_reserved(run: Run, event: Event) -> None:
    _ledger(run).reserved(event.node or "", event.data)


def _model_called(run: Run, event: Event) -> None:
    _ledger(run).called(event.node or "", event.data)


def _message_published(run: Run, event: Event) -> None:
    run.messages += 1
    run.last_message = event.seq


_FOLDS: dict[str, Callable[[Run, Event], None]] = {
    EventKind.RUN_STARTED: _run_started,
    EventKind.RUN_RESUMED: _run_resumed,
    EventKind.RUN_FINISHED: _run_finished,
    EventKind.NODE_STARTED: _node_started,
    EventKind.NODE_RETRYING: _node_retrying,
    EventKind.NODE_SUCCEEDED: _ended(NodeStatus.SUCCEEDED),
    EventKind.NODE_CACHED: _node_cached,
    EventKind.NODE_FAILED: _ended(NodeStatus.FAILED),
    EventKind.NODE_SKIPPED: _ended(NodeStatus.SKIPPED),
    EventKind.NODE_BLOCKED: _ended(NodeStatus.BLOCKED),
    EventKind.NODE_CANCELLED: _ended(NodeStatus.CANCELLED),
    EventKind.NODE_UNKNOWN: _ended(NodeStatus.UNKNOWN),
    EventKind.NODE_WAITING: _node_waiting,
    EventKind.MODEL_RESERVED: _model_reserved,
    EventKind.MODEL_CALLED: _model_called,
    EventKind.MESSAGE_PUBLISHED: _message_published,
}


def is_final(status: NodeStatus) -> bool:
    """True when nothing more happens to a node of this status within the run."""
    return status in FINAL_NODE_STATUSES


def resting(run: Run) -> bool:
    """Whether any node waits for its next attempt."""
    queued = NodeStatus.QUEUED
    return any(state.status is queued for states in (run.nodes, *run.items.values()) for state in states.values())
