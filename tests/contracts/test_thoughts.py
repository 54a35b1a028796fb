"""What a model thought goes back to its service, unchanged, with what its tools gave: each of these services refuses a
conversation without it."""

from __future__ import annotations

from typing import Any

import pytest
from model_servers import CEREBRAS, DIALECTS, THINKERS, Service

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
