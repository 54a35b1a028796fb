"""The client of Ollama's `/api/chat`: what is asked, and how an answer is read, whole or line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pipe_providers import media
from pipe_providers.answers import Read, called, count, counted
from pipe_providers.asking import Asked, HttpProvider, Reading
from pipe_providers.bounds import MOST
from pipe_providers.faults import hiding, in_stream, of_status
from pipe_providers.framing import Lines, is_cut, loaded
from pipe_providers.given import host_of
from pipe_providers.schemas import instruct
from pipe_runner.models import Finish, Message, ModelFault, ModelRequest, ProviderSettings, Reason, ToolCall
from pipe_schemas.durations import parse_duration

_PATH = "/api/chat"
_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH}
_ROOM = "let it have a larger one by `options: {num_ctx: …}` of the provider in pipe.yml"


class OllamaProvider(HttpProvider):
    """One Ollama server."""

    streams = "json"  # NDJSON, which some gateways call JSON
    begins = re.compile(rb"\{")

    def __init__(self, settings: ProviderSettings) -> None:
        from pipe_providers.wire import Wire

        said = settings.options
        url = said["base_url"]
        where = f"provider {settings.name} ({host_of(url)})"
        headers, hide = said.get("headers") or {}, hiding(settings.secrets, settings.mask)
        wire = Wire(where, url, headers, {}, hide, said.get("proxy"), declined=partial(of_status, room=_ROOM))
        super().__init__(settings, wire, parse_duration(said["timeout"]))
        self._options = said.get("options") or {}
        self._keep_alive, self._think = said.get("keep_alive"), said.get("think")
        self._truncate = said.get("truncate") is True

    def asked(self, request: ModelRequest, *, stream: bool) -> Asked:
        options: dict[str, Any] = dict(self._options)
        for key, name in (("max_tokens", "num_predict"), ("temperature", ""), ("top_p", ""), ("seed", "")):
            if getattr(request, key) is not None:
                options[name or key] = getattr(request, key)
        if request.stop:
            options["stop"] = list(request.stop)
        body: dict[str, Any] = {"model": request.model, "messages": _messages(request.messages), "stream": stream}
        body["truncate"] = self._truncate  # else Ollama leaves out the beginning of what is too long, without a word
        if options:
            body["options"] = options
        tools = bool(request.tools) and request.tool_choice != "none"
        if tools:
            body["tools"] = [{"type": "function", "function": tool._asdict()} for tool in request.tools]
        if request.output_schema is not None and tools:  # held to a format, a model calls no tool
            instruct(body["messages"], request.output_schema, tools=True)
        elif request.output_schema is not None:
            body["format"] = request.output_schema
        if self._keep_alive is not None:
            body["keep_alive"] = f"{parse_duration(self._keep_alive):g}s"
        if self._think is not None:
            body["think"] = self._think
        return Asked(_PATH, body)

    def whole(self, request: ModelRequest, data: Mapping[str, Any]) -> Read:
        if data.get("error"):
            raise in_stream(self._wire.where, data, self._wire.hide, room=_ROOM)
        stream = _Stream(self)
        text = "".join(stream.part(data))
        return stream.read()._replace(text=text)

    def reading(self, request: ModelRequest) -> Reading:
        return _Stream(self)

    async def check(self) -> str:
        return await self.check_models("/api/tags", "models", "name")


class _Stream:
    """One answer, in one object or in many."""

    def __init__(self, provider: OllamaProvider) -> None:
        self._wire = provider._wire
        self._lines = Lines()
        self._text: list[str] = []
        self._calls: list[ToolCall] = []
        self._thought: list[str] = []
        self._size = 0
        self._last: Mapping[str, Any] = {}
        self._model = ""
        self._begun = False
        self.ended = False

    @property
    def held(self) -> int:
        return max(self._lines.held, self._size)

    def feed(self, data: bytes) -> Iterator[str]:
        for line in self._lines.feed(data):
            if not self.ended and line.strip():
                yield from self._take(line)

    def rest(self) -> Iterator[str]:
        line = self._lines.rest()
        if not self.ended and line.strip() and not is_cut(line):
            yield from self._take(line)

    def _take(self, line: bytes) -> list[str]:
        data: Any = None
        try:
            data = loaded(line)
        except (ValueError, RecursionError):
            pass
        if isinstance(data, dict) and data.get("error"):
            raise in_stream(self._wire.where, data, self._wire.hide, begun=self._begun, room=_ROOM)
        try:
            if isinstance(data, dict):
                self._begun = True
                return self.part(data)
        except (LookupError, TypeError, AttributeError, ValueError):
            pass
        message = f"{self._wire.where} streamed a line that is no part of an answer of `/api/chat`"
        raise ModelFault(Reason.INVALID_OUTPUT, message)

    def part(self, data: Mapping[str, Any]) -> list[str]:
        message = data.get("message") or {} if data.get("done") is True else data["message"]
        text = message.get("content") or ""
        if not isinstance(text, str):
            raise TypeError
        for call in message.get("tool_calls") or ():
            self._calls.append(_call(call, len(self._calls)))
            self._size += len(str(call))
            if len(self._calls) > 1000 or self._size > MOST:
                raise self._wire.too_large(MOST)
        if isinstance(thought := message.get("thinking"), str):
            self._thought.append(thought)
            self._size += len(thought)
        self._model = self._model or str(data.get("model") or "")[:300]
        if data.get("done") is True:
            self.ended, self._last = True, data
        if not text:
            return []
        self._text.append(text)
        return [text]

    def read(self) -> Read:
        last = self._last
        cached = count(last.get("prompt_eval_cached_count"), missing=0) or 0  # the others cost as much or more
        usage = counted(count(last.get("prompt_eval_count")), count(last.get("eval_count")), cached)
        finish = _FINISH.get(str(last.get("done_reason") or "stop"), Finish.OTHER)
        if self._calls and finish is Finish.STOP:
            finish = Finish.TOOL_CALLS
        thought = "".join(self._thought)
        return Read("".join(self._text), finish, tuple(self._calls), usage, self._model, thought=thought)


def _call(call: Mapping[str, Any], number: int) -> ToolCall:
    function = call["function"]
    id, name = str(call.get("id") or f"call_{number}"), str(function["name"])
    return called(id, name, function.get("arguments"))


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    names: dict[str, str] = {}
    told = []
    for message in messages:
        names.update((call.id, call.name) for call in message.tool_calls)
        told.append(_message(message, names))
    return told


def _message(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    if message.role == "tool":
        text = f"error: {message.text}" if message.failed else message.text
        data: dict[str, Any] = {"role": "tool", "content": text, "tool_call_id": message.tool_call_id}
        if message.tool_call_id in names:
            data["tool_name"] = names[message.tool_call_id]
        return data
    data = {"role": message.role, "content": message.text}
    texts = []
    for one in message.media:
        if media.is_image(one):
            data.setdefault("images", []).append(one.data)
        elif media.is_text(one):
            texts.append(media.as_text(one))
        else:
            what = f"{one.name or 'a file'} is {one.media_type}; Ollama takes images and text"
            raise ModelFault(Reason.REFUSED, what, sent=False)
    if texts:
        data["content"] = "\n\n".join([*texts, message.text] if message.text else texts)
    if message.thought is not None:
        data["thinking"] = message.thought.said
    if message.tool_calls:
        data["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": dict(call.arguments)}}
            for call in message.tool_calls
        ]
    return data
