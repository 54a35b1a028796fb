"""Why a scheduler starts nothing more, and how it writes what happens."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol

from pipe_runner.ports import NodeError, Outcome
from pipe_runner.run import NodeState
from pipe_runner.types import ErrorKind, EventKind, NodeStatus


class Stop(StrEnum):
    """Why no new work is started."""

    CANCEL = "cancel"
    RUN_TIMEOUT = "run_timeout"
    FAIL_FAST = "fail_fast"
    TIME_UP = "time_up"
    """The time of the sub-pipeline, not that of the run."""


WHY: Final[Mapping[Stop, str]] = {
    Stop.CANCEL: "the run was cancelled",
    Stop.RUN_TIMEOUT: "the run's time was up",
    Stop.FAIL_FAST: "fail_fast: another node failed",
    Stop.TIME_UP: "the time of its sub-pipeline was up",
}
_NOTHING_MORE: Final = Outcome(NodeStatus.SUCCEEDED)[3:]
_LATE: Final = (Stop.RUN_TIMEOUT, Stop.TIME_UP)


def stop_error(stop: Stop | None) -> NodeError | None:
    """Why what was stopped has failed; None where it counts as cancelled, or nothing was stopped."""
    return NodeError(ErrorKind.RUN_TIMEOUT, WHY[stop]) if stop is not None and stop in _LATE else None


def while_waiting(stop: Stop, state: NodeState) -> tuple[str, NodeError | None]:
    """What became of a node that waited for another attempt, and its error where it counts as failed: it had begun, and
    had no success when its time was up."""
    reason = f"{WHY[stop]} while it waited for another attempt"
    if stop not in _LATE:
        return reason, None
    last = state.error or {}
    message = f"{reason}; the last one: {last.get('message', 'failed')}"
    return reason, NodeError(ErrorKind.RUN_TIMEOUT, message, last.get("exit_code"), last.get("tail"))


def how_stopped(stop: Stop, state: NodeState) -> tuple[int | None, str, NodeError | None]:
    """What becomes of a node that is not in flight: its attempt, why, and its error where it counts as failed."""
    if state.status is NodeStatus.QUEUED:
        return (state.attempts, *while_waiting(stop, state))
    if state.status is NodeStatus.WAITING:
        return state.attempts, f"{WHY[stop]} while it waited for a person", None
    return None, f"{WHY[stop]} before it started", None


def in_time(stop: Stop, outcome: Outcome) -> Outcome:
    """How an attempt has ended that ran when the run's time was up, or that of its sub-pipeline: it has failed, however
    it came to its end within the grace. What it gave is kept."""
    error = outcome.error
    if stop not in _LATE or outcome.status is NodeStatus.WAITING or (error and error.kind is ErrorKind.RUN_TIMEOUT):
        return outcome
    message = WHY[stop]
    if outcome.status is NodeStatus.SUCCEEDED:
        message = f"{message} before it had ended"
    elif outcome.status is NodeStatus.FAILED and error is not None:
        message = f"{message}, and then: {error.message}"
    late = NodeError(ErrorKind.RUN_TIMEOUT, message, outcome.exit_code, error.tail if error is not None else None)
    return outcome._replace(status=NodeStatus.FAILED, error=late)


def while_cancelled(outcome: Outcome, error: NodeError) -> NodeError:
    """Why an attempt has not come to its own end that a cancel has ended."""
    return NodeError(ErrorKind.CANCELLED, f"{WHY[Stop.CANCEL]} while the node ran", outcome.exit_code, error.tail)


def measured(outcome: Outcome, duration: float) -> dict[str, Any]:
    """What an event says of an attempt that has ended, whichever way."""
    data: dict[str, Any] = {"duration_s": int(duration * 1e6) / 1e6}  # a third of the time of round()
    if outcome[3:] == _NOTHING_MORE:
        return data
    _, _, _, exit_code, usage, truncated, _, artifacts = outcome
    if exit_code is not None:
        data["exit_code"] = exit_code
    if usage:
        data["usage"] = usage
    if truncated:
        data["truncated"] = truncated
    if artifacts:
        data["artifacts"] = artifacts
    return data


class EmitEvent(Protocol):
    """Numbers an event, folds it into the run, writes it to the log, and shows it to every sink."""

    def __call__(
        self, kind: EventKind, node: str | None = None, attempt: int | None = None, data: Mapping[str, Any] = ...
    ) -> None: ...
