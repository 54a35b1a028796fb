"""A run, folded from its events: `Run.apply` is the only place where a run's state changes.

The same fold serves the process that runs (event by event, as they are written) and every reader of the log, so that
both can't differ. It needs no clock, no file and no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipe_runner.ports import Event
from pipe_runner.types import FINAL_NODE_STATUSES, EventKind, Json, NodeStatus, RunStatus

INLINE_OUTPUT_LIMIT = 64 * 1024
"""Bytes of an output (as it stands in the log) above which it lives in a blob."""


class _Fields:
    """Equality and a short `repr` over `__slots__`: what a dataclass gives, for a tenth of the time at every start."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]


class NodeState(_Fields):
    """What the log says of one node. `attempts` counts every attempt, over all resumes; durations in seconds.

    `tolerated`: it failed, and the file says that the run goes on (`continue_on_error`).
    """

    __slots__ = (
        "attempts",
        "by",
        "duration_s",
        "ended_at",
        "error",
        "exit_code",
        "output",
        "output_ref",
        "started_at",
        "status",
        "tolerated",
        "truncated",
        "usage",
        "values",
        "when",
    )

    def __init__(self, status: NodeStatus = NodeStatus.PENDING, **fields: Any) -> None:
        self.status = status
        self.attempts = 0
        self.output: Json = None
        self.output_ref: Mapping[str, Any] | None = None
        self.error: Mapping[str, Any] | None = None
        self.exit_code: int | None = None
        self.duration_s: float | None = None
        self.started_at: str | None = None
        self.ended_at: str | None = None
        self.by: tuple[str, ...] = ()
        self.when: str | None = None
        self.values: Mapping[str, Any] | None = None
        self.usage: Mapping[str, Any] | None = None
        self.truncated: Mapping[str, Any] | None = None
        self.tolerated = False
        if fields:
            super().__init__(**fields)

    def __repr__(self) -> str:
        return f"NodeState(status={self.status!s}, attempts={self.attempts}, output={self.output!r})"


class Run(_Fields):
    """The state of a run after the events up to `seq`.

    `digests`: the digest of each node, as it was when the run was last started or resumed. `outputs_ref` stands in for
    `outputs` where they are large: they live in a blob. `only`: what `--only` named when the run was started.
    `attempt`: 1 for a run that was never resumed, one more for each resume.
    """

    __slots__ = (
        "attempt",
        "digest",
        "digests",
        "duration_s",
        "error",
        "finished_at",
        "git_sha",
        "id",
        "inputs",
        "nodes",
        "only",
        "outputs",
        "outputs_ref",
        "path",
        "pipeline",
        "root",
        "seq",
        "started_at",
        "status",
    )

    def __init__(self, **fields: Any) -> None:
        self.id = ""
        self.status = RunStatus.PENDING
        self.pipeline = ""
        self.path = ""
        self.root = ""
        self.digest = ""
        self.inputs: Mapping[str, Any] = {}
        self.digests: dict[str, str] = {}
        self.nodes: dict[str, NodeState] = {}
        self.started_at: str | None = None
        self.finished_at: str | None = None
        self.duration_s: float | None = None
        self.outputs: Mapping[str, Any] = {}
        self.error: Mapping[str, Any] | None = None
        self.outputs_ref: Mapping[str, Any] | None = None
        self.git_sha: str | None = None
        self.only: tuple[str, ...] = ()
        self.attempt = 0
        self.seq = 0
        if fields:
            super().__init__(**fields)

    def __repr__(self) -> str:
        return f"Run(id={self.id!r}, status={self.status!s}, seq={self.seq}, nodes={len(self.nodes)})"

    def apply(self, event: Event) -> None:
        """Fold one event in. Events that this version doesn't know change nothing but `seq`."""
        self.seq = event.seq
        fold = _FOLDS.get(event.event)
        if fold is not None:
            fold(self, event)

    def state(self, node: str) -> NodeState:
        found = self.nodes.get(node)
        if found is None:
            found = self.nodes[node] = NodeState()
        return found

    def count(self, *statuses: NodeStatus) -> int:
        return sum(1 for n in self.nodes.values() if n.status in statuses)

    @property
    def failed(self) -> list[str]:
        """Ids of the nodes that failed and weren't tolerated, in the order of the file."""
        return [i for i, n in self.nodes.items() if n.status is NodeStatus.FAILED and not n.tolerated]

    @property
    def interrupted(self) -> bool:
        """The log ends before the run did: whoever ran it is gone, or still at it."""
        return not self.status.final and self.status is not RunStatus.WAITING


