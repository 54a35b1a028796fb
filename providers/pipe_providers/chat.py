"""The client of chat completions: what is asked, and how an answer is read, whole or streamed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipe_providers.answers import Read, called
from pipe_providers.asking import Asked, HttpProvider, Reading
from pipe_providers.bounds import MOST
from pipe_providers.chat_counts import charged, counts_in, usage_of
from pipe_providers.chat_words import told_messages
from pipe_providers.faults import hiding, in_stream
from pipe_providers.framing import DONE, Event, Events, is_cut, loaded
from pipe_providers.given import host_of
from pipe_providers.ids import ids_of
from pipe_providers.schemas import Wanted, instruct, is_strict, told, typed, wanted
from pipe_providers.thoughts import Thoughts, whole_thought
from pipe_runner.models import (
    Finish,
    ModelFault,
    ModelRequest,
    ProviderSettings,
    Reason,
    ToolCall,
)
from pipe_schemas.durations import parse_duration

_PATH = "/chat/completions"
_FINISH = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    **dict.fromkeys(
        ("content_filter", "safety", "sensitive", "refusal", "prohibited_content", "blocklist", "spii", "recitation"),
        Finish.REFUSED,
    ),
}
"""In small letters, up to a colon."""
_NOT_ENDED = (
    *("error", "abort", "aborted", "cancel", "canceled", "cancelled", "time_limit", "timeout"),
    *("network_error", "insufficient_system_resource"),
)
"""What is said of an answer that its service has cut."""
_UNREADABLE = (
    *("function_call_filter", "malformed_function_call", "malformed_response"),
    *("unexpected_tool_call", "too_many_tool_calls"),
)
"""What is said of an answer that its service can't read."""
_FULL = "model_context_window_exceeded"
"""What Anthropic, Z.ai and their gateways say of an answer that ends where the model's context does."""
_NEW_KEY = (
    *(".api.openai.com", ".openai.azure.com", ".openai.azure.us", ".openai.azure.cn"),
    *(".cognitiveservices.azure.com", ".services.ai.azure.com"),
)
"""Ends of hosts whose newer models know `max_completion_tokens` only."""
_DEPLOYMENT = re.compile(r"https://[^/]+\.(?:openai|cognitiveservices)\.azure\.[a-z]+(?::\d+)?/openai/deployments/")
"""The older addresses of Azure, with an `api-version`."""
_ROUTER = ".openrouter.ai"
"""Its list of models is everybody's, so that it says nothing of a key; and it says what an answer cost."""
_MISTRAL = ".mistral.ai"
"""Its service refuses `stream_options`, and tells usage without; a seed is `random_seed` there."""
_MISTRAL_IDS, _OPENAI_IDS = ids_of("[A-Za-z0-9]{9}", 9), ids_of("(?s:.{1,40})", 40)
_UNSHAPED = ".api.anthropic.com"
"""Its chat completions pass over `response_format`, so that a schema there would reach no model."""
_OPTIONAL = ("stream_options", "tool_choice")
"""Fields that a null in `extra_body` takes out: some servers refuse them."""


