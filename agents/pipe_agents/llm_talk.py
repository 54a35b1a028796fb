"""The conversation of one attempt: ask, call the tools that the model wants, ask again, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from pipe_agents.llm_answers import Wanted
from pipe_agents.llm_media import as_data
from pipe_agents.llm_stream import Live
from pipe_agents.llm_validating import Misfit, excerpt
from pipe_runner.errors import NodeFault
from pipe_runner.models import (
    Finish,
    Message,
    ModelChoice,
    ModelFault,
    ModelRequest,
    ModelResponse,
    Outside,
    Toolbox,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from pipe_runner.ports import Attempt, Context
from pipe_runner.types import ErrorKind, Json

TOGETHER: Final = 8
"""Tools of one answer that are called at the same time."""
_TOKENS: Final = ("input", "output", "cached", "reasoning")
SAID: Final = 500
"""Characters of an answer that an error shows."""


class Counted:
    """What an attempt has used: `nodes.x.usage`."""

    def __init__(self) -> None:
        self.calls = 0
        self._used: Usage | None = Usage(0, 0)
        self._cost: float | None = 0.0

    def add(self, answer: ModelResponse | ModelFault) -> None:
        """Count what a call has used, also one that failed. Tokens of an answer that its service doesn't tell make
        those of all unknown, and a price that is not known the cost of all."""
        used, own = self._used, answer.usage
        if own is not None and used is not None:
            self._used = Usage(
                used.input + own.input,
                used.output + own.output,
                cached=used.cached + own.cached,
                reasoning=used.reasoning + own.reasoning,
            )
        elif isinstance(answer, ModelResponse):
            self._used = None
        if self._cost is not None and (own is not None or isinstance(answer, ModelResponse)):
            self._cost = None if answer.cost is None else self._cost + answer.cost

    def add_inner(self, usage: Mapping[str, Json]) -> None:
        """Count what a tool's own calls have used; what isn't known of them isn't known of all."""
        calls, cost = usage.get("calls"), usage.get("cost")
        self.calls += calls if isinstance(calls, int) else 0
        counts: dict[str, int] = {n: c for n in _TOKENS if isinstance(c := usage.get(n), int)}
        if self._used is not None:
            known = {name: getattr(self._used, name) + count for name, count in counts.items()}
            self._used = self._used._replace(**known) if len(known) == len(_TOKENS) else None
        if self._cost is not None:
            self._cost = self._cost + cost if isinstance(cost, int | float) else None

    def to_json(self) -> dict[str, Json]:
        cost = None if self._cost is None else round(self._cost, 9)
        return {
            "calls": self.calls,
            **{name: None if self._used is None else getattr(self._used, name) for name in _TOKENS},
            "cost": cost,
        }


class NoTools:
    """The toolbox of a node that lists none."""

    specs: Sequence[ToolSpec] = ()

    async def call(self, call: ToolCall) -> ToolResult:
        return ToolResult(f"there is no tool {call.name}", failed=True)

    async def close(self) -> None:
        pass


