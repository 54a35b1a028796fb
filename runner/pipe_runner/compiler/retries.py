"""`retry` of a node, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner.plan import NO_RETRY, RetryPolicy
from pipe_schemas.durations import parse_duration

if TYPE_CHECKING:
    from pipe_schemas.nodes import RetrySpec


class Retries:
    """Makes policies; nodes that say the same number share one."""

    def __init__(self) -> None:
        self._by_number: dict[int, RetryPolicy] = {}

    def policy(self, retry: int | RetrySpec | None) -> RetryPolicy:
        """What is done after a failure; times in seconds."""
        if retry is None:
            return NO_RETRY
        if isinstance(retry, int):
            found = self._by_number.get(retry)
            if found is None:
                found = self._by_number[retry] = RetryPolicy(max_attempts=retry)
            return found
        return RetryPolicy(
            max_attempts=retry.max_attempts,
            delay=parse_duration(retry.delay, zero=True),
            backoff=retry.backoff,
            max_delay=None if retry.max_delay is None else parse_duration(retry.max_delay),
            jitter=retry.jitter,
            on=tuple(retry.on),
        )
