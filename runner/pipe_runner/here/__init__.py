"""For Python functions that nodes call: what they find in the run that they are part of.

Public: what stands here is kept stable. These functions wait, and so are for plain functions; in an async one await
those of `pipe_runner.here.aio`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipe_runner.here.context import bus, context, waited
from pipe_runner.messages import Message
from pipe_runner.types import Json

if TYPE_CHECKING:
    from pipe_runner.bus.reading import Subscription
    from pipe_runner.executors.local import LateBus
    from pipe_runner.ports import Earlier

__all__ = ["Message", "earlier", "history", "publish", "subscribe"]


def publish(topic: str, message: Json = None) -> int:
    """Publish a message to the nodes of the run; gives its number. Waits while a subscriber is too far behind."""
    found = bus()
    return waited(found, lambda: found.publish(topic, message))


def subscribe(pattern: str = "#", *, since: int = 0) -> Iterator[Message]:
    """The run's messages after number `since`, then those that come, until nobody is left who could publish."""
    found = bus()

    async def begin() -> Subscription:
        subscription: Subscription = found.opened().subscribe(pattern, since=since)
        return subscription

    return _Messages(found, waited(found, begin))


def history(pattern: str = "#", *, limit: int = 1000) -> Sequence[Message]:
    """The last messages, oldest first; also those from before a resume."""
    found = bus()
    return waited(found, lambda: found.history(pattern, limit=limit))


def earlier() -> Earlier | None:
    """What this node gave in the last other run of its pipeline in which it succeeded; None: there is none."""
    found = context().earlier
    return None if found is None else found()


class _Messages:
    """Iterates over a subscription from a thread."""

    def __init__(self, late: LateBus, found: Subscription) -> None:
        self._late, self._found = late, found

    def __iter__(self) -> _Messages:
        return self

    def __next__(self) -> Message:
        message = waited(self._late, self._found.next)
        if message is None:
            raise StopIteration
        return message

    def close(self) -> None:
        """Read no more; publishers don't wait for it from here on."""
        self._found.drop_soon()
