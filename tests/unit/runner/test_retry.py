"""The retry decision is pure: declared attempts and waits are never exceeded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.plan import RetryPolicy
from pipe_runner.ports import NodeError, Outcome
from pipe_runner.retry import FUTILE_KINDS, next_delay
from pipe_runner.testing import failed, succeeded
from pipe_runner.types import ErrorKind, NodeStatus


def delays(policy: RetryPolicy, outcome: Outcome | None = None) -> list[float]:
    found: list[float] = []
    while True:
        made = len(found) + 1
        delay = next_delay(policy, outcome or failed(), made, time_left=None, random=0.5)
        if delay is None:
            return found
        found.append(delay)


def test_exponential_doubles_from_the_first_delay() -> None:
    assert delays(RetryPolicy(max_attempts=5, delay=1)) == [1, 2, 4, 8]


def test_constant_stays() -> None:
    assert delays(RetryPolicy(max_attempts=4, delay=3, backoff="constant")) == [3, 3, 3]


def test_max_delay_bounds_each_wait() -> None:
    assert delays(RetryPolicy(max_attempts=5, delay=1, max_delay=3)) == [1, 2, 3, 3]


def test_max_attempts_counts_the_first_one() -> None:
    assert len(delays(RetryPolicy(max_attempts=3))) == 2
    assert delays(RetryPolicy(max_attempts=1)) == []


def test_a_success_is_not_tried_again() -> None:
    assert delays(RetryPolicy(max_attempts=9), succeeded()) == []


@pytest.mark.parametrize("kind", sorted(FUTILE_KINDS))
def test_what_another_attempt_cannot_change_is_not_tried_again(kind: ErrorKind) -> None:
    assert delays(RetryPolicy(max_attempts=3), failed(kind)) == []
    assert delays(RetryPolicy(max_attempts=3, on=("error",)), failed(kind)) == []


@pytest.mark.parametrize(
    ("on", "kind", "exit_code", "again"),
    [
        (("timeout",), ErrorKind.TIMEOUT, None, True),
        (("timeout",), ErrorKind.EXIT, 1, False),
        (("exit:75",), ErrorKind.EXIT, 75, True),
        (("exit:75",), ErrorKind.EXIT, 7, False),
        (("error",), ErrorKind.EXIT, 7, True),
        (("rate_limited", "unavailable"), ErrorKind.UNAVAILABLE, None, True),
        (("invalid_output",), ErrorKind.INVALID_OUTPUT, None, True),
    ],
)
def test_on_says_after_which_failures(on: tuple[str, ...], kind: ErrorKind, exit_code: int | None, again: bool) -> None:
    policy = RetryPolicy(max_attempts=2, on=on)
    assert (next_delay(policy, failed(kind, exit_code=exit_code), 1, time_left=None, random=0) is not None) is again


def test_jitter_is_off_unless_asked_for() -> None:
    assert next_delay(RetryPolicy(2, 8), failed(), 1, time_left=None, random=0.0) == 8
    assert next_delay(RetryPolicy(2, 8, jitter=True), failed(), 1, time_left=None, random=0.0) == 4


def test_the_other_side_may_ask_for_a_longer_wait_within_bounds() -> None:
    outcome = Outcome(NodeStatus.FAILED, error=NodeError(ErrorKind.RATE_LIMITED, "slow down"), retry_after=60)
    assert next_delay(RetryPolicy(2, 1), outcome, 1, time_left=None, random=0) == 60
    assert next_delay(RetryPolicy(2, 1, max_delay=10), outcome, 1, time_left=None, random=0) == 10


def test_no_attempt_follows_that_the_nodes_time_cannot_hold() -> None:
    assert next_delay(RetryPolicy(2, 5), failed(), 1, time_left=4.9, random=0) is None
    assert next_delay(RetryPolicy(2, 5), failed(), 1, time_left=5.1, random=0) == 5


@given(
    st.integers(1, 1000),
    st.floats(0.001, 1e6),
    st.sampled_from(["exponential", "constant"]),
    st.none() | st.floats(0.001, 1e4),
    st.integers(1, 2000),
    st.floats(0, 0.999),
    st.booleans(),
)
def test_a_delay_is_finite_not_negative_and_within_max_delay(
    attempts: int, delay: float, backoff: str, max_delay: float | None, made: int, random: float, jitter: bool
) -> None:
    policy = RetryPolicy(attempts, delay, backoff, max_delay, jitter)  # type: ignore[arg-type]
    found = next_delay(policy, failed(), made, time_left=None, random=random)
    assert (found is not None) == (made < attempts)
    if found is not None:
        assert 0 < found < float("inf")
        assert max_delay is None or found <= max_delay
