"""What a log says of one node: a part of the run, which folds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipe_runner.types import Json, NodeStatus

_OPEN: Final = frozenset({NodeStatus.RUNNING, NodeStatus.FAILED, NodeStatus.CANCELLED, NodeStatus.UNKNOWN})


class State:
    """Fields with their defaults in the class: an object costs nothing until something is set in it."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self).__annotations__)

    __hash__ = None  # type: ignore[assignment]


class NodeState(State):
    """What the log says of one node. `attempts` counts every attempt, over all resumes; durations in seconds."""

    status: NodeStatus = NodeStatus.PENDING
    attempts: int = 0
    output: Json = None
    output_ref: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    exit_code: int | None = None
    duration_s: float | None = None
    started_at: str | None = None
    ended_at: str | None = None
    ended_seq: int = 0
    """The number of the event that it ended with: what stands in the order of ends, whatever the clock says."""
    by: tuple[str, ...] = ()
    more: int = 0
    """How many there are beside those of `by`, at least."""
    when: str | None = None
    values: Mapping[str, Any] | None = None
    reason: str | None = None
    """Why it did not run, or was stopped, in words, where no condition decided that."""
    usage: Mapping[str, Any] | None = None
    truncated: Mapping[str, Any] | None = None
    artifacts: tuple[Mapping[str, Any], ...] | list[Mapping[str, Any]] = ()
    """Files that were copied into the run: `{name, path, sha256, bytes}`."""
    item: str | None = None
    """Of an item of a repeated node: the digest of its value."""
    once: bool = False
    """An attempt of it has begun under `effect: once`, and nobody has decided that it may run again."""
    decided: Mapping[str, Any] | None = None
    """Who decided that it ended so, and why, where a person did."""
    over: bool = False
    """The run has ended since it was decided."""
    message: str | None = None
    """What a person is asked, of a node that waits for one."""
    tolerated: bool = False
    """Failed, and the file says that the run goes on (`continue_on_error`)."""
    stopping: bool = False
    """And it failed while the run was being cancelled, maybe because of that."""
    pipeline: str | None = None
    """The file of the sub-pipeline that it runs, once it has begun."""
    given: str | None = None
    """The digest of the inputs that it gave to its sub-pipeline."""
    retried: int = 0
    """Attempts at its sub-pipeline that were followed by another one, since it was last begun."""
    many: bool = False
    """It is repeated, and its items have begun."""
    rest: str | None = None
    """Of such a node: the digest of what the file said of it when they began, without its list."""

    def __init__(self, status: NodeStatus = NodeStatus.PENDING, **fields: Any) -> None:
        self.status = status
        if fields:
            super().__init__(**fields)

    def anew(self) -> NodeState:
        """Of a node that is decided again: what counts on; all of it where it may have acted."""
        if self.once and may_have_acted(self):
            return self
        attempts = self.ended_attempts
        if self.pipeline is None:
            again = NodeState(attempts=attempts)
            if self.rest:
                again.rest = self.rest
            return again
        found = NodeState(attempts=attempts, pipeline=self.pipeline, given=self.given)
        if self.retried and self.status is NodeStatus.WAITING:
            found.retried = self.retried
        return found

    @property
    def ended_attempts(self) -> int:
        """Attempts that are over: one at a sub-pipeline, or at items, that wait for a person is gone on with."""
        return self.attempts - (self.status is NodeStatus.WAITING and (self.many or self.pipeline is not None))

    def __repr__(self) -> str:
        return f"NodeState(status={self.status!s}, attempts={self.attempts}, output={self.output!r})"


def may_have_acted(state: NodeState) -> bool:
    """An attempt under `effect: once` has begun and not succeeded: it is never run again by itself."""
    return state.once and state.status in _OPEN and state.decided is None and not state.tolerated
