"""How each of the three services says the same things."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from model_servers.eventstream import message
from model_servers.service import Part, Reply, chunked, response


class Said(NamedTuple):
    """An answer, in nobody's dialect."""

    pieces: Sequence[str] = ("Hel", "lo ", "wörld")
    calls: Sequence[tuple[str, str, Mapping[str, Any]]] = ()
    """Id, name and arguments."""
    finish: str = "stop"
    """stop, length, tool_calls, refused"""
    read: int = 12
    wrote: int = 5
    cached: int = 0

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Dialect:
    """One protocol."""

    name = ""
    streams = ""
    """The content type of a streamed answer."""

    def options(self, url: str) -> dict[str, Any]:
        raise NotImplementedError

    def environ(self, key: str) -> dict[str, str]:
        """The usual variables, with a secret in them."""
        raise NotImplementedError

    def whole(self, said: Said = Said()) -> dict[str, Any]:
        raise NotImplementedError

    def parts(self, said: Said = Said()) -> list[bytes]:
        """The parts of a streamed answer."""
        raise NotImplementedError

    def error(self, kind: str, text: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers of an error: rate, down, key, long, model, filter."""
        raise NotImplementedError

    def error_part(self, kind: str, text: str) -> bytes:
        """An error in the middle of a streamed answer."""
        raise NotImplementedError

    def answer(self, said: Said = Said(), **headers: str) -> bytes:
        return response(self.whole(said), headers=headers)

    def stream(self, said: Said = Said(), **headers: str) -> list[Part]:
        return chunked(self.parts(said), self.streams, headers)

    def either(self, said: Said = Said()) -> Any:
        """Answers each request in the way that it asks for."""

        def choose(asked: Any) -> Reply:
            return self.stream(said) if self.is_stream(asked) else [self.answer(said)]

        return choose

    def is_stream(self, asked: Any) -> bool:
        return asked.data.get("stream") is True

    def declines(self, kind: str, text: str = "no", headers: Mapping[str, str] | None = None) -> bytes:
        status, body, own = self.error(kind, text)
        return response(body, status, {**own, **(headers or {})})

    # What a request says, in nobody's dialect.

    def heard(self, data: Any) -> dict[str, Any]:
        """`model`, `messages` (role, text), `tools` (names), `max_tokens`, `temperature`."""
        raise NotImplementedError


class OpenAi(Dialect):
    name, streams = "openai", "text/event-stream"
    _finish: ClassVar = {"refused": "content_filter"}

    def options(self, url: str) -> dict[str, Any]:
        return {"base_url": f"{url}/v1"}

    def environ(self, key: str) -> dict[str, str]:
        return {"OPENAI_API_KEY": key}

    def _usage(self, said: Said) -> dict[str, Any]:
        return {
            "prompt_tokens": said.read,
            "completion_tokens": said.wrote,
            "total_tokens": said.read + said.wrote,
            "prompt_tokens_details": {"cached_tokens": said.cached},
            "completion_tokens_details": {"reasoning_tokens": 2},
        }

    def whole(self, said: Said = Said()) -> dict[str, Any]:
        calls = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for id, name, arguments in said.calls
        ]
        content: dict[str, Any] = {"role": "assistant", "content": said.text or None}
        if calls:
            content["tool_calls"] = calls
        finish = self._finish.get(said.finish, said.finish)
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "m-2026",
            "choices": [{"index": 0, "message": content, "finish_reason": finish}],
            "usage": self._usage(said),
        }

    def _chunk(self, **more: Any) -> bytes:
        return b"data: " + json.dumps({"id": "chatcmpl-1", "model": "m-2026", **more}).encode() + b"\n\n"

    def parts(self, said: Said = Said()) -> list[bytes]:
        def delta(content: dict[str, Any], finish: str | None = None) -> bytes:
            return self._chunk(choices=[{"index": 0, "delta": content, "finish_reason": finish}])

        parts = [delta({"role": "assistant", "content": ""})]
        parts += [delta({"content": piece}) for piece in said.pieces]
        for index, (id, name, arguments) in enumerate(said.calls):
            text = json.dumps(arguments)
            half = len(text) // 2
            for call in (
                {"id": id, "type": "function", "function": {"name": name, "arguments": ""}},
                {"function": {"arguments": text[:half]}},
                {"function": {"arguments": text[half:]}},
            ):
                parts.append(delta({"tool_calls": [{"index": index, **call}]}))
        parts.append(delta({}, self._finish.get(said.finish, said.finish)))
        parts.append(self._chunk(choices=[], usage=self._usage(said)))
        return [*parts, b"data: [DONE]\n\n"]

    def error(self, kind: str, text: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        status, code = {
            "rate": (429, "rate_limit_exceeded"),
            "down": (503, "server_error"),
            "broken": (500, "server_error"),
            "key": (401, "invalid_api_key"),
            "long": (400, "context_length_exceeded"),
            "model": (404, "model_not_found"),
            "filter": (400, "content_filter"),
        }[kind]
        return status, {"error": {"message": text, "type": "x", "code": code}}, {}

    def error_part(self, kind: str, text: str) -> bytes:
        return b"event: error\ndata: " + json.dumps(self.error(kind, text)[1]).encode() + b"\n\n"

    def heard(self, data: Any) -> dict[str, Any]:
        return {
            "model": data["model"],
            "messages": [(m["role"], m["content"]) for m in data["messages"]],
            "tools": [tool["function"]["name"] for tool in data.get("tools", ())],
            "max_tokens": data.get("max_tokens"),
            "temperature": data.get("temperature"),
        }


class Ollama(Dialect):
    name, streams = "ollama", "application/x-ndjson"

    def options(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "headers": {"X-Key": {"from": "env", "key": "OLLAMA_KEY"}}}

    def environ(self, key: str) -> dict[str, str]:
        return {"OLLAMA_KEY": key}

    def _last(self, said: Said) -> dict[str, Any]:
        return {
            "done": True,
            "done_reason": "length" if said.finish == "length" else "stop",
            "prompt_eval_count": said.read,
            "eval_count": said.wrote,
        }

    def _calls(self, said: Said) -> list[dict[str, Any]]:
        return [{"function": {"name": name, "arguments": arguments}} for _, name, arguments in said.calls]

    def whole(self, said: Said = Said()) -> dict[str, Any]:
        content: dict[str, Any] = {"role": "assistant", "content": said.text}
        if said.calls:
            content["tool_calls"] = self._calls(said)
        return {"model": "m-2026", "message": content, **self._last(said)}

    def parts(self, said: Said = Said()) -> list[bytes]:
        def line(**more: Any) -> bytes:
            return json.dumps({"model": "m-2026", **more}).encode() + b"\n"

        parts = [line(message={"role": "assistant", "content": piece}, done=False) for piece in said.pieces]
        if said.calls:
            parts.append(
                line(message={"role": "assistant", "content": "", "tool_calls": self._calls(said)}, done=False)
            )
        return [*parts, line(message={"role": "assistant", "content": ""}, **self._last(said))]

    def error(self, kind: str, text: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        status, said = {
            "rate": (429, f"rate limit: {text}"),
            "down": (503, f"server busy, please try again: {text}"),
            "broken": (500, f"llama runner process has terminated: {text}"),
            "key": (401, f"unauthorized: {text}"),
            "long": (400, f"the input length exceeds the context length: {text}"),
            "model": (404, f"model 'x' not found: {text}"),
            "filter": (400, f"content filter: {text}"),
        }[kind]
        return status, {"error": said}, {}

    def error_part(self, kind: str, text: str) -> bytes:
        return json.dumps(self.error(kind, text)[1]).encode() + b"\n"

    def is_stream(self, asked: Any) -> bool:
        return asked.data.get("stream") is not False

    def heard(self, data: Any) -> dict[str, Any]:
        return {
            "model": data["model"],
            "messages": [(m["role"], m["content"]) for m in data["messages"]],
            "tools": [tool["function"]["name"] for tool in data.get("tools", ())],
            "max_tokens": data.get("options", {}).get("num_predict"),
            "temperature": data.get("options", {}).get("temperature"),
        }


class Bedrock(Dialect):
    name, streams = "bedrock", "application/vnd.amazon.eventstream"
    _finish: ClassVar = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "refused": "guardrail_intervened",
    }

    def options(self, url: str) -> dict[str, Any]:
        return {"endpoint_url": url, "region": "eu-central-1"}

    def environ(self, key: str) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": key}

    def _usage(self, said: Said) -> dict[str, int]:
        usage = {"inputTokens": said.read - said.cached, "outputTokens": said.wrote, "totalTokens": 0}
        usage["totalTokens"] = said.read + said.wrote
        return {**usage, "cacheReadInputTokens": said.cached} if said.cached else usage

    def whole(self, said: Said = Said()) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"text": said.text}] if said.text else []
        content += [
            {"toolUse": {"toolUseId": id, "name": name, "input": arguments}} for id, name, arguments in said.calls
        ]
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self._finish[said.finish],
            "usage": self._usage(said),
            "metrics": {"latencyMs": 1},
        }

    def parts(self, said: Said = Said()) -> list[bytes]:
        parts = [message("messageStart", {"role": "assistant"})]
        number = 0
        if said.pieces:
            for piece in said.pieces:
                parts.append(message("contentBlockDelta", {"delta": {"text": piece}, "contentBlockIndex": number}))
            parts.append(message("contentBlockStop", {"contentBlockIndex": number}))
            number += 1
        for id, name, arguments in said.calls:
            start = {"toolUse": {"toolUseId": id, "name": name}}
            parts.append(message("contentBlockStart", {"start": start, "contentBlockIndex": number}))
            text = json.dumps(arguments)
            half = len(text) // 2
            for piece in (text[:half], text[half:]):
                delta = {"delta": {"toolUse": {"input": piece}}, "contentBlockIndex": number}
                parts.append(message("contentBlockDelta", delta))
            parts.append(message("contentBlockStop", {"contentBlockIndex": number}))
            number += 1
        parts.append(message("messageStop", {"stopReason": self._finish[said.finish]}))
        parts.append(message("metadata", {"usage": self._usage(said), "metrics": {"latencyMs": 1}}))
        return parts

    def error(self, kind: str, text: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        status, name, said = {
            "rate": (429, "ThrottlingException", text),
            "down": (503, "ServiceUnavailableException", text),
            "broken": (500, "InternalServerException", text),
            "key": (403, "ExpiredTokenException", text),
            "long": (400, "ValidationException", f"Input is too long for requested model. {text}"),
            "model": (404, "ResourceNotFoundException", text),
            "filter": (400, "ValidationException", f"blocked by content filter {text}"),
        }[kind]
        return status, {"message": said}, {"x-amzn-ErrorType": name}

    def error_part(self, kind: str, text: str) -> bytes:
        name = {"rate": "throttlingException", "down": "serviceUnavailableException"}.get(
            kind, "modelStreamErrorException"
        )
        return message(name, {"message": text}, fault=True)

    def is_stream(self, asked: Any) -> bool:
        return asked.path.endswith("/converse-stream")

    def heard(self, data: Any) -> dict[str, Any]:
        turns = [("system", one["text"]) for one in data.get("system", ())]
        turns += [(m["role"], "".join(part.get("text", "") for part in m["content"])) for m in data["messages"]]
        inference = data.get("inferenceConfig", {})
        tools = data.get("toolConfig", {}).get("tools", ())
        return {
            "messages": turns,
            "tools": [tool["toolSpec"]["name"] for tool in tools],
            "max_tokens": inference.get("maxTokens"),
            "temperature": inference.get("temperature"),
        }


OPENAI, OLLAMA, BEDROCK = OpenAi(), Ollama(), Bedrock()
DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (OPENAI, OLLAMA, BEDROCK)}
