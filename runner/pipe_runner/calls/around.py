"""What stands around the calls of a run where nobody asks for more: nothing is held back, nothing is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pipe_runner.calls.seams import Held, Most
from pipe_runner.models import Usage
from pipe_runner.ports import Attempt, Emit
from pipe_runner.types import Json, JsonObject


class NotRecorded:
    """Everything is performed."""

    replays = False

    async def through(
        self, attempt: Attempt, kind: str, asked: JsonObject, perform: Callable[[], Awaitable[Json]]
    ) -> Json:
        return await perform()


class NoPurse:
    """Nothing is set aside."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int], int] = {}

    async def reserve(self, attempt: Attempt, provider: str, model: str, most: Most, emit: Emit) -> Held:
        key = (attempt.node, attempt.number)
        number = self._calls[key] = self._calls.get(key, 0) + 1
        return Held(f"{attempt.number}.{number}", most)

    def settle(self, held: Held, usage: Usage | None, cost: float | None, *, sent: bool) -> None:
        pass
