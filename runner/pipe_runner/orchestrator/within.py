"""Chooses agents within a run, and has them perform attempts of the node that asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipe_runner.errors import NodeFault
from pipe_runner.ports import Attempt, Clock, Emit, Outcome
from pipe_runner.routing.asking import ASKS, PATIENCE, answered, fallen_back, question
from pipe_runner.routing.cards import Card, cards_of
from pipe_runner.routing.choices import Routing
from pipe_runner.routing.options import accepted
from pipe_runner.routing.passwords import routed_without
from pipe_runner.routing.scores import scored
from pipe_runner.tools.inner import apart, in_time_left
from pipe_runner.types import ErrorKind, EventKind, Json, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pipe_runner.registry import Registry
    from pipe_runner.tools.kinds import PerformAttempt


class WithinRun:
    """One per run; `performs` is how its nodes' attempts are performed."""

    def __init__(self, registry: Registry, performs: PerformAttempt, clock: Clock) -> None:
        self._registry, self._performs, self._clock = registry, performs, clock
        self._began: dict[tuple[str, int], float] = {}
        """When attempts began to choose."""
        self._asked: dict[tuple[str, int], Mapping[str, Json]] = {}
        """What a model has used that chose, until an agent that it chose has ended."""

    async def choose(self, attempt: Attempt, emit: Emit) -> Sequence[JsonObject]:
        """The agents for the task of an attempt of `auto`, each with its options, score and why."""
        self._began[_key(attempt)] = self._clock.monotonic()
        options: Any = attempt.options
        cards = cards_of(self._registry, tuple(options.get("known") or ()))
        most = int(options.get("most") or 1)
        routing = await asyncio.to_thread(routed_without, options["task"], lambda task: scored(task, cards))
        if options.get("by") == "model":
            routing = await self._by_model(attempt, emit, cards, routing, most)
        chosen = routing.chosen(most)
        for note in routing.noted(chosen).notes:
            emit(EventKind.NODE_OUTPUT, {"stream": "stderr", "text": f"{note}\n"})
        if not chosen:
            raise NodeFault(ErrorKind.REFUSED, routing.refusal())
        found, unknown = accepted(chosen, {card.name: card for card in cards}, options.get("options") or {})
        if unknown:
            names = ", ".join(one.agent for one in chosen)
            raise NodeFault(ErrorKind.TEMPLATE, f"{names} takes no option {', '.join(unknown)}")
        provider = options.get("provider")
        return [
            {"agent": one.agent, "score": one.score, "why": one.why, "options": self._with(one.agent, given, provider)}
            for one, given in zip(chosen, found, strict=True)
        ]

    def _with(self, agent: str, options: dict[str, Any], provider: Any) -> dict[str, Any]:
        """The options, with whom to ask where a model is to explain."""
        if provider and options.get("explain") is True and "provider" not in options:
            return {**options, "provider": provider}
        return options

    async def perform(self, attempt: Attempt, agent: str, options: JsonObject, emit: Emit) -> Outcome:
        """An attempt of the same node, by this agent with these options, in what is left of its time."""
        now = self._clock.monotonic()
        inner = attempt._replace(agent=agent, options=options, validate=True)
        inner = in_time_left(inner, attempt.timeout, now - self._began.get(_key(attempt), now))
        outcome = await apart(self._performs(inner, emit))
        asked = self._asked.pop(_key(attempt), None)
        return outcome if asked is None else outcome._replace(usage=_both(asked, outcome.usage))

    async def _by_model(
        self, attempt: Attempt, emit: Emit, cards: Sequence[Card], by_words: Routing, most: int
    ) -> Routing:
        options: Any = attempt.options
        asked: Any = question(by_words.task, cards, most, options.get("model"))
        timeout = PATIENCE if attempt.timeout is None else min(PATIENCE, attempt.timeout / 2)
        attempt = attempt._replace(timeout=timeout)
        outcome = await self.perform(attempt, ASKS, {**asked, "provider": options.get("provider") or []}, emit)
        if outcome.usage is not None:
            self._asked[_key(attempt)] = outcome.usage
        if outcome.status is NodeStatus.CANCELLED:
            raise asyncio.CancelledError
        if outcome.status is not NodeStatus.SUCCEEDED:
            told = outcome.error.message if outcome.error is not None else f"it ended {outcome.status}"
            return fallen_back(by_words, f"no model could be asked: {told}")
        return answered(outcome.output, cards, by_words, most)


def _both(one: Mapping[str, Json], other: Mapping[str, Json] | None) -> Mapping[str, Json]:
    """The sums, null where one of them isn't known."""
    if other is None:
        return one
    found: dict[str, Json] = {}
    for name, value in one.items():
        more = other.get(name)
        known = isinstance(value, int | float) and isinstance(more, int | float)
        found[name] = value + more if known else None  # type: ignore[operator]
    return found


def _key(attempt: Attempt) -> tuple[str, int]:
    return attempt.node, attempt.number
