"""`agent: llm`: asks a model, and what it answered is the output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Context, NodeError, Outcome
from pipe_runner.types import ErrorKind, Json, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.models import Message, ModelChoice, ModelRequest, Toolbox


_PLAIN: Final = frozenset({"provider", "model", "system", "prompt", "max_tokens"})
"""Options that are text, or nearly."""


class LlmAgent:
    """Asks through the run's way out, which holds budgets and limits; asks nobody by itself."""

    name = "llm"
    version = "1"

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Asks a model; gives its answer, as text or as a value of a JSON Schema.",
            capabilities=("reasoning",),
            asks_models=True,
            goes_outside=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.llm import LlmOptions

        return LlmOptions

    def surely_fits(self, options: JsonObject) -> bool:
        """Whether options that hold values are right, seen without their model, whose import takes as long as
        an answer.

        False says nothing: then the model is asked.
        """
        if not options.keys() <= _PLAIN or "prompt" not in options:
            return False
        for name, value in options.items():
            if name == "max_tokens":
                if type(value) is not int or value < 1:
                    return False
            elif name == "provider":
                if not isinstance(value, list) or not all(map(_is_text, value)):
                    return False
            elif not _is_text(value):
                return False
        return True

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_agents.llm_answers import Wanted

        schema: Any = options.get("output_schema")
        return Wanted(schema, options.get("allow_noop") is True).type_of_output()

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        import asyncio

        from pipe_agents.llm_answers import Wanted
        from pipe_agents.llm_stream import Live
        from pipe_agents.llm_talk import Counted, NoTools, Talk
        from pipe_agents.llm_validating import check_schema
        from pipe_runner.models import ModelFault

        options: dict[str, Any] = dict(attempt.options)
        outside = context.outside
        if outside is None:
            raise NodeFault(ErrorKind.UNAVAILABLE, "this run has no way out to models")
        wanted = Wanted(options.get("output_schema"), options.get("allow_noop") is True, context.masker.mask_text)
        if wanted.schema is not None:
            await asyncio.to_thread(check_schema, wanted.schema)  # the first time it imports what validates
        request = await _request(attempt, options, wanted)
        counted, live = Counted(), Live(context.emit, context.masker)
        toolbox: Toolbox = NoTools()
        try:
            if options.get("tools"):
                toolbox = await outside.toolbox(attempt, options["tools"], context.emit)
                request = request._replace(tools=tuple(toolbox.specs))
            talk = Talk(attempt, context, outside, choices(options), wanted, counted, live)
            output = await talk.run(request, toolbox, options.get("max_reasks", 2), options.get("max_iterations", 10))
            live.close()
        except NodeFault as fault:
            live.close()
            error = NodeError(fault.kind, context.masker.mask_text(fault.message), fault.exit_code, fault.tail)
            after = fault.retry_after if isinstance(fault, ModelFault) else None
            return Outcome(NodeStatus.FAILED, error=error, usage=counted.to_json(), retry_after=after)
        except asyncio.CancelledError as cancelled:
            cancelled.usage = counted.to_json()  # type: ignore[attr-defined]  # for an attempt that is out of time
            raise
        finally:
            live.stop()
            await toolbox.close()
        return Outcome(NodeStatus.SUCCEEDED, context.masker.mask_json(output), usage=counted.to_json())


def _is_text(value: Json) -> bool:
    """Whether it is a text with something in it, of whole characters."""
    if not isinstance(value, str) or not value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def choices(options: dict[str, Any]) -> list[ModelChoice]:
    """Whom to ask, in order: every provider with every model; lists of the same length go together pair by pair."""
    from pipe_runner.models import ModelChoice

    providers: list[str] = options.get("provider") or []
    given = options.get("model")
    if isinstance(given, list) and len(given) == len(providers):
        return [ModelChoice(provider, model) for provider, model in zip(providers, given, strict=True)]
    models = given if isinstance(given, list) else [given or ""]
    return [ModelChoice(provider, model) for provider in providers for model in models]


async def _request(attempt: Attempt, options: dict[str, Any], wanted: Any) -> ModelRequest:
    """What is asked first."""
    from pipe_runner.models import ModelRequest

    return ModelRequest(
        model="",
        messages=tuple(await _messages(attempt, options, wanted.instruction())),
        output_schema=wanted.asked_for(),
        max_tokens=options.get("max_tokens"),
        temperature=options.get("temperature"),
        top_p=options.get("top_p"),
        stop=tuple(options.get("stop") or ()),
        seed=options.get("seed"),
        timeout=attempt.timeout,
        traceparent=attempt.traceparent,
    )


async def _messages(attempt: Attempt, options: dict[str, Any], instruction: str) -> Sequence[Message]:
    import asyncio

    from pipe_agents.llm_media import ABOUT_DATA, attached
    from pipe_runner.models import Message

    given = options.get("messages") or [{"role": "user", "content": options["prompt"]}]
    messages = [Message(one["role"], one["content"]) for one in given]
    images, files = options.get("images") or [], options.get("files") or []
    media, texts = await asyncio.to_thread(attached, attempt.root, images, files) if images or files else ((), [])
    if media or texts:
        places = [number for number, one in enumerate(messages) if one.role == "user"]
        if not places:
            raise NodeFault(ErrorKind.REFUSED, "images and files go with a message of the user, and there is none")
        last = messages[places[-1]]
        messages[places[-1]] = last._replace(text="\n\n".join([*texts, last.text]), media=media)
    told = [options.get("system") or "", ABOUT_DATA if texts or options.get("tools") else "", instruction]
    first = "\n\n".join(part for part in told if part)
    return [Message("system", first), *messages] if first else messages
