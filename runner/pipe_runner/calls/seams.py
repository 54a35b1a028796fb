"""What stands around a call, each in a room of its own: what it may cost, when it goes out, if it is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from pipe_runner.models import ModelResponse, ProviderSettings, Usage
from pipe_runner.ports import Attempt, Emit
from pipe_runner.types import Json, JsonObject

Call = Callable[[], Awaitable[ModelResponse]]


class Most(NamedTuple):
    """What a call can use at most, known before it goes out."""

    tokens: int
    """In and out."""
    cost: float | None
    """US dollars; None: the price is not known."""


class Held(NamedTuple):
    """What was set aside for a call that has not ended."""

    call: str
    """Names the call within its node: `model.reserved` and `model.called` have it."""
    most: Most


class Prices(Protocol):
    """What calls of one provider cost, in US dollars; None: the price is not known."""

    def cost(self, model: str, usage: Usage) -> float | None: ...

    def most(self, model: str, tokens_in: int, tokens_out: int) -> float | None:
        """Of a call that reads and writes so much at most."""
        ...


MakePrices = Callable[[str, ProviderSettings, Mapping[str, Any]], Prices]
"""By the provider's type, its settings, and `prices` in pipe.yml."""


class Purse(Protocol):
    """Holds budgets: what a call may cost is set aside before it goes out, in the log, and settled at its end."""

    async def reserve(self, attempt: Attempt, provider: str, model: str, most: Most, emit: Emit) -> Held:
        """Set aside, durable when it returns. Waits while calls in flight may give some back; raises NodeFault of kind
        `budget`, or of kind `refused` where the price is not known and the budget doesn't allow that."""
        ...

    def settle(self, held: Held, usage: Usage | None, cost: float | None, *, sent: bool) -> None:
        """What it did cost; with neither `usage` nor `cost` all that was set aside if it was `sent`, else nothing."""
        ...


class Gate(Protocol):
    """Lets calls of one provider out: limits, waits that the service asks for, a breaker. Shared by the process."""

    async def through(
        self,
        attempt: Attempt,
        tokens: int,
        call: Call,
        *,
        model: str = "",
        longest: float | None = None,
    ) -> ModelResponse:
        """Perform the call when it may go out; raises its ModelFault, with what the gate knows of it.

        A call that the service rate-limits is made again after the wait, which costs no attempt. `longest`: seconds
        that it waits so at most, where somebody else can be asked; and it waits for no service that doesn't answer.
        Such a wait holds for calls of the same `model` only.
        """
        ...


class Recorder(Protocol):
    """Keeps what came back from outside, or gives what was kept instead of asking."""

    @property
    def replays(self) -> bool:
        """Nothing goes out: no provider, key, limit or server is needed."""
        ...

    def begin(self) -> None:
        """The run begins, or goes on; raises StorageError."""
        ...

    def through(
        self, attempt: Attempt, kind: str, asked: JsonObject, perform: Callable[[], Awaitable[Json]]
    ) -> Awaitable[Json]:
        """What `perform` gives, kept; or what was kept for the same `asked`. Faults of NodeFault are kept too."""
        ...