def fold(events: Iterable[Event]) -> Run:
    """The run that these events tell of."""
    run = Run()
    for event in events:
        run.apply(event)
    return run


def _run_started(run: Run, event: Event) -> None:
    data = event.data
    run.id = event.run
    run.status = RunStatus.RUNNING
    run.pipeline = data.get("pipeline", "")
    run.path = data.get("path", "")
    run.root = data.get("root", "")
    run.digest = data.get("digest", "")
    run.inputs = data.get("inputs", {})
    run.git_sha = data.get("git_sha")
    run.only = tuple(data.get("only", ()))
    run.digests = dict(data.get("nodes", {}))
    run.nodes = {node: NodeState() for node in run.digests}
    run.started_at = event.ts
    run.attempt = 1


def _run_resumed(run: Run, event: Event) -> None:
    data = event.data
    run.status = RunStatus.RUNNING
    run.attempt += 1
    run.finished_at = None
    run.duration_s = None
    run.error = None
    run.digest = data.get("digest", run.digest)
    digests = data.get("nodes")
    if digests is not None:
        old = run.nodes
        run.digests = dict(digests)
        run.nodes = {node: old.get(node) or NodeState() for node in digests}
    for node in data.get("rerun", ()):
        run.nodes[node] = NodeState(attempts=run.state(node).attempts)


def _run_finished(run: Run, event: Event) -> None:
    data = event.data
    run.status = RunStatus(data["status"])
    run.outputs = data.get("outputs", {})
    run.outputs_ref = data.get("outputs_ref")
    run.error = data.get("error")
    run.finished_at = event.ts
    run.duration_s = data.get("duration_s")


def _node_started(run: Run, event: Event) -> None:
    state = run.state(event.node or "")
    state.status = NodeStatus.RUNNING
    state.attempts = event.attempt or 1
    state.started_at = event.ts
    state.ended_at = None
    state.error = None


def _node_retrying(run: Run, event: Event) -> None:
    state = run.state(event.node or "")
    state.status = NodeStatus.QUEUED
    state.error = event.data.get("error")
    state.duration_s = event.data.get("duration_s")


def _ended(status: NodeStatus) -> Callable[[Run, Event], None]:
    def apply(run: Run, event: Event) -> None:
        data = event.data
        state = run.state(event.node or "")
        state.status = status
        state.ended_at = event.ts
        state.output = data.get("output")
        state.output_ref = data.get("output_ref")
        state.error = data.get("error")
        state.exit_code = data.get("exit_code")
        state.duration_s = data.get("duration_s")
        state.usage = data.get("usage")
        state.truncated = data.get("truncated")
        state.tolerated = bool(data.get("tolerated", False))
        state.by = tuple(data.get("by", ()))
        state.when = data.get("when")
        state.values = data.get("values")

    return apply


def _node_waiting(run: Run, event: Event) -> None:
    run.state(event.node or "").status = NodeStatus.WAITING


_FOLDS: dict[str, Callable[[Run, Event], None]] = {
    EventKind.RUN_STARTED: _run_started,
    EventKind.RUN_RESUMED: _run_resumed,
    EventKind.RUN_FINISHED: _run_finished,
    EventKind.NODE_STARTED: _node_started,
    EventKind.NODE_RETRYING: _node_retrying,
    EventKind.NODE_SUCCEEDED: _ended(NodeStatus.SUCCEEDED),
    EventKind.NODE_CACHED: _ended(NodeStatus.CACHED),
    EventKind.NODE_FAILED: _ended(NodeStatus.FAILED),
    EventKind.NODE_SKIPPED: _ended(NodeStatus.SKIPPED),
    EventKind.NODE_BLOCKED: _ended(NodeStatus.BLOCKED),
    EventKind.NODE_CANCELLED: _ended(NodeStatus.CANCELLED),
    EventKind.NODE_UNKNOWN: _ended(NodeStatus.UNKNOWN),
    EventKind.NODE_WAITING: _node_waiting,
}


def is_final(status: NodeStatus) -> bool:
    """True when nothing more happens to a node of this status within the run."""
    return status in FINAL_NODE_STATUSES
