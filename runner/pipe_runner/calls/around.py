"""What stands around the calls of a run where nobody asks for more: nothing is held back, nothing is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pipe_runner.calls.counts import fitting, priced
from pipe_runner.models import ProviderSettings, Usage
from pipe_runner.ports import Attempt
from pipe_runner.types import Json, JsonObject


class NotRecorded:
    """Everything is performed."""

    replays = False

    def begin(self) -> None:
        """Nothing."""

    def through(
        self, attempt: Attempt, kind: str, asked: JsonObject, perform: Callable[[], Awaitable[Json]]
    ) -> Awaitable[Json]:
        return perform()


class AsTheTypeSays:
    """Prices that the provider's type knows itself."""

    def __init__(self, type_name: str, settings: ProviderSettings, written: Mapping[str, Any]) -> None:
        self._cost_of = settings.cost_of

    def cost(self, model: str, usage: Usage) -> float | None:
        """What the type says of a usage whose parts fit; nonsense is no price."""
        return priced(self._cost_of(model, fitting(usage)))

    def most(self, model: str, tokens_in: int, tokens_out: int) -> float | None:
        plain = Usage(tokens_in, tokens_out)
        ways = (plain, plain._replace(cache_written=tokens_in), plain._replace(reasoning=tokens_out))
        costs = [priced(self._cost_of(model, usage)) for usage in ways]
        known = [cost for cost in costs if cost is not None]
        return max(known) if len(known) == len(costs) else None
