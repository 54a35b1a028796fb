"""Messages between the nodes of a run: the shape of one, and the port through which agents reach the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from pipe_runner.types import Json


class Message(NamedTuple):
    """One message of a run's bus, as `message.published` has it."""

    seq: int
    """Of its event: messages are in this order."""
    ts: str
    topic: str
    node: str | None
    """The node or item that published it."""
    message: Json
    attempt: int | None = None
    """The attempt of the node that published it: one that is made again may publish the same again."""

    def to_json(self) -> dict[str, Json]:
        return dict(self._asdict())


class Bus(Protocol):
    """Messages between the nodes of a run: ordered, bounded, kept in the log. Made for one attempt.

    A topic is words joined by dots. In a pattern `*` stands for one word and `#`, at the end, for all that follow.
    """

    async def publish(self, topic: str, message: Json) -> int:
        """Write a message; gives its number. Waits while a subscriber is too far behind: nothing is dropped. Raises
        NodeFault of kind `refused` for a topic or a message that can't be."""
        ...

    def subscribe(self, pattern: str, *, since: int = 0) -> AsyncIterator[Message]:
        """The run's messages after number `since`, then those that come, until nobody is left who could publish."""
        ...

    async def history(self, pattern: str = "#", *, limit: int = 1000) -> Sequence[Message]:
        """The last messages, oldest first; also those from before a resume."""
        ...

    def environment(self) -> Mapping[str, str]:
        """Variables by which a process of the attempt reaches the bus; none where the system has no way for that."""
        ...
