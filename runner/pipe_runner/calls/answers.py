"""Answers as plain data: for recordings, and as the log tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from pipe_runner.calls.counts import counted, fitting, priced
from pipe_runner.errors import MEND_RECORDING, NodeFault, NoRecording, StorageError, held_to
from pipe_runner.models import (
    Finish,
    ModelFault,
    ModelRequest,
    ModelResponse,
    Pieces,
    ToolCall,
    Usage,
    out_of_time,
    was_sent,
)
from pipe_runner.types import ErrorKind, Json


def response_to_json(answer: ModelResponse) -> dict[str, Any]:
    """The answer without its thought and what is as by default; `response_from_json` gives an equal one back."""
    data = {k: v for k, v in answer._asdict().items() if v != answer._field_defaults.get(k, ...)}
    data.pop("thought", None)
    data["finish"] = str(answer.finish)
    if answer.usage is not None:
        data["usage"] = usage_to_json(answer.usage)
    if answer.tool_calls:
        data["tool_calls"] = [
            {k: v for k, v in call._asdict().items() if v != call._field_defaults.get(k, ...)}
            for call in answer.tool_calls
        ]
    return data


def response_from_json(data: Json) -> ModelResponse:
    """Raises KeyError, TypeError or ValueError on data of another shape."""
    if not isinstance(data, dict):
        raise TypeError("an answer is an object")
    values: dict[str, Any] = dict(data)
    _known(values, [name for name in ModelResponse._fields if name != "thought"])
    _typed(values, "text", str)
    _typed(values, "model", str, "")
    _typed(values, "provider", str, "")
    held_to(values, {"request_id": str, "latency": float, "first_piece": float})
    if (cost := values.get("cost")) is not None and priced(cost) is None:
        raise ValueError("`cost` is no amount of dollars")
    values["finish"] = Finish(values["finish"])
    if values.get("usage") is not None:
        said = _typed(values, "usage", dict)
        _known(said, Usage._fields)
        usage = Usage(**{"input": said["input"], "output": said["output"], **said})
        if not counted(usage):
            raise ValueError("`usage` says something else than numbers of tokens")
        values["usage"] = usage
    values["tool_calls"] = tuple(_call(call) for call in _typed(values, "tool_calls", list, []))
    return ModelResponse(**values)


def _call(data: Any) -> ToolCall:
    if not isinstance(data, dict):
        raise TypeError("a tool call is an object")
    call: dict[str, Any] = dict(data)
    _known(call, ToolCall._fields)
    for name, kind in (("id", str), ("name", str), ("arguments", dict)):
        _typed(call, name, kind)
    held_to(call, {"fault": str})
    return ToolCall(**call)


def _known(values: Mapping[str, Any], names: Sequence[str]) -> None:
    unknown = ", ".join(f"`{name}`" for name in values if name not in names)
    if unknown:
        raise ValueError(f"it has {unknown}, and only {', '.join(names)} are known there")


def _typed(values: Mapping[str, Any], name: str, kind: type, default: Any = ...) -> Any:
    found = values[name] if default is ... else values.get(name, default)
    if not isinstance(found, kind):
        raise TypeError(f"`{name}` is no {_KINDS[kind]}")
    return found


_KINDS: Final[Mapping[type, str]] = {str: "text", dict: "object", list: "list"}


_OF_ONE_TIME = ("latency", "first_piece", "request_id")
"""What differs each time that the same is asked, and means nothing later."""


def asked_of(provider: str, request: ModelRequest) -> dict[str, Any]:
    """What a call is known by in recordings: the request, with digests in place of what is large."""
    data = request.to_json()
    for message in data["messages"]:
        for media in message.get("media", ()):
            content = media.pop("data", "")
            media["sha256"], media["bytes"] = sha256(content.encode()).hexdigest(), len(content) * 3 // 4
    return {"provider": provider, **data}


def recorded(answer: ModelResponse, pieces: list[Json]) -> dict[str, Any]:
    """The answer as recordings keep it, with the pieces in which it came."""
    data = response_to_json(answer)
    for name in _OF_ONE_TIME:
        data.pop(name, None)
    if len(pieces) > 1:
        data["pieces"] = pieces
    return data


def replayed(kept: Json, on_piece: Pieces | None) -> ModelResponse:
    """The answer that was kept, told in its pieces; raises NodeFault where a recording was changed into nonsense."""
    try:
        if not isinstance(kept, dict):
            raise TypeError("it is no object")
        data: dict[str, Any] = dict(kept)
        pieces = data.pop("pieces", None) or ([data["text"]] if data.get("text") else [])
        _typed({"pieces": pieces}, "pieces", list)
        answer = response_from_json(data)
    except (KeyError, TypeError, ValueError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise NoRecording(f"the recording of an answer can't be used: {why}; {MEND_RECORDING}") from None
    if on_piece is not None:
        for piece in pieces:
            on_piece(str(piece))
    return answer


def usage_to_json(usage: Usage) -> dict[str, Json]:
    data: dict[str, Json] = {"input": usage.input, "output": usage.output}
    for name in ("cached", "cache_written", "reasoning", "audio"):
        if getattr(usage, name):
            data[name] = getattr(usage, name)
    return data


UNDECIDED: Final = frozenset({408, 504, 524})
"""Statuses of services that gave up waiting: nobody knows whether the call was performed."""


def may_be_paid(error: BaseException) -> bool:
    """Whether a call that ended so, once it was out, may have cost something. A service that answers with an error asks
    nothing for it."""
    if isinstance(error, ModelFault):
        answered = error.status is not None and error.status >= 400 and error.status not in UNDECIDED
        return error.sent and not answered
    return not isinstance(error, NodeFault) and was_sent(error)


def called(
    call: str,
    provider: str,
    model: str,
    seconds: float,
    mask: Callable[[str], str],
    answer: ModelResponse | None = None,
    *,
    error: BaseException | None = None,
    usage: Usage | None = None,
    cost: float | None = None,
    sent: bool = True,
    replayed: bool = False,
) -> dict[str, Json]:
    """What `model.called` says; `usage`, `cost` and `sent` are of a call that failed. `mask` hides secrets."""
    data: dict[str, Json] = {"call": call, "provider": provider, "model": model, "duration_s": round(seconds, 6)}
    usage = answer.usage if answer is not None else usage
    if usage is not None and not counted(usage):
        usage = None
    if usage is not None:
        data["tokens"] = usage_to_json(fitting(usage))
    elif not sent:
        data["free"] = True
    if cost is not None:
        data["cost"] = cost
    if answer is not None:
        data["finish"] = str(answer.finish)
        if answer.cost is not None:
            data["cost"] = answer.cost
        if answer.model and answer.model != model:
            data["answered_by"] = mask(answer.model)
        if answer.request_id:
            data["request_id"] = mask(answer.request_id)
    if isinstance(error, NodeFault):
        data["error"] = {"kind": str(error.kind), "message": mask(error.message)}
        if isinstance(error, ModelFault) and error.kind == "timeout" and error.sent:
            data["ambiguous"] = True
    elif isinstance(error, StorageError):
        data["error"] = {"kind": str(ErrorKind.STORAGE), "message": mask(error.message)}
    elif error is not None:
        late = isinstance(error, asyncio.CancelledError) and out_of_time(error)
        kind, message = ("timeout", "the attempt's time was up") if late else ("cancelled", "the call was stopped")
        if late and not was_sent(error):
            kind, message = "unavailable", "; ".join([message, *getattr(error, "__notes__", ())])
        data["error"] = {"kind": kind, "message": mask(message)}
        if sent:  # the attempt's time was up, or the run was stopped, while the service was at it
            data["ambiguous"] = True
    if replayed:
        data["replayed"] = True
    return data
