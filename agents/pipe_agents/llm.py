"""`agent: llm`: asks a model, and what it answered is the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Context, Outcome
from pipe_runner.types import ErrorKind, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel


class LlmAgent:
    """Asks through the run's way out, which holds budgets and limits; asks nobody by itself."""

    name = "llm"
    version = "1"

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Asks a model; gives its answer.",
            capabilities=("reasoning",),
            asks_models=True,
            goes_outside=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.llm import LlmOptions

        return LlmOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {"type": "string"}

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        from pipe_runner.models import Message, ModelChoice, ModelRequest

        options: dict[str, Any] = dict(attempt.options)
        if context.outside is None:
            raise NodeFault(ErrorKind.UNAVAILABLE, "this run has no way out to models")
        messages = [Message("system", options["system"])] if options.get("system") else []
        messages.append(Message("user", options["prompt"]))
        request = ModelRequest(
            model="",
            messages=tuple(messages),
            max_tokens=options.get("max_tokens"),
            temperature=options.get("temperature"),
            timeout=attempt.timeout,
            traceparent=attempt.traceparent,
        )
        choices = [ModelChoice(name, options.get("model") or "") for name in options.get("provider") or ()]
        answer = await context.outside.ask(attempt, choices, request, context.emit)
        return Outcome(NodeStatus.SUCCEEDED, answer.text)
