"""What is read of Bedrock's answers, beyond what its stand-ins say."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_providers.converse_words import Streamed, whole
from pipe_runner.models import Message, ModelFault, ModelRequest, Reason

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
