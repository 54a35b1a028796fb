"""What is read of Bedrock's answers, beyond what its stand-ins say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipe_providers import converse_words
from pipe_providers.converse_words import Streamed, whole
from pipe_runner.models import Message, ModelFault, ModelRequest, Reason, ToolCall

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