class OpenAiProvider(HttpProvider):
    """Chat completions at one address."""

    def __init__(self, settings: ProviderSettings) -> None:
        from pipe_providers.wire import Wire

        said = settings.options
        url = said["base_url"]
        headers = dict(said.get("headers") or {})
        if key := said.get("api_key"):
            own = _DEPLOYMENT.match(url) and "." not in key  # there a bearer is a token of Entra ID, which has dots
            headers.setdefault(*(("api-key", key) if own else ("Authorization", f"Bearer {key}")))
        if said.get("organization"):
            headers["OpenAI-Organization"] = said["organization"]
        if said.get("project"):
            headers["OpenAI-Project"] = said["project"]
        where = f"provider {settings.name} ({host_of(url)})"
        wire = Wire(
            where, url, headers, said.get("query") or {}, hiding(settings.secrets, settings.mask), said.get("proxy")
        )
        super().__init__(settings, wire, parse_duration(said["timeout"]))
        host = f".{urlsplit(url).hostname}"
        new, self._mistral = host.endswith(_NEW_KEY), host.endswith(_MISTRAL)
        self._router = host.endswith(_ROUTER)
        self._ids = _MISTRAL_IDS if self._mistral else _OPENAI_IDS if new else str
        self._most = said.get("max_tokens_key") or ("max_completion_tokens" if new else "max_tokens")
        self._schemas = said.get("output_schema") or ("prompt" if host.endswith(_UNSHAPED) else "json_schema")
        self._extra = said.get("extra_body") or {}
        self._returns = said.get("return_reasoning") is not False

    def asked(self, request: ModelRequest, *, stream: bool) -> Asked:
        body: dict[str, Any] = {**self._extra, "model": request.model}
        body["messages"] = told_messages(request.messages, self._ids)
        if stream:
            body["stream"] = True
            if not self._mistral:
                body["stream_options"] = {"include_usage": True}
        if request.tools:
            body["tools"] = [{"type": "function", "function": told(tool)._asdict()} for tool in request.tools]
            body["tool_choice"] = request.tool_choice
        if request.output_schema is not None:
            self._shape(body, wanted(request.output_schema))
        if request.max_tokens is not None:
            body[self._most] = request.max_tokens
        for key in ("temperature", "top_p", "seed"):
            if getattr(request, key) is not None:
                body["random_seed" if key == "seed" and self._mistral else key] = getattr(request, key)
        if request.stop:
            body["stop"] = list(request.stop)
        for key in _OPTIONAL:
            if self._extra.get(key, ...) is None:
                body.pop(key, None)
        return Asked(_PATH, body)

    def _shape(self, body: dict[str, Any], shape: Wanted) -> None:
        if self._schemas == "json_schema":
            schema = typed(shape.schema)
            shown = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": shown}
            return
        if self._schemas == "json_object":
            body["response_format"] = {"type": "json_object"}
        instruct(body["messages"], shape.schema, tools="tools" in body)

    def whole(self, request: ModelRequest, data: Mapping[str, Any]) -> Read:
        if _failed(data):
            raise in_stream(self._wire.where, data, self._wire.hide)
        choice = _first(data["choices"]) or data["choices"][0]
        self.must_be_whole(choice)
        message = choice["message"]
        calls = tuple(
            called(str(call.get("id") or f"call_{index}"), call["function"]["name"], _arguments(call["function"]))
            for index, call in enumerate(message.get("tool_calls") or ())
        )
        text = _text(message.get("content"))
        read = self._read(
            request, text, message.get("refusal"), choice.get("finish_reason"), calls, counts_in(data, choice)
        )
        thought = whole_thought(message) if self.wants_thought(request) else None
        return read._replace(model=_word(data.get("model")), request_id=_word(data.get("id")) or None, thought=thought)

    def wants_thought(self, request: ModelRequest) -> bool:
        """Whether what the model thinks may have to go back to it."""
        return self._returns and bool(request.tools)

    def reading(self, request: ModelRequest) -> Reading:
        return _Stream(self, request)

    def _read(
        self,
        request: ModelRequest,
        text: str,
        refusal: Any,
        finish: Any,
        calls: tuple[ToolCall, ...],
        usage: Any,
    ) -> Read:
        used = usage_of(usage)
        end = _ended(finish)
        why = _FINISH.get(end, Finish.OTHER)
        if why is Finish.REFUSED:
            message = f"{self._wire.where}: its content filter declined to answer"
            raise ModelFault(Reason.REFUSED, message, usage=used)
        if end in _UNREADABLE:
            message = f"{self._wire.where}: the model wrote what the service can't read ({end})"
            raise ModelFault(Reason.INVALID_OUTPUT, message, usage=used)
        if end == _FULL:
            message = f"{self._wire.where}: question and answer are longer than the model's context"
            raise ModelFault(Reason.TOO_LONG, message, usage=used)
        if isinstance(refusal, str) and refusal and not text:
            return Read(refusal, Finish.REFUSED, (), used)
        if calls and why in (Finish.STOP, Finish.OTHER):  # some servers say `stop`
            why = Finish.TOOL_CALLS
        if request.output_schema is not None:
            text = wanted(request.output_schema).unwrapped(text)
        return Read(text, why, calls, used, cost=charged(usage) if self._router else None)

    def must_be_whole(self, choice: Mapping[str, Any], request_id: str | None = None) -> None:
        """Raises ModelFault where the service says that it could not end this answer."""
        error, finish = choice.get("error"), choice.get("finish_reason")
        if error or (finish and _ended(finish) in _NOT_ENDED):
            told = choice if error else finish
            raise in_stream(self._wire.where, told, self._wire.hide, request_id=request_id, begun=True)

    async def check(self) -> str:
        if self._router:
            await self.check_key("/key")
        return await self.check_listed_or_asked("/models", "data", "id")


