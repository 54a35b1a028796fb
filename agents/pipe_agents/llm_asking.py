"""One attempt of `agent: llm`: what is asked is put together, talked over, and made an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pipe_agents.llm_answers import Wanted
from pipe_agents.llm_media import ABOUT_DATA, attached
from pipe_agents.llm_stream import Live
from pipe_agents.llm_talk import Counted, NoTools, Talk
from pipe_agents.llm_validating import check_schema
from pipe_runner.errors import NodeFault
from pipe_runner.models import Message, ModelChoice, ModelFault, ModelRequest, Toolbox
from pipe_runner.ports import Attempt, Context, NodeError, Outcome
from pipe_runner.types import ErrorKind, NodeStatus


async def perform(attempt: Attempt, context: Context) -> Outcome:
    """Ask, and give what was answered."""
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
    return Outcome(NodeStatus.SUCCEEDED, output, usage=counted.to_json())


def choices(options: dict[str, Any]) -> list[ModelChoice]:
    """Whom to ask, in order: every provider with every model; lists of the same length go together pair by pair."""
    providers: list[str] = options.get("provider") or []
    given = options.get("model")
    if isinstance(given, list) and len(given) == len(providers):
        return [ModelChoice(provider, model) for provider, model in zip(providers, given, strict=True)]
    models = given if isinstance(given, list) else [given or ""]
    return [ModelChoice(provider, model) for provider in providers for model in models]


async def _request(attempt: Attempt, options: dict[str, Any], wanted: Wanted) -> ModelRequest:
    """What is asked first."""
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
