"""The functions of `pipe_runner.here` for async functions, which await them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pipe_runner.here.context import bus, called, context
from pipe_runner.messages import Message
from pipe_runner.types import Json

if TYPE_CHECKING:
    from pipe_runner.bus.reading import Subscription
    from pipe_runner.executors.local import LateBus
    from pipe_runner.ports import Earlier

__all__ = ["Message", "earlier", "history", "publish", "subscribe"]
Result = TypeVar("Result")


async def publish(topic: str, message: Json = None) -> int:
    """Publish a message to the nodes of the run; gives its number. Waits while a subscriber is too far behind."""
    found = bus()
    return await _awaited(found, lambda: found.publish(topic, message))


def subscribe(pattern: str = "#", *, since: int = 0) -> AsyncIterator[Message]:
    """The run's messages after number `since`, then those that come, until nobody is left who could publish."""
    return _Messages(bus(), pattern, since)


async def history(pattern: str = "#", *, limit: int = 1000) -> Sequence[Message]:
    """The last messages, oldest first; also those from before a resume."""
    found = bus()
    return await _awaited(found, lambda: found.history(pattern, limit=limit))


async def earlier() -> Earlier | None:
    """What this node gave in the last other run of its pipeline in which it succeeded; None: there is none."""
    found = context().earlier
    return None if found is None else await asyncio.to_thread(found)


async def _awaited(late: LateBus, make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Have something done in the run's event loop, whichever this one is."""
    if asyncio.get_running_loop() is late.loop:
        return await make()
    return await asyncio.wrap_future(called(late, make))


class _Messages:
    """Iterates over a subscription, which begins with the first message that is asked for."""

    def __init__(self, late: LateBus, pattern: str, since: int) -> None:
        self._late, self._pattern, self._since = late, pattern, since
        self._found: Subscription | None = None

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> Message:
        message = await _awaited(self._late, self._next)
        if message is None:
            raise StopAsyncIteration
        return message

    async def _next(self) -> Message | None:
        if self._found is None:
            self._found = self._late.opened().subscribe(self._pattern, since=self._since)
        return await self._found.next()

    async def aclose(self) -> None:
        """Read no more; publishers don't wait for it from here on."""
        if self._found is not None:
            self._found.drop_soon()