class _Stream:
    """One streamed answer."""

    def __init__(self, provider: OpenAiProvider, request: ModelRequest) -> None:
        self._provider, self._request = provider, request
        self._events = Events()
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[tuple[int, int], list[str]] = {}
        """Id, name and parts of the arguments, by the service's number and a count of calls that bear the same."""
        self._thoughts = Thoughts() if provider.wants_thought(request) else None
        self._size = 0
        self._finish: Any = None
        self._usage: Any = None
        self._model, self._id = "", ""
        self._begun = False
        self._first_came, self._others_came = False, False
        """Which of several answers something has come of."""
        self.ended = False

    @property
    def held(self) -> int:
        return max(self._events.held, self._size)

    def feed(self, data: bytes) -> Iterator[str]:
        return self._taken(self._events.feed(data))

    def rest(self) -> Iterator[str]:
        yield from self._taken([event for event in self._events.rest() if not is_cut(event.data)])
        self.ended = self.ended or self._finish is not None

    def _taken(self, events: list[Event]) -> Iterator[str]:
        for event in events:
            data = event.data.strip()
            if data == DONE:
                self.ended = True
                break
            if not data and event.name != "error":  # a sign of life
                continue
            if piece := self._take(event):
                yield piece

    def _take(self, event: Event) -> str:
        data: Any = None
        try:
            data = loaded(event.data)
        except (ValueError, RecursionError):
            pass
        is_object = isinstance(data, dict)
        if event.name == "error" or (is_object and (data.get("error") or _failed(data))):
            wire, told = self._provider._wire, data if is_object else event.data.decode("utf-8", "replace")
            raise in_stream(wire.where, told, wire.hide, request_id=self._id or None, begun=self._begun)
        if not is_object:
            message = f"{self._provider._wire.where} streamed a part that is no JSON object"
            raise ModelFault(Reason.INVALID_OUTPUT, message)
        self._begun = True
        try:
            return self._part(data)
        except (LookupError, TypeError, AttributeError, ValueError):
            pass
        message = f"{self._provider._wire.where} streamed a part of another shape than a chat completion's"
        raise ModelFault(Reason.INVALID_OUTPUT, message)

    def _part(self, data: dict[str, Any]) -> str:
        if not (self._model and self._id):
            self._model = self._model or _word(data.get("model"))
            self._id = self._id or _word(data.get("id"))
        choices = data.get("choices") or ()
        choice = _first(choices)
        self._usage = counts_in(data, choice) or self._usage
        if choice is None:
            self._others_came = self._others_came or bool(choices)
            self.ended = self.ended or bool(self._finish and self._usage and not choices)  # which is told last
            return ""
        self._first_came = True
        self._provider.must_be_whole(choice, self._id or None)
        delta = choice.get("delta") or {}
        if "delta" not in choice and not (self._text or self._calls):
            delta = choice.get("message") or {}  # of gateways that put a whole answer into one event
        self._finish = choice.get("finish_reason") or self._finish
        if refusal := delta.get("refusal"):
            self._refusal.append(refusal)
            self._size += len(refusal)
        if self._thoughts is not None:
            self._size += self._thoughts.take(delta)
        if calls := delta.get("tool_calls"):
            for number, call in enumerate(calls):
                self._call(call, number)
        text = _text(delta.get("content"))
        if text:
            self._text.append(text)
        return text

    def _call(self, call: dict[str, Any], number: int) -> None:
        function = call.get("function") or {}
        index = call.get("index")
        if not isinstance(index, int):  # whole calls, of servers that don't number them
            index = len(self._calls) if call.get("id") or function.get("name") else max(len(self._calls) - 1, number)
        id, name, again = str(call.get("id") or ""), _word(function.get("name")), 0
        while (index, again + 1) in self._calls:
            again += 1
        known = self._calls.get((index, again))
        arguments = _arguments(function)
        if known is not None and name and (known[0] not in ("", id) if id else _is_another(known, arguments)):
            again += 1
        parts = self._calls.setdefault((index, again), ["", "", ""])
        parts[0], parts[1] = parts[0] or id, parts[1] or name
        if len(parts) > 3000:  # many small parts are joined now and then
            parts[2:] = ["".join(parts[2:])]
        parts.append(arguments)
        self._size += len(arguments) + len(id)
        if self._thoughts is not None:
            self._size += self._thoughts.mark((index, again), call)
        if len(self._calls) > 1000 or self._size > MOST:
            raise self._provider._wire.too_large(MOST)

    def read(self) -> Read:
        if self._others_came and not self._first_came:
            message = f"{self._provider._wire.where} streamed other answers and none that is the first (`index: 0`)"
            raise ModelFault(Reason.INVALID_OUTPUT, message, usage=usage_of(self._usage))
        calls = tuple(
            called(parts[0] or f"call_{number}", parts[1], "".join(parts[2:]))
            for number, (_, parts) in enumerate(sorted(self._calls.items()))
        )
        finish = self._finish or "stop"
        text, refusal = "".join(self._text), "".join(self._refusal)
        read = self._provider._read(self._request, text, refusal, finish, calls, self._usage)
        thought = None if self._thoughts is None else self._thoughts.said(sorted(self._calls))
        return read._replace(model=self._model, request_id=self._id or None, thought=thought)


