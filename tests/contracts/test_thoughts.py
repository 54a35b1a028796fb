"""What a model thought goes back to its service, unchanged, with what its tools gave: each of these services refuses a
conversation without it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from model_servers import CEREBRAS, DIALECTS, THINKERS, Service, chunked, response

from pipe_providers import converse_words
from pipe_runner.models import Finish, Message, ModelRequest, ModelResponse, Provider, ToolSpec

ADD = ToolSpec("add", "Adds.", {"type": "object"})
ASKED = ModelRequest("m", (Message("user", "sum"),), (ADD,))
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


async def talk(provider: Provider, streamed: bool, request: ModelRequest = ASKED) -> ModelResponse:
    """The answer, after the rounds of tools that it takes."""
    while True:
        answer = await provider.generate_with_metadata(request, (lambda piece: None) if streamed else None)
        if answer.finish is not Finish.TOOL_CALLS:
            return answer
        said = Message("assistant", answer.text, tool_calls=answer.tool_calls, thought=answer.thought)
        given = [Message("tool", "3", tool_call_id=call.id) for call in answer.tool_calls]
        request = request._replace(messages=(*request.messages, said, *given))


@both_ways
@pytest.mark.parametrize("name", THINKERS)
def test_a_service_gets_back_what_its_model_thought(
    name: str, streamed: bool, service: Service, provider_bench: Any
) -> None:
    thinker = THINKERS[name]
    service.decides(thinker)
    bench = provider_bench(DIALECTS[thinker.provider], service)
    answer = bench.use(lambda provider: talk(provider, streamed))
    assert (answer.text, answer.thought, len(service.asked)) == ("10", None, 3)


@both_ways
@pytest.mark.parametrize("odd", [7, True, {"a": 1}, [], [7, None, "x"], [{"text": 5}, {"type": 3}]])
def test_thoughts_of_no_known_shape_do_no_harm(
    odd: object, streamed: bool, service: Service, provider_bench: Any
) -> None:
    names = ("reasoning_content", "reasoning_details", "thinking_blocks")
    choice = {"index": 0, "finish_reason": "stop"}
    said = {"role": "assistant", "content": "Hi.", **dict.fromkeys(names, odd), "tool_calls": None}
    part = b"data: " + json.dumps({"choices": [{**choice, "delta": said}]}).encode() + b"\n\n"
    whole = response({"choices": [{**choice, "message": said}]})
    service.answers(chunked([part], "text/event-stream") if streamed else whole)
    bench = provider_bench(DIALECTS["openai"], service)
    assert bench.ask(ASKED, streamed=streamed).text == "Hi."


@both_ways
def test_a_server_that_refuses_what_it_thought_itself_gets_nothing_back(
    streamed: bool, service: Service, provider_bench: Any
) -> None:
    service.decides(CEREBRAS)
    bench = provider_bench(DIALECTS["openai"], service)
    answer = bench.use(lambda provider: talk(provider, streamed), return_reasoning=False)
    assert (answer.text, len(service.asked)) == ("10", 3)


@both_ways
def test_bedrock_forces_no_tool_on_a_model_that_thinks(streamed: bool, service: Service, provider_bench: Any) -> None:
    """Claude refuses that. What it says in place of calling the tool for answers is its answer."""
    service.decides(DIALECTS["bedrock"].either())
    bench = provider_bench(DIALECTS["bedrock"], service)
    asked = ASKED._replace(output_schema={"type": "object"})
    for extra, choice in (
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"auto": {}}),
        ({"thinking": {"type": "adaptive"}}, {"auto": {}}),
        ({"reasoning_config": {"type": "enabled", "budget_tokens": 1024}}, {"auto": {}}),
        ({"thinking": {"type": "disabled"}}, {"any": {}}),
        ({"top_k": 5}, {"any": {}}),
    ):
        assert bench.ask(asked, streamed=streamed, extra_body=extra).text == "Hello wörld"
        assert service.asked[-1].data["toolConfig"]["toolChoice"] == choice


@pytest.mark.parametrize(
    ("model", "choice"),
    [
        ("us.meta.llama4-scout-17b-instruct-v1:0", {"auto": {}}),
        ("openai.gpt-oss-120b-1:0", {"auto": {}}),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.meta.llama3-3-70b-instruct-v1:0", {"auto": {}}),
        ("mistral.mistral-large-2407-v1:0", {"any": {}}),
        ("eu.anthropic.claude-sonnet-4-6-v1:0", {"tool": {"name": "answer"}}),
        ("amazon.nova-pro-v1:0", {"tool": {"name": "answer"}}),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", {"tool": {"name": "answer"}}),
    ],
)
def test_bedrock_forces_a_tool_on_models_that_can_be(model: str, choice: object) -> None:
    asked = ASKED._replace(model=model, tools=(), output_schema={"type": "object"})
    assert converse_words.asked(asked, {}, stream=False)["toolConfig"]["toolChoice"] == choice
