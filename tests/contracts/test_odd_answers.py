"""Answers of servers and gateways that say in other places what chat completions say."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest
from model_servers import CUT, OPENAI, Service, chunked, response

from pipe_runner.models import Finish, Message, ModelFault, ModelRequest, ModelResponse, Reason, ToolCall, Usage
from pipe_runner.registry import ProviderTypes

REQUEST = ModelRequest(model="m", messages=(Message("user", "Say hello."),))
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def bench(service: Service, provider_bench: Any) -> Any:
    return provider_bench(OPENAI, service)


def part(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "finish_reason": finish, **more, **({} if delta is None else {"delta": delta})}
    return b"data: " + json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode() + b"\n\n"


def streamed(bench: Any, *parts: bytes) -> ModelResponse:
    bench.service.answers(chunked([*parts, DONE], OPENAI.streams))
    answer: ModelResponse = bench.ask(REQUEST, streamed=True)
    return answer


def call(arguments: str, **more: Any) -> dict[str, Any]:
    return {"index": 0, "type": "function", "function": {"name": "echo", "arguments": arguments}, **more}


# ---------------------------------------------------------------- calls of tools


@pytest.mark.parametrize("id", [{}, {"id": ""}, {"id": None}])
@pytest.mark.parametrize("together", [False, True])
def test_whole_calls_that_bear_the_same_number_and_no_id_are_several(
    id: dict[str, Any], together: bool, bench: Any
) -> None:
    """Of gateways to Gemini, whose calls come whole."""
    calls = [call(json.dumps({"text": text}), **id) for text in "abc"]
    deltas = [calls] if together else [[one] for one in calls]
    answer = streamed(bench, *(part({"tool_calls": one}) for one in deltas), part({}, "stop"))
    assert [(one.name, one.arguments, one.fault) for one in answer.tool_calls] == [
        ("echo", {"text": text}, None) for text in "abc"
    ]
    assert len({one.id for one in answer.tool_calls}) == 3
    assert answer.finish is Finish.TOOL_CALLS


@pytest.mark.parametrize(
    "texts", [('{"a": ', '{"b": 1}', "}"), ('{"a": "{}', '{}"}'), ("", '{"a": 1}'), ('{"a": 1}', "")]
)
def test_a_call_that_comes_in_parts_with_its_name_in_each_is_one(texts: tuple[str, ...], bench: Any) -> None:
    answer = streamed(bench, *(part({"tool_calls": [call(text)]}) for text in texts), part({}, "tool_calls"))
    [one] = answer.tool_calls
    assert (one.arguments, one.fault) == (json.loads("".join(texts)), None)


# ---------------------------------------------------------------- where the answer stands


def test_a_message_in_place_of_a_delta_is_an_answer(bench: Any) -> None:
    """Of gateways that put a whole answer into one event."""
    said = {"role": "assistant", "content": "Hello", "tool_calls": None}
    answer = streamed(bench, part(None, "stop", message=said))
    assert (answer.text, answer.finish) == ("Hello", Finish.STOP)
    whole = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", **call('{"text": 1}')}]}
    answer = streamed(bench, part(None, "tool_calls", message=whole))
    assert [one.arguments for one in answer.tool_calls] == [{"text": 1}]


def test_a_message_that_repeats_what_came_in_deltas_adds_nothing(bench: Any) -> None:
    """Perplexity sends both."""
    parts = [part({"content": text}, message={"content": all}) for text, all in (("Hel", "Hel"), ("lo", "Hello"))]
    assert streamed(bench, *parts, part(None, "stop", message={"content": "Hello"})).text == "Hello"
    assert streamed(bench, *parts, part({}, "stop", message={"content": "Hello"})).text == "Hello"


@pytest.mark.parametrize("end", [CUT, 30.0])
def test_an_answer_that_is_whole_needs_no_end_of_its_connection(end: Any, bench: Any) -> None:
    """What was used is told last."""
    parts = [one for one in OPENAI.parts() if one != DONE]
    bench.service.answers([*chunked(parts, OPENAI.streams, end=False), end])
    began = time.monotonic()
    answer = bench.ask(REQUEST, streamed=True)
    assert time.monotonic() - began < 10
    assert (answer.text, answer.finish, answer.usage.output) == ("Hello wörld", Finish.STOP, 5)


def test_an_error_that_is_none_is_none(bench: Any) -> None:
    counts = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}, "error": None, "error_code": 0}
    last = b"data: " + json.dumps({**counts, "base_resp": {"status_code": 0, "status_msg": ""}}).encode() + b"\n\n"
    answer = streamed(bench, part({"content": "Hello"}), part({}, "stop"), last)
    assert (answer.text, answer.usage) == ("Hello", Usage(9, 2))


def test_counts_before_the_end_are_no_end(bench: Any) -> None:
    counts = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 0}}\n\n'
    answer = streamed(bench, counts, part({"content": "Hello"}), part({}, "stop"))
    assert (answer.text, answer.usage) == ("Hello", Usage(9, 0))


# ---------------------------------------------------------------- errors in the place of an answer


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("before", ["", "event: error\n", ": beat\n\n", "id: 7\r\n"])
def test_an_error_that_comes_as_an_event_is_read(before: str, streamed: bool, bench: Any) -> None:
    error = {"error": {"message": "too many words", "code": "context_length_exceeded"}}
    body = f"{before}data: {json.dumps(error)}\n\ndata: [DONE]\n\n"
    bench.service.answers(response(body, 400, {"Content-Type": OPENAI.streams}))
    fault = bench.fault(REQUEST, streamed=streamed)
    assert fault.reason is Reason.TOO_LONG
    assert "answered 400: too many words;" in fault.message


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("choices", [{}, {"choices": None}, {"choices": []}])
def test_an_error_in_the_place_of_an_answer_is_told(choices: dict[str, Any], streamed: bool, bench: Any) -> None:
    error = {"message": "no provider has room", "code": 503}
    bench.service.answers(response({"id": None, "error": error, **choices}))
    fault = bench.fault(REQUEST, streamed=streamed)
    assert (fault.reason, fault.status) == (Reason.UNAVAILABLE, 503)
    assert "no provider has room" in fault.message


@pytest.mark.parametrize(
    "said",
    [
        {"object": "error", "message": "oh", "code": 500},
        {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "oh"}},
        {"error_code": 500, "message": "oh"},
    ],
)
def test_an_error_that_is_a_part_of_its_own_is_told(said: dict[str, Any], bench: Any) -> None:
    parts = [part({"content": "Hel"}), b"data: " + json.dumps(said).encode() + b"\n\n", DONE]
    bench.service.answers(chunked(parts, OPENAI.streams))
    fault = bench.fault(REQUEST, streamed=True)
    assert (fault.reason, fault.begun) == (Reason.UNAVAILABLE, True)
    assert "oh" in fault.message
    bench.service.answers(response(said))
    assert "oh" in bench.fault(REQUEST).message


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ({"message": "maximum context length is 8192. You requested 4096 output tokens", "code": 400}, "`max_tokens`"),
        ({"message": "response_format is not supported", "code": 400}, "`output_schema` of the provider"),
        ({"message": "Invalid API key", "code": 401}, "the key is wrong"),
        ({"message": "upstream is gone", "code": 502}, ""),
    ],
)
def test_an_error_within_a_stream_is_told_with_what_mends_it(said: dict[str, Any], advice: str, bench: Any) -> None:
    """SGLang and LM Studio say so what others say by a status."""
    error = b"data: " + json.dumps({"error": said}).encode() + b"\n\n"
    bench.service.answers(chunked([error, DONE], OPENAI.streams))
    message = bench.fault(REQUEST, streamed=True).message
    assert advice in message
    assert advice or message.endswith(f": {said['message']}")


# ---------------------------------------------------------------- ids of calls


@pytest.mark.parametrize(
    ("host", "takes"),
    [
        ("api.mistral.ai", "[A-Za-z0-9]{9}"),
        ("api.openai.com", ".{1,40}"),
        ("ours.openai.azure.com", ".{1,40}"),
        ("llm.example.com", ".*"),
    ],
)
@pytest.mark.parametrize("id", ["D681PevKs", "call_abc123", "functions.add:0", "g" * 400, "call_" + "x" * 35])
def test_ids_that_another_service_gave_fit(host: str, takes: str, id: str, provider_bench: Any) -> None:
    """Where a conversation with tools goes on at the next one of a list."""
    key = {"from": "env", "key": "OPENAI_API_KEY"}
    provider = provider_bench(OPENAI, None, f"https://{host}").open(api_key=key)
    turns = (Message("assistant", tool_calls=(ToolCall(id, "add", {}),)), Message("tool", "3", tool_call_id=id))
    said = provider.asked(REQUEST._replace(messages=(*REQUEST.messages, *turns)), stream=False).body["messages"]
    told = said[1]["tool_calls"][0]["id"]
    assert told == said[2]["tool_call_id"]
    assert re.fullmatch(takes, told)
    assert (told == id) == bool(re.fullmatch(takes, id)), "its own ids come back as they were"


@pytest.mark.parametrize(
    ("host", "said", "prompted"),
    [
        ("api.anthropic.com", {}, True),
        ("api.anthropic.com", {"output_schema": "json_schema"}, False),
        ("api.openai.com", {}, False),
        ("api.anthropic.com.example.org", {}, False),
    ],
)
def test_a_schema_reaches_the_model_where_the_field_for_it_is_ignored(
    host: str, said: dict[str, Any], prompted: bool, provider_bench: Any
) -> None:
    key = {"from": "env", "key": "OPENAI_API_KEY"}
    provider = provider_bench(OPENAI, None, f"https://{host}/v1").open(api_key=key, **said)
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
    body = provider.asked(REQUEST._replace(output_schema=schema), stream=False).body
    assert ("response_format" in body) is not prompted
    assert ("colour" in json.dumps(body["messages"])) is prompted


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("address", "key", "header"),
    [
        ("https://ours.openai.azure.com/openai/deployments/gpt-4o", "0123456789abcdef", "api-key"),
        ("https://ours.cognitiveservices.azure.com/openai/deployments/gpt-4o", "0123456789abcdef", "api-key"),
        ("https://ours.openai.azure.com/openai/deployments/gpt-4o", "eyJhbGci.eyJhdWQi.c2ln", "Authorization"),
        ("https://ours.openai.azure.com/openai/v1", "0123456789abcdef", "Authorization"),
        ("https://llm.example.com/openai/deployments/gpt-4o", "0123456789abcdef", "Authorization"),
    ],
)
def test_a_deployment_of_azure_gets_its_key_where_it_looks_for_it(address: str, key: str, header: str) -> None:
    """There a bearer is a token of Entra ID, and a key has a header of its own."""
    kind = ProviderTypes()["openai"]
    options = {"base_url": address, "api_key": {"from": "env", "key": "KEY"}, "query": {"api-version": "2024-10-21"}}
    provider: Any = kind.open(kind.settings("mine", options, "", {"KEY": key}))
    sent = {name: value for name, value in provider._wire._headers.items() if key in value}
    assert sent == {header: f"Bearer {key}" if header == "Authorization" else key}


def test_a_check_of_a_key_asks_somebody_who_looks_at_it(bench: Any) -> None:
    """OpenRouter's list of models is everybody's, so that a wrong key would pass."""
    provider: Any = bench.open(model="m-1")
    bench.service.decides(
        lambda asked: [response({"error": {"message": "No auth"}}, 401)] if "key" in asked.path else bench.lists(asked)
    )

    async def checked() -> str:
        provider._router = True  # as of openrouter.ai
        try:
            return str(await provider.check())
        finally:
            await provider.close()

    with pytest.raises(ModelFault) as raised:
        asyncio.run(checked())
    assert raised.value.reason is Reason.CREDENTIALS
    assert [asked.path for asked in bench.service.asked] == ["/v1/key"]
    key = {"from": "env", "key": "OPENAI_API_KEY"}
    for host, router in (("openrouter.ai", True), ("notopenrouter.ai", False), ("api.openai.com", False)):
        assert bench.__class__(OPENAI, None, f"https://{host}").open(api_key=key)._router is router
