"""An answer as a service gave it, in our words, before time and price are put to it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pipe_runner.models import Finish, ModelFault, ModelResponse, Reason, ToolCall, Usage


class Read(NamedTuple):
    """An answer as one service gave it, in our words."""

    text: str
    finish: Finish
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    model: str = ""
    request_id: str | None = None


def declined(where: str, answer: ModelResponse) -> ModelResponse:
    """The answer, if the model gave one; those who take text only must not take a refusal for it."""
    if answer.finish is Finish.REFUSED:
        said = " ".join(answer.text.split())[:300]
        message = f"{where}: the model declined{': ' + said if said else ''}"
        raise ModelFault(Reason.REFUSED, message, usage=answer.usage, request_id=answer.request_id)
    return answer


def count(value: Any) -> int:
    """A number of tokens; whatever else a service puts there counts as none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def counted(usage: Usage) -> Usage | None:
    """The usage, if the service counted: no answer takes nothing, so two zeros say that it didn't."""
    return usage if usage.input or usage.output else None


def called(id: str, name: str, arguments: str) -> ToolCall:
    """A call whose arguments came as text."""
    if not arguments.strip():
        return ToolCall(id, name, {})
    try:
        data = json.loads(arguments)
    except (ValueError, RecursionError):
        return ToolCall(id, name, {}, "the arguments are no JSON")
    if not isinstance(data, dict):
        return ToolCall(id, name, {}, "the arguments are no JSON object")
    return ToolCall(id, name, data)
