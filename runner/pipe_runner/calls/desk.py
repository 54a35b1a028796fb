"""Where every call of a run goes out: in the order of its choices, within its budget, through its provider's gate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from pipe_runner.calls.answers import asked_of, called, may_be_paid, recorded, replayed
from pipe_runner.calls.around import NotRecorded
from pipe_runner.calls.counts import counted, fitting, priced
from pipe_runner.calls.seams import Gate, Most, Prices, Purse, Recorder
from pipe_runner.calls.services import Services
from pipe_runner.calls.size import most_tokens
from pipe_runner.calls.stopping import Askers
from pipe_runner.capture import captured
from pipe_runner.errors import NodeFault, NoRecording, PipeError, PriceUnknown
from pipe_runner.halts import is_stop
from pipe_runner.models import (
    Message,
    ModelChoice,
    ModelFault,
    ModelRequest,
    ModelResponse,
    Perform,
    Pieces,
    Provider,
    Reason,
    Toolbox,
    Usage,
    was_sent,
)
from pipe_runner.plan import MOST_OUT
from pipe_runner.ports import Attempt, Clock, Emit, Masker
from pipe_runner.types import ErrorKind, EventKind, Json, JsonObject

BRIEF: Final = 5.0
"""Seconds that a service which limits its rate is waited for, where the node names another one."""
FALLS_BACK: Final = frozenset(
    {
        Reason.RATE_LIMITED,
        Reason.UNAVAILABLE,
        Reason.TIMED_OUT,
        Reason.CREDENTIALS,
        Reason.NOT_FOUND,
        Reason.TOO_LONG,
    }
)
"""After these the next choice is asked; another service would say the same to the others."""

T = TypeVar("T")
MakeToolbox = Callable[[Attempt, Sequence[Json], Emit, Recorder, Callable[[Attempt], NodeFault | None]], Any]


class Desk:
    """`Outside` of a run on this machine."""

    def __init__(
        self,
        services: Services,
        *,
        purse: Purse,
        gate: Callable[[str], Gate],
        recorder: Recorder,
        clock: Clock,
        masker: Masker,
        make_toolbox: MakeToolbox | None = None,
        closing: Sequence[Any] = (),
    ) -> None:
        self._services, self._purse, self._gate, self._recorder = services, purse, gate, recorder
        self._clock, self._make_toolbox, self._closing = clock, make_toolbox, closing
        self._masker, self._mask = masker, masker.mask_text
        self._forgets = isinstance(recorder, NotRecorded)
        """Nobody looks at what is asked and answered, so nothing is put into words for it."""
        self.misses: dict[tuple[str, int], NodeFault] = {}
        """What no recording has answered, the first of each attempt."""
        self._askers = Askers()
        self.hurry = self._askers.hurry

    async def ask(
        self,
        attempt: Attempt,
        choices: Sequence[ModelChoice],
        request: ModelRequest,
        emit: Emit,
        on_piece: Pieces | None = None,
    ) -> ModelResponse:
        failed: list[str] = []
        for number, choice in enumerate(choices, 1):
            try:
                longest = None if number == len(choices) else BRIEF
                asking = self._ask(attempt, choice, request, emit, on_piece, longest)
                return await self._askers.inside(asking)
            except NoRecording as fault:
                self._note(attempt, fault)
                raise
            except (ModelFault, PriceUnknown) as fault:
                whom = f"{choice.model} of {choice.provider}" if choice.model else choice.provider
                failed.append(f"{whom}: {fault.message}")
                if isinstance(fault, ModelFault) and fault.reason not in FALLS_BACK:
                    raise
                if number == len(choices):
                    if number > 1:
                        fault.message = "no choice answered: " + "; ".join(failed)
                    raise
        raise NodeFault(ErrorKind.NOT_FOUND, "the node names no provider")

    async def _ask(
        self,
        attempt: Attempt,
        choice: ModelChoice,
        request: ModelRequest,
        emit: Emit,
        on_piece: Pieces | None,
        longest: float | None,
    ) -> ModelResponse:
        name = choice.provider
        service = self._services.get(name)
        model = choice.model or service.settings.model
        if not model:
            raise NodeFault(
                ErrorKind.NOT_FOUND,
                f"no model is named: set `with.model`, or `model` of provider {name} in pipe.yml",
            )
        most_out = request.max_tokens or MOST_OUT
        messages = _without_others(request.messages, name, model)
        request = request._replace(model=model, max_tokens=most_out, messages=messages)
        tokens = most_tokens(request)
        prices = service.prices
        most = Most(tokens, prices.most(model, tokens - most_out, most_out))
        held = await self._purse.reserve(attempt, name, model, most, emit)
        began = self._clock.monotonic()
        out = False
        heard: list[ModelResponse] = []

        async def perform() -> Json:
            pieces: list[Json] = []

            def keep(piece: str) -> None:
                pieces.append(piece)
                if on_piece is not None:
                    on_piece(piece)

            async def call() -> ModelResponse:
                nonlocal out
                out = True
                pieces.clear()
                try:
                    client = self._services.client(name)
                    ours = type(client).__module__.startswith("pipe_providers.")
                    if ours:
                        return await client.generate_with_metadata(request, on_piece and keep)
                    with captured(emit, self._masker):
                        return await _heard(client, name, request, on_piece and keep)
                except ModelFault as fault:
                    out = may_be_paid(fault)  # it may be told to come later, and be stopped while it waits
                    raise

            gate = self._gate(name)
            found = await gate.through(attempt, tokens, call, model=model, longest=longest)
            heard.append(_priced(found, prices, model))
            return None if self._forgets else recorded(heard[0], pieces)

        try:
            asked = {} if self._forgets else asked_of(name, request)
            kept = await self._recorder.through(attempt, "model", asked, perform)
            answer = heard[0] if heard else replayed(kept, on_piece)
        except BaseException as error:
            if heard:  # it was answered, and what came could not be kept
                usage, cost = heard[0].usage, heard[0].cost
            else:
                usage = _counted(error.usage) if isinstance(error, ModelFault) else None
                cost = prices.cost(model, usage) if usage else None
                usage = fitting(usage) if usage else None
                if isinstance(error, ModelFault):
                    error.usage, error.cost = usage, cost
            sent = (out or self._recorder.replays) and may_be_paid(error)
            took = self._clock.monotonic() - began
            data = called(held.call, name, model, took, self._mask, error=error, usage=usage, cost=cost, sent=sent)
            emit(EventKind.MODEL_CALLED, data)
            self._purse.settle(held, usage, cost, sent=sent)
            raise
        took = self._clock.monotonic() - began
        data = called(held.call, name, model, took, self._mask, answer, replayed=not heard)
        emit(EventKind.MODEL_CALLED, data)
        self._purse.settle(held, answer.usage, answer.cost, sent=True)
        return answer

    async def toolbox(self, attempt: Attempt, wanted: Sequence[Json], emit: Emit) -> Toolbox:
        if self._make_toolbox is None:
            raise NodeFault(ErrorKind.TOOL, "no tools are set up for this run")
        making = self._make_toolbox(attempt, wanted, emit, self._recorder, self.missed)
        inside = self._askers.inside(making)  # a server that never comes up must hold up no stop
        box: Toolbox = await self._noting(attempt, inside)
        return box

    async def exchange(self, attempt: Attempt, kind: str, asked: JsonObject, perform: Perform) -> Json:
        return await self._noting(attempt, self._recorder.through(attempt, kind, asked, perform))

    def missed(self, attempt: Attempt) -> NodeFault | None:
        return self.misses.get((attempt.node, attempt.number))

    async def _noting(self, attempt: Attempt, asking: Awaitable[T]) -> T:
        try:
            return await asking
        except NoRecording as fault:
            self._note(attempt, fault)
            raise

    def _note(self, attempt: Attempt, fault: NoRecording) -> None:
        self.misses.setdefault((attempt.node, attempt.number), fault)

    async def close(self) -> None:
        for one in self._closing:
            await one.close()
        await self._services.close()


async def _heard(client: Provider, name: str, request: ModelRequest, on_piece: Pieces | None) -> ModelResponse:
    """What a provider of a plugin answers. What else it raises, or gives, is a ModelFault."""
    try:
        answer: Any = await client.generate_with_metadata(request, on_piece)
    except (NodeFault, PipeError):
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | GeneratorExit) or is_stop(error):
            raise
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        fault = ModelFault(Reason.INVALID_OUTPUT, f"provider {name} raises {what}", sent=was_sent(error))
        fault.kind = ErrorKind.EXCEPTION
        raise fault from error
    if not isinstance(answer, ModelResponse):
        given = type(answer).__name__
        raise ModelFault(Reason.INVALID_OUTPUT, f"provider {name} gives {given} and no ModelResponse")
    return answer


def _without_others(messages: tuple[Message, ...], provider: str, model: str) -> tuple[Message, ...]:
    """The messages without what other models thought."""
    mine = (provider, model)
    if all(one.thought is None or one.thought[:2] == mine for one in messages):
        return messages
    return tuple(one if one.thought and one.thought[:2] == mine else one._replace(thought=None) for one in messages)


def _priced(answer: ModelResponse, prices: Prices, model: str) -> ModelResponse:
    """The answer with what it cost: here, unless the service says it, so that a recording holds it."""
    usage, cost = _counted(answer.usage), priced(answer.cost)
    if usage is not None and cost is None:
        cost = prices.cost(model, usage)
        if cost is None and answer.model:
            cost = prices.cost(answer.model, usage)
    return answer._replace(usage=None if usage is None else fitting(usage), cost=cost)


def _counted(usage: Usage | None) -> Usage | None:
    """What the service counted, unless that is nonsense."""
    return usage if usage is None or counted(usage) else None
