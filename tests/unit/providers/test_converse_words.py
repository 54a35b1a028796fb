"""What is read of Bedrock's answers, beyond what its stand-ins say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipe_providers import converse_words
from pipe_providers.converse_words import Streamed, asked, whole
from pipe_runner.models import Message, ModelFault, ModelRequest, Reason, ToolCall, Usage

REQUEST = ModelRequest("m", (Message("user", "hi"),), max_tokens=9)


@pytest.mark.parametrize("delta", ["text", ["text"], None, 7])
def test_a_piece_of_another_shape_is_no_part_of_an_answer(delta: Any) -> None:
    with pytest.raises(TypeError):
        Streamed("bedrock", REQUEST, {}, 1000).take({"contentBlockDelta": {"delta": delta}})


def test_a_context_that_is_full_is_no_matter_of_max_tokens() -> None:
    answer = {"output": {"message": {"content": [{"text": "so"}]}}, "stopReason": "model_context_window_exceeded"}
    with pytest.raises(ModelFault) as raised:
        whole("bedrock", REQUEST, {}, answer)
    assert raised.value.reason is Reason.TOO_LONG
    assert "the model's context" in raised.value.message


@pytest.mark.parametrize("id", ["tooluse_a-1", "functions.add:0", "call 1/2", "c" * 400, "", "ü"])
def test_ids_of_calls_that_another_service_gave_fit(id: str) -> None:
    call = ToolCall(id, "add", {})
    turns = (Message("assistant", tool_calls=(call,)), Message("tool", "3", tool_call_id=id))
    used, given = converse_words._turns(turns)
    told = used["content"][0]["toolUse"]["toolUseId"]
    assert told == given["content"][0]["toolResult"]["toolUseId"]
    assert re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", told)


def test_a_text_with_citations_is_one() -> None:
    cited = {"content": [{"text": "It is "}, {"text": "so"}], "citations": [{"title": "paper"}]}
    content = [{"text": "Yes. "}, {"citationsContent": cited}, {"text": "!"}]
    answer = {"output": {"message": {"content": content}}, "stopReason": "end_turn"}
    assert whole("bedrock", REQUEST, {}, answer).text == "Yes. It is so!"


def test_events_that_say_nothing_of_an_answer_are_passed_over() -> None:
    streamed = Streamed("bedrock", REQUEST, {}, 1000)
    events: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockStart": {"start": {}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "so"}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"citation": {"title": "paper"}}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"toolResult": [{"text": "4"}]}, "contentBlockIndex": 1}},
        {"contentBlockStart": {"start": {"image": {"format": "png"}}, "contentBlockIndex": 2}},
        {"somethingNew": {"a": 1}},
        {"messageStop": {"stopReason": "end_turn", "additionalModelResponseFields": {"a": 1}}},
        {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}, "trace": {"guardrail": {}}, "serviceTier": {}}},
    ]
    assert "".join(streamed.take(event) for event in events) == "so"
    read = streamed.read()
    assert (read.text, read.usage, read.tool_calls) == ("so", Usage(1, 2), ())


def test_a_tool_may_be_offered_to_a_model_that_can_not_be_forced_to_call_one() -> None:
    """An application inference profile doesn't tell whose model it is."""
    model = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3"
    request = REQUEST._replace(model=model, output_schema={"type": "object"})
    assert asked(request, {}, stream=False)["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}
    words = asked(request, {"output_schema": "auto"}, stream=False)
    assert words["toolConfig"]["toolChoice"] == {"auto": {}}
    assert words["toolConfig"]["tools"][0]["toolSpec"]["name"] == "answer"


@pytest.mark.parametrize("trace", [{"promptRouter": {"invokedModelId": "arn:x/eu.amazon.nova-lite-v1:0"}}, {}, None, 7])
def test_the_model_that_a_prompt_router_chose_is_the_one_that_answered(trace: Any) -> None:
    """Its price is known, where that of the router isn't."""
    chosen = "arn:x/eu.amazon.nova-lite-v1:0" if isinstance(trace, dict) and trace else ""
    answer = {"output": {"message": {"content": [{"text": "so"}]}}, "stopReason": "end_turn", "trace": trace}
    assert whole("bedrock", REQUEST, {}, answer).model == chosen
    streamed = Streamed("bedrock", REQUEST, {}, 1000)
    streamed.take({"messageStop": {"stopReason": "end_turn"}})
    streamed.take({"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}, "trace": trace}})
    assert streamed.read().model == chosen