def _failed(data: Mapping[str, Any]) -> bool:
    """Whether an error stands in the place of an answer, or of a part of one."""
    if data.get("choices"):
        return False
    base = data.get("base_resp")  # MiniMax
    coded = isinstance(base, dict) and base.get("status_code") not in (0, None)
    return bool(data.get("error") or data.get("error_code")) or data.get("object") == "error" or coded


def _is_another(parts: list[str], arguments: str) -> bool:
    """Whether a call with these arguments begins behind one that came whole: some servers give all the same number, and
    no ids."""
    if len(parts) > 5 or not arguments.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads("".join(parts[2:])), dict)
    except (ValueError, RecursionError):
        return False


def _first(choices: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The first of the answers that were asked for."""
    for one in choices:
        if str(one.get("index") or 0) == "0":
            return one
    return None


def _ended(finish: Any) -> str:
    """How an answer ended, in small letters, without what some services add behind a colon."""
    return finish.lower().partition(":")[0] if isinstance(finish, str) else ""


def _text(content: Any) -> str:
    """The text of a content, which some servers give in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part["text"] for part in content if part.get("type") in ("text", "output_text"))


def _arguments(function: Mapping[str, Any]) -> str:
    arguments = function.get("arguments")
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments)


def _word(value: Any) -> str:
    return value[:300] if isinstance(value, str) else ""
