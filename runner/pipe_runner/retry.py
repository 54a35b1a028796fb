"""Whether another attempt follows, and when: a pure decision, made in one place."""

from __future__ import annotations

from pipe_runner.plan import RetryPolicy
from pipe_runner.ports import NodeError, Outcome
from pipe_runner.types import ErrorKind, NodeStatus

FUTILE_KINDS = frozenset(
    {
        ErrorKind.RUN_TIMEOUT,
        ErrorKind.NOT_FOUND,
        ErrorKind.CONDITION,
        ErrorKind.TEMPLATE,
        ErrorKind.REFUSED,
        ErrorKind.CREDENTIALS,
        ErrorKind.BUDGET,
        ErrorKind.OUTPUT_TOO_LARGE,
        ErrorKind.STORAGE,
        ErrorKind.CANCELLED,
    }
)
"""Failures that another attempt can't change."""

LONGEST_REQUESTED_WAIT = 300.0
"""Seconds; what the other side may ask to wait at most where the file sets no `max_delay`."""


_MOMENT = 0.005
"""Seconds by which a timer may be early."""


def bounded(timeout: float | None, time_left: float) -> float:
    """Seconds that an attempt may take of what is left for all of them; never none at all."""
    left = max(time_left, 0.001)
    return left if timeout is None else min(timeout, left)


def next_delay(
    policy: RetryPolicy, outcome: Outcome, made: int, *, time_left: float | None, random: float
) -> float | None:
    """Seconds until the next attempt, or None when the outcome stands.

    `made` counts the attempts so far of this run or resume, the failed one included; `time_left` is what the node's
    `max_time` leaves; `random` is in [0, 1) and used only where the policy asks for jitter.
    """
    error = outcome.error
    if outcome.status is not NodeStatus.FAILED or error is None or made >= policy.max_attempts:
        return None
    if not matches(policy, error.kind, error.exit_code):
        return None
    delay = policy.delay
    if policy.backoff == "exponential":
        delay *= 2.0 ** min(made - 1, 60)
    if policy.max_delay is not None:
        delay = min(delay, policy.max_delay)
    if policy.jitter:
        delay *= 0.5 + random / 2
    if outcome.retry_after is not None and outcome.retry_after > 0:
        delay = max(delay, min(outcome.retry_after, policy.max_delay or LONGEST_REQUESTED_WAIT))
    if time_left is not None and delay >= time_left:
        return None
    return delay


def of_max_time(
    policy: RetryPolicy, outcome: Outcome, error: NodeError, made: int, *, max_time: float, time_left: float
) -> NodeError:
    """The error of a node that fails for good, with a word on its `max_time` where that is why."""
    if error.kind is ErrorKind.TIMEOUT and time_left <= _MOMENT:
        why = "was over"
    elif next_delay(policy, outcome, made, time_left=None, random=0.5) is not None:
        why = "leaves no time for another attempt"
    else:
        return error
    return error._replace(message=f"{error.message}; its max_time of {max_time:g} s {why}")


def matches(policy: RetryPolicy, kind: ErrorKind, exit_code: int | None) -> bool:
    """True when the policy's `on` covers this failure; without `on` it covers all that another attempt could change."""
    if not policy.on:
        return kind not in FUTILE_KINDS
    for wanted in policy.on:
        if wanted == "error":
            if kind not in FUTILE_KINDS:
                return True
        elif wanted == kind or (wanted.startswith("exit:") and exit_code is not None and wanted == f"exit:{exit_code}"):
            return True
    return False