class Talk:
    """One conversation. `request` holds its beginning; `counted` counts every call."""

    def __init__(
        self,
        attempt: Attempt,
        context: Context,
        outside: Outside,
        choices: Sequence[ModelChoice],
        wanted: Wanted,
        counted: Counted,
        live: Live,
    ) -> None:
        self._attempt, self._context, self._outside = attempt, context, outside
        self._choices, self._wanted, self._counted, self._live = choices, wanted, counted, live
        self._began = context.clock.monotonic()

    async def run(self, request: ModelRequest, toolbox: Toolbox, most_reasks: int, most_rounds: int) -> Json:
        """The output. Raises NodeFault: of a call, or of kinds `invalid_output`, `refused` and `tool`."""
        reasks = rounds = 0
        while True:
            answer = await self._ask(request)
            if answer.finish is Finish.REFUSED:
                raise NodeFault(ErrorKind.REFUSED, f"the model declined{self._quoted(answer.text)}")
            if answer.finish is Finish.LENGTH:
                raise NodeFault(
                    ErrorKind.INVALID_OUTPUT,
                    f"the answer was cut at the most tokens that it may have: raise `max_tokens`"
                    f"{self._quoted(answer.text)}",
                )
            if answer.tool_calls and not toolbox.specs:  # asked again only where an answer that doesn't fit is, too
                reasks += 1
                if self._wanted.schema is None or reasks > most_reasks:
                    names = ", ".join(sorted({call.name for call in answer.tool_calls}))
                    raise NodeFault(
                        ErrorKind.INVALID_OUTPUT,
                        f"the model wants tools ({excerpt(names, 100)}), and the node lists none"
                        f"{self._quoted(answer.text)}",
                    )
                request = _going_on(request, *await self._used(toolbox, answer))
                continue
            if answer.tool_calls:
                rounds += 1
                if rounds > most_rounds:
                    names = ", ".join(sorted({call.name for call in answer.tool_calls}))
                    raise NodeFault(
                        ErrorKind.TOOL,
                        f"the model wants tools ({excerpt(names, 100)}) after {most_rounds} rounds of them: "
                        "raise `max_iterations`, or ask for less",
                    )
                request = _going_on(request, *await self._used(toolbox, answer))
                continue
            try:
                return self._wanted.read(self._text_of(answer))
            except Misfit as misfit:
                reasks += 1
                if reasks > most_reasks:
                    again = f" after being asked {reasks} times" if reasks > 1 else ""
                    raise NodeFault(
                        ErrorKind.INVALID_OUTPUT,
                        f"the answer doesn't fit output_schema{again}: {misfit}{self._quoted(answer.text)}",
                    ) from None
                said = Message("assistant", answer.text or "(empty)")
                request = _going_on(request, said, Message("user", _again(misfit)))

    async def _ask(self, request: ModelRequest) -> ModelResponse:
        timeout = self._attempt.timeout
        if timeout is not None:
            left = timeout - (self._context.clock.monotonic() - self._began)
            request = request._replace(timeout=max(left, 0.001))
        self._counted.calls += 1
        try:
            answer = await self._outside.ask(
                self._attempt, self._choices, request, self._context.emit, self._live.piece
            )
        except ModelFault as fault:
            self._counted.add(fault)
            raise
        self._counted.add(answer)
        self._live.whole(answer.text)
        return answer

    def _text_of(self, answer: ModelResponse) -> str:
        size, limit = len(answer.text.encode("utf-8", "replace")), self._attempt.output_limit
        if size > limit:
            raise NodeFault(ErrorKind.OUTPUT_TOO_LARGE, f"the answer has {size} bytes, and limits.output is {limit}")
        if answer.finish is Finish.OTHER and not answer.text.strip():
            raise NodeFault(ErrorKind.INVALID_OUTPUT, "the model ended without an answer, and did not say why")
        if self._wanted.schema is None and not answer.text.strip():
            raise NodeFault(ErrorKind.INVALID_OUTPUT, "the model's answer is empty")
        return _whole(answer.text)

    def _quoted(self, text: str) -> str:
        said = excerpt(self._context.masker.mask_text(text), SAID)
        return f"; it said: {said}" if said else ""

    async def _used(self, toolbox: Toolbox, answer: ModelResponse) -> list[Message]:
        """The answer, and what the tools that it calls have given."""
        calls = _told_apart(answer.tool_calls)
        said = Message("assistant", answer.text, tool_calls=calls, thought=answer.thought)
        return [said, *await self._use(toolbox, calls)]

    async def _use(self, toolbox: Toolbox, calls: Sequence[ToolCall]) -> list[Message]:
        """Results in the order of the calls; raises NodeFault where a tool is no more what the node lists."""
        bound = asyncio.Semaphore(TOGETHER)

        async def use(call: ToolCall) -> Message:
            async with bound:
                result = ToolResult(call.fault, failed=True) if call.fault else await toolbox.call(call)
            if result.usage is not None:
                self._counted.add_inner(result.usage)
            name = self._context.masker.mask_text(call.name)  # before a mark in it becomes another one
            return Message("tool", as_data(result.text, f"tool {name}"), tool_call_id=call.id, failed=result.failed)

        tasks: list[asyncio.Task[Message]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks += [group.create_task(use(call)) for call in calls]
        except asyncio.CancelledError as cancelled:
            late = [call.name for call, task in zip(calls, tasks, strict=False) if task.cancelled()]
            if late:
                cancelled.add_note(f"waiting for {', '.join(dict.fromkeys(late))}")
            raise
        except BaseExceptionGroup as several:
            raise _first(several) from None
        return [task.result() for task in tasks]


def _told_apart(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls with ids that differ: services want to know which of them a result is of."""
    found: dict[str, ToolCall] = {}
    for call in calls:
        id, number = call.id, 1
        while id in found:
            number += 1
            id = f"{call.id}_{number}"
        found[id] = call if number == 1 else call._replace(id=id)
    return tuple(found.values())


def _going_on(request: ModelRequest, *messages: Message) -> ModelRequest:
    return request._replace(messages=(*request.messages, *messages))


def _whole(text: str) -> str:
    """The text with whole characters only: halves of pairs are put together, or replaced where there is one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of what tools raised at the same time: a fault of the node before others."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [several]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        else:
            found.append(one)
    return next((one for one in found if isinstance(one, NodeFault)), found[0])


def _again(misfit: Misfit) -> str:
    lines = "\n".join(f"- {fault}" for fault in misfit.faults)
    return (
        "Your answer does not fit the JSON Schema that was asked for:\n"
        f"{lines}\n"
        "Answer again, with nothing but a JSON value that fits it."
    )
