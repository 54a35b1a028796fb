"""The bound of a request in tokens counts all that is sent, and never less than its bytes."""

from __future__ import annotations

import json
from unicodedata import normalize

from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.calls.size import AROUND_MESSAGE, AROUND_REQUEST, IMAGE, most_tokens
from pipe_runner.models import Media, Message, ModelRequest, Thought, ToolCall, ToolSpec


def size(*messages: Message, **more: object) -> int:
    return most_tokens(ModelRequest("m", messages, max_tokens=0)._replace(**more))


@given(st.text())
def test_text_counts_at_least_its_bytes_as_it_is_and_normalised(text: str) -> None:
    found = size(Message("user", text))
    assert found >= len(text.encode()) + AROUND_MESSAGE
    assert found >= len(normalize("NFKC", text).encode())


def test_a_character_that_normalises_to_many_counts_as_those() -> None:
    assert size(Message("user", "\ufdfa")) == 33 + AROUND_MESSAGE


def test_what_is_answered_tools_schemas_and_calls_count() -> None:
    call = ToolCall("1", "look", {"where": "é"})
    assert size(Message("assistant", "", tool_calls=(call,))) >= 2 * AROUND_MESSAGE + len(json.dumps({"where": "é"}))
    spec = ToolSpec("look", "Looks.", {"type": "object"})
    assert size(tools=(spec,)) >= AROUND_REQUEST + len("look Looks.") + len(json.dumps({"type": "object"}))
    assert size(output_schema={"type": "object"}) == AROUND_REQUEST + len(json.dumps({"type": "object"}))
    assert size(max_tokens=77) == 77


def test_what_goes_back_of_a_thought_counts() -> None:
    thought = Thought("p", "m", {"fields": {"reasoning_content": "x" * 1000}})
    assert size(Message("assistant", "", thought=thought)) >= 1000 + AROUND_MESSAGE


def test_an_image_counts_as_its_dearest_service_takes_it() -> None:
    image = Message("user", "", media=(Media("image/png", "aaaa"),))
    assert size(image) == IMAGE + AROUND_MESSAGE
    assert size(image, model="gpt-4o-mini-2024-07-18") == 48_200 + AROUND_MESSAGE
    assert size(Message("user", "", media=(Media("application/pdf", "a" * 1000),))) >= 500 + IMAGE
