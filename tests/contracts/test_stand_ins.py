"""The same questions get the same answers from each service's stand-in, of which not we are the authors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from model_servers import standins

from pipe_runner.models import Finish, Message, ModelFault, ModelRequest, ModelResponse, Reason, ToolCall, ToolSpec
from pipe_runner.registry import ProviderTypes

HELLO = "Hello wörld, this is a somewhat longer answer ☃."
WEATHER = ToolSpec(
    "weather", "The weather of a place.", {"type": "object", "properties": {"place": {"type": "string"}}}
)
SCHEMA = {
    "type": "object",
    "properties": {"severity": {"enum": ["low", "high"]}},
    "required": ["severity"],
    "additionalProperties": False,
}
MODELS = {"openai": "gpt-4o", "ollama": "llama3.1", "bedrock": "anthropic.claude-3-haiku-20240307-v1:0"}
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret"}

every = pytest.mark.parametrize("name", sorted(MODELS))
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with standins.aimock(tmp_path_factory.mktemp("aimock")) as url:
            yield url
    except standins.NotThere as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def ministack(aimock: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with standins.ministack(tmp_path_factory.mktemp("ministack"), aimock) as url:
            yield url
    except standins.NotThere as reason:
        pytest.skip(str(reason))


@pytest.fixture
def options(name: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    if name == "bedrock":
        return {"endpoint_url": request.getfixturevalue("ministack"), "region": "us-east-1"}
    url = request.getfixturevalue("aimock")
    return {"base_url": f"{url}/v1" if name == "openai" else url}


def ask(name: str, options: dict[str, Any], text: str, *, streamed: bool = False, **more: Any) -> ModelResponse:
    async def asked() -> ModelResponse:
        kind = ProviderTypes()[name]
        provider = kind.open(kind.settings(name, options, "", AWS))
        request = ModelRequest(MODELS[name], (Message("user", text),), max_tokens=100, **more)
        pieces: list[str] = []
        try:
            answer = await provider.generate_with_metadata(request, pieces.append if streamed else None)
        finally:
            await provider.close()
        assert not streamed or "".join(pieces) == answer.text
        return answer

    return asyncio.run(asked())


@every
@both_ways
def test_a_text(name: str, streamed: bool, options: dict[str, Any]) -> None:
    answer = ask(name, options, "hello", streamed=streamed)
    assert (answer.text, answer.finish) == (HELLO, Finish.STOP)
    if name != "ollama":  # of which the stand-in counts nothing
        assert answer.usage is not None
        assert answer.usage.output > 0


@every
@both_ways
def test_a_tool(name: str, streamed: bool, options: dict[str, Any]) -> None:
    answer = ask(name, options, "weather", streamed=streamed, tools=(WEATHER,))
    assert (answer.text, answer.finish) == ("", Finish.TOOL_CALLS)
    (call,) = answer.tool_calls
    assert call._replace(id="") == ToolCall("", "weather", {"place": "Köln"})


@every
@both_ways
def test_a_schema(name: str, streamed: bool, options: dict[str, Any]) -> None:
    answer = ask(name, options, "severity", streamed=streamed, output_schema=SCHEMA)
    assert json.loads(answer.text) == {"severity": "low"}
    assert answer.finish is Finish.STOP


def test_a_stream_in_bedrock_s_form_that_says_too_little_is_read_as_far_as_it_goes(aimock: str) -> None:
    """It begins blocks of text with an empty `start`, which the model of the service doesn't know."""
    answer = ask("bedrock", {"endpoint_url": aimock, "region": "us-east-1"}, "hello", streamed=True)
    assert (answer.text, answer.finish) == (HELLO, Finish.STOP)


def test_a_rate_limit_of_the_stand_in_is_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        with standins.aimock(tmp_path_factory.mktemp("limited"), standins.FIXTURES, "--chaos-ratelimit", "1") as url:
            for name in ("openai", "ollama"):
                options = {"base_url": f"{url}/v1" if name == "openai" else url}
                with pytest.raises(ModelFault) as raised:
                    ask(name, options, "hello")
                assert raised.value.reason is Reason.RATE_LIMITED
                assert raised.value.retry_after is not None
    except standins.NotThere as reason:
        pytest.skip(str(reason))
